"""What a destination does next, what it came to, and what is known of it: the words between `Delivery` and who carries it out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from daemon.forward.lanes import Part
from daemon.model.outgoing import Lane


@dataclass(slots=True, eq=False)
class Batch:
    """A sealed request: `members` are the seqs in it, first .. last the stretch of the lane that its delivery finishes."""

    key: str
    lane: Lane
    live: bool
    first: int
    last: int
    members: tuple[int, ...]
    size: int
    tries: int = 0
    due_s: float = 0.0
    began_s: float = 0.0

    @property
    def part(self) -> Part:
        return Part(self.lane, self.live)


@dataclass(frozen=True, slots=True)
class Open:
    """Connect and sign in."""


@dataclass(frozen=True, slots=True)
class Gather:
    """Seal a request from seqs first .. last of a part: about `size` bytes, at most `most` records."""

    part: Part
    first: int
    last: int
    size: int
    most: int


@dataclass(frozen=True, slots=True)
class Try:
    """Send a sealed request."""

    batch: Batch


class Consequence(Enum):
    """What the end of a try asks of the ledger."""

    DELIVERED = auto()  # the stretch is done
    KEPT = auto()  # the same bytes again
    HALVED = auto()  # two requests in its place
    QUARANTINED = auto()  # a single record that is refused: set aside, the stretch is done
    GIVEN_BACK = (
        auto()
    )  # the request is undone, and so are the latest quarantines of the lane: nobody takes any


@dataclass(slots=True)
class Standing:
    """What is known of a destination beside its records, as the ledger keeps it."""

    paused_by: str = ""
    parked: str = ""
    limit_bytes: int = 0
    refusing: dict[Lane, str] = field(default_factory=dict)
