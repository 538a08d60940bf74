"""Where the pages' socket listens is what the configuration says."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from daemon.config_web import Web
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
        ('host = "0.0.0.0"\nport = 80\ntls_port = 443', "0.0.0.0:80 0.0.0.0:443"),
        ('host = "::"\nport = 80', "[::]:80 [::]:8443"),
        ('host = "10.20.3.4"', "10.20.3.4:8080 127.0.0.1:8080 10.20.3.4:8443"),
        ('host = "0.0.0.0"\ntls = false', "0.0.0.0:8080"),
        ('host = "localhost"', "127.0.0.1:8080"),
        ("port = 80", "127.0.0.1:80"),
    ],
)
def test_the_socket_listens_where_the_configuration_says(tmp_path: Path, web: str, address: str) -> None:
    lines = ["[Socket]", "ListenStream=", *(f"ListenStream={one}" for one in address.split())]
    assert made(tmp_path, f"[web]\n{web}\n") == "\n".join(lines) + "\n"

    # the pages by themselves, without systemd, listen at the same places
    config = Web(**tomllib.loads(web))
    own = [(host, config.port) for host in config.plain_hosts]
    own += [(config.host, config.tls_port)] if config.is_encrypted else []
    named = [(host.replace("localhost", "127.0.0.1"), port) for host, port in own]
    assert [
        f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in named
    ] == address.split()


@pytest.mark.parametrize(
    "text",
    [
        "[web",
        "[web]\nport = 0",
        "[web]\ntls_port = 0",
        "[web]\nport = true\nhost = 3",
        '[web]\nhost = "a b"',
        "web = 3",
    ],
)
def test_what_cannot_be_used_leaves_it_as_it_is_shipped(tmp_path: Path, text: str) -> None:
    assert made(tmp_path, text) == ""


def test_an_empty_configuration_is_the_default_of_both(tmp_path: Path) -> None:
    shipped = (page.UNITS / "vitald-web.socket").read_text()

    assert made(tmp_path, "").splitlines()[-1] in shipped.splitlines()
