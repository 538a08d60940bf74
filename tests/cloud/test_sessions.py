"""Sessions, reports, and the page that shows what arrived."""

from __future__ import annotations

import hashlib
import uuid

from tests.cloud.samples import UP, chunks, golden, noise
from tests.cloud.saying import count, post_records, post_report, say


async def test_a_client_of_the_plan_alone_is_served(client):
    """The seed's own example code: it knows nothing of keys, envelopes, or our ids."""
    status, started = await client.post(
        "/sessions/start", {"device_serial": client.serial, "device_info": {"os": "x"}}
    )
    assert status == 200
    here = f"/sessions/{started['session_id']}"
    microseconds = {"timestamp": "2025-01-08T12:34:56.789123Z", "metrics": {"heart_rate": 75}}
    assert (await client.post(f"{here}/metrics", microseconds))[0] == 200
    leads = {"I": [0.123, 0.145], "II": [0.234, 0.256]}
    wave = {"timestamp": "2025-01-08T12:34:57Z", "sampling_rate": 80, "leads": leads}
    assert (await client.post(f"{here}/waveform", wave))[0] == 200
    summary = {"duration_seconds": 1800, "average_heart_rate": 75}
    assert (await client.post(f"{here}/end", {"summary": summary})) == (200, {"status": "success"})

    _, sessions = await client.get(f"/users/{client.user_id}/sessions")
    _, data = await client.get(f"{here}/data")

    assert [s["session_id"] for s in sessions["sessions"]] == [started["session_id"]]
    assert sessions["sessions"][0]["average_heart_rate"] == 75
    assert [m["metrics"]["heart_rate"] for m in data["metrics_timeline"]] == [75]
    assert [w["leads"] for w in data["waveform_segments"]] == [leads]


async def test_a_session_keeps_the_boxs_id_where_it_is_free(client):
    name = f"session_{uuid.uuid4().hex}"
    start = golden("box.session_start/1", session=name)
    start.body.update(session_id=name, session_uuid=str(uuid.uuid4()))
    other = golden("box.session_start/1", session=name)
    other.body.update(session_id=name, session_uuid=str(uuid.uuid4()))

    _, told = await say(client, start)
    _, again = await say(client, start)
    _, elsewhere = await say(client, other)

    assert told == again == {"session_id": name}
    assert elsewhere["session_id"] != name


async def test_data_may_come_before_its_session_starts(client):
    name = f"session_{uuid.uuid4().hex}"
    assert (await say(client, golden("ecg.metrics/1", session=name)))[0] == 200
    start = golden("box.session_start/1", session=name)
    start.body.update(session_id=name, session_uuid=str(uuid.uuid4()))

    _, told = await say(client, start)

    assert told == {"session_id": name}


async def test_starting_a_session_twice_under_one_key_is_one_session(client, db):
    """Whoever starts it first, and however little that one knew of it."""
    name, key = f"session_{uuid.uuid4().hex}", str(uuid.uuid4())
    _, first = await client.post("/sessions/start", {"device_serial": client.serial, "device_info": {}}, key)
    start = golden("box.session_start/1", session=name)
    start.body.update(session_id=name, session_uuid=str(uuid.uuid4()))

    _, second = await say(client, start, key)

    assert first == second
    assert await count(db, "sessions", client.user_id) == 1
    assert await db.fetchval("SELECT count(*) FROM records WHERE key = $1", start.key) == 1


async def test_sessions_of_others_are_not_shown(client):
    assert (await client.get("/users/somebody-else/sessions"))[0] == 403
    assert (await client.get("/sessions/of-somebody-else/data"))[0] == 404


async def test_a_report_is_stored_once_with_its_file(client, cloud, db):
    file = b"%PDF-1.7 " + bytes(range(256)) * 4000
    envelope = golden("box.report/1", session="s")
    envelope.body["sha256"] = hashlib.sha256(file).hexdigest()
    envelope.body["size_bytes"] = len(file)

    first = await post_report(client, envelope, file, str(uuid.uuid4()))
    second = await post_report(client, envelope, file, str(uuid.uuid4()))

    assert first == second
    assert first[1]["report_id"] == envelope.body["report_id"]
    assert await count(db, "reports", client.user_id) == 1
    async with client.session.get(first[1]["url"]) as reply:
        assert await reply.read() == file


async def test_a_report_that_is_not_the_one_it_speaks_of_is_refused(client):
    status, told = await post_report(client, golden("box.report/1"), b"%PDF-1.7")

    assert (status, told["field"]) == (422, "file")


async def test_the_page_shows_what_arrived_and_no_markup_of_it(client, cloud):
    await post_records(client, [golden(message) for message in UP])
    await post_records(client, [piece.envelope for piece in chunks(noise(2000))])
    evil = golden("box.alarm/1")
    evil.body["text"] = "<script>alert(1)</script>"
    await post_records(client, [evil])

    async with client.session.get(cloud.url + "/") as reply:
        text = await reply.text()

    assert reply.status == 200
    assert "polyline" in text
    assert "&lt;script&gt;" in text
    assert "<script" not in text
