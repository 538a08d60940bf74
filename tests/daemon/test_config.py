"""The configuration: a typo is an error that names the key; the environment goes over the file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.cli import main
from daemon.config import (
    BadConfig,
    Bed,
    Box,
    Config,
    Destination,
    Device,
    Display,
    Forward,
    Proof,
    Sound,
    Store,
    Web,
    load,
)

GOOD = """
[box]
name = "Box 4"
data = "/tmp/x"
[beds.4]
name = "Bed 4"
[[beds.4.devices]]
label = "ecg"
port = "/dev/serial/by-id/usb-*"
"""


def write(tmp_path, text):
    path = tmp_path / "vitald.toml"
    path.write_text(text)
    return path


def test_a_good_file_is_read_with_defaults(tmp_path):
    config = load(write(tmp_path, GOOD))

    assert config.beds["4"].devices[0].kind == "auto"
    assert config.box.socket == Path("/run/vitald/control.sock")


def test_environment_goes_over_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("VITALD_WEB__PORT", "9001")
    monkeypatch.setenv("VITALD_BOX__NAME", "Other")

    config = load(write(tmp_path, GOOD))
    assert (config.web.port, config.box.name) == (9001, "Other")
    assert config.box.data == Path("/tmp/x")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[box]\nnmae = 'x'", "box.nmae"),
        ("[web]\nport = 'many'", "web.port"),
        ("[beds.1.display]\nmode = 'loud'", "beds.1.display.mode"),
        ("[[beds.1.devices]]\nlabel = 'a'", "beds.1.devices.0.port"),
        (
            "[[beds.1.devices]]\nlabel='a'\nport='x'\n[[beds.1.devices]]\nlabel='a'\nport='y'",
            "beds.1.devices",
        ),
        ("what", "not TOML"),
    ],
)
def test_bad_configuration_exits_78_and_names_the_key(tmp_path, capsys, text, key):
    path = write(tmp_path, text)
    with pytest.raises(BadConfig, match=re.escape(key)):
        load(path)

    assert main(["run", "--config", str(path)]) == 78
    said = capsys.readouterr().err
    assert key in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("device", "why"),
    [
        ("kind='dm-ecg'", "there is no board dm-ecg"),
        ("kind='dm_ecg'\noptions={gain='big'}", "dm_ecg: unknown option"),
    ],
)
def test_a_device_that_no_board_serves_is_named_by_whoever_opens_ports_or_writes_the_file(
    tmp_path, capsys, device, why
):
    path = write(tmp_path, f"[[beds.1.devices]]\nlabel='a'\nport='x'\n{device}")

    assert main(["run", "--config", str(path)]) == 78
    said = capsys.readouterr().err
    assert f"beds.1.devices.0: a: {why}" in said
    assert said.count("\n") == 1

    assert main(["config", "check", "--config", str(path)]) == 78
    assert f"{path}:1: beds.1.devices.0: a: {why}" in capsys.readouterr().out


def test_reading_the_configuration_brings_no_board_into_memory(tmp_path):
    """The web, the sound and the forwarder read it too, on a small machine, each for itself."""
    path = write(tmp_path, "[[beds.1.devices]]\nlabel='a'\nport='x'\nkind='dm_ecg'")
    asked = "import sys, pathlib, daemon.config as c; c.load(pathlib.Path(sys.argv[1])); print([m for m in sys.modules if 'boards' in m])"
    told = subprocess.run([sys.executable, "-c", asked, path], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_missing_file_is_bad_configuration(tmp_path, capsys):
    assert main(["run", "--config", str(tmp_path / "none.toml")]) == 78
    assert "No such file" in capsys.readouterr().err


def test_every_setting_is_in_the_manual():
    manual = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    for table in (Box, Store, Web, Sound, Proof, Forward, Destination, Bed, Device, Display):
        for name in table.model_fields:
            assert f"`{name}`" in manual, f"{table.__name__}.{name} is not in docs/configuration.md"
    for name in Config.model_fields:
        assert f"[{name}" in manual
