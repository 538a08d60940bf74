"""WFDB records (PhysioNet), through the `wfdb` package: an extra, because it brings pandas and matplotlib with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from firmware_bridge.frames import Channel, Counts, Quantity
from firmware_bridge.recordings import (
    BadRecording,
    Recording,
    distinct,
    in_millivolts,
    lead_name,
    one_line,
    quantity_of,
    same_rate,
)

BLOCK = (
    1 << 16
)  # frames read at a time: a record is asked for in small steps, and each step of wfdb costs 1 ms

# A format's range, and whether its lowest value means "no sample" (all two's complement formats but 8 and 16-bit 61's).
BITS = {"8": 8, "16": 16, "24": 24, "32": 32, "61": 16, "80": 8, "160": 16, "212": 12, "310": 10, "311": 10}
BITS |= {"508": 8, "516": 16, "524": 24}
WITHOUT_INVALID = frozenset({"8"})


def read(record: Path) -> Recording:
    """Open a record by its path without suffix. Local files only. Raises BadRecording."""
    try:
        import wfdb
    except ImportError:
        raise BadRecording(
            f"{record}: reading WFDB records needs the extra: pip install 'vitald[wfdb]'"
        ) from None
    try:
        return _opened(record, wfdb.rdheader(str(record)))
    except BadRecording:
        raise
    except Exception as error:  # a line that it cannot use gives it any error, or holes in its lists
        raise BadRecording(f"{record}.hea: not a readable WFDB header ({one_line(error)})") from error


def _opened(record: Path, header: Any) -> Recording:
    """The recording of a header as wfdb parsed it (any attribute may be None or too short)."""
    if hasattr(header, "seg_name"):
        raise BadRecording(f"{record}: consists of several segments; name one of them")
    if not header.n_sig or not header.sig_name:
        raise BadRecording(f"{record}: has no signals")
    names = [lead_name(name or "") for name in header.sig_name]
    units = [unit or "mV" for unit in header.units]
    per_frame = [int(k or 1) for k in header.samps_per_frame]
    quantities = [quantity_of(name, unit) for name, unit in zip(names, units, strict=True)]
    most = int(same_rate(per_frame, [q is Quantity.ECG for q in quantities]))
    kept = [k for k, samples in enumerate(per_frame) if samples == most]
    left_out = tuple(
        f"{names[k]} ({per_frame[k] * header.fs:g} Hz)" for k in range(header.n_sig) if k not in kept
    )
    frames = _length(record, header)
    unique = distinct([names[k] for k in kept])
    channels = tuple(
        _channel(record, header, k, name, quantities[k], units[k])
        for name, k in zip(unique, kept, strict=True)
    )
    return Recording(
        record.name,
        float(header.fs) * most,
        channels,
        frames * most,
        _reader(record, kept, most, frames),
        left_out,
        tuple(_invalid_code(header.fmt[k]) for k in kept),
    )


def _length(record: Path, header: Any) -> int:
    """Frames in the record; every signal file must be there and as long as that."""
    frames: int | None = int(header.sig_len) if header.sig_len else None
    for file_name in dict.fromkeys(header.file_name):
        mine = [k for k in range(header.n_sig) if header.file_name[k] == file_name]
        fmt = header.fmt[mine[0]]
        if fmt not in BITS:
            raise BadRecording(f"{record}: signal format {fmt} cannot be read")
        path = record.parent / file_name
        if not path.is_file():
            raise BadRecording(f"{record}: its signal file {file_name} is missing")
        if fmt in ("508", "516", "524"):  # compressed: its length is known when it is read
            continue
        samples = sum(int(header.samps_per_frame[k] or 1) for k in mine)
        bits = {"310": 32 / 3, "311": 32 / 3, "61": 16}.get(fmt, BITS[fmt])
        there = int((path.stat().st_size - int(header.byte_offset[mine[0]] or 0)) * 8 / bits / samples)
        if frames is None:
            frames = there
        elif there < frames:
            raise BadRecording(f"{record}: {file_name} holds {there} of {frames} samples (truncated)")
    if not frames:
        raise BadRecording(f"{record}: holds no samples")
    return frames


def _channel(record: Path, header: Any, k: int, name: str, quantity: Quantity, unit: str) -> Channel:
    per_unit, zero = float(header.adc_gain[k]), float(header.baseline[k])
    if not (math.isfinite(per_unit) and per_unit != 0 and math.isfinite(zero)):
        raise BadRecording(f"{record}: channel {name} has no usable gain in its header")
    mv = in_millivolts(unit)
    gain = (mv or 1.0) / per_unit
    low, high = _rails(header.fmt[k])
    return Channel(name, quantity, "mV" if mv is not None else _symbol(unit), gain, zero, low, high)


def _rails(fmt: str) -> tuple[int, int]:
    """What the format can hold, above its "no sample".

    Not the converter's declared bits: records that were computed from others (nstdb) go far beyond those, and a rail
    that is none would throw good samples away.
    """
    code = _invalid_code(fmt)
    lowest = -(1 << BITS[fmt] - 1)
    return lowest if code is None else code + 1, -lowest - 1


def _invalid_code(fmt: str) -> int | None:
    """The value that means "no sample" in a format: its lowest."""
    return None if fmt in WITHOUT_INVALID else -(1 << BITS[fmt] - 1)


def _reader(record: Path, kept: list[int], per_frame: int, frames: int) -> Callable[[int, int], Counts]:
    """Reads in blocks and keeps the last one: a record is read forwards, in steps much smaller than a block."""
    last: tuple[int, Counts] | None = None

    def block(number: int) -> Counts:
        nonlocal last
        if last is None or last[0] != number:
            first = number * BLOCK
            last = number, _block(record, kept, first, min(first + BLOCK, frames))
        return last[1]

    def counts(start: int, stop: int) -> Counts:
        size = BLOCK * per_frame
        parts = []
        for number in range(start // size, (stop - 1) // size + 1):
            first = number * size
            parts.append(block(number)[:, max(start - first, 0) : stop - first])
        return np.concatenate(parts, axis=1)

    return counts


def _block(record: Path, kept: list[int], first: int, stop: int) -> Counts:
    import wfdb

    try:
        part = wfdb.rdrecord(
            str(record), sampfrom=first, sampto=stop, channels=kept, physical=False, smooth_frames=False
        )
        rows = part.e_d_signal
        return np.stack([np.asarray(row) for row in rows]).astype(np.int32)
    except Exception as error:  # whatever its parsing trips over, the file is at fault
        raise BadRecording(f"{record}: cannot be read ({one_line(error)})") from error


def _symbol(unit: str) -> str:
    return "1" if unit in ("NU", "nu", "", "n/a") else unit
