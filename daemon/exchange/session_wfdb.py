"""A session as WFDB records (header(5), signal(5), annot(5) of PhysioNet's manual): count for count, beats and rhythms beside.

One record a stream: `<name>.hea`, `.dat`, and `.atr` with the beats of an ECG, its rhythms and the edges of what is missing. A
missing sample is the format's own code for "no sample". Samples are as wide as the device's: 16, 24 or 32 bits.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from daemon.exchange.letters import ascii_of
from daemon.exchange.stretch import MARK, NotExportable, Stretch
from daemon.exchange.waves import Line, Piece, Waves, lines
from daemon.model.signals import Channel, Counts

FORMATS = (16, 24, 32)
"""Each has its lowest number for "no sample"."""

_SKIP, _NOTE, _AUX = 59, 22, 63
_RHYTHM = 28
_BEATS = {"N": 1, "V": 5, "F": 6, "S": 9, "/": 12, "Q": 13}
"""Classes of beats -> codes of annotations (ecgcodes.h); S is SVPB, Q is UNKNOWN."""


class _TooWide(Exception):
    """A sample does not fit; the device said that none would be like that."""


def write_wfdb(stretch: Stretch, folder: Path) -> int:
    """Write the records into `folder` (it is there); the number of samples of all channels. Raises `NotExportable`, OSError."""
    streams = lines(stretch)
    total = 0
    for line in streams:
        name = record_name(stretch, line, alone=len(streams) == 1)
        for bits in [bits for bits in FORMATS if _fits(line.channels, bits)] or [32]:
            waves = Waves(stretch, line)
            try:
                total += _record(waves, folder, name, bits)
            except _TooWide:
                continue
            break
    if not total:
        raise NotExportable("the session has no samples in this span")
    return total


def record_name(stretch: Stretch, line: Line, *, alone: bool) -> str:
    """Letters, digits and underscores, as header(5) wants it."""
    text = (
        stretch.session.name if alone else f"{stretch.session.name}_{stretch.serial(line.device)}_{line.name}"
    )
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)


def _fits(channels: tuple[Channel, ...], bits: int) -> bool:
    most = 2 ** (bits - 1) - 1
    return all(-most <= c.low and c.high <= most for c in channels)


def _record(waves: Waves, folder: Path, name: str, bits: int) -> int:
    channels = len(waves.line.channels)
    sums, values = np.zeros(channels, np.int64), 0
    starts: list[int | None] = [None] * channels
    data = folder / f"{name}.dat"
    with data.open("wb") as file:
        for piece in waves.pieces():
            coded = _coded(piece, bits)
            for k in range(channels):
                if starts[k] is None:
                    starts[k] = int(coded[k, 0])
            sums += coded.sum(axis=1, dtype=np.int64)
            values += int(piece.present.sum()) * channels
            file.write(_bytes(coded, bits))
    if not waves.n:
        data.unlink()
        return 0
    head = _header(waves, name, bits, [start or 0 for start in starts], sums)
    (folder / f"{name}.hea").write_text(head, encoding="ascii", errors="replace")
    marks = sorted(_marks(waves), key=lambda mark: mark[0])
    if marks:
        (folder / f"{name}.atr").write_bytes(coded_marks(marks))
    return values


def _coded(piece: Piece, bits: int) -> Counts:
    """With the code for "no sample" where there is none. Raises `_TooWide`."""
    lowest = -(2 ** (bits - 1))
    there = piece.counts[:, piece.present]
    if bits < 32 and there.size and (there.min() <= lowest or there.max() > -lowest - 1):
        raise _TooWide
    coded = piece.counts.copy()
    coded[:, ~piece.present] = lowest
    return coded


def _bytes(coded: Counts, bits: int) -> bytes:
    flat = np.ascontiguousarray(coded.T).astype("<i2" if bits == 16 else "<i4")
    if bits != 24:
        return flat.tobytes()
    return flat.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def _header(waves: Waves, name: str, bits: int, starts: list[int], sums: npt.NDArray[np.int64]) -> str:
    stretch, line = waves.stretch, waves.line
    began = stretch.at(stretch.t0_ns)
    out = [
        f"{name} {len(line.channels)} {line.rate_hz:.12g} {waves.n} {began:%H:%M:%S}.{began.microsecond // 1000:03d} {began:%d/%m/%Y}"
    ]
    for channel, start, total in zip(line.channels, starts, sums.tolist(), strict=True):
        unit = re.sub(r"\s", "_", channel.unit) or "1"
        baseline = round(channel.offset)
        checksum = (total + 2**15) % 2**16 - 2**15
        width = min(bits, max(math.ceil(math.log2(max(channel.high - channel.low, 1))), 1))
        out.append(
            f"{name}.dat {bits} {1 / channel.gain!r}({baseline})/{unit} {width} 0 {start} {checksum} 0 {channel.name}"
        )
    return "\n".join([*out, *_comments(waves)]) + "\n"


def _comments(waves: Waves) -> Iterator[str]:
    stretch, subject = waves.stretch, waves.stretch.subject
    if stretch.demo:
        yield f"# {MARK}"
    yield f"# time zone: {stretch.at(stretch.t0_ns):%z}"
    if not stretch.session.clock_is_set:
        yield "# the clock of the box was never set: the date is a guess"
    for channel in waves.line.channels:
        if channel.offset != round(channel.offset):
            yield f"# {channel.name}: zero is at {channel.offset!r}, not at its whole number"
    if subject is not None:
        yield f"# age: {subject.age_text or '?'}  sex: {subject.sex or '?'}  id: {subject.id}"
        if subject.name:
            yield f"# name: {ascii_of(subject.name)}"
    for begin_ns, end_ns, cause in waves.gaps:
        yield f"# missing {(begin_ns - stretch.t0_ns) / 1e9:.3f} s to {(end_ns - stretch.t0_ns) / 1e9:.3f} s: {cause}"


def _marks(waves: Waves) -> Iterator[tuple[int, int, str]]:
    """(sample, code, text) of beats, rhythms and gaps."""
    stretch, rate_hz = waves.stretch, waves.line.rate_hz
    if waves.line.is_ecg:
        for beat in stretch.beats():
            at = waves.sample(beat.segment, beat.sample)
            if at is not None and 0 <= at < waves.n:
                yield at, _BEATS.get(beat.label, 13), ""
        for event in stretch.events(["rhythm"]):
            label = str(event.body.get("label"))
            if event.body.get("end_ns") is None:
                yield _at(stretch, event.t_ns, rate_hz, waves.n), _RHYTHM, f"({label}"
    for begin_ns, _, cause in waves.gaps:
        yield _at(stretch, begin_ns, rate_hz, waves.n), _NOTE, f"missing: {cause}"


def _at(stretch: Stretch, t_ns: int, rate_hz: float, n: int) -> int:
    return min(max(round((t_ns - stretch.t0_ns) / 1e9 * rate_hz), 0), n - 1)


def coded_marks(marks: list[tuple[int, int, str]]) -> bytes:
    """The annotations, in order of their samples, in the MIT format: 6 bits of code, 10 of time since the one before."""
    out = bytearray()
    before = 0
    for at, code, text in marks:
        step = at - before
        if step > 1023:
            high, low = step >> 16, step & 0xFFFF
            out += struct.pack("<HHH", _SKIP << 10, high, low)
            step = 0
        out += struct.pack("<H", code << 10 | step)
        if text:
            coded = text.encode("ascii", "replace")[:255]
            out += struct.pack("<H", _AUX << 10 | len(coded)) + coded + b"\0" * (len(coded) % 2)
        before = at
    return bytes(out) + b"\0\0"
