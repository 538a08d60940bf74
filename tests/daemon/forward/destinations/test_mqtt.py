"""MQTT: what each reason code means, what a message carries, limits, receipts, status, wished settings."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from contextlib import ExitStack, asynccontextmanager

import pytest

from daemon.contracts.envelope import read, read_lines
from daemon.forward.destinations import DONE, Verdict
from daemon.forward.destinations.kinds import BadOptions, make
from tests.daemon.forward.destinations import records
from tests.daemon.forward.destinations.certificates import Authority
from tests.daemon.forward.destinations.mqtt_broker import Broker
from tests.daemon.forward.destinations.servers import MqttCase


@asynccontextmanager
async def connected(broker, place, **more):
    """A destination on the test's own broker, in the clear."""
    async with broker.serving():
        options = {"host": "127.0.0.1", "port": broker.port, "tls": False, "timeout_s": 5, **more}
        destination = make("mqtt", options, place)
        try:
            yield destination
        finally:
            await destination.close()


def sealed_of(destination, some, number=1):
    return destination.seal(records.key(number), some[: destination.gather(some)])


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (0x00, Verdict.DONE),
        (0x10, Verdict.DONE),
        (0x80, Verdict.AGAIN),
        (0x83, Verdict.AGAIN),
        (0x87, Verdict.PARKED),
        (0x90, Verdict.PARKED),
        (0x91, Verdict.AGAIN),
        (0x97, Verdict.WAIT),
        (0x99, Verdict.REFUSED),
    ],
)
async def test_acknowledgement(place, code, verdict):
    """All that a PUBACK may hold (MQTT 5, table 3-4). Too large and too fast are said by ending the line: see below."""
    broker = Broker(puback=[code])
    async with connected(broker, place) as destination:
        outcome = await destination.send(sealed_of(destination, [records.metrics(1)]))

    assert outcome.verdict is verdict
    assert len(broker.got) == (code < 0x80)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (0x80, Verdict.AGAIN),
        (0x84, Verdict.PARKED),
        (0x85, Verdict.PARKED),
        (0x86, Verdict.PARKED),
        (0x87, Verdict.PARKED),
        (0x88, Verdict.AGAIN),
        (0x89, Verdict.WAIT),
        (0x8A, Verdict.PARKED),
        (0x97, Verdict.WAIT),
        (0x9D, Verdict.PARKED),
        (0x9F, Verdict.WAIT),
    ],
)
async def test_answer_to_connect(place, code, verdict):
    broker = Broker(connack=[code])
    async with connected(broker, place) as destination:
        assert (await destination.open()).verdict is verdict
        assert await destination.send(sealed_of(destination, [records.metrics(1)])) == DONE


@pytest.mark.parametrize(
    ("code", "verdict"), [(0x87, Verdict.PARKED), (0x97, Verdict.WAIT), (None, Verdict.AGAIN)]
)
async def test_answer_to_subscribe(place, code, verdict):
    broker = Broker(suback=code)
    async with connected(broker, place, receipts=True, timeout_s=0.3) as destination:
        assert (await destination.open()).verdict is verdict
        assert (await destination.send(sealed_of(destination, [records.metrics(1)]))).verdict is verdict
    assert not broker.got


async def test_a_broker_that_hangs_up_on_connect_is_again_at_once(place):
    """It speaks no MQTT, or not this one."""

    async def hangs_up(_reader, writer):
        writer.close()

    server = await asyncio.start_server(hangs_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        destination = make("mqtt", {"host": "127.0.0.1", "port": port, "tls": False, "timeout_s": 20}, place)
        async with asyncio.timeout(5):
            outcome = await destination.open()
        await destination.close()

    assert (outcome.verdict, outcome.reason) == (Verdict.AGAIN, "the connection was lost")


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (0x8E, Verdict.PARKED),
        (0x95, Verdict.SPLIT),
        (0x96, Verdict.WAIT),
        (0x97, Verdict.WAIT),
        (0x8B, Verdict.AGAIN),
        (0x98, Verdict.AGAIN),
    ],
)
async def test_line_ended_by_the_broker(place, code, verdict):
    """0x8E: somebody else has the box's client id; going on at once would throw the other one out, for ever."""
    broker = Broker(disconnect=[code])
    async with connected(broker, place) as destination:
        sealed = sealed_of(destination, [records.metrics(1)])

        assert (await destination.send(sealed)).verdict is verdict
        if verdict is not Verdict.SPLIT:
            assert await destination.send(sealed) == DONE


async def test_a_message_says_what_it_is(place):
    broker = Broker()
    async with connected(broker, place) as destination:
        for number, record in enumerate([records.metrics(7), records.alarm(8), records.waveform(9)], 1):
            assert await destination.send(sealed_of(destination, [record], number)) == DONE
    metrics, alarm, waveform = broker.got

    assert [m.topic for m in broker.got] == [
        "v1/ecg/ECG-12345/metrics",
        "v1/box/ECG-12345/alarms",
        "v1/ecg/ECG-12345/waveform",
    ]
    assert metrics.user == {
        "key": records.key(1),
        "schema": "vitald.ecg.metrics/1",
        "seq": "7",
        "record": records.metrics(7).key,
    }
    assert [m.properties.get(2) for m in broker.got] == [3600, 300, None]  # expiry: none for waveforms
    assert metrics.properties[3] == "application/json"
    assert not any(m.retain for m in broker.got)
    assert read(alarm.payload).body["alarm"] == "hr_high"
    assert read(waveform.payload).body["n"] == 500


async def test_forms(place):
    broker = Broker()
    some = [records.oxygen(n) for n in range(1, 50)]
    for form in ("seed", "batch"):
        async with connected(broker, place, form=form) as destination:
            assert await destination.send(sealed_of(destination, some)) == DONE
    seed, batch = broker.got

    assert json.loads(seed.payload) == {
        "serial": "OXY-8844-5521",
        "timestamp": "2025-01-08T12:34:57.789Z",
        "metrics": {
            "oxygen_purity_pct": 94.6,
            "flow_rate_lpm": 2.5,
            "temperature_c": None,
            "battery_pct": None,
            "alarm_code": None,
        },
        "status": "online",
    }
    assert batch.user["coding"] == "gzip"
    assert [e.seq for e in read_lines(gzip.decompress(batch.payload))] == list(range(1, 50))


async def test_no_more_are_under_way_than_the_broker_takes(place):
    for receives, most in ((0, 20), (5, 5)):
        broker = Broker(receives=receives, hold=True)
        async with connected(broker, place) as destination:
            sealed = [sealed_of(destination, [records.metrics(n)], n) for n in range(1, 41)]
            sending = asyncio.gather(*(destination.send(one) for one in sealed))
            async with asyncio.timeout(5):
                while broker.under_way < most:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            broker.hold = False
            broker.release.set()

            assert await sending == [DONE] * 40
            assert broker.most_under_way == most
        assert len(broker.got) == 40


async def test_what_is_larger_than_the_broker_takes_is_never_sent(place):
    broker = Broker(largest=3000)
    async with connected(broker, place) as destination:
        sizes = {}
        for n in (50, 100, 200, 500):
            sealed = sealed_of(destination, [records.waveform(n, n / 500)], n)
            outcome = await destination.send(sealed)
            sizes[len(sealed.data)] = outcome.verdict

    assert set(sizes.values()) == {Verdict.DONE, Verdict.SPLIT}
    assert all((size < 3000) == (verdict is Verdict.DONE) for size, verdict in sizes.items())
    assert all(len(message.payload) < 3000 for message in broker.got)
    assert broker.connections == 1


async def test_a_broker_that_never_acknowledges_is_again_and_the_line_is_cut(place):
    broker = Broker(hold=True)
    async with connected(broker, place, timeout_s=0.3) as destination:
        sealed = sealed_of(destination, [records.metrics(1)])
        outcome = await destination.send(sealed)
        broker.hold = False

        assert outcome.verdict is Verdict.AGAIN
        assert await destination.send(sealed) == DONE
        assert broker.connections == 2


async def test_status_is_said_and_a_will_is_left(place):
    broker = Broker()
    async with connected(broker, place) as destination:
        await destination.open()
    said = [(m.topic, m.payload, m.retain) for m in broker.statuses]

    assert said == [
        (f"v1/box/{records.BOX}/status", b"online", True),
        (f"v1/box/{records.BOX}/status", b"offline", True),
    ]
    assert broker.wills == [True]


# -- receipts -------------------------------------------------------------------------------------------------


def receipt(broker, **body):
    broker.say(f"v1/{records.BOX}/ack", json.dumps({"keys": [], **body}).encode())


async def test_with_receipts_done_is_the_receivers_word(place):
    broker = Broker()
    async with connected(broker, place, receipts=True) as destination:
        one, two, three = (sealed_of(destination, [records.metrics(n)], n) for n in (1, 2, 3))
        sending = [asyncio.create_task(destination.send(sealed)) for sealed in (one, two, three)]
        async with asyncio.timeout(5):
            while len(broker.got) < 3:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in sending)  # the broker's word is not enough
        receipt(broker, keys=["of another box", one.key])
        receipt(broker, keys=[records.metrics(2).key])  # a record's key will do
        receipt(broker, refused={three.key: "heart_rate_bpm: missing"})
        broker.say(f"v1/{records.BOX}/ack", b"nonsense")
        outcomes = await asyncio.gather(*sending)

    assert [o.verdict for o in outcomes] == [Verdict.DONE, Verdict.DONE, Verdict.REFUSED]
    assert broker.subscribed == [f"v1/{records.BOX}/ack"]
    assert {m.properties[8] for m in broker.got} == {f"v1/{records.BOX}/ack"}  # where the receiver answers


async def test_without_a_receipt_in_time_it_is_again(place):
    broker = Broker()
    async with connected(broker, place, receipts=True, timeout_s=0.3) as destination:
        outcome = await destination.send(sealed_of(destination, [records.metrics(1)]))

    assert outcome.verdict is Verdict.AGAIN


# -- the real broker, and TLS -----------------------------------------------------------------------------------


async def test_mosquitto_says_0x87_where_the_box_may_not_write(tmp_path, place):
    """2.0.11 answers a PUBLISH that its access list forbids with 0x87 for MQTT 5, so this is no code of ours alone."""
    with ExitStack() as stack:
        case = MqttCase(tmp_path, stack)
        case.credentials(place.credentials)
        destination = case.destination(place)
        try:
            forbidden = records.metrics(1, device="FORBIDDEN-1")
            outcome = await destination.send(sealed_of(destination, [forbidden]))
            allowed = await destination.send(sealed_of(destination, [records.metrics(2)], 2))
        finally:
            await destination.close()

    assert (outcome.verdict, allowed) == (Verdict.PARKED, DONE)
    assert "0x87" in outcome.reason


async def test_port_443_asks_for_aws_by_alpn(tmp_path, place):
    authority = Authority(place.credentials, "ca")
    pair = authority.pair("server", hosts=("localhost",))
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trust.load_cert_chain(pair.certificate, pair.key)
    trust.set_alpn_protocols(["x-amzn-mqtt-ca"])
    broker = Broker()
    async with broker.serving(trust):
        options = {"host": "localhost", "port": broker.port, "alpn": True, "ca_file": str(authority.file)}
        destination = make("mqtt", options, place)
        assert await destination.open() == DONE
        await destination.close()

    assert broker.alpn == ["x-amzn-mqtt-ca"]


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"user": "box"}, "password_file"),
        ({"alpn": True, "tls": False}, "alpn"),
        ({"prefix": "a/#/"}, "prefix"),
        ({"keepalive_s": 5}, "keepalive_s"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(place, options, key):
    with pytest.raises(BadOptions, match=key):
        make("mqtt", {"host": "h", **options}, place)
