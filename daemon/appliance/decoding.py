"""What raw bytes mean, frame by frame, by the very machine that runs at the bed (firmware_bridge/boards).

Bytes are fed one by one, so that the place at which a frame is complete is known; in long files a few at a time. What was heard is
decoded as it was: nothing is asked of a device that is not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from daemon.appliance.capture import Capture
from firmware_bridge.boards import BOARDS
from firmware_bridge.frames import (
    Damage,
    Frame,
    Identity,
    Leads,
    Number,
    Progress,
    Reply,
    Samples,
    Settings,
    Status,
)
from firmware_bridge.probe import HEARD_BYTES, PROVED

ONE_BY_ONE = 300_000
"""Bytes up to which every byte is fed alone; beyond, 32 at a time."""

STEP_NS = 20_000_000
BITS_A_BYTE = 10

LEADS_NS = (0, 1_000_000_000, 5_000_000_000, 20_000_000_000)
STRETCHES = (1, 10)
"""How long the machine may have waited before the first byte, and, where times are not known, how far apart bytes may have come: a
dialogue that is met in its middle is understood after the machine has given up asking. The pace that explains most is taken."""

TRIED_BYTES = 20_000


@dataclass(frozen=True, slots=True)
class Meaning:
    """One frame: the bytes `first` .. `last` (beyond) that had come since the frame before it, and what it means.

    `what` is samples, leads, identity, number, status, settings, reply or damage.
    """

    first: int
    last: int
    t_ns: int
    what: str
    text: str
    values: Mapping[str, object] = field(default_factory=dict)


def board_of(capture: Capture) -> list[tuple[float, str]]:
    """Kinds of boards whose bytes these may be, the likeliest first, by how sure each is (0 .. 1); `PROVED` is enough."""
    data = b"".join(piece for _, piece in capture.arrivals)
    pieces = {data[:HEARD_BYTES], data[-HEARD_BYTES:], data[len(data) // 2 :][:HEARD_BYTES]}
    sure = [(max(kind.recognise(piece) for piece in pieces), name) for name, kind in BOARDS.items()]
    return sorted((one for one in sure if one[0] > 0), reverse=True)


def decode(capture: Capture, kind: str, options: Mapping[str, str] | None = None) -> Iterator[Meaning]:
    """Every frame, in the order of the bytes. KeyError for an unknown kind, ValueError for a wrong option."""
    total = sum(len(piece) for _, piece in capture.arrivals)
    step = 1 if total <= ONE_BY_ONE else 32
    pace = _pace(capture, kind, options or {})
    first = last = 0
    for frame, at, t_ns in _fed(capture, kind, options or {}, pace, step):
        if at != last:
            first, last = last, at
        yield meaning(frame, first, at, t_ns)
    if last < total:
        text = f"{total - last} bytes at the end complete no frame"
        yield Meaning(last, total, 0, "rest", text, {"bytes": total - last})


def _pace(capture: Capture, kind: str, options: Mapping[str, str]) -> tuple[int, int]:
    """Lead and stretch by which the beginning of a capture gives most sense."""
    begun, left = [], TRIED_BYTES
    for t_ns, piece in capture.arrivals:
        begun.append((t_ns, piece[:left]))
        left -= len(piece)
        if left <= 0:
            break
    tried = Capture(capture.about, tuple(begun))
    stretches = (1,) if capture.about else STRETCHES
    paces = [(lead_ns, stretch) for stretch in stretches for lead_ns in LEADS_NS]
    return max(paces, key=lambda pace: _sense(tried, kind, options, pace))


def _sense(capture: Capture, kind: str, options: Mapping[str, str], pace: tuple[int, int]) -> int:
    """Of what says something, less bytes that say nothing."""
    sense = 0
    for frame, _, _ in _fed(capture, kind, options, pace, 64):
        if isinstance(frame, Damage):
            sense -= frame.byte_count
        elif isinstance(frame, Samples):
            sense += 4 * int(frame.counts.size)
        elif not isinstance(frame, Leads | Settings):
            sense += 4
    return sense


def _fed(
    capture: Capture, kind: str, options: Mapping[str, str], pace: tuple[int, int], step: int
) -> Iterator[tuple[Frame, int, int]]:
    """Frames, each with the place behind its last byte and the time of that."""
    board = BOARDS[kind].board(options)
    lead_ns, stretch = pace
    byte_ns = stretch * BITS_A_BYTE * 1e9 / board.facts.port.baud
    board.opened(0)
    at = due_ns = 0
    for arrived_ns, piece in capture.arrivals:
        for begin in range(0, len(piece), step):
            part = piece[begin : begin + step]
            at += len(part)
            t_ns = arrived_ns if capture.about else round(at * byte_ns)
            while due_ns <= t_ns + lead_ns:
                board.due(due_ns)  # what it would say now: the machine goes on, and nobody hears it
                due_ns += STEP_NS
            for frame in board.feed(part, t_ns + lead_ns):
                yield frame, at, t_ns


def meaning(frame: Frame, first: int, last: int, t_ns: int) -> Meaning:
    """A frame in words."""
    what, text, values = _said(frame)
    return Meaning(first, last, t_ns, what, text, values)


def count(counts: Counter[str], one: Meaning) -> None:
    """How many frames of each kind there are; of samples n and lost, and the damaged bytes."""
    counts[one.what] += 1
    for name in ("damaged_bytes", "n", "lost"):
        value = one.values.get(name, 0)
        counts[f"samples_{name}" if name != "damaged_bytes" else name] += (
            value if isinstance(value, int) else 0
        )


def _said(frame: Frame) -> tuple[str, str, dict[str, object]]:
    match frame:
        case Samples():
            n = int(frame.counts.shape[1])
            last = np.asarray(frame.counts[:, -1]).tolist()
            lost = f", {frame.lost} lost before" if frame.lost else ""
            text = f"{frame.stream}: {n} samples of {len(last)} channels{lost}; last {last}"
            return "samples", text, {"stream": frame.stream, "n": n, "lost": frame.lost, "last": last}
        case Leads():
            off = [name for name, attached in frame.attached if not attached]
            return "leads", f"off: {', '.join(off)}" if off else "all attached", {"off": off}
        case Identity():
            told = {
                "kind": frame.kind,
                "serial": frame.serial,
                "firmware": frame.firmware,
                "model": frame.model,
            }
            return "identity", " ".join(value for value in told.values() if value), dict(told)
        case Number():
            shown = "--" if frame.value is None else f"{frame.value:g}"
            told_: dict[str, object] = {"name": frame.name, "value": frame.value, "unit": frame.unit}
            return "number", f"{frame.name} {shown} {frame.unit}".rstrip(), told_
        case Status():
            return "status", f"{frame.name} {frame.text!r}", {"name": frame.name, "text": frame.text}
        case Settings():
            pairs = dict(frame.values)
            return "settings", ", ".join(f"{k} {v}" for k, v in pairs.items()), dict(pairs)
        case Reply():
            ok = "done" if frame.ok else "refused"
            return (
                "reply",
                f"{frame.request} {ok} {frame.text}".rstrip(),
                {"request": frame.request, "ok": frame.ok},
            )
        case Progress():
            told_p: dict[str, object] = {"done": frame.done, "whole": frame.whole}
            return "progress", f"{frame.done} of {frame.whole} bytes", told_p
        case Damage():
            told_d: dict[str, object] = {"damaged_bytes": frame.byte_count, "reason": frame.reason}
            return "damage", f"{frame.byte_count} bytes are no frame ({frame.reason})", told_d


def is_proved(sure: float) -> bool:
    """Whether a board may be taken for granted."""
    return sure >= PROVED
