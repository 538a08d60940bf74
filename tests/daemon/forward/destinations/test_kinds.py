"""The table of kinds: lean to import, clear about what cannot be meant, and all of it in the manual."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from daemon.forward.destinations import Bounds
from daemon.forward.destinations.kinds import KINDS, BadOptions, make
from daemon.forward.destinations.place import Options
from tests.daemon.forward.destinations import records

ROOT = Path(__file__).parents[4]
HEAVY = {"boto3", "botocore", "obstore", "asyncssh", "aiomqtt", "paho", "aioftp", "aiohttp", "cryptography"}


def test_importing_the_kinds_imports_no_library_of_theirs():
    code = "import sys, daemon.forward.destinations.kinds; print(*{m.partition('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert "pydantic" in done.stdout.split()
    assert not HEAVY & set(done.stdout.split())


def test_making_a_destination_imports_no_library_of_another():
    """A box that sends to a broker alone does not carry boto3 about."""
    code = (
        "import sys; from pathlib import Path\n"
        "from daemon.forward.destinations.kinds import make\n"
        "from daemon.forward.destinations.place import Place\n"
        "p = Path('.'); make('mqtt', {'host': 'h'}, Place('n', 'b', p, p, p))\n"
        "print(*{m.partition('.')[0] for m in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert not HEAVY & set(done.stdout.split())


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("carrier-pigeon", {}, "kind: 'carrier-pigeon' is none of azure, dropbox"),
        ("folder", {}, "folder: Field required"),
        ("folder", {"folder": "/x", "floder": 1}, "floder: Extra inputs"),
        ("sftp", {"host": "h", "user": "u", "known_hosts": "k"}, "key_file"),
        ("sftp", {"host": "h", "user": "u", "key_file": "k"}, "known_hosts: Field required"),
        ("ftp", {"host": "h", "user": "u", "password_file": "p", "security": "none"}, "security"),
        ("ftp", {"host": "h", "user": "u", "password_file": "p", "at_once": 3}, "at_once"),
        ("azure", {"account": "acc", "container": "con"}, "sas_file"),
        ("dropbox", {"credentials_file": "c", "api_url": "http://a.example.org"}, "https|clear"),
        ("dropbox", {"credentials_file": "c", "largest_bytes": 1 << 30}, "largest_bytes"),
        ("s3", {"bucket": "b", "access_key": "a", "secret_key_file": "s"}, "bucket"),
    ],
)
def test_bad_options_are_named(place, kind, options, said):
    with pytest.raises(BadOptions, match=said):
        make(kind, options, place)


def test_a_secret_put_in_the_options_is_not_repeated(place):
    options = {"url": "https://h", "identifier": "x", "password": "hunter2"}
    with pytest.raises(BadOptions) as raised:
        make("rest", options, place)

    assert "password" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_no_option_holds_a_secret():
    """Secrets are in files of the folder of credentials; options name them."""
    for kind in KINDS.values():
        for name in kind.options.model_fields:
            assert not name.endswith(("password", "secret", "token", "_key")) or name == "access_key"


def test_every_kind_and_option_is_in_the_manual():
    text = (ROOT / "docs" / "destinations.md").read_text()
    sections = {part.partition("\n")[0].strip("` "): part for part in text.split("\n## ")}
    for name, kind in KINDS.items():
        section = sections[name]
        missing = {option for option in kind.options.model_fields if f"`{option}`" not in section}

        assert not missing - set(Options.model_fields), name
    assert all(f"`{option}`" in sections["All kinds"] for option in Options.model_fields)


def test_the_manual_says_no_option_that_there_is_not():
    text = (ROOT / "docs" / "destinations.md").read_text()
    for part in text.split("\n## "):
        name = part.partition("\n")[0].strip("` ")
        if name in KINDS:
            rows = [line.split("`")[1] for line in part.splitlines() if line.startswith("| `")]
            assert set(rows) <= set(KINDS[name].options.model_fields), name


def test_bounds_are_the_forwarders_to_change(place, tmp_path):
    destination = make("folder", {"folder": tmp_path, "at_once": 2}, place)
    assert destination.bounds.at_once == 2
    destination.bounds = Bounds(records=3)

    assert destination.gather([records.metrics(n) for n in range(1, 9)]) == 3
