"""A line made by a program that is not ours (socat), carrying literal bytes of a reference: the daemon names the board and stores it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import threading
import time

import pytest

from benchmarks._box import Box
from daemon.main import boot_id
from daemon.store.reader import ask

pytestmark = pytest.mark.slow

# HealthyPi v4, two packets: ECG 41 and -20 counts, SpO2 98, heart rate 72.
PACKETS = bytes.fromhex(
    "0AFA140002 2900DBFF 523D0100 98FF0000 470E 10 62 48 50 78 00 000B".replace(" ", "")
    + "0AFA140002 ECFF2C01 683C0100 E8FD0000 470E 10 62 48 50 78 00 000B".replace(" ", "")
)
BANNER = b"Setting up Healthy pI V4...\r\nInitialization is complete\r\n"


def until(condition, within_s):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def line(tmp_path):
    """Two pseudo-terminals joined by socat; yields the far end."""
    if shutil.which("socat") is None:
        assert os.environ.get("CI") != "true", "socat is not installed"
        pytest.skip("socat is not installed")
    (tmp_path / "ports").mkdir()
    near, far = tmp_path / "ports" / "ttyECG0", tmp_path / "far"
    socat = subprocess.Popen(["socat", f"PTY,link={near},raw,echo=0", f"PTY,link={far},raw,echo=0"])
    until(lambda: near.exists() and far.exists(), 5)
    yield far
    socat.terminate()
    socat.wait()


def speak(far, stop):
    """The board: a banner, then 125 packets a second."""
    with far.open("wb", buffering=0) as wire:
        wire.write(BANNER)
        deadline = time.monotonic()
        while not stop.is_set():
            wire.write(PACKETS)
            deadline += 2 / 125
            stop.wait(max(0.0, deadline - time.monotonic()))


def test_reference_bytes_over_a_foreign_line_are_recognised_and_stored(tmp_path, line):
    box = Box(tmp_path, configured="auto")
    stop = threading.Event()
    board = threading.Thread(target=speak, args=(line, stop))
    board.start()
    box.start_daemon()

    def stored():
        try:
            traces = ask(box.database, lambda reader: reader.read(boot_id(), 0, 2**62, channels=["II"]))
        except sqlite3.OperationalError:  # the daemon has not made it yet
            return False
        return sum(t.counts.shape[1] for t in traces) > 250

    try:
        until(stored, 20)
    finally:
        stop.set()
        board.join()
        box.stop("daemon")
    [trace] = ask(box.database, lambda reader: reader.read(boot_id(), 0, 2**62, channels=["II"]))
    numbers = ask(box.database, lambda reader: reader.metrics(boot_id(), 0, 2**62))

    assert set(trace.counts[0].tolist()) == {41, -20}
    assert abs(trace.physical()[0][trace.counts[0] == 41][0] - 1.0093) < 0.0005
    assert any("spo2" in n.name and n.value == 98 for n in numbers)
