"""What is said of hearts whose rhythm is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dsp.ecg.rhythm.said import EventSaid, RhythmSaid, RunSaid
from daemon.dsp.ecg.rhythm.watch import RhythmWatch

RATE = 250.0
WIDE = ((0.0, 0.045, -1.6), (0.18, 0.06, 0.6))
NARROW = ((-0.17, 0.022, 0.12), (0.0, 0.010, 1.1), (0.028, 0.010, -0.25), (0.27, 0.045, 0.28))


def lead(seconds, beats, rate_hz=RATE, noise_mv=0.01, p_until=np.inf):
    """(2, n) of beats (time, label): V is wide, the rest narrow, with P waves until `p_until` s."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    x = np.zeros_like(t)
    for at, label in beats:
        narrow = NARROW if at < p_until else NARROW[1:]
        for place, width, height in WIDE if label == "V" else narrow:
            x += height * np.exp(-0.5 * ((t - at - place) / width) ** 2)
    noise = np.random.default_rng(9).normal(0, noise_mv, (2, len(t)))
    return (np.array([[1.0], [-0.6]]) * x + noise).astype(np.float32)


def sinus(first, last, bpm=75.0):
    return [(t, "N") for t in np.arange(first, last, 60 / bpm)]


def fibrillating(seconds, from_s, to_s, rate_hz=RATE):
    """Waves of 4 to 7 Hz that come and go."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    phase = (
        2 * np.pi * np.cumsum(5 + np.sin(2 * np.pi * 0.23 * t) + 0.5 * np.sin(2 * np.pi * 0.71 * t)) / rate_hz
    )
    wave = (0.6 + 0.2 * np.sin(2 * np.pi * 0.4 * t)) * np.sin(phase)
    return np.where((t >= from_s) & (t < to_s), wave, 0.0) * np.array([[1.0], [0.7]])


def rhythms(said, label):
    return [s for s in said if isinstance(s, RhythmSaid) and s.label == label]


def events(said, name):
    return [s for s in said if isinstance(s, EventSaid) and s.name == name]


def test_sinus_rhythm_is_said_and_nothing_else(watched):
    beats = sinus(0.6, 59)

    said = watched(RATE, lead(60, beats), beats)

    assert {s.label for s in said} == {"N"}


def test_fibrillation_is_said_within_ten_seconds_and_its_end_too(watched):
    beats = sinus(0.6, 30) + sinus(51, 79)
    x = (lead(80, beats) + fibrillating(80, 30, 50)).astype(np.float32)

    said = watched(RATE, x, beats)

    begun, ended = rhythms(said, "VFL") + rhythms(said, "VT")
    assert begun.end is None
    assert abs(begun.onset / RATE - 30) < 4
    assert begun.due / RATE < 40
    assert abs(ended.end / RATE - 50) < 4
    assert not rhythms(said, "ASYS")


def test_a_standstill_is_said_four_seconds_after_the_last_beat(watched):
    beats = sinus(0.6, 30)
    last = beats[-1][0]

    said = watched(RATE, lead(45, beats), beats)

    (begun,) = rhythms(said, "ASYS")
    assert abs(begun.onset / RATE - last) < 0.05
    assert 4.0 <= begun.due / RATE - last < 5.0
    assert begun.numbers[0][0] == "gap"


def test_a_pause_that_goes_on_is_said_from_three_seconds_on_and_becomes_a_standstill(watched):
    beats = sinus(0.6, 30) + sinus(33.4, 50) + sinus(56, 70)

    said = watched(RATE, lead(71, beats), beats)

    began, ended, second, over = rhythms(said, "PAUSE")
    standstill, _ = rhythms(said, "ASYS")
    assert abs(began.onset / RATE - sinus(0.6, 30)[-1][0]) < 0.05
    assert 3.0 <= (began.due - began.onset) / RATE < 3.7
    assert abs(ended.end / RATE - 33.4) < 0.05
    assert standstill.onset == second.onset
    assert second.due < standstill.due == over.due
    assert rhythms(said, "N")


def test_a_standstill_is_seen_behind_a_beat_within_the_last_seconds(watched):
    """What is quiet is judged behind the last beat, though the window of the other rules reaches before it."""
    beats = [*sinus(0.6, 30), (32.0, "N")]

    said = watched(RATE, lead(37, beats), beats)

    assert 3.0 <= rhythms(said, "PAUSE")[0].due / RATE - 32.0 < 3.7


def test_what_is_said_of_a_beat_does_not_wait_for_the_next_decision(watched):
    v = [30.0, 30.45, 30.9]
    beats = sorted([b for b in sinus(0.6, 40) if not 29.6 < b[0] < 32] + [(t, "V") for t in v])

    said = watched(RATE, lead(41, beats), beats)

    (run,) = events(said, "ventricular_run")
    after = next(t for t, label in beats if t > v[-1] and label == "N")
    assert run.due / RATE == pytest.approx(after + 0.4, abs=0.01)
    assert run.at / RATE == pytest.approx(30.0, abs=0.01)


@pytest.mark.parametrize("fault", ["off", "noise"])
def test_no_standstill_when_the_signal_is_gone_or_all_noise(watched, fault):
    beats = sinus(0.6, 30)
    x = lead(60, beats)
    usable = np.ones(x.shape, dtype=bool)
    gone = slice(round(30.3 * RATE), round(55 * RATE))
    if fault == "off":
        usable[:, gone] = False
    else:
        x[:, gone] += np.random.default_rng(2).normal(0, 0.8, x[:, gone].shape).astype(np.float32)

    said = watched(RATE, x, beats, usable)

    assert not [s for s in rhythms(said, "ASYS") if s.due < 55 * RATE]


def test_a_pause_is_an_event_with_its_length(watched):
    beats = sinus(0.6, 20) + sinus(23, 40)

    said = watched(RATE, lead(41, beats), beats)

    (pause,) = events(said, "pause")
    expected = 23 - sinus(0.6, 20)[-1][0]
    assert pause.numbers[0][1] == pytest.approx(expected, abs=0.03)
    assert not rhythms(said, "ASYS")


def test_irregular_beats_without_p_waves_are_fibrillation_and_regular_ones_are_not(watched):
    rng = np.random.default_rng(4)
    times = 60 + np.cumsum(rng.uniform(0.42, 1.05, 110))
    beats = sinus(0.6, 60) + [(t, "N") for t in times]

    said = watched(RATE, lead(times[-1] + 1, beats, p_until=60), beats)

    begun = rhythms(said, "AFIB")[0]
    assert abs(begun.onset / RATE - 60) < 15
    assert begun.due / RATE < 60 + 30
    assert {name for name, _, _ in begun.numbers} >= {"af_score", "sample_entropy"}


def test_couplets_runs_and_tachycardia_are_told_apart(watched):
    v = [20.0, 20.45, 30.0, 30.4, 30.8, 40.0, 40.35, 40.7, 41.05, 41.4, 41.75, 42.1]
    beats = sorted(
        [b for b in sinus(0.6, 59) if all(abs(b[0] - t) > 0.35 for t in v)] + [(t, "V") for t in v]
    )

    said = watched(RATE, lead(60, beats), beats)

    (couplet,) = events(said, "couplet")
    assert abs(couplet.at / RATE - 20.0) < 0.01
    assert [s.numbers[0][1] for s in events(said, "ventricular_run")] == [3.0, 7.0]
    begun, ended = rhythms(said, "VT")
    counted = [s for s in said if isinstance(s, RunSaid)]
    assert abs(begun.onset / RATE - 40.0) < 0.01
    assert abs(ended.end / RATE - 42.1) < 0.01
    assert begun.due / RATE < 41.4 + 0.45
    assert counted[-1].beats == 7
    assert begun.due < counted[0].due < ended.due


@pytest.mark.parametrize(("every", "label"), [(2, "B"), (3, "T")])
def test_bigeminy_and_trigeminy_are_said(watched, every, label):
    plain = sinus(0.6, 20)
    beats = plain + [
        (20 + 0.8 * k - (0.25 if k % every == 0 else 0), "V" if k % every == 0 else "N") for k in range(1, 40)
    ]

    said = watched(RATE, lead(54, beats), beats)

    assert rhythms(said, label)
    assert rhythms(said, label)[0].onset > 18 * RATE
    assert not rhythms(said, "AFIB")


@pytest.mark.parametrize(("bpm", "word"), [(40.0, "SBR"), (75.0, "N"), (140.0, "STACH")])
def test_the_rate_has_its_word(watched, bpm, word):
    beats = sinus(0.6, 39, bpm)

    said = watched(RATE, lead(40, beats), beats)

    assert [s.label for s in said] == [word]


def test_a_minute_counts_its_ectopic_beats(watched):
    beats = [
        (t, "V" if k in {20, 30, 40} else "S" if k == 50 else "N") for k, (t, _) in enumerate(sinus(0.6, 64))
    ]

    said = watched(RATE, lead(65, beats), beats)

    assert events(said, "ectopic_beats")[0].numbers == (
        ("ventricular", 3.0, "1/min"),
        ("supraventricular", 1.0, "1/min"),
    )


@settings(max_examples=4, deadline=None)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=20), st.sampled_from([250.0, 360.0]))
def test_no_cut_changes_what_is_said_or_a_bit_of_its_numbers(watched, cuts, rate_hz):
    beats = sinus(0.6, 20) + sinus(36, 49)
    x = (lead(50, beats, rate_hz) + fibrillating(50, 20, 34, rate_hz)).astype(np.float32)
    usable = (
        np.random.default_rng(1).random((2, x.shape[1] // 50 + 1)).repeat(50, axis=1)[:, : x.shape[1]] > 0.02
    )

    assert watched(rate_hz, x, beats, usable, cuts) == watched(rate_hz, x, beats, usable)


@pytest.mark.parametrize("gap_s", [0.5, 5.0, 60.0])
def test_after_a_gap_the_watch_goes_on_at_the_right_time(rhythm_table, gap_s):
    beats = sinus(0.6, 79)
    x = lead(80, beats)
    gap, half = round(gap_s * RATE), round(40 * RATE)
    watch = RhythmWatch(RATE, ("II", "V1"), rhythm_table)
    said = []
    for t, label in beats:
        sample = round(t * RATE)
        watch.beat(
            sample + (gap if sample >= half else 0),
            label,
            due=sample + 100 + (gap if sample >= half - 100 else 0),
        )
    usable = np.ones(x.shape, dtype=bool)
    said += watch.push(x[:, :half], usable[:, :half])
    watch.skip(gap)
    said += watch.push(x[:, half:], usable[:, half:])
    said += watch.close()

    assert {s.label for s in said} == {"N"}
    assert [s.due for s in said] == sorted(s.due for s in said)
    assert said[-1].due == x.shape[1] + gap - 1


def test_a_watch_without_leads_or_too_slow_is_refused(rhythm_table):
    with pytest.raises(ValueError, match="125 Hz"):
        RhythmWatch(100.0, ("II",), rhythm_table)
    with pytest.raises(ValueError, match="lead"):
        RhythmWatch(250.0, (), rhythm_table)


def test_what_follows_a_fibrillation_does_not_begin_before_its_end(watched):
    beats = sinus(0.6, 30) + sinus(51, 79)
    x = (lead(80, beats) + fibrillating(80, 30, 50)).astype(np.float32)

    said = watched(RATE, x, beats)

    before, after = [s for s in rhythms(said, "N") if s.end is None]
    assert before.onset < 10 * RATE
    assert after.onset > 48 * RATE
