"""`vitald setup`, `vitald net set` and `vitald time` as a person uses them: files, refusals, what would be done, nothing half done."""

from __future__ import annotations

import json
import tomllib

import pytest

from daemon.appliance import stick
from daemon.appliance.first_start import ANSWER, FOLDER, HANDOVER, leave
from daemon.cli import BAD_INPUT, WELL, main
from daemon.config import load
from daemon.first_start import REQUEST


@pytest.fixture
def config(tmp_path):
    (tmp_path / "data").mkdir()
    file = tmp_path / "vitald.toml"
    file.write_text(f'[box]\ndata = "{tmp_path}/data"\nrun = "{tmp_path}/run"\n[beds.1]\nname = "Bed 1"\n')
    return file


@pytest.fixture
def settings(tmp_path):
    file = tmp_path / "setup.toml"
    file.write_text('[box]\nname = "Ward 3"\nward = "3B"\n\n[beds.2]\nname = "Door"\n')
    return file


def test_a_file_is_put_in_force_and_the_next_step_is_said(config, settings, capsys):
    assert main(["setup", "--config", str(config), "--from", str(settings), "--json"]) == WELL
    told = json.loads(capsys.readouterr().out)
    assert ["box.name", "Ward 3"] in told["applied"]
    assert told["next"] == "restart"
    assert load(config).beds["2"].name == "Door"
    assert (config.parent / "data" / FOLDER / HANDOVER).exists()
    assert main(["setup", "--config", str(config), "--from", str(settings)]) == WELL
    assert "is so already" in capsys.readouterr().out


def test_only_shown_nothing_is_changed(config, settings, capsys):
    before = config.read_text()
    assert main(["setup", "--config", str(config), "--from", str(settings), "--show"]) == WELL
    assert "box.name = Ward 3" in capsys.readouterr().out
    assert config.read_text() == before


def test_a_fault_is_one_line_with_file_line_and_key(config, settings, capsys):
    settings.write_text('[box]\nname = "x"\n\n[web]\nport = 99999\n')
    before = config.read_text()
    assert main(["setup", "--config", str(config), "--from", str(settings)]) == BAD_INPUT
    assert f"{settings}:5: web.port: " in capsys.readouterr().err
    assert config.read_text() == before
    assert main(["setup", "--config", str(config), "--from", str(settings), "--json"]) == BAD_INPUT
    assert json.loads(capsys.readouterr().out)["faults"][0]["line"] == 5


def test_a_file_that_is_not_there_is_bad_input(config, capsys):
    assert main(["setup", "--config", str(config), "--from", "/nowhere/x"]) == BAD_INPUT
    assert "/nowhere/x" in capsys.readouterr().err


def test_answers_make_a_file_that_can_be_used(config, tmp_path, monkeypatch, capsys):
    answers = [
        "Ward 3",
        "3B",
        "no serial",
        "BOX-0001",
        "1 2",
        "Window",
        "Door",
        "Nowhere",
        "Europe/Berlin",
        "",
        "0.0.0.0",
        "",
    ]
    said = iter([*answers, "Anna Admin"])
    words = iter(
        ["short", "correct horse battery", "other", "correct horse battery", "correct horse battery"]
    )
    monkeypatch.setattr("builtins.input", lambda _: next(said))
    monkeypatch.setattr("getpass.getpass", lambda _: next(words))
    file = tmp_path / "answers.toml"
    assert main(["setup", "ask", "--config", str(config), "--save", str(file)]) == WELL
    table = tomllib.loads(file.read_text())
    assert table["box"] == {"name": "Ward 3", "ward": "3B", "serial": "BOX-0001"}
    assert table["people"][0]["password_hash"].startswith("$argon2id$")
    assert "correct horse" not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    capsys.readouterr()
    del table["time"]  # what sets the zone may not be on this machine
    assert main(["setup", "--config", str(config), "--from", str(file), "--show", "--json"]) in {
        WELL,
        BAD_INPUT,
    }


def test_nobody_who_answers_is_bad_input(config, monkeypatch, capsys):
    def nobody(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    assert main(["setup", "ask", "--config", str(config)]) == BAD_INPUT
    assert "--from" in capsys.readouterr().err


def test_what_a_stick_brought_is_done_by_the_unit_and_faults_reach_the_screen(config, settings, tmp_path):
    copy = tmp_path / "run/stick"
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick/vitald-setup.toml").write_text(settings.read_text())
    stick.copied(tmp_path / "stick", copy)
    command = ["setup", "--request", "--copy", str(copy), "--config", str(config)]
    assert main(command) == WELL
    assert load(config).box.name == "Ward 3"
    assert json.loads((tmp_path / "data" / FOLDER / ANSWER).read_text()) == {"lines": []}
    (copy / "vitald-setup.toml").write_text("[box]\nnmae = 'x'\n")
    assert main(command) == BAD_INPUT
    (line,) = json.loads((tmp_path / "data" / FOLDER / ANSWER).read_text())["lines"]
    assert line.startswith("vitald-setup.toml:2: box.nmae: ")


def test_a_request_of_the_page_is_done_and_one_for_more_is_not(config, tmp_path):
    command = ["setup", "--request", "--copy", str(tmp_path / "none"), "--config", str(config)]
    leave(tmp_path / "data", REQUEST, '[box]\nname = "Ward 3"\n')
    assert main(command) == WELL
    assert load(config).box.name == "Ward 3"
    leave(tmp_path / "data", REQUEST, '[web]\nhost = "0.0.0.0"\n')
    assert main(command) == BAD_INPUT
    assert load(config).web.host == "127.0.0.1"
    (tmp_path / "data" / FOLDER / REQUEST).unlink()
    (tmp_path / "data" / FOLDER / REQUEST).symlink_to(config)
    assert main(command) == BAD_INPUT


# --- net and time ----------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path):
    (tmp_path / "usr/bin").mkdir(parents=True)
    for tool in ("nmcli", "chronyc", "timedatectl"):
        (tmp_path / "usr/bin" / tool).touch()
    return tmp_path


def test_an_address_is_shown_before_it_is_set(config, root, capsys):
    said = ["net", "set", "eth0", "10.0.0.5/24", "--gateway", "10.0.0.1", "--dns", "10.0.0.2", "--show"]
    assert main([*said, "--root", str(root), "--config", str(config)]) == WELL
    out = capsys.readouterr().out
    assert "address1=10.0.0.5/24,10.0.0.1" in out
    assert "dns=10.0.0.2;" in out
    assert "run nmcli connection up vitald-eth0" in out
    assert not (root / "etc").exists()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (["net", "set", "eth0"], "to what"),
        (["net", "set", "eth0", "10.0.0"], "address"),
        (["net", "set", "eth0", "10.0.0.5/24", "--gateway", "10.9.0.1"], "is not in"),
        (["net", "set", "a b", "dhcp"], "interface"),
        (["time", "zone", "Europe/Nowhere"], "no time zone"),
        (["time", "zone"], "which zone"),
        (["time", "servers", "a b"], "no name or address"),
        (["time", "servers"], "which servers"),
    ],
)
def test_what_cannot_be_set_is_one_line(config, root, capsys, said, why):
    own = ["--config", str(config)] if said[0] == "net" else []
    assert main([*said, "--root", str(root), *own]) == BAD_INPUT
    assert why in capsys.readouterr().err


def test_what_is_missing_on_the_machine_is_said_with_what_to_run(config, tmp_path, capsys):
    assert main(["time", "zone", "Europe/Berlin", "--root", str(tmp_path / "bare")]) == BAD_INPUT
    assert "ln -sf /usr/share/zoneinfo/Europe/Berlin" in capsys.readouterr().err
    assert (
        main(["net", "set", "eth0", "dhcp", "--root", str(tmp_path / "bare"), "--config", str(config)])
        == BAD_INPUT
    )
    assert "apt install network-manager" in capsys.readouterr().err


def test_servers_and_zone_are_shown_as_json(root, capsys):
    assert (
        main(["time", "servers", "ntp1.example", "10.0.0.9", "--show", "--json", "--root", str(root)]) == WELL
    )
    told = json.loads(capsys.readouterr().out)
    assert told["done"] is False
    assert "server ntp1.example iburst" in told["steps"][0]
    assert main(["time", "zone", "Europe/Berlin", "--show", "--root", str(root)]) == WELL
    assert "timedatectl set-timezone Europe/Berlin" in capsys.readouterr().out
