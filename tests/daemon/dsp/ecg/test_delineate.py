"""The marks of a stream: right on a heart of known waves, one answer a beat in time, the same however it is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dsp.ecg.delineate import BeatWaves, Delineator
from daemon.dsp.ecg.marks import FIDUCIALS, LeadMarks, PState
from daemon.dsp.ecg.tables import load_waves_table
from daemon.dsp.ecg.vote import OVER_ALL

TABLE = load_waves_table()
DETECTED_S = 0.45
LEADS = ("I", "II", "III")
GAINS = (0.6, 1.0, -0.7)


def said(
    x, rate_hz, beats_s, cuts=(), leads=LEADS, usable=None, gap=(0.0, 0.0), table=TABLE
) -> list[BeatWaves]:
    """Beats as the detector would tell them; `cuts`: sample numbers that end a push; a gap (s, s) is skipped."""
    delineator = Delineator(rate_hz, leads, table)
    usable = np.ones(x.shape, dtype=bool) if usable is None else usable
    lost = [round(at * rate_hz) for at in gap]
    waiting = [(round(b * rate_hz), round((b + DETECTED_S) * rate_hz)) for b in beats_s]
    edges = sorted({0, x.shape[1], *lost, *(cut for cut in cuts if cut < x.shape[1])})
    out: list[BeatWaves] = []
    for first, stop in zip(edges[:-1], edges[1:], strict=True):
        if lost[0] <= first < lost[1]:
            delineator.skip(stop - first)
            continue
        while waiting and waiting[0][1] < stop:
            delineator.beat(*waiting.pop(0))
        out += delineator.push(x[:, first:stop], usable[:, first:stop])
    return out + delineator.finish()


def bits(beats):
    return [
        (b.sample, b.due, lead, m.p_state, m.p_taken_over, *(getattr(m, k) for k in FIDUCIALS))
        for b in beats
        for lead, m in b.marks.items()
    ]


@pytest.mark.parametrize("rate_hz", [125.0, 250.0, 360.0, 500.0, 1000.0])
def test_waves_are_where_the_heart_has_them(heart, rate_hz):
    beats = np.arange(0.6, 20, 0.85)

    marked = said(heart(rate_hz, 20.5, beats, GAINS), rate_hz, beats)

    assert [b.sample for b in marked] == [round(b * rate_hz) for b in beats if b + DETECTED_S < 20.5]
    for beat in marked[1:-1]:
        m, r = beat.marks["II"], beat.sample / rate_hz
        assert m.p_peak / rate_hz - r == pytest.approx(-0.17, abs=0.016)
        assert m.t_peak / rate_hz - r == pytest.approx(0.27, abs=0.020)
        assert -0.070 < m.qrs_on / rate_hz - r < -0.025
        assert 0.025 < m.qrs_off / rate_hz - r < 0.075
        assert m.p_on < m.p_peak < m.p_off < m.qrs_on < beat.sample < m.qrs_off < m.t_on < m.t_peak < m.t_off
        assert {*beat.marks} == {*LEADS, OVER_ALL}


def test_a_beat_is_said_when_its_t_is_over(heart):
    beats = np.arange(0.6, 30, 0.85)

    marked = said(heart(500.0, 30.5, beats, GAINS), 500.0, beats, cuts=range(25, 15250, 25))

    last_t = [max(m.t_off for m in b.marks.values()) for b in marked[1:-2]]
    assert max(b.due - t for b, t in zip(marked[1:-2], last_t, strict=True)) <= 0.72 * 500


def test_without_p_it_is_absent_after_eight_beats_and_not_before(heart, monkeypatch):
    waves = [w for w in heart.__globals__["WAVES"] if w[0] != -0.17]
    monkeypatch.setitem(heart.__globals__, "WAVES", tuple(waves))
    beats = np.cumsum([0.6, *np.random.default_rng(1).uniform(0.6, 1.0, 24)])

    marked = said(heart(360.0, beats[-1] + 1, beats, (1.0,)), 360.0, beats, leads=("II",))

    assert all(b.marks["II"].p_on is None for b in marked)
    states = [b.marks["II"].p_state for b in marked]
    assert set(states[:7]) == {PState.UNKNOWN}
    assert set(states[8:]) == {PState.ABSENT}


@settings(max_examples=4, deadline=None)
@given(st.data())
def test_no_bit_depends_on_the_cut(data):
    rate_hz = data.draw(st.sampled_from([125.0, 128.0, 200.0, 250.0, 257.0, 333.3, 360.0, 500.0, 1000.0]))
    n = round(9 * rate_hz)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    t = np.arange(n) / rate_hz
    beats = np.cumsum(rng.uniform(0.45, 1.1, 12))
    beats = beats[beats < 8.9]
    x = sum(
        h * np.exp(-0.5 * ((t - b - at) / w) ** 2)
        for b in beats
        for at, w, h in ((-0.16, 0.02, 0.1), (0, 0.01, 1), (0.26, 0.04, 0.3))
    )
    x = (np.array(GAINS)[:, None] * x + rng.normal(0, 0.02, (3, n))).astype(np.float32)
    usable = np.ones(x.shape, dtype=bool)
    usable[1, round(3 * rate_hz) : round(3.1 * rate_hz)] = False
    gap = (5.0, 5.0 + data.draw(st.sampled_from([0.0, 0.1, 1.0])))
    cuts = data.draw(st.lists(st.integers(1, n), max_size=30))

    whole = said(x, rate_hz, beats, usable=usable, gap=gap)
    cut = said(x, rate_hz, beats, cuts, usable=usable, gap=gap)

    assert bits(whole) == bits(cut)
    assert len(whole) == len(cut)


@pytest.mark.parametrize("rate_hz", [257.0, 333.3, 500.0])
def test_a_beat_told_behind_a_short_gap_is_marked_from_before_it(heart, rate_hz):
    """A gap shorter than the detector's delay: whether the beat was told of with the gap must not matter."""
    beats = np.arange(0.6, 9, 0.8)
    x = heart(rate_hz, 9, beats, GAINS)
    gap = (4.9, 5.0)  # the beat at 4.6 s is due at 5.05 s

    whole = said(x, rate_hz, beats, gap=gap)
    cut = said(x, rate_hz, beats, range(0, 9000, 10), gap=gap)

    assert bits(whole) == bits(cut)
    beat = next(b for b in cut if abs(b.sample / rate_hz - 4.6) < 0.01)
    assert beat.marks["II"].p_state is PState.PRESENT
    assert beat.marks["II"].qrs_off is not None
    assert beat.due >= round(5.05 * rate_hz)


def test_behind_a_gap_all_is_silent_for_a_second(heart):
    beats = np.arange(0.6, 16, 0.85)

    marked = said(heart(360.0, 16.5, beats, GAINS), 360.0, beats, gap=(6.0, 8.0))

    silent = [b.sample / 360 for b in marked if b.marks == {OVER_ALL: LeadMarks()}]
    assert silent
    assert all(6.0 <= at <= 9.6 for at in silent)
    spoken = [b.sample / 360 for b in marked if {*LEADS} <= {*b.marks}]
    assert len(silent) + len(spoken) == len(marked)
    assert not [at for at in spoken if 6.0 < at < 9.0]
    assert [at for at in spoken if 5.0 < at < 6.0], "the beat before the gap is marked as far as it is known"
    assert [at for at in spoken if 9.6 < at < 11.0]


def test_a_lead_that_is_off_is_left_out_and_harms_no_other(heart):
    beats = np.arange(0.6, 16, 0.85)
    x = heart(360.0, 16.5, beats, GAINS)
    rubbish = x.copy()
    rubbish[2] = 50.0
    rubbish[2, ::7] = np.nan
    usable = np.ones(x.shape, dtype=bool)
    usable[2] = False

    marked = said(rubbish, 360.0, beats, usable=usable)

    assert all("III" not in b.marks and "II" in b.marks for b in marked)
    two = said(x[:2], 360.0, beats, leads=LEADS[:2])
    assert [b.marks["II"] for b in marked] == [b.marks["II"] for b in two]


def test_a_lead_that_came_back_is_silent_for_a_second(heart):
    beats = np.arange(0.6, 16, 0.85)
    usable = np.ones((3, round(16.5 * 360)), dtype=bool)
    usable[1, 5 * 360 : 6 * 360] = False

    marked = said(heart(360.0, 16.5, beats, GAINS), 360.0, beats, usable=usable)

    for beat in marked:
        at = beat.sample / 360
        if 5.0 < at < 7.0:
            assert "II" not in beat.marks
        elif at > 7.6 or at < 4.0:
            assert "II" in beat.marks


def test_beats_without_any_signal_are_answered_without_marks(heart):
    beats = np.arange(0.6, 8, 0.85)

    marked = said(np.zeros((3, 8 * 360), dtype=np.float32), 360.0, beats)

    assert len(marked) == sum(b + DETECTED_S < 8 for b in beats)
    assert all(at is None for b in marked for m in b.marks.values() for at in [m.qrs_on, m.p_on, m.t_off])


def test_without_a_lead_every_mark_is_missing_and_p_unknown(heart):
    beats = np.arange(0.6, 12, 0.85)
    x = heart(360.0, 12.5, beats, GAINS)

    marked = said(x, 360.0, beats, usable=np.zeros(x.shape, dtype=bool))

    assert marked
    assert all(b.marks == {OVER_ALL: LeadMarks()} for b in marked)
    assert LeadMarks().p_state is PState.UNKNOWN


@pytest.mark.parametrize(("noise_mv", "told"), [(0.030, True), (0.060, False)])
def test_in_noise_above_40_uv_p_is_unknown_not_absent_and_not_there(heart, noise_mv, told):
    beats = np.arange(0.6, 25, 0.85)
    x = heart(250.0, 25.5, beats, (1.0,), noise_mv=noise_mv)  # all of the noise is in the band at 250 Hz

    marked = said(x, 250.0, beats, leads=("II",))

    states = {b.marks[lead].p_state for b in marked[8:] for lead in ("II", OVER_ALL)}
    assert states == ({PState.PRESENT} if told else {PState.UNKNOWN})
    assert all(b.marks["II"].qrs_on is not None for b in marked[1:-1])
    if not told:
        assert all(b.marks["II"].p_on is None for b in marked)


def test_a_noisy_lead_leaves_p_of_the_others_as_it_is(heart):
    beats = np.arange(0.6, 20, 0.85)
    x = heart(250.0, 20.5, beats, GAINS)
    x[2] += np.random.default_rng(3).normal(0, 0.08, x.shape[1]).astype(np.float32)

    marked = said(x, 250.0, beats)

    for beat in marked[2:-1]:
        assert beat.marks["III"].p_state is PState.UNKNOWN
        assert beat.marks["II"].p_state is PState.PRESENT
        assert beat.marks[OVER_ALL].p_state is PState.PRESENT


def test_a_pause_does_not_hold_back_the_beat_before_it(heart):
    beats = np.array([0.6, 1.4, 2.2])

    delineator = Delineator(250.0, ("II",), TABLE)
    x = heart(250.0, 8.0, beats)
    for b in beats:
        delineator.beat(round(b * 250), round((b + DETECTED_S) * 250))
    marked = delineator.push(x, np.ones(x.shape, dtype=bool))

    assert len(marked) == 3
    assert marked[-1].due < (2.2 + 2.3) * 250


def test_memory_does_not_grow():
    x = np.zeros((1, 250 * 10), dtype=np.float32)
    usable = np.ones(x.shape, dtype=bool)
    delineator = Delineator(250.0, ("II",), TABLE)

    def held():
        stretches = (delineator._now, delineator._past)
        return sum(s._p._data.nbytes + s._y._data.nbytes + len(s._heard) for s in stretches)

    for turn in range(8):
        delineator.beat(turn * 2500 + 100, turn * 2500 + 210)
        delineator.push(x, usable)
        if turn == 4:
            before = held()

    assert held() == before


@pytest.mark.parametrize(("rate_hz", "leads"), [(100.0, ("II",)), (500.0, ())])
def test_too_slow_or_nothing_to_mark_is_refused(rate_hz, leads):
    with pytest.raises(ValueError, match="mark"):
        Delineator(rate_hz, leads, TABLE)
