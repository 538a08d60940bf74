"""Bar (a): SIGKILL at random moments under the full load of a bed, an alarm a second. What was acknowledged must be there.

And how soon a box that was started stores its first sample. Control: acknowledged when offered, before the commit.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from random import Random

from benchmarks import Row
from benchmarks._box import Box
from benchmarks._saying import Lost, lost, marks
from daemon.store.reader import Reader, ask

KILLS, CONTROLS, STARTS = 200, 10, 5
SEED = 5
FRESH_EVERY = 20
"""Kills after which a new store begins: checking one takes longer the more there is in it."""


def rows() -> Iterable[Row]:
    yield from measured(KILLS, CONTROLS, STARTS)


def measured(kills: int, controls: int, starts: int) -> Iterable[Row]:
    note = f"seed {SEED}"
    found = killed(kills, early=False)
    yield Row(f"(a) {kills} x SIGKILL: rows acknowledged", found.acknowledged, "rows", note=note)
    yield Row("(a) acknowledged and missing", found.missing, "rows", "0", found.missing == 0)
    yield Row("(a) samples without log entry, or the reverse", found.orphans, "rows", "0", found.orphans == 0)
    control = killed(controls, early=True)
    share = 100 * control.missing / max(1, control.acknowledged)
    yield Row(
        f"(a) control: acknowledged before the commit, {controls} x",
        control.missing,
        "rows missing",
        "> 0",
        control.missing > 0,
        f"{share:.2g} % of what was acknowledged",
    )
    if starts:
        took = sorted(_first_sample_s() for _ in range(starts))
        yield Row(
            "(a) start to the first stored sample, worst",
            took[-1],
            "s",
            "<= 3",
            took[-1] <= 3,
            f"of {starts}",
        )


def killed(kills: int, *, early: bool, seed: int = SEED) -> Lost:
    """So many kills of a bed at work, and what they cost of what was acknowledged."""
    chance, found = Random(seed), Lost()
    for begun in range(0, kills, FRESH_EVERY):
        with tempfile.TemporaryDirectory() as made:
            folder, acknowledged = Path(made), {}
            for n in range(begun, min(kills, begun + FRESH_EVERY)):
                acknowledged[f"boot-{n}"] = _one(folder, f"boot-{n}", chance.uniform(0.0, 0.5), early=early)
            found += ask(folder / "vitald.db", partial(_all_lost, acknowledged))
    return found


def _all_lost(acknowledged: Mapping[str, tuple[int, int]], reader: Reader) -> Lost:
    found = Lost()
    for boot, (offered, acks) in acknowledged.items():
        found += lost(reader.db, boot, offered, acks)
    return found


def _one(folder: Path, boot: str, after_s: float, *, early: bool) -> tuple[int, int]:
    """Start, kill after some time of work; seconds offered and acknowledged."""
    path = folder / "marks"
    path.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks._saying", str(folder), boot, *(["early"] if early else [])]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while not path.exists() or not path.read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError("the bed did not start")
        time.sleep(0.002)
    time.sleep(after_s)
    process.kill()
    process.wait()
    return marks(path.read_text(encoding="ascii"))


def _first_sample_s() -> float:
    """A whole daemon, with a board that streams when it is asked."""
    with tempfile.TemporaryDirectory() as made:
        box = Box(Path(made))
        try:
            box.start_simulators()
            begun = time.monotonic()
            box.start_daemon()
            while time.monotonic() < begun + 30:
                try:
                    if ask(box.database, lambda r: r.db.execute("SELECT 1 FROM chunks LIMIT 1").fetchone()):
                        break
                except Exception:  # noqa: BLE001 - there is no store yet
                    pass
                time.sleep(0.01)
            return time.monotonic() - begun
        finally:
            box.__exit__()
