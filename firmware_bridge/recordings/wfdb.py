"""WFDB records (PhysioNet): a text header, and signal files beside it. Multi-segment and compressed records are not read."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from firmware_bridge.frames import Channel, Counts, Quantity
from firmware_bridge.recordings import (
    BadRecording,
    Recording,
    distinct,
    in_millivolts,
    lead_name,
    quantity_of,
    same_rate,
)
from firmware_bridge.recordings.wfdb_formats import FORMATS, Format, unpacked
from firmware_bridge.recordings.wfdb_header import BadHeader, Header, Signal, parse


def read(record: Path) -> Recording:
    """Open a record by its path without suffix. Raises BadRecording."""
    try:
        header = parse(record.with_name(f"{record.name}.hea").read_text(encoding="utf-8", errors="replace"))
    except BadHeader as error:
        raise BadRecording(f"{record}.hea: not a readable WFDB header ({error})") from None
    except OSError as error:
        raise BadRecording(f"{record}.hea: {error.strerror}") from error
    if header.segments:
        raise BadRecording(f"{record}: consists of several segments; name one of them")
    if not header.signals:
        raise BadRecording(f"{record}: has no signals")
    return _opened(record, header)


def _opened(record: Path, header: Header) -> Recording:
    signals = header.signals
    names = [lead_name(signal.name) for signal in signals]
    quantities = [quantity_of(name, signal.unit) for name, signal in zip(names, signals, strict=True)]
    most = int(same_rate([s.per_frame for s in signals], [q is Quantity.ECG for q in quantities]))
    kept = [k for k, signal in enumerate(signals) if signal.per_frame == most]
    left_out = tuple(
        f"{names[k]} ({signal.per_frame * header.rate_hz:g} Hz)"
        for k, signal in enumerate(signals)
        if k not in kept
    )
    frames = _length(record, header)
    unique = distinct([names[k] for k in kept])
    channels = tuple(
        _channel(record, signals[k], name, quantities[k]) for name, k in zip(unique, kept, strict=True)
    )
    return Recording(
        record.name,
        header.rate_hz * most,
        channels,
        frames * most,
        _reader(record, header, kept, most, frames),
        left_out,
        tuple(_lowest(FORMATS[signals[k].format]) for k in kept),
    )


def _sharing(header: Header, file: str) -> list[Signal]:
    """The signals that a file holds, in its order."""
    return [signal for signal in header.signals if signal.file == file]


def _length(record: Path, header: Header) -> int:
    """Frames in the record; every signal file must be there and as long as that."""
    frames = header.frames
    for file in dict.fromkeys(signal.file for signal in header.signals):
        mine = _sharing(header, file)
        form = FORMATS.get(mine[0].format)
        if form is None or any(signal.format != mine[0].format for signal in mine):
            raise BadRecording(f"{record}: signal format {mine[-1].format} cannot be read")
        path = record.parent / file
        if not path.is_file():
            raise BadRecording(f"{record}: its signal file {file} is missing")
        held = (path.stat().st_size - mine[0].offset) * form.samples // form.size
        there = held // sum(signal.per_frame for signal in mine)
        if frames is None:
            frames = there
        elif there < frames:
            raise BadRecording(f"{record}: {file} holds {there} of {frames} samples (truncated)")
    if not frames or frames < 0:
        raise BadRecording(f"{record}: holds no samples")
    return frames


def _channel(record: Path, signal: Signal, name: str, quantity: Quantity) -> Channel:
    if not math.isfinite(signal.gain):
        raise BadRecording(f"{record}: channel {name} has no usable gain in its header")
    mv = in_millivolts(signal.unit)
    # The rails are what the format can hold, not the converter's declared bits: records that were computed from others
    # (nstdb) go far beyond those, and a rail that is none would throw good samples away.
    lowest = _lowest(FORMATS[signal.format])
    unit = "mV" if mv is not None else _symbol(signal.unit)
    return Channel(
        name, quantity, unit, (mv or 1.0) / signal.gain, float(signal.baseline), lowest + 1, -lowest - 1
    )


def _lowest(form: Format) -> int:
    """The value that means "no sample"."""
    return -(1 << form.bits - 1)


def _reader(
    record: Path, header: Header, kept: list[int], most: int, frames: int
) -> Callable[[int, int], Counts]:
    """Reads samples start .. stop - 1 of the kept signals, straight from the files as they lie on the disk."""
    files = {header.signals[k].file: _sharing(header, header.signals[k].file) for k in kept}
    furthest = {file: max(signal.skew for signal in mine) for file, mine in files.items()}

    def taken(file: str, first: int, stop: int) -> Counts:
        """Frames first .. stop - 1 of a file, (frames, samples of a frame), as far as it goes."""
        width = sum(signal.per_frame for signal in files[file])
        form = FORMATS[files[file][0].format]
        at, end = first * width // form.samples, -(-stop * width // form.samples)
        raw = np.fromfile(
            record.parent / file,
            dtype=np.uint8,
            count=(end - at) * form.size,
            offset=files[file][0].offset + at * form.size,
        )
        skip = first * width - at * form.samples
        held = unpacked(raw, form)[skip : skip + (stop - first) * width]
        if len(held) < (stop - first) * width:
            raise BadRecording(f"{record}: {file} has become shorter")
        return held.reshape(-1, width)

    def counts(start: int, stop: int) -> Counts:
        first, last = start // most, -(-stop // most)
        held = {file: taken(file, first, min(last + furthest[file], frames)) for file in files}
        skip = start % most
        return np.stack([row(k, held, last - first)[skip : skip + stop - start] for k in kept])

    def row(k: int, held: dict[str, Counts], n: int) -> Counts:
        """N frames of a signal. A skewed one lies so many frames later in its file; what would lie beyond the end was never taken."""
        signal = header.signals[k]
        mine = files[signal.file]
        before = sum(one.per_frame for one in mine[: mine.index(signal)])
        values = held[signal.file][signal.skew : signal.skew + n, before : before + most].ravel()
        lacking = n * most - len(values)
        if lacking:
            values = np.append(values, np.full(lacking, _lowest(FORMATS[signal.format]), dtype=np.int32))
        return values

    return counts


def _symbol(unit: str) -> str:
    return "1" if unit in ("NU", "nu", "", "n/a") else unit
