"""Items: everything that enters a bedside, in the order in which it happened.

`t_ns` is int64 nanoseconds of CLOCK_BOOTTIME (in an offline analysis: nanoseconds from the start of the recording).
Order is (boot, t_ns). Samples are counts, bit for bit as they came; missing data is a `Gap`, never a made-up sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from firmware_bridge.frames import Channel, Counts, Nanos, Quantity

__all__ = [
    "TICK_NS",
    "Channel",
    "Command",
    "Counts",
    "DeviceReply",
    "DeviceSeen",
    "DeviceStatus",
    "Fact",
    "FactState",
    "Gap",
    "GapCause",
    "Item",
    "LeadState",
    "LinkState",
    "Nanos",
    "Quantity",
    "Reading",
    "SampleBlock",
    "Segment",
    "Settable",
    "Stream",
    "Tick",
]

TICK_NS: Nanos = 100_000_000


@dataclass(frozen=True, slots=True)
class Stream:
    """A device's channels sampled together. `device` is its serial number, or a stable label of its port where it has none."""

    device: str
    name: str
    rate_hz: float
    channels: tuple[Channel, ...]

    @property
    def id(self) -> str:
        return f"{self.device}/{self.name}"


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of a stream between a connection and its loss. Every sample has a number in it, from 0.

    `id` is unique for ever (UUID text); `connection` counts the device's connections within the boot.
    """

    id: str
    bed: str
    stream: Stream
    boot: str
    connection: int
    began_ns: Nanos


@dataclass(frozen=True, slots=True)
class SampleBlock:
    """Samples `first` .. `first + n - 1` of a segment; `counts` int32 of shape (channels, n), C order.

    `t0_ns` is the fitted time of sample `first`, `period_ns` the fitted sample period (a float: a crystal's error counts),
    `error_ns` the standard error of that fit, `arrived_ns` when the block's last byte was in hand. t0_ns <= arrived_ns.
    """

    segment: Segment
    first: int
    t0_ns: Nanos
    period_ns: float
    counts: Counts
    arrived_ns: Nanos
    error_ns: float = 0.0

    @property
    def n(self) -> int:
        return int(self.counts.shape[1])

    def time_of(self, sample: int) -> Nanos:
        """Time of a sample number of this segment by this block's fit."""
        return self.t0_ns + round((sample - self.first) * self.period_ns)

    def physical(self) -> npt.NDArray[np.float32]:
        """Values in the channels' units, float32 of shape (channels, n)."""
        channels = self.segment.stream.channels
        gain = np.array([c.gain for c in channels], dtype=np.float64)[:, None]
        offset = np.array([c.offset for c in channels], dtype=np.float64)[:, None]
        return ((self.counts - offset) * gain).astype(np.float32)


class GapCause(StrEnum):
    """Why samples never came."""

    CABLE = "cable"  # the port went away
    NOISE = "noise"  # bytes came that were no frames
    STALL = "stall"  # the line was there and silent
    OVERFLOW = "overflow"  # our own ring was full
    RESTART = "restart"  # the daemon was not running
    DISK = "disk"  # samples were seen and shown, and could not be stored
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples `first` .. `first + count - 1` of a segment that never came, known at `t_ns` (its place in time: `t0_ns`)."""

    segment: Segment
    first: int
    count: int
    t0_ns: Nanos
    t_ns: Nanos
    cause: GapCause


@dataclass(frozen=True, slots=True)
class LeadState:
    """Electrodes attached (True) or off (False) from sample `first` of the segment on."""

    segment: Segment
    first: int
    t_ns: Nanos
    attached: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A number the device itself gave, at `t_ns`. None with a reason where it gave none: unknown is not zero."""

    bed: str
    device: str
    name: str
    value: float | None
    unit: str
    t_ns: Nanos
    why: str = ""


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """A word that a device says of itself at `t_ns`: its mode, its alarm code. "" = it has none. Given when it changes."""

    bed: str
    device: str
    name: str
    text: str
    t_ns: Nanos


@dataclass(frozen=True, slots=True)
class DeviceReply:
    """What became of a setting that a device was asked to take; `request` is the id of the asking."""

    bed: str
    device: str
    request: str
    ok: bool
    text: str
    t_ns: Nanos


class LinkState(StrEnum):
    """A device's link, in words that the page translates."""

    SEARCHING = "searching"  # no port that could be it
    OPENING = "opening"
    SILENT = "silent"  # open, nothing decodable has come
    STREAMING = "streaming"
    STALLED = "stalled"  # streamed, and stopped without the port going away
    LOST = "lost"  # the port went away
    BUSY = "busy"  # another program holds the port
    DENIED = "denied"  # we may not open it
    MOVED = "moved"  # it belongs to another bed now


@dataclass(frozen=True, slots=True)
class Settable:
    """One thing that a device lets be set: `low` to `high` in steps of `step`; a switch is 0 to 1 in steps of 1."""

    name: str
    unit: str
    low: float
    high: float
    step: float


@dataclass(frozen=True, slots=True)
class DeviceSeen:
    """The state of one attached or expected device; sent whenever any of it changes.

    `label` is what the configuration calls it; `port` the path it is or was on; `drift_ppm` its clock against ours.
    `settable` is empty for a device that is read-only.
    """

    bed: str
    label: str
    kind: str
    title: str
    device: str
    firmware: str
    port: str
    state: LinkState
    since_ns: Nanos
    t_ns: Nanos
    rate_hz: float = 0.0
    drift_ppm: float | None = None
    bytes_in: int = 0
    bytes_damaged: int = 0
    samples_lost: int = 0
    detail: str = ""
    settable: tuple[Settable, ...] = ()
    takes_firmware: bool = False


class FactState(StrEnum):
    """How a part of the box or a link is doing."""

    OK = "ok"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Fact:
    """A state of the box: the store failing, analysis failed. `source` is a word key, `since_ns` when this state began.

    `bed` "" = the whole box; such a Fact goes to every bedside.
    """

    source: str
    state: FactState
    since_ns: Nanos
    t_ns: Nanos
    detail: str = ""
    bed: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has moved to `t_ns`, a multiple of 100 ms; every byte that arrived before it, on any port, has been given."""

    t_ns: Nanos


@dataclass(frozen=True, slots=True)
class Command:
    """An operator's act, so that it replays. `id` is unique; `verb` and `values` are of control/messages.py."""

    id: str
    t_ns: Nanos
    bed: str
    actor: str
    verb: str
    values: tuple[tuple[str, str], ...] = ()


Item = (
    SampleBlock | Gap | LeadState | Reading | DeviceStatus | DeviceReply | DeviceSeen | Fact | Tick | Command
)
