"""ResMed cards: the real one file by file against a foreign reader, and written ones for what it lacks."""

# ruff: noqa: DTZ001 - a card has no time zone

from __future__ import annotations

import warnings
import zipfile
from collections import Counter
from datetime import date, datetime, timedelta

import edfio
import numpy as np
import pytest

from firmware_bridge.frames import Quantity
from firmware_bridge.recordings import BadRecording
from firmware_bridge.recordings.edf_records import read_edf
from firmware_bridge.recordings.resmed_card import open_card
from tests.firmware_bridge.recordings import card_writer
from tests.firmware_bridge.recordings.card_writer import CardWriter, day_number, edf, summary

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


# --- the real card ---------------------------------------------------------------------------------------


def test_every_file_reads_as_the_foreign_reader_reads_it(real):
    files = sorted(real.rglob("*.edf"))
    assert len(files) > 100
    for path in files:
        ours = read_edf(path.name, path.read_bytes())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # -1 records, which it says and mends
            theirs = edfio.read_edf(path)

        assert datetime.combine(theirs.startdate, theirs.starttime) == ours.start, path
        assert theirs.num_data_records == len(ours.records), path
        known = {s.label: s for s in theirs.signals}
        for signal in ours.signals:
            if signal.label == "EDF Annotations":
                continue
            other = known[signal.label]
            assert np.array_equal(ours.counts(signal), other.digital), (path, signal.label)
            scale = (signal.physical_min, signal.physical_max, signal.digital_min, signal.digital_max)
            assert scale == (other.physical_min, other.physical_max, other.digital_min, other.digital_max)
        said = [(a.onset_s, a.duration_s, a.text) for a in ours.annotations()]
        assert said == [(a.onset, a.duration or 0.0, a.text) for a in theirs.annotations], path


def test_every_check_of_the_real_card_holds(real):
    """Of records and of both parts of the header: the checks are computed as the machine computes them."""
    checked = 0
    for path in sorted(real.rglob("*.edf")):
        file = read_edf(path.name, path.read_bytes())
        assert file.header_start_ok is True, path
        assert file.header_signals_ok is True, path
        assert not file.damaged.any(), path
        checked += len(file.records)
    assert checked > 3000


def test_the_real_nights_hold_what_their_table_says(real):
    with open_card(real) as card:
        nights = [card.night(day) for day in card.days]
        summaries = [card.summaries[day] for day in card.days]

    assert [(len(n.sessions), n.empty) for n in nights] == [
        (4, 0),
        (6, 1),
        (6, 0),
        (4, 0),
        (0, 2),
        (2, 3),
        (3, 0),
    ]
    assert [round(n.hours * 60) for n in nights] == [251, 208, 307, 271, 0, 107, 231]
    kinds = [Counter(event.kind for event in night.events) for night in nights]
    assert kinds == [
        {"hypopnoea": 1, "arousal": 1},
        {"obstructive_apnoea": 4},
        {},
        {"obstructive_apnoea": 1, "hypopnoea": 1},
        {},
        {},
        {"hypopnoea": 3, "arousal": 1},
    ]
    assert [s.values["AHI"] for s in summaries] == [0.2, 1.1, 0.0, 0.4, 0.0, 0.0, 0.7]
    assert [s.value("Leak.95") for s in summaries] == [0.26, 0.28, 0.36, 0.5, None, 0.14, 0.16]
    assert [s.mode for s in summaries] == ["CPAP"] * 3 + ["AutoSet"] + ["CPAP"] * 3
    assert card.machine.serial == "20000000001"
    assert card.machine.model == "AirSense 10 AutoSet"
    assert not card.notes
    assert not [night.notes for night in nights if night.notes]
    assert {s.serial for n in nights for s in n.sessions} == {"20000000001"}
    assert all(s.oximetry is None for n in nights for s in n.sessions), "there was no oximeter"


def test_the_mask_times_of_the_real_days_cover_their_sessions(real):
    with open_card(real) as card:
        for day in card.days:
            mask = card.summaries[day].mask
            slack = timedelta(minutes=2)
            for session in card.night(day).sessions:
                assert any(on - slack <= session.start and session.end <= off + slack for on, off in mask)


def test_flow_is_flat_before_the_stamp_of_an_apnoea_not_after_it(real):
    with open_card(real) as card:
        night = card.night(date(2023, 8, 22))
    for event in night.events:
        session = next(s for s in night.sessions if s.start <= event.at < s.end)
        flow = session.flow.physical("flow")
        first = round((event.at - session.flow.start).total_seconds() * 25)
        n = round(event.duration_s * 25)
        assert 0 < flow[first : first + n].std() < 0.5 * flow[first + n : first + 2 * n].std()


def test_breathing_in_is_positive_and_the_offset_is_gone(real):
    with open_card(real) as card:
        night = card.night(date(2023, 8, 21))
    flow = np.concatenate([s.flow.physical("flow") for s in night.sessions])
    assert abs(float(flow.mean())) < 0.01
    assert 0.35 < float((flow > 0).mean()) < 0.45


# --- written cards ---------------------------------------------------------------------------------------


def test_counts_come_as_they_were_written_and_scale(card):
    written = card.session(DAY, EVENING, 4, oximeter=True)
    with open_card(card.root) as opened:
        (session,) = opened.night(DAY).sessions

    assert session.start == EVENING
    assert session.end == EVENING + timedelta(minutes=4, seconds=1)
    flow, therapy, oximetry = session.streams
    assert [(s.name, s.rate_hz, s.n) for s in session.streams] == [
        ("flow", 25.0, 6000),
        ("therapy", 0.5, 120),
        ("oximetry", 1.0, 240),
    ]
    assert np.array_equal(flow.counts, written["BRP"])
    assert np.array_equal(therapy.counts, written["PLD"])
    assert np.array_equal(oximetry.counts, written["SAD"])
    assert np.allclose(flow.physical("flow"), np.array(written["BRP"][0]) * 0.002, atol=1e-6)
    assert np.allclose(oximetry.physical("pulse_rate"), written["SAD"][0])
    assert [(c.name, c.quantity, c.unit) for c in flow.channels] == [
        ("flow", Quantity.FLOW, "L/s"),
        ("pressure", Quantity.AIRWAY_PRESSURE, "cmH2O"),
    ]
    assert {c.name: c.unit for c in therapy.channels} == {
        "mask_pressure": "cmH2O",
        "pressure": "cmH2O",
        "expiratory_pressure": "cmH2O",
        "leak": "L/s",
        "respiration_rate": "/min",
        "tidal_volume": "L",
        "minute_volume": "L/min",
        "snore": "1",
        "flow_limitation": "1",
    }
    with pytest.raises(KeyError):
        flow.physical("leak")


def test_the_machine_and_the_days(card):
    card.session(DAY, EVENING, 1)
    with open_card(card.root) as opened:
        day = opened.summaries[DAY]
        assert (opened.machine.serial, opened.machine.model) == (card_writer.SERIAL, "AirSense 10 AutoSet")
    assert day.mode == "AutoSet"
    assert day.mask == ((datetime(2024, 3, 8, 22, 30), datetime(2024, 3, 8, 22, 34)),)
    assert day.settings == {"S.C.Press": "10 cmH2O", "S.Temp": "27 °C"}
    assert (day.values["AHI"], day.value("leak.95"), day.value("duration")) == (4.2, 0.26, 4.0)


def test_a_running_day_has_no_summary_and_an_unset_value_is_none(card):
    running = [[day_number(DAY) + 1]] + [[] for _ in range(8)]
    unset = [[day_number(DAY)], [], [], [4], [0], [-1], [270], [-1], [-1]]
    card.put("STR.edf", summary([unset, running, None]))
    with open_card(card.root) as opened:
        assert list(opened.summaries) == [DAY]
        assert opened.summaries[DAY].values["AHI"] is None
        assert opened.summaries[DAY].settings == {"S.Temp": "27 °C"}


def test_airsense_11_by_its_own_files(tmp_path):
    card = CardWriter(tmp_path)
    card.identify(11, "AirSense 11 AutoSet")
    card.session(DAY, EVENING, 2, oximeter=True, kinds=("BRP", "PLD"))
    late = EVENING + timedelta(seconds=14)
    columns = [np.full(120, 72), np.full(120, 95)]
    card.file(DAY, late, "SA2", edf(card_writer.SAD, late, columns))
    with open_card(tmp_path) as opened:
        (session,) = opened.night(DAY).sessions
        assert (opened.machine.model, opened.machine.product_code) == ("AirSense 11 AutoSet", "39485")
        assert opened.machine.firmware == "SW04600"
        assert opened.notes == ("no STR.edf: the days' summaries and settings are missing",)
    assert session.oximetry.start == late
    assert set(session.oximetry.physical("spo2")) == {95.0}


def test_no_value_is_nan_and_an_oximeter_that_never_measured_is_none(card):
    columns = [np.array([72] * 30 + [-1] * 30), np.full(60, 97)]
    card.session(DAY, EVENING, 1, kinds=("BRP",))
    card.file(DAY, EVENING, "SAD", edf(card_writer.SAD, EVENING, columns))
    later = EVENING + timedelta(hours=1)
    card.session(DAY, later, 1)
    with open_card(card.root) as opened:
        first, second = opened.night(DAY).sessions
    pulse = first.oximetry.physical("pulse_rate")
    assert set(pulse[:30]) == {72.0}
    assert np.isnan(pulse[30:]).all()
    assert second.oximetry is None


def test_a_flow_of_minus_one_count_is_a_value(card):
    columns = [np.full(1500, -1), np.full(1500, 500)]
    card.file(DAY, EVENING, "BRP", edf(card_writer.BRP, EVENING, columns))
    with open_card(card.root) as opened:
        (session,) = opened.night(DAY).sessions
    assert np.allclose(session.flow.physical("flow"), -0.002)


def test_sessions_after_midnight_are_of_the_day_before(card):
    card.session(DAY, EVENING, 1)
    card.session(DAY, datetime(2024, 3, 9, 5, 0), 2, seed=1)
    with open_card(card.root) as opened:
        assert opened.days == (DAY,)
        assert [s.start.day for s in opened.night(DAY).sessions] == [8, 9]


def test_a_card_without_day_folders_goes_by_noon(tmp_path):
    card = CardWriter(tmp_path)
    for start in (datetime(2024, 3, 9, 5), datetime(2024, 3, 9, 11, 59), datetime(2024, 3, 9, 12, 0)):
        data = edf(card_writer.BRP, start, [np.zeros(1500, int)] * 2)
        card.put(f"DATALOG/{start:%Y%m%d_%H%M%S}_BRP.edf", data)
    with open_card(tmp_path) as opened:
        found = {day: len(opened.night(day).sessions) for day in opened.days}
    assert found == {DAY: 2, date(2024, 3, 9): 1}


# --- where a card lies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["", "my card/SD/"])
def test_a_zip_file_reads_as_its_folder(card, tmp_path, inside):
    card.session(DAY, EVENING, 2)
    archive = tmp_path / "card.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in card.root.rglob("*"):
            if path.is_file():
                file.write(path, inside + path.relative_to(card.root).as_posix())
        file.writestr("__MACOSX/._STR.edf", b"x")
    with open_card(archive) as zipped, open_card(card.root) as plain:
        assert zipped.machine == plain.machine
        assert zipped.summaries == plain.summaries
        one, other = zipped.night(DAY), plain.night(DAY)
    assert one.events == other.events
    assert np.array_equal(one.sessions[0].flow.counts, other.sessions[0].flow.counts)


def test_packed_copies_are_unpacked_and_a_plain_one_counts_before_them(tmp_path):
    card = CardWriter(tmp_path, packed=True)
    card.identify()
    written = card.session(DAY, EVENING, 2)
    with open_card(tmp_path) as opened:
        assert np.array_equal(opened.night(DAY).sessions[0].flow.counts, written["BRP"])
    again = CardWriter(tmp_path).session(DAY, EVENING, 3, seed=5)
    with open_card(tmp_path) as opened:
        (session,) = opened.night(DAY).sessions
        assert np.array_equal(session.flow.counts, again["BRP"])


def test_a_torn_packed_copy_is_named(tmp_path):
    card = CardWriter(tmp_path, packed=True)
    card.session(DAY, EVENING, 2)
    path = next(tmp_path.rglob("*BRP.edf.gz"))
    path.write_bytes(path.read_bytes()[:-20])
    with open_card(tmp_path) as opened:
        night = opened.night(DAY)
    assert "BRP" in night.notes[0]
    assert night.sessions[0].flow is None


def test_a_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("firmware_bridge.recordings.resmed_files.MOST_BYTES", 100_000)
    card = CardWriter(tmp_path, packed=True)
    card.file(DAY, EVENING, "BRP", b"0       " + b"\0" * 10_000_000)
    with open_card(tmp_path) as opened:
        assert "larger than" in opened.night(DAY).notes[0]


def test_what_is_no_card_is_refused_in_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("readme.txt", "x")
    two = tmp_path / "two"
    for name in ("a", "b"):
        CardWriter(two / name).put("STR.edf", summary([None]))
    for path, why in (
        (tmp_path / "empty", "not a ResMed card"),
        (tmp_path / "text.zip", "neither a folder nor a zip file"),
        (tmp_path / "other.zip", "not a ResMed card"),
        (tmp_path / "none", "no such file or folder"),
        (two, "2 cards in one"),
    ):
        with pytest.raises(BadRecording, match=why):
            open_card(path)


def test_a_damaged_identification_is_said_and_the_recordings_name_the_machine(card):
    (card.root / "Identification.tgt").unlink()
    card.put("Identification.json", b"{ not json")
    card.session(DAY, EVENING, 1)
    with open_card(card.root) as opened:
        assert opened.machine.serial == ""
        assert len(opened.notes) == 2
        assert opened.night(DAY).sessions[0].serial == card_writer.SERIAL


def test_files_of_another_machine_keep_their_own_serial_number(card):
    other = CardWriter(card.root, "33333333333")
    other.session(DAY, EVENING, 1)
    with open_card(card.root) as opened:
        night = opened.night(DAY)
    assert night.sessions[0].serial == "33333333333"
    assert "of another machine (33333333333)" in night.notes[0]
