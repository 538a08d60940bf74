"""Bar (e): another program takes the last byte of the disk while a bed records and alarms. On a small file system of its own.

Seconds of the bed come ten times as fast as at a bed; the clock is the machine's. Control: no ballast. Needs leave to mount a tmpfs.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import Row
from benchmarks._backlog import DEVICE, RATE, SECOND_NS, STREAM, alarm, ecg
from benchmarks._box import boottime_ns
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import Fact, FactState, SampleBlock, Segment, Tick
from daemon.store import outbox, ranges
from daemon.store.reader import ask
from daemon.store.retention import Quota
from daemon.store.writer import Saved, Writer

MB = 1 << 20
DISK_MB, BALLAST_MB, KEEP_FREE_MB = 64, 24, 2
BEFORE, FULL, AFTER = 60, 120, 60
PACE_S = 0.1
BOOT = "boot-full"
ALWAYS = (BOOT, -(2**62), 2**62)


@dataclass
class Seen:
    """`stored_full`: of `said_full` alarms said while the disk was full, those on it before it was freed."""

    said_full: int = 0
    stored_full: int = 0
    said: int = 0
    stored: int = 0
    unexplained: int = 0
    normal_s: float = 0.0
    facts: list[Fact] = field(default_factory=list)


def rows() -> Iterable[Row]:
    try:
        seen, control = (asyncio.run(filled(mb)) for mb in (BALLAST_MB, 0))
    except PermissionError as error:
        print(f"forward_full_disk: nothing was measured: {error}", file=sys.stderr)
        return
    share = 100 * seen.stored_full / seen.said_full
    yield Row(
        "(e) alarms said on a full disk and stored on it",
        share,
        "%",
        "100",
        share == 100,
        f"{seen.said_full}",
    )
    yield Row(
        "(e) alarms missing in the end", seen.said - seen.stored, "alarms", "0", seen.said == seen.stored
    )
    yield Row(
        "(e) samples gone without being said so", seen.unexplained, "ranges", "0", seen.unexplained == 0
    )
    yield Row(
        "(e) normal again after room came back",
        seen.normal_s,
        "s",
        "<= 10",
        seen.normal_s <= 10,
        "no restart",
    )
    share = 100 * control.stored_full / control.said_full
    yield Row("(e) control: no ballast, stored on the full disk", share, "%", "< 100", share < 100)


async def filled(ballast_mb: int) -> Seen:
    with tempfile.TemporaryDirectory() as made, small_disk(Path(made)) as folder:
        return await _Ward(folder, ballast_mb).run()


class _Ward:
    """A bed in that folder."""

    def __init__(self, folder: Path, ballast_mb: int) -> None:
        self._folder = folder
        self._path = folder / "vitald.db"
        self._seen = Seen()
        self._saved = 0
        self._news = asyncio.Event()
        self._counts = ecg(60)
        self._segment = Segment("segment-full", "1", STREAM, BOOT, 1, 0)
        self._second = 0
        self._offers: list[int] = []
        self._writer = Writer(
            self._path,
            boot=BOOT,
            now=boottime_ns,
            utc_offset_ns=0,
            commit_every_s=PACE_S,
            on_saved=self._hear,
            on_fact=self._seen.facts.append,
            quota=Quota(10**12, 10**12, KEEP_FREE_MB * MB, ballast_mb * MB),
        )

    def _hear(self, saved: Saved) -> None:
        self._saved = saved.seq
        self._news.set()

    async def run(self) -> Seen:
        seen = self._seen
        await self._writer.start()
        await self._seconds(BEFORE)
        await self._until(self._offers[-1], 20)
        greedy = take_all(self._folder)
        before = self._second
        await self._seconds(FULL)
        await self._until(self._offers[-1], 5)
        stored = self._stored()
        seen.said_full = self._second - before
        seen.stored_full = sum(1 for n in range(before, self._second) if n in stored)
        greedy.unlink()
        freed = time.monotonic()
        going = asyncio.create_task(self._seconds(AFTER))
        await self._until(self._offers[-1], 30)
        while not going.done() and self._troubled():
            await asyncio.sleep(0.02)
        seen.normal_s = time.monotonic() - freed
        await going
        await self._writer.stop(20)
        seen.said, seen.stored = self._second, len(self._stored())
        (segment,) = ask(self._path, lambda r: r.segments(*ALWAYS))
        seen.unexplained = len(ask(self._path, lambda r: ranges.unexplained(r, segment)))
        return seen

    def _troubled(self) -> bool:
        newest = {fact.source: fact.state for fact in self._seen.facts}
        return FactState.FAILED in newest.values()

    async def _seconds(self, n: int) -> None:
        for _ in range(n):
            self._say()
            await asyncio.sleep(PACE_S)

    def _say(self) -> None:
        n, t_ns = self._second, self._second * SECOND_NS
        at = n % 60 * RATE
        block = SampleBlock(
            self._segment, n * RATE, t_ns, 2e6, self._counts[:, at : at + RATE], t_ns + SECOND_NS
        )
        self._writer.offer("1", block)
        told = Outgoing(t_ns, Lane.ALARMS, "box.alarm/1", DEVICE, alarm(n, t_ns))
        self._offers.append(self._writer.offer("1", Tick(t_ns + SECOND_NS), outgoing=[told]))
        self._second += 1

    async def _until(self, offer: int, within_s: float) -> None:
        """Until it is on the disk, or the time is over: a disk without ballast takes nothing."""
        try:
            async with asyncio.timeout(within_s):
                while self._saved < offer:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass

    def _stored(self) -> set[int]:
        found = ask(self._path, lambda r: outbox.outgoing(r, Lane.ALARMS, 0, 2**62, 10**6))
        return {row.t_ns // SECOND_NS for row in found}


def take_all(folder: Path) -> Path:
    """Take all the room there is, to the last byte."""
    greedy = folder / "greedy"
    with greedy.open("ab", buffering=0) as file:
        for size in (MB, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return greedy


@contextmanager
def small_disk(parent: Path, megabytes: int = DISK_MB, name: str = "disk", inodes: int = 0) -> Iterator[Path]:
    """A file system of so many megabytes, and files (0: any number). Raises PermissionError where none can be mounted."""
    folder = parent / name
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,nr_inodes={inodes}", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        raise PermissionError(mounted.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
