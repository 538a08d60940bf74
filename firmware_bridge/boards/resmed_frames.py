"""The frames of an AirSense 10's line: found, checked, and taken apart. Nothing is made here."""

from __future__ import annotations

import re
from binascii import crc_hqx
from collections.abc import Iterator
from typing import NamedTuple

SYNC = 0x55
SHORTEST, LONGEST = 9, 9 + 2 * 502
TYPES = frozenset(b"QRELFPKOTf")
_LENGTH = re.compile(rb"[0-9A-F]{3}")
_CHECK = re.compile(rb"[0-9A-F]{4}")


class Whole(NamedTuple):
    """A frame whose check holds: its type, and its payload with doubled bytes made single."""

    type: str
    payload: bytes


class QFrames:
    """Cuts frames out of the line. At most one frame is kept between feeds.

    A single 0x55 within a payload is the beginning of the next frame: a torn one is known by it at once.
    """

    def __init__(self) -> None:
        self._rest = b""

    def cut(self, data: bytes) -> Iterator[Whole | int]:
        """Frames, and numbers of bytes that belong to none, in the order of the line."""
        buffer = self._rest + data
        at = good = 0
        while at < len(buffer):
            size = _size(buffer, at)
            if size is None:
                break
            if size:
                if good < at:
                    yield at - good
                body = buffer[at + 5 : at + size - 4]
                yield Whole(chr(buffer[at + 1]), body.replace(b"UU", b"U"))
                at = good = at + size
                continue
            at = buffer.find(SYNC, at + 1)
            at = len(buffer) if at < 0 else at
        if good < at:
            yield at - good
        self._rest = buffer[at:]


def _size(buffer: bytes, at: int) -> int | None:
    """Bytes of the whole frame at `at`; 0 = there is none; None = more bytes must tell."""
    head = buffer[at : at + 5]
    if head[0] != SYNC or (len(head) > 1 and head[1] not in TYPES):
        return 0
    if len(head) < 5:
        return None if re.fullmatch(rb"[0-9A-F]*", head[2:]) else 0
    if not _LENGTH.fullmatch(head[2:]):
        return 0
    size = int(head[2:], 16)  # noqa: FURB166 - no prefix is removed: the type may be anything
    if not SHORTEST <= size <= LONGEST:
        return 0
    body = buffer[at + 5 : at + size - 4]
    complete = len(buffer) - at >= size
    pairs = body.replace(b"UU", b"")
    if b"U" in (pairs if complete else pairs[:-1]):
        return 0
    if not complete:
        tail = buffer[at + size - 4 :]
        return None if re.fullmatch(rb"[0-9A-F]*", tail) else 0
    check = buffer[at + size - 4 : at + size]
    if not _CHECK.fullmatch(check) or crc_hqx(buffer[at : at + size - 4], 0xFFFF) != int(check, 16):
        return 0
    return size
