"""Data: each datum once, samples bit for bit."""

from __future__ import annotations

import asyncio
import json
import uuid

import numpy as np
import pytest

from daemon.contracts.seeds import rest
from tests.cloud.samples import UP, chunks, golden, noise
from tests.cloud.saying import count, post_records, say, sender


async def test_the_same_request_a_hundred_times_is_one_row(client, db):
    key = str(uuid.uuid4())
    envelope = golden("ecg.metrics/1")

    replies = await asyncio.gather(*(say(client, envelope, key, beside=False) for _ in range(100)))

    assert {200} == {status for status, _ in replies}
    assert len({told["metrics_id"] for _, told in replies}) == 1
    assert await count(db, "metrics", client.user_id) == 1


async def test_the_same_record_under_other_keys_is_one_row(client, db):
    envelope = golden("ecg.metrics/1")

    for _ in range(3):
        assert (await say(client, envelope, str(uuid.uuid4())))[0] == 200
    status, told = await post_records(client, [envelope])

    assert (status, told["accepted"], told["known"]) == (200, 0, 1)
    assert await count(db, "metrics", client.user_id) == 1


async def test_without_a_key_a_plain_request_is_a_row_each_time(client, db):
    """The control: it is the key that makes it one."""
    for _ in range(3):
        await say(client, golden("ecg.metrics/1"), beside=False)

    assert await count(db, "metrics", client.user_id) == 3


async def test_every_message_comes_in_as_a_batch_and_one_by_one(client, db):
    """By the seeds' requests with the envelope beside, and by /records: the second way finds all of it there."""
    envelopes = [
        golden(message, session="s") for message in UP if message not in {"box.report/1", "ecg.waveform/1"}
    ]
    for envelope in envelopes:
        status, told = await say(client, envelope)
        assert status == 200, (envelope.message, told)

    status, told = await post_records(client, envelopes)

    assert (status, told["accepted"], told["known"]) == (200, 0, len(envelopes))
    kept = await db.fetch("SELECT key, body FROM records WHERE key = ANY($1)", [e.key for e in envelopes])
    assert {e.key: e.body for e in envelopes} == {row["key"]: json.loads(row["body"]) for row in kept}


async def test_every_message_comes_in_as_a_batch(client):
    envelopes = [golden(message) for message in UP]

    status, told = await post_records(client, envelopes)

    assert (status, told["accepted"]) == (200, len(envelopes))


@pytest.mark.parametrize("form", ["leads", "coded", "records"])
async def test_samples_come_back_bit_for_bit(client, form):
    counts = noise(2500, seed=7)
    session = f"session_{uuid.uuid4().hex}"
    pieces = chunks(counts, session=session)
    if form == "records":
        assert (await post_records(client, [piece.envelope for piece in pieces]))[0] == 200
    else:
        request = rest.waveform(pieces, sender(client), coded=form == "coded")
        assert (await client.post(request.path, request.body))[0] == 200

    _, data = await client.get(f"/sessions/{session}/data")

    back = np.concatenate([segment["counts"] for segment in data["waveform_segments"]], axis=1)
    assert np.array_equal(counts, back)
    assert [segment["first"] for segment in data["waveform_segments"]] == [0, 500, 1000, 1500, 2000]
    plain = rest.waveform(pieces, sender(client), beside=False).body["leads"]
    sent = {
        name: sum((segment["leads"][name] for segment in data["waveform_segments"]), []) for name in plain
    }
    assert plain == sent


async def test_arrays_without_an_envelope_come_back_as_the_same_doubles(client):
    values = np.random.default_rng(3).normal(size=200).tolist()
    body = {"timestamp": "2025-01-08T12:34:57Z", "sampling_rate": 80, "leads": {"V2": values}}
    session = f"session_{uuid.uuid4().hex}"

    await client.post(f"/sessions/{session}/waveform", body)

    _, data = await client.get(f"/sessions/{session}/data")
    assert data["waveform_segments"][0]["leads"] == {"V2": values}


async def test_samples_that_are_not_those_of_their_checksum_are_refused(client):
    (piece,) = chunks(noise(500))
    request = rest.waveform([piece], sender(client))
    request.body["leads"]["V3"][7] += 0.00286
    broken = piece.envelope.model_copy(update={"body": {**piece.envelope.body, "crc32": 1}})

    assert (await client.post(request.path, request.body))[1]["field"] == "leads"
    assert (await post_records(client, [broken]))[1]["field"] == "0.body.data"


async def test_a_server_with_ids_of_its_own_maps_them(cloud, client):
    cloud.state.own_ids = True
    name = f"session_{uuid.uuid4().hex}"
    start = golden("box.session_start/1", session=name)
    start.body.update(session_id=name, session_uuid=str(uuid.uuid4()))
    _, told = await say(client, start)
    assert told["session_id"] != name

    await say(client, golden("ecg.metrics/1", session=name))
    await post_records(client, [golden("ecg.metrics/1", session=name)])

    _, data = await client.get(f"/sessions/{told['session_id']}/data")
    assert len(data["metrics_timeline"]) == 2
