"""EDF and continuous EDF+, through edfio."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    import edfio

HEADER_SIZE = 256
RESERVED = slice(192, 236)  # "EDF+C", "EDF+D" or blank


def read(path: Path) -> Recording:
    """Open an existing EDF file. Raises BadRecording."""
    import edfio

    _check_header(path)
    try:
        return _opened(path, edfio.read_edf(path, lazy_load_data=True))
    except BadRecording:
        raise
    except Exception as error:  # edfio parses as it is asked: whatever it trips over, the file is at fault
        raise BadRecording(f"{path}: not a readable EDF file ({one_line(error)})") from error


def _opened(path: Path, file: edfio.Edf) -> Recording:
    signals = list(file.signals)
    if not signals:
        raise BadRecording(f"{path}: has no signals")
    rates = [float(s.sampling_frequency) for s in signals]
    names = [lead_name(s.label) for s in signals]
    units = [s.physical_dimension for s in signals]
    quantities = [quantity_of(name, unit) for name, unit in zip(names, units, strict=True)]
    rate_hz = same_rate(rates, [q is Quantity.ECG for q in quantities])
    kept = [k for k, rate in enumerate(rates) if math.isclose(rate, rate_hz)]
    left_out = tuple(f"{names[k]} ({rates[k]:g} Hz)" for k in range(len(signals)) if k not in kept)
    n = file.num_data_records * signals[kept[0]].samples_per_data_record
    if n == 0:
        raise BadRecording(f"{path}: holds no samples")
    unique = distinct([names[k] for k in kept])
    channels = tuple(
        _channel(path, name, quantities[k], signals[k]) for name, k in zip(unique, kept, strict=True)
    )
    return Recording(path.stem, rate_hz, channels, n, _reader(path, [signals[k] for k in kept]), left_out)


def _check_header(path: Path) -> None:
    """What is wrong before edfio is asked: no EDF at all, pieces with gaps between them, or a torn file."""
    with path.open("rb") as file:
        header = file.read(HEADER_SIZE)
        if len(header) < HEADER_SIZE or header[:8] != b"0       ":
            raise BadRecording(f"{path}: not an EDF file")
        if header[RESERVED].startswith(b"EDF+D"):
            raise BadRecording(f"{path}: a discontinuous EDF+ file (EDF+D) cannot be read")
        try:
            header_size, records, signals = int(header[184:192]), int(header[236:244]), int(header[252:256])
            file.seek(HEADER_SIZE + 216 * signals)
            samples = sum(int(file.read(8)) for _ in range(signals))
        except ValueError:
            raise BadRecording(f"{path}: the EDF header is damaged") from None
    if records >= 0 and path.stat().st_size < header_size + 2 * records * samples:
        raise BadRecording(f"{path}: ends before the end that its header promises (truncated)")


def _channel(path: Path, name: str, quantity: Quantity, signal: edfio.EdfSignal) -> Channel:
    low, high = int(signal.digital_min), int(signal.digital_max)
    bottom, top = float(signal.physical_min), float(signal.physical_max)
    if low >= high or bottom == top or not math.isfinite(bottom) or not math.isfinite(top):
        raise BadRecording(f"{path}: channel {name} has no usable scale in its header")
    gain = (top - bottom) / (high - low)
    offset = low - bottom / gain
    unit = signal.physical_dimension.strip() or "1"
    mv = in_millivolts(unit)
    if mv is not None:
        gain, unit = gain * mv, "mV"
    return Channel(name, quantity, unit, gain, offset, low, high)


def _reader(path: Path, signals: Sequence[edfio.EdfSignal]) -> Callable[[int, int], Counts]:
    def counts(start: int, stop: int) -> Counts:
        try:
            rows = [
                s.get_digital_slice(start / s.sampling_frequency, stop / s.sampling_frequency)
                for s in signals
            ]
        except (ValueError, OSError) as error:
            raise BadRecording(f"{path}: cannot be read to its end ({one_line(error)})") from error
        return np.stack(rows).astype(np.int32)

    return counts
