"""`vitald cert`: from nothing to a certificate, to the house's and back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.appliance.certificates import Certificates
from daemon.appliance.checks_network import certificate_files, ends
from daemon.appliance.own_names import OwnNames
from daemon.cli import main
from daemon.config import load
from tests.daemon.appliance._authority import NOW, House


@pytest.fixture
def configured(tmp_path):
    path = tmp_path / "vitald.toml"
    (tmp_path / "data").mkdir()

    def write(web: str) -> list[str]:
        path.write_text(f'[box]\ndata = "{tmp_path}/data"\nrun = "{tmp_path}/run"\n[web]\n{web}\n')
        return ["--config", str(path)]

    return write


def test_the_command_makes_shows_renews_and_changes_to_the_houses_and_back(
    configured, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("daemon.cli.cert._clock_set", lambda: True)
    options = configured('host = "10.20.3.4"\nnames = ["box4.lan"]')

    def said(*arguments: str) -> tuple[int, str]:
        code = main(["cert", *arguments, *options])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    assert said()[0] == 1
    assert said("ensure")[0] == 0
    code, shown = said("show", "--json")
    told = json.loads(shown)
    assert code == 0
    assert told["served"]["house"] is False
    assert {"box4.lan", "10.20.3.4"} <= set(told["served"]["names"])
    assert told["served"]["days"] == 395
    assert said("renew")[0] == 0
    after = json.loads(said("show", "--json")[1])
    assert after["authority"] == told["authority"]
    assert after["served"]["sha256"] != told["served"]["sha256"]

    request = tmp_path / "box.csr"
    assert said("csr", "-o", str(request))[0] == 0
    signed = tmp_path / "box.pem"
    signed.write_bytes(House().answer(request.read_bytes()))
    assert said("install", str(signed))[0] == 0
    assert json.loads(said("show", "--json")[1])["served"]["issuer"] == "House, wards"
    assert said("renew")[0] == 1
    assert said("renew", "--own")[0] == 0
    assert json.loads(said("show", "--json")[1])["authority"] == told["authority"]
    assert said("renew", "--authority")[0] == 0
    assert json.loads(said("show", "--json")[1])["authority"] != told["authority"]
    assert said("install", str(request))[0] == 2


@pytest.mark.parametrize("web", ['host = "127.0.0.1"', 'host = "0.0.0.0"\ntls = false'])
def test_where_no_other_machine_is_served_by_tls_there_is_none(configured, capsys, web):
    options = configured(web)

    assert main(["cert", "ensure", *options]) == 0
    assert main(["cert", "show", *options]) == 0
    assert main(["cert", "renew", *options]) == 2
    assert "web.host" in capsys.readouterr().out


@pytest.mark.parametrize("clock_set", [True, False])
def test_ensure_goes_by_the_clock(configured, tmp_path, monkeypatch, clock_set):
    monkeypatch.setattr("daemon.cli.cert._clock_set", lambda: clock_set)
    options = configured('host = "10.20.3.4"')

    assert main(["cert", "ensure", *options]) == 0
    assert (tmp_path / "data-cert/served.pem").exists() is clock_set


def test_doctor_looks_at_the_end_of_what_is_served(configured, tmp_path):
    config = load(Path(configured('host = "10.20.3.4"')[1]))
    local = load(Path(configured('host = "127.0.0.1"')[1]))
    Certificates(tmp_path).begin_anew(OwnNames(("box4.local",), ()), NOW)

    assert list(certificate_files(config)) == [(tmp_path / "data-cert/served.crt", "vitald-web")]
    assert list(certificate_files(local)) == []
    assert 395 <= (ends(tmp_path / "served.crt") - NOW).days <= 397


def test_the_pages_hold_no_library_that_makes_certificates():
    """They run for months, in little memory."""
    program = "import sys, webui.app; sys.exit('cryptography' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
