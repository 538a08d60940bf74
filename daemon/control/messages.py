"""What travels over the control socket, and on to the pages.

`GET /live` is a WebSocket. Text messages are `Live`: a `State`, the latest truth about every bed, sent when it changes and
at least every second; what changes slowly and is long has messages of its own, one a bed (`MeasuredSeen`, `EventsSeen`);
and a `BeatSeen` for each beat. Binary messages are wave frames (`encode_waves`). A reader that is late loses wave frames
and older texts; the newest text of each kind always comes.
`POST /command` takes an `Act` and answers an `Acted`. `GET /status` answers a `State`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from daemon.model.findings import DisplayBlock

NO_SIGNAL = -32768
"""In a wave frame: nothing to draw here (a gap, an electrode off)."""

MICROVOLTS_PER_COUNT = 1.0
"""Resolution of wave frames: 1 uV, so that int16 spans +/- 32.767 mV."""

_HEADER = struct.Struct("<BBHIqqfHH")
_VERSION, _WAVES = 1, 1


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MetricState(_Message):
    """A number on a tile. `value` null = absent, and `why` says the reason as a word key."""

    value: float | None
    unit: str
    t_ns: int
    why: str | None = None
    lead: str = ""
    quality: float = 1.0


class QualityState(_Message):
    """The quality of one lead."""

    grade: str
    trouble: str = ""
    electrodes: tuple[str, ...] = ()


class DeviceState(_Message):
    """A device of a bed; `state` is a word key (LinkState)."""

    label: str
    kind: str
    title: str
    device: str
    firmware: str
    port: str
    state: str
    since_ns: int
    rate_hz: float
    drift_ppm: float | None
    bytes_in: int
    bytes_damaged: int
    samples_lost: int
    detail: str = ""


class WaveState(_Message):
    """What the wave frames of a bed hold now. `chain` is printed on the screen as it stands."""

    leads: tuple[str, ...]
    rate_hz: float
    chain: tuple[str, ...]
    segment: str


class DisplayState(_Message):
    """The bed's display filters."""

    mode: Literal["diagnostic", "monitor", "st"]
    mains_hz: Literal[0, 50, 60]
    cleaning: bool


class RhythmState(_Message):
    """A rhythm that goes on; `label` is WFDB's, and a word key ("rhythm." + label). Several may, a block beside its rhythm."""

    label: str
    since_ns: int


class BedState(_Message):
    """One bed. `index` is the bed's number in wave frames; `metrics` are the numbers that are not of one lead each."""

    bed: str
    index: int
    name: str
    display: DisplayState
    waves: WaveState | None = None
    metrics: dict[str, MetricState] = Field(default_factory=dict)
    quality: dict[str, QualityState] = Field(default_factory=dict)
    rhythms: tuple[RhythmState, ...] = ()
    devices: tuple[DeviceState, ...] = ()


class FactSeen(_Message):
    """A state of the box, or of one `bed`, that a person should know; `source` is a word key."""

    source: str
    state: str
    since_ns: int
    detail: str = ""
    bed: str = ""


class State(_Message):
    """The latest truth about everything but waves. `now_ns` is CLOCK_BOOTTIME, `utc_ms` the box's idea of UTC."""

    type: Literal["state"] = "state"
    seq: int
    boot: str
    version: str
    box: str
    demo: bool
    now_ns: int
    utc_ms: int
    beds: tuple[BedState, ...]
    facts: tuple[FactSeen, ...] = ()


class BeatSeen(_Message):
    """A beat, for the mark over the wave and the pulse of the tile."""

    type: Literal["beat"] = "beat"
    bed: str
    t_ns: int
    label: str


class CriterionState(_Message):
    """What was measured against what (model/findings.py: Criterion)."""

    name: str
    lead: str
    value: float
    unit: str
    relation: str
    limit: float | None


class StatementState(_Message):
    """A statement of the interpretation: `key` is a word key ("statement." + key); `absent`: (name, why)."""

    key: str
    criteria: tuple[CriterionState, ...] = ()
    absent: tuple[tuple[str, str], ...] = ()
    unconfirmed: bool = True


class ConclusionsState(_Message):
    """What the twelve leads show, as of `t_ns`."""

    t_ns: int
    statements: tuple[StatementState, ...]


class MeasuredSeen(_Message):
    """What is measured now and then: the numbers of each lead, by lead and name, and the conclusions."""

    type: Literal["measured"] = "measured"
    bed: str
    leads: dict[str, dict[str, MetricState]] = Field(default_factory=dict)
    conclusions: ConclusionsState | None = None


class EventState(_Message):
    """Something that happened, or a rhythm; `name` is a word key (kind + "." + name), `id` counts up.

    A rhythm that goes on has `on` and no `end_ns`; neither: it was lost from sight. The rest is the evidence: the rule, what
    it went by (name, value, unit), and the samples `first` .. `last` of a segment.
    """

    id: int
    kind: Literal["event", "rhythm"]
    name: str
    t_ns: int
    end_ns: int | None = None
    on: bool = False
    detail: str = ""
    numbers: tuple[tuple[str, float, str], ...] = ()
    rule: str
    segment: str
    first: int
    last: int


class EventsSeen(_Message):
    """The last events and rhythms of a bed, oldest first; bounded."""

    type: Literal["events"] = "events"
    bed: str
    events: tuple[EventState, ...] = ()


Live = State | MeasuredSeen | EventsSeen | BeatSeen


class Act(_Message):
    """An operator's act. Verbs: "display" (values mode, mains_hz, cleaning)."""

    id: str = Field(min_length=8, max_length=64)
    bed: str
    verb: Literal["display"]
    values: dict[str, str] = Field(default_factory=dict)


class Acted(_Message):
    """The daemon's answer to an `Act`: done, or refused with the reason."""

    id: str
    acted: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class Waves:
    """A decoded wave frame: `values` int16 of shape (leads, n), times `scale` (uV per count of each lead)."""

    bed_index: int
    connection: int
    first: int
    t0_ns: int
    rate_hz: float
    scale: npt.NDArray[np.float32]
    values: npt.NDArray[np.int16]


def encode_waves(bed_index: int, block: DisplayBlock) -> bytes:
    """A wave frame, little-endian.

    | offset | type | what |
    |---|---|---|
    | 0 | u8, u8 | version 1, kind 1 |
    | 2 | u16 | bed index |
    | 4 | u32 | connection: changes when a new segment begins |
    | 8 | i64 | number of the first sample in its segment |
    | 16 | i64 | its time, ns of CLOCK_BOOTTIME |
    | 24 | f32 | samples per second |
    | 28 | u16, u16 | leads, samples n |
    | 32 | f32 x leads | microvolts per count, padded with zeros to a multiple of 8 bytes |
    | then | i16 x leads x n | values, lead by lead; -32768 = nothing to draw |
    """
    leads, n = block.values.shape
    header = _HEADER.pack(
        _VERSION,
        _WAVES,
        bed_index,
        block.segment.connection,
        block.first,
        block.t0_ns,
        1e9 / block.period_ns,
        leads,
        n,
    )
    scale = np.zeros(leads + leads % 2, dtype="<f4")
    scale[:leads] = MICROVOLTS_PER_COUNT
    counts = block.values * np.float32(1000.0 / MICROVOLTS_PER_COUNT)
    counts = np.rint(counts, out=counts)
    # The ufuncs themselves: np.clip costs more in Python than the samples of a frame do.
    np.maximum(np.minimum(counts, np.float32(32767), out=counts), np.float32(-32767), out=counts)
    absent = np.isnan(counts)
    if absent.any():
        counts[absent] = NO_SIGNAL
    values: npt.NDArray[np.int16] = counts.astype("<i2")
    return header + scale.tobytes() + values.tobytes()


def decode_waves(frame: bytes) -> Waves:
    """The inverse of `encode_waves`; ValueError on anything else."""
    if len(frame) < _HEADER.size:
        raise ValueError("wave frame too short")
    version, kind, bed, connection, first, t0_ns, rate_hz, leads, n = _HEADER.unpack_from(frame)
    at = _HEADER.size + 4 * (leads + leads % 2)
    if (version, kind) != (_VERSION, _WAVES) or len(frame) != at + 2 * leads * n:
        raise ValueError("not a wave frame of version 1")
    scale = np.frombuffer(frame, "<f4", leads, _HEADER.size)
    values = np.frombuffer(frame, "<i2", leads * n, at).reshape(leads, n)
    return Waves(bed, connection, first, t0_ns, rate_hz, scale, values)
