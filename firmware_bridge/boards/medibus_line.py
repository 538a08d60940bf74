"""MEDIBUS on the wire: slow messages in ASCII and real-time samples in bytes with bit 7 set, one among the other.

The two are split first, byte by byte, since either may lie anywhere within the other. Slow: a command is ESC, a code,
arguments, a check sum and CR; a response has SOH for ESC; a command may come within a response, which then goes on.
Real-time: a sync byte that says which streams follow, pairs of a sync command and its argument, and two bytes a sample.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

ESC, SOH, CR, NAK = 0x1B, 0x01, 0x0D, 0x15
LONGEST = 4096  # of a message; the longest real ones are some hundred bytes
MOST_STREAMS = 12
BREATHES_IN, CORRUPT = 0xC6, 0xCF

_RUNS = re.compile(rb"[\x80-\xff]+|[\x00-\x7f]+")
_DATA = bytes(range(0x80, 0xC0))
_FIRST_STREAMS = tuple(tuple(n for n in range(4) if bits >> n & 1) for bits in range(16))
_MORE_STREAMS = {0xC4: 4, 0xC5: 8}  # sync command -> number of the streams before its own four


class Command(NamedTuple):
    """The device asks for something, or wants a sign of life."""

    code: int
    data: bytes


class Response(NamedTuple):
    """The device answers a command of ours with the same code; code NAK: it could not read it."""

    code: int
    data: bytes


class Unreadable(NamedTuple):
    """A message whose check sum is wrong; `command`: the device waits for an answer."""

    byte_count: int
    command: bool


class Values(NamedTuple):
    """One real-time sample: (stream number from 0, 12-bit count) of each stream that is present. `corrupt`: not to be believed."""

    counts: tuple[tuple[int, int], ...]
    corrupt: bool


class Torn(NamedTuple):
    """Bytes that belong to nothing; `samples` real-time samples went with them."""

    byte_count: int
    samples: int = 0


Piece = Command | Response | Unreadable | Values | Torn


def command(code: int, arguments: bytes = b"") -> bytes:
    """A command as it goes over the line."""
    return _message(ESC, code, arguments)


def response(code: int, data: bytes = b"") -> bytes:
    """A response as it goes over the line."""
    return _message(SOH, code, data)


def _message(first: int, code: int, data: bytes) -> bytes:
    body = bytes((first, code)) + data
    return body + b"%02X\r" % (sum(body) & 0xFF)


class MedibusLine:
    """Splits and parses. At most one message of each kind, and one real-time sample, are kept between feeds."""

    def __init__(self) -> None:
        self._slow = _Slow()
        self._fast = b""

    def cut(self, data: bytes) -> Iterator[Piece]:
        """What `data` completes, in the order of the line. Exhaust it."""
        for run in _RUNS.findall(data):
            if run[0] & 0x80:
                yield from self._real_time(run)
            else:
                yield from self._slow.cut(run)

    def _real_time(self, run: bytes) -> Iterator[Piece]:
        buffer = self._fast + run
        at = 0
        while at < len(buffer):
            if buffer[at] & 0xF0 != 0xD0:
                end = at + 1
                while end < len(buffer) and buffer[end] & 0xF0 != 0xD0:
                    end += 1
                yield Torn(end - at)
                at = end
                continue
            end, values = _sample(buffer, at)
            if end < 0:
                break
            yield values if values is not None else Torn(end - at, samples=1)
            at = end
        self._fast = buffer[at:]


def _sample(buffer: bytes, at: int) -> tuple[int, Values | None]:
    """(where the sample at `at` ends, what it says or None where it is torn); -1 = more bytes must tell."""
    present = _FIRST_STREAMS[buffer[at] & 0x0F]
    corrupt = False
    place = at + 1
    while place < len(buffer) and buffer[place] & 0xF0 == 0xC0:
        if place + 1 == len(buffer):
            return -1, None
        what, argument = buffer[place], buffer[place + 1]
        if argument & 0xF0 != 0xC0:
            return place + 1, None
        if what in _MORE_STREAMS:
            present += tuple(_MORE_STREAMS[what] + n for n in _FIRST_STREAMS[argument & 0x0F])
        corrupt = corrupt or what == CORRUPT
        place += 2
        if place - at > 2 * MOST_STREAMS:
            return place, None
    end = place + 2 * len(present)
    data = buffer[place:end]
    if data.translate(None, _DATA):
        return place + next(k for k, byte in enumerate(data) if byte & 0xC0 != 0x80), None
    if end > len(buffer) or place == len(buffer):
        # Without a single stream the sample ends where something else begins.
        return -1, None
    counts = [low & 0x3F | (high & 0x3F) << 6 for low, high in zip(data[::2], data[1::2], strict=True)]
    return end, Values(tuple(zip(present, counts, strict=True)), corrupt)


class _Slow:
    def __init__(self) -> None:
        self._response = bytearray()
        self._command = bytearray()

    def cut(self, run: bytes) -> Iterator[Piece]:
        stray = 0
        for byte in run:
            if byte in {ESC, SOH}:
                dropped = len(self._command) + (len(self._response) if byte == SOH else 0)
                self._command.clear()
                if byte == SOH:
                    self._response.clear()
                stray += dropped
                (self._command if byte == ESC else self._response).append(byte)
                continue
            inside = self._command or self._response
            if not inside:
                stray += 1
                continue
            if byte != CR:
                inside.append(byte)
                if len(inside) > LONGEST:
                    stray += len(inside)
                    inside.clear()
                continue
            if stray:
                yield Torn(stray)
                stray = 0
            yield _checked(bytes(inside))
            inside.clear()
        if stray:
            yield Torn(stray)


def _checked(message: bytes) -> Piece:
    """The message without its CR."""
    body, said = message[:-2], message[-2:]
    is_command = message[0] == ESC
    if len(message) < 4 or said != b"%02X" % (sum(body) & 0xFF):
        return Unreadable(len(message) + 1, is_command)
    return Command(body[1], body[2:]) if is_command else Response(body[1], body[2:])
