"""What systemd hears: READY when the way of a sample works, a sign of life that proves it, and silence when it does not."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from daemon.appliance.heartbeat import Heartbeat
from daemon.appliance.notify import Notify
from daemon.cli import main

WATCHDOG_USEC = 2_000_000

RUN = """
import signal, sys, threading, time
from daemon.acquisition.link import Link
from daemon.acquisition.ports import Acquisition
from daemon.cli import main

wedged = threading.Event()
what = sys.argv[1]
advance, round_ = Acquisition.advance, Link.round

def stuck_advance(self, now_ns):
    if what == "acquisition" and wedged.is_set():
        time.sleep(3600)
    advance(self, now_ns)

def stuck_round(self, now_ns, **how):
    went = round_(self, now_ns, **how)
    return went and not (what == "port" and wedged.is_set())

def wedge(*_):
    wedged.set()
    if what == "loop":
        time.sleep(3600)

Acquisition.advance, Link.round = stuck_advance, stuck_round
signal.signal(signal.SIGUSR1, wedge)
sys.exit(main(["run", "--config", sys.argv[2]]))
"""


@pytest.fixture
def ears(tmp_path):
    """A socket as systemd's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        yield listening


def heard(listening, within_s):
    """All lines said from now on, with their times, for so long."""
    lines, until = [], time.monotonic() + within_s
    while (left := until - time.monotonic()) > 0:
        listening.settimeout(left)
        with suppress(TimeoutError):
            lines += [(time.monotonic(), line) for line in listening.recv(4096).decode().splitlines()]
    return lines


def wait_for(listening, word, within_s):
    until = time.monotonic() + within_s
    while True:
        listening.settimeout(max(until - time.monotonic(), 0.01))
        lines = listening.recv(4096).decode().splitlines()
        if word in lines:
            return lines


def test_words_are_one_datagram_and_nothing_is_said_where_nobody_listens(ears, tmp_path):
    Notify({"NOTIFY_SOCKET": str(tmp_path / "notify")}).say("READY=1", "STATUS=2 devices")
    Notify({}).say("READY=1")
    Notify({"NOTIFY_SOCKET": str(tmp_path / "gone")}).say("READY=1")
    ears.settimeout(1)

    assert ears.recv(100) == b"READY=1\nSTATUS=2 devices"


def test_an_address_with_an_at_is_abstract():
    name = f"vitald-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.settimeout(1)
        Notify({"NOTIFY_SOCKET": f"@{name}"}).say("WATCHDOG=1")

        assert listening.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    ("environment", "every_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "4000000"}, 1.0),
        ({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid())}, 1.0),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_a_sign_of_life_is_given_four_times_as_often_as_it_must(environment, every_s):
    assert Notify(environment).every_s == every_s


async def test_a_process_says_ready_then_lives_then_stops(ears, tmp_path):
    notify = Notify({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"})
    alive = asyncio.create_task(notify.alive())
    await asyncio.sleep(0.3)
    alive.cancel()
    await asyncio.gather(alive, return_exceptions=True)

    said = [line for _, line in heard(ears, 0.1)]
    assert said[0] == "READY=1"
    assert said.count("WATCHDOG=1") >= 2
    assert said[-1] == "STOPPING=1"


class Gone:
    def __init__(self, count):
        self.count = count


def test_the_way_is_proved_when_a_tick_came_out_and_every_loop_has_gone_round():
    heart = Heartbeat()
    assert not heart.proved({"": Gone(1)}), "no Tick yet"
    heart.ticked(100)
    assert heart.proved({"": Gone(1), "1/ecg": Gone(5)})
    assert not heart.proved({"": Gone(2), "1/ecg": Gone(6)}), "no new Tick"
    heart.ticked(200)
    assert not heart.proved({"": Gone(2), "1/ecg": Gone(5)}), "the port's loop stands"
    assert not heart.proved({"": Gone(1), "1/ecg": Gone(6)}), "the thread stands"
    assert not heart.proved({}), "the thread has not begun"
    assert heart.proved({"": Gone(2), "1/ecg": Gone(6)})


def test_a_port_that_is_not_open_and_one_that_has_just_been_opened_withhold_nothing():
    heart = Heartbeat()
    heart.ticked(100)
    assert heart.proved({"": Gone(1), "1/ecg": Gone(5)})
    heart.ticked(200)
    assert heart.proved({"": Gone(2)})
    heart.ticked(300)
    assert heart.proved({"": Gone(3), "1/ecg": Gone(1)})


@pytest.fixture
def daemon(ears, tmp_path):
    """A real daemon with a simulated board, that can be wedged."""
    started = []

    def start(what):
        port = tmp_path / "ports" / "ttyECG0"
        config = tmp_path / "vitald.toml"
        config.write_text(
            f'[box]\ndata = "{tmp_path}/data"\nrun = "{tmp_path}/run"\n[sound]\nenabled = false\n'
            f'[store]\nballast_mb = 0\n[beds.1]\n[[beds.1.devices]]\nlabel = "ecg"\nkind = "dm_ecg"\nport = "{port}"\n'
        )
        board = [
            sys.executable,
            "-m",
            "daemon.cli",
            "replay",
            "patient",
            "--as",
            "dm_ecg",
            "--port",
            str(port),
        ]
        started.append(subprocess.Popen(board, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
        started[0].stdout.readline()
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": str(WATCHDOG_USEC),
        }
        run = [sys.executable, "-c", RUN, what, str(config)]
        started.append(subprocess.Popen(run, env=environment, stderr=subprocess.DEVNULL))
        return started[1]

    yield start
    for process in reversed(started):
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


@pytest.mark.slow
@pytest.mark.parametrize("what", ["loop", "acquisition", "port"])
def test_a_wedge_anywhere_on_the_way_of_a_sample_ends_the_signs_of_life(daemon, ears, what, tmp_path, capsys):
    process = daemon(what)
    ready = wait_for(ears, "READY=1", 60)
    assert any(line.startswith("STATUS=1 devices") for line in ready)
    living = [line for _, line in heard(ears, 1.5 * WATCHDOG_USEC / 1e6)]
    assert living.count("WATCHDOG=1") >= 2  # less than half of what is asked for apart

    process.send_signal(signal.SIGUSR1)
    heard(ears, 1.0)  # what was under way

    assert "WATCHDOG=1" not in [line for _, line in heard(ears, 1.5 * WATCHDOG_USEC / 1e6)]
    if what != "loop":  # which answers nobody
        expected = {"acquisition": {"daemon.behind", "daemon.no_ticks"}, "port": {"ports.unread"}}
        main(["doctor", "--quick", "--json", "--config", str(tmp_path / "vitald.toml")])
        checks = json.loads(capsys.readouterr().out)["checks"]
        assert {one["id"] for check in checks for one in check["findings"]} & expected[what]


@pytest.mark.slow
def test_a_daemon_that_is_stopped_says_so(daemon, ears):
    process = daemon("nothing")
    wait_for(ears, "READY=1", 60)
    process.send_signal(signal.SIGTERM)

    assert "STOPPING=1" in wait_for(ears, "STOPPING=1", 30)
    assert process.wait(30) == 0
