"""Consistent overhead byte stuffing (Cheshire and Baker 1999): bytes without zeros, so that a zero can end a frame."""

from __future__ import annotations

_FULL = 254  # a group of so many non-zero bytes has code FF and no zero behind it


def encode(data: bytes) -> bytes:
    """`data` without zeros, at most 1 byte in 254 longer, and one. Where it ends with a full group, no code 01 follows."""
    out = bytearray()
    parts = data.split(b"\0")
    for place, part in enumerate(parts):
        at = 0
        while len(part) - at >= _FULL:
            out.append(0xFF)
            out += part[at : at + _FULL]
            at += _FULL
        if at and at == len(part) and place == len(parts) - 1:
            break
        out.append(len(part) - at + 1)
        out += part[at:]
    return bytes(out)


def decode(data: bytes) -> bytes | None:
    """What was encoded; None where these bytes (without a zero at the end) are no encoding."""
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        end = at + code
        if code == 0 or end > len(data):
            return None
        out += data[at + 1 : end]
        at = end
        if code != 0xFF and at < len(data):
            out.append(0)
    return bytes(out)


def ends(data: bytes) -> list[tuple[int, bytes]]:
    """Where an encoding might end early: (bytes used, what they decode to) behind each group, the whole one left out."""
    found = []
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        end = at + code
        if code == 0 or end > len(data):
            break
        out += data[at + 1 : end]
        at = end
        if at < len(data):
            found.append((at, bytes(out)))
            if code != 0xFF:
                out.append(0)
    return found
