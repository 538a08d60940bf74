"""A card goes in: from the worker through the daemon's socket into the store, at its own time, once, beside the live recording."""

# ruff: noqa: DTZ001 - a card has no time zone

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import aiohttp
import numpy as np
import pytest

from daemon.control.work import ImportAsked, WorkClient
from daemon.exchange import cards
from daemon.importing import Importing
from daemon.model.signals import Channel, Quantity, SampleBlock, Segment, Stream
from daemon.patients import Signed, patient_of
from daemon.store import ranges
from daemon.store.recorded import session, sessions
from daemon.worker import working
from firmware_bridge.recordings.resmed_card import open_card
from tests.daemon.exchange.importing_house import UTC_NS
from tests.firmware_bridge.recordings import card_writer
from tests.firmware_bridge.recordings.card_writer import CardWriter, day_number, edf, summary

S = 10**9
DAY = date(2024, 3, 8)
EVENING = datetime(2024, 3, 8, 22, 30, 15)
BOOT = f"import:{card_writer.SERIAL}"
ALWAYS = (-(2**62), 2**62)


def utc_ns(at: datetime, zone: str = "UTC") -> int:
    return round(at.replace(tzinfo=ZoneInfo(zone)).timestamp()) * S


# --- what arrives ----------------------------------------------------------------------------------------


async def test_every_sample_arrives_at_its_own_time_under_the_devices_serial_number(house, card):
    written = card.session(DAY, EVENING, 5, oximeter=True)
    async with house.daemon():
        state = await house.import_card(card.root, timezone="Europe/Berlin")
    assert (state.state, state.added, state.known, state.notes) == ("done", 1, 0, ())
    assert (state.device, state.title, state.progress) == (card_writer.SERIAL, "AirSense 10 AutoSet", 1.0)

    traces = {t.segment.name: t for t in house.ask(lambda r: r.read(BOOT, *ALWAYS, bed="1"))}
    assert set(traces) == {"flow", "therapy", "oximetry"}
    begin_ns = utc_ns(EVENING, "Europe/Berlin")
    for kind, name in (("BRP", "flow"), ("PLD", "therapy"), ("SAD", "oximetry")):
        trace = traces[name]
        assert np.array_equal(trace.counts, written[kind])
        assert trace.present.all()
        assert trace.segment.device == card_writer.SERIAL
        assert trace.segment.began_ns == begin_ns + (0 if kind == "BRP" else S)
        assert house.ask(lambda r, t=trace: ranges.unexplained(r, t.segment)) == []
    flow = traces["flow"].segment
    assert [(c.name, c.quantity, c.unit) for c in flow.channels] == [
        ("flow", Quantity.FLOW, "L/s"),
        ("pressure", Quantity.AIRWAY_PRESSURE, "cmH2O"),
    ]
    assert flow.stored_until_ns == begin_ns + 300 * S
    (boot,) = [b for b in house.ask(lambda r: r.boots()) if b.boot == BOOT]
    assert (boot.utc_offset_ns, boot.clock_is_set) == (0, True)


async def test_the_session_its_marks_and_the_day(house, card):
    card.session(DAY, EVENING, 10)
    texts = [(120, 12, "Obstructive Apnea"), (300, 0, "Hypopnea")]
    card.file(DAY, EVENING, "EVE", card_writer.annotations(EVENING, texts))
    async with house.daemon():
        state = await house.import_card(card.root)
    assert (state.added, state.marks, state.nights) == (1, 2, 1)

    (found,) = house.ask(lambda r: sessions(r, bed="1"))
    began_ns = utc_ns(EVENING)
    assert (found.source, found.device, found.actor) == ("import", card_writer.SERIAL, "nurse")
    assert (found.began_ns, found.ended_ns, found.utc_offset_ns) == (began_ns, began_ns + 601 * S, 0)
    assert found.name == f"session_{EVENING:%Y%m%d_%H%M%S}"
    assert found.patient is None
    assert found.rate_hz == 25.0
    assert found.summary["duration_seconds"] == 601.0
    assert found.summary["device_events"] == {"hypopnoea": 1, "obstructive_apnoea": 1}

    events = house.ask(lambda r: r.events(BOOT, *ALWAYS, bed="1"))
    marks = [
        (e.t_ns - began_ns, e.body["name"], e.body["duration_s"]) for e in events if e.kind == "device_event"
    ]
    assert marks == [(108 * S, "obstructive_apnoea", 12.0), (300 * S, "hypopnoea", 0.0)]
    (day,) = [e.body for e in events if e.kind == "therapy_day"]
    assert (day["day"], day["mode"], day["device"]) == ("2024-03-08", "AutoSet", card_writer.SERIAL)
    assert day["settings"] == {"S.C.Press": "10 cmH2O", "S.Temp": "27 °C"}
    assert day["values"]["AHI"] == 4.2
    assert day["mask"] == [["2024-03-08T22:30:00", "2024-03-08T22:34:00"]]
    numbers = {m.name: (m.value, m.unit, m.device) for m in house.ask(lambda r: r.metrics(BOOT, *ALWAYS))}
    assert numbers == {
        "cpap_ahi": (4.2, "/h", card_writer.SERIAL),
        "cpap_hours": (0.067, "h", card_writer.SERIAL),
        "cpap_leak_95": (15.6, "L/min", card_writer.SERIAL),
        "cpap_pressure_95": (None, "cmH2O", card_writer.SERIAL),
    }


@pytest.mark.recordings
async def test_the_real_card(house, recordings):
    path = recordings / "resmed" / "airsense10_a"
    async with house.daemon():
        state = await house.import_card(path)
        first = house.rows()
        again = await house.import_card(path)
    assert (state.state, state.added, state.known, state.empty, state.nights) == ("done", 25, 0, 6, 7)
    assert state.marks == 12
    assert (again.state, again.added, again.known) == ("done", 0, 25)
    assert house.rows() == first
    found = house.ask(lambda r: sessions(r, most=100))
    assert {s.device for s in found} == {"20000000001"}
    with open_card(path) as card:
        for day in card.days[::3]:
            for one in card.night(day).sessions:
                began_ns = utc_ns(one.flow.start)
                (trace,) = house.ask(
                    lambda r, b=began_ns, n=one.flow.n: r.read(
                        "import:20000000001", b, b + n * 40_000_000, stream="20000000001/flow"
                    )
                )
                assert np.array_equal(trace.counts, one.flow.counts)


# --- once ------------------------------------------------------------------------------------------------


async def test_the_same_card_again_adds_nothing(house, card):
    card.session(DAY, EVENING, 3)
    card.session(DAY, EVENING + timedelta(hours=2), 4, seed=1)
    async with house.daemon():
        await house.import_card(card.root)
        first = house.rows()
        again = await house.import_card(card.root, bed="2", timezone="Asia/Tokyo")
        assert (again.state, again.added, again.known) == ("done", 0, 2)
        after = house.rows()
    assert {name: n for name, n in after.items() if n != first[name]} == {}


async def test_what_is_new_on_the_card_is_added_and_a_session_that_has_grown_too(house, card):
    card.session(DAY, EVENING, 3)
    async with house.daemon():
        await house.import_card(card.root)
        written = card.session(DAY, EVENING, 8)
        later = EVENING + timedelta(hours=1)
        card.session(DAY, later, 2, seed=3)
        texts = [(400, 0, "Hypopnea")]
        card.file(DAY, EVENING, "EVE", card_writer.annotations(EVENING, texts))
        state = await house.import_card(card.root)
    assert (state.added, state.known) == (2, 0)
    found = house.ask(lambda r: sessions(r))
    assert [s.ended_ns - s.began_ns for s in found] == [121 * S, 481 * S]
    began_ns = utc_ns(EVENING)
    (trace,) = house.ask(
        lambda r: r.read(BOOT, began_ns, began_ns + 480 * S, stream=f"{card_writer.SERIAL}/flow")
    )
    # The first minutes stay as they were taken in: the writer's random values differ from minute to minute.
    assert trace.counts.shape == np.array(written["BRP"]).shape
    assert np.array_equal(trace.counts[:, 4500:], np.array(written["BRP"])[:, 4500:])
    events = house.ask(lambda r: r.events(BOOT, *ALWAYS, kinds=["device_event"]))
    assert [e.t_ns - began_ns for e in events] == [400 * S]


async def test_a_day_that_says_something_new_is_written_again(house, card):
    card.session(DAY, EVENING, 1)
    async with house.daemon():
        await house.import_card(card.root)
        card.put("STR.edf", summary([[[day_number(DAY)], [630], [640], [10], [1], [500], [270], [13], [50]]]))
        await house.import_card(card.root)
        await house.import_card(card.root)
    days = house.ask(lambda r: r.events(BOOT, *ALWAYS, kinds=["therapy_day"]))
    assert [d.body["values"]["AHI"] for d in days] == [4.2, 5.0]


async def test_an_import_that_was_cut_short_is_completed_by_the_next(house, card, monkeypatch):
    card.session(DAY, EVENING, 30)
    monkeypatch.setattr("daemon.exchange.resmed_import.PIECE_BYTES", 20_000)
    monkeypatch.setattr(cards, "PATIENCE_S", 0.0)
    handed, real = [], Importing.samples

    async def failing(self, given):
        handed.append(given.stream)
        if len(handed) > 3:
            raise OSError("the disk is gone")
        return await real(self, given)

    async with house.daemon():
        monkeypatch.setattr(Importing, "samples", failing)
        state = await house.import_card(card.root)
        assert state.state == "failed"
        assert "the disk is gone" in state.refused
        assert house.rows()["sessions"] == 0, "what is cut short is no session"
        assert 0 < house.rows()["chunks"] < 30
        monkeypatch.setattr(Importing, "samples", real)
        state = await house.import_card(card.root)
        assert (state.state, state.added) == ("done", 1)
    traces = {t.segment.name: t for t in house.ask(lambda r: r.read(BOOT, *ALWAYS))}
    assert traces["flow"].present.all()
    assert traces["flow"].counts.shape == (2, 45_000)


# --- beside the live recording ---------------------------------------------------------------------------


async def test_the_live_recording_goes_on_and_stays_what_the_bed_shows(house, card):
    for k in range(4):
        card.session(DAY, EVENING + timedelta(hours=k), 30, seed=k)
    stream = Stream("ECG-1", "ecg", 500.0, (Channel("II", Quantity.ECG, "mV", 0.005),))
    segment = Segment("segment-1", "1", stream, "boot-1", 1, 0)
    counts = np.arange(30_000, dtype=np.int32).reshape(1, -1)
    async with house.daemon():

        async def live():
            for k in range(60):
                piece = np.ascontiguousarray(counts[:, k * 500 : k * 500 + 500])
                house.writer.offer("1", SampleBlock(segment, k * 500, k * S, 2e6, piece, k * S + S))
                house.now_ns = (k + 1) * S
                await asyncio.sleep(0.01)

        living = asyncio.create_task(live())
        state = await house.import_card(card.root)
        await living
        assert state.added == 4
        newest = house.ask(lambda r: sessions(r, bed="1", most=1))[0]
        assert (newest.source, newest.ended_ns) == ("live", None), "the session that goes on stays the first"
        assert [run[0] for run in house.ask(lambda r: r.log.runs("1"))] == ["boot-1"]
    (trace,) = house.ask(lambda r: r.read("boot-1", *ALWAYS))
    assert np.array_equal(trace.counts, counts)
    assert len(house.ask(lambda r: r.read(BOOT, *ALWAYS, stream=f"{card_writer.SERIAL}/flow"))) == 4


async def test_imports_are_found_among_live_sessions_by_their_time(house, card):
    card.session(DAY, EVENING, 1)
    stream = Stream("ECG-1", "ecg", 500.0, (Channel("II", Quantity.ECG, "mV", 0.005),))
    segment = Segment("segment-1", "1", stream, "boot-1", 1, 0)
    async with house.daemon():
        house.writer.offer("1", SampleBlock(segment, 0, 0, 2e6, np.zeros((1, 500), np.int32), S))
        house.now_ns = S
        await house.import_card(card.root)
    assert [s.source for s in house.ask(lambda r: sessions(r, bed="1"))] == ["live", "import"]
    by_name = house.ask(lambda r: session(r, f"session_{EVENING:%Y%m%d_%H%M%S}"))
    assert by_name.source == "import"


# --- damage and refusals ---------------------------------------------------------------------------------


async def test_a_damaged_minute_is_a_gap(house, card):
    columns = [np.arange(4500) % 1000, np.arange(4500) % 1000]
    data = bytearray(edf(card_writer.BRP, EVENING, columns))
    data[1024 + 6002 + 77] ^= 0x10
    card.file(DAY, EVENING, "BRP", bytes(data))
    async with house.daemon():
        state = await house.import_card(card.root)
    assert "1 of 3 records fail their check" in state.notes[0]
    (trace,) = house.ask(lambda r: r.read(BOOT, *ALWAYS))
    assert [(m.first, m.count, m.cause) for m in trace.missing] == [(1500, 1500, "noise")]
    assert np.array_equal(trace.counts[:, trace.present], np.array(columns)[:, trace.present])
    assert trace.present.sum() == 3000
    assert house.ask(lambda r: ranges.unexplained(r, trace.segment)) == []


async def test_a_patients_session(house, card):
    card.session(DAY, EVENING, 1)
    patient = patient_of({"patient_id": "MRN-1", "full_name": "Jöhn Doe", "birth_date": "1980-03-09"}, UTC_NS)
    async with house.daemon():
        await house.patients.record_admission("2", patient, Signed("act-1", "nurse", UTC_NS))
        unknown = await house.import_card(card.root, patient_id="MRN")
        state = await house.import_card(card.root, patient_id="MRN-1")
    assert (unknown.state, unknown.refused) == ("failed", "there is no patient MRN")
    assert state.added == 1
    (found,) = house.ask(lambda r: sessions(r, patient="MRN-1"))
    assert (found.bed, found.patient["full_name"], found.patient["age"]) == ("1", "Jöhn Doe", 43)


async def test_what_cannot_be_imported_is_refused_in_words(house, card, tmp_path):
    card.session(DAY, EVENING, 1)
    async with house.daemon():
        for path, more, why in (
            (tmp_path / "none", {}, "no such file or folder"),
            (tmp_path / "data", {}, "not a ResMed card"),
            (card.root, {"bed": "9"}, "there is no bed 9"),
            (card.root, {"timezone": "Mars/Olympus"}, "there is no time zone Mars/Olympus"),
        ):
            state = await house.import_card(path, **more)
            assert state.state == "failed"
            assert why in state.refused
        house.full = True
        state = await house.import_card(card.root)
        assert state.refused == "the disk has no room for an import"


async def test_one_import_at_a_time_and_it_can_be_ended(house, card, monkeypatch):
    card.session(DAY, EVENING, 2)
    begun, go_on = asyncio.Event(), asyncio.Event()
    real = Importing.samples

    async def slowly(self, given):
        begun.set()
        await go_on.wait()
        return await real(self, given)

    monkeypatch.setattr(Importing, "samples", slowly)
    asked = ImportAsked(path=str(card.root), bed="1", timezone="UTC")
    async with house.daemon(), working(house.config), WorkClient(house.config.work_socket) as client:
        assert (await client.card()).state == "none"
        assert (await client.import_card(asked)).state == "running"
        await begun.wait()
        assert (await client.import_card(asked)).refused == "another import is running"
        assert (await client.cancel_import()).state == "cancelled"
        go_on.set()


async def test_the_socket_takes_no_nonsense(house, card):
    async with house.daemon():
        connector = aiohttp.UnixConnector(str(house.config.box.socket))
        async with aiohttp.ClientSession("http://vitald", connector=connector) as client:
            for path in ("samples", "session", "day"):
                async with client.post(f"/imports/{path}", data=b"{}") as answer:
                    assert answer.status == 400
                    assert (await answer.json())["refused"]
            async with client.post("/imports/samples", data=b"x" * 600_000) as answer:
                assert answer.status == 413
            owner = {"device": "D", "kind": "k", "title": "", "firmware": "", "bed": "1"}
            channel = {
                "name": "a",
                "quantity": "flow",
                "unit": "L/s",
                "gain": 1,
                "offset": 0,
                "low": 0,
                "high": 1,
            }
            chunk = {"first": 0, "n": 10, "t0_ns": S, "crc32": 1, "data": "AQAAAAAA"}
            piece = {
                "owner": owner, "segment": "0" * 36, "stream": "flow", "rate_hz": 25, "channels": [channel], "began_ns": S,
                "ended_ns": 2 * S, "chunk_n": 25, "error_ns": 0, "session_ns": S, "until_ns": 2 * S, "chunks": [chunk],
            }  # fmt: skip
            async with client.post("/imports/samples", data=json.dumps(piece)) as answer:
                assert "checksum differs" in (await answer.json())["refused"]
            session_ = {
                "owner": owner, "uuid": "1" * 36, "segment": "2" * 36, "began_ns": S, "ended_ns": 2 * S, "summary": {}
            }  # fmt: skip
            async with client.post("/imports/session", data=json.dumps(session_)) as answer:
                assert (await answer.json())["refused"] == "a session whose samples are not there"
        assert house.rows()["sessions"] == 0


def test_times_of_the_card_in_summer_and_winter(tmp_path):
    """The hour that comes twice is taken as the first; a length is a length whatever the clocks do."""
    from daemon.exchange.resmed_import import Reading

    card = CardWriter(tmp_path)
    night = datetime(2024, 10, 27, 1, 30)
    card.session(date(2024, 10, 26), night, 120)
    with open_card(tmp_path) as opened:
        reading = Reading(opened, "1", ZoneInfo("Europe/Berlin"), "", "")
        (session_,) = opened.night(date(2024, 10, 26)).sessions
        began = datetime.fromtimestamp(reading.utc_ns(session_.start) / 1e9, UTC)
        assert began == datetime(2024, 10, 26, 23, 30, tzinfo=UTC)
        assert reading.end_ns(session_) - reading.utc_ns(session_.start) == 7201 * S
