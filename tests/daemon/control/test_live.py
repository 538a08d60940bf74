"""The live hub: what a screen is told, how often, and what is forgotten."""

from __future__ import annotations

import json

import numpy as np
import pytest

from daemon.control.known import EVENTS_KEPT
from daemon.control.live import LiveHub
from daemon.control.messages import DisplayState
from daemon.model.findings import (
    Conclusions,
    Criterion,
    DisplayBlock,
    Event,
    Evidence,
    Grade,
    Metric,
    Quality,
    Rhythm,
    Statement,
    Trouble,
    Why,
)
from daemon.model.signals import DeviceSeen, Fact, FactState, LinkState, Segment, Stream, Tick

DISPLAY = DisplayState(mode="monitor", mains_hz=50, cleaning=False)
TICK_NS = 100_000_000
SECOND_NS = 1_000_000_000


@pytest.fixture
def hub():
    beds = [("1", "Bed 1", DISPLAY), ("2", "Bed 2", DISPLAY)]
    return LiveHub(boot="b", version="1", box="Box", demo=True, beds=beds, utc_ms=lambda: 5)


def evidence(segment="s", rule="r/1"):
    return Evidence(segment, 100, 200, rule)


def metric(name, value, lead="global", t_ns=0, why=None):
    return Metric(t_ns, t_ns, name, value, "ms", why, lead, 1.0, None)


def rhythm(label, since_ns, end_ns=None, segment="s"):
    return Rhythm(since_ns, since_ns, end_ns, label, evidence(segment))


def event(name, t_ns):
    return Event(t_ns, t_ns, name, (("rate", 150.0, "bpm"),), evidence(rule="ectopy/2"), "inferior")


def waves(segment="s", leads=("I",)):
    stream = Stream("D", "ecg", 500.0, ())
    values = np.zeros((len(leads), 25), np.float32)
    return DisplayBlock(Segment(segment, "1", stream, "b", 1, 0), 0, 0, 2e6, 0, leads, values, ())


async def drain(reader):
    """All texts that wait for a reader."""
    texts = []
    while reader._ready.is_set():
        message = await reader.take()
        if isinstance(message, str):
            texts.append(json.loads(message))
    return texts


async def told(hub, findings_of, ticks, kind="state"):
    """Times (ticks) and messages of `kind` while findings_of(k) come with tick k; both beds are ticked, as the daemon does."""
    reader = hub.subscribe()
    await drain(reader)
    said = []
    for k in range(1, ticks + 1):
        hub.publish("1", Tick(k * TICK_NS), findings_of(k))
        hub.publish("2", Tick(k * TICK_NS), [])
        said += [(k, text) for text in await drain(reader) if text["type"] == kind]
    hub.unsubscribe(reader)
    return said


async def test_a_state_comes_every_second_when_nothing_changes(hub):
    said = [k for k, _ in await told(hub, lambda k: [], 60)]

    assert set(np.diff(said)) == {10}


async def test_numbers_that_only_move_are_said_twice_a_second_however_many_come(hub):
    hub.publish("1", Tick(1), [metric("heart_rate", 60.0)])
    said = await told(hub, lambda k: [metric("heart_rate", float(k)), metric("pr_interval", 160.0)], 100)

    assert len(said) <= 22
    assert all(text["beds"][0]["metrics"]["heart_rate"]["value"] == k for k, text in said)


@pytest.mark.parametrize(
    "change",
    [
        metric("heart_rate", None, why=Why.LEADS_OFF),
        rhythm("AFIB", 0),
        Quality(0, 0, "V4", Grade.OFF, Trouble.OFF, ("V4",)),
    ],
)
async def test_what_comes_or_goes_is_said_with_its_tick(hub, change):
    hub.publish("1", Tick(1), [metric("heart_rate", 60.0)])
    said = await told(hub, lambda k: [change] if k == 18 else [], 18)

    assert said[-1][0] == 18


async def test_a_storm_of_changes_is_said_at_most_four_times_a_second(hub):
    def storm(k):
        return [
            rhythm("AFIB", k, end_ns=k if k % 2 else None),
            metric("heart_rate", None, why=list(Why)[k % 5]),
        ]

    assert len(await told(hub, storm, 100)) <= 40


async def test_counters_of_a_device_wait_for_the_next_state_and_its_state_does_not(hub):
    def seen(state, bytes_in):
        return DeviceSeen("1", "ecg", "k", "t", "d", "1", "p", state, 0, 0, 500.0, None, bytes_in, 0, 0)

    hub.publish("1", seen(LinkState.STREAMING, 0), [])
    reader = hub.subscribe()
    hub.publish("1", Tick(SECOND_NS), [])
    await drain(reader)
    for k in range(1, 10):
        hub.publish("1", seen(LinkState.STREAMING, k), [])
        hub.publish("1", Tick(SECOND_NS + k * TICK_NS), [])
    counted = await drain(reader)
    hub.publish("1", seen(LinkState.LOST, 9), [])
    hub.publish("1", Tick(2 * SECOND_NS - 1), [])
    [lost] = await drain(reader)

    assert counted == []
    assert lost["beds"][0]["devices"][0]["state"] == "lost"


async def test_numbers_of_a_lead_travel_apart_once_a_second_at_most_and_only_when_they_change(hub):
    def numbers(k):
        return [metric("st_j80", k / 100, "V2"), metric("qrs_axis", 40.0)] if k in {3, 4, 5, 40} else []

    said = await told(hub, numbers, 100, "measured")

    assert [k for k, _ in said] == [10, 40]
    assert said[-1][1]["leads"]["V2"]["st_j80"]["value"] == 0.40
    assert [set(bed.metrics) for bed in hub.state().beds] == [{"qrs_axis"}, set()]


def test_the_heart_rate_is_one_number_whichever_lead_it_is_taken_from(hub):
    hub.publish("1", Tick(1), [metric("heart_rate", 60.0, "II"), metric("heart_rate", 61.0, "V5")])

    assert hub.state().beds[0].metrics["heart_rate"].lead == "V5"


def test_rhythms_go_on_beside_each_other_until_each_ends(hub):
    hub.publish("1", Tick(1), [rhythm("N", 5), rhythm("BI", 7)])
    both = hub.state().beds[0].rhythms
    hub.publish("1", Tick(2), [rhythm("N", 5, end_ns=9), rhythm("AFIB", 9)])

    assert [(r.label, r.since_ns) for r in both] == [("N", 5), ("BI", 7)]
    assert [(r.label, r.since_ns) for r in hub.state().beds[0].rhythms] == [("BI", 7), ("AFIB", 9)]


async def test_events_and_rhythms_are_one_list_an_entry_each_with_its_evidence(hub):
    def happening(k):
        return {2: [rhythm("VT", 5)], 3: [event("couplet", 6)], 15: [rhythm("VT", 5, end_ns=8)]}.get(k, [])

    said = await told(hub, happening, 30, "events")
    first, last = said[0][1]["events"], said[-1][1]["events"]

    assert [(e["kind"], e["name"], e["on"], e["end_ns"]) for e in first] == [
        ("rhythm", "VT", True, None),
        ("event", "couplet", False, None),
    ]
    assert [(e["id"], e["on"], e["end_ns"]) for e in last] == [(1, False, 8), (2, False, None)]
    assert first[1]["numbers"] == [["rate", 150.0, "bpm"]]
    assert (first[1]["detail"], first[1]["rule"], first[1]["first"], first[1]["last"]) == (
        "inferior",
        "ectopy/2",
        100,
        200,
    )


async def test_the_list_of_events_is_bounded_and_keeps_the_newest(hub):
    for k in range(3 * EVENTS_KEPT):
        hub.publish("1", Tick(k), [event("couplet", k)])
    reader = hub.subscribe()
    [events] = [text for text in await drain(reader) if text["type"] == "events" and text["bed"] == "1"]

    assert [e["t_ns"] for e in events["events"]] == list(range(2 * EVENTS_KEPT, 3 * EVENTS_KEPT))


async def test_conclusions_are_said_with_their_criteria(hub):
    wide = Statement("left_bundle_branch_block", (Criterion("qrs_duration", "", 142.0, "ms", ">=", 120.0),))
    short = Statement("not_all_measured", (), (("V4", Why.LEADS_OFF),))
    said = await told(
        hub, lambda k: [Conclusions(4, 5, (wide, short), evidence())] if k == 3 else [], 20, "measured"
    )
    concluded = said[0][1]["conclusions"]

    assert concluded["t_ns"] == 4
    assert concluded["statements"][0]["criteria"] == [
        {"name": "qrs_duration", "lead": "", "value": 142.0, "unit": "ms", "relation": ">=", "limit": 120.0}
    ]
    assert concluded["statements"][0]["unconfirmed"]
    assert concluded["statements"][1]["absent"] == [["V4", "leads_off"]]


@pytest.mark.parametrize("ending", ["segment", "analysis"])
async def test_a_new_segment_and_a_failed_analysis_forget_what_was_measured(hub, ending):
    concluded = Conclusions(4, 5, (Statement("sinus_rhythm"),), evidence())
    known = [metric("heart_rate", 60.0), metric("pr_interval", 160.0), metric("st_j", 0.1, "I")]
    hub.publish("1", Tick(1), [waves(), *known, rhythm("N", 5), concluded])
    if ending == "segment":
        hub.publish("1", Tick(2), [waves("next")])
    else:
        hub.publish("1", Fact("analysis", FactState.FAILED, 2, 2, "", "1"), [])
    bed = hub.state().beds[0]
    [measured] = [t for t in await drain(hub.subscribe()) if (t["type"], t.get("bed")) == ("measured", "1")]
    [events] = [t for t in await drain(hub.subscribe()) if (t["type"], t.get("bed")) == ("events", "1")]

    assert (bed.rhythms, set(bed.metrics)) == ((), {"heart_rate"})
    assert (measured["leads"], measured["conclusions"]) == ({}, None)
    assert [(e["on"], e["end_ns"]) for e in events["events"]] == [(False, None)]


def test_a_lead_that_the_next_board_does_not_have_is_forgotten(hub):
    good = [Quality(0, 0, lead, Grade.GOOD, Trouble.NONE) for lead in ("I", "V1", "global")]
    hub.publish("1", Tick(1), [waves(leads=("I", "V1")), *good])
    hub.publish("1", Tick(2), [waves("next", leads=("I",))])

    assert set(hub.state().beds[0].quality) == {"I", "global"}
