"""Ids that nobody else can give: UUIDv7 (RFC 9562, 5.7), which sort by the time at which they were made."""

from __future__ import annotations

import os
import uuid


def uuid7(utc_ns: int, random: bytes | None = None) -> str:
    """A UUIDv7 as text: 48 bits of milliseconds since 1970 (a time before counts as 1970), then 74 random bits.

    The random bits are of the 10 bytes given, else the system's.
    """
    value = (max(utc_ns, 0) // 1_000_000 & (1 << 48) - 1) << 80
    value |= int.from_bytes(random or os.urandom(10), "big") & (1 << 80) - 1
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
