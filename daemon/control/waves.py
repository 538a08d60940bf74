"""Wave frames: the binary messages of the control socket, and on to the pages."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.model.findings import DisplayBlock
from daemon.model.signals import Channel

NO_SIGNAL = -32768
"""In a wave frame: nothing to draw here (a gap, an electrode off)."""

ECG_PER_COUNT = 1.0
"""Resolution of an ECG in wave frames: 1 uV, so that int16 spans +/- 32.767 mV."""

SPANS = {"L/min": 327.67, "cmH2O": 163.835, "mbar": 163.835, "hPa": 163.835, "kPa": 655.34}
"""Unit -> the largest value that a frame can hold of it; what is in no such unit is held up to its converter's rails."""

MOST = 262_140.0
"""Of bare counts."""

_HEADER = struct.Struct("<BBHIqqfHH")
_VERSION, _WAVES = 1, 1


@dataclass(frozen=True, slots=True)
class Waves:
    """A decoded wave frame: `values` int16 of shape (leads, n), times `scale` (thousandths of each lead's unit per count)."""

    index: int
    connection: int
    first: int
    t0_ns: int
    rate_hz: float
    scale: npt.NDArray[np.float32]
    values: npt.NDArray[np.int16]


def per_count(block: DisplayBlock) -> npt.NDArray[np.float32]:
    """Thousandths of its unit that a count of each lead stands for, (leads,): the same for a whole segment."""
    if not block.units:
        return np.full(len(block.leads), ECG_PER_COUNT, np.float32)
    channels = {channel.name: channel for channel in block.segment.stream.channels}
    most = [
        SPANS.get(unit) or _rails_of(channels.get(lead))
        for lead, unit in zip(block.leads, block.units, strict=True)
    ]
    return np.array([1000.0 * span / 32767 for span in most], np.float32)


def _rails_of(channel: Channel | None) -> float:
    """The farthest value of a channel from zero, as far as `MOST`."""
    if channel is None:
        return MOST
    ends = ((count - channel.offset) * channel.gain for count in (channel.low, channel.high))
    return min(max(abs(end) for end in ends), MOST) or MOST


def encode_waves(index: int, block: DisplayBlock) -> bytes:
    """A wave frame, little-endian.

    | offset | type | what |
    |---|---|---|
    | 0 | u8, u8 | version 1, kind 1 |
    | 2 | u16 | index of the group of waves (attached.py: WaveState) |
    | 4 | u32 | connection: changes when a new segment begins |
    | 8 | i64 | number of the first sample in its segment |
    | 16 | i64 | its time, ns of CLOCK_BOOTTIME |
    | 24 | f32 | samples per second |
    | 28 | u16, u16 | leads, samples n |
    | 32 | f32 x leads | thousandths of the lead's unit per count (of a mV for an ECG), padded with zeros to a multiple of 8 bytes |
    | then | i16 x leads x n | values, lead by lead; -32768 = nothing to draw |
    """
    leads, n = block.values.shape
    header = _HEADER.pack(
        _VERSION,
        _WAVES,
        index,
        block.segment.connection,
        block.first,
        block.t0_ns,
        1e9 / block.period_ns,
        leads,
        n,
    )
    scale = np.zeros(leads + leads % 2, dtype="<f4")
    scale[:leads] = per_count(block)
    counts = block.values * (np.float32(1000.0) / scale[:leads, None])
    counts = np.rint(counts, out=counts)
    # The ufuncs themselves: np.clip costs more in Python than the samples of a frame do.
    np.maximum(np.minimum(counts, np.float32(32767), out=counts), np.float32(-32767), out=counts)
    absent = np.isnan(counts)
    if absent.any():
        counts[absent] = NO_SIGNAL
    values: npt.NDArray[np.int16] = counts.astype("<i2")
    return header + scale.tobytes() + values.tobytes()


def decode_waves(frame: bytes) -> Waves:
    """The inverse of `encode_waves`; ValueError on anything else."""
    if len(frame) < _HEADER.size:
        raise ValueError("wave frame too short")
    version, kind, index, connection, first, t0_ns, rate_hz, leads, n = _HEADER.unpack_from(frame)
    at = _HEADER.size + 4 * (leads + leads % 2)
    if (version, kind) != (_VERSION, _WAVES) or len(frame) != at + 2 * leads * n:
        raise ValueError("not a wave frame of version 1")
    scale = np.frombuffer(frame, "<f4", leads, _HEADER.size)
    values = np.frombuffer(frame, "<i2", leads * n, at).reshape(leads, n)
    return Waves(index, connection, first, t0_ns, rate_hz, scale, values)
