"""A real daemon whose disk takes five seconds for each sync, then refuses to be written, and whose supply ends: what it does, and what is stored."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from benchmarks._box import Box, boottime_ns
from daemon.config import load
from daemon.control.client import ControlClient
from daemon.control.technician import TechnicianClient

pytestmark = pytest.mark.slow

SLOW_S = 5

SYNC = f"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>
static int late(const char *name, int fd) {{
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  if (access(getenv("SLOW_SYNC"), F_OK) == 0) sleep({SLOW_S});
  return real(fd);
}}
int fsync(int fd) {{ return late("fsync", fd); }}
int fdatasync(int fd) {{ return late("fdatasync", fd); }}
ssize_t pwrite64(int fd, const void *data, size_t count, off64_t at) {{
  if (access(getenv("READ_ONLY"), F_OK) == 0) {{ errno = EROFS; return -1; }}
  return ((ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64"))(fd, data, count, at);
}}
ssize_t pwrite(int fd, const void *data, size_t count, off_t at) {{ return pwrite64(fd, data, count, at); }}
"""
"""While a file is there every sync of the process takes so long, as a card's that is busy with itself; while another is there the
databases cannot be written, as on a card that the kernel has made read-only because it failed."""


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """A box whose syncs and writes are in our hand, and a file that says when the supply ends."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("box")
    (folder / "sync.c").write_text(SYNC)
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", folder / "sync.so", folder / "sync.c", "-ldl"], check=True
    )
    (folder / "ending").write_text("0")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(folder / "notify"))
        box = Box(folder)
        box.config.write_text(f'{box.config.read_text()}\n[hardware]\nending_file = "{folder}/ending"\n')
        box.ears = notify
        box.environment = {
            "LD_PRELOAD": str(folder / "sync.so"),
            "SLOW_SYNC": str(folder / "slow"),
            "READ_ONLY": str(folder / "read-only"),
            "NOTIFY_SOCKET": str(folder / "notify"),
        }
        try:
            box.start_simulators()
            begun(box)
            yield box
        finally:
            for name in list(box.processes):
                box.stop(name, 30)


def begun(box):
    box._start("daemon", "run", "--config", str(box.config), environment=box.environment)


def until(holds, within_s=60.0, every_s=0.5):
    deadline = time.monotonic() + within_s
    while not (found := holds()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(every_s)
    return found


def asked(box):
    """The daemon's state and its health; None where it does not answer."""

    async def ask():
        path = load(box.config).box.socket
        async with ControlClient(path) as client, TechnicianClient(path) as technician:
            return await client.status(), await technician.health()

    with suppress(Exception):
        return asyncio.run(ask())
    return None


def streams(box):
    told = asked(box)
    return told is not None and any(d.state == "streaming" for bed in told[0].beds for d in bed.devices)


def faults(box):
    told = asked(box)
    return set() if told is None else {fact.source for fact in told[0].facts}


def rows(box, sql):
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{box.database}?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()
    return []


def newest_ns(box):
    return (rows(box, "SELECT max(arrived_ns) FROM chunks") or [(0,)])[0][0] or 0


def lost(box):
    """Samples between the first and the last that are not there for the disk's sake."""
    return rows(box, "SELECT * FROM gaps WHERE cause = 'disk'")


def test_syncs_of_five_seconds_hold_up_no_alarm_and_lose_no_sample(box):
    until(lambda: streams(box) and newest_ns(box))
    (box.folder / "slow").touch()
    began_ns = boottime_ns()
    ages = []
    while boottime_ns() - began_ns < 3 * SLOW_S * 10**9:
        told = asked(box)
        if told is not None:
            ages.append(told[1].tick_age_s)
        time.sleep(1)
    assert len(ages) > 5, "it answers all the time"
    assert max(ages) < SLOW_S, "no Tick has waited for a sync"
    assert newest_ns(box) > began_ns, "what has come meanwhile is stored, late"
    words = [sys.executable, "-m", "daemon.cli", "doctor", "--config", str(box.config)]
    told = subprocess.run(
        words, env={**os.environ, **box.environment}, capture_output=True, text=True, check=False
    )
    assert "disk.slow" in told.stdout
    assert "Replace the card by a faster one" in told.stdout
    (box.folder / "slow").unlink()
    until(lambda: boottime_ns() - newest_ns(box) < 5 * 10**9)
    assert asked(box)[1].overflowed == 0
    assert lost(box) == []


def test_a_disk_that_is_read_only_is_an_alarm_and_the_beds_go_on(box):
    (box.folder / "read-only").touch()
    until(lambda: "store" in faults(box))
    assert streams(box)
    assert asked(box)[1].tick_age_s < SLOW_S
    (box.folder / "read-only").unlink()
    again_ns = boottime_ns()
    until(lambda: newest_ns(box) > again_ns and "store" not in faults(box))


def test_a_supply_that_ends_brings_it_to_rest_with_all_stored_and_it_opens_nothing_until_it_is_back(box):
    until(lambda: streams(box))
    ended_ns = boottime_ns()
    (box.folder / "ending").write_text("1")
    assert box.processes["daemon"].wait(30) == 0
    box.stop("daemon")
    assert box.said("daemon").count("the supply ends: the daemon comes to rest") == 1
    for file in (box.database, box.database.with_name("box.db")):
        assert not file.with_name(f"{file.name}-wal").exists(), "closed, with nothing left to be taken over"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert newest_ns(box) > ended_ns - 10**9, "what had come by then is stored"

    heard(box)
    begun(box)  # systemd starts it anew at once
    until(lambda: "the supply ends: waiting for it to come back" in box.said("daemon"))
    until(lambda: any("EXTEND_TIMEOUT_USEC" in one for one in heard(box)))
    assert asked(box) is None
    assert not any("/data/" in held for held in opened(box)), "no database is open"
    (box.folder / "ending").write_text("0")
    until(lambda: streams(box))
    back_ns = boottime_ns()
    until(lambda: newest_ns(box) > back_ns)


def opened(box):
    """Files that the daemon has open."""
    held = Path(f"/proc/{box.pid('daemon')}/fd").iterdir()
    return [str(one.readlink()) for one in held if one.is_symlink()]


def heard(box):
    """What systemd has heard since the last time."""
    said = []
    box.ears.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            said.append(box.ears.recv(4096).decode())
    return said
