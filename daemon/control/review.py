"""What the worker answers about what was recorded: trends, full disclosure, the gap certificate, "why this number?".

`POST /trends`, `/disclosure`, `/gaps` and `/why` with what is asked as JSON. Times are UTC in milliseconds; the clock of the
box says with them whether it could be believed.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_POINTS = 1500
MOST_SERIES = 12
MOST_DAYS = 31
MOST_COLUMNS = 480_000
"""Of one answer of full disclosure, over all its rows and leads: two megabytes."""

Which = Literal["present", "all"]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TrendAsked(_Message):
    """`series` by their ids (none: only what there is); `patients`: of the newest stay in the span alone, or of everybody."""

    bed: str
    from_ms: float
    to_ms: float
    points: int = Field(600, ge=2, le=MOST_POINTS)
    series: tuple[int, ...] = Field((), max_length=MOST_SERIES)
    patients: Which = "present"


class SeriesTold(_Message):
    """A measurement that was ever stored of the bed. `device` "" = measured by us."""

    id: int
    name: str
    lead: str
    device: str
    unit: str


class BandTold(_Message):
    """A series in buckets: lowest, median and highest value of each; null = none was said in it."""

    id: int
    low: tuple[float | None, ...]
    mid: tuple[float | None, ...]
    high: tuple[float | None, ...]


class MarkTold(_Message):
    """Something on the line of time. `kind` "alarm" (`name` a row), "act" (what a person did), "device", "event".

    `to_ms` null: of a moment, or not known to be over. `t_ns` of `boot` is its own time, to open its strip by.
    """

    kind: Literal["alarm", "act", "device", "event"]
    name: str
    t_ms: float
    to_ms: float | None = None
    boot: str = ""
    t_ns: int = 0
    priority: str = ""
    who: str = ""
    detail: str = ""
    occurrence: str = ""


class StayTold(_Message):
    """Who was at the bed. `patient_id` "" = nobody was admitted."""

    from_ms: float
    to_ms: float
    patient_id: str
    full_name: str


class MissingTold(_Message):
    """Nothing is stored of a stream ("device/name"; "" = of none) from then to then, and why.

    `first` and `count` are sample numbers of a segment, null between segments. `received`: the samples came and were shown.
    """

    stream: str
    from_ms: float
    to_ms: float
    cause: str
    segment: str | None = None
    first: int | None = None
    count: int | None = None
    received: bool = False

    @property
    def seconds(self) -> float:
        return (self.to_ms - self.from_ms) / 1000


class TrendTold(_Message):
    """Bucket k is from_ms + k * step_ms .. + step_ms. `read`: the share of the span that was looked at (1 = all of it).

    `gaps`: when nothing of a stream was stored, gaps closer than a bucket taken together. `left_out` marks were too many.
    """

    from_ms: float
    to_ms: float
    step_ms: float
    points: int
    read: float
    clock: Literal["set", "unset"]
    series: tuple[SeriesTold, ...]
    bands: tuple[BandTold, ...] = ()
    marks: tuple[MarkTold, ...] = ()
    left_out: int = 0
    stays: tuple[StayTold, ...] = ()
    gaps: tuple[MissingTold, ...] = ()


class DisclosureAsked(_Message):
    """`rows` stretches of `row_s` seconds from `from_ms` on, each `width` columns wide; no `leads` = all there are."""

    bed: str
    from_ms: float
    rows: int = Field(15, ge=1, le=60)
    row_s: float = Field(60.0, ge=5, le=300)
    width: int = Field(1000, ge=50, le=2000)
    leads: tuple[str, ...] = Field((), max_length=20)


class DisclosureTold(_Message):
    """What goes before the columns: which leads there are and which are shown, what is missing, what happened.

    `beats` are those that are not normal: (time in ms, class). `from_ms` of the first row, `newest_ms` of the last sample stored.
    """

    from_ms: float
    row_ms: float
    rows: int
    width: int
    available: tuple[str, ...]
    leads: tuple[str, ...]
    oldest_ms: float | None
    newest_ms: float | None
    clock: Literal["set", "unset"]
    gaps: tuple[MissingTold, ...] = ()
    marks: tuple[MarkTold, ...] = ()
    left_out: int = 0
    stays: tuple[StayTold, ...] = ()
    beats: tuple[tuple[float, str], ...] = ()
    boots: tuple[tuple[str, float, float, float], ...] = ()
    """Of each boot in the span: its id, from and to (ms of UTC), and what to add to its own ms to get UTC."""


class GapsAsked(_Message):
    """A span to certify. `check`: read every stored second too, which takes its time (spans up to two days)."""

    bed: str
    from_ms: float
    to_ms: float
    check: bool = False


class StreamTold(_Message):
    """A stream in the span: how much of it is there, s."""

    stream: str
    channels: tuple[str, ...]
    rate_hz: float
    stored_s: float
    missing_s: float


class CloudTold(_Message):
    """What a destination has: every sample measured before `until_ms` (null with `everything`: all that is stored)."""

    name: str
    state: str
    everything: bool
    until_ms: float | None = None


class CertificateTold(_Message):
    """What is missing of a bed in a span, with what it was computed from.

    `digest` is a SHA-256 over the ledger rows of the span (`rows` of them, review/gaps.py: ledger_rows): the same rows give the same digest.
    `asked_to_ms` is what was asked for; what is younger than `to_ms` is not on the disk yet. `clouds` null: the forwarder is silent.
    """

    box: str
    serial: str
    bed: str
    from_ms: float
    to_ms: float
    asked_to_ms: float
    made_ms: float
    clock: Literal["set", "unset"]
    checked: bool
    complete: bool
    streams: tuple[StreamTold, ...] = ()
    missing: tuple[MissingTold, ...] = ()
    left_out: int = 0
    clouds: tuple[CloudTold, ...] | None = None
    rows: int = 0
    digest: str = ""
    text: str = ""
    """The same as a sheet to print and sign."""


class WhyAsked(_Message):
    """A number (`name`, `lead`, `device`; `t_ms` 0 = the newest), a beat (`segment`, `sample`) or an alarm (`occurrence`).

    Of the numbers within `within_ms` of `t_ms` the nearest in time, or with `value` the nearest to that.
    """

    bed: str
    kind: Literal["number", "beat", "alarm"]
    name: str = Field("", max_length=100)
    lead: str = Field("", max_length=40)
    device: str = Field("", max_length=200)
    t_ms: float = 0
    within_ms: float = Field(5000, gt=0, le=86_400_000)
    value: float | None = None
    segment: str = Field("", max_length=100)
    sample: int = Field(0, ge=0)
    occurrence: str = Field("", max_length=200)


class EvidenceTold(_Message):
    """Samples `first` .. `last` of a segment, when they were, and the rule with its version. `missing_s` of them are not stored."""

    segment: str
    stream: str
    rate_hz: float
    first: int
    last: int
    from_ms: float
    to_ms: float
    rule: str
    missing_s: float


class AgainTold(_Message):
    """The computation done again. `state` "cannot" has a `reason` (a word key). `warm_s`: how long it ran up before.

    `difference` = again - as stored, where both are numbers. `rule` is the version that computed again.
    """

    state: Literal["agrees", "differs", "cannot"]
    reason: str = ""
    value: float | None = None
    why: str | None = None
    text: str = ""
    difference: float | None = None
    tolerance: float | None = None
    rule: str = ""
    warm_s: float = 0
    off_ms: float | None = None


class WhyTold(_Message):
    """A value as stored and where it comes from. `text`: the class of a beat, the row of an alarm."""

    kind: Literal["number", "beat", "alarm"]
    bed: str
    name: str
    lead: str
    device: str
    unit: str
    value: float | None
    why: str | None
    text: str
    priority: str
    quality: float | None
    t_ms: float
    boot: str
    t_ns: int
    clock: Literal["set", "unset"]
    limits: tuple[tuple[str, float], ...] = ()
    evidence: tuple[EvidenceTold, ...] = ()
    again: AgainTold
    beats: tuple[tuple[float, str, str, int], ...] = ()
    """Beats around it: time in ms, class, segment, sample."""
