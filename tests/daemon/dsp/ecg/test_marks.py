"""From probabilities to marks: shapes with known ends, and what leads and beats say together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.dsp.ecg.marks import (
    FIDUCIALS,
    LeadMarks,
    PState,
    Wave,
    Waves,
    above_half,
    crossing,
    draw,
    noise_mv,
    peak,
    runs,
    smoothed,
)
from daemon.dsp.ecg.vote import MOVE_S, OVER_ALL, Majority, Vote, over_all


def trapezium(n, on, off, slope=0.25):
    """A probability that crosses one half at `on` and at `off`."""
    t = np.arange(n)
    return np.clip(np.minimum((t - on) * slope + 0.5, (off - t) * slope + 0.5), 0, 1)


def strip(waves, n=500):
    """Probabilities (3, n): {row: [(on, off), ...]}."""
    p = np.zeros((3, n))
    for row, spans in waves.items():
        for on, off in spans:
            p[row] = np.maximum(p[row], trapezium(n, on, off))
    return p


def bump(n, at, width):
    return np.exp(-0.5 * ((np.arange(n) - at) / width) ** 2)


def in_one_lead(p, y, *beats):
    """The beat drawn from p (3, n) and y (n,)."""
    return draw(p[None], smoothed(y[None]), *beats)[0]


def found_peak(y, on, off):
    return peak(smoothed(y[None])[0], on, off)


def test_a_boundary_lies_where_one_half_is_crossed_between_two_samples():
    p = trapezium(100, 20.3, 60.8)

    (run,) = runs(p, *above_half(p[None]), 0, 100, 0.04, 0.02)

    assert crossing(p, run.first) == pytest.approx(20.3)
    assert crossing(p, run.stop) == pytest.approx(60.8)
    assert run.mass_s == pytest.approx(40.5 / 250, abs=0.01)


def test_short_gaps_do_not_end_a_run_and_light_runs_do_not_count():
    p = np.zeros(200)
    p[20:40] = p[46:60] = 1.0
    p[100:103] = 1.0

    closed = runs(p, *above_half(p[None]), 0, 200, 0.030, 0.020)
    apart = runs(p, *above_half(p[None]), 0, 200, 0.020, 0.020)

    assert [(r.first, r.stop) for r in closed] == [(20, 60)]
    assert [(r.first, r.stop) for r in apart] == [(20, 40), (46, 60)]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_peak_is_farthest_from_the_chord(sign):
    slope = np.linspace(0, 0.4, 200)

    assert found_peak(sign * (bump(200, 90, 8) * 0.2) + slope, 60.4, 119.5) == pytest.approx(90, abs=1)


def test_a_peak_survives_mains_of_half_its_size():
    t = np.arange(200)
    mains = 0.05 * np.sin(2 * np.pi * 50 * t / 250)

    assert found_peak(bump(200, 90, 10) * 0.1 + mains, 60.0, 120.0) == pytest.approx(90, abs=4)


def test_a_beat_is_drawn_with_its_own_p_and_t():
    p = strip({0: [(60, 85), (330, 355)], 1: [(105, 128), (375, 398)], 2: [(170, 220), (440, 490)]})
    y = np.zeros(500)

    waves = in_one_lead(p, y, 115.0)

    assert waves.qrs == pytest.approx((105, 128))
    assert (waves.p.on, waves.p.off) == pytest.approx((60, 85))
    assert (waves.t.on, waves.t.off) == pytest.approx((170, 220))
    assert (in_one_lead(p, y, 385.0).p.on, in_one_lead(p, y, 385.0).t.off) == pytest.approx((330, 490))


def test_a_beat_without_a_run_near_it_has_no_marks():
    p = strip({1: [(105, 128)], 2: [(170, 220)]})

    assert in_one_lead(p, np.zeros(500), 160.0) == Waves()
    assert in_one_lead(p, np.zeros(500), 150.0).qrs is not None


def test_of_two_runs_the_heavier_is_the_wave():
    p = strip({0: [(40, 50), (70, 90)], 1: [(105, 128)], 2: [(150, 162), (190, 240)]})
    waves = in_one_lead(p, np.zeros(500), 115.0)

    assert waves.p.on == pytest.approx(70)
    assert waves.t.on == pytest.approx(190)


def test_a_t_that_is_not_over_is_not_said():
    p = strip({1: [(105, 128)], 2: [(170, 400)]}, n=250)

    assert in_one_lead(p, np.zeros(250), 115.0).t is None


def test_a_majority_is_half_of_the_last_eight():
    gate = Majority()

    assert [gate.step(seen=True) for _ in range(4)] == [True] * 4
    assert [gate.step(seen=False) for _ in range(5)] == [True] * 4 + [False]
    assert gate.full


QRS = (100.0, 120.0)
WITH_P = Waves(QRS, Wave(50.0, 60.0, 75.0, 0.09), None)
WITHOUT_P = Waves(QRS, None, None)


def test_a_p_now_and_then_is_not_believed_and_said_to_be_absent_after_eight_beats():
    vote = Vote(("II",))
    states = [
        vote.step({"II": WITH_P if k % 3 == 2 else WITHOUT_P}, p_can_be_told=True)["II"].p_state
        for k in range(12)
    ]

    assert states[:7] == [PState.UNKNOWN] * 7
    assert states[8:] == [PState.ABSENT] * 4


def test_absence_is_not_told_where_it_cannot_be():
    vote = Vote(("II",))
    for _ in range(12):
        marks = vote.step({"II": WITHOUT_P}, p_can_be_told=False)

    assert marks["II"].p_state is PState.UNKNOWN


def test_a_lead_without_p_takes_it_over_from_most_of_twelve():
    names = tuple(f"L{k}" for k in range(12))
    vote = Vote(names)
    for _ in range(8):
        marks = vote.step({n: WITHOUT_P if n == "L3" else WITH_P for n in names}, p_can_be_told=True)

    assert (marks["L3"].p_on, marks["L3"].p_taken_over) == (50.0, True)
    assert not marks["L4"].p_taken_over
    for _ in range(8):
        marks = vote.step({n: WITH_P if n == "L3" else WITHOUT_P for n in names}, p_can_be_told=True)
    assert (marks["L3"].p_on, marks["L3"].p_state) == (None, PState.ABSENT)


def test_over_all_leads_the_second_extreme_of_those_that_agree_is_taken():
    marks = [LeadMarks(qrs_on=100.0 + k, qrs_off=120.0 + k) for k in range(11)] + [
        LeadMarks(qrs_on=20.0, qrs_off=220.0)
    ]
    together = over_all(marks)

    assert together.qrs_on == pytest.approx(101 + MOVE_S["qrs_on"] * 250)
    assert together.qrs_off == pytest.approx(129 + MOVE_S["qrs_off"] * 250)
    assert together.p_on is None


def test_over_few_leads_the_median_is_taken():
    marks = [LeadMarks(qrs_on=on, qrs_off=on + 20) for on in (100.0, 104.0, 150.0)]

    assert over_all(marks).qrs_on == 104.0


def test_a_wave_that_most_leads_do_not_have_is_absent_over_all():
    names = ("I", "II", "III")
    vote = Vote(names)
    for _ in range(8):
        marks = vote.step({"I": WITH_P, "II": WITHOUT_P, "III": WITHOUT_P}, p_can_be_told=True)

    assert marks["I"].p_state is PState.PRESENT
    assert (marks[OVER_ALL].p_on, marks[OVER_ALL].p_state) == (None, PState.ABSENT)


def test_the_beats_on_either_side_bound_p_and_t_however_close_they_are():
    # 220 a minute: QRS complexes 45 samples apart, end to begin; a longer T behind the next beat, a longer P before the last
    p = strip(
        {1: [(90, 112), (157, 179), (224, 246)], 0: [(60, 82), (140, 152)], 2: [(184, 200), (256, 290)]}
    )

    drawn = in_one_lead(p, np.zeros(500), 168.0, 101.0, 235.0)
    alone = in_one_lead(p, np.zeros(500), 168.0)

    assert (drawn.p.on, drawn.t.off) == (pytest.approx(140), pytest.approx(200))
    assert (alone.p.on, alone.t.off) == (pytest.approx(60), pytest.approx(290))


def test_a_noisy_lead_has_no_voice_and_is_unknown():
    names = tuple(f"L{k}" for k in range(10))
    vote = Vote(names)
    drawn = {n: WITHOUT_P if n in {"L0", "L1"} else WITH_P for n in names}
    for _ in range(8):
        marks = vote.step(drawn, p_can_be_told=True, noisy={"L0", "L2"})

    assert [marks[n].p_state for n in ("L0", "L2")] == [PState.UNKNOWN] * 2
    assert (marks["L2"].p_on, marks["L2"].qrs_on is not None) == (None, True)
    assert (marks["L1"].p_state, marks["L1"].p_taken_over) == (PState.PRESENT, True)
    assert marks[OVER_ALL].p_state is PState.PRESENT


def test_where_every_lead_is_noisy_p_is_unknown_over_all():
    vote = Vote(("I", "II"))
    for _ in range(9):
        marks = vote.step({"I": WITHOUT_P, "II": WITHOUT_P}, p_can_be_told=True, noisy={"I", "II"})

    assert {m.p_state for m in marks.values()} == {PState.UNKNOWN}
    assert marks[OVER_ALL].qrs_on is not None


def test_noise_is_measured_between_the_complexes_and_waves_are_none():
    rng = np.random.default_rng(5)
    n = 500
    heart = 0.15 * bump(n, 60, 5) + 1.5 * bump(n, 100, 2.5) + 0.4 * bump(n, 170, 10) + 1.5 * bump(n, 350, 2.5)
    qrs = np.maximum(trapezium(n, 88, 112), trapezium(n, 338, 362))
    sizes = np.array([0.0, 0.020, 0.040, 0.100])
    y = heart + sizes[:, None] * rng.normal(0, 1, (4, n))

    measured = noise_mv(y, smoothed(y), qrs)

    assert measured[0] < 0.002
    assert measured[1:] == pytest.approx(sizes[1:], rel=0.15)
    assert np.isinf(noise_mv(y, smoothed(y), np.ones(n))).all()
    assert np.isinf(noise_mv(y[:, :3], smoothed(y)[:, :3], qrs[:3])).all()


def test_moving_marks_leaves_absent_ones_absent():
    moved = LeadMarks(qrs_on=10.0, qrs_off=30.0, p_state=PState.ABSENT).placed(lambda at: 2 * at)

    assert [getattr(moved, k) for k in FIDUCIALS] == [None, None, None, 20.0, 60.0, None, None, None]
    assert moved.p_state is PState.ABSENT


def test_taking_p_away_leaves_the_rest():
    marks = LeadMarks(1.0, 2.0, 3.0, 10.0, 30.0, 40.0, 50.0, 60.0, PState.PRESENT, p_taken_over=True)

    bare = marks.without_p()

    assert [getattr(bare, k) for k in FIDUCIALS] == [None, None, None, 10.0, 30.0, 40.0, 50.0, 60.0]
    assert (bare.p_state, bare.p_taken_over) == (PState.ABSENT, False)


@given(
    st.lists(st.floats(0, 1, width=32), min_size=2, max_size=60),
    st.integers(0, 60),
)
def test_a_crossing_lies_between_its_two_samples_or_there_is_none(values, at):
    """A run that a bound of the search cuts stays above one half: carried on as a line it would cross anywhere."""
    p = np.array(values)
    found = crossing(p, at)

    if found is None:
        assert not 0 < at < len(p) or (p[at - 1] > 0.5) == (p[at] > 0.5)
    else:
        assert at - 1 <= found <= at
