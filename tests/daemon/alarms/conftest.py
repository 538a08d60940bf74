"""A bed whose findings are written by hand, Tick by Tick."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.model.alarms import ChangeKind
from daemon.model.findings import (
    Beat,
    BeatClass,
    Event,
    Evidence,
    Grade,
    Metric,
    Quality,
    Rhythm,
    RunCounted,
    Trouble,
    Why,
)
from daemon.model.signals import (
    Channel,
    Command,
    DeviceSeen,
    Fact,
    FactState,
    LeadState,
    Quantity,
    Reading,
    SampleBlock,
    Segment,
    Stream,
    Tick,
)

S = 1_000_000_000
TICK = S // 10
HZ = 500
ECG = Stream("ECG-1", "ecg", HZ, (Channel("II", Quantity.ECG, "mV", 0.001),))
ECG_SEGMENT = Segment("seg", "1", ECG, "b", 1, 0)


class Bed:
    """Says every second what is set in `values` ({metric: value or Why}) and beats every `rr_s`; runs Tick by Tick."""

    def __init__(self, limits=None, **kwargs):
        self.engine = AlarmEngine(limits or Limits(), boot="b", **kwargs)
        self.now = 0
        self.values = {}
        self.leads = {}
        self.rr_s = None
        self.label = BeatClass.NORMAL
        self.segment = "seg"
        self.changes = []
        self.acts = 0
        self._last_beat = 0
        self._said_second = -1
        self._pending = []
        self._in_tick = False

    @property
    def at(self):
        """What is said between two Ticks belongs to the next one."""
        return self.now if self._in_tick else self.now + 1

    # What analysis and the box say.

    def evidence(self, t=None, rule="rate/1"):
        at = round((self.now if t is None else t) / S * HZ)
        return Evidence(self.segment, at, at, rule)

    def say(self, *findings):
        self._pending += findings

    def metric(self, name, value, lead="", unit="", quality=1.0):
        number, why = (None, value) if isinstance(value, Why) else (value, None)
        evidence = None if why else self.evidence()
        self.say(Metric(self.at, self.at, name, number, unit, why, lead, quality, evidence))

    def rhythm(self, label, began, ended=None, rule="window/1"):
        """`began`, `ended` in seconds."""
        evidence = replace(self.evidence(round(began * S), rule), first=round(began * HZ))
        self.say(
            Rhythm(round(began * S), self.at, None if ended is None else round(ended * S), label, evidence)
        )

    def counted(self, began, beats, rate):
        """A ventricular run from `began` s on, as long and fast as this by now."""
        self.say(RunCounted(round(began * S), self.at, beats, rate, self.evidence(rule="runs/1")))

    def event(self, name, **numbers):
        told = tuple((key, float(value), "") for key, value in numbers.items())
        self.say(Event(self.at, self.at, name, told, self.evidence()))

    def quality(self, lead, grade=Grade.GOOD, trouble=Trouble.NONE, electrodes=()):
        self.say(Quality(self.at, self.at, lead, grade, trouble, tuple(electrodes)))

    def attached(self, **electrodes):
        return self.item(LeadState(ECG_SEGMENT, 0, self.at, tuple(electrodes.items())))

    def block(self):
        import numpy as np

        counts = np.zeros((1, 1), dtype=np.int32)
        return self.item(SampleBlock(ECG_SEGMENT, 0, self.now, 2e6, counts, self.now))

    def link(self, state, label="ecg", device="ECG-1"):
        self.item(DeviceSeen("1", label, "dm_ecg", "ECG", device, "", "", state, self.at, self.at))

    def fact(self, source, state=FactState.FAILED, since=None):
        self.item(Fact(source, state, self.at if since is None else since, self.at))

    def reading(self, name, value, unit=""):
        self.item(Reading("1", "D-1", name, value, unit, self.at))

    def item(self, item):
        self.changes += self.engine.step(item)

    # What people do.

    def act(self, verb, actor="AK", **values):
        self.acts += 1
        told = tuple((key.replace("__", "."), str(value)) for key, value in values.items())
        self.item(Command(f"act-{self.acts}", self.at, "1", actor, verb, (("screen", "bed"), *told)))
        return f"act-{self.acts}"

    # Time.

    def run(self, seconds):
        """Ticks for so long; gives the changes that came."""
        first = len(self.changes)
        for _ in range(round(seconds * 10)):
            self.now += TICK
            self._in_tick = True
            self._beat()
            if self.now // S > self._said_second:
                self._said_second = self.now // S
                for name, value in self.values.items():
                    self.metric(name, value)
                for (name, lead), value in self.leads.items():
                    self.metric(name, value, lead)
            findings, self._pending = self._pending, []
            self.changes += self.engine.step(Tick(self.now), findings)
            self._in_tick = False
        return self.changes[first:]

    def _beat(self):
        if self.rr_s is None or self.now - self._last_beat < self.rr_s * S:
            return
        rr_ms = (self.now - self._last_beat) / 1e6
        self._last_beat = self.now
        sample = round(self.now / S * HZ)
        self.say(Beat(self.now, self.now, sample, self.label, rr_ms, self.evidence(rule="qrs/1")))

    def well(self, seconds=10.0):
        """A heart in order, so that all of the ECG's alarms are armed."""
        self.values["heart_rate"] = 75.0
        self.rr_s = 0.8
        return self.run(seconds)

    def stop(self, why=Why.NO_BEATS):
        """The heart stops; analysis says that there is a signal and no beat in it 3 s after the last one."""
        self.rr_s = None
        last = self._last_beat / S
        self.run(3)
        self.values["heart_rate"] = why
        return last

    def ventricular(self, beats, rate):
        """A run of ventricular beats that analysis calls tachycardia at the fifth of at least 100 a minute, as it does."""
        self.label, self.rr_s = BeatClass.VENTRICULAR, 60 / rate
        first, began = len(self.engine.seen.beats), None
        self.values["heart_rate"] = rate
        while True:
            self.run(0.1)
            run = list(self.engine.seen.beats)[first:]
            if began is None and len(run) >= 5 and rate >= 100:
                began = run[0].t_ns / S
                self.rhythm("VT", began, rule="ectopy/2")
            if len(run) >= beats:
                self.run(0.2)
                return began

    # What is there.

    def entry(self, row, instance=""):
        return self.engine.entries[row].get(instance)

    def phase(self, row, instance=""):
        entry = self.entry(row, instance)
        return None if entry is None else entry.phase

    def kinds(self, row, changes=None):
        return [c.kind for c in (self.changes if changes is None else changes) if c.row == row]

    def began(self, row):
        """Seconds at which occurrences of the row began."""
        return [c.due_ns / S for c in self.changes if c.row == row and c.kind is ChangeKind.BEGAN]

    @property
    def sound(self):
        return self.engine.picture().sound


@pytest.fixture
def make_bed():
    return Bed


@pytest.fixture
def bed():
    return Bed()
