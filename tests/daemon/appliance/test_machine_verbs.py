"""Network, clock and logs in plain words, on machines that are made up file by file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.appliance import network, timekeeping
from daemon.appliance.holders import processes_of
from daemon.appliance.telling_logs import LEFT_OUT, told
from daemon.cli import main


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "vitald.toml"
    path.write_text(f'[box]\ndata = "{tmp_path}/data"\nrun = "{tmp_path}/run"\n')
    return path


@pytest.fixture
def machine(tmp_path):
    """A machine with one cable that is out, and no way out."""
    link = tmp_path / "root/sys/class/net/eth9"
    link.mkdir(parents=True)
    (link / "operstate").write_text("down\n")
    (link / "address").write_text("02:00:00:00:00:09\n")
    (tmp_path / "root/sys/class/net/lo").mkdir()
    (tmp_path / "root/etc").mkdir()
    (tmp_path / "root/etc/resolv.conf").write_text("# ours\nnameserver 192.0.2.53\n")
    return tmp_path / "root"


def test_a_cable_that_is_out_and_one_that_is_in(config, machine, capsys):
    assert main(["net", "--root", str(machine), "--config", str(config)]) == 1
    assert "eth9 (wired, 02:00:00:00:00:09): NOT CONNECTED" in capsys.readouterr().out

    (machine / "sys/class/net/eth9/operstate").write_text("up\n")
    (machine / "proc/net").mkdir(parents=True)
    (machine / "proc/net/route").write_text(
        "Iface\tDestination\tGateway\tFlags\neth9\t00000000\t010200C0\t0003\n"
    )
    assert main(["net", "--json", "--root", str(machine), "--config", str(config)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["gateway"], said["name_servers"]) == ("192.0.2.1", ["192.0.2.53"])
    assert [link.name for link in network.interfaces(machine)] == ["eth9"]


@pytest.mark.parametrize("when", ["soon", "2026-01-31T12:00:00"])
def test_a_time_without_its_zone_is_refused(when, capsys):
    assert main(["time", "set", when]) == 2
    assert "2026" in capsys.readouterr().err


def test_a_clock_that_is_kept_is_not_set_by_hand():
    with pytest.raises(timekeeping.CannotSet, match="chrony"):
        timekeeping.set_clock(0, "chrony")
    assert timekeeping.moment("1970-01-01T01:00:00+01:00") == 0


def test_logs_of_a_run_are_shown_where_systemd_is_not(config, tmp_path, capsys):
    assert main(["logs", "--config", str(config)]) == 1
    (tmp_path / "daemon.log").write_text("one\ntwo\nthree\n")
    assert main(["logs", "--lines", "2", "--config", str(config)]) == 0
    assert "daemon: one" not in (out := capsys.readouterr().out)
    assert "daemon: two\ndaemon: three" in out


def test_of_a_log_only_the_programs_own_words_leave_the_box():
    lines = [
        "2026-01-31T12:00:00+0100 box vitald[7]: INFO daemon.main: listening on /run/vitald/control.sock",
        "WARNING daemon.acquisition.telling: 1/ecg: lost on /dev/ttyUSB0 Anna",
        "ERROR daemon.patients: Anna Zauber was admitted",
        "INFO other.library: Anna",
        '  File "/opt/anna/site-packages/aiohttp/web.py", line 7, in serve',
        '  File "/home/anna/x.py", line 7, in serve',
        "sqlite3.OperationalError: no such patient: Anna",
        "Anna",
        "",
    ]
    said = list(told(lines))

    assert not [line for line in said if "anna" in line.lower()]
    assert said[0] == f"2026-01-31T12:00:00+0100 INFO daemon.main: listening on {LEFT_OUT}"
    assert "lost on /dev/ttyUSB0" in said[1]
    assert said[2] == f"ERROR daemon.patients: {LEFT_OUT}"
    assert said[4] == '  File "aiohttp/web.py", line 7, in serve'
    assert said[6] == f"sqlite3.OperationalError: {LEFT_OUT}"


def test_processes_are_found_by_their_verb_and_configuration(tmp_path):
    for pid, words in (
        (7, "python -m daemon.cli web --config /x.toml"),
        (8, "/usr/bin/vitald web --config /y.toml"),
    ):
        (tmp_path / f"proc/{pid}").mkdir(parents=True)
        (tmp_path / f"proc/{pid}/cmdline").write_bytes(words.replace(" ", "\0").encode() + b"\0")
    from pathlib import Path

    assert processes_of("web", Path("/x.toml"), tmp_path) == [7]
    assert processes_of("web", Path("/y.toml"), tmp_path) == [8]
    assert processes_of("work", Path("/x.toml"), tmp_path) == []


LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


def doctor(config, *before, **environment):
    """What it finds, as a process of its own."""
    words = [
        *before,
        sys.executable,
        "-m",
        "daemon.cli",
        "doctor",
        "--quick",
        "--json",
        "--config",
        str(config),
    ]
    done = subprocess.run(
        words, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    checks = json.loads(done.stdout)["checks"]
    return {one["id"]: one["remedy"] for check in checks for one in check["findings"]}


@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed")
def test_the_doctor_on_a_machine_that_woke_in_1970(config):
    found = doctor(config, LD_PRELOAD=str(LIBRARY), FAKETIME="@1970-01-02 00:00:00", DONT_FAKE_MONOTONIC="1")
    assert "vitald time set" in found["clock.never_set"]
    assert "clock.never_set" not in doctor(config)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a network without a cable")
def test_the_doctor_on_a_machine_without_a_network(config):
    config.write_text(f'{config.read_text()}[web]\nhost = "0.0.0.0"\n')
    bare = ("unshare", "--net", "sh", "-c", 'mount -t sysfs none /sys && exec "$@"', "sh")
    found = doctor(config, "unshare", "--mount", *bare)
    assert "vitald net" in found["network.down"]
