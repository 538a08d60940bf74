"""The boards, and what a board is: a machine without I/O, driven by bytes and by the time it is told.

A new board is one file here, one test file, and one line in `BOARDS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from firmware_bridge.boards import (
    contec,
    contec7,
    cyton,
    dm_ecg,
    dm_ecg_ascii,
    gasboard,
    healthypi4,
    healthypi5,
    medibus,
    nonin,
    resmed,
    vlp,
    vt_settings,
)
from firmware_bridge.frames import Facts, Frame, Nanos, Reply, Setting


class Board(Protocol):
    """One attached device's protocol, from the opening of its port to its closing.

    The owner of the port calls `opened` once, then `feed` for whatever arrives and `due` at least every 20 ms, and
    writes what `due` returns; before closing it writes `closing()`. Times are nanoseconds of one monotonic clock.
    None of these raises on any input, and memory is bounded whatever comes in.
    """

    @property
    def facts(self) -> Facts:
        """The board's facts; `streams` may change with settings (a Cyton's channel gain), then a `Settings` frame says so."""

    def opened(self, now_ns: Nanos) -> None:
        """The port is open: begin the start-up sequence (what it sends comes out of `due`)."""

    def feed(self, data: bytes, now_ns: Nanos) -> list[Frame]:
        """Decode what has arrived; `now_ns` is when its last byte was in hand."""

    def due(self, now_ns: Nanos) -> bytes | None:
        """Bytes to send now (commands, polls, resends after a time-out), or None."""

    def closing(self) -> bytes:
        """Bytes to leave the device at rest (stop streaming); b"" when there is nothing to say."""


@runtime_checkable
class Commanded(Protocol):
    """A `Board` whose device takes settings. Every other board is read-only by construction: it has no such call.

    A setting goes in two steps: the device is asked, echoes what it understood, and does it when that echo, found equal,
    is confirmed. The end of it comes out of `feed` or `lapsed` as one `Reply` with the request's name.
    """

    @property
    def settable(self) -> Sequence[Setting]:
        """What this device offers; empty until it has said so."""

    def command(self, request: str, name: str, value: float, now_ns: Nanos) -> str:
        """Begin to set `name`. Returns "" or, when nothing was begun, the reason: unknown, out of range, busy."""

    def lapsed(self, now_ns: Nanos) -> list[Reply]:
        """Replies for requests that the device has not answered in time; called with `due`."""


@runtime_checkable
class Updated(Protocol):
    """A `Board` whose device can take new firmware. What comes of each call is one `Reply`; on the way there are `Progress`es."""

    @property
    def takes_firmware(self) -> bool:
        """Whether this device does."""

    def update(self, request: str, image: bytes, version: str, now_ns: Nanos) -> str:
        """Begin to send an image, which the device checks. "" or why not: read_only, busy."""

    def told(self, request: str, verb: str, now_ns: Nanos) -> str:
        """Say start, keep or back. "" or why not."""


class BoardKind(Protocol):
    """A module of this package: the factory, and how its bytes are recognised."""

    @property
    def FACTS(self) -> Facts:  # noqa: N802 - a constant of a module
        """What is always true of this kind of board."""

    def board(self, options: Mapping[str, str]) -> Board:
        """A new machine. `options` are the configured settings of the device; ValueError names a wrong one."""

    def recognise(self, data: bytes) -> float:
        """How surely these bytes, heard passively or as answers to `questions`, are this board's: 0.0 no, 1.0 proved."""

    def questions(self) -> Sequence[tuple[bytes, int]]:
        """Safe questions for a silent port, only where configuration allows asking: (bytes, how many ms to wait)."""


# A board more is one name here (and in the import above). The order is that in which a silent port is asked.
_KINDS: tuple[BoardKind, ...] = (
    cyton,
    dm_ecg,
    dm_ecg_ascii,
    healthypi4,
    healthypi5,
    medibus,
    resmed,
    vlp,
    gasboard,
    contec7,
    contec,
    nonin,
    vt_settings,
)

BOARDS: Mapping[str, BoardKind] = {kind.FACTS.kind: kind for kind in _KINDS}


def why_no_board(kind: str, options: Mapping[str, str]) -> str:
    """Why a device cannot be set up so, or "": no such kind of board, or a wrong option. `auto` listens first."""
    if kind == "auto":
        return ""
    if kind not in BOARDS:
        return f"there is no board {kind}; there are auto, {', '.join(sorted(BOARDS))}"
    try:
        BOARDS[kind].board(options)
    except ValueError as error:
        return str(error)
    return ""
