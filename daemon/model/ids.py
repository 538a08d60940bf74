"""Ids that nobody else can give: UUIDv7 (RFC 9562, 5.7), which sort by the time at which they were made."""

from __future__ import annotations

import secrets
import uuid


def uuid7(utc_ns: int) -> str:
    """A UUIDv7 as text: 48 bits of milliseconds since 1970, the rest random. A time before 1970 counts as 1970."""
    ms = max(utc_ns, 0) // 1_000_000 & (1 << 48) - 1
    number = ms << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=number))
