"""Destinations: one file each. A destination turns records into one request's bytes, and sends such bytes once.

It knows nothing of retries, lanes, cursors or other destinations: `daemon/forward/delivery.py` does. What it says of a try is
an `Outcome`, and only that decides what becomes of the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from daemon.forward.record import Record
from daemon.model.outgoing import Lane


class Verdict(StrEnum):
    """How a try ended."""

    DONE = "done"  # the receiver has it, durably as far as it says; also when it had it before
    AGAIN = "again"  # network or server trouble: the same bytes again, later
    WAIT = "wait"  # the receiver asks for patience (429, quota): as AGAIN, and it is no failure
    SPLIT = "split"  # too large as a whole: fewer records a request from now on
    REFUSED = (
        "refused"  # something in it is no good to the receiver (400, 422): halve it until the one is found
    )
    PARKED = "parked"  # credentials, certificate, host key, address: a person must act; everything is kept


@dataclass(frozen=True, slots=True)
class Outcome:
    """`reason` is for a person, without secrets or patients' data; `wait_s` the least time before the next try (Retry-After).

    `remote`: what a report's file is called where it was taken, an id or an address without secrets.
    """

    verdict: Verdict
    reason: str = ""
    wait_s: float = 0.0
    remote: str = ""


DONE = Outcome(Verdict.DONE)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One request, frozen: the same bytes under the same key (UUIDv7 text) at every try, across restarts.

    `path` names it among its like: `<kind>/<serial>/<yyyy>/<mm>/<dd>/<lane>/<key>-<sha256, 8 digits>.<ext>` for destinations that
    keep files, the method and path of the request for REST, the topic for MQTT. `media` is its type ("application/json"), `coding`
    "" or "gzip". `file` "" or the path of a file of the box (a report) that goes with it and is not in `data`.
    """

    key: str
    lane: Lane
    path: str
    media: str
    coding: str
    data: bytes
    file: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one request may hold: `bytes` after coding, `records`; and how many requests may be under way at once."""

    bytes: int = 1 << 20
    records: int = 500
    at_once: int = 4


class Destination(Protocol):
    """A place that messages go to. Made from its configuration; does nothing before `open`."""

    bounds: Bounds

    def takes(self, record: Record) -> bool:
        """Whether the destination has a place for such a record at all; what it does not take counts as done."""
        ...

    def gather(self, records: Sequence[Record]) -> int:
        """How many of these records, from the first on (all of one lane), go into one request. At least 1."""
        ...

    def seal(self, key: str, records: Sequence[Record]) -> Sealed:
        """The request for these records. Pure: the same records give the same bytes."""
        ...

    async def open(self) -> Outcome:
        """Connect and sign in, where that is a thing of its own. Called before the first `send` and after PARKED."""
        ...

    async def send(self, sealed: Sealed) -> Outcome:
        """One try, within the destination's own timeout. Never raises for what a network or server can do."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
