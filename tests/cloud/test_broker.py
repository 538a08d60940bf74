"""The MQTT side: published twice is stored once, receipts say what is stored, shadows carry what is desired."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import uuid
from pathlib import Path

import aiomqtt
import pytest_asyncio
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from daemon.contracts import shadow, topics
from daemon.contracts.box.v1 import Receipt
from daemon.contracts.envelope import compact, line
from daemon.contracts.seeds import Sender, roadmap
from daemon.model.outgoing import Lane
from tests.cloud.broker import Address, listening
from tests.cloud.samples import UP, chunks, golden, noise

SEEDS = Path(__file__).parents[1] / "daemon" / "contracts" / "seeds"


class Box:
    """A box at the broker; what it hears waits in a queue by topic."""

    def __init__(self, client):
        self.client = client
        self.heard = asyncio.Queue()

    async def listen(self):
        async for message in self.client.messages:
            await self.heard.put((str(message.topic), message.payload))

    async def hear(self, topic=None):
        while True:
            at, payload = await asyncio.wait_for(self.heard.get(), 5)
            if topic is None or at == topic:
                return json.loads(payload)

    async def publish(self, topic, payload, key="", *, record="", answer="", retain=False):
        properties = Properties(PacketTypes.PUBLISH)
        if key:
            properties.UserProperty = [("key", key), ("record", record)]
        if answer:
            properties.ResponseTopic = answer
        data = payload if isinstance(payload, bytes) else compact(payload)
        await self.client.publish(topic, data, qos=1, properties=properties, retain=retain)


@pytest_asyncio.fixture
async def box(cloud, broker):
    host, port = broker
    async with (
        listening(cloud.state, Address(host, port)),
        aiomqtt.Client(host, port, protocol=aiomqtt.ProtocolVersion.V5) as client,
    ):
        made = Box(client)
        task = asyncio.create_task(made.listen())
        yield made
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def serial(kind):
    return f"{kind}-{uuid.uuid4().hex[:8].upper()}"


async def test_the_roadmaps_examples_are_taken_once(cloud, box):
    """The seeds' bytes as they are, published three times, without a key: the same payload is the same datum."""
    for kind, name in (("cpap", "b_cpap_metrics"), ("oxygen", "b_oxygen_metrics"), ("ecg", "b_ecg_metrics")):
        example = json.loads((SEEDS / f"{name}.json").read_text(encoding="utf-8"))
        example["serial"] = serial(kind.upper())
        await box.client.subscribe(topics.receipts(example["serial"]))
        for _ in range(3):
            await box.publish(topics.data(kind, example["serial"], Lane.METRICS), example)
            await box.hear(topics.receipts(example["serial"]))

        kept = await cloud.state.pool.fetch(
            "SELECT * FROM metrics WHERE device_serial = $1", example["serial"]
        )
        assert [row["metrics"] for row in kept] == [example["metrics"]]


async def test_a_receipt_carries_the_keys_that_are_stored(cloud, box):
    envelopes = [
        golden(message, device_serial="ECG-RECEIPT-1") for message in UP if message != "box.report/1"
    ]
    await box.client.subscribe(topics.receipts("ECG-RECEIPT-1"))

    for _ in range(2):
        for envelope in envelopes:
            await box.publish(topics.data(envelope.service, "ECG-RECEIPT-1", Lane.EVENTS), envelope.as_dict())
    receipts = [Receipt.model_validate(await box.hear()) for _ in range(2 * len(envelopes))]

    assert [[envelope.key] for envelope in envelopes] * 2 == [receipt.keys for receipt in receipts]
    kept = await cloud.state.pool.fetch("SELECT key FROM records WHERE device_serial = 'ECG-RECEIPT-1'")
    assert sorted(row["key"] for row in kept) == sorted(envelope.key for envelope in envelopes)


async def test_a_batch_is_one_message(cloud, box):
    device = serial("ECG")
    envelopes = [piece.envelope for piece in chunks(noise(2500), device_serial=device)]
    await box.client.subscribe(topics.receipts(device))
    data = gzip.compress(b"".join(line(envelope) for envelope in envelopes))

    await box.publish(topics.data("ecg", device, Lane.WAVEFORM), data, key="batch-1")
    receipt = await box.hear()

    assert receipt["keys"] == [*(envelope.key for envelope in envelopes), "batch-1"]
    assert (
        await cloud.state.pool.fetchval("SELECT count(*) FROM waveforms WHERE device_serial = $1", device)
        == 5
    )


async def test_a_record_in_the_roadmaps_form_is_one_under_whatever_request(cloud, box):
    """The record's key counts, not the request's; the answer goes where the sender wants it."""
    device, record = serial("OXY"), str(uuid.uuid4())
    payload = roadmap.payload(golden("oxygen.metrics/1", device_serial=device), Sender("", "BOX"))
    await box.client.subscribe(topics.receipts("BOX-9"))

    for request in ("request-1", "request-2"):
        topic = topics.data("oxygen", device, Lane.METRICS)
        await box.publish(topic, payload, request, record=record, answer=topics.receipts("BOX-9"))
        assert (await box.hear(topics.receipts("BOX-9")))["keys"] == [record, request]

    assert (
        await cloud.state.pool.fetchval("SELECT count(*) FROM metrics WHERE device_serial = $1", device) == 1
    )


async def test_the_envelope_beside_a_seeds_payload_is_what_counts(cloud, box):
    device = serial("CPAP")
    envelope = golden("cpap.metrics/1", device_serial=device)
    await box.client.subscribe(topics.receipts(device))

    for beside in (True, True):
        payload = roadmap.payload(envelope, Sender("", "BOX"), beside=beside)
        await box.publish(topics.data("cpap", device, Lane.METRICS), payload)
        assert (await box.hear())["keys"] == [envelope.key]

    assert (
        await cloud.state.pool.fetchval("SELECT count(*) FROM metrics WHERE device_serial = $1", device) == 1
    )


async def test_what_is_no_good_is_said_so_and_harms_nothing(cloud, box):
    device = serial("ECG")
    await box.client.subscribe(topics.receipts(device))
    topic = topics.data("ecg", device, Lane.METRICS)
    bad = golden("ecg.metrics/1", device_serial=device)
    bad.body["qrs_ms"] = "wide"

    for payload in (b"", b"\xff", b"[1]", b'{"a":1}', gzip.compress(b"x")[:-4], bad.as_dict()):
        await box.publish(topic, payload, key="k")
        receipt = await box.hear()
        assert receipt["keys"] == []
        assert len(receipt["refused"]) == 1

    good = golden("ecg.metrics/1", device_serial=device)
    await box.publish(topic, good.as_dict())
    assert (await box.hear())["keys"] == [good.key]


async def wish(client, device, config):
    at = f"{client.base}/devices/{device}/config"
    async with client.session.put(at, json={"config": config}, headers=client.headers) as reply:
        assert reply.status == 200


async def test_a_wish_becomes_a_delta_and_the_answer_is_kept(client, box):
    device = serial("CPAP")
    for what in ("update/delta", "update/accepted", "update/rejected", "get/accepted"):
        await box.client.subscribe(topics.shadow(device, what))
    await wish(client, device, {"target_pressure": 12, "alerts": {"leak_threshold": 30}})
    delta = shadow.delta(json.dumps(await box.hear(topics.shadow(device, "update/delta"))))
    assert (delta.version, delta.state) == (1, {"target_pressure": 12, "alerts": {"leak_threshold": 30}})

    told = {"target_pressure": 11, "alerts": {"leak_threshold": 30}}
    await box.publish(topics.shadow(device, "update"), shadow.reported(told, 99))
    assert (await box.hear())["code"] == 409
    await box.publish(topics.shadow(device, "update"), shadow.reported(told, 1))
    await box.hear(topics.shadow(device, "update/accepted"))
    await box.publish(topics.shadow(device, "get"), b"")

    document = shadow.shadow(json.dumps(await box.hear(topics.shadow(device, "get/accepted"))))
    assert document.state.reported == told
    assert document.state.delta == {"target_pressure": 12}


async def test_a_wish_waits_for_a_box_that_comes_later(client, box):
    """On a broker without shadows: retained on a topic of ours, and answered on another."""
    device = serial("OXY")
    await wish(client, device, {"flow_rate_lpm": 3.0})

    await box.client.subscribe(topics.config("oxygen", device))
    delta = await box.hear(topics.config("oxygen", device))
    answer = shadow.reported({"flow_rate_lpm": 2.5}, delta["version"])
    await box.client.subscribe(topics.receipts("SYNC-1"))
    await box.publish(topics.config_reported("oxygen", device), answer)
    await box.publish(topics.data("ecg", "SYNC-1", Lane.METRICS), golden("ecg.metrics/1").as_dict())
    await box.hear(topics.receipts("SYNC-1"))

    assert delta["state"] == {"flow_rate_lpm": 3.0}
    _, told = await client.get(f"/devices/{device}/config")
    assert told["reported"] == {"flow_rate_lpm": 2.5}
