"""How WFDB signal files hold their samples: PhysioNet's "signal(5)" manual page, the formats that are not compressed.

A format packs `samples` samples into `size` bytes; `unpack` takes uint8 of shape (groups, size) and gives int32 of shape
(groups, samples). A format's lowest value means "no sample".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Format:
    """`bits` of a sample: it holds -(1 << bits - 1) .. (1 << bits - 1) - 1."""

    bits: int
    size: int
    samples: int
    unpack: Callable[[Bytes], Counts]


def _plain(kind: str, minus: int = 0) -> Callable[[Bytes], Counts]:
    """Whole numbers of a numpy kind, one a group."""

    def unpack(raw: Bytes) -> Counts:
        return np.ascontiguousarray(raw).view(kind).astype(np.int32) - np.int32(minus)

    return unpack


def _words(raw: Bytes) -> tuple[Counts, Counts]:
    """The two little-endian 16-bit words of groups of four bytes."""
    words = np.ascontiguousarray(raw).view("<u2").astype(np.int32)
    return words[:, 0], words[:, 1]


def _signed(values: list[Counts], bits: int) -> Counts:
    """Two's complement of so many bits."""
    out = np.stack(values, axis=1)
    return np.where(out >= 1 << bits - 1, out - (1 << bits), out).astype(np.int32)


def _24(raw: Bytes) -> Counts:
    b = raw.astype(np.int32)
    return _signed([b[:, 0] | b[:, 1] << 8 | b[:, 2] << 16], 24)


def _212(raw: Bytes) -> Counts:
    b = raw.astype(np.int32)
    return _signed([b[:, 0] | (b[:, 1] & 0x0F) << 8, b[:, 2] | (b[:, 1] & 0xF0) << 4], 12)


def _310(raw: Bytes) -> Counts:
    """Ten bits above the lowest of each word; the third sample is in the five upper bits of both."""
    one, two = _words(raw)
    return _signed([one >> 1 & 0x3FF, two >> 1 & 0x3FF, one >> 11 | (two >> 11) << 5], 10)


def _311(raw: Bytes) -> Counts:
    """Three samples of ten bits in the lower 30 of a 32-bit word."""
    one, two = _words(raw)
    return _signed([one & 0x3FF, one >> 10 | (two & 0x00F) << 6, two >> 4 & 0x3FF], 10)


FORMATS = {
    "16": Format(16, 2, 1, _plain("<i2")),
    "24": Format(24, 3, 1, _24),
    "32": Format(32, 4, 1, _plain("<i4")),
    "61": Format(16, 2, 1, _plain(">i2")),
    "80": Format(8, 1, 1, _plain("u1", 1 << 7)),
    "160": Format(16, 2, 1, _plain("<u2", 1 << 15)),
    "212": Format(12, 3, 2, _212),
    "310": Format(10, 4, 3, _310),
    "311": Format(10, 4, 3, _311),
}


def unpacked(raw: Bytes, form: Format) -> Counts:
    """The samples in these bytes, (n,); a last group that is cut short is filled up with zeros."""
    short = -len(raw) % form.size
    if short:
        raw = np.append(raw, np.zeros(short, dtype=np.uint8))
    return form.unpack(raw.reshape(-1, form.size)).ravel()
