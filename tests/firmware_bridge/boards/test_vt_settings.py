"""The settings record of VT-30 and VT-60: golden records, wrong orders that are kept and named, damage, composing."""

from __future__ import annotations

import pytest

from firmware_bridge.boards import vt_settings
from firmware_bridge.boards.vt_record import LEGACY, MALFORMED, NAMES, Record, doubts, parsed, written
from firmware_bridge.frames import Damage, Identity, Number, Settings, Status
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.vt_settings import QUIRKS, VtSettings
from tests.firmware_bridge.boards.talking import numbers, talk, words

AUTO = "*,S,261225,1103,AUTOMODE,G,11.0,1.0,H,17.0,17.0,14.4,1.0,I,45.0,2.0,1.0,0.0,0.0,1.0,0.0,12345678C,#"
MANUAL = (
    "*,R,141125,1703,MANUALMODE,G,13.6,1.0,H,12.4,12.4,20.0,1.0,I,5.0,1.0,1.0,1.0,0.0,1.0,1.0,12345678C,#"
)
BILEVEL = (
    "*,S,261225,1103,S_MODE,A,11.0,1.0,B,16.8,15.8,9.0,11.0,2.0,4.0,6.0,1.0,C,7.2,4.0,4.0,17.0,10.0,20.0,0.0,200.0,1.0,"
    "D,30.0,15.0,7.8,21.0,3.0,4.0,6.0,8.0,1.0,E,20.0,11.2,5.0,10.0,70.0,20.0,1.0,200.0,1.0,171.0,500.0,"
    "F,45.0,2.0,1.0,0.0,0.0,1.0,0.0,12345678B,#"
)


def said(*texts, **options):
    return vt_settings.board(options).feed("\r\n".join(texts).encode(), 0)


def settings(frames):
    return [dict(frame.values) for frame in frames if isinstance(frame, Settings)]


def test_golden_auto_with_its_wrong_order_kept_and_named():
    assert len(AUTO) == 99
    frames = said(AUTO)
    (values,) = settings(frames)
    assert Identity("vt_settings", serial="12345678C", model="VT-30") in frames
    assert words(frames, "mode") == ["AUTOMODE"]
    assert values["auto_start_pressure_cm_h2o"] == values["auto_min_pressure_cm_h2o"] == "17"
    assert values["auto_max_pressure_cm_h2o"] == "14.4"
    assert values["doubt"] == (
        "auto_min_pressure_cm_h2o above auto_max_pressure_cm_h2o; auto_start_pressure_cm_h2o above auto_max_pressure_cm_h2o"
    )
    assert values["manual_start_pressure_cm_h2o"] == "11"
    assert (values["ramp_min"], values["humidifier"], values["tube"]) == ("45", "2", "standard")
    assert (values["i_mode"], values["leak_alert"], values["gender"], values["sleep_mode"]) == (
        "off",
        "off",
        "male",
        "off",
    )
    assert (values["mask"] if "mask" in values else values["manual_mask"]) == "nasal"
    assert (values["composed_by"], values["date"], values["time"]) == ("app", "261225", "1103")
    assert numbers(frames) == {"cpap_set_pressure": None, "cpap_humidity": 2.0}


def test_golden_manual():
    frames = said(MANUAL)
    (values,) = settings(frames)
    assert numbers(frames) == {"cpap_set_pressure": 13.6, "cpap_humidity": 1.0}
    assert (values["auto_min_pressure_cm_h2o"], values["auto_max_pressure_cm_h2o"]) == ("12.4", "20")
    assert (values["ramp_min"], values["i_mode"], values["sleep_mode"]) == ("5", "on", "on")
    assert "doubt" not in values


def test_golden_bilevel_with_times_in_tenths_of_a_second():
    assert len(BILEVEL) == 254
    frames = said(BILEVEL)
    (values,) = settings(frames)
    assert Identity("vt_settings", serial="12345678B", model="VT-60") in frames
    assert [values[f"s_{name}_cm_h2o"] for name in ("ipap", "epap", "start_epap")] == ["16.8", "15.8", "9"]
    assert (values["s_ti_min_s"], values["s_ti_max_s"]) == ("1.1", "0.2")
    assert (values["s_sensitivity"], values["s_rise_ms"]) == ("4", "6")
    assert (values["t_ti_min_s"], values["t_rate_per_min"], values["st_backup_rate_per_min"]) == (
        "1",
        "17",
        "21",
    )
    assert (values["vaps_height_cm"], values["vaps_tidal_volume_ml"]) == ("171", "500")
    assert "s_ti_min_s above s_ti_max_s" in values["doubt"]
    assert "vaps_ti_min_s 7 out of range" in values["doubt"]
    assert numbers(frames)["cpap_set_pressure"] is None


@pytest.mark.parametrize("text", [AUTO, MANUAL, BILEVEL])
def test_written_is_what_was_read(text):
    record = parsed(text)
    assert isinstance(record, Record)
    assert record.complete
    assert written(record) == text


@pytest.mark.parametrize(
    ("text", "serial", "mode", "in_doubt"),
    [
        (MANUAL.replace("12345678C,#", "12345678C#"), "12345678C", "MANUALMODE", ""),
        (MANUAL.replace("12345678C,#", "12345678 C,#"), "12345678C", "MANUALMODE", ""),
        (MANUAL.replace("12345678C,#", "12345678,#"), "12345678", "MANUALMODE", ""),
        (MANUAL.replace("12345678C,#", "#"), "", "MANUALMODE", ""),
        (MANUAL.replace("141125", "142225"), "12345678C", "MANUALMODE", "date"),
        (MANUAL.replace("1703", "17444403"), "12345678C", "MANUALMODE", "time"),
        (MANUAL.replace("MANUALMODE,", ""), "12345678C", "", ""),
        ("*,S,141125,1447,G,12.2,1.0,#", "", "", ""),
        ("*,R,141125,1447,I,5.0,1.0,1.0,1.0,0.0,1.0,1.0,87654321C,#", "87654321C", "", ""),
    ],
)
def test_damage_that_has_been_seen_is_read_and_kept(text, serial, mode, in_doubt):
    frames = said(text)
    (values,) = settings(frames)
    assert [f.serial for f in frames if isinstance(f, Identity)][-1] == serial
    assert words(frames, "mode") == [mode]
    assert values.get("doubt", "") == in_doubt


@pytest.mark.parametrize(
    "text",
    [
        "*,S,141125,1447,#",
        "*,X,141125,1447,G,12.2,1.0,#",
        "*,S,141125,1447,TURBOMODE,G,12.2,1.0,#",
        "*,S,141125,1447,G,12.2,#",
        "*,S,141125,1447,G,12.2,1.0,7.0,#",
        "*,S,141125,1447,G,12.2,1.0,12345678C,extra,#",
        "*,S,141125,1447,H,4.0,4.0,20.0,1.0,G,12.2,1.0,#",
        "*,S,141125,1447,G,12.2,1.0,G,12.2,1.0,#",
        "*,S,141125,1447,G,12.2,1.0,A,11.0,1.0,#",
        "*,S,141125,1447,G,nan,1.0,#",
        "*,S,141125,1447,G,12,2,1.0,#",
        "*#",
    ],
)
def test_a_record_whose_form_is_not_right_is_damage(text):
    frames = said(text)
    assert frames[2:] == [Damage(len(text), MALFORMED)]


def test_the_older_form_is_named_and_not_read():
    text = "*,141125,151125,2230,0615,12.0,4.0,20.0,12345678C,#"
    assert said(text)[2:] == [Damage(len(text), LEGACY)]


def test_cut_glued_and_doubly_ended_records():
    cut = MANUAL[:40]
    frames = said(cut + MANUAL, MANUAL + AUTO, AUTO + "#", MANUAL)
    assert [values["composed_by"] for values in settings(frames)] == [
        "machine",
        "machine",
        "app",
        "app",
        "machine",
    ]
    assert [f for f in frames if isinstance(f, Damage)] == [Damage(40), Damage(1)]


def test_text_without_an_end_is_given_up():
    board = vt_settings.board({})
    frames = [f for _ in range(20) for f in board.feed(b"*" + b"x" * 99, 0)] + board.feed(MANUAL.encode(), 0)
    assert len(settings(frames)) == 1
    assert sum(f.byte_count for f in frames if isinstance(f, Damage)) == 2000


def test_another_machine_is_another_identity():
    board = vt_settings.board({})
    first = board.feed((MANUAL + MANUAL).encode(), 0)
    other = board.feed(MANUAL.replace("12345678C", "87654321C").encode(), 0)
    assert len([f for f in first if isinstance(f, Identity)]) == 2  # the kind, then the machine
    assert [f.serial for f in other if isinstance(f, Identity)] == ["87654321C"]


@pytest.mark.parametrize(
    ("model", "mode"), [("VT-30", "MANUALMODE"), ("VT-30", "AUTOMODE"), ("VT-60", "CPAPMODE")]
)
def test_the_machine_is_heard_every_half_minute(model, mode):
    patient = Patient(50, 1)
    patient.lungs.cpap_cm_h2o = 11.0
    frames, sent = talk(VtSettings(patient, model=model, mode=mode), vt_settings.board({}), 125, step_ms=500)
    assert sent == []
    assert len(settings(frames)) == 4
    assert all("doubt" not in values for values in settings(frames))
    assert numbers(frames)["cpap_set_pressure"] == (None if mode == "AUTOMODE" else 11.0)
    assert [f.model for f in frames if isinstance(f, Identity)][-1] == model


@pytest.mark.parametrize("quirk", QUIRKS)
def test_after_every_damage_of_the_simulator_the_next_record_is_read(quirk):
    simulator = VtSettings(Patient(50, 1), period_s=1)
    simulator.quirks += [quirk, "", ""]
    frames, _ = talk(simulator, vt_settings.board({}), 3.5, step_ms=100)
    assert len(settings(frames)) >= 2
    assert words(frames, "mode")[-1] == "MANUALMODE"


def test_nothing_is_sent_and_composing_is_switched_off():
    board = vt_settings.board({})
    board.opened(0)
    board.feed(MANUAL.encode(), 0)
    assert [board.due(n * 10**9) for n in range(100)] == [None] * 100
    assert board.closing() == b""
    assert not hasattr(board, "command")
    with pytest.raises(PermissionError, match="not switched on"):
        board.composed({"manual_start_pressure_cm_h2o": 12.0}, "151125", "0900")


def composing(*texts):
    board = vt_settings.board({"compose": "yes"})
    board.feed("".join(texts).encode(), 0)
    return board


def test_composed_is_the_last_record_with_the_change():
    text = composing(AUTO, MANUAL).composed(
        {"manual_start_pressure_cm_h2o": 12.0, "ramp_min": 10}, "151125", "0900"
    )
    assert text == MANUAL.replace("*,R,141125,1703", "*,S,151125,0900").replace("G,13.6", "G,12.0").replace(
        "I,5.0", "I,10.0"
    )
    seconds = composing(BILEVEL).composed({"t_ti_min_s": 1.5}, "151125", "0900")
    assert ",C,7.2,4.0,4.0,17.0,15.0,20.0," in seconds


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"manual_start_pressure_cm_h2o": 25.0}, "out of range"),
        ({"auto_min_pressure_cm_h2o": 20.5}, "out of range"),
        ({"auto_max_pressure_cm_h2o": 10.0}, "above"),
        ({"s_ipap_cm_h2o": 12.0}, "this machine has no setting"),
        ({"altitude": 1.0}, "no setting 'altitude'"),
    ],
)
def test_an_unsafe_change_is_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        composing(MANUAL).composed(changes, "151125", "0900")


def test_composing_needs_a_record_to_begin_with_and_a_date():
    with pytest.raises(ValueError, match="no record"):
        vt_settings.board({"compose": "yes"}).composed({}, "151125", "0900")
    with pytest.raises(ValueError, match="date"):
        composing(MANUAL).composed({}, "991399", "0900")


def test_every_setting_has_a_name_of_its_own():
    assert len(NAMES) == 4 + 2 + 7 + 2 + 8 + 9 + 9 + 11
    record = parsed(BILEVEL)
    assert isinstance(record, Record)
    assert isinstance(doubts(record), list)


def test_recognised_by_a_whole_record():
    assert vt_settings.recognise((MANUAL[30:] + MANUAL + AUTO).encode()) == 1.0
    assert 0.9 <= vt_settings.recognise(BILEVEL.encode()) < 1
    assert vt_settings.recognise(MANUAL[:-1].encode()) == 0.0
    assert vt_settings.recognise(b"*,S,141125,1447,G,12.2,1.0,#") == 0.0
    assert vt_settings.questions() == ()


def test_frames_are_of_the_kinds_a_settings_device_has():
    assert {type(f) for f in said(MANUAL)} >= {Identity, Status, Settings, Number}
