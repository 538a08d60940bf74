"""A rehearsal with the limits of then gives what happened; with others, what these would have given."""

from __future__ import annotations

import pytest

from daemon.control.work import RehearsalAsked
from daemon.model.alarms import ChangeKind
from daemon.review.rehearse import Cancelled, refusal, rehearse

HOURS = 0.5


def asked(**other):
    return RehearsalAsked(bed="1", hours=HOURS, other={row: dict(values) for row, values in other.items()})


def told(past, ask, progress=lambda _: None, cancelled=lambda: False):
    state = rehearse(past.path, ask, past.utc_ns, progress, cancelled)
    return state, {row.row: (row.happened, row.present, row.other) for row in state.rows}


@pytest.fixture(scope="module")
def restless(past_in, tmp_path_factory):
    """Five minutes of quiet, then a heart that runs fast now and then, one arrest, and a nurse."""
    past = past_in(tmp_path_factory.mktemp("restless"))
    past.run(330, 75)
    for bpm in (125, 132, 150):
        past.run(20, bpm)
        past.run(40, 75)
    past.rhythm("VFL")
    past.run(10, None)
    past.act("acknowledge")
    past.rhythm("VFL", end=True)
    past.run(60, 75)
    past.store()
    return past


def test_the_limits_of_then_give_what_happened_and_wider_ones_fewer(restless):
    began = [c.row for c in restless.changes if c.kind is ChangeKind.BEGAN and not c.covered_by]
    state, counts = told(restless, asked(hr_high={"above": 140.0}))

    assert state.state == "done"
    assert counts["hr_high"] == (began.count("hr_high"), began.count("hr_high"), 1)
    assert counts["extreme_tachy"][:2] == (1, 1)
    assert counts["extreme_tachy"][2] == 0  # it follows hr_high
    assert counts["vent_fib"] == (1, 1, 1)
    assert sum(present for _, present, _ in counts.values()) == len(began)


def test_narrower_limits_and_longer_delays_are_told_too(restless):
    _, narrow = told(restless, asked(hr_high={"above": 100.0}, hr_low={"below": 16.0}))
    assert narrow["hr_high"][2] == 2  # the third is an extreme one at once, which speaks for it
    _, slow = told(restless, asked(hr_high={"delay_s": 10.0}))
    assert slow["hr_high"][2] == 2
    _, off = told(restless, asked(hr_high={"on": False}))
    assert off["hr_high"][2] == 0


def test_progress_grows_to_the_end_and_it_can_be_cancelled(restless):
    seen = []
    told(restless, asked(), seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)

    with pytest.raises(Cancelled):
        told(restless, asked(), cancelled=lambda: True)


def test_only_the_hours_asked_for_are_counted(restless):
    short = RehearsalAsked(bed="1", hours=0.02, other={})  # 72 s: the arrest is in, the fast heart is not
    _, counts = told(restless, short)
    assert counts == {"vent_fib": (1, 1, 1)}


def test_limits_that_cannot_be_are_refused_in_words():
    assert refusal(asked(hr_high={"above": 400.0})) == "HR HIGH: Choose 60 to 295 bpm."
    assert refusal(asked(asystole={"on": False})) == "ASYSTOLE: This alarm can never be off."
    assert refusal(asked(hr_high={"above": 150.0})) == ""


def test_a_bed_that_was_never_recorded_has_nothing_to_replay(restless):
    state, counts = told(restless, RehearsalAsked(bed="2", hours=1, other={}))
    assert (state.recorded_s, counts) == (0.0, {})
