"""VLP frames: eight bytes of header, a payload, a CRC-32C, stuffed by COBS and ended by a zero byte. Little endian."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from firmware_bridge.vlp import cobs
from firmware_bridge.vlp.crc32c import crc32c

VERSION = 1
DEFAULT_MTU, LEAST_MTU, MOST_MTU = 512, 64, 1024
ACK_WANTED, AGAIN = 1, 2  # bits of the header's flags

_HEADER = struct.Struct("<BBBBI")
_CRC_BYTES = 4
LEAST_BODY = _HEADER.size + _CRC_BYTES
_LONGEST_WIRE = MOST_MTU + MOST_MTU // 254 + 1


class Type(IntEnum):
    """What a frame is."""

    HELLO = 0x01
    DICT = 0x02
    SETTINGS = 0x03
    PART = 0x04
    SAMPLES = 0x10
    RESEND = 0x11
    ROWS = 0x12
    PING = 0x20
    PONG = 0x21
    COMMAND = 0x30
    ACK = 0x31
    LOG = 0x40
    FIRMWARE = 0x50


class Status(IntEnum):
    """What an ACK says."""

    OK = 0
    UNKNOWN = 1
    VERSION = 2
    BAD_ARGUMENT = 3
    BUSY = 4
    REFUSED = 5


@dataclass(frozen=True, slots=True)
class Letter:
    """One frame as it came. `type` is a number of `Type` or one that is not known; `size` its bytes on the wire."""

    type: int
    flags: int
    sequence: int
    payload: bytes
    size: int = 0


@dataclass(frozen=True, slots=True)
class Spoilt:
    """Bytes that were no frame. A frame of another version has its sequence number in `foreign`."""

    size: int
    reason: str = "noise"
    foreign: int | None = None


def sealed(kind: int, sequence: int, payload: bytes = b"", flags: int = 0) -> bytes:
    """A frame as it goes over the wire, the zero at its end included. Raises ValueError where it is longer than any MTU."""
    return wrapped(_HEADER.pack(VERSION, kind, flags, 0, sequence & 0xFFFFFFFF) + payload)


def wrapped(body: bytes) -> bytes:
    """Header and payload with CRC, stuffed and ended."""
    if len(body) + _CRC_BYTES > MOST_MTU:
        raise ValueError(f"a frame has at most {MOST_MTU} bytes, not {len(body) + _CRC_BYTES}")
    return cobs.encode(body + crc32c(body).to_bytes(_CRC_BYTES, "little")) + b"\0"


class Opener:
    """Cuts a byte stream at its zeros. At most one frame's bytes are kept; `mtu` is the longest body that is taken."""

    def __init__(self) -> None:
        self.mtu = DEFAULT_MTU
        self._rest = b""
        self._skipping = False  # inside something that is too long to be a frame

    def cut(self, data: bytes) -> Iterator[Letter | Spoilt]:
        """What `data` completes, in order."""
        *pieces, rest = data.split(b"\0")
        for piece in pieces:
            whole, self._rest = self._rest + piece, b""
            skipped, self._skipping = self._skipping, False
            if skipped or len(whole) > _LONGEST_WIRE:
                yield Spoilt(len(whole) + 1)
            elif whole:  # an empty frame only flushes the line
                yield from self._opened(whole)
        self._rest += rest
        if self._rest and (self._skipping or len(self._rest) > _LONGEST_WIRE):
            self._skipping = True
            spoilt, self._rest = Spoilt(len(self._rest)), b""
            yield spoilt

    def _opened(self, piece: bytes) -> Iterator[Letter | Spoilt]:
        size = len(piece) + 1
        body = cobs.decode(piece)
        if body is not None and (found := self._letter(body, size)):
            yield found
            return
        # A zero that was lost or hit joins two frames: the first one is whole and ends behind one of the groups.
        for used, early in cobs.ends(piece):
            if found := self._letter(early, used):
                yield found
                yield from self._remains(piece[used:])
                return
        yield Spoilt(size)

    def _remains(self, rest: bytes) -> Iterator[Letter | Spoilt]:
        for begin in (0, 1):
            body = cobs.decode(rest[begin:])
            if body is not None and (found := self._letter(body, len(rest) - begin + 1)):
                if begin:
                    yield Spoilt(begin)
                yield found
                return
        yield Spoilt(len(rest) + 1)

    def _letter(self, body: bytes, size: int) -> Letter | Spoilt | None:
        """The frame with this body; None where it is none."""
        if not LEAST_BODY <= len(body) <= MOST_MTU:
            return None
        inner = body[:-_CRC_BYTES]
        if crc32c(inner) != int.from_bytes(body[-_CRC_BYTES:], "little"):
            return None
        version, kind, flags, _, sequence = _HEADER.unpack_from(inner)
        if version != VERSION:
            return Spoilt(size, "version", sequence)
        if len(body) > self.mtu:
            return Spoilt(size, "too long")
        return Letter(kind, flags, sequence, inner[_HEADER.size :], size)
