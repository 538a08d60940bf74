"""Two banks of firmware in a simulated device: what is sent goes into the other one, is checked, started on trial, kept or left again.

An image begins with `MAGIC` and its version (16 bytes of ASCII, filled up with zeros). One whose version holds "bad" starts and then
says no word of samples: that is how a device fails its trial.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from firmware_bridge.frames import Nanos
from firmware_bridge.vlp.updating import TRIAL_S, Step, read_begin, read_piece
from firmware_bridge.vlp.wire import Status

MAGIC = b"VLPFWIMG"
ROOM = 1 << 20
VERSION_BYTES = 16


def image(version: str, size: int = 4096, seed: int = 1) -> bytes:
    """An image that simulated devices and the reference firmware take: its content says nothing."""
    head = MAGIC + version.encode("ascii")[:VERSION_BYTES].ljust(VERSION_BYTES, b"\0")
    body = bytes((seed + 31 * k + (k >> 8)) & 0xFF for k in range(max(0, size - len(head))))
    return head + body


@dataclass(slots=True)
class _Coming:
    size: int
    digest: bytes
    version: str
    data: bytearray = field(default_factory=bytearray)
    right: bool = False


class Banks:
    """`running` is the version that runs. `restart_at_ns`: when the device starts anew, as it was told."""

    def __init__(self, version: str) -> None:
        self.running = version
        self.restart_at_ns: Nanos | None = None
        self._before: str | None = None  # set while on trial
        self._next: str | None = None
        self._trial_ends_ns: Nanos = 0
        self._coming: _Coming | None = None

    @property
    def healthy(self) -> bool:
        """Whether what runs does its work."""
        return "bad" not in self.running

    def started(self, now_ns: Nanos) -> None:
        """The device starts: as it was told, or, where it was on trial and nobody told it anything, as it was before."""
        self.restart_at_ns = None
        if self._next is not None:
            self._before, self.running, self._next = self.running, self._next, None
            self._trial_ends_ns = now_ns + round(TRIAL_S * 1e9)
        elif self._before is not None:
            self.running, self._before = self._before, None

    def watch(self, now_ns: Nanos) -> bool:
        """Whether the device must start anew now."""
        if self._before is not None and self._next is None and now_ns >= self._trial_ends_ns:
            return True
        return self.restart_at_ns is not None and now_ns >= self.restart_at_ns

    def obey(self, payload: bytes, refusal: str, now_ns: Nanos) -> tuple[Status, str]:
        """Status and text of the ACK. Raises ValueError for what cannot be read."""
        if not payload or payload[0] not in set(Step):
            return Status.UNKNOWN, ""
        match Step(payload[0]):
            case Step.BEGIN:
                return self._begin(*read_begin(payload), refusal)
            case Step.PIECE:
                return self._piece(*read_piece(payload))
            case Step.CHECK:
                return self._check()
            case Step.START:
                return self._start(refusal, now_ns)
            case Step.KEEP:
                self._before = None
                return Status.OK, ""
            case Step.BACK:
                if self._before is None:
                    return Status.REFUSED, "not on trial"
                self.restart_at_ns = now_ns + 50_000_000
                return Status.OK, ""

    def _begin(self, size: int, digest: bytes, version: str, refusal: str) -> tuple[Status, str]:
        if refusal:
            return Status.REFUSED, refusal
        if self._before is not None:
            return Status.REFUSED, "on trial"
        if not 0 < size <= ROOM:
            return Status.BAD_ARGUMENT, "no room"
        known = self._coming
        if known is None or (known.size, known.digest) != (size, digest):
            self._coming = known = _Coming(size, digest, version)
        return Status.OK, str(len(known.data))

    def _piece(self, offset: int, data: bytes) -> tuple[Status, str]:
        coming = self._coming
        if coming is None:
            return Status.REFUSED, "nothing begun"
        if offset != len(coming.data):
            return (Status.OK if offset < len(coming.data) else Status.BAD_ARGUMENT), str(len(coming.data))
        coming.data += data[: coming.size - offset]
        return Status.OK, str(len(coming.data))

    def _check(self) -> tuple[Status, str]:
        coming = self._coming
        if coming is None or len(coming.data) < coming.size:
            return Status.REFUSED, "not whole"
        if hashlib.sha256(coming.data).digest() != coming.digest:
            self._coming = None
            return Status.REFUSED, "hash differs"
        if not coming.data.startswith(MAGIC):
            self._coming = None
            return Status.REFUSED, "not for this device"
        coming.right = True
        return Status.OK, ""

    def _start(self, refusal: str, now_ns: Nanos) -> tuple[Status, str]:
        coming = self._coming
        if self._next is not None:
            return Status.OK, ""
        if coming is None or not coming.right:
            return Status.REFUSED, "not checked"
        if refusal:
            return Status.REFUSED, refusal
        version = bytes(coming.data[len(MAGIC) : len(MAGIC) + VERSION_BYTES]).rstrip(b"\0")
        self._next, self._coming = version.decode("ascii", "replace"), None
        self.restart_at_ns = now_ns + 50_000_000
        return Status.OK, ""
