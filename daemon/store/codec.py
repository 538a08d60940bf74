"""Chunks of samples as bytes and back, bit for bit.

ECG changes little from sample to sample, so the difference of differences is small, its high bytes are nearly all zero,
and an entropy coder does the rest. Coding 1, little-endian:

| bytes | what |
|---|---|
| 1 | order of the difference, 1 or 2: the one that came out smaller |
| 1 | planes kept, 0 to 4: residuals are cut into byte planes, the highest ones are left out while they are zero |
| 4 x channels | first sample of each channel |
| the rest | one zstd frame of the planes, lowest first; none when no plane is kept |

A residual is the difference modulo 2^32, zigzag (0, -1, 1, -2 ... become 0, 1, 2, 3 ...), so that any int32 comes back.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

import numpy as np
import numpy.typing as npt
from backports import zstd

from daemon.model.signals import Counts

CODEC: Final = 1
"""What `encode` writes; stored with every chunk, so that another coding can come beside it."""

ORDERS: Final = (2, 1)

_OPTIONS: dict[int, int] = {
    zstd.CompressionParameter.compression_level: 3,  # higher levels gain nothing (docs/store.md)
    zstd.CompressionParameter.content_size_flag: 0,  # known from the row: two bytes less
    zstd.CompressionParameter.checksum_flag: 0,  # the row has a checksum of the samples
}
_HEADER = struct.Struct("<BB")


class Damaged(Exception):
    """Stored bytes do not give the samples that were written."""


def checksum(counts: Counts) -> int:
    """CRC32 of samples as little-endian int32, channel by channel."""
    return zlib.crc32(np.ascontiguousarray(counts, dtype="<i4").tobytes())


def encode(counts: Counts) -> bytes:
    """Code `counts`, int32 of shape (channels, n) with n >= 1 and channels >= 1."""
    candidates = [_encode(counts, order) for order in ORDERS]
    return min(candidates, key=len)


def decode(data: bytes, channels: int, n: int, crc32: int, codec: int = CODEC) -> Counts:
    """The samples, int32 of shape (channels, n), C order. Raises `Damaged` unless they are what was written."""
    if codec != CODEC:
        raise Damaged(f"coding {codec} is not known")
    at = _HEADER.size + 4 * channels
    if len(data) < at:
        raise Damaged("too short")
    order, planes = _HEADER.unpack_from(data)
    if order not in ORDERS or planes > 4:
        raise Damaged("no such coding")
    head = np.frombuffer(data, "<u4", channels, _HEADER.size)
    residuals = _unpack(data[at:], planes, channels, n - 1)
    counts = np.empty((channels, n), np.uint32)
    counts[:, 0] = head
    counts[:, 1:] = residuals
    if order == 2:
        np.cumsum(counts[:, 1:], axis=1, dtype=np.uint32, out=counts[:, 1:])
    np.cumsum(counts, axis=1, dtype=np.uint32, out=counts)
    samples = counts.view(np.int32)
    if checksum(samples) != crc32:
        raise Damaged("checksum differs")
    return samples


def _encode(counts: Counts, order: int) -> bytes:
    samples = np.ascontiguousarray(counts, dtype=np.int32).view(np.uint32)
    residuals = np.diff(samples, axis=1)
    if order == 2:
        residuals[:, 1:] = np.diff(residuals, axis=1)
    planes, packed = _pack(residuals.view(np.int32))
    return _HEADER.pack(order, planes) + samples[:, 0].astype("<u4").tobytes() + packed


def _pack(residuals: npt.NDArray[np.int32]) -> tuple[int, bytes]:
    """Planes kept, and their zstd frame."""
    zigzag = ((residuals << 1) ^ (residuals >> 31)).view(np.uint32)
    largest = int(zigzag.max()) if zigzag.size else 0
    planes = (largest.bit_length() + 7) // 8
    if planes == 0:
        return 0, b""
    shuffled = zigzag.astype("<u4").view(np.uint8).reshape(-1, 4).T[:planes]
    return planes, zstd.compress(np.ascontiguousarray(shuffled).tobytes(), options=_OPTIONS)


def _unpack(frame: bytes, planes: int, channels: int, n: int) -> npt.NDArray[np.uint32]:
    size = channels * n
    raw = b""
    if planes:
        try:
            raw = zstd.ZstdDecompressor().decompress(frame, max_length=planes * size + 1)
        except zstd.ZstdError as error:
            raise Damaged(str(error)) from error
    if len(raw) != planes * size:
        raise Damaged("length differs")
    shuffled = np.zeros((size, 4), np.uint8)
    shuffled.T[:planes] = np.frombuffer(raw, np.uint8).reshape(planes, size)
    zigzag: npt.NDArray[np.uint32] = shuffled.view("<u4").reshape(channels, n).astype(np.uint32, copy=False)
    sign = np.negative(zigzag & np.uint32(1))
    residuals: npt.NDArray[np.uint32] = (zigzag >> np.uint32(1)) ^ sign
    return residuals
