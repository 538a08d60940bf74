"""Where the pages' socket listens is what the configuration says."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.systemd import page

GENERATOR = page.UNITS / "generators/vitald-web-generator"


def made(tmp_path: Path, configuration: str) -> str:
    file = tmp_path / "vitald.toml"
    file.write_text(configuration)
    program = (
        f"import runpy; runpy.run_path({str(GENERATOR)!r})['main']({str(tmp_path / 'to')!r}, {str(file)!r})"
    )
    subprocess.run([sys.executable, "-IS", "-c", program], check=True)
    drop_in = tmp_path / "to/vitald-web.socket.d/address.conf"
    return drop_in.read_text() if drop_in.exists() else ""


@pytest.mark.parametrize(
    ("web", "address"),
    [
        ('host = "0.0.0.0"\nport = 443', "0.0.0.0:443"),
        ('host = "::"\nport = 80', "[::]:80"),
        ('host = "localhost"', "127.0.0.1:8080"),
        ("port = 80", "127.0.0.1:80"),
    ],
)
def test_the_socket_listens_where_the_configuration_says(tmp_path: Path, web: str, address: str) -> None:
    assert made(tmp_path, f"[web]\n{web}\n") == f"[Socket]\nListenStream=\nListenStream={address}\n"


@pytest.mark.parametrize(
    "text", ["[web", "[web]\nport = 0", "[web]\nport = true\nhost = 3", '[web]\nhost = "a b"', "web = 3"]
)
def test_what_cannot_be_used_leaves_it_as_it_is_shipped(tmp_path: Path, text: str) -> None:
    assert made(tmp_path, text) == ""


def test_an_empty_configuration_is_the_default_of_both(tmp_path: Path) -> None:
    shipped = (page.UNITS / "vitald-web.socket").read_text()

    assert made(tmp_path, "").splitlines()[-1] in shipped.splitlines()
