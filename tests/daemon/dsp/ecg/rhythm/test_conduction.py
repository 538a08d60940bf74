"""What is said of the way from atria to ventricles, of hearts whose P waves are known."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dsp.ecg.delineate import Delineator
from daemon.dsp.ecg.marks import LeadMarks
from daemon.dsp.ecg.rhythm.dissociation import in_step
from daemon.dsp.ecg.rhythm.pwaves import BEFORE, WIDTH, PTemplate
from daemon.dsp.ecg.rhythm.said import EventSaid, RhythmSaid
from daemon.dsp.ecg.rhythm.watch import RhythmWatch
from daemon.dsp.ecg.tables import load_waves_table

RATE = 250.0
QRS = ((0.0, 0.010, 1.1), (0.028, 0.010, -0.25))
T_WAVE, P_WAVE, U_WAVE = (0.27, 0.045, 0.28), (0.0, 0.022, 0.12), (0.50, 0.05, 0.10)
P_ON_S, QRS_ON_S, T_OFF_S, LATEST_S = 0.05, 0.025, 0.37, 1.1


def heart(seconds, p_s, qrs_s, u_wave=False):
    t = np.arange(round(seconds * RATE)) / RATE
    x = np.zeros_like(t)
    waves = [(at, *P_WAVE) for at in p_s] + [(at, *w) for at in qrs_s for w in (*QRS, T_WAVE)]
    waves += [(at, *U_WAVE) for at in qrs_s] if u_wave else []
    for at, place, width, height in waves:
        near = slice(
            max(round((at + place - 6 * width) * RATE), 0), max(round((at + place + 6 * width) * RATE), 0)
        )
        x[near] += height * np.exp(-0.5 * ((t[near] - at - place) / width) ** 2)
    noise = np.random.default_rng(8).normal(0, 0.01, (2, len(t)))
    return (np.array([[1.0], [0.6]]) * x + noise).astype(np.float32)


def marks_of(r_s, p_s):
    """Marks as a delineator gives them: the last P before the QRS, if it is no more than a second before."""
    before = [p for p in p_s if r_s - 1.0 < p < r_s - 0.06]
    on = peak = None
    if before:
        on, peak = (before[-1] - P_ON_S) * RATE, before[-1] * RATE
    return LeadMarks(p_on=on, p_peak=peak, qrs_on=(r_s - QRS_ON_S) * RATE, t_off=(r_s + T_OFF_S) * RATE)


def say(table, p_s, qrs_s, cuts=(), labels=None, u_wave=False):
    x = heart(qrs_s[-1] + 3, p_s, qrs_s, u_wave)
    usable = np.ones(x.shape, dtype=bool)
    watch = RhythmWatch(RATE, ("II", "V1"), table)
    for k, at in enumerate(qrs_s):
        sample = round(at * RATE)
        watch.beat(sample, labels[k] if labels else "N", due=sample + 100)
        watch.waves(sample, marks_of(at, p_s), due=sample + round(LATEST_S * RATE))
    said, at = [], 0
    for stop in [*np.cumsum(cuts).tolist(), x.shape[1]]:
        said += watch.push(
            x[:, at : max(min(stop, x.shape[1]), at)], usable[:, at : max(min(stop, x.shape[1]), at)]
        )
        at = max(min(stop, x.shape[1]), at)
    return said


def say_by_its_own_marks(table, p_s, qrs_s):
    """The same with the marks that the delineator finds."""
    x = heart(qrs_s[-1] + 3, p_s, qrs_s)
    usable = np.ones(x.shape, dtype=bool)
    watch = RhythmWatch(RATE, ("II", "V1"), table)
    delineator = Delineator(RATE, ("II", "V1"), load_waves_table())
    for at in qrs_s:
        watch.beat(round(at * RATE), "N", due=round(at * RATE) + 100)
        delineator.beat(round(at * RATE), round(at * RATE) + 100)
    for one in delineator.push(x, usable):
        watch.waves(one.sample, one.marks.get("global"), due=one.due)
    return watch.push(x, usable)


def rhythms(said, label):
    return [s for s in said if isinstance(s, RhythmSaid) and s.label == label]


def events(said, name):
    return [s for s in said if isinstance(s, EventSaid) and s.name == name]


def sinus(seconds, pp=0.85, spread=0.01):
    rng = np.random.default_rng(3)
    return list(np.cumsum(pp + rng.normal(0, spread, round(seconds / pp))) + 0.5)


def wenckebach(p_s, group=4):
    """PR grows by group - 1 beats, then a P is not followed."""
    return [p + 0.16 + 0.07 * (k % group) for k, p in enumerate(p_s) if k % group != group - 1]


def test_a_long_pr_is_said_and_a_usual_one_is_not(rhythm_table):
    p = sinus(40)

    (begun,) = rhythms(say(rhythm_table, p, [at + 0.24 for at in p]), "BI")

    assert begun.end is None
    assert begun.numbers[0][1] == pytest.approx(265, abs=15)  # onset to onset
    assert not rhythms(say(rhythm_table, p, [at + 0.15 for at in p]), "BI")


def test_wenckebach_is_suspected_with_its_numbers(rhythm_table):
    p = sinus(60)
    said = say(rhythm_table, p, wenckebach(p))

    event = events(said, "av_block_2")[0]
    numbers = {name: value for name, value, _ in event.numbers}
    assert numbers["dropped"] >= 2
    assert numbers["p_p"] == pytest.approx(0.85, abs=0.05)
    assert numbers["pr_before"] > numbers["pr_after"] + 100
    assert numbers["p_alike"] > 0.8
    assert event.first < event.last <= event.due
    assert rhythms(said, "BII")
    assert not rhythms(said, "BIII")


def test_mobitz_ii_ends_when_every_p_is_followed_again(rhythm_table):
    p = sinus(100)
    qrs = [at + 0.18 for k, at in enumerate(p) if k % 5 or at > 50]
    said = say(rhythm_table, p, qrs)

    begun, ended = rhythms(said, "BII")
    assert begun.due / RATE < 25
    assert abs(ended.end / RATE - 50) < 35
    assert len(events(said, "av_block_2")) == 1


def test_two_to_one_from_the_first_beat_on_is_suspected(rhythm_table):
    p = sinus(60, 0.75)

    said = say(rhythm_table, p, [at + 0.18 for at in p[::2]])

    assert events(said, "av_block_2")
    assert rhythms(said, "BII")


def test_atria_and_ventricles_that_know_nothing_of_each_other_are_third_degree(rhythm_table):
    p = sinus(60, 0.72, 0.005)
    qrs = list(np.arange(0.9, 60, 1.61))

    said = say(rhythm_table, p, qrs)

    event = events(said, "av_block_3")[0]
    numbers = {name: value for name, value, _ in event.numbers}
    assert numbers["p_p"] == pytest.approx(0.72, abs=0.02)
    assert numbers["r_r"] == pytest.approx(1.61, abs=0.01)
    assert rhythms(said, "BIII")


@pytest.mark.parametrize("pp", [0.6, 0.85, 1.3])
@pytest.mark.parametrize("u_wave", [False, True])
def test_sinus_rhythm_has_no_block(rhythm_table, pp, u_wave):
    p = sinus(60, pp, 0.03)

    said = say(rhythm_table, p, [at + 0.16 for at in p], u_wave=u_wave)

    assert {s.label for s in said if isinstance(s, RhythmSaid)} <= {"N", "SBR", "SARRH"}
    assert not [s for s in said if isinstance(s, EventSaid)]


def test_a_blocked_early_p_wave_is_no_block(rhythm_table):
    p = sinus(80)
    qrs = [at + 0.16 for k, at in enumerate(p) if k % 6]
    early = [at - 0.30 if k % 6 == 0 else at for k, at in enumerate(p)]

    assert not events(say(rhythm_table, early, qrs), "av_block_2")


def test_ventricular_beats_with_their_pause_are_no_block(rhythm_table):
    p = sinus(80)
    qrs = sorted(
        [a + 0.16 for k, a in enumerate(p) if k % 6] + [p[k - 1] + 0.16 + 0.45 for k in range(6, len(p), 6)]
    )
    labels = ["V" if b - a < 0.6 else "N" for a, b in pairwise([qrs[0] - 1, *qrs])]

    said = say(rhythm_table, p, qrs, labels=labels)

    assert not events(said, "av_block_2")
    assert not events(said, "av_block_3")


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=20))
def test_no_cut_changes_what_is_said_of_blocks(rhythm_table, cuts):
    p = sinus(30)
    qrs = wenckebach(p)

    assert say(rhythm_table, p, qrs, cuts) == say(rhythm_table, p, qrs)


def test_the_template_finds_the_p_wave_and_nothing_else():
    t = np.arange(WIDTH) - BEFORE
    wave = np.stack([0.12, 0.05] * np.exp(-0.5 * (t[:, None] / 3) ** 2)).T
    template = PTemplate()
    for _ in range(5):
        template.learn(wave)
    x = np.random.default_rng(1).normal(0, 0.003, (2, 200)) + np.linspace(0, 0.4, 200)
    x[:, 90 : 90 + len(t)] += wave
    x[:, 20 : 20 + len(t)] += 4 * wave  # far too tall

    (found,) = template.find(x, 1000)

    assert abs(found.at - (1090 + BEFORE)) <= 1
    assert found.alike > 0.95
    assert PTemplate().find(x, 0) == []


def test_times_in_step_point_one_way():
    k = np.arange(12)

    assert in_step(0.8 * k + 0.3, np.array([0.8]))[0] == pytest.approx(1.0)
    assert in_step(1.2 * k, np.array([0.8]))[0] < 1e-9


@pytest.mark.parametrize(
    ("name", "pp", "qrs"),
    [
        ("BI", 0.85, lambda p: [at + 0.26 for at in p]),
        ("BII", 0.85, wenckebach),
        ("BII", 0.74, lambda p: [at + 0.18 for at in p[::2]]),
        ("BIII", 0.74, lambda p: list(np.arange(0.9, 60, 1.61))),
        ("", 0.74, lambda p: [at + 0.16 for at in p]),
    ],
)
def test_the_delineators_own_marks_are_enough(rhythm_table, name, pp, qrs):
    p = sinus(60, pp, 0.005)

    said = say_by_its_own_marks(rhythm_table, p, qrs(p))

    assert {s.label for s in said if isinstance(s, RhythmSaid) and s.label.startswith("BI")} == {name} - {""}


def test_nothing_is_remembered_longer_than_it_is_asked_for(rhythm_table):
    p = sinus(620, 0.75)
    qrs = wenckebach(p)
    x = heart(620, p, qrs)
    usable = np.ones(x.shape, dtype=bool)
    watch = RhythmWatch(RATE, ("II", "V1"), rhythm_table)
    sizes, step = [], round(10 * RATE)
    for first in range(0, x.shape[1], step):
        for at in [at for at in qrs if first <= round(at * RATE) + 300 < first + step]:
            watch.beat(round(at * RATE), "V", due=round(at * RATE) + 100)
            watch.waves(round(at * RATE), marks_of(at, p), due=round(at * RATE) + 275)
        watch.push(x[:, first : first + step], usable[:, first : first + step])
        sizes.append(len(pickle.dumps(watch)))

    assert max(sizes[40:]) <= max(sizes[20:40]) + 1000


@pytest.mark.parametrize("gap_s", [0.5, 5.0, 60.0])
def test_waves_that_come_behind_a_gap_do_no_harm(rhythm_table, gap_s):
    p = sinus(60)
    qrs = [at + 0.24 for at in p]
    x, gap, half = heart(62, p, qrs), round(gap_s * RATE), round(30 * RATE)
    usable = np.ones(x.shape, dtype=bool)
    watch = RhythmWatch(RATE, ("II", "V1"), rhythm_table)
    said = []

    def tell(first, stop, late):
        for at in qrs:
            sample = round(at * RATE)
            if first <= sample < stop:
                moved = sample + (gap if sample >= half else 0)
                watch.beat(moved, "N", due=moved + 50)
            if first - late <= sample < stop - late:
                moved = sample + (gap if sample >= half else 0)
                shift = moved - sample
                marks = marks_of(at, p).placed(lambda place, shift=shift: place + shift)
                watch.waves(moved, marks, due=min(moved + 250, half - 1) if sample < half else moved + 250)

    tell(0, half, 400)
    said += watch.push(x[:, :half], usable[:, :half])
    watch.skip(gap)
    tell(half, x.shape[1], 400)
    said += watch.push(x[:, half:], usable[:, half:])

    assert {s.label for s in rhythms(said, "BI")} == {"BI"}
    assert not [s for s in said if isinstance(s, EventSaid)]
    assert [s.due for s in said] == sorted(s.due for s in said)
