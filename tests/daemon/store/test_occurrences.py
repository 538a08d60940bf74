"""The log of alarms as people read it: folded, newest first, page by page, over restarts and boots."""

from __future__ import annotations

from itertools import pairwise

import pytest

from daemon.model.alarms import Change, ChangeKind, Priority
from daemon.model.signals import Tick
from daemon.store.occurrences import Done, Occurrence, Place, Power
from daemon.store.reader import ask

S = 1_000_000_000
K = ChangeKind


def change(kind, t_s, number=0, row="hr_high", priority=Priority.MEDIUM, **fields):
    occurrence = f"boot-1:{number}" if number else ""
    return Change(kind, t_s * S - S, t_s * S, row, "", occurrence, priority, f"alarm.{row}", **fields)


def paged(path, **narrowed):
    return ask(path, lambda r: r.log.page("1", **narrowed))


async def told(running, path, saved, changes, bed="1"):
    async with running(on_saved=saved) as writer:
        for one in changes:
            await saved.up_to(writer.offer(bed, Tick(one.due_ns), (), [one]))


async def test_an_alarm_is_one_entry_with_its_end_and_who_acknowledged_it(running, path, saved):
    changes = [
        change(K.BEGAN, 10, 1, value=130.0, limit=120.0, unit="bpm", limits=(("above", 120.0),)),
        change(K.ESCALATED, 11, 1, priority=Priority.HIGH, value=131.0),
        change(K.ACKNOWLEDGED, 12, 1, actor="AK", screen="screen-1"),
        change(K.ENDED, 40, 1, value=144.0),
    ]
    await told(running, path, saved, changes)

    (one,) = paged(path).entries
    assert isinstance(one, Occurrence)
    assert (one.onset_ns, one.began_ns, one.over_ns) == (9 * S, 10 * S, 40 * S)
    assert (one.acknowledged_ns, one.acknowledged_by, one.screen) == (12 * S, "AK", "screen-1")
    assert (one.priority, one.value, one.limit, one.limits) == ("high", 144.0, 120.0, (("above", 120.0),))


async def test_what_is_not_over_has_no_end_and_what_latched_ends_with_its_condition(running, path, saved):
    changes = [
        change(K.BEGAN, 10, 1),
        change(K.BEGAN, 20, 2, "asystole", Priority.HIGH),
        change(K.LATCHED, 30, 2, "asystole", Priority.HIGH),
        change(K.ACKNOWLEDGED, 50, 2, "asystole", Priority.HIGH, actor="AK"),
    ]
    await told(running, path, saved, changes)

    latched, open_ = paged(path).entries
    assert (latched.row, latched.over_ns, latched.acknowledged_ns) == ("asystole", 30 * S, 50 * S)
    assert (open_.row, open_.over_ns) == ("hr_high", None)


async def test_pages_hold_every_entry_once_newest_first(running, path, saved):
    changes = [change(K.BEGAN, 10 + k, k + 1) for k in range(7)]
    changes += [change(K.ENDED, 20 + k, k + 1) for k in range(7)]
    await told(running, path, saved, changes)

    seen, before = [], None
    while True:
        page = paged(path, before=before, most=3)
        seen += page.entries
        if page.next is None:
            break
        before = Place.of(str(page.next))
    assert [one.occurrence for one in seen] == [f"boot-1:{k}" for k in range(7, 0, -1)]
    assert all(one.over_ns is not None for one in seen)


async def test_a_priority_is_the_highest_that_it_rose_to(running, path, saved):
    changes = [
        change(K.BEGAN, 10, 1, "no_data_ecg"),
        change(K.BEGAN, 11, 2),
        change(K.ESCALATED, 70, 1, "no_data_ecg", Priority.HIGH),
        change(K.AUDIO_PAUSED, 71, actor="AK", seconds=120.0),
    ]
    await told(running, path, saved, changes)

    assert [one.row for one in paged(path, priority="high").entries] == ["no_data_ecg"]
    assert [one.row for one in paged(path, priority="medium").entries] == ["hr_high"]
    assert [one.row for one in paged(path, row="hr_high").entries] == ["hr_high"]
    assert ask(path, lambda r: r.log.rows("1")) == ["hr_high", "no_data_ecg"]
    assert ask(path, lambda r: r.log.rows("2")) == []
    assert isinstance(paged(path).entries[0], Done)
    assert paged(path).entries[0].actor == "AK"


@pytest.mark.parametrize("ended", ["stop", "crash"])
async def test_a_box_that_stopped_and_one_that_lost_its_power_stand_between_the_alarms(
    make_writer, path, line, make_line, saved, clock, ended
):
    first = make_writer(on_saved=saved)
    await first.start()
    first.offer("1", line.block(0, line.samples(1000)))
    await saved.up_to(first.offer("1", Tick(3 * S), (), [change(K.BEGAN, 3, 1)]))
    clock.now_ns = 5 * S
    if ended == "stop":
        await first.stop()
    else:  # nothing is said any more; the next one finds the session open
        copied = path.with_name("cut.db")
        for suffix in ("", "-wal"):
            copied.with_name(copied.name + suffix).write_bytes(
                path.with_name(path.name + suffix).read_bytes()
            )
        await first.stop()
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        for suffix in ("", "-wal"):
            copied.with_name(copied.name + suffix).rename(path.with_name(path.name + suffix))
    second = make_writer(boot="boot-2")
    await second.start()
    again = make_line(connection=2, began_ns=S)
    second.offer("1", again.block(0, again.samples(1000)))
    await second.stop()

    entries = paged(path).entries
    powers = [(e.boot, e.kind) for e in entries if isinstance(e, Power)]
    assert powers == [("boot-2", "stop"), ("boot-2", "on"), ("boot-1", ended), ("boot-1", "on")]
    assert [type(e) for e in entries if e.boot == "boot-1"] == [Power, Occurrence, Power]
    assert all(a.place.boot >= b.place.boot for a, b in pairwise(entries))


async def test_an_alarm_that_resumed_without_a_beginning_in_the_log_is_told_once(running, path, saved):
    """The process died before its beginning was on the disk; the next one says when it began."""
    lost = change(K.RESUMED, 20, 1, reason="restart")
    kept = [change(K.BEGAN, 15, 2, "hr_low"), change(K.RESUMED, 20, 2, "hr_low", reason="restart")]
    await told(running, path, saved, [*kept, lost, change(K.ENDED, 30, 1)])

    assert [(e.row, e.began_ns) for e in paged(path).entries] == [("hr_high", 20 * S), ("hr_low", 15 * S)]


@pytest.mark.parametrize("kind", [K.ADMITTED, K.DISCHARGED])
async def test_the_log_of_a_patient_begins_with_the_admission(running, path, saved, kind):
    changes = [change(K.BEGAN, 10 + k, k + 1) for k in range(4)]
    changes += [change(kind, 20, actor="AK"), *(change(K.BEGAN, 30 + k, k + 9) for k in range(4))]
    await told(running, path, saved, changes)
    since = ask(path, lambda r: r.log.patient_since("1"))

    assert [e.place.t_ns // S for e in paged(path, since=since).entries] == [33, 32, 31, 30, 20]
    page = paged(path, since=since, most=3)
    assert [e.place.t_ns // S for e in page.entries] == [33, 32, 31]
    rest = paged(path, since=since, before=page.next, most=3)
    assert [e.place.t_ns // S for e in rest.entries] == [30, 20]
    assert rest.next is None
    assert len(paged(path, since=since, row="hr_high").entries) == 4
    assert ask(path, lambda r: r.log.patient_since("2")) is None


async def test_other_beds_and_near_misses_are_not_told(running, path, saved):
    await told(running, path, saved, [change(K.BEGAN, 10, 1)], bed="2")
    await told(running, path, saved, [change(K.NEAR_MISS, 10, 0)])
    assert paged(path).entries == ()
