"""The detector as a whole, on hearts whose beats are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dsp.ecg.detect import PROMISED_S, QrsDetector
from daemon.dsp.ecg.trees import LEAVES, NODES, QrsTable

TWELVE = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
GAINS = (0.5, 1.0, 0.5, -0.75, 0.1, 0.7, -0.6, -0.3, 0.4, 0.9, 1.1, 0.9)


def all_usable(x):
    return np.ones(x.shape, dtype=bool)


def found(detector, x, usable=None, cut=None):
    usable = all_usable(x) if usable is None else usable
    beats = []
    for at in range(0, x.shape[1], cut or x.shape[1]):
        stop = at + (cut or x.shape[1])
        beats += detector.push(x[:, at:stop], usable[:, at:stop])
    return beats


def regular(bpm, seconds, first=0.6):
    return np.arange(first, seconds - 0.7, 60 / bpm)


def assert_same(beats, times, rate_hz, within_s=0.012):
    marks = np.array([b.sample for b in beats]) / rate_hz
    assert len(marks) == len(times), f"{len(marks)} said, {len(times)} there"
    assert np.abs(marks - times).max() < within_s


@pytest.mark.parametrize("rate_hz", [125.0, 200.0, 250.0, 257.0, 360.0, 500.0, 1000.0])
def test_every_beat_is_marked_at_any_rate(heart, fitted, rate_hz):
    times = regular(72, 20)

    beats = found(QrsDetector(rate_hz, ("II",), fitted), heart(rate_hz, 20, times))

    assert_same(beats, times, rate_hz)


@pytest.mark.parametrize("bpm", [20, 30, 45, 60, 100, 150, 200])
def test_every_beat_is_marked_at_any_heart_rate(heart, fitted, bpm):
    times = regular(bpm, 30, first=1.0)

    beats = found(QrsDetector(250.0, ("II",), fitted), heart(250.0, 30, times))

    assert_same(beats, times, 250.0)


@pytest.mark.parametrize("rate_hz", [250.0, 360.0])
@pytest.mark.parametrize("bpm", [250, 300])
def test_a_heart_at_its_limit_is_counted_beat_for_beat(fitted, rate_hz, bpm):
    times = np.arange(1.0, 29.5, 60 / bpm)
    t = np.arange(round(30 * rate_hz)) / rate_hz
    away = np.abs(t[:, None] - times).min(axis=1)
    x = np.clip(1 - away / 0.035, 0, 1)[None].astype(np.float32)  # triangles of 70 ms and 1 mV

    beats = found(QrsDetector(rate_hz, ("II",), fitted), x)

    marks = np.array([b.sample for b in beats]) / rate_hz
    settled = times[times > 4.1]
    said = marks[marks > 4.1 - 0.05]
    assert len(said) == len(settled)
    assert np.abs(said - settled).max() < 0.012


def test_twelve_leads_say_each_beat_once(heart, fitted):
    times = regular(72, 20)

    beats = found(QrsDetector(500.0, TWELVE, fitted), heart(500.0, 20, times, GAINS))

    assert_same(beats, times, 500.0)
    assert {b.lead for b in beats} <= set(TWELVE)


def test_beats_come_in_order_and_in_time_and_say_so_when_late(heart, fitted):
    rate = 250.0

    beats = found(QrsDetector(rate, ("II",), fitted), heart(rate, 30, regular(72, 30)))

    waits = np.array([b.due - b.sample for b in beats]) / rate
    assert [b.late for b in beats] == (waits > PROMISED_S).tolist()
    assert not any(b.late for b in beats if b.sample > 4 * rate)
    assert waits.max() < 1.0
    assert [b.sample for b in beats] == sorted(b.sample for b in beats)
    assert [b.due for b in beats] == sorted(b.due for b in beats)


@pytest.mark.parametrize("rate_hz", [250.0, 500.0])
def test_a_beat_is_given_with_the_very_sample_that_it_is_due_at(heart, fitted, rate_hz):
    x = heart(rate_hz, 5, regular(72, 5))
    detector = QrsDetector(rate_hz, ("II",), fitted)

    for at in range(x.shape[1]):
        for beat in detector.push(x[:, at : at + 1], all_usable(x[:, at : at + 1])):
            assert at - detector._front.step < beat.due <= at


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=40), st.integers(0, 5))
def test_no_cut_changes_a_beat_or_a_bit_of_its_score(heart, fitted, cuts, seed):
    rng = np.random.default_rng(seed)
    n = sum(cuts)
    x = heart(360.0, n / 360, regular(80, n / 360), (1.0, -0.5), noise_mv=0.15)[:, :n]
    usable = np.repeat(rng.random((2, n // 100 + 1)) > 0.1, 100, axis=1)[:, :n]
    expected = QrsDetector(360.0, ("II", "V1"), fitted).push(x, usable)

    detector, beats, at = QrsDetector(360.0, ("II", "V1"), fitted), [], 0
    for cut in cuts:
        beats += detector.push(x[:, at : at + cut], usable[:, at : at + cut])
        at += cut

    assert beats == expected


@pytest.mark.parametrize("gap_s", [0.02, 0.5, 3.0, 9.0])
def test_a_gap_is_so_many_unusable_samples(heart, fitted, gap_s):
    rate = 250.0
    x = heart(rate, 40, regular(72, 40))
    first, stop = 3000, 3000 + round(gap_s * rate)
    usable = all_usable(x)
    usable[:, first:stop] = False
    expected = found(QrsDetector(rate, ("II",), fitted), x, usable)

    detector = QrsDetector(rate, ("II",), fitted)
    beats = found(detector, x[:, :first])
    detector.skip(stop - first)
    beats += found(detector, x[:, stop:])

    assert beats == expected


def test_after_a_gap_of_an_hour_sample_numbers_go_on_and_the_first_beats_are_found(heart, fitted):
    rate, hour = 250.0, 3600 * 250
    times = regular(72, 20)
    x = heart(rate, 20, times)
    detector = QrsDetector(rate, ("II",), fitted)
    before = found(detector, x)

    detector.skip(hour)
    after = [b for b in found(detector, x) if b.sample >= hour]

    assert len(before) >= len(times) - 1
    marks = np.array([b.sample - hour - x.shape[1] for b in after]) / rate
    assert np.abs(marks - times[-len(marks) :]).max() < 0.012
    assert len(marks) >= len(times) - 1


def test_a_few_lost_samples_lose_no_beat(heart, fitted):
    rate, times = 250.0, regular(72, 30)
    x = heart(rate, 30, times)
    detector = QrsDetector(rate, ("II",), fitted)

    beats = []
    for at in range(0, x.shape[1], 250):
        beats += found(detector, x[:, at : at + 246])
        detector.skip(len(x[0, at + 246 : at + 250]))

    assert_same(beats, times[: len(beats)], rate, within_s=0.03)
    assert len(beats) >= len(times) - 1


@pytest.mark.parametrize("kind", ["flat", "off", "noise"])
def test_a_bad_lead_costs_no_beat_of_a_good_one(heart, fitted, kind):
    rate, times = 250.0, regular(72, 40)
    x = heart(rate, 40, times, (1.0, 0.8))
    usable = all_usable(x)
    if kind == "flat":
        x[0, 4000:8000] = 1.5
    elif kind == "off":
        x[0, 4000:8000] = np.nan
        usable[0, 4000:8000] = False
    else:
        x[0, 4000:8000] += np.random.default_rng(2).normal(0, 0.4, 4000)

    assert_same(found(QrsDetector(rate, ("II", "V5"), fitted), x, usable), times, rate, within_s=0.02)


def test_all_leads_off_says_nothing_and_comes_back_within_three_seconds(heart, fitted):
    rate, times = 250.0, regular(72, 40)
    x = heart(rate, 40, times)
    usable = all_usable(x)
    usable[:, 2500:7500] = False  # 10 to 30 s
    marks = np.array([b.sample for b in found(QrsDetector(rate, ("II",), fitted), x, usable)]) / rate

    assert not ((marks > 10) & (marks < 30)).any()
    assert ((marks > 30) & (marks < 33)).sum() >= 2


@pytest.mark.parametrize("pause_s", [3.0, 5.0, 8.0])
def test_a_pause_with_p_waves_is_a_pause_and_the_beat_after_it_a_beat(heart, fitted, pause_s):
    rate = 250.0
    first, second = regular(72, 20), regular(72, 20) + 20 + pause_s - 60 / 72
    times = np.concatenate([first, second])
    seconds = second[-1] + 1
    x = heart(rate, seconds, times)
    t = np.arange(x.shape[1]) / rate
    for p in np.arange(first[-1] + 1.0, second[0] - 0.6, 60 / 72):  # the atria go on
        x[0] += (0.12 * np.exp(-0.5 * ((t - p) / 0.022) ** 2)).astype(np.float32)

    assert_same(found(QrsDetector(rate, ("II",), fitted), x), times, rate)


def test_a_flat_line_has_no_beats(fitted):
    x = np.random.default_rng(4).normal(0, 0.003, (2, 250 * 60)).astype(np.float32)

    beats = found(QrsDetector(250.0, ("II", "V1"), fitted), x)

    assert [b for b in beats if b.sample > 250 * 5] == []


def test_tall_t_waves_are_not_counted(heart, fitted):
    rate, times = 250.0, regular(72, 30)
    x = heart(rate, 30, times)
    t = np.arange(x.shape[1]) / rate
    for beat in times:
        x[0] += (1.0 * np.exp(-0.5 * ((t - beat - 0.27) / 0.045) ** 2)).astype(np.float32)

    assert_same(found(QrsDetector(rate, ("II",), fitted), x), times, rate)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_tall_p_waves_before_a_small_qrs_are_not_counted(heart, fitted, share):
    rate, times = 250.0, regular(72, 60)
    x = 0.3 * heart(rate, 60, times)  # 0.33 mV from the base to R
    t = np.arange(x.shape[1]) / rate
    for beat in times:
        x[0] += (share * 0.33 * np.exp(-0.5 * ((t - beat + 0.19) / 0.022) ** 2)).astype(np.float32)

    assert_same(found(QrsDetector(rate, ("II",), fitted), x), times, rate)


def test_memory_does_not_grow(heart, fitted):
    rate = 250.0
    x = heart(rate, 20, regular(72, 20), (1.0, 0.7))
    detector = QrsDetector(rate, ("II", "V1"), fitted)

    def held():
        rings = [getattr(detector._s, name) for name in detector._s.__slots__] + [
            detector._front._x,
            detector._front._lost,
        ]
        return sum(ring._data.nbytes for ring in rings) + len(detector._pending)

    found(detector, x, cut=25)
    once = held()
    for _ in range(5):
        found(detector, x, cut=25)
        found(detector, x)

    assert held() <= once + 4 * 8 * 2 * 4096


def test_another_detectors_table_and_no_leads_are_refused(fitted):
    other = QrsTable(
        np.zeros((1, NODES), dtype=np.int64), np.zeros((1, NODES)), np.zeros((1, LEAVES)), 0.0, ("height",)
    )

    with pytest.raises(ValueError, match="other features"):
        QrsDetector(250.0, ("II",), other)
    with pytest.raises(ValueError, match="at least one lead"):
        QrsDetector(250.0, (), fitted)
