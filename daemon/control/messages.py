"""What travels over the control socket, and on to the pages.

`GET /live` is a WebSocket. Text messages are `Live`: a `State`, the latest truth about every bed, sent when it changes and
at least every second; what changes slowly and is long has messages of its own, one a bed (`MeasuredSeen`, `EventsSeen`);
an `AlarmsSeen` for each bed, at once when anything of its alarms changes and every second, a `LimitsSeen` when its limits do;
and a `BeatSeen` for each beat. Binary messages are wave frames (waves.py). A reader that is late loses wave frames and older
texts; the newest text of each kind always comes.
`POST /command` takes an `Act` and answers an `Acted`. `GET /status` answers a `State`, `GET /limits?bed=` a `LimitsTold`.
`POST /screens` takes a `ScreensSeen`, every second from whoever serves screens.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from daemon.control.attached import DeviceState, StatusState, WaveState
from daemon.control.occupant import PatientState

PriorityWord = Literal["low", "medium", "high"]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MetricState(_Message):
    """A number on a tile. `lead` is the device that says it where it is a device's own. `value` null = absent, and `why` says the reason as a word key."""

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
    """One bed. `index` is that of its ECG in wave frames; `traces` are its other waves, each a group with an index of its own.

    `metrics` are the numbers that are not of one lead each.
    """

    bed: str
    index: int
    name: str
    display: DisplayState
    waves: WaveState | None = None
    traces: tuple[WaveState, ...] = ()
    metrics: dict[str, MetricState] = Field(default_factory=dict)
    quality: dict[str, QualityState] = Field(default_factory=dict)
    rhythms: tuple[RhythmState, ...] = ()
    devices: tuple[DeviceState, ...] = ()
    statuses: tuple[StatusState, ...] = ()
    patient: PatientState | None = None


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


class EvidenceState(_Message):
    """The samples `first` .. `last` of a segment that something was said from, and the rule."""

    segment: str
    first: int
    last: int
    rule: str


class AlarmState(_Message):
    """One alarm of the list (model/alarms.py: Alarm). `text` and `text`.check are word keys, `values` fill their places.

    `value` is the last that was beyond the limit, `worst` the farthest; `updating` false: its source is bad or silent.
    """

    occurrence: str
    row: str
    instance: str
    about: Literal["patient", "technical"]
    priority: PriorityWord
    phase: Literal["active", "acknowledged", "latched", "latched_acknowledged"]
    text: str
    values: tuple[tuple[str, str | float], ...] = ()
    value: float | None = None
    worst: float | None = None
    limit: float | None = None
    unit: str = ""
    t_ns: int
    active_ns: int
    sounds: bool
    flashes: bool
    updating: bool
    covered_by: str = ""
    acknowledged_ns: int | None = None
    acknowledged_by: str = ""
    evidence: tuple[EvidenceState, ...] = ()


class PauseState(_Message):
    """AUDIO PAUSED or ALARM PAUSED until `until_ns`; `row` "" = all alarms."""

    kind: Literal["audio_paused", "alarm_paused"]
    row: str
    until_ns: int
    since_ns: int
    actor: str
    screen: str


class OffState(_Message):
    """ALARM OFF: a row that a person has switched off."""

    row: str
    actor: str
    since_ns: int


class PictureState(_Message):
    """How the alarms of a bed stand (model/alarms.py: AlarmPicture): worst and newest first.

    `sound`: what is heard; `worst`: the highest priority of what is there, heard or not; `unarmed`: rows whose measurement
    has never been valid; `differing`: rows whose limits are not the default ones.
    """

    sound: PriorityWord | None = None
    group: str = ""
    worst: PriorityWord | None = None
    alarms: tuple[AlarmState, ...] = ()
    pauses: tuple[PauseState, ...] = ()
    off: tuple[OffState, ...] = ()
    unarmed: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()


class LimitState(_Message):
    """A number that can be set, and its range. It is set with the verb "limits" as "<row>.<key>"."""

    key: str
    value: float
    default: float
    low: float
    high: float
    step: float
    unit: str


class LimitRowState(_Message):
    """What can be set of one row of the alarm table. `delay` null: it has none that can be set; `on` is ALARM ON or OFF.

    `in_force`: the numbers that are judged by, where another row's limit has moved them (key -> value).
    """

    row: str
    priority: PriorityWord
    on: bool
    may_be_off: bool
    on_default: bool
    delay: LimitState | None = None
    limits: tuple[LimitState, ...] = ()
    in_force: dict[str, float] = Field(default_factory=dict)


class AlarmsSeen(_Message):
    """The alarms of a bed. `now_ns` is the last Tick that the engine has judged: one that stands still is one that is broken.

    Said with the Tick that changed anything, and every second.
    """

    type: Literal["alarms"] = "alarms"
    bed: str
    now_ns: int
    picture: PictureState = PictureState()


class LimitsSeen(_Message):
    """What can be set of the alarms of a bed: one row a line of the alarm table, in its order. Said when it changes."""

    type: Literal["limits"] = "limits"
    bed: str
    limits: tuple[LimitRowState, ...] = ()


class ProposalState(_Message):
    """A limit proposed from the present `value` of `metric`: times x value + plus, kept within `least` .. `most`."""

    row: str
    key: str
    limit: float
    metric: str
    value: float
    unit: str
    times: float
    plus: float
    least: float
    most: float


class LimitsTold(_Message):
    """The limits of a bed, and those that its present values propose. To be confirmed by a person, never set unasked."""

    bed: str
    limits: tuple[LimitRowState, ...] = ()
    proposed: tuple[ProposalState, ...] = ()


class ScreenState(_Message):
    """A page that is open on `bed` ("" = on all beds): in view, drawing, and whether alarms are heard from it.

    `tests`: the occurrences of alarm tests that stand in its alarm line.
    """

    bed: str
    visible: bool
    draws: bool
    sound: Literal["on", "off", "blocked", "none"]
    tests: tuple[str, ...] = ()


class ScreensSeen(_Message):
    """All pages that are open now."""

    screens: tuple[ScreenState, ...] = ()


Live = State | MeasuredSeen | EventsSeen | AlarmsSeen | LimitsSeen | BeatSeen

AlarmVerb = Literal[
    "acknowledge",
    "reset",
    "audio_pause",
    "audio_pause_cancel",
    "alarm_pause",
    "alarm_pause_cancel",
    "alarm_off",
    "alarm_on",
    "limits",
    "test",
    "admit",
    "discharge",
]


class Act(_Message):
    """An operator's act.

    Verbs: "display" (values mode, mains_hz, cleaning), "set_device" (device, name, value), "assign_device" (device, to: the
    key of a bed), and those of the alarms (alarms/acts.py). Of an alarm verb, the value "screen" names the screen that it was done at.
    """

    id: str = Field(min_length=8, max_length=64)
    bed: str
    verb: Literal["display", "set_device", "assign_device"] | AlarmVerb
    values: dict[str, str] = Field(default_factory=dict)


class Acted(_Message):
    """The daemon's answer to an `Act`: done, or refused with the reason in words."""

    id: str
    acted: bool
    error: str = ""
