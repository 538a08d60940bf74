"""One bed, many devices: ECG, pulse, airflow, oximeter and concentrator are followed at once, each kind by its own rule."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import daemon.dsp
from daemon import words
from daemon.dsp.beside import Beside
from daemon.dsp.pipeline import Pipeline
from daemon.model.findings import Event, Metric, Why
from daemon.model.signals import Channel, Command, Quantity, Reading, SampleBlock, Segment, Stream, Tick
from daemon.units import OBSERVABLES
from daemon.words import en_breath

S = 1_000_000_000
FLOW = Channel("flow", Quantity.FLOW, "L/s", 0.0005)
PRESSURE = Channel("pressure", Quantity.AIRWAY_PRESSURE, "cmH2O", 0.005)
PURITY = Channel("purity", Quantity.OXYGEN, "%", 0.01)
PLETH = Channel("pleth", Quantity.PLETH, "1", 1e-3)
ECG = Channel("II", Quantity.ECG, "mV", 1e-3)
LEAK = Channel("leak", Quantity.LEAK, "L/s", 0.01)


def segment(device, name, rate_hz, *channels, began_s=0):
    return Segment(
        f"{device}/{name}/{began_s}", "1", Stream(device, name, rate_hz, channels), "boot", 1, began_s * S
    )


def block(of, first_s, seconds, *rows):
    """Rows are functions of time (s) of the bed."""
    rate_hz = of.stream.rate_hz
    first = round((first_s - of.began_ns / S) * rate_hz)
    t = first_s + np.arange(round(seconds * rate_hz)) / rate_hz
    counts = np.stack([np.rint(row(t) / c.gain) for row, c in zip(rows, of.stream.channels, strict=True)])
    t0_ns = of.began_ns + round(first * S / rate_hz)
    return SampleBlock(of, first, t0_ns, S / rate_hz, counts.astype(np.int32), t0_ns + round(seconds * S))


def breathing(t, period_s=4.0):
    phase = t % period_s / period_s
    return np.where(
        phase < 0.4, 0.5 * np.sin(np.pi * phase / 0.4), -1 / 3 * np.sin(np.pi * (phase - 0.4) / 0.6)
    )


def pulse(t):
    phase = t % 0.75
    return np.minimum(phase / 0.12, 1) * np.exp(-np.maximum(phase - 0.12, 0) / 0.2)


def beats(t):
    return np.exp(-0.5 * ((t % 0.75 - 0.3) / 0.012) ** 2)


def said(bed, items):
    return [finding for item in items for finding in bed.push(item)]


def newest(findings, name, lead=None):
    return next(
        (
            f
            for f in reversed(findings)
            if isinstance(f, Metric) and f.name == name and lead in {None, f.lead}
        ),
        None,
    )


def test_all_kinds_are_followed_at_once_and_findings_stay_in_order(table):
    mask, finger = segment("cpap", "flow", 25.0, FLOW, PRESSURE), segment("ox", "pleth", 75.0, PLETH)
    heart, tank = segment("board", "ecg", 250.0, ECG), segment("o2", "oxygen", 10.0, PURITY)
    items = []
    for t in range(0, 120, 2):
        items += [
            block(heart, t, 2, beats),
            block(mask, t, 2, breathing, lambda t: np.full_like(t, 9.0)),
            block(finger, t, 2, pulse),
            block(tank, t, 2, lambda t: np.full_like(t, 93.0)),
            *(Reading("1", "ox", "spo2", 96.0, "%", (t + k) * S) for k in range(2)),
            Tick((t + 2) * S),
        ]

    found = said(Pipeline(table, None), items)

    assert newest(found, "heart_rate").value == pytest.approx(80, abs=1)
    assert newest(found, "pulse_rate").value == pytest.approx(80, rel=0.03)
    assert newest(found, "respiration_rate", "flow").value == pytest.approx(15, abs=0.2)
    assert newest(found, "o2_purity").value == pytest.approx(93)
    assert newest(found, "o2_warm").value == 1
    assert newest(found, "spo2_baseline").value == 96
    assert {f.name for f in found if isinstance(f, Event)} == {"therapy_began", "oxygen_warmed_up"}


def test_flow_with_pressure_goes_before_flow_alone_and_any_waits_for_silence():
    alone, better = segment("a", "flow", 25.0, FLOW), segment("b", "flow", 25.0, FLOW, PRESSURE)
    other = segment("c", "flow", 25.0, FLOW, PRESSURE)
    bed = Beside()

    def heard(of, first_s):
        rows = (breathing, lambda t: np.full_like(t, 9.0))[: len(of.stream.channels)]
        return bool(said(bed, [block(of, first_s, 4, *rows)]))

    assert heard(alone, 0)
    assert heard(better, 4)
    assert not heard(alone, 8)
    assert not heard(other, 12)
    assert heard(other, 20)  # ten seconds and more after the last of the one before
    assert not heard(better, 24)


def test_a_new_segment_of_the_same_stream_goes_on_with_the_night():
    bed = Beside()
    rows = (breathing, lambda t: np.full_like(t, 9.0))
    said(bed, [block(segment("cpap", "flow", 25.0, FLOW, PRESSURE), 0, 100, *rows)])
    used = bed._night.therapy_s

    later = segment("cpap", "flow", 25.0, FLOW, PRESSURE, began_s=1000)
    found = said(bed, [block(later, 1000, 100, *rows)]) + bed.finish()

    assert used == pytest.approx(76, abs=3)
    assert newest(found, "usage_hours").value * 3600 == pytest.approx(2 * used, abs=2)
    bed.push(Command("c", 0, "1", "AK", "discharge", ()))
    assert bed._night.therapy_s == 0


def test_a_leak_that_is_sampled_at_its_own_rate_is_the_devices_leak():
    mask, own = segment("cpap", "flow", 25.0, FLOW, PRESSURE), segment("cpap", "leak", 0.5, LEAK)
    bed, found = Beside(), []
    for t in range(0, 40, 2):
        found += said(bed, [block(own, t, 2, lambda t: np.full_like(t, 0.2))])
        found += said(bed, [block(mask, t, 2, breathing, lambda t: np.full_like(t, 9.0))])

    assert newest(found, "leak").value == pytest.approx(12.0)


def test_silence_takes_the_numbers_back_with_the_reason():
    mask = segment("cpap", "flow", 25.0, FLOW, PRESSURE)
    bed = Beside()
    said(bed, [block(mask, 0, 100, breathing, lambda t: np.full_like(t, 9.0))])

    found = said(bed, [Tick(100 * S + k * S // 10) for k in range(150)])

    blank = [f for f in found if isinstance(f, Metric) and f.name == "respiration_rate"]
    assert {(f.value, f.why) for f in blank} == {(None, Why.NO_SIGNAL)}
    assert blank[0].t_ns == 102 * S  # two seconds after the last sample
    assert [f.name for f in found if isinstance(f, Event)] == ["therapy_stopped"]


def constants():
    """Every text that the sources of the devices beside the ECG hold."""
    folder = Path(daemon.dsp.__file__).parent
    paths = [path for name in ("respiration", "oximetry", "oxygen") for path in (folder / name).glob("*.py")]
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in paths)
    nodes = (node for tree in trees for node in ast.walk(tree))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if "/" not in text}  # a rule is no word


def test_all_that_is_said_has_words_and_no_word_is_left_over():
    said_of = constants()
    known = words.table()
    ours = {key.split(".", 1)[1] for key in en_breath.WORDS if key.startswith(("event.", "detail."))}

    assert ours - said_of == set()
    named = {
        name
        for name in said_of
        if name.startswith(("apnoea_", "oxygen_", "therapy_be", "therapy_st", "cheyne_"))
    }
    assert {name for name in named if f"event.{name}" not in known and name not in OBSERVABLES} == set()
    numbers = {name for name in said_of if f"number.{name}" in en_breath.WORDS}
    assert {"duration", "airway_impedance", "breathing_left", "bed_pressure"} <= numbers
