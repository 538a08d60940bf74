from __future__ import annotations

import numpy as np
import pytest

from daemon.contracts.registry import said as said_by_contract
from daemon.model.alarms import Change, ChangeKind, Priority
from daemon.model.findings import Beat, BeatClass, Evidence, Metric
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import Gap, GapCause, Tick
from daemon.store import outbox, ranges
from daemon.store.connection import open_writing
from daemon.store.dropping import NEWEST_CHUNKS
from daemon.store.reader import ask
from daemon.store.retention import STEP_ROWS, Quota, Retention
from daemon.store.usage import CHUNK_BYTES, ENVELOPE_BYTES, MESSAGE_BYTES, METRIC_BYTES, Class, used

S = 10**9
PLENTY = 10**12
HOUR_NS = 3600 * S
ALWAYS = ("boot-1", -(2**62), 2**62)


async def record(running, line, seconds: int, *, skip: int = 0) -> np.ndarray:
    """Seconds of samples, a beat, two numbers and a message of each second; an alarm every minute. The samples."""
    counts = line.samples(seconds * 500)
    async with running(max_sample_bytes=1 << 30, max_rows=10**6) as writer:
        for i in range(seconds):
            t_ns = line.began_ns + i * S
            evidence = Evidence(line.segment.id, i * 500, i * 500 + 9, "qrs/1")
            found = [
                Beat(t_ns, t_ns, i * 500, BeatClass.NORMAL, 1000.0, evidence),
                Metric(t_ns, t_ns, "heart_rate", 60.0, "bpm", None, "II", 1.0, evidence),
                Metric(t_ns, t_ns, "rr_interval", 1000.0, "ms", None, "II", 1.0, evidence),
            ]
            changes = (
                [Change(ChangeKind.BEGAN, t_ns, t_ns, "hr_high", priority=Priority.HIGH)]
                if i % 60 == 0
                else []
            )
            message = Outgoing(t_ns, Lane.METRICS, "ecg.metrics/1", "ECG-1", {"heart_rate_bpm": 60})
            if i == skip and skip:
                writer.offer("1", Gap(line.segment, i * 500, 500, t_ns, t_ns, GapCause.NOISE))
                continue
            writer.offer(
                "1", line.block(i * 500, counts[:, i * 500 : i * 500 + 500]), found, changes, [message]
            )
    return counts


@pytest.fixture
def drop(path):
    """Steps of retention until there is enough; what each of them gave up."""

    def run(
        quota: Quota, free=lambda folder: PLENTY, now_ns: int = 0, confirmed: dict[Lane, int] | None = None
    ):
        db = open_writing(path)
        for lane, seq in (confirmed or {}).items():
            db.execute("INSERT OR REPLACE INTO confirmed VALUES (?, ?)", (int(lane), seq))
        retention, out = Retention(path, quota, free), []
        while True:
            step = retention.step(db, "boot-1", now_ns)
            if step.dropped is not None:
                out.append(step.dropped)
            if not step.more:
                db.close()
                return out, step

    return run


def dropped_messages(path):
    told = ask(path, lambda r: outbox.outgoing(r, Lane.EVENTS, 0, 2**62, 10**6))
    return [m for m in told if m.message == "box.dropped/1"]


async def test_usage_is_what_was_written(path, running, line):
    await record(running, line, 150)
    db = open_writing(path)
    coded = db.execute("SELECT sum(length(data)), count(*) FROM chunks").fetchone()
    minutes = db.execute("SELECT sum(length(data)), count(*) FROM envelopes").fetchone()
    bodies = db.execute("SELECT sum(length(body)), count(*) FROM outbox WHERE lane = 2").fetchone()
    metrics = db.execute("SELECT count(*) FROM metrics").fetchone()[0]
    assert used(db) == {
        Class.WAVEFORM: coded[0] + CHUNK_BYTES * coded[1] + minutes[0] + ENVELOPE_BYTES * minutes[1],
        Class.NUMBERS: metrics * METRIC_BYTES + bodies[0] + MESSAGE_BYTES * bodies[1],
    }
    db.close()


async def test_the_oldest_waveforms_go_first_and_the_rest_is_bit_for_bit(path, running, line, drop):
    counts = await record(running, line, 400, skip=100)
    db = open_writing(path)
    half = used(db)[Class.WAVEFORM] // 2
    before = db.execute("SELECT count(*) FROM chunks").fetchone()[0]
    db.close()
    steps, _ = drop(Quota(half, PLENTY, 0, 0))

    (trace,) = ask(path, lambda r: r.read(*ALWAYS))
    gone = before - ask(path, lambda r: r.db.execute("SELECT count(*) FROM chunks").fetchone()[0])
    assert 0.4 * before < gone < before
    assert sum(s.records for s in steps) == gone
    assert trace.present.all()
    np.testing.assert_array_equal(trace.counts, counts[:, trace.first :])
    (segment,) = ask(path, lambda r: r.segments(*ALWAYS))
    assert ask(path, lambda r: ranges.unexplained(r, segment)) == []
    gaps = ask(path, lambda r: r.gaps(*ALWAYS))
    assert [(g.first, g.count, g.cause, g.received) for g in gaps] == [(0, trace.first, "dropped", True)]
    assert ask(path, lambda r: used(r.db))[Class.WAVEFORM] <= half
    envelopes = ask(path, lambda r: [p % 2**40 for (p,) in r.db.execute("SELECT place FROM envelopes")])
    assert min(envelopes) + 30_000 > trace.first  # only whole minutes that are gone


async def test_every_drop_is_told_and_what_is_told_is_what_was_dropped(path, running, line, drop):
    await record(running, line, 400)
    places = ask(path, lambda r: {m.place: m for m in outbox.outgoing(r, Lane.WAVEFORM, 0, 2**62, 10**6)})
    steps, _ = drop(Quota(0, PLENTY, 0, 0))
    told = dropped_messages(path)
    assert [m.body["records"] for m in told] == [s.records for s in steps]
    left = ask(path, lambda r: [m.place for m in outbox.outgoing(r, Lane.WAVEFORM, 0, 2**62, 10**6)])
    gone = [m for place, m in places.items() if place not in left]
    assert sum(m.body["records"] for m in told) == len(gone)
    assert set(left) == ask(path, lambda r: {p for (p,) in r.db.execute("SELECT place FROM chunks")})
    assert len(left) == NEWEST_CHUNKS
    for message in told:
        assert said_by_contract(message.message, message.body) == message.body
        assert message.device == "ECG-1"
        assert "not confirmed" in message.body["reason"]
    assert told[0].body["from_at"] == "1970-01-01T00:00:00.000Z"


async def test_what_every_receiver_has_goes_before_what_none_has(path, running, line, drop):
    await record(running, line, 400)
    seqs = [m.seq for m in ask(path, lambda r: outbox.outgoing(r, Lane.WAVEFORM, 0, 2**62, 10**6))]
    drop(Quota(0, PLENTY, 0, 0), confirmed={Lane.WAVEFORM: seqs[99]})
    reasons = [(m.body["records"], m.body["reason"]) for m in dropped_messages(path)]
    assert reasons == [
        (100, "quota, every receiver has it"),
        (len(seqs) - 100 - NEWEST_CHUNKS, "quota, not confirmed by every receiver"),
    ]


async def test_numbers_are_thinned_to_one_a_minute_and_alarms_and_beats_stay(path, running, line, drop):
    await record(running, line, 400)
    steps, last = drop(Quota(PLENTY, 0, 0, 0), now_ns=2 * HOUR_NS)
    assert {s.kind for s in steps} == {"metrics"}
    assert last.stuck  # nothing is left that may go
    numbers = ask(path, lambda r: r.metrics(*ALWAYS))
    assert [(m.name, m.t_ns // (60 * S)) for m in numbers] == [
        (name, minute) for minute in range(7) for name in ("heart_rate", "rr_interval")
    ]
    messages = ask(path, lambda r: outbox.outgoing(r, Lane.METRICS, 0, 2**62, 10**6))
    assert [m.t_ns // (60 * S) for m in messages][:7] == list(range(7))
    assert len(ask(path, lambda r: r.beats(*ALWAYS))) == 400
    assert len(ask(path, lambda r: r.events(*ALWAYS, kinds=["alarm"]))) == 7
    assert ask(path, lambda r: r.db.execute("SELECT count(*) FROM chunks").fetchone()[0]) > 400


async def test_numbers_of_the_last_hour_are_not_thinned(path, running, line, drop):
    await record(running, line, 200)
    steps, last = drop(Quota(PLENTY, 0, 0, 0), now_ns=HOUR_NS)
    assert sum(s.records for s in steps) == 0
    assert last.stuck


async def test_messages_that_every_receiver_has_go_wholly(path, running, line, drop):
    await record(running, line, 200)
    head = ask(path, outbox.heads)[Lane.METRICS]
    drop(Quota(PLENTY, 0, 0, 0), now_ns=2 * HOUR_NS, confirmed={Lane.METRICS: head})
    left = ask(path, lambda r: outbox.outgoing(r, Lane.METRICS, 0, 2**62, 10**6))
    assert left == []


async def test_a_disk_that_is_nearly_full_costs_waveforms_then_numbers(path, running, line, drop):
    await record(running, line, 400)
    steps, last = drop(Quota(PLENTY, PLENTY, 1000, 0), free=lambda folder: 10, now_ns=2 * HOUR_NS)
    kinds = [s.kind for s in steps]
    assert kinds == sorted(kinds, reverse=True)
    assert set(kinds) == {"waveform", "metrics"}
    assert all(m.body["reason"].startswith("disk") for m in dropped_messages(path))
    assert last.stuck


async def test_a_step_is_small_and_the_file_shrinks(path, running, make_line, drop):
    for i in range(4):
        line = make_line(connection=i + 1, began_ns=i * 400 * S)
        await record(running, line, 400)
    before = path.stat().st_size
    steps, _ = drop(Quota(PLENTY, PLENTY, 1000, 0), free=lambda folder: 10, now_ns=2 * HOUR_NS)
    assert max(s.records for s in steps) <= STEP_ROWS
    assert len(steps) > 4
    assert path.stat().st_size < 0.6 * before
    for segment in ask(path, lambda r: r.segments(*ALWAYS)):
        assert ask(path, lambda r, s=segment: ranges.unexplained(r, s)) == []


async def test_where_there_is_room_nothing_goes(path, running, line, drop):
    await record(running, line, 10)
    assert drop(Quota(PLENTY, PLENTY, 1000, 0))[0] == []


async def test_a_seq_is_never_used_twice_though_everything_was_dropped(path, running, line, drop):
    await record(running, line, 200)
    head = ask(path, lambda r: r.db.execute("SELECT max(seq) FROM outbox").fetchone()[0])
    drop(Quota(0, 0, 0, 0), now_ns=2 * HOUR_NS, confirmed={Lane.METRICS: head, Lane.WAVEFORM: head})
    async with running() as writer:
        writer.offer(
            "1", Tick(5000 * S), outgoing=[Outgoing(5000 * S, Lane.METRICS, "ecg.metrics/1", "ECG-1", {})]
        )
    newest = ask(path, lambda r: outbox.outgoing(r, Lane.METRICS, 0, 2**62, 10**6))[-1]
    assert newest.seq > head


async def test_what_is_confirmed_is_kept_and_never_goes_back(path, running):
    async with running():
        pass
    identity = str(ask(path, outbox.identity))
    async with running() as writer:
        writer.confirmed(identity, {Lane.ALARMS: 7, Lane.METRICS: 9})
        writer.confirmed(identity, {Lane.ALARMS: 5, Lane.METRICS: 12})
        writer.confirmed("another file's", {Lane.ALARMS: 99})
    assert ask(path, lambda r: dict(r.db.execute("SELECT lane, seq FROM confirmed"))) == {0: 7, 2: 12}
