"""Power cuts of a virtual machine's disk, out of the log of its writes (qemu's blklogwrites, the format of dm-log-writes).

A cut before an entry: all that was written before the last flush that the guest has asked for is on the disk, and what it forced through
(FUA). Of the writes since, each is there or is not, by chance, and one of them in part, as a disk does that loses its supply with its cache.
One run gives as many cuts as are asked for, at any of its writes. A write that was on its way when a flush was asked for counts as flushed.
"""

from __future__ import annotations

import struct
import subprocess
from bisect import bisect_left
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

MAGIC = 0x6A736677736872
SECTOR = 512
FLUSH, FUA, DISCARD = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Entry:
    """`sector`, `sectors` of the disk; `at`, where its data is in the log; `end`, where the entry ends there."""

    sector: int
    sectors: int
    flags: int
    at: int
    end: int


def entries(log: Path) -> list[Entry]:
    """All whole entries of a log; its end may be cut off."""
    found, size = [], log.stat().st_size
    with log.open("rb") as file:
        magic, _version, _count, sector = struct.unpack("<QQQI", file.read(28))
        if (magic, sector) != (MAGIC, SECTOR):
            raise ValueError(f"{log} is no log of writes")
        place = SECTOR
        while place + SECTOR <= size:
            file.seek(place)
            start, count, flags, _ = struct.unpack("<QQQQ", file.read(32))
            data = 0 if flags & DISCARD else count * SECTOR
            end = place + SECTOR + data
            if end > size or (not count and not flags):
                break
            found.append(Entry(start, count, flags, place + SECTOR, end))
            place = end
    return found


def within(listed: list[Entry], start: int, sectors: int) -> list[Entry]:
    """The writes of one partition, counted from its beginning; flushes are those of the whole disk."""
    return [
        replace(entry, sector=entry.sector - start if entry.sectors else 0)
        for entry in listed
        if not entry.sectors or start <= entry.sector < start + sectors
    ]


def cut(
    base: Path, log: Path, listed: list[Entry], place: int, chance: Random, to: Path, *, lies: int = 0
) -> tuple[int, int]:
    """The disk as it is after a cut before entry `place`; how many writes were not flushed, and how many of them are lost.

    `lies`: a disk that keeps so many entries to itself whatever it is asked, for a control.
    """
    to.unlink(missing_ok=True)
    subprocess.run(["cp", "--sparse=always", str(base), str(to)], check=True)
    flushed = max((i for i in range(place - lies) if listed[i].flags & FLUSH), default=-1)
    loose = lost = 0
    with log.open("rb") as source, to.open("r+b") as disk:
        for i, entry in enumerate(listed[:place]):
            if not entry.sectors or entry.flags & DISCARD:
                continue
            keep = entry.sectors
            if i > flushed and (lies or not entry.flags & FUA):
                loose += 1
                if chance.random() < 0.5:
                    lost += 1
                    keep = chance.randrange(entry.sectors) if chance.random() < 0.2 else 0
            source.seek(entry.at)
            disk.seek(entry.sector * SECTOR)
            disk.write(source.read(keep * SECTOR))
    return loose, lost


def places(listed: list[Entry], count: int, chance: Random, first: int, last: int) -> list[int]:
    """Moments between two places in the log's file (bytes), each before a write."""
    ends = [entry.end for entry in listed]
    low, high = bisect_left(ends, first), bisect_left(ends, last)
    writes = [i for i in range(low, high) if listed[i].sectors]
    return sorted(chance.sample(writes, min(count, len(writes))))


def acknowledged(acks: list[tuple[int, dict]], listed: list[Entry], place: int) -> dict:
    """The last acknowledgement that the host had before the cut; empty where there was none."""
    at = listed[place].at - SECTOR
    before = [told for size, told in acks if size <= at]
    return before[-1] if before else {}


def described(listed: list[Entry], first: int, last: int) -> str:
    """A line on what was recorded between two places in the log's file, for whoever reads the figures."""
    here = [entry for entry in listed if first <= entry.at <= last]
    flushes = sum(1 for entry in here if entry.flags & FLUSH)
    writes = sum(1 for entry in here if entry.sectors)
    return f"{writes} writes, {flushes} flushes, {sum(entry.sectors for entry in here) * SECTOR / 1e6:.0f} MB"
