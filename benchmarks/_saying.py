"""A bed that says all it can to a store, in a process that is to be killed; and what must be in the store afterwards.

    python -m benchmarks._saying FOLDER BOOT [early] [synchronous=N]

Each second of 12 leads (8 channels), its numbers and an alarm is one offer. Into FOLDER/marks goes `o N` before the N-th is offered
and `a N` when it is acknowledged; with `early` that is said before the commit: the control. `synchronous` is SQLite's.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks._backlog import RATE, SECOND_NS, Bedside
from daemon.model.outgoing import Lane
from daemon.store import connection
from daemon.store.places import PLACES


async def say(folder: Path, boot: str, *, early: bool, seconds: int) -> None:
    """Until killed, or for so many seconds."""
    marks = os.open(folder / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    bed = Bedside(folder / "vitald.db", boot=boot)
    await bed.writer.start()
    os.write(marks, b"ready\n")
    while bed.seconds < seconds:
        n = bed.seconds
        os.write(marks, b"o %d\n" % n)
        await bed.second(alarms=1, wait=not early)
        os.write(marks, b"a %d\n" % n)
        if early:  # about as fast as the disk, so that what is lost is not only for want of time
            await asyncio.sleep(0.002)
    await bed.writer.stop()


@dataclass
class Lost:
    """What is missing of what was acknowledged; rows of samples and of the log that do not belong together; seconds offered and not stored."""

    acknowledged: int = 0
    missing: int = 0
    orphans: int = 0
    offered_s: float = 0.0
    unreadable: bool = False

    def __iadd__(self, other: Lost) -> Self:
        self.acknowledged += other.acknowledged
        self.missing += other.missing
        self.orphans += other.orphans
        self.offered_s = max(self.offered_s, other.offered_s)
        return self


def lost(db: sqlite3.Connection, boot: str, offered: int, acknowledged: int) -> Lost:
    """Of one boot: seconds 0 .. `acknowledged` - 1 must be there, with samples, numbers and alarm."""
    found = Lost(acknowledged=3 * acknowledged)
    key = db.execute("SELECT id FROM boots WHERE boot = ?", (boot,)).fetchone()
    segment = db.execute("SELECT id FROM segments WHERE uuid = ?", (f"segment-{boot}",)).fetchone()
    if key is None or (segment is None and acknowledged):
        return Lost(3 * acknowledged, 3 * acknowledged, 0, float(offered))
    for lane, message in ((Lane.METRICS, "ecg.metrics/1"), (Lane.ALARMS, "box.alarm/1")):
        there = db.execute(
            "SELECT t_ns FROM outbox WHERE boot = ? AND lane = ? AND message = ?", (*key, int(lane), message)
        )
        seconds = {t_ns // SECOND_NS - 1 for (t_ns,) in there}
        found.missing += len(set(range(acknowledged)) - seconds)
    stored, chunks = 0, []
    if segment is not None:
        first = segment[0] * PLACES
        chunks = db.execute(
            "SELECT place, n FROM chunks WHERE place >= ? AND place < ? ORDER BY place",
            (first, first + PLACES),
        ).fetchall()
        for place, n in chunks:
            if place - first != stored:
                break
            stored += n
    found.missing += max(0, acknowledged - stored // RATE)
    found.offered_s = max(0.0, offered - stored / RATE)
    log = db.execute("SELECT place FROM outbox WHERE boot = ? AND lane = ?", (*key, int(Lane.WAVEFORM)))
    found.orphans = len({place for (place,) in log} ^ {place for place, _ in chunks})
    return found


def marks(text: str) -> tuple[int, int]:
    """How many seconds were offered and acknowledged by the end of these marks."""
    lines = [line.split() for line in text.splitlines() if line[:2] in {"o ", "a "}]
    offered = sum(1 for kind, _ in lines if kind == "o")
    return offered, sum(1 for kind, _ in lines if kind == "a")


def main(folder: str, boot: str, *options: str) -> None:
    seconds = 1 << 30
    for option in options:
        name, _, value = option.partition("=")
        if name == "synchronous":
            changed: Any = tuple((k, int(value) if k == name else v) for k, v in connection.WRITING)
            connection.WRITING = changed
        elif name == "seconds":
            seconds = int(value)
    asyncio.run(say(Path(folder), boot, early="early" in options, seconds=seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
