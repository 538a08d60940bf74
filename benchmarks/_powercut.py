"""A power cut without pulling a plug: what a process did to its files is recorded, and played again up to any moment.

At the cut every write that no sync has covered survives wholly, in part by sectors of 512 bytes, or not at all, whatever came after
it. Directory entries are taken to be durable. The model is that of Pillai et al., All File Systems Are Not Created Equal
(OSDI 2014), without reordering across files made worse than a disk does.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

SOURCE = Path(__file__).with_name("_recorder.c")
SECTOR = 512

_ENTRY = struct.Struct("<B3xiqq")


@dataclass(frozen=True, slots=True)
class Op:
    """One entry of the journal; `at` is its place there. See _recorder.c."""

    at: int
    what: str
    fd: int
    offset: int
    data: bytes


@dataclass
class File:
    """What is on the disk of a file for good, and what may be: (place in the journal, offset, data), data None = a truncation."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, int, bytes | None]] = field(default_factory=list)

    def sync(self, began: int) -> None:
        """What was written before `began` is there for good."""
        rest = []
        for one in self.pending:
            if one[0] < began:
                _put(self.durable, one[1], one[2])
            else:
                rest.append(one)
        self.pending = rest

    def after_cut(self, chance: Random) -> bytes:
        """What the disk holds when the power is back."""
        image = bytearray(self.durable)
        for _, offset, data in self.pending:
            fate = chance.randrange(3)
            if fate == 0:
                continue
            if data is None or fate == 1:
                _put(image, offset, data)
                continue
            for start in range(0, len(data), SECTOR):
                if chance.random() < 0.5:
                    _put(image, offset + start, data[start : start + SECTOR])
        return bytes(image)


def _put(image: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del image[offset:]
        image.extend(bytes(offset - len(image)))
        return
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    image[offset : offset + len(data)] = data


def compiled(folder: Path) -> Path:
    """The recorder as a library. Raises FileNotFoundError where there is no C compiler."""
    library = folder / "recorder.so"
    command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl", "-lpthread"]
    subprocess.run(command, check=True, capture_output=True)
    return library


def recorded(library: Path, folder: Path, journal: Path, *command: str) -> list[Op]:
    """What a Python module with arguments does to the files of `folder` until it ends."""
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "RECORD_FOLDER": f"{folder}/",
        "RECORD_TO": str(journal),
    }
    subprocess.run([sys.executable, "-m", *command], check=True, env=environment)
    return list(_read(journal.read_bytes()))


def _read(journal: bytes) -> Iterator[Op]:
    at = 0
    while at < len(journal):
        what, fd, offset, size = _ENTRY.unpack_from(journal, at)
        begin = at + _ENTRY.size
        yield Op(at, chr(what), fd, offset, journal[begin : begin + size])
        at = begin + size


def cuts(ops: Sequence[Op], places: Sequence[int], chance: Random) -> Iterator[tuple[int, dict[str, bytes]]]:
    """For each place in the journal (ascending) the files of the disk after a cut right before it, by path."""
    files: dict[str, File] = {}
    names: dict[int, str] = {}
    starts = [op.at for op in ops]
    done = 0
    for place in places:
        for op in ops[done : bisect_left(starts, place)]:
            _apply(op, files, names)
        done = max(done, bisect_left(starts, place))
        yield place, {name: file.after_cut(chance) for name, file in files.items()}


def _apply(op: Op, files: dict[str, File], names: dict[int, str]) -> None:
    if op.what == "o":
        name = names[op.fd] = op.data.decode()
        file = files.setdefault(name, File())
        if op.offset == 0:
            file.pending.append((op.at, 0, None))
    elif op.what == "u":
        files.pop(op.data.decode(), None)
    elif op.what == "c":
        names.pop(op.fd, None)
    elif names.get(op.fd) in files:
        file = files[names[op.fd]]
        if op.what == "w":
            file.pending.append((op.at, op.offset, op.data))
        elif op.what == "t":
            file.pending.append((op.at, op.offset, None))
        else:
            file.sync(op.offset)
