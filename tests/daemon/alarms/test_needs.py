"""An engine that leaves rows at rest alone says the same, Tick by Tick, as one that judges every row at every Tick."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.alarms.conditions import YES
from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.alarms.needs import needs_of
from daemon.alarms.table import TABLE
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
    Trouble,
    Why,
)
from daemon.model.signals import (
    Command,
    DeviceSeen,
    DeviceStatus,
    Fact,
    FactState,
    LeadState,
    LinkState,
    Reading,
    Segment,
    Stream,
    Tick,
)

S = 1_000_000_000
TICK = S // 10
SEGMENT = Segment("s", "1", Stream("ECG-1", "ecg", 500.0, ()), "b", 1, 0)
EVIDENCE = Evidence("s", 0, 0, "rate/1")
METRICS = (
    "heart_rate", "spo2", "pulse_rate", "st_j60", "qtc_fridericia", "o2_purity", "o2_flow", "o2_set_flow",
    "cpap_pressure", "cpap_set_pressure", "cpap_leak", "respiration_rate", "o2_temperature", "o2_warm", "o2_battery", "leak",
)  # fmt: skip
SOURCES = ("analysis", "store", "disk_full", "cloud", "sound", "something_new")
SHORT = {"af_start": {"after_s": 30}, "af_end": {"after_s": 10}, "cloud_unreachable": {"after_h": 1}}


class Eager(AlarmEngine):
    """Every row at every Tick."""

    def _due(self, t_ns):
        super()._due(t_ns)
        return list(range(len(self.table)))


def said(draw, now):
    """One thing that can be said at this time: an item, or a finding."""
    kind = draw(st.integers(0, 12))
    if kind <= 2:
        name = draw(st.sampled_from(METRICS))
        value = draw(st.sampled_from([None, 5.0, 30.0, 45.0, 75.0, 92.0, 130.0, 160.0, 600.0]))
        why = draw(st.sampled_from(list(Why))) if value is None else None
        lead = draw(st.sampled_from(["II", "aVF", "V2", "V3"]))
        return Metric(now, now, name, value, "", why, lead, 1.0, EVIDENCE)
    if kind == 3:
        rr_ms = draw(st.sampled_from([300.0, 500.0, 800.0, 1600.0, 2500.0]))
        return Beat(
            now, now, 0, draw(st.sampled_from([BeatClass.NORMAL, BeatClass.VENTRICULAR])), rr_ms, EVIDENCE
        )
    if kind == 4:
        label = draw(st.sampled_from(["ASYS", "PAUSE", "VF", "VT", "IVR", "AFIB", "B", "T"]))
        began = max(now - draw(st.integers(0, 100)) * S, 0)
        end = draw(st.sampled_from([None, now]))
        return Rhythm(
            began, now, end, label, replace(EVIDENCE, rule="window/1", first=draw(st.integers(0, 1)))
        )
    if kind == 5:
        return Event(now, now, draw(st.sampled_from(["pause", "ventricular_run", "couplet"])),
                     (("gap", 3.0, "s"), ("beats", 6.0, ""), ("rate", 150.0, "bpm")), EVIDENCE)  # fmt: skip
    if kind == 6:
        lead = draw(st.sampled_from(["global", "II"]))
        electrodes = draw(st.sampled_from([(), ("LA",)]))
        return Quality(now, now, lead, draw(st.sampled_from(list(Grade))), Trouble.NONE, electrodes)
    if kind == 7:
        since = max(now - draw(st.sampled_from([0, 3590, 3700])) * S, 0)
        return Fact(draw(st.sampled_from(SOURCES)), draw(st.sampled_from(list(FactState))), since, now)
    if kind == 8:
        return DeviceSeen("1", draw(st.sampled_from(["ecg", "oxy"])), "", "", "ECG-1", "", "",
                          draw(st.sampled_from([LinkState.STREAMING, LinkState.STALLED])), now, now)  # fmt: skip
    if kind == 9:
        return LeadState(SEGMENT, 0, now, (("LA", draw(st.booleans())),))
    if kind == 10:
        return Reading("1", "X", draw(st.sampled_from(METRICS)), draw(st.sampled_from([None, 70.0])), "", now)
    if kind == 11:
        return DeviceStatus("1", "OXY-1", "alarm_code", draw(st.sampled_from(["", "E07"])), now)
    verb, *values = draw(
        st.sampled_from(
            [
                ("acknowledge",), ("reset",), ("audio_pause",), ("alarm_pause",), ("admit",), ("test",),
                ("alarm_off", ("row", "hr_high")), ("alarm_on", ("row", "run")), ("limits", ("hr_low.below", "40")),
            ]
        )
    )  # fmt: skip
    return Command(f"act-{now}", now, "1", "AK", verb, tuple(values))


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.data())
def test_leaving_rows_alone_changes_nothing(data):
    lazy, eager = (kind(Limits(SHORT), boot="b") for kind in (AlarmEngine, Eager))
    now = 0
    for name, value in (("heart_rate", 75.0), ("spo2", 97.0)):  # something is armed
        for engine in (lazy, eager):
            engine.step(Tick(0), [Metric(1, 1, name, value, "", None, "", 1.0, EVIDENCE)])
    for _ in range(data.draw(st.integers(1, 25))):
        told = said(data.draw, now + 1)
        finding = isinstance(told, Beat | Metric | Quality | Rhythm | Event)
        for engine in (lazy, eager):
            engine.step(Tick(now), [told]) if finding else engine.step(told)
        for _ in range(data.draw(st.sampled_from([1, 3, 12, 45, 110, 350]))):
            now += TICK
            assert lazy.step(Tick(now)) == eager.step(Tick(now))
        assert lazy.picture().alarms == eager.picture().alarms
        assert lazy.picture().sound is eager.picture().sound


def number(at_s, name, value):
    t = round(at_s * S)
    return t, Metric(t, t, name, value, "", None, "", 1.0, EVIDENCE)


def rhythm(at_s, label, began_s, end_s=None):
    end = None if end_s is None else end_s * S
    return round(at_s * S), Rhythm(
        began_s * S, round(at_s * S), end, label, replace(EVIDENCE, rule="window/1")
    )


def beat(at_s):
    t = round(at_s * S)
    return t, Beat(t, t, 0, BeatClass.NORMAL, 800.0, EVIDENCE)


RIPENING = {
    "no_heart_rate": ({}, [number(1, "heart_rate", 75.0)], 34.1),
    "asystole": ({"asystole": {"gap_s": 9.0}}, [rhythm(5, "ASYS", 1)], 10.0),
    "extreme_brady": (
        {"extreme_brady": {"beats": 2, "delay_s": 0}},
        [number(2.5, "heart_rate", 75.0), beat(1.2), beat(2.0)],
        3.6,
    ),
    "af_start": ({}, [number(1, "heart_rate", 75.0), rhythm(5, "AFIB", 2)], 62.0),
    "af_end": ({}, [number(1, "heart_rate", 75.0), rhythm(5, "AFIB", 2), rhythm(80, "AFIB", 2, 79)], 199.0),
    "cloud_unreachable": (
        {"cloud_unreachable": {"after_h": 1}},
        [(0, Fact("cloud", FactState.FAILED, -3500 * S, 0))],
        100.0,
    ),
    "pulse_low": (
        {"pulse_low": {"delay_s": 0}},
        [number(0.5, "heart_rate", 75.0), number(2.5, "pulse_rate", 30.0)],
        3.6,
    ),
}
"""Row -> limits, what is said once and not again, and the time (s) at which it becomes an alarm all by itself."""


@pytest.mark.parametrize("row", RIPENING)
def test_a_row_that_time_alone_makes_true_is_found_with_the_very_tick(row):
    limits, told, due_s = RIPENING[row]
    lazy, eager = (kind(Limits(limits), boot="b") for kind in (AlarmEngine, Eager))
    began = []
    for k in range(1, round(10 * due_s) + 50):
        for engine in (lazy, eager):
            for at, one in told:
                if (k - 1) * TICK < at <= k * TICK or (k == 1 and at == 0):
                    engine.step(one) if isinstance(one, Fact) else engine.step(
                        Tick(0) if k == 1 else Tick((k - 1) * TICK), [one]
                    )
        changes = lazy.step(Tick(k * TICK))
        assert changes == eager.step(Tick(k * TICK))
        began += [c.due_ns / S for c in changes if c.row == row and c.kind is ChangeKind.BEGAN]
    assert began[0] == pytest.approx(due_s, abs=0.05)


def test_every_condition_of_the_table_says_what_it_needs():
    assert [row.name for row in TABLE if needs_of(row.condition) is None] == []


def test_a_condition_that_does_not_say_is_judged_at_every_tick():
    class Now:
        holds = False

        def judge(self, seen, limits, was):
            return {"": replace(YES, holds=self.holds)}

    condition = Now()
    row = replace(next(r for r in TABLE if r.name == "asystole"), condition=condition, pulse_hold_s=0.0)
    engine = AlarmEngine(Limits(), table=(row,))
    for k in range(1, 50):
        assert engine.step(Tick(k * TICK)) == []
    condition.holds = True
    assert [c.kind for c in engine.step(Tick(50 * TICK))] == [ChangeKind.BEGAN]


@pytest.mark.parametrize("after_s", [3.0, 30.0])
def test_at_rest_nothing_is_judged(monkeypatch, after_s):
    engine = AlarmEngine(Limits(), boot="b")
    engine.step(Tick(0))
    judged = []
    original = AlarmEngine._verdicts
    monkeypatch.setattr(
        AlarmEngine, "_verdicts", lambda self, row: judged.append(row.name) or original(self, row)
    )
    for k in range(1, round(10 * after_s)):
        engine.step(Tick(k * TICK))
    assert judged == []
    engine.step(Fact("store", FactState.FAILED, 1, 1))
    engine.step(Tick(round(10 * after_s) * TICK))
    assert "recording_stopped" in judged
    assert "asystole" not in judged


def test_what_time_had_to_say_is_asked_once(monkeypatch):
    judged = []
    original = AlarmEngine._verdicts
    monkeypatch.setattr(
        AlarmEngine,
        "_verdicts",
        lambda self, row: judged.append((row.name, self.seen.now_ns / S)) or original(self, row),
    )
    engine = AlarmEngine(Limits(), boot="b")
    for k in range(1, 6000):
        told = [
            one
            for at, one in (number(1, "heart_rate", 75.0), rhythm(5, "AFIB", 2))
            if (k - 1) * TICK < at <= k * TICK
        ]
        engine.step(Tick(k * TICK), told)

    began = [at for name, at in judged if name == "af_start"]
    assert 62.0 in began  # a minute after the onset
    assert [at for at in began if at > 62.0 + 180.0 + 1.0] == []  # said for three minutes, and over
    assert len([at for name, at in judged if name == "af_end"]) < 10
