"""One bed: items go to analysis and to both sinks; an analysis that breaks costs the analysis only."""

from __future__ import annotations

from daemon.bedside import FIRST_RETRY_NS, Bedside
from daemon.model.signals import Fact, FactState, Reading, Tick

READING = Reading("1", "X", "spo2", 97.0, "%", 5)


class Recorder:
    def __init__(self):
        self.seen = []

    def __call__(self, bed, item, findings):
        self.seen.append((item, list(findings)))


class Echo:
    def push(self, item):
        return [item]


class Breaks:
    def push(self, item):
        raise ZeroDivisionError


def bedside(make):
    live, store, errors = Recorder(), Recorder(), []
    return Bedside("1", analysis=make, live=live, store=store, failed=errors.append), live, store, errors


def test_item_and_findings_reach_both_sinks_in_order():
    bed, live, store, _ = bedside(Echo)
    bed.push(READING)
    bed.push(Tick(100))

    assert live.seen == store.seen == [(READING, [READING]), (Tick(100), [Tick(100)])]


def test_broken_analysis_is_said_once_and_items_still_flow():
    bed, live, store, errors = bedside(Breaks)
    bed.push(READING)
    bed.push(READING)

    facts = [item for item, _ in live.seen if isinstance(item, Fact)]
    assert [f.state for f in facts] == [FactState.FAILED]
    assert facts[0].detail == "ZeroDivisionError"
    assert [item for item, _ in store.seen].count(READING) == 2
    assert len(errors) == 1


def test_analysis_starts_anew_with_growing_waits_and_says_when_it_is_well():
    attempts = []

    def make():
        attempts.append(1)
        return Breaks() if len(attempts) < 3 else Echo()

    bed, live, _, errors = bedside(make)
    for k in range(100):
        bed.push(Tick(k * FIRST_RETRY_NS // 4))

    facts = [item.state for item, _ in live.seen if isinstance(item, Fact)]
    assert len(attempts) == 3
    assert len(errors) == 2
    assert facts == [FactState.FAILED, FactState.OK]
