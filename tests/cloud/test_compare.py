"""Comparing a box's store with the cloud: all there is silence; every kind of harm is named, record by record."""

from __future__ import annotations

import base64
import gzip
import json
import secrets
import sqlite3

import asyncpg
import numpy as np
import pytest
import pytest_asyncio

from daemon.contracts.consent import pseudonymous
from daemon.contracts.envelope import line, wrap
from daemon.contracts.faults import BadMessage
from daemon.contracts.registry import said
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import Channel, Quantity, SampleBlock, Segment, Stream, Tick
from daemon.store import outbox
from daemon.store.reader import History
from daemon.store.writer import Writer
from tests.cloud.compare import compare
from tests.cloud.database import opened
from tests.cloud.files import ingest
from tests.cloud.ingest import Way, take_all
from tests.cloud.samples import golden, noise

LANES = {"ecg.metrics/1": Lane.METRICS, "box.alarm/1": Lane.ALARMS, "box.session_start/1": Lane.EVENTS}
PATIENT = {"patient_id": "p-1", "full_name": "John Doe"}


@pytest_asyncio.fixture
async def store(tmp_path):
    """A vitald.db with 5 s of two leads and some messages."""
    channels = tuple(Channel(name, Quantity.ECG, "mV", 0.00286, offset=3.0) for name in ("I", "II"))
    segment = Segment(
        "seg-" + secrets.token_hex(4), "1", Stream("ECG-7", "ecg", 500.0, channels), "boot-1", 1, 0
    )
    path = tmp_path / "vitald.db"
    writer = Writer(
        path,
        boot="boot-1",
        now=lambda: 0,
        utc_offset_ns=1_736_339_696_789_000_000,
        commit_every_s=0.01,
        about={"os": "Linux", "app_version": "0"},
    )
    await writer.start()
    try:
        writer.offer("1", SampleBlock(segment, 0, 0, 2e6, noise(2500, channels=2), 6 * 10**9))
        for number, (message, lane) in enumerate(LANES.items()):
            body = golden(message).body
            if message == "box.session_start/1":
                body["patient"] = PATIENT
            told = Outgoing(number * 10**9, lane, message, "ECG-7", said(message, body))
            writer.offer("1", Tick(number * 10**9), outgoing=[told, told])
    finally:
        await writer.stop()
    return path


async def envelopes(store):
    """All that the box has to say, as a forwarder would."""
    history = History(store)
    named = await history.ask(outbox.identity)
    made = []
    for lane in Lane:
        rows = await history.ask(lambda r, n=lane: outbox.outgoing(r, n, 0, 2**62, 10**6))
        places = [row.place for row in rows if row.place is not None]
        chunks = await history.ask(lambda r, p=places: outbox.samples(r, p))
        for row in rows:
            made.append(
                wrap(
                    row.message,
                    row.body if row.place is None else waveform(chunks[row.place]),
                    key=outbox.key_of(named, row.seq),
                    seq=row.seq,
                    device=row.device,
                    session=row.session,
                    utc_ns=row.t_ns + row.utc_offset_ns,
                    synced=row.clock_is_set,
                    sent_at="2025-01-08T12:35:00.000Z",
                )
            )
    return made


def waveform(chunk):
    channels = [{"name": c.name, "unit": c.unit, "gain": c.gain, "offset": c.offset} for c in chunk.channels]
    return {
        "segment": chunk.segment,
        "stream": chunk.stream,
        "first": chunk.first,
        "n": chunk.n,
        "rate_hz": chunk.rate_hz,
        "period_ns": chunk.period_ns,
        "channels": channels,
        "codec": chunk.codec,
        "crc32": chunk.crc32,
        "data": base64.b64encode(chunk.coded).decode(),
    }


@pytest_asyncio.fixture
async def place(dsn):
    """(DSN, pool) of an empty database, with or without what makes it idempotent."""
    admin = await asyncpg.connect(dsn)
    pools = []

    async def make(*, idempotent=True):
        name = f"c_{secrets.token_hex(4)}"
        await admin.execute(f"CREATE DATABASE {name}")
        there = dsn.replace("/postgres?", f"/{name}?")
        pools.append(await opened(there, idempotent=idempotent))
        return there, pools[-1]

    yield make
    for pool in pools:
        await pool.close()
    await admin.close()


async def put(pool, sent):
    async with pool.acquire() as db, db.transaction():
        return await take_all(db, sent, Way("u", "rest"))


async def test_all_there_is_well(store, place):
    dsn, pool = await place()
    sent = await envelopes(store)
    assert await put(pool, sent) == len(sent)
    assert await put(pool, sent[::-1]) == 0

    report = await compare(store, dsn)

    assert report.well, report.lines()
    assert report.messages == report.compared == len(sent)
    assert report.samples == 2 * 2500


async def test_files_of_a_folder_are_as_good_as_requests(store, place, tmp_path):
    """What destinations that keep files have written, half of it compressed, some of it twice, one file half written."""
    dsn, pool = await place()
    sent = await envelopes(store)
    folder = tmp_path / "kept" / "ecg" / "ECG-7"
    folder.mkdir(parents=True)
    half = len(sent) // 2
    (folder / "a.ndjson").write_bytes(b"".join(line(one) for one in sent[: half + 1]))
    (folder / "b.ndjson.gz").write_bytes(gzip.compress(b"".join(line(one) for one in sent[half:])))
    (folder / "c.ndjson.gz.part").write_bytes(b"\x1f\x8b")
    (folder / "manifest.ndjson").write_bytes(b'{"name":"a.ndjson"}\n')

    read = await ingest(pool, tmp_path / "kept")
    again = await ingest(pool, tmp_path / "kept")

    assert (read.files, read.accepted, read.known) == (2, len(sent), 1)
    assert again.accepted == 0
    assert (await compare(store, dsn)).well


async def test_a_file_that_is_cut_off_is_named(place, tmp_path):
    _, pool = await place()
    (tmp_path / "d.ndjson.gz").write_bytes(gzip.compress(line(golden("ecg.metrics/1")))[:-9])

    with pytest.raises(BadMessage, match="d.ndjson.gz"):
        await ingest(pool, tmp_path)

    assert await pool.fetchval("SELECT count(*) FROM records") == 0


async def test_a_patients_name_may_stay_at_the_box(store, place):
    dsn, pool = await place()

    await put(pool, [pseudonymous(one) for one in await envelopes(store)])

    assert (await compare(store, dsn)).well
    assert not await pool.fetchval("SELECT count(*) FROM records WHERE body::text LIKE '%John%'")


async def test_what_is_missing_is_named(store, place):
    dsn, pool = await place()
    sent = await envelopes(store)
    await put(pool, [*sent[:3], *sent[5:]])

    report = await compare(store, dsn)

    assert not report.well
    assert [found.key for found in report.missing] == [one.key for one in sent[3:5]]
    assert f"missing: seq {sent[3].seq}" in "\n".join(report.lines())


async def test_what_is_there_twice_is_named(store, place):
    dsn, pool = await place(idempotent=False)
    sent = await envelopes(store)
    await put(pool, [*sent, sent[1], sent[1], *[one for one in sent if one.kind == "waveform"][:1]])

    report = await compare(store, dsn)

    assert {found.what for found in report.double if found.key == sent[1].key} == {"3 times"}
    assert len(report.double) == 2


async def test_what_is_other_than_it_was_said_is_named(store, place):
    dsn, pool = await place()
    sent = await envelopes(store)
    await put(pool, sent)
    metric = next(one for one in sent if one.kind == "metrics")
    alarm = next(one for one in sent if one.kind == "alarm")
    piece = [one for one in sent if one.kind == "waveform"]
    segment, first = piece[1].body["segment"], piece[1].body["first"]
    await pool.execute(
        "UPDATE records SET body = $1 WHERE key = $2", {**metric.body, "heart_rate_bpm": 75.20001}, metric.key
    )
    await pool.execute("UPDATE records SET session = 'other' WHERE key = $1", alarm.key)
    counts = np.array(await pool.fetchval("SELECT counts FROM waveforms WHERE key = $1", piece[0].key))
    counts[1, 7] += 1
    await pool.execute("UPDATE waveforms SET counts = $1 WHERE key = $2", counts.tolist(), piece[0].key)
    await pool.execute("UPDATE waveforms SET first = first + 1 WHERE key = $1", piece[1].key)
    await pool.execute("DELETE FROM waveforms WHERE key = $1", piece[2].key)

    report = await compare(store, dsn)

    assert {found.key: found.what for found in report.different} == {
        metric.key: "the body differs",
        alarm.key: f"session is 'other', was {alarm.session!r}",
        piece[0].key: "1 samples differ",
        piece[1].key: f"samples of {segment} {first + 1}, not {segment} {first}",
        piece[2].key: "no samples",
    }


async def test_what_the_box_never_said_is_named(store, place):
    dsn, pool = await place()
    strange = golden("ecg.metrics/1")
    await put(pool, [*await envelopes(store), strange])

    report = await compare(store, dsn)

    assert report.strange == [strange.key]
    assert not report.well


async def test_samples_that_the_box_has_dropped_since_are_no_complaint(store, place):
    dsn, pool = await place()
    await put(pool, await envelopes(store))
    db = sqlite3.connect(store)
    db.execute("DELETE FROM chunks WHERE place = (SELECT min(place) FROM chunks)")
    db.commit()
    db.close()

    report = await compare(store, dsn)

    assert report.well
    assert report.gone == 1


async def test_only_what_was_sent_so_far_can_be_asked_for(store, place):
    dsn, pool = await place()
    sent = [one for one in await envelopes(store) if one.kind == "waveform"]
    await put(pool, sent[:2])

    report = await compare(store, dsn, [Lane.WAVEFORM], until={Lane.WAVEFORM: sent[1].seq})

    assert report.well
    assert report.messages == 2
    assert json.dumps(report.lines())
