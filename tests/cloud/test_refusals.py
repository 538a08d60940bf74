"""What is refused and why; faults to order; the control of all that is said to be idempotent."""

from __future__ import annotations

import uuid

import aiohttp
import asyncpg
import pytest

from daemon.contracts.seeds import rest
from tests.cloud.app import serving
from tests.cloud.samples import golden
from tests.cloud.saying import EXAMPLE, count, order, post_records


async def test_a_key_used_for_another_request_is_refused(client):
    key = str(uuid.uuid4())
    await client.post("/sessions/s/metrics", EXAMPLE, key)

    status, told = await client.post("/sessions/s/metrics", {**EXAMPLE, "metrics": {"heart_rate": 76}}, key)

    assert (status, told["field"]) == (422, "Idempotency-Key")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/sessions/s/metrics", {"timestamp": "2025-01-08T12:34:56Z"}, "metrics"),
        ("/sessions/s/metrics", {**EXAMPLE, "metrics": {"heart_rate": "75"}}, "metrics.heart_rate"),
        ("/sessions/s/metrics", {**EXAMPLE, "timestamp": "yesterday"}, "timestamp"),
        ("/sessions/s/waveform", {"timestamp": "2025-01-08T12:34:56Z", "sampling_rate": 500}, ""),
        ("/sessions/s/waveform", {"timestamp": "2025-01-08T12:34:56Z", "sampling_rate": 0, "leads": {"I": [1]}},
         "sampling_rate"),
        ("/sessions/s/waveform", {"timestamp": "2025-01-08T12:34:56Z", "sampling_rate": 5, "leads": {"I": [1], "II": []}},
         ""),
        ("/sessions/start", {"device_info": {}}, "device_serial"),
        ("/sessions/s/end", {"summary": {"total_heartbeats": -1}}, "summary.total_heartbeats"),
        ("/sessions/s/events", {"type": "arrhythmia_detected", "timestamp": "2025-01-08T12:34:56Z", "device_serial": "E"},
         ""),
        ("/errors", {"type": "error_report", "timestamp": "2025-01-08T12:34:56Z", "device_serial": "E",
                     "error": {"error_type": "x"}}, "error.error_message"),
    ],
)  # fmt: skip
async def test_a_bad_body_is_422_and_names_the_field(client, path, body, field):
    status, told = await client.post(path, body)

    assert (status, told["field"]) == (422, field)


async def test_a_bad_record_names_its_place_and_nothing_of_the_batch_is_stored(client, db):
    good, bad = golden("ecg.metrics/1"), golden("ecg.metrics/1")
    broken = bad.model_copy(update={"body": {**bad.body, "qrs_ms": "wide"}})

    status, told = await post_records(client, [good, broken])

    assert (status, told["field"]) == (422, "1.body.qrs_ms")
    assert await count(db, "metrics", client.user_id) == 0


async def test_what_is_no_json_is_400(client):
    for data in (b"", b"{", b'{"a": NaN}'):
        headers = {**client.headers, "Content-Type": "application/json"}
        async with client.session.post(
            client.base + "/sessions/s/metrics", data=data, headers=headers
        ) as reply:
            assert reply.status == 400


async def test_sizes_and_codings_have_bounds(cloud, client):
    cloud.state.max_bytes = 2000
    assert (await client.post("/sessions/s/metrics", {**EXAMPLE, "more": "x" * 3000}))[0] == 413

    headers = {**client.headers, "Content-Encoding": "br"}
    async with client.session.post(client.base + "/records", data=b"x", headers=headers) as reply:
        assert reply.status in {400, 415}


async def test_faults_come_as_ordered_and_end(client, db):
    await order(client, {"do": "status", "status": 503, "retry_after": "7", "match": "metrics", "times": 2})
    headers = client.headers
    async with client.session.post(
        f"{client.base}/sessions/s/metrics", json=EXAMPLE, headers=headers
    ) as reply:
        assert (reply.status, reply.headers["Retry-After"]) == (503, "7")
    assert (await client.post("/sessions/s/metrics", EXAMPLE))[0] == 503
    assert (await client.post("/sessions/s/metrics", EXAMPLE))[0] == 200

    await order(client, {"do": "refuse", "text": '"heart_rate": 66', "times": 0})
    assert (await client.post("/sessions/s/metrics", {**EXAMPLE, "metrics": {"heart_rate": 66}}))[0] == 422
    assert (await client.post("/sessions/s/metrics", EXAMPLE))[0] == 200


async def test_a_lost_answer_is_not_a_lost_row(client, db):
    await order(client, {"do": "lost"})
    key = str(uuid.uuid4())

    with pytest.raises(aiohttp.ClientError):
        await client.post("/sessions/s/metrics", EXAMPLE, key)
    assert await count(db, "metrics", client.user_id) == 1

    assert (await client.post("/sessions/s/metrics", EXAMPLE, key))[0] == 200
    assert await count(db, "metrics", client.user_id) == 1


async def test_a_reset_before_it_is_a_lost_request(client, db):
    await order(client, {"do": "reset"})

    with pytest.raises(aiohttp.ClientError):
        await client.post("/sessions/s/metrics", EXAMPLE, "k")

    assert await count(db, "metrics", client.user_id) == 0


async def test_a_hanging_request_ends_with_its_client(client):
    await order(client, {"do": "hang"})

    with pytest.raises(TimeoutError):
        await client.post("/sessions/s/metrics", EXAMPLE, timeout=aiohttp.ClientTimeout(total=0.2))


async def test_without_idempotency_duplicates_arrive(dsn):
    """The control of every test that says there are none: a database without the unique keys."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("DROP DATABASE IF EXISTS control")
    await connection.execute("CREATE DATABASE control")
    await connection.close()
    envelope = golden("ecg.metrics/1")
    async with (
        serving(dsn.replace("/postgres?", "/control?"), idempotent=False, api_keys={"k": "u"}) as cloud,
        aiohttp.ClientSession(headers={"X-API-Key": "k"}) as session,
    ):
        for _ in range(3):
            async with session.post(f"{cloud.base}/records", data=rest.records([envelope])) as reply:
                assert reply.status == 200

        assert await cloud.state.pool.fetchval("SELECT count(*) FROM metrics") == 3
