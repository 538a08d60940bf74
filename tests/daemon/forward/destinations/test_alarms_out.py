"""Alarms on their way out, as a receiver sees them: signed, once each, late ones too."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack

import pytest

from daemon.forward.destinations import DONE, Verdict
from daemon.forward.destinations.announcing import record_key
from daemon.forward.destinations.kinds import BadOptions, make
from daemon.forward.destinations.sns import SUBJECT, message
from daemon.forward.destinations.web import Reply
from daemon.forward.destinations.webhook import Webhook, WebhookOptions, keys, signature
from daemon.forward.record import Record
from daemon.model.outgoing import Lane
from tests.daemon.forward.destinations import records
from tests.daemon.forward.destinations.alarm_receivers import (
    Pager,
    SnsCase,
    WebhookCase,
    documented,
    new_secret,
)
from tests.daemon.forward.kit import MemorySource, World, run

NOW_S = 1_767_225_600.0


@pytest.fixture(scope="module")
def hook(tmp_path_factory):
    with ExitStack() as stack:
        yield WebhookCase(tmp_path_factory.mktemp("webhook"), stack)


async def heard(case, place, record):
    """The headers and body of one alarm, as they came."""
    case.credentials(place.credentials)
    destination = case.destination(place)
    sealed = destination.seal(records.key(record.seq), [record])
    try:
        assert await destination.send(sealed) == DONE
    finally:
        await destination.close()
    return case.pager.heard[-1], sealed.data


async def test_a_receiver_believes_nobody_else_and_nothing_twice(hook, place):
    headers, body = await heard(hook, place, records.alarm(1001))
    verified = documented()
    now_s = int(headers["webhook-timestamp"])
    secret = hook.pager.secret
    known = set()

    assert abs(now_s - time.time()) < 100
    assert verified(secret, headers, body, now_s, known)
    assert not verified(secret, headers, body, now_s + 1, known)  # a try whose answer was lost
    with pytest.raises(ValueError, match="signed"):
        verified(new_secret(), headers, body, now_s, set())
    with pytest.raises(ValueError, match="signed"):
        verified(secret, headers, body.replace(b"hr_high", b"hr_low"), now_s, set())
    with pytest.raises(ValueError, match="signed"):  # recorded, and played again under another id
        verified(secret, {**headers, "webhook-id": records.key(9)}, body, now_s, set())
    with pytest.raises(ValueError, match="signed"):  # recorded, and played again with a new time
        verified(secret, {**headers, "webhook-timestamp": str(now_s + 600)}, body, now_s + 600, set())
    with pytest.raises(ValueError, match="old"):
        verified(secret, headers, body, now_s + 600, set())


async def test_what_comes_is_the_alarm_and_its_key(hook, place):
    record = records.alarm(1002)
    headers, body = await heard(hook, place, record)
    told = json.loads(body)

    assert headers["idempotency-key"] == headers["webhook-id"] == told["key"] == record.key
    assert told["schema"] == "vitald.box.alarm/1"
    assert told["body"] == record.body
    assert headers["content-type"] == "application/json"


def test_the_signature_is_that_of_standard_webhooks():
    """The example of the specification's own libraries."""
    (secret,) = keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    said = signature([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')

    assert said == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_while_a_secret_is_changed_both_are_good(hook, place):
    old = new_secret()
    hook.credentials(place.credentials)
    (place.credentials / "pager").write_text(f"{old}\n{hook.pager.secret}\n")
    destination = hook.destination(place)
    sealed = destination.seal(records.key(1003), [records.alarm(1003)])

    assert await destination.send(sealed) == DONE
    headers = hook.pager.heard[-1]
    await destination.close()
    assert documented()(old, headers, sealed.data, int(headers["webhook-timestamp"]), set())


@pytest.mark.parametrize("text", ["password", "whsec_c2hvcnQ=", "whsec_no base64!", "\n"])
async def test_a_bad_secret_parks(hook, place, text):
    (place.credentials / "pager").write_text(text)
    destination = hook.destination(place)
    outcome = await destination.open()

    assert outcome.verdict is Verdict.PARKED
    assert text.strip() not in outcome.reason or not text.strip()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "http://pager.example.org/x"}, "clear"),
        ({"url": "https://name:word@pager.example.org/x"}, "password"),
        ({"url": "https://pager.example.org/x", "changes": ["begun"]}, "changes"),
        ({"url": "https://pager.example.org/x", "least": "urgent"}, "least"),
    ],
)
def test_bad_options_are_named(place, options, said):
    with pytest.raises(BadOptions, match=said):
        make("webhook", {"secret_file": "pager", **options}, place)


class Line:
    """The connection of a webhook in jumping time: to a pager that may be down, or whose answers get lost."""

    def __init__(self, pager):
        self.pager = pager
        self.down = False
        self.lose = 0
        self.status = None

    async def ask(self, url, data, headers, timeout_s, trust):
        await asyncio.sleep(0.02)
        if self.down:
            raise ConnectionRefusedError
        status = self.status or self.pager.post(headers, data)
        if self.lose:
            self.lose -= 1
            raise ConnectionResetError
        return Reply(status, {}, "", {})

    async def close(self):
        await asyncio.sleep(0)


class Alarms(MemorySource):
    """A source whose alarms are alarms."""

    def say(self, lane, text="", device="", *, now_s=-1e9):
        seq = super().say(lane, text, device, now_s=now_s)
        if lane is Lane.ALARMS:
            self.records[-1] = _alarm(self.records[-1])
        return seq


def _alarm(record: Record) -> Record:
    body = {**records.alarm(record.seq).body, "text": record.body["text"]}
    return Record(
        **{
            **{name: getattr(record, name) for name in Record.__dataclass_fields__},
            "message": "box.alarm/1",
            "body": body,
            "session": "",
        }
    )


def test_a_receiver_that_was_down_for_an_hour_gets_every_alarm_once(place):
    """An alarm every ten seconds and numbers between; answers get lost when it is back, and the forwarder is killed on the way."""
    secret = new_secret()
    (place.credentials / "pager").write_text(secret)
    options = WebhookOptions(url="https://pager.example.org/alarms", secret_file="pager")

    async def main():
        loop = asyncio.get_running_loop()
        pager = Pager(secret, lambda: NOW_S + loop.time())
        line = Line(pager)

        def destination():
            made = Webhook(options, place, lambda: NOW_S + loop.time())
            made._web = line
            return made

        source = Alarms()
        world = World(destination(), source)
        await world.start()
        said = [world.say(Lane.ALARMS, "before")]
        await asyncio.sleep(5)
        line.down = True
        for second in range(3600):
            await asyncio.sleep(1)
            world.say(Lane.METRICS)
            if second % 10 == 0:
                said.append(world.say(Lane.ALARMS, f"at {second} s"))
        assert len(pager.acted) == 1
        line.down, line.lose = False, 7
        await asyncio.sleep(0.1)
        await world.kill()
        world.receiver = destination()
        await world.start()
        await world.quiet(3600)
        after = len(pager.heard)
        await asyncio.sleep(3600)
        await world.kill()
        return pager, [source.records[seq - 1].key for seq in said], after, world

    pager, wanted, after, world = run(main())
    arrived = [key for key, _ in pager.acted]

    assert sorted(arrived) == sorted(wanted)
    assert len(pager.heard) > len(
        wanted
    )  # answers that were lost brought some again, and the pager knew them
    assert len(pager.heard) == after  # then it was quiet
    assert world.in_quarantine() == []


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DONE),
        (401, Verdict.PARKED),
        (404, Verdict.PARKED),
        (410, Verdict.PARKED),
        (422, Verdict.REFUSED),
        (429, Verdict.WAIT),
        (503, Verdict.AGAIN),
    ],
)
async def test_what_the_answers_mean(hook, place, status, verdict):
    hook.credentials(place.credentials)
    destination = hook.destination(place)
    destination._web = line = Line(hook.pager)
    line.status = status

    assert (await destination.send(destination.seal(records.key(1), [records.alarm(1)]))).verdict is verdict


# -- sns ----------------------------------------------------------------------------------------------------


def test_a_message_of_a_topic(place):
    case_options = {"access_key": "a", "secret_key_file": "s"}
    fifo = "arn:aws:sns:eu-central-1:123456789012:alarms.fifo"
    destination = make("sns", {"topic": fifo, **case_options}, place)
    record = records.alarm(5)
    record.body.update(bed="3", text="HR 160 > 120 \u2265\nx" + "y" * 200)
    sealed = destination.seal(records.key(1), [record])
    asked = message(fifo, sealed)

    assert json.loads(asked["Message"])["body"] == record.body
    assert asked["MessageDeduplicationId"] == record_key(sealed) == record.key
    assert asked["MessageGroupId"] == "3"
    assert asked["Subject"].isascii()
    assert len(asked["Subject"]) <= SUBJECT
    assert "\n" not in asked["Subject"]
    assert asked["Subject"].startswith("Alarm: high HR 160 > 120 ? xyyy")
    attributes = {name: value["StringValue"] for name, value in asked["MessageAttributes"].items()}
    assert (
        attributes.items() >= {"alarm": "hr_high", "change": "onset", "priority": "high", "bed": "3"}.items()
    )
    assert "MessageGroupId" not in message(fifo.removesuffix(".fifo"), sealed)


def test_a_topic_that_is_none_is_named(place):
    with pytest.raises(BadOptions, match="topic"):
        make("sns", {"topic": "alarms", "access_key": "a", "secret_key_file": "s"}, place)


async def test_a_topic_that_is_gone_parks(tmp_path, place):
    with ExitStack() as stack:
        case = SnsCase(tmp_path, stack)
        case.credentials(place.credentials)
        destination = case.destination(place, topic=case.topic.replace("alarms", "others"))
        outcome = await destination.send(destination.seal(records.key(1), [records.alarm(1)]))
        await destination.close()

    assert outcome.verdict is Verdict.PARKED
    assert "topic" in outcome.reason
