"""ResMed cards as machines leave them: unfinished, torn, damaged; and what their events and labels mean."""

# ruff: noqa: DTZ001 - a card has no time zone

from __future__ import annotations

import contextlib
from datetime import date, datetime, timedelta

import numpy as np
import pytest

from firmware_bridge.recordings import BadRecording
from firmware_bridge.recordings.edf_records import read_edf
from firmware_bridge.recordings.resmed_card import open_card
from firmware_bridge.recordings.resmed_labels import event_kind, meaning
from tests.firmware_bridge.recordings import card_writer
from tests.firmware_bridge.recordings.card_writer import CardWriter, Signal, day_number, edf, summary

DAY = date(2024, 3, 8)
EVENING = datetime(2024, 3, 8, 22, 30, 15)


@pytest.fixture
def card(tmp_path):
    writer = CardWriter(tmp_path / "card")
    writer.identify()
    writer.put("STR.edf", summary([[[day_number(DAY)], [630], [634], [4], [1], [500], [270], [13], [42]]]))
    return writer


@pytest.fixture
def real(recordings):
    return recordings / "resmed" / "airsense10_a"


# --- as machines leave them ------------------------------------------------------------------------------


def test_header_only_files_are_empty_sessions(card):
    card.session(DAY, EVENING, 0)
    card.session(DAY, EVENING + timedelta(minutes=5), 2)
    with open_card(card.root) as opened:
        night = opened.night(DAY)
    assert (len(night.sessions), night.empty, night.notes) == (1, 1, ())


def test_the_size_counts_not_the_header(card):
    """The header is written first: -1, or fewer than there are."""
    for k, promised in enumerate((-1, 1)):
        start = EVENING + timedelta(hours=k)
        columns = [np.arange(4500) % 1000, np.arange(4500) % 1000]
        card.file(DAY, start, "BRP", edf(card_writer.BRP, start, columns, promised=promised))
    with open_card(card.root) as opened:
        night = opened.night(DAY)
    assert [session.flow.n for session in night.sessions] == [4500, 4500]
    assert night.notes == ()


def test_a_torn_record_is_left_out_and_said(card):
    columns = [np.arange(4500) % 1000, np.arange(4500) % 1000]
    data = edf(card_writer.BRP, EVENING, columns)
    card.file(DAY, EVENING, "BRP", data[:-1000])
    with open_card(card.root) as opened:
        night = opened.night(DAY)
    assert night.sessions[0].flow.n == 3000
    assert [note.split(": ")[1] for note in night.notes] == [
        "ends within a record, whose 5002 bytes are left out",
        "has 2 of 3 records",
    ]


def test_one_flipped_bit_costs_its_minute_and_is_counted(card):
    columns = [np.arange(4500) % 1000, np.arange(4500) % 1000]
    data = bytearray(edf(card_writer.BRP, EVENING, columns))
    data[1024 + 6002 + 77] ^= 0x10
    card.file(DAY, EVENING, "BRP", bytes(data))
    with open_card(card.root) as opened:
        night = opened.night(DAY)
    flow = night.sessions[0].flow
    assert night.damaged_records == 1
    assert flow.damaged == ((1500, 3000),)
    assert flow.whole() == [(0, 1500), (3000, 4500)]
    assert np.flatnonzero(np.isnan(flow.physical("flow"))).tolist() == list(range(1500, 3000))
    assert "1 of 3 records fail their check" in night.notes[0]


def test_a_damaged_header_is_never_used_for_a_scale(card):
    data = edf(card_writer.BRP, EVENING, [np.zeros(1500, int)] * 2)
    at = data.index(b"1500    ", 256)
    card.file(DAY, EVENING, "BRP", data[:at] + b"2500    " + data[at + 8 :])
    with open_card(card.root) as opened:
        night = opened.night(DAY)
    assert night.sessions == ()
    assert "the check of its header fails: left out" in night.notes[0]


def test_a_start_that_fails_its_check_gives_way_to_the_files_name(card):
    data = edf(card_writer.BRP, EVENING, [np.zeros(1500, int)] * 2)
    card.file(DAY, EVENING, "BRP", data.replace(b"22.30.15", b"21.30.15"))
    with open_card(card.root) as opened:
        night = opened.night(DAY)
    assert night.sessions[0].start == EVENING
    assert "the check of its start fails" in night.notes[0]


def test_the_header_wins_over_the_name(card):
    said = EVENING + timedelta(seconds=2)
    card.file(DAY, EVENING, "BRP", edf(card_writer.BRP, said, [np.zeros(1500, int)] * 2))
    with open_card(card.root) as opened:
        assert opened.night(DAY).sessions[0].start == said


def test_what_is_no_edf_costs_itself_only(card):
    card.session(DAY, EVENING, 1)
    card.file(DAY, EVENING + timedelta(hours=1), "BRP", b"")
    card.file(DAY, EVENING + timedelta(hours=2), "PLD", b"\xff" * 3000)
    card.put("DATALOG/20240399/20240399_220000_BRP.edf", b"no such day")
    with open_card(card.root) as opened:
        night = opened.night(DAY)
        assert opened.days == (DAY,)
    assert len(night.sessions) == 1
    assert len(night.notes) == 2
    assert all("not an EDF file" in note for note in night.notes)


def test_a_night_that_fills_the_memory_is_cut_off(card, monkeypatch):
    monkeypatch.setattr("firmware_bridge.recordings.resmed_card.MOST_NIGHT_BYTES", 20_000)
    for k in range(4):
        card.session(DAY, EVENING + timedelta(hours=k), 1, seed=k, kinds=("BRP",))
    with open_card(card.root) as opened:
        night = opened.night(DAY)
    assert len(night.sessions) == 3
    assert "the rest is left out" in night.notes[0]


def test_records_without_end_are_refused(card):
    tiny = card_writer.header((), EVENING, -1, 60.0, card_writer.SERIAL) + bytes(2 * 100_001)
    card.file(DAY, EVENING, "BRP", tiny)
    with open_card(card.root) as opened:
        assert "100001 records of 2 bytes" in opened.night(DAY).notes[0]


def test_any_damage_anywhere_is_survived(card):
    """Every byte of both headers, and every length: read or refused, never an exception of another kind."""
    whole = edf(card_writer.BRP, EVENING, [np.zeros(1500, int)] * 2)
    for at in range(0, 1024, 3):
        data = bytearray(whole)
        data[at] ^= 0x15
        _survives(bytes(data))
    for length in (0, 1, 255, 256, 257, 1023, 1024, 1025, 7025):
        _survives(whole[:length])
    for text in (b"-5      ", b"99999999", b"1e9     ", b"nan     ", b"        "):
        for at in (184, 236, 244, 252):
            _survives(whole[:at] + text + whole[at + 8 :])


def _survives(data):
    with contextlib.suppress(BadRecording):
        file = read_edf("damaged", data)
        assert len(file.damaged) == len(file.records)


# --- events ----------------------------------------------------------------------------------------------


def test_every_kind_of_event_begins_before_its_stamp(card):
    card.session(DAY, EVENING, 3)
    texts = [
        (30, 12, "Obstructive Apnea"),
        (60, 11, "Central Apnea"),
        (90, 15, "Apnea"),
        (100, 0, "Hypopnea"),
        (110, None, "Arousal"),
        (130, 20, "SpO2 Desaturation"),
        (140, 5, "Something new"),
    ]
    start = EVENING - timedelta(seconds=10)
    card.file(DAY, start, "EVE", card_writer.annotations(start, texts))
    with open_card(card.root) as opened:
        events = opened.night(DAY).events
    found = [
        (e.kind, (e.end - start).total_seconds(), e.duration_s) for e in sorted(events, key=lambda e: e.end)
    ]
    assert found == [
        ("obstructive_apnoea", 30, 12),
        ("central_apnoea", 60, 11),
        ("apnoea", 90, 15),
        ("hypopnoea", 100, 0),
        ("arousal", 110, 0),
        ("desaturation", 130, 20),
        ("other", 140, 5),
    ]


def test_the_golden_record_of_a_hypopnoea(real):
    """Forty bytes of the real card, and the same made by the writer."""
    path = real / "DATALOG" / "20230821" / "20230822_001107_EVE.edf"
    golden = bytes.fromhex("2B301414002B31343434371530144879706F706E65611400")
    golden = golden.ljust(38, b"\0") + b"\xb5\xb7"
    assert path.read_bytes()[768 + 40 : 768 + 80] == golden
    made = card_writer.annotations(EVENING, [(14447, 0, "Hypopnea")])
    assert made[-40:] == golden


def test_periodic_breathing_from_start_to_end_and_an_open_one_to_the_end_of_the_night(card):
    card.session(DAY, EVENING, 30)
    marks = [(100, 0, "CSR Start"), (400, 0, "CSR End"), (1000, 0, "CSR Start")]
    card.file(DAY, EVENING, "CSL", card_writer.annotations(EVENING, marks))
    with open_card(card.root) as opened:
        first, second = opened.night(DAY).events
    assert (first.kind, first.at, first.duration_s) == (
        "periodic_breathing",
        EVENING + timedelta(seconds=100),
        300,
    )
    assert second.end == EVENING + timedelta(minutes=30, seconds=1)


def test_events_of_damaged_records_are_not_told(card):
    data = bytearray(card_writer.annotations(EVENING, [(30, 12, "Central Apnea"), (60, 11, "Apnea")]))
    data[768 + 40 + 6] ^= 0x01  # the first event's time
    card.session(DAY, EVENING, 2)
    card.file(DAY, EVENING, "EVE", bytes(data))
    with open_card(card.root) as opened:
        night = opened.night(DAY)
    assert [event.kind for event in night.events] == ["apnoea"]
    assert night.damaged_records == 1


# --- labels ----------------------------------------------------------------------------------------------


def test_labels_of_the_s9_and_of_other_languages():
    expected = {
        "flow": {"flow": ["Flow", "Flow.40ms", "FLOW"], "pressure": ["Mask Pres", "Press.40ms"]},
        "therapy": {
            "mask_pressure": ["Mask Pres", "MaskPress.2s"],
            "pressure": ["Therapy Pres", "Press.2s"],
            "inspiratory_pressure": ["Insp Pres"],
            "expiratory_pressure": ["Exp Pres", "EprPress.2s"],
            "leak": ["Leak", "Leak.2s", "Leck", "Fuites", "Fuga", "Läck"],
            "respiration_rate": ["RR", "RespRate.2s", "AF", "FR"],
            "tidal_volume": ["Vt", "TidVol.2s", "VC"],
            "minute_volume": ["MV", "MinVent.2s", "VM"],
            "target_ventilation": ["TgMV", "TgtVent.2s"],
            "ie_ratio": ["I:E", "IERatio.2s"],
            "flow_limitation": ["FFL Index", "FlowLim.2s"],
            "inspiratory_time": ["Ti", "Ti.2s", "B5ITime.2s"],
            "expiratory_time": ["Te", "B5ETime.2s"],
            "snore": ["Snore", "Snore.2s"],
        },
        "oximetry": {"pulse_rate": ["Pulse", "Puls", "Pouls", "Pulse.1s"], "spo2": ["SpO2", "SpO2.1s"]},
    }
    for stream, names in expected.items():
        for name, labels in names.items():
            for label in labels:
                found = meaning(stream, label)
                assert found is not None, label
                assert found.name == name, label
    for label in ("Crc16", "EDF Annotations", "Time", "Vtx", "Temp", "Frequency"):
        assert meaning("therapy", label) is None, label
    assert event_kind("  obstructive   apnea ") == "obstructive_apnoea"


def test_an_s9_card_with_localised_labels(tmp_path):
    card = CardWriter(tmp_path)
    flow = Signal("Flow", "l/s", (-2, 2), (-1000, 1000), 1500)
    mask = Signal("Mask Pres", "cmH2O", (0, 40), (0, 2000), 1500)
    leak = Signal("Leck", "L/s", (0, 2), (0, 100), 30)
    card.file(DAY, EVENING, "BRP", edf((flow, mask), EVENING, [np.full(1500, 500), np.full(1500, 400)]))
    card.file(DAY, EVENING, "PLD", edf((leak,), EVENING, [np.full(30, 12)]))
    with open_card(tmp_path) as opened:
        (session,) = opened.night(DAY).sessions
    assert session.serial == card_writer.SERIAL, "from the recording field, where nothing else says it"
    assert set(session.flow.physical("flow")) == {1.0}
    assert session.flow.channels[0].unit == "L/s"
    assert np.allclose(session.therapy.physical("leak"), 0.24)


def test_unknown_signals_are_named_and_left_out(card):
    odd = Signal("Odd.2s", "", (0, 1), (0, 100), 30)
    card.file(DAY, EVENING, "PLD", edf((card_writer.PLD[3], odd), EVENING, [np.zeros(30), np.zeros(30)]))
    with open_card(card.root) as opened:
        night = opened.night(DAY)
    assert [c.name for c in night.sessions[0].therapy.channels] == ["leak"]
    assert "Odd.2s" in night.notes[0]
