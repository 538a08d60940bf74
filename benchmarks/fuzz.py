"""Ten million bytes that nobody meant, through every decoder: how fast, what it raises, what it keeps.

Valid frames with bits turned, bytes lost and doubled and pieces put in; noise; text; the first half of a frame over and
over. The board is opened, and asked what it wants to send, as the daemon does it. One core, no other thread.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterable, Iterator
from types import FunctionType, ModuleType

import numpy as np

from benchmarks import Row
from benchmarks.decode import FIRST, MAKERS, OPTIONS
from firmware_bridge.boards import BOARDS
from firmware_bridge.frames import Damage, Frame, Samples

BYTES = 10_000_000
PIECE = 4096
MOST_KEPT = 65_536  # bytes a decoder may hold more at the end than after its first twentieth
NS = 1_000_000_000


def pieces(kind: str, total: int, seed: int = 1) -> Iterator[bytes]:
    """`total` bytes in pieces of every kind of harm, the same for the same seed."""
    rng = np.random.default_rng(seed)
    make = MAKERS[kind]
    valid = b"".join(make(n, rng) for n in range(1, 1 + 2 * PIECE // len(make(1, rng))))
    done = n = 0
    while done < total:
        piece = _piece(n % 6, valid, rng)[: total - done]
        done += len(piece)
        n += 1
        yield piece


def _piece(which: int, valid: bytes, rng: np.random.Generator) -> bytes:
    begin = int(rng.integers(len(valid) - PIECE + 1))
    match which:
        case 0:
            return rng.bytes(PIECE)
        case 1:
            return bytes(rng.integers(0x20, 0x7F, PIECE, np.uint8))
        case 2:
            head = valid[: max(2, int(rng.integers(2, 40)))]
            return (head * (PIECE // len(head) + 1))[:PIECE]
    data = np.frombuffer(valid[begin : begin + PIECE], np.uint8).copy()
    hits = rng.integers(0, PIECE, int(rng.integers(1, 200)))
    if which == 3:
        data[hits] ^= np.uint8(1) << rng.integers(0, 8, len(hits), np.uint8)
    elif which == 4:
        data = np.delete(data, hits)
    else:
        data = np.insert(data, hits, rng.integers(0, 256, len(hits), np.uint8))
    return data.tobytes()


def deep_size(root: object) -> int:
    """Bytes reachable from an object, without code."""
    seen: set[int] = set()
    todo, total = [root], 0
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, type | ModuleType | FunctionType):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        todo += gc.get_referents(thing)
    return total


def broken(frames: list[Frame]) -> int:
    """How many frames do not keep what frames.py promises.

    Streams may change in the midst of a piece (a MEDIBUS configuration), so rows are not held against the facts here.
    """
    wrong = 0
    for frame in frames:
        if isinstance(frame, Samples):
            shape = frame.counts.shape
            wrong += frame.counts.dtype != np.int32 or min(shape) < 1 or frame.lost < 0
        elif isinstance(frame, Damage):
            wrong += frame.byte_count < 1
    return wrong


def through(kind: str, total: int) -> tuple[float, int, int]:
    """(seconds of CPU time for `total` bytes, what went wrong, bytes kept more at the end)."""
    board = BOARDS[kind].board(OPTIONS.get(kind, {}))
    board.opened(0)
    board.feed(FIRST.get(kind, b""), 0)
    line = BOARDS[kind].FACTS.line_bytes_per_second
    spent, wrong, done, early = 0.0, 0, 0, 0
    for piece in pieces(kind, total):
        done += len(piece)
        now_ns = done * NS // line
        begin = time.process_time()
        try:
            frames = board.feed(piece, now_ns)
            board.due(now_ns)
        except Exception:  # noqa: BLE001 - whatever it is, it is what is counted here
            frames, wrong = [], wrong + 1
        spent += time.process_time() - begin
        wrong += broken(frames)
        if not early and done >= total // 20:
            early = deep_size(board)
    return spent, wrong, deep_size(board) - early


def rows() -> Iterable[Row]:
    """A row for each decoder, and at the end one for all of them."""
    wrong_in_all, most_kept, slowest = 0, 0, float("inf")
    for kind in BOARDS:
        spent, wrong, kept = through(kind, BYTES)
        wrong_in_all, most_kept = wrong_in_all + wrong, max(most_kept, kept)
        line = BOARDS[kind].FACTS.line_bytes_per_second
        note = f"{BYTES / spent / 1e6:.2f} MB/s, line {line} B/s; wrong or raised: {wrong}; kept more: {kept} bytes"
        met = wrong == 0 and kept < MOST_KEPT and BYTES / spent > line
        slowest = min(slowest, BYTES / spent / line)
        yield Row(
            f"fuzz {kind}, {BYTES / 1e6:.0f} million bytes",
            BYTES / spent / line,
            "x line rate",
            "> 1",
            met,
            note,
        )
    met = wrong_in_all == 0 and most_kept < MOST_KEPT and slowest > 1
    note = f"wrong or raised: {wrong_in_all}; kept more, at most: {most_kept} bytes"
    yield Row(f"fuzz, all {len(BOARDS)} decoders: the slowest", slowest, "x line rate", "> 1", met, note)
