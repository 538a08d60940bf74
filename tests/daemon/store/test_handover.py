"""What one process leaves for the next: there before anybody has seen it, of this boot only, and never in the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.store.entries import AlarmsKept
from daemon.store.handover import Handover

ONE = AlarmsKept(5, {"hr_low": {"below": 55.0}}, {"boot": "b", "number": 3})
TWO = AlarmsKept(6, {}, {"boot": "b", "number": 4})


def test_the_newest_of_every_bed_is_read_by_the_next_process(tmp_path):
    first = Handover(tmp_path / "alarms.json", "b")
    assert first.read() == {}
    for bed, kept in (("1", ONE), ("2", ONE), ("1", TWO)):
        first.write(bed, kept)

    assert Handover(tmp_path / "alarms.json", "b").read() == {"1": TWO, "2": ONE}


def test_of_another_boot_nothing_is_taken(tmp_path):
    Handover(tmp_path / "alarms.json", "b").write("1", ONE)
    assert Handover(tmp_path / "alarms.json", "c").read() == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"boot": "b", "beds": {"1": 5}}',
        b'{"boot": "b", "beds": {"1": {"t_ns": "x"}}}',
    ],
)
def test_a_file_that_is_no_good_is_none(tmp_path, content):
    (tmp_path / "alarms.json").write_bytes(content)
    assert Handover(tmp_path / "alarms.json", "b").read() == {}


def test_a_folder_that_is_not_there_is_said_once(tmp_path, caplog):
    handover = Handover(tmp_path / "none" / "alarms.json", "b")
    handover.write("1", ONE)
    handover.write("1", TWO)
    assert len(caplog.records) == 1


WRITES = """
import sys
from pathlib import Path
from daemon.store.entries import AlarmsKept
from daemon.store.handover import Handover
handover = Handover(Path(sys.argv[1]), "b")
for k in range(1, 10**9):
    handover.write("1", AlarmsKept(k, {}, {"boot": "b", "number": k, "alarms": ["x" * 2000]}))
    print(k, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("writes", [1, 40, 900])
def test_what_was_written_before_a_kill_is_there(tmp_path: Path, writes):
    path = tmp_path / "alarms.json"
    with subprocess.Popen(
        [sys.executable, "-c", WRITES, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        for _ in range(writes):
            told = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        told = int((process.stdout.read().split() or [told])[-1])
    [kept] = Handover(path, "b").read().values()
    assert kept.t_ns >= told >= writes
    assert kept.state["number"] == kept.t_ns
