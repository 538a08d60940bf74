"""Findings: what analysis says. Each keeps the samples it came from and the version of the rule that said it.

`t_ns` is the time of what it is about, `due_ns` the time of the last sample that the decision needed, rounded up to the
live step of 50 ms: the same live and in bulk, so that results do not depend on the cut. `due_ns >= t_ns`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from daemon.model.signals import Nanos, Segment

LIVE_STEP_NS: Nanos = 50_000_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """Samples `first` .. `last` (inclusive) of a segment, and the rule with its version ("qrs/1")."""

    segment: str
    first: int
    last: int
    rule: str


class BeatClass(StrEnum):
    """AAMI EC57 classes, and paced."""

    NORMAL = "N"
    SUPRAVENTRICULAR = "S"
    VENTRICULAR = "V"
    FUSION = "F"
    UNKNOWN = "Q"
    PACED = "/"


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat; `sample` and `t_ns` are those of its R mark. `late`: said during start-up, seconds after the beat."""

    t_ns: Nanos
    due_ns: Nanos
    sample: int
    label: BeatClass
    rr_ms: float | None
    evidence: Evidence
    late: bool = False


class Why(StrEnum):
    """Why a measurement is absent. Keys of daemon/words: the page says it in a sentence."""

    NO_DEVICE = "no_device"  # nothing is attached
    NO_SIGNAL = "no_signal"  # attached, and nothing comes
    LEADS_OFF = "leads_off"
    NOISE = "noise"
    SATURATED = "saturated"
    FLAT = "flat"
    LEARNING = "learning"  # too few beats yet
    NO_BEATS = "no_beats"  # signal is good and there is no beat in it
    NO_WAVE = "no_wave"  # the wave that it is measured from is not there
    IRREGULAR = "irregular"  # the rhythm, or its rate, is not steady enough for it to mean anything
    ECTOPIC = "ectopic"  # too many beats that are not normal
    INCONSISTENT = (
        "inconsistent"  # the limb leads do not add up (I + III is not II): their scales or places are wrong
    )
    NO_RHYTHM = "no_rhythm"  # no beats of a rhythm that it can be measured in
    NO_BREATHS = "no_breaths"  # flow is seen and nobody breathes
    ANALYSIS_FAILED = "analysis_failed"


@dataclass(frozen=True, slots=True)
class Metric:
    """A number measured by us: `name` as in the seeds ("heart_rate", "rr_interval"), `unit` of daemon/units.py.

    `value` None with `why`: unknown is not zero and not the last value. `quality` 0.0 (worst) .. 1.0.
    """

    t_ns: Nanos
    due_ns: Nanos
    name: str
    value: float | None
    unit: str
    why: Why | None
    lead: str
    quality: float
    evidence: Evidence | None


class Grade(StrEnum):
    """Signal quality of a lead."""

    GOOD = "good"
    ACCEPTABLE = "acceptable"
    POOR = "poor"
    OFF = "off"


class Trouble(StrEnum):
    """What is wrong with a lead. Keys of daemon/words."""

    NONE = ""
    OFF = "electrode_off"
    SATURATED = "saturated"
    FLAT = "flat"
    MAINS = "mains"
    WANDER = "wander"
    MUSCLE = "muscle"
    MOTION = "motion"


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of one lead (`lead` "global": of all together) from `t_ns` on; said when it changes.

    `electrodes` names those that are off, where the device can tell ("LA", "V4").
    """

    t_ns: Nanos
    due_ns: Nanos
    lead: str
    grade: Grade
    trouble: Trouble
    electrodes: tuple[str, ...] = ()
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Waves:
    """P, QRS and T of one beat in one lead (`lead` "global": over all leads). `t_ns` is the beat's; None = not there.

    Marks are times, ns. `p_state` says whether a P is "present", "absent" or "unknown" (noise, start, P within T).
    """

    t_ns: Nanos
    due_ns: Nanos
    lead: str
    p_on_ns: Nanos | None
    p_peak_ns: Nanos | None
    p_off_ns: Nanos | None
    qrs_on_ns: Nanos | None
    qrs_off_ns: Nanos | None
    t_on_ns: Nanos | None
    t_peak_ns: Nanos | None
    t_off_ns: Nanos | None
    p_state: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A stretch of one rhythm, from `t_ns` to `end_ns` (None: still going on). Labels are WFDB's ("AFIB", "VFL", "VT", "N" ...).

    Said when it begins and again when it ends.
    """

    t_ns: Nanos
    due_ns: Nanos
    end_ns: Nanos | None
    label: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class RunCounted:
    """How many beats a ventricular run from `t_ns` on has by now, and how fast they are; said while it grows, to alarms alone."""

    t_ns: Nanos
    due_ns: Nanos
    beats: int
    rate_bpm: float
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth a person's look. `name` is a word key; `numbers` (name, value, unit) are what the rule went by.

    A number of one lead is named "st_j.V2". `detail` is a word key too, "" for none: the territory ("inferior"), the exchange ("ra_la").
    """

    t_ns: Nanos
    due_ns: Nanos
    name: str
    numbers: tuple[tuple[str, float, str], ...]
    evidence: Evidence
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Criterion:
    """What was measured against what: `value` `relation` `limit`, in `unit`. `lead` "" = not of one lead.

    `relation` is ">", ">=", "<", "<=" or "=" (the value is the evidence, and there is no limit to it).
    """

    name: str
    lead: str
    value: float
    unit: str
    relation: str = "="
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of an interpretation: `key` of daemon/words ("statement." + key), and the criteria that fired.

    `absent` names what could not be measured, and why. No statement is confirmed before a clinician has confirmed it.
    """

    key: str
    criteria: tuple[Criterion, ...] = ()
    absent: tuple[tuple[str, Why], ...] = ()
    unconfirmed: bool = True


@dataclass(frozen=True, slots=True)
class Conclusions:
    """What a recording of twelve leads shows, as of `t_ns`, in place of what was said before."""

    t_ns: Nanos
    due_ns: Nanos
    statements: tuple[Statement, ...]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class DisplayBlock:
    """Filtered samples for the screen: float32 of shape (leads, n), NaN where there is nothing to draw.

    In mV where `units` is empty (an ECG), else each row in its own; `leads` are then names of channels (dsp/traces.py).

    Sample numbers are the segment's, so the delay of the display filters is already taken out of `first`.
    `chain` names the filters that were on, in order, as printed on the screen.
    """

    segment: Segment
    first: int
    t0_ns: Nanos
    period_ns: float
    due_ns: Nanos
    leads: tuple[str, ...]
    values: npt.NDArray[np.float32]
    chain: tuple[str, ...]
    units: tuple[str, ...] = ()


Finding = Beat | Metric | Quality | Waves | Rhythm | RunCounted | Event | Conclusions | DisplayBlock
