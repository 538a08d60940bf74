"""What the reader answers with. Times are nanoseconds of CLOCK_BOOTTIME within one boot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.model.signals import Channel, Counts, Nanos

DAMAGED = "damaged"
"""Cause of a stretch whose stored bytes do not give what was written."""


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot of the box. UTC in nanoseconds = t_ns + utc_offset_ns; None and not set = the clock was never believed."""

    boot: str
    began_ns: Nanos
    utc_offset_ns: int | None
    clock_is_set: bool


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A segment as stored. `stored_until_ns`: directly after its last sample or gap. `ended_by` "" while it is open.

    `daemon_until_ns`: when the daemon that recorded it stopped or died, None while it runs.
    """

    key: int
    id: str
    bed: str
    device: str
    name: str
    rate_hz: float
    channels: tuple[Channel, ...]
    boot: str
    connection: int
    began_ns: Nanos
    stored_until_ns: Nanos
    ended_by: str
    chunk_n: int
    daemon_until_ns: Nanos | None

    @property
    def stream(self) -> str:
        return f"{self.device}/{self.name}"


@dataclass(frozen=True, slots=True)
class Missing:
    """Nothing is stored from `t0_ns` to `t1_ns`, and why (a GapCause, or "damaged").

    `count` samples from `first` of the segment; both None between segments, where nothing was numbered.
    `received`: the samples came and were shown.
    """

    stream: str
    t0_ns: Nanos
    t1_ns: Nanos
    cause: str
    segment: str | None = None
    first: int | None = None
    count: int | None = None
    received: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """From sample `first` on: sample number s is at t0_ns + (s - first) * period_ns, to a standard error."""

    first: int
    t0_ns: Nanos
    period_ns: float
    error_ns: float


@dataclass(frozen=True, slots=True)
class Trace:
    """Samples `first` .. of one segment: `counts` int32 (channels, n), `present` bool (n,); counts are 0 where not present."""

    segment: StoredSegment
    channels: tuple[Channel, ...]
    first: int
    counts: Counts
    present: npt.NDArray[np.bool_]
    fits: tuple[Fit, ...]
    missing: tuple[Missing, ...]

    def physical(self) -> npt.NDArray[np.float32]:
        """Values in the channels' units, float32 (channels, n), NaN where nothing is stored."""
        gain = np.array([c.gain for c in self.channels])[:, None]
        offset = np.array([c.offset for c in self.channels])[:, None]
        values: npt.NDArray[np.float32] = ((self.counts - offset) * gain).astype(np.float32)
        values[:, ~self.present] = np.nan
        return values

    def times_ns(self) -> npt.NDArray[np.int64]:
        """The time of every sample, int64 (n,); within a gap by the fit before it."""
        numbers = self.first + np.arange(self.counts.shape[1])
        which = np.searchsorted([f.first for f in self.fits], numbers, side="right") - 1
        first = np.array([f.first for f in self.fits])[which]
        t0_ns = np.array([f.t0_ns for f in self.fits], np.int64)[which]
        period_ns = np.array([f.period_ns for f in self.fits])[which]
        times: npt.NDArray[np.int64] = t0_ns + np.rint((numbers - first) * period_ns).astype(np.int64)
        return times


@dataclass(frozen=True, slots=True)
class Columns:
    """Lowest and highest value in each of equal columns from t0_ns to t1_ns: float32 (channels, columns), NaN = nothing.

    `step_ns` is how finely columns could be filled: 0 = sample by sample, else whole seconds of samples, each in the
    column in which it begins.
    """

    channels: tuple[Channel, ...]
    t0_ns: Nanos
    t1_ns: Nanos
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]
    step_ns: Nanos


@dataclass(frozen=True, slots=True)
class StoredNumber:
    """A number measured by us (`device` "") or given by a device. `value` None with `why`."""

    t_ns: Nanos
    bed: str
    device: str
    name: str
    lead: str
    unit: str
    value: float | None
    why: str | None
    quality: float
    segment: str | None
    first: int | None
    last: int | None
    rule: str | None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """kind: leads, quality, device, fact, command, alarm ...; `body` as in docs/store.md. `bed` "" = the whole box."""

    t_ns: Nanos
    bed: str
    kind: str
    segment: str | None
    first: int | None
    body: dict[str, object]


@dataclass(frozen=True, slots=True)
class StoredBeat:
    """A heartbeat and its evidence, samples `first` .. `last` of the segment."""

    t_ns: Nanos
    due_ns: Nanos
    segment: str
    sample: int
    label: str
    rr_ms: float | None
    late: bool
    first: int
    last: int
    rule: str
