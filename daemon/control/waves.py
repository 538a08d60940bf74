"""Wave frames: the binary messages of the control socket, and on to the pages."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.model.findings import DisplayBlock

NO_SIGNAL = -32768
"""In a wave frame: nothing to draw here (a gap, an electrode off)."""

MICROVOLTS_PER_COUNT = 1.0
"""Resolution of wave frames: 1 uV, so that int16 spans +/- 32.767 mV."""

_HEADER = struct.Struct("<BBHIqqfHH")
_VERSION, _WAVES = 1, 1


@dataclass(frozen=True, slots=True)
class Waves:
    """A decoded wave frame: `values` int16 of shape (leads, n), times `scale` (uV per count of each lead)."""

    bed_index: int
    connection: int
    first: int
    t0_ns: int
    rate_hz: float
    scale: npt.NDArray[np.float32]
    values: npt.NDArray[np.int16]


def encode_waves(bed_index: int, block: DisplayBlock) -> bytes:
    """A wave frame, little-endian.

    | offset | type | what |
    |---|---|---|
    | 0 | u8, u8 | version 1, kind 1 |
    | 2 | u16 | bed index |
    | 4 | u32 | connection: changes when a new segment begins |
    | 8 | i64 | number of the first sample in its segment |
    | 16 | i64 | its time, ns of CLOCK_BOOTTIME |
    | 24 | f32 | samples per second |
    | 28 | u16, u16 | leads, samples n |
    | 32 | f32 x leads | microvolts per count, padded with zeros to a multiple of 8 bytes |
    | then | i16 x leads x n | values, lead by lead; -32768 = nothing to draw |
    """
    leads, n = block.values.shape
    header = _HEADER.pack(
        _VERSION,
        _WAVES,
        bed_index,
        block.segment.connection,
        block.first,
        block.t0_ns,
        1e9 / block.period_ns,
        leads,
        n,
    )
    scale = np.zeros(leads + leads % 2, dtype="<f4")
    scale[:leads] = MICROVOLTS_PER_COUNT
    counts = block.values * np.float32(1000.0 / MICROVOLTS_PER_COUNT)
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
    version, kind, bed, connection, first, t0_ns, rate_hz, leads, n = _HEADER.unpack_from(frame)
    at = _HEADER.size + 4 * (leads + leads % 2)
    if (version, kind) != (_VERSION, _WAVES) or len(frame) != at + 2 * leads * n:
        raise ValueError("not a wave frame of version 1")
    scale = np.frombuffer(frame, "<f4", leads, _HEADER.size)
    values = np.frombuffer(frame, "<i2", leads * n, at).reshape(leads, n)
    return Waves(bed, connection, first, t0_ns, rate_hz, scale, values)
