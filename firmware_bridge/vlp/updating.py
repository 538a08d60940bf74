"""New firmware for a device, the host's side: begun, sent piece by piece, checked by the device; then started on trial, kept or taken back.

One step is under way at a time; one that is not answered is repeated with the number it had. The device says with each answer where it
goes on: what it has already after a broken link is not sent again. It starts the new firmware on trial, and goes back by itself unless
it is told to keep it (`VERBS`).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from firmware_bridge.frames import Frame, Nanos, Progress, Reply
from firmware_bridge.vlp.messages import ANSWERS
from firmware_bridge.vlp.wire import Status

PIECE_BYTES = 192
REPEAT_NS: Nanos = 250_000_000
ANSWER_NS: Nanos = 5_000_000_000
"""How long an answer is waited for: a device may have to erase a bank first."""

TRIAL_S = 60.0
"""After so long on trial a device goes back by itself."""

_BEGIN = struct.Struct("<BI32s")
_OFFSET = struct.Struct("<BI")


class Step(IntEnum):
    """The first byte of a FIRMWARE frame."""

    BEGIN = 1
    PIECE = 2
    CHECK = 3
    START = 4
    KEEP = 5
    BACK = 6


VERBS: Mapping[str, Step] = MappingProxyType({"start": Step.START, "keep": Step.KEEP, "back": Step.BACK})
"""What is said to a device that has an image, or runs one on trial."""


@dataclass(slots=True)
class _Sending:
    request: str
    image: bytes
    version: str
    step: Step
    begun_ns: Nanos
    offset: int = 0
    size: int = 0  # of the piece under way
    sequence: int | None = None
    sent_ns: Nanos = 0


class Updating:
    """`due` gives what to send; answers go in by `answered`."""

    def __init__(self) -> None:
        self._sending: _Sending | None = None

    def begin(self, request: str, image: bytes, version: str, now_ns: Nanos) -> str:
        """Send an image and have it checked. "" or why not: busy."""
        if self._sending is not None:
            return "busy"
        self._sending = _Sending(request, image, version, Step.BEGIN, now_ns)
        return ""

    def say(self, request: str, verb: str, now_ns: Nanos) -> str:
        """One of `VERBS`. "" or why not: busy, unknown_setting."""
        if self._sending is not None:
            return "busy"
        if verb not in VERBS:
            return "unknown_setting"
        self._sending = _Sending(request, b"", "", VERBS[verb], now_ns)
        return ""

    def due(self, now_ns: Nanos) -> tuple[bytes, int | None] | None:
        """(FIRMWARE payload to send now, the number it had when it was sent before); None = nothing."""
        one = self._sending
        if one is None or (one.sequence is not None and now_ns - one.sent_ns < REPEAT_NS):
            return None
        return self._payload(one), one.sequence

    def sent(self, sequence: int, now_ns: Nanos) -> None:
        """What `due` gave has gone out under this number."""
        if self._sending is not None:
            self._sending.sequence, self._sending.sent_ns = sequence, now_ns

    def answered(self, sequence: int, status: int, text: str, now_ns: Nanos) -> list[Frame]:
        """An ACK has come: how far it is, or the Reply that ends the matter."""
        one = self._sending
        if one is None or one.sequence != sequence:
            return []
        going_on = one.step in {Step.BEGIN, Step.PIECE}
        at = int(text) if text.isdecimal() else None
        # A device that has lost its place says where it is; that is no refusal.
        if status != Status.OK and not (
            one.step is Step.PIECE and status == Status.BAD_ARGUMENT and at is not None
        ):
            known = ANSWERS.get(Status(status), "refused") if status in set(Status) else "refused"
            return [self._end(one, ok=False, text=text or known)]
        if going_on:
            if at is None or not 0 <= at <= len(one.image):
                return [self._end(one, ok=False, text="malformed")]
            one.offset = at
            self._next(one, Step.PIECE if at < len(one.image) else Step.CHECK, now_ns)
            return [Progress(one.request, at, len(one.image))]
        return [self._end(one, ok=True, text="")]

    def lapsed(self, now_ns: Nanos) -> list[Reply]:
        """The reply for a step without an answer."""
        one = self._sending
        if one is None or now_ns - one.begun_ns < ANSWER_NS:
            return []
        return [self._end(one, ok=False, text="no_answer")]

    def restarted(self) -> list[Reply]:
        """The device has started anew: as it was told to, though its answer was lost, or by itself."""
        one = self._sending
        if one is None:
            return []
        meant = one.step in {Step.START, Step.BACK}
        return [self._end(one, ok=meant, text="" if meant else "device_restarted")]

    def _payload(self, one: _Sending) -> bytes:
        if one.step is Step.BEGIN:
            version = one.version.encode()[:64]
            head = _BEGIN.pack(one.step, len(one.image), hashlib.sha256(one.image).digest())
            return head + bytes([len(version)]) + version
        if one.step is Step.PIECE:
            return _OFFSET.pack(one.step, one.offset) + one.image[one.offset : one.offset + PIECE_BYTES]
        return bytes([one.step])

    def _next(self, one: _Sending, step: Step, now_ns: Nanos) -> None:
        one.step, one.begun_ns, one.sequence = step, now_ns, None

    def _end(self, one: _Sending, *, ok: bool, text: str) -> Reply:
        self._sending = None
        return Reply(one.request, ok, text)


def read_begin(payload: bytes) -> tuple[int, bytes, str]:
    """(size, SHA-256, version). Raises ValueError."""
    if len(payload) < _BEGIN.size + 1:
        raise ValueError("cut short")
    _, size, digest = _BEGIN.unpack_from(payload)
    text = payload[_BEGIN.size + 1 :]
    if len(text) < payload[_BEGIN.size]:
        raise ValueError("cut short")
    return size, digest, text[: payload[_BEGIN.size]].decode("utf-8", "replace")


def read_piece(payload: bytes) -> tuple[int, bytes]:
    """(offset, bytes). Raises ValueError."""
    if len(payload) <= _OFFSET.size:
        raise ValueError("cut short")
    return _OFFSET.unpack_from(payload)[1], payload[_OFFSET.size :]
