"""An imported session goes to the clouds as a live one does, takes part in retention, and leaves a row in the audit: each once."""

# ruff: noqa: DTZ001 - a card has no time zone

from __future__ import annotations

import json

import numpy as np
import pytest

from daemon.contracts.registry import said
from daemon.model.outgoing import Lane
from daemon.patients import Signed, patient_of
from daemon.store import outbox
from daemon.store.recorded import sessions
from daemon.store.retention import Quota, Retention
from daemon.store.usage import Class, used
from firmware_bridge.recordings.resmed_card import open_card
from tests.daemon.exchange.importing_house import UTC_NS
from tests.daemon.exchange.test_import import BOOT, DAY, EVENING, S, utc_ns
from tests.firmware_bridge.recordings import card_writer


def messages(house, lane):
    return house.ask(lambda r: outbox.outgoing(r, lane, 0, 2**62, 10_000))


async def test_the_clouds_are_told_as_of_a_live_session_at_its_own_time(house, card):
    written = card.session(DAY, EVENING, 5, oximeter=True)
    texts = [(120, 12, "Obstructive Apnea"), (250, 0, "Hypopnea")]
    card.file(DAY, EVENING, "EVE", card_writer.annotations(EVENING, texts))
    async with house.daemon():
        await house.import_card(card.root, timezone="Europe/Berlin")

    (found,) = house.ask(lambda r: sessions(r, bed="1"))
    told = messages(house, Lane.EVENTS)
    assert [m.message for m in told] == [
        "box.session_start/1", "box.event/1", "box.event/1", "box.session_end/1", "box.event/1",
    ]  # fmt: skip
    start, apnoea, hypopnoea, end, day = told
    assert (start.session, start.device, start.boot) == (found.name, card_writer.SERIAL, BOOT)
    assert start.t_ns + start.utc_offset_ns == utc_ns(EVENING, "Europe/Berlin")
    assert (start.body["patient"], start.body["device_info"]["sampling_rate_hz"]) == (None, 25.0)
    assert apnoea.body["numbers"] == [{"name": "duration", "value": 12.0, "unit": "s"}]
    assert (hypopnoea.body["name"], hypopnoea.body["numbers"]) == ("hypopnoea", [])
    assert end.body["summary"]["duration_seconds"] == 301.0
    assert (day.body["name"], day.body["detail"], day.session) == ("therapy_day", "2024-03-08", "")
    numbers = messages(house, Lane.METRICS)
    for message in [*told, *numbers]:
        said(message.message, message.body)

    with open_card(card.root) as opened:
        (one,) = opened.night(DAY).sessions
        leak = 60 * one.therapy.physical("leak")
    first = next(m for m in numbers if m.message == "cpap.metrics/1" and m.t_ns % (60 * S) == 0)
    at = (first.t_ns - utc_ns(EVENING, "Europe/Berlin") - S) // (2 * S)
    assert first.body["leak_rate_lpm"] == pytest.approx(np.nanmedian(leak[at : at + 30]), abs=0.01)
    assert {m.message for m in numbers} == {"cpap.metrics/1", "oximeter.metrics/1"}
    assert len(numbers) == 2 * 6  # the minutes of UTC that it touches

    waves = messages(house, Lane.WAVEFORM)
    assert {m.message for m in waves} == {"flow.waveform/1", "therapy.waveform/1", "oximetry.waveform/1"}
    assert {m.session for m in waves} == {found.name}
    kept = house.ask(lambda r: outbox.samples(r, [m.place for m in waves]))
    flow = [kept[m.place] for m in waves if kept[m.place].stream == "flow"]
    assert sum(chunk.n for chunk in flow) == len(written["BRP"][0])


async def test_what_has_grown_is_told_once(house, card):
    card.session(DAY, EVENING, 3)
    async with house.daemon():
        await house.import_card(card.root)
        before = {lane: [m.seq for m in messages(house, lane)] for lane in Lane}
        card.session(DAY, EVENING, 5)
        await house.import_card(card.root)

    after = {lane: messages(house, lane) for lane in Lane}
    fresh = {lane: [m for m in after[lane] if m.seq not in before[lane]] for lane in Lane}
    assert [m.message for m in fresh[Lane.EVENTS]] == ["box.session_end/1"]
    places = [m.place for m in after[Lane.WAVEFORM]]
    assert len(places) == len(set(places)) > len(before[Lane.WAVEFORM])


async def test_retention_counts_an_import_and_gives_it_up_as_it_does_the_live_recording(house, card):
    card.session(DAY, EVENING, 200)
    async with house.daemon():
        await house.import_card(card.root)
        rows = house.rows()
        there = house.ask(lambda r: r.db.execute("SELECT sum(length(data) + 90) FROM chunks").fetchone()[0])
        assert house.ask(lambda r: used(r.db))[Class.WAVEFORM] == there
        quota = Quota(there // 2, 10**12, 0, 0)
        retention = Retention(house.config.box.database, quota)

        def work(db):
            while retention.step(db, "boot-1", house.now_ns).more:
                pass

        await house.writer.aside(work)
        assert house.ask(lambda r: used(r.db))[Class.WAVEFORM] <= there // 2
        assert house.rows()["chunks"] < rows["chunks"]
        told = [m for m in messages(house, Lane.EVENTS) if m.message == "box.dropped/1"]
        assert {m.body["device"] for m in told} == {card_writer.SERIAL}
        again = await house.import_card(card.root)  # what was given up does not come back by itself
        assert (again.added, again.known) == (0, 1)


async def test_who_imported_what_is_in_the_audit_once(house, card):
    card.session(DAY, EVENING, 3)
    async with house.daemon():
        given = {"full_name": "Ada Lovelace", "patient_id": "P-1"}
        await house.patients.record_admission("2", patient_of(given, UTC_NS), Signed("c", "nurse", UTC_NS))
        for _ in range(2):
            await house.import_card(card.root, patient_id="P-1")
        rows = await house.people.run(
            lambda db: db.execute(
                "SELECT actor, bed, subject, body FROM audit WHERE act = 'import'"
            ).fetchall()
        )

    ((actor, bed, subject, body),) = rows
    assert (actor, bed, subject) == ("nurse", "1", "P-1")
    assert json.loads(body) == {
        "device": card_writer.SERIAL,
        "began": "2024-03-08T22:30:15Z",
        "ended": "2024-03-08T22:33:16Z",
    }
