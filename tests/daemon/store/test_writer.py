from __future__ import annotations

import sqlite3

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.model.findings import (
    Beat,
    BeatClass,
    Conclusions,
    Criterion,
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
from daemon.model.signals import (
    Command,
    DeviceSeen,
    Fact,
    FactState,
    Gap,
    GapCause,
    LeadState,
    LinkState,
    Reading,
)
from daemon.store import ranges
from daemon.store.reader import ask
from daemon.store.writer import StoreBusy

BOOT = "boot-1"
ALWAYS = (BOOT, -(2**62), 2**62)


def read(path):
    return ask(path, lambda reader: reader.read(*ALWAYS))


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 2599), max_size=60))
async def test_any_cut_into_blocks_stores_the_same_samples(running, path, make_line, cuts):
    path.unlink(missing_ok=True)
    line = make_line()
    counts = line.samples(2600)
    async with running() as writer:
        for block in line.blocks(counts, cuts):
            writer.offer("1", block)

    (trace,) = read(path)
    assert trace.present.all()
    np.testing.assert_array_equal(trace.counts, counts)
    np.testing.assert_array_equal(trace.times_ns(), np.arange(2600) * 2_000_000)
    np.testing.assert_allclose(trace.physical(), (counts - 3.0) * 0.005, rtol=1e-6)


async def test_gaps_are_kept_as_gaps(running, path, line):
    counts = line.samples(1500)
    async with running() as writer:
        writer.offer("1", line.block(0, counts[:, :620]))
        writer.offer("1", Gap(line.segment, 620, 80, 1_240_000_000, 1_500_000_000, GapCause.NOISE))
        writer.offer("1", line.block(700, counts[:, 700:]))

    (trace,) = read(path)
    assert np.flatnonzero(~trace.present).tolist() == list(range(620, 700))
    np.testing.assert_array_equal(trace.counts[:, trace.present], counts[:, trace.present])
    assert np.isnan(trace.physical()[:, 620:700]).all()
    (gap,) = trace.missing
    assert (gap.first, gap.count, gap.cause, gap.received) == (620, 80, "noise", False)
    assert (gap.t0_ns, gap.t1_ns) == (1_240_000_000, 1_400_000_000)


async def test_what_was_said_is_stored_with_its_evidence(running, path, line):
    evidence = Evidence(line.segment.id, 90, 140, "qrs/1")
    beat = Beat(200_000_000, 450_000_000, 100, BeatClass.NORMAL, 812.5, evidence)
    rate = Metric(1_000_000_000, 1_000_000_000, "heart_rate", 72.0, "/min", None, "II", 0.9, evidence)
    none = Metric(2_000_000_000, 2_000_000_000, "heart_rate", None, "/min", Why.LEADS_OFF, "II", 0.0, None)
    quality = Quality(1, 1, "II", Grade.POOR, Trouble.MAINS, ("LA",), 0.25)
    rhythm = Rhythm(90, 100, None, "AFIB", evidence)
    pause = Event(95, 100, "pause", (("gap", 3.1, "s"),), evidence)
    async with running() as writer:
        writer.offer("1", line.block(0, line.samples(600)), [beat, rate, quality, rhythm, pause])
        writer.offer("1", LeadState(line.segment, 500, 2, (("LA", False), ("RA", True))), [none])
        writer.offer("1", Reading("1", "OXY-1", "spo2", 97.0, "%", 3))
        writer.offer("1", Fact("disk", FactState.FAILED, 1, 4, "low"))
        writer.offer("2", Fact("disk", FactState.FAILED, 1, 4, "low"))
        writer.offer("1", Command("act-00001", 5, "1", "nurse", "display", (("mode", "st"),)))

    (stored,) = ask(path, lambda r: r.beats(*ALWAYS))
    assert (stored.sample, stored.label, stored.rr_ms, stored.first, stored.last) == (
        100,
        "N",
        812.5,
        90,
        140,
    )
    assert (stored.segment, stored.rule, stored.late) == (line.segment.id, "qrs/1", False)
    numbers = ask(path, lambda r: r.metrics(*ALWAYS))
    assert [(n.name, n.value, n.why, n.device, n.rule) for n in numbers] == [
        ("spo2", 97.0, None, "OXY-1", None),
        ("heart_rate", 72.0, None, "", "qrs/1"),
        ("heart_rate", None, "leads_off", "", None),
    ]
    assert ask(path, lambda r: [n.name for n in r.metrics(*ALWAYS, names=["spo2"])]) == ["spo2"]
    said = ask(path, lambda r: r.events(*ALWAYS, kinds=["rhythm", "event"]))
    assert [(e.kind, e.t_ns) for e in said] == [("rhythm", 90), ("event", 95)]
    assert (said[0].body["label"], said[0].body["end_ns"]) == ("AFIB", None)
    assert said[1].body["numbers"] == [["gap", 3.1, "s"]]
    assert said[1].body["evidence"]["rule"] == "qrs/1"
    events = ask(path, lambda r: r.events(*ALWAYS, kinds=["quality", "leads", "fact", "command"]))
    assert [(e.kind, e.bed) for e in events] == [
        ("quality", "1"),
        ("leads", "1"),
        ("fact", ""),
        ("command", "1"),
    ]
    assert events[0].body == {
        "due_ns": 1, "lead": "II", "grade": "poor", "trouble": "mains", "electrodes": ["LA"], "score": 0.25,
    }  # fmt: skip
    assert (events[1].first, events[1].body) == (500, {"attached": {"LA": False, "RA": True}})
    assert events[3].body["values"] == {"mode": "st"}
    assert [e.kind for e in ask(path, lambda r: r.events(*ALWAYS, bed="2"))] == ["fact"]


async def test_a_number_has_one_row_a_second_and_one_more_when_it_goes(running, path):
    def rate(t_ms, value, why=None):
        return Metric(t_ms * 1_000_000, t_ms * 1_000_000, "heart_rate", value, "/min", why, "II", 1.0, None)

    async with running() as writer:
        for number in (rate(0, 70.0), rate(500, 71.0), rate(600, None, Why.NOISE), rate(1000, 72.0)):
            writer.offer("1", Fact("x", FactState.OK, 0, 0), [number])

    assert [n.value for n in ask(path, lambda r: r.metrics(*ALWAYS))] == [70.0, None, 72.0]


async def test_a_device_has_a_row_when_its_state_changes_and_not_when_it_counts(running, path):
    def seen(state, since_ns, bytes_in):
        return DeviceSeen(
            "1",
            "ecg",
            "dm_ecg",
            "ECG",
            "ECG-1",
            "2.1",
            "/dev/x",
            state,
            since_ns,
            bytes_in,
            bytes_in=bytes_in,
        )

    async with running() as writer:
        for state, since_ns, bytes_in in (
            (LinkState.STREAMING, 0, 1),
            (LinkState.STREAMING, 0, 9),
            (LinkState.LOST, 5, 9),
        ):
            writer.offer("1", seen(state, since_ns, bytes_in))

    events = ask(path, lambda r: r.events(*ALWAYS, kinds=["device"]))
    assert [e.body["state"] for e in events] == ["streaming", "lost"]


async def test_saved_means_on_the_disk(running, path, line, saved):
    async with running(on_saved=saved) as writer:
        writer.offer("1", line.block(0, line.samples(500)))
        seq = writer.offer("1", Command("act-00001", 5, "1", "nurse", "display"))
        pending = writer.offer("1", line.block(500, line.samples(20)))
        await saved.up_to(seq)

        assert saved[-1].seq == seq < pending  # the last 20 samples wait for their chunk
        assert [c for s in saved for c in s.commands] == ["act-00001"]
        assert {k: v for s in saved for k, v in s.samples.items()} == {line.segment.id: 500}
        (trace,) = read(path)
        assert trace.counts.shape[1] == 500
    assert saved[-1].seq >= pending
    assert saved[-1].samples == {line.segment.id: 520}


async def test_a_silent_device_does_not_keep_its_last_samples_in_memory(running, line, tick, path, saved):
    async with running(on_saved=saved) as writer:
        writer.offer("1", line.block(0, line.samples(300)))
        writer.offer("1", tick(700_000_000))
        seq = writer.offer("1", tick(2_200_000_000))
        await saved.up_to(seq)
        (trace,) = read(path)
        assert trace.counts.shape[1] == 300


async def test_the_first_second_of_a_recording_is_stored_at_once(running, line, path, saved):
    async with running(on_saved=saved, commit_every_s=3600.0) as writer:
        seq = writer.offer("1", line.block(0, line.samples(500)))
        await saved.up_to(seq)


async def test_a_new_connection_ends_the_segment_and_the_time_between_is_missing(
    running, path, make_line, clock
):
    clock.now_ns = 6_000_000_000
    first, second = make_line(connection=1), make_line(connection=2, began_ns=5_000_000_000)
    async with running() as writer:
        writer.offer("1", first.block(0, first.samples(700)))
        writer.offer("1", second.block(0, second.samples(500)))

    one, two = ask(path, lambda r: r.segments(*ALWAYS))
    assert (one.ended_by, one.stored_until_ns, two.ended_by) == ("reconnect", 1_400_000_000, "stop")
    (missing,) = ask(path, lambda r: ranges.missing(r, BOOT, 0, 6_000_000_000, bed="1"))
    assert (missing.t0_ns, missing.t1_ns, missing.cause) == (1_400_000_000, 5_000_000_000, "cable")


async def test_one_process_writes(running, make_writer):
    async with running():
        with pytest.raises(StoreBusy):
            await make_writer().start()
    other = make_writer()
    await other.start()
    await other.stop()


async def test_settings_hold(running, path):
    async with running() as writer:
        names = (
            "page_size",
            "auto_vacuum",
            "journal_mode",
            "synchronous",
            "foreign_keys",
            "journal_size_limit",
        )
        got = await writer._db.run(lambda db: [db.execute(f"PRAGMA {name}").fetchone()[0] for name in names])
    assert got == [4096, 2, "wal", 2, 1, 16 << 20]
    assert path.stat().st_mode & 0o777 == 0o640


async def test_the_clock_of_a_boot_is_its_last_offset(running, path, clock):
    async with running(clock_is_set=False) as writer:
        clock.now_ns = 7
        writer.clock_offset(1_700_000_000_000_000_000, is_set=True)
    (boot,) = ask(path, lambda r: r.boots())
    assert (boot.boot, boot.began_ns, boot.utc_offset_ns, boot.clock_is_set) == (
        BOOT,
        0,
        1_700_000_000_000_000_000,
        True,
    )
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT state FROM clock_offsets").fetchall() == [("unset",), ("set",)]
    db.close()


async def test_conclusions_are_stored_with_the_criteria_that_fired(running, path, line):
    evidence = Evidence(line.segment.id, 0, 4999, "conclude/1")
    slow = Statement("sinus_bradycardia", (Criterion("heart_rate", "", 52.0, "bpm", "<", 60.0),))
    part = Statement("not_all_measured", (), (("V2", Why.LEADS_OFF),))
    async with running() as writer:
        writer.offer("1", line.block(0, line.samples(600)), [Conclusions(10, 20, (slow, part), evidence)])

    (stored,) = (one for one in ask(path, lambda r: r.events(*ALWAYS)) if one.kind == "conclusions")
    first, second = stored.body["statements"]
    assert first["key"] == "sinus_bradycardia"
    assert first["criteria"][0] | {"value": 52.0, "relation": "<", "limit": 60.0} == first["criteria"][0]
    assert first["unconfirmed"] is True
    assert second["absent"] == [["V2", "leads_off"]]
    assert stored.body["evidence"]["rule"] == "conclude/1"
