"""Settings that a cloud wishes for over MQTT: passed on once, answered with what was set, and withdrawn."""

from __future__ import annotations

import asyncio
import json

import pytest

from daemon.contracts.rest.v1 import ConfigReport
from daemon.forward.destinations import DONE
from tests.daemon.forward.destinations import records
from tests.daemon.forward.destinations.mqtt_broker import Broker
from tests.daemon.forward.destinations.test_mqtt import connected

CPAP = "CPAP-2301-9912"


@pytest.mark.parametrize("shadows", [True, False])
async def test_a_wish_is_passed_on_once_and_answered_with_what_was_set(tmp_path, shadows):
    wishes = []
    place = records.place(tmp_path, wishes=lambda *wish: wishes.append(wish))
    topic = f"$aws/things/{CPAP}/shadow/update" if shadows else f"v1/cpap/{CPAP}/config"
    delta = topic + "/delta" if shadows else topic
    broker = Broker()
    async with connected(broker, place, settings_of={CPAP: "cpap"}, shadows=shadows) as destination:
        await destination.open()
        for version, pressure in ((3, 12), (3, 12), (2, 9), (4, 13)):
            broker.say(
                delta, json.dumps({"version": version, "state": {"target_pressure": pressure}}).encode()
            )
        broker.say(delta, b"{}")
        async with asyncio.timeout(5):
            while len(wishes) < 2:
                await asyncio.sleep(0.01)
        report = ConfigReport(
            version=4, hash="h", config={"target_pressure": 12.5}, refused={"humidity_level": "no"}
        )
        outcome = await destination.report_settings(CPAP, report)

    if shadows:  # what was wished while the box was away is asked for
        assert broker.got[0].topic == f"$aws/things/{CPAP}/shadow/get"
    assert wishes == [(CPAP, 3, {"target_pressure": 12}), (CPAP, 4, {"target_pressure": 13})]
    assert broker.subscribed == ([delta, f"$aws/things/{CPAP}/shadow/get/accepted"] if shadows else [delta])
    assert outcome == DONE
    assert broker.got[-1].topic == (topic if shadows else topic + "/reported")
    told = json.loads(broker.got[-1].payload)
    # Null takes away from a shadow what was said of firmware before.
    beside = {"version": 4, "hash": "h", "pending": {}, "refused": {"humidity_level": "no"}, "firmware": None}
    assert told["state"] == {"reported": {"target_pressure": 12.5, "vitald": beside}}
    assert told.get("version") == (None if shadows else 4)  # our own report makes a shadow's next version


async def test_what_was_wished_while_the_box_was_away_is_in_the_shadow(tmp_path):
    wishes = []
    place = records.place(tmp_path, wishes=lambda *wish: wishes.append(wish))
    said = {"desired": {"humidity_level": 3}, "reported": {}, "delta": {"humidity_level": 3}}
    broker = Broker()
    async with connected(broker, place, settings_of={CPAP: "cpap"}, shadows=True) as destination:
        await destination.open()
        topic = f"$aws/things/{CPAP}/shadow/get/accepted"
        broker.say(
            topic, json.dumps({"state": {"desired": {"a": 1}}, "version": 6}).encode()
        )  # nothing to do
        broker.say(topic, json.dumps({"state": said, "version": 7}).encode())
        async with asyncio.timeout(5):
            while not wishes:
                await asyncio.sleep(0.01)

    assert wishes == [(CPAP, 6, {}), (CPAP, 7, {"humidity_level": 3})]


async def test_a_wish_for_nothing_is_passed_on_and_so_is_a_retained_one_that_is_taken_away(tmp_path):
    wishes = []
    place = records.place(tmp_path, wishes=lambda *wish: wishes.append(wish))
    broker, topic = Broker(), f"v1/cpap/{CPAP}/config"
    async with connected(broker, place, settings_of={CPAP: "cpap"}, shadows=False) as destination:
        await destination.open()
        broker.say(topic, b"")  # nothing was ever heard: nothing to take away
        for version, state in enumerate(({"target_pressure": 12}, {}, {"humidity_level": 2}), start=3):
            broker.say(topic, json.dumps({"version": version, "state": state}).encode())
        broker.say(topic, b"")
        async with asyncio.timeout(5):
            while len(wishes) < 4:
                await asyncio.sleep(0.01)

    assert [wish[1:] for wish in wishes] == [
        (3, {"target_pressure": 12}),
        (4, {}),
        (5, {"humidity_level": 2}),
        (5, {}),
    ]
