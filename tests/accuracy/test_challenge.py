"""Lethal-arrhythmia alarms on the Challenge's recordings: `challenge.json` holds what was reached, and no more may be missed.

Every sixth of a kind here, all of them by `./dev soak accuracy`.
VITALD_DATA=... python -m tests.accuracy.challenge cinc2015 [STEP]     prints today's figures in the same form
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from daemon.model.signals import Channel, Gap, GapCause, Quantity, SampleBlock, Segment, Stream
from tests.accuracy import challenge

REACHED = json.loads((Path(__file__).parent / "challenge.json").read_text())
STEP = 6


@pytest.fixture(scope="module")
def now(recordings):
    counts, cells = challenge.judged(recordings / "cinc2015", STEP)
    print(challenge.printed(counts, cells))
    return challenge.figures(counts)


@pytest.mark.recordings
@pytest.mark.timeout(3600)  # the first case analyses for all
@pytest.mark.parametrize("limits", challenge.LIMITS)
@pytest.mark.parametrize("kind", challenge.NAMES)
def test_no_more_alarms_are_missed_and_no_more_are_false(now, limits, kind):
    before, found = REACHED["sampled"][limits][kind], now[limits][kind]

    assert not challenge.fallen(before, found)
    assert sum(found[cell] for cell in ("tp", "fn", "fp", "tn")) >= 2


def test_one_alarm_more_that_is_missed_is_seen_and_one_false_one_is_borne():
    before = {"fn": 1.0, "fp": 2.0}
    assert not challenge.fallen(before, {"fn": 1.0, "fp": 3.0})
    assert challenge.fallen(before, {"fn": 2.0, "fp": 0.0})
    assert challenge.fallen(before, {"fn": 1.0, "fp": 4.0})


def test_the_score_counts_a_missed_alarm_five_times():
    assert challenge.score(Counter(tp=6, tn=6)) == 100.0
    assert challenge.score(Counter(tp=5, fn=1, tn=6)) == pytest.approx(100 * 11 / 16)
    assert challenge.score(Counter(tp=6, fp=1, tn=5)) == pytest.approx(100 * 11 / 12)


def test_nothing_behind_the_alarm_is_looked_at():
    of = Segment("s", "", Stream("d", "ecg", 250.0, (Channel("II", Quantity.ECG, "mV", 1e-3),)), "", 0, 0)
    counts = np.arange(2500, dtype=np.int32)[None]
    first = SampleBlock(of, 0, 0, 4e6, counts, 10_000_000_000)
    gap = Gap(of, 2500, 250, 10_000_000_000, 11_000_000_000, GapCause.UNKNOWN)
    second = SampleBlock(of, 2750, 11_000_000_000, 4e6, counts, 21_000_000_000)

    whole, between, cut = challenge.until([first, gap, second], 12.5)

    assert (whole.n, between, cut.n) == (2500, gap, 375)
    assert cut.arrived_ns == 12_500_000_000
    np.testing.assert_array_equal(cut.counts, counts[:, :375])
    assert [item.n for item in challenge.until([first, second], 10.0)] == [2500]


def test_an_alarm_counts_while_it_is_on_in_the_last_ten_seconds():
    alarm = challenge.Alarm(Path("a"), "Asystole", True, 300.0)

    def line(state, at, name="ASYSTOLE"):
        return {"alarm": name, "state": state, "reported_at": at}

    assert challenge.was_on([line("on", 299.9)], alarm)
    assert challenge.was_on([line("on", 250.0), line("off", 291.0)], alarm)
    assert not challenge.was_on([line("on", 250.0), line("off", 289.0)], alarm)
    assert not challenge.was_on([line("on", 300.1)], alarm)
    assert not challenge.was_on([line("on", 299.0, "VENT FIB")], alarm)
