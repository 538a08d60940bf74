"""Gaps, ectopy and rates, each by itself."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.rhythm import ectopy, gaps, rates
from daemon.dsp.ecg.rhythm.beats import AFTER, BEFORE, LAG, Beats, SeenBeat


def beat(at_s, label="N", rr_s=0.8, dominant=0.98, previous=0.98, size=1.0):
    return SeenBeat(round(at_s * 125), round(at_s * 250), label, rr_s, dominant, previous, size)


def test_a_class_has_the_last_word_on_what_is_foreign():
    assert beat(1, "V").foreign
    assert not beat(1, "N", dominant=0.1).foreign
    assert beat(1, "Q", dominant=0.1).foreign
    assert not beat(1, "", dominant=0.9).foreign


def test_shapes_are_compared_with_the_usual_one_and_the_last():
    t = np.arange(BEFORE + AFTER + 2 * LAG) - BEFORE - LAG
    narrow = np.exp(-0.5 * (t / 1.5) ** 2)[None]
    wide = -np.exp(-0.5 * ((t - 4) / 6) ** 2)[None]
    beats = Beats(1)
    for k in range(10):
        usual = beats.add(100 * (k + 1), 200 * (k + 1), "", 0.8, narrow, np.ones(1))
    odd = beats.add(1100, 2200, "", 0.8, wide, np.ones(1))

    assert usual.dominant > 0.99
    assert usual.previous > 0.99
    assert odd.dominant < 0.5
    assert odd.foreign
    assert [b.at for b in beats.within(300, 600)] == [300, 400, 500]


def test_p_waves_of_a_standstill_do_not_end_a_gap():
    beats, follow = Beats(1), gaps.Gaps()
    for k in range(30):
        beats.seen.append(beat(0.8 * k))
        follow.beat(beats.seen[-1], beats)
    small = beat(26, size=0.15, dominant=0.6)
    beats.seen.append(small)

    assert follow.beat(small, beats) is None
    assert follow.open_s(round(28 * 125)) == pytest.approx(28 - 0.8 * 29, abs=0.01)
    assert follow.open_s(round(26 * 125)) is None
    assert [follow.still(p2p_mv) for p2p_mv in (0.0, 0.05, 0.9)] == [False, True, False]


def run(beats):
    follow = ectopy.Ectopy()
    for one in beats:
        follow.beat(one)
    return follow.run


def test_a_run_must_be_long_fast_and_of_one_shape_to_be_tachycardia():
    fast = [beat(0.4 * k, "V", 0.4) for k in range(5)]

    assert run(fast).tachycardia
    assert run(fast).bpm == pytest.approx(150)
    assert not run(fast[:4]).tachycardia
    assert not run([beat(0.9 * k, "V", 0.9) for k in range(6)]).tachycardia
    assert not run([beat(0.4 * k, "V", 0.4, previous=0.2) for k in range(6)]).tachycardia


def test_a_slow_run_is_idioventricular_and_one_that_speeds_up_becomes_tachycardia():
    slow = [beat(0.9 * k, "V", 0.9) for k in range(6)]
    faster = [beat(4.5 + 0.4 * k, "V", 0.4) for k in range(1, 13)]

    assert run(slow).slow
    assert not run(slow[:5]).slow
    assert not run([beat(0.9 * k, "V", 0.9, previous=0.2) for k in range(6)]).slow
    assert run(slow + faster).tachycardia
    assert run(slow + faster).beats == 18


@pytest.mark.parametrize(
    ("labels", "word"), [("VNVNVN", "B"), ("NVNVNV", "B"), ("NNVNNVNNV", "T"), ("NNNNVNNNN", "")]
)
def test_patterns(labels, word):
    follow = ectopy.Ectopy()
    for k, label in enumerate(labels):
        follow.beat(beat(k, label))

    assert follow.gemini == word


def words(rr):
    follow, said = rates.Rates(), []
    for k, interval in enumerate(rr):
        follow.beat(beat(float(np.sum(rr[: k + 1])), "N", interval))
        said.append(follow.word)
    return said


def test_breathing_has_its_word_and_a_jump_to_fast_beats_too():
    k = np.arange(60)

    assert words(0.9 + 0.12 * np.sin(2 * np.pi * k / 12))[-1] == "SARRH"
    assert words([0.8] * 30)[-1] == "N"
    assert "SVTA" in words([0.8] * 20 + [0.4] * 8)
    assert "SVTA" not in words(list(np.linspace(0.8, 0.4, 60)))


def test_most_beats_paced_is_a_paced_rhythm():
    follow, said = rates.Rates(), []
    for label in ["N"] * 10 + ["/"] * 20 + ["N"] * 16:
        follow.beat(beat(0.0, label))
        said.append(follow.word)

    assert said[9] == "N"
    assert said[29] == "P"
    assert said[-1] == "N"


def test_ectopic_beats_are_no_breathing():
    follow = rates.Rates()
    for k in range(120):
        label = "V" if k % 7 == 3 else "N"
        follow.beat(beat(0.0, label, 0.5 if label == "V" else 1.1 if k % 7 == 4 else 0.8))

    assert follow.word == "N"
    assert follow.swing == 0.0
