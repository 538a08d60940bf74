"""The command's verbs without a running daemon: one clear line and the right exit code."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.cli import VERBS, main

ROOT = Path(__file__).parents[3]


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "vitald.toml"
    path.write_text(f'[box]\ndata = "{tmp_path}/data"\nrun = "{tmp_path}/run"\n')
    return path


@pytest.mark.parametrize("verb", ["status", "devices", "session list", "session end 1"])
def test_asking_a_daemon_that_does_not_run_is_not_well(config, capsys, verb):
    assert main([*verb.split(), "--config", str(config)]) == 1
    assert capsys.readouterr().out.startswith("the daemon does not answer")


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["analyse"], ["replay", "patient"]])
def test_a_wrong_command_line_exits_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_unknown_board_names_those_there_are(capsys):
    assert main(["replay", "patient", "--as", "toaster"]) == 2
    assert "dm_ecg" in capsys.readouterr().err


def test_a_second_daemon_in_the_same_place_ends_with_78(config, tmp_path):
    import fcntl

    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / "daemon.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert main(["run", "--config", str(config)]) == 78


def modules_after(statement):
    """Modules loaded in a fresh interpreter by a statement."""
    code = f"import sys; {statement}; print(chr(10).join(sys.modules))"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )


HEAVY = {"scipy", "pandas", "matplotlib", "wfdb", "edfio", "plotly", "boto3", "hypothesis"}


def test_what_a_long_running_process_loads_is_lean():
    assert not modules_after("import daemon.main") & {*HEAVY, "firmware_bridge.simulators", "jinja2"}
    assert not modules_after("import webui.app") & {*HEAVY, "daemon.acquisition", "daemon.dsp", "serial"}


def test_every_verb_is_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    assert all(verb in readme for verb in VERBS)


def test_a_port_that_is_taken_is_one_line_and_not_well(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = tmp_path / "vitald.toml"
        config.write_text(f'[box]\ndata = "{tmp_path}/data"\nrun = "{tmp_path}/run"\n[web]\nport = {port}\n')

        assert main(["web", "--config", str(config)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
