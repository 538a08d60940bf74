"""Coding 1 of samples, read as docs/contracts/README.md describes it: written from that page, not from the box's own reader."""

from __future__ import annotations

import base64
import binascii
import zlib

import numpy as np
import numpy.typing as npt
from backports import zstd

Counts = npt.NDArray[np.int32]


class NotSamples(Exception):
    """The data is not what its coding and checksum say."""


def checksum(counts: Counts) -> int:
    return zlib.crc32(counts.astype("<i4").tobytes())


def samples(data: str, channels: int, n: int, codec: int, crc32: int) -> Counts:
    """int32 of shape (channels, n). Raises `NotSamples`."""
    if codec != 1:
        raise NotSamples(f"coding {codec} is not known")
    try:
        raw = base64.b64decode(data, validate=True)
        order, kept = raw[0], raw[1]
        start = np.frombuffer(raw, "<u4", channels, 2)
        packed = raw[2 + 4 * channels :]
        bytes_ = np.frombuffer(zstd.decompress(packed), np.uint8) if kept else np.zeros(0, np.uint8)
        planes = bytes_.reshape(kept, channels, n - 1)
    except (binascii.Error, IndexError, ValueError, zstd.ZstdError) as error:
        raise NotSamples(f"not coding 1: {error}") from None
    zigzag = np.zeros((channels, n - 1), np.uint64)
    for number, plane in enumerate(planes):
        zigzag |= plane.astype(np.uint64) << np.uint64(8 * number)
    signed = np.where(zigzag % 2 == 0, zigzag // 2, -(zigzag // 2).astype(np.int64) - 1).astype(np.int64)
    if order == 2:  # the first residual is a plain difference, the others differences of differences
        signed = np.cumsum(signed, axis=1)
    values = np.concatenate([start[:, None].astype(np.int64), signed], axis=1).cumsum(axis=1)
    counts = (values & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    if checksum(counts) != crc32:
        raise NotSamples("the checksum differs")
    return counts
