"""Setting one value keeps all else as a person wrote it; what is wrong is found with its line; secrets are never shown."""

from __future__ import annotations

import json
import tomllib

import pytest

from daemon.appliance.config_file import MASKED, CannotSet, Fault, faults_of, masked, with_value, write
from daemon.cli import main

TEXT = """\
# Ward 3
[box]
name = "Ward 3, box 2"  # as on its label

[web]
# the pages
port = 8080

[beds.4]
name = "Bed 4"

[[beds.4.devices]]
label = "ecg"
port = "/dev/ttyUSB0"

[[beds.4.devices]]
label = "cpap"
port = "/dev/ttyUSB1"
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "vitald.toml"
    path.write_text(TEXT)
    path.chmod(0o640)
    return path


@pytest.mark.parametrize(
    ("key", "value", "was", "becomes"),
    [
        ("web.port", "9000", "port = 8080", "port = 9000"),
        (
            "box.name",
            "Ward 4",
            'name = "Ward 3, box 2"  # as on its label',
            'name = "Ward 4" # as on its label',
        ),
        ("web.host", "0.0.0.0", "[web]\n", '[web]\nhost = "0.0.0.0"\n'),
        ("beds.4.name", "Bed four", 'name = "Bed 4"', 'name = "Bed four"'),
    ],
)
def test_one_value_is_set_and_every_other_line_stays(key, value, was, becomes):
    assert with_value(TEXT, key, value) == TEXT.replace(was, becomes)


def test_a_table_that_is_not_there_is_added_at_the_end():
    made = with_value(TEXT, "sound.volume", "50")
    assert made.startswith(TEXT)
    assert tomllib.loads(made)["sound"] == {"volume": 50}


@pytest.mark.parametrize("value", ["a\nb = 1", 'x"\n[web]\nport = 1', "1\n2"])
def test_a_value_of_several_lines_is_refused(value):
    with pytest.raises(CannotSet):
        with_value(TEXT, "box.name", value)


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        (TEXT.replace("port = 8080", "prot = 8080"), 7, "web.prot"),
        (TEXT.replace('label = "cpap"', "label = 7"), 17, "beds.4.devices.1.label"),
        (TEXT.replace("port = 8080", "port = 99999"), 7, "web.port"),
        (TEXT.replace("[web]", "[web"), 5, ""),
        (TEXT.replace('label = "ecg"\n', ""), 12, "beds.4.devices.0.label"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text, line, key):
    (fault,) = faults_of(text)
    assert (fault.line, fault.key) == (line, key)


def test_a_good_file_has_no_faults():
    assert faults_of(TEXT) == []
    assert Fault(1, "", "") != faults_of("x = ")[0]


def test_what_is_written_is_checked_keeps_its_rights_and_leaves_a_copy(file):
    copy = write(file, TEXT.replace("8080", "9000"))

    assert copy.read_text() == TEXT
    assert "9000" in file.read_text()
    assert file.stat().st_mode & 0o777 == copy.stat().st_mode & 0o777 == 0o640
    with pytest.raises(CannotSet):
        write(file, TEXT.replace("8080", "many"))
    assert "9000" in file.read_text()
    assert sorted(path.name for path in file.parent.iterdir()) == ["vitald.toml", "vitald.toml.before"]


def test_secrets_are_masked_and_names_of_files_are_not():
    shown = masked(
        {
            "password": "hunter2",
            "api_key": "k",
            "password_file": "pw",
            "url": "https://box:hunter2@example.org/x",
            "deep": [{"token": "t", "mapping": "stays"}],
            "empty_secret": "",
        }
    )
    assert shown == {
        "password": MASKED,
        "api_key": MASKED,
        "password_file": "pw",
        "url": f"https://{MASKED}@example.org/x",
        "deep": [{"token": MASKED, "mapping": "stays"}],
        "empty_secret": "",
    }


def test_the_commands(file, capsys):
    config = ["--config", str(file)]
    assert main(["config", "check", *config]) == 0
    assert main(["config", "set", "web.port", "9001", *config]) == 0
    assert main(["config", "set", "web.port", "many", *config]) == 2
    assert main(["config", "set", "web.prot", "1", *config]) == 2
    capsys.readouterr()

    assert main(["config", "diff", "--json", *config]) == 0
    told = {one["key"]: (one["default"], one["value"]) for one in json.loads(capsys.readouterr().out)}
    assert told["web.port"] == (8080, 9001)
    assert "sound.volume" not in told
    assert main(["config", "show", "web.port", *config]) == 0
    assert capsys.readouterr().out == "web.port = 9001\n"
    assert main(["config", "show", "web.imagined", *config]) == 2

    file.write_text("[web]\nprot = 1\n")
    assert main(["config", "check", *config]) == 78
    assert f"{file}:2: web.prot:" in capsys.readouterr().out
    assert main(["config", "show", *config]) == 78
    assert main(["doctor", "--quick", *config]) == 78
    assert "configuration.bad" in capsys.readouterr().out
