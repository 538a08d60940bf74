"""A heart that stops, seen through every set of leads: from samples to the alarm."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.cli.alarm_lines import AlarmLines, limits_of
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.interpret import Tables
from daemon.dsp.pipeline import Pipeline
from daemon.model.signals import Channel, Quantity, SampleBlock, Segment, Stream
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.source import LEADS

RATE_HZ, UV = 250.0, 1e-3
STOPS_S, BEATS_AGAIN_S, ENDS_S = 18, 31, 39
SETS = {
    "one lead": ("II",),
    "three leads": ("I", "II", "III"),
    "five electrodes": ("I", "II", "V1"),
    "eight channels": ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"),
    "twelve leads": ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"),
}


def stopping(seed=3):
    """Millivolts of all leads by name, and the times of the true beats, s."""
    heart = Patient(RATE_HZ, seed=seed)
    parts = []
    for rhythm, until_s in (("sinus", STOPS_S), ("asystole", BEATS_AGAIN_S), ("sinus", ENDS_S)):
        heart.rhythm = rhythm
        parts.append(heart.next(round(until_s * RATE_HZ) - sum(len(part) for part in parts)))
    signals = dict(zip(LEADS, np.concatenate(parts).T, strict=False))
    one, two = signals["I"], signals["II"]
    signals |= {"III": two - one, "aVR": -(one + two) / 2, "aVL": one - two / 2, "aVF": two - one / 2}
    return signals, [beat.r_s for beat in heart.beats]


def alarms(signals, pulse=None):
    """(alarm, on or off, s) of every alarm line over named signals in mV."""
    channels = [Channel(name, Quantity.ECG, "mV", UV) for name in signals]
    rows = [np.rint(x / UV) for x in signals.values()]
    if pulse is not None:
        channels.append(Channel("ABP", Quantity.PRESSURE, "mmHg", 0.01))
        rows.append(np.rint(pulse / 0.01))
    of = Segment("s", "", Stream("d", "ecg", RATE_HZ, tuple(channels)), "", 0, 0)
    bed = Pipeline(
        load_qrs_table(), None, load_class_table(), Tables(load_waves_table(), load_rhythm_table())
    )
    engine, said, counts = AlarmLines(limits_of(None)), [], np.stack(rows).astype(np.int32)
    for first in range(0, counts.shape[1], 1000):
        part = counts[:, first : first + 1000]
        t0, t1 = (round(at * 1e9 / RATE_HZ) for at in (first, first + part.shape[1]))
        block = SampleBlock(of, first, t0, 1e9 / RATE_HZ, part, t1)
        said += [line for _, line in engine.push(block, bed.push(block))]
    return [(line["alarm"], line["state"], line["reported_at"]) for line in said]


def standstill(said):
    return [(state, at) for name, state, at in said if name == "ASYSTOLE"]


@pytest.fixture(scope="module")
def heart():
    signals, beats = stopping()
    last = max(t for t in beats if t < BEATS_AGAIN_S - 2)
    return signals, last


@pytest.mark.parametrize("leads", SETS.values(), ids=SETS)
def test_asystole_is_said_within_ten_seconds_on_every_set_of_leads(heart, leads):
    signals, last = heart

    said = standstill(alarms({lead: signals[lead] for lead in leads}))

    assert [state for state, _ in said] == ["on", "off"]
    assert 3.9 <= said[0][1] - last <= 5.0
    assert BEATS_AGAIN_S < said[1][1] < BEATS_AGAIN_S + 5


@pytest.mark.parametrize("other", ["dead", "noise"])
def test_asystole_is_said_though_another_lead_is_dead_or_noise(heart, other):
    signals, last = heart
    n = len(signals["II"])
    noise = np.random.default_rng(2).normal(0, 0.1, n)
    spoilt = signals["V1"] + noise if other == "noise" else np.zeros(n)

    said = standstill(alarms({"II": signals["II"], "V1": spoilt}))

    assert said
    assert 3.9 <= said[0][1] - last <= 10.0


def test_leads_that_all_go_dead_are_no_asystole(heart):
    signals, last = heart
    dead = {
        lead: np.where(np.arange(len(signals[lead])) / RATE_HZ < last + 0.4, signals[lead], 0.0)
        for lead in ("I", "II")
    }

    said = alarms(dead)

    assert standstill(said) == []
    assert [at - last for name, state, at in said if name == "FLAT ECG"][0] <= 10


def test_a_pressure_that_goes_on_beating_makes_asystole_wait(heart):
    signals, last = heart
    t = np.arange(len(signals["II"])) / RATE_HZ
    phase = t % 0.8
    pressure = 70 + 50 * np.minimum(phase / 0.1, 1) * np.exp(-np.maximum(phase - 0.1, 0) / 0.3)

    said = standstill(alarms({"II": signals["II"]}, pressure))

    assert 8.0 <= said[0][1] - last <= 10.0
