from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import Tick
from daemon.store import codec, outbox
from daemon.store.backlog import BATCH_ROWS
from daemon.store.reader import ask

S = 10**9


def rows(path, lane, after=0, until=2**62, most=10**6):
    return ask(path, lambda r: outbox.outgoing(r, lane, after, until, most))


def metrics(t_ns: int, rate: float = 70.0) -> Outgoing:
    return Outgoing(t_ns, Lane.METRICS, "ecg.metrics/1", "ECG-1", {"heart_rate_bpm": rate, "rr_ms": None})


async def test_every_stored_chunk_is_a_message_and_its_samples_are_the_stored_ones(path, running, line):
    counts = line.samples(2600)
    async with running() as writer:
        for block in line.blocks(counts, [70, 900, 901, 2000]):
            writer.offer("1", block)

    said = rows(path, Lane.WAVEFORM)
    assert {(m.message, m.device, m.boot, m.body) for m in said} == {
        ("ecg.waveform/1", "ECG-1", "boot-1", None)
    }
    places = [m.place for m in said]
    stored = ask(path, lambda r: [p for (p,) in r.db.execute("SELECT place FROM chunks ORDER BY place")])
    assert places == stored
    chunks = ask(path, lambda r: outbox.samples(r, places))
    assert [chunks[p].first for p in places] == sorted(chunks[p].first for p in places)
    pieces = [
        codec.decode(c.coded, len(c.channels), c.n, c.crc32, c.codec) for c in (chunks[p] for p in places)
    ]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), counts)
    assert all(c.channels == line.stream.channels and c.rate_hz == 500.0 for c in chunks.values())
    assert [m.t_ns for m in said] == [chunks[p].t0_ns for p in places]


async def test_samples_that_were_given_up_are_left_out(path, running, line):
    async with running() as writer:
        writer.offer("1", line.block(0, line.samples(1500)))
        await writer.stop()
    db = sqlite3.connect(path)
    db.execute("DELETE FROM chunks WHERE place = (SELECT min(place) FROM chunks)")
    db.commit()
    db.close()
    places = [m.place for m in rows(path, Lane.WAVEFORM)]
    assert list(ask(path, lambda r: outbox.samples(r, places))) == places[1:]


async def test_messages_of_each_lane_come_in_their_order_and_by_pieces(path, running, line):
    async with running() as writer:
        for i in range(20):
            alarm = Outgoing(i * S, Lane.ALARMS, "box.alarm/1", "", {"alarm": f"a{i}"})
            writer.offer("1", Tick(i * S), outgoing=[metrics(i * S, float(i)), alarm])
    for lane in (Lane.ALARMS, Lane.METRICS):
        got, after = [], 0
        while piece := rows(path, lane, after, most=7):
            assert len(piece) <= 7
            got += piece
            after = piece[-1].seq
        assert [m.t_ns for m in got] == [i * S for i in range(20)]
        assert [m.seq for m in got] == sorted({m.seq for m in got})
        assert rows(path, lane, got[4].seq, got[6].seq) == got[5:7]
    assert rows(path, Lane.METRICS)[3].body == {"heart_rate_bpm": 3.0, "rr_ms": None}
    heads = ask(path, outbox.heads)
    assert heads[Lane.METRICS] == rows(path, Lane.METRICS)[-1].seq
    assert (heads[Lane.REPORTS], ask(path, outbox.tails)[Lane.REPORTS]) == (0, 0)
    assert ask(path, outbox.tails)[Lane.ALARMS] == rows(path, Lane.ALARMS)[0].seq
    seqs = [m.seq for m in rows(path, Lane.METRICS)]
    done = [(seqs[0], seqs[4]), (seqs[6], seqs[6])]
    assert ask(path, lambda r: outbox.waiting(r, Lane.METRICS, done)) == 14
    assert ask(path, lambda r: outbox.waiting(r, Lane.ALARMS, [])) == 20


async def test_the_newest_knowledge_of_the_clock_explains_every_message(path, running):
    async with running(clock_is_set=False, utc_offset_ns=5) as writer:
        writer.offer("1", Tick(S), outgoing=[metrics(S)])
    (row,) = rows(path, Lane.METRICS)
    assert (row.utc_offset_ns, row.clock_is_set) == (5, False)
    async with running(clock_is_set=True, utc_offset_ns=1_700_000_000 * S):
        pass
    (row,) = rows(path, Lane.METRICS)
    assert (row.utc_offset_ns, row.clock_is_set) == (1_700_000_000 * S, True)


async def test_a_file_keeps_its_identity_and_another_has_another(path, running):
    async with running():
        pass
    first = ask(path, outbox.identity)
    async with running():
        pass
    assert ask(path, outbox.identity) == first
    assert first.version == 4
    assert outbox.key_of(first, 7) == outbox.key_of(first, 7) != outbox.key_of(first, 8)
    path.unlink()
    async with running():
        pass
    assert ask(path, outbox.identity) != first


@pytest.mark.parametrize("before", [0, BATCH_ROWS - 1, BATCH_ROWS])
async def test_what_is_said_is_never_in_another_transaction_than_what_it_tells_of(path, make_writer, before):
    """A batch that is full ends between two offers, never within one."""
    writer = make_writer(max_rows=10**6)
    for i in range(before):
        writer.offer("1", Tick(i), outgoing=[metrics(i)])
    writer.offer("1", Tick(10**6), outgoing=[metrics(10**6), metrics(10**6 + 1)])
    backlog = writer._intake.backlog
    parted = []
    while (batch := backlog.batch()).all:
        parted.append({w.seq for w in batch.rows})
        backlog.written(batch)
    assert all(not a & b for a, b in zip(parted, parted[1:], strict=False))


async def test_numbers_give_way_before_alarms_when_nothing_can_be_written(make_writer):
    writer = make_writer(max_rows=100)
    for i in range(200):
        writer.offer("1", Tick(i), outgoing=[metrics(i)])
    refused = writer.rows_lost
    alarm = Outgoing(1, Lane.ALARMS, "box.alarm/1", "", {})
    writer.offer("1", Tick(1), outgoing=[alarm])
    assert refused > 100
    assert writer.rows_lost == refused
