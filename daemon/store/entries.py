"""What the store is given to write, one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daemon.model.alarms import Change
from daemon.model.findings import Beat, Conclusions, Event, Metric, Quality, Rhythm
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import (
    Command,
    DeviceReply,
    DeviceSeen,
    DeviceStatus,
    Fact,
    Gap,
    LeadState,
    Nanos,
    Reading,
    Segment,
)
from daemon.store.cutting import Chunk
from daemon.store.sessions import Occupant


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """UTC = t_ns + utc_offset_ns, known since `t_ns`; `is_set` False while the box's clock cannot be believed."""

    t_ns: Nanos
    utc_offset_ns: int
    is_set: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """A segment has begun: findings may refer to it before its first chunk is whole."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class Ended:
    """A segment has ended: its device connected anew."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class Stopped:
    """The daemon stops cleanly: every open segment and session ends."""

    t_ns: Nanos


@dataclass(frozen=True, slots=True)
class AlarmsKept:
    """How a bed's alarms stand, to go on from after a restart: its own limits and the engine's state, as JSON holds them."""

    t_ns: Nanos
    limits: Mapping[str, Mapping[str, float | bool]]
    state: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Occupied:
    """Who is at a bed at the start, by box.db; later ones come with the commands "admit" and "discharge"."""

    occupant: Occupant


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Every receiver has all messages up to a seq, by lane; of the file with this `identity`."""

    identity: str
    lanes: Mapping[Lane, int]


Entry = (
    Chunk
    | Gap
    | Opened
    | Ended
    | Stopped
    | ClockOffset
    | LeadState
    | Reading
    | DeviceStatus
    | DeviceReply
    | DeviceSeen
    | Fact
    | Command
    | Beat
    | Metric
    | Quality
    | Rhythm
    | Event
    | Conclusions
    | Change
    | AlarmsKept
    | Outgoing
    | Occupied
    | Confirmed
)
