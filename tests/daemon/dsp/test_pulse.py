"""The pulse in a pleth or pressure wave: its rate, what it is trusted, and that it is gone when it stays away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.acquisition.device import Counters, Device
from daemon.dsp.ecg.tables import load_qrs_table
from daemon.dsp.pipeline import Pipeline
from daemon.dsp.pulse import PulseSegment, has_pulse
from daemon.model.findings import Metric
from daemon.model.signals import Channel, Quantity, SampleBlock, Segment, Stream
from firmware_bridge.boards import BOARDS
from firmware_bridge.simulators.healthypi4 import HealthyPi4
from firmware_bridge.simulators.healthypi5 import HealthyPi5
from firmware_bridge.simulators.patient import Patient

S = 1_000_000_000
PPG = Channel("PLETH", Quantity.PPG_INFRARED, "1", 1e-3)
ART = Channel("ABP", Quantity.PRESSURE, "mmHg", 0.01)
CVP = Channel("CVP 2", Quantity.PRESSURE, "mmHg", 0.01)
ECG = Channel("II", Quantity.ECG, "mV", 1e-3)


def segment(rate_hz, *channels, name="a"):
    return Segment(name, "", Stream(f"device {name}", "s", rate_hz, channels), "", 0, 0)


def wave(rate_hz, beats, seconds, noise=0.0):
    """Counts of a pressure wave: upstroke of 0.1 s, a dicrotic wave of a third, down again."""
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    x = np.zeros_like(t)
    for beat in beats:
        since = t - beat
        x += np.where(since > 0, np.minimum(since / 0.1, 1) * np.exp(-np.maximum(since - 0.1, 0) / 0.25), 0.0)
        x += 0.25 * np.exp(-0.5 * ((since - 0.42) / 0.04) ** 2)
    x += np.random.default_rng(5).normal(0, noise, len(t))
    return np.rint(4000 * x).astype(np.int32)


def blocks(of, counts, *cuts):
    period_ns = 1e9 / of.stream.rate_hz
    counts = np.atleast_2d(counts)
    for first, stop in zip((0, *cuts), (*cuts, counts.shape[1]), strict=True):
        if stop > first:
            yield SampleBlock(
                of, first, round(first * period_ns), period_ns, counts[:, first:stop], round(stop * period_ns)
            )


def said(of, counts, *cuts):
    watch = PulseSegment(of)
    return [metric for block in blocks(of, counts, *cuts) for metric in watch.push(block)]


@pytest.mark.parametrize("rate_hz", [62.5, 125.0, 250.0, 360.0, 500.0])
@pytest.mark.parametrize("bpm", [30, 45, 72, 110, 170])
def test_rate_of_a_regular_pulse(rate_hz, bpm):
    found = said(segment(rate_hz, ART), wave(rate_hz, np.arange(0.3, 30, 60 / bpm), 30))

    assert len(found) in {59, 60}  # two a second, in whole means
    assert all(m.value == pytest.approx(bpm, rel=0.04) for m in found[30:])
    assert min(m.quality for m in found[30:]) > 0.7
    assert {(m.name, m.unit, m.lead) for m in found} == {("pulse_rate", "bpm", "")}
    assert all(m.due_ns >= m.t_ns and m.due_ns % 50_000_000 == 0 for m in found)


@pytest.mark.parametrize("bpm", [45, 72, 110])
def test_a_pulse_that_stays_away_is_none_before_a_standstill_is_an_alarm(bpm):
    beats = np.arange(0.3, 20, 60 / bpm)
    found = said(segment(250.0, PPG), wave(250.0, beats, 30))

    assert found[38].value is not None
    after = [m for m in found if m.t_ns / 1e9 > beats[-1] + 3.0]
    assert after
    assert all(m.value is None for m in after)


@pytest.mark.parametrize("kind", ["noise", "hum", "dead", "flat"])
def test_what_is_no_pulse_is_not_trusted(kind):
    t = np.arange(250 * 30) / 250
    rng = np.random.default_rng(3)
    x = {
        "noise": rng.normal(0, 900, len(t)).cumsum() % 9000,
        "hum": 9 * np.sin(2 * np.pi * 24.9 * t),
        "dead": rng.integers(0, 2, len(t)),
        "flat": 0 * t,
    }[kind]

    found = said(segment(250.0, PPG), np.rint(x).astype(np.int32))

    trusted = [m for m in found[20:] if m.value is not None and m.quality >= 0.5]
    assert len(trusted) <= 2


def test_the_better_of_two_waves_speaks():
    beats = np.arange(0.3, 30, 0.8)
    both = np.stack([wave(250.0, beats, 30, noise=0.6), wave(250.0, beats, 30)])

    found = said(segment(250.0, PPG, ART), both)

    assert found[10:] == said(segment(250.0, ART), both[1])[10:]


@given(st.lists(st.integers(1, 7499), max_size=12))
@settings(max_examples=10, deadline=None)
def test_it_does_not_matter_how_the_stream_is_cut(cuts):
    of = segment(250.0, PPG)
    counts = wave(250.0, np.arange(0.3, 30, 0.75), 30, noise=0.02)

    assert said(of, counts, *sorted(set(cuts))) == said(of, counts)


def test_behind_a_gap_everything_begins_anew():
    of = segment(250.0, PPG)
    counts = wave(250.0, np.arange(0.3, 40, 0.75), 40)
    first, _, last = blocks(of, counts, 5003, 5900)
    watch = PulseSegment(of)

    before, after = watch.push(first), watch.push(last)

    assert before[-1].value == pytest.approx(80, rel=0.04)
    assert after[0].value is None
    assert after[-1].value == pytest.approx(80, rel=0.04)


def test_a_vein_has_no_pulse_of_an_artery():
    assert not has_pulse(segment(250.0, CVP, ECG).stream)
    assert not has_pulse(segment(20.0, PPG).stream)
    with pytest.raises(ValueError, match="pulse"):
        PulseSegment(segment(250.0, CVP))


def test_a_bed_hears_the_pulse_beside_its_ecg_or_from_a_device_of_its_own():
    fitted = load_qrs_table()
    beats = np.arange(0.3, 30, 0.75)
    pleth = wave(250.0, beats, 30)
    t = np.arange(len(pleth)) / 250
    ecg = sum(np.exp(-0.5 * ((t - b) / 0.012) ** 2) for b in beats)
    together = segment(250.0, ECG, PPG, name="both")
    alone = segment(125.0, PPG, name="alone")

    bed = Pipeline(fitted, None)
    found = [
        f
        for b in blocks(together, np.stack([np.rint(1000 * ecg), pleth]).astype(np.int32))
        for f in bed.push(b)
    ]
    other = [f for b in blocks(alone, wave(125.0, beats, 30)) for f in bed.push(b)]

    pulse = [f for f in found if isinstance(f, Metric) and f.name == "pulse_rate"]
    heart = [f for f in found if isinstance(f, Metric) and f.name == "heart_rate"]
    assert pulse[-1].value == pytest.approx(80, rel=0.04)
    assert heart[-1].value == pytest.approx(80, rel=0.04)
    assert [f.due_ns for f in found] == sorted(f.due_ns for f in found)
    assert other == []  # while the first one speaks
    assert [f for b in blocks(alone, wave(125.0, beats, 30)) for f in Pipeline(fitted, None).push(b)]


@given(st.integers(35, 170), st.sampled_from([75.0, 125.0, 250.0]), st.floats(0.0, 0.05))
@settings(max_examples=12, deadline=None)
def test_light_that_dips_with_each_beat_has_the_same_pulse(bpm, rate_hz, noise):
    """The light of a raw photoplethysmogram, which blood takes; the wave of a vessel is never turned over."""
    counts = wave(rate_hz, np.arange(0.3, 25, 60 / bpm), 25, noise)
    up, down = (said(segment(rate_hz, PPG), sign * counts)[30:] for sign in (1, -1))

    for found in (up, down):
        assert all(m.value == pytest.approx(bpm, rel=0.05) for m in found)
        assert min(m.quality for m in found) > 0.6
    assert said(segment(rate_hz, PPG), counts) == said(segment(rate_hz, replace(PPG, gain=-1e-3)), -counts)
    art = said(segment(rate_hz, ART), counts)[30:]
    assert [m.value for m in art] == [m.value for m in up]


@pytest.mark.parametrize("simulated", [HealthyPi4, HealthyPi5])
@pytest.mark.parametrize("bpm", [45, 110])
def test_a_healthypis_light_gives_the_rate_of_its_patient(simulated, bpm):
    patient = Patient()
    patient.rate_bpm = bpm
    far, items = simulated(patient), []
    device = Device("1", "b", BOARDS[simulated.kind].board({}), "port", Counters(), items.append)
    device.board.opened(0)
    far.power_on(0)
    for now in range(S // 5, 25 * S, S // 5):
        device.feed(far.due(now), now)
        far.feed(device.board.due(now) or b"", now)
        device.flush()
    of_light = [i for i in items if isinstance(i, SampleBlock) and has_pulse(i.segment.stream)]
    watch = PulseSegment(of_light[0].segment)
    found = [metric for block in of_light for metric in watch.push(block)][30:]

    assert found
    assert all(m.value == pytest.approx(bpm, rel=0.03) for m in found)
    assert min(m.quality for m in found) > 0.8
