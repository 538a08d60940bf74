"""Bar (b): 500 power cuts at random moments of a bed at work. What was acknowledged is there, and the file is whole.

The bed's own process is recorded (see _powercut.py); controls: SQLite with synchronous OFF and NORMAL, which must lose. Files of
reports come with a later issue, and their directory entries with them. Cuts on a real card are for the release.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

from benchmarks import Row
from benchmarks._powercut import Op, compiled, cuts, recorded
from benchmarks._saying import Lost, lost, marks

CUTS, CONTROLS, SECONDS = 500, 60, 120
SEED = 11
BOOT = "boot-0"


def rows() -> Iterable[Row]:
    yield from measured(CUTS, CONTROLS, SECONDS)


def measured(most: int, controls: int, seconds: int) -> Iterable[Row]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        try:
            library = compiled(folder)
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            print(
                f"forward_powercut: nothing was measured, the recorder cannot be compiled: {error}",
                file=sys.stderr,
            )
            return
        full = _cut(folder / "full", library, 2, most, seconds)
        normal = _cut(folder / "normal", library, 1, controls, seconds)
        off = _cut(folder / "off", library, 0, controls, seconds)
    rows_ = sum(one.acknowledged for one in full)
    missing, unreadable = sum(one.missing for one in full), sum(one.unreadable for one in full)
    worst = max(one.offered_s for one in full)
    yield Row(f"(b) {most} power cuts: rows acknowledged", rows_, "rows", note=f"seed {SEED}")
    yield Row("(b) acknowledged and lost", missing, "rows", "0", missing == 0)
    yield Row(
        "(b) samples without log entry, or the reverse",
        sum(one.orphans for one in full),
        "rows",
        "0",
        not any(one.orphans for one in full),
    )
    yield Row("(b) seconds offered and not stored, worst", worst, "s", "<= 1", worst <= 1)
    yield Row("(b) files unreadable or not whole", unreadable, "files", "0", unreadable == 0)
    for name, found, share in (("OFF", off, 50), ("NORMAL", normal, 25)):
        losing = 100 * sum(1 for one in found if one.missing or one.unreadable) / len(found)
        note = f"{sum(one.missing for one in found)} rows, {sum(one.unreadable for one in found)} unreadable"
        yield Row(
            f"(b) control: synchronous {name}, cuts that lose",
            losing,
            "%",
            f"> {share}",
            losing > share,
            note,
        )


def _cut(folder: Path, library: Path, synchronous: int, most: int, seconds: int) -> list[Lost]:
    live = folder / "live"
    live.mkdir(parents=True)
    options = (f"synchronous={synchronous}", f"seconds={seconds}")
    ops = recorded(library, live, folder / "journal", "benchmarks._saying", str(live), BOOT, *options)
    chance, found = Random(SEED), []
    for _, files in cuts(ops, _places(ops, most, chance), chance):
        image = folder / "image"
        shutil.rmtree(image, ignore_errors=True)
        image.mkdir()
        said = marks(_marks(ops, _))
        for name, data in files.items():
            (image / Path(name).name).write_bytes(data)
        found.append(_judged(image / "vitald.db", *said))
    return found


def _places(ops: Sequence[Op], most: int, chance: Random) -> list[int]:
    """Moments after the bed was ready, each before a random operation."""
    ready = next(op.at for op in ops if op.what == "w" and op.data == b"ready\n")
    return sorted(chance.sample([op.at for op in ops if op.at > ready], most))


def _marks(ops: Sequence[Op], place: int) -> str:
    """What the bed had said by then, in words: nobody's disk, but what whoever watched has seen."""
    said = [op.data for op in ops if op.at < place and op.what == "w" and op.data[:2] in {b"o ", b"a "}]
    return b"".join(one for one in said if len(one) < 16).decode()


def _judged(path: Path, offered: int, acknowledged: int) -> Lost:
    db = sqlite3.connect(path, isolation_level=None)
    try:
        if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            return Lost(3 * acknowledged, 3 * acknowledged, unreadable=True)
        return lost(db, BOOT, offered, acknowledged)
    except sqlite3.DatabaseError:
        return Lost(3 * acknowledged, 3 * acknowledged, unreadable=True)
    finally:
        db.close()
