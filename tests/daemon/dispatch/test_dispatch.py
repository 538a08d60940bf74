from __future__ import annotations

import numpy as np
import pytest

from daemon.contracts.ecg.v1 import ARRHYTHMIAS as CODES
from daemon.contracts.registry import contract, heard, said
from daemon.dispatch.messages import Dispatch
from daemon.dispatch.numbers import STALE_NS
from daemon.model.alarms import Change, ChangeKind, Priority
from daemon.model.arrhythmias import ARRHYTHMIAS, BY_BEAT, BY_EVENT, BY_RHYTHM
from daemon.model.findings import (
    Beat,
    BeatClass,
    Event,
    Evidence,
    Grade,
    Metric,
    Quality,
    Rhythm,
    Trouble,
    Why,
)
from daemon.model.outgoing import Lane
from daemon.model.signals import (
    Channel,
    DeviceSeen,
    Fact,
    FactState,
    LinkState,
    Quantity,
    Reading,
    SampleBlock,
    Segment,
    Stream,
    Tick,
)
from daemon.words import table

S = 10**9
UTC_NS = 1_736_339_696 * S
CHANNELS = tuple(Channel(name, Quantity.ECG, "mV", 0.005) for name in ("I", "II"))
SEGMENT = Segment("s-1", "1", Stream("ECG-1", "ecg", 500.0, CHANNELS), "boot", 1, 0)
EVIDENCE = Evidence("s-1", 5, 9, "rule/1")


@pytest.fixture
def dispatch():
    def failed(error):
        raise error

    return Dispatch(lambda t_ns: UTC_NS + t_ns, demo=False, failed=failed)


def block(t_ns: int) -> SampleBlock:
    return SampleBlock(SEGMENT, 0, t_ns, 2e6, np.zeros((2, 10), np.int32), t_ns)


def metric(name: str, value: float | None, lead: str = "global", why: Why | None = None) -> Metric:
    return Metric(0, 0, name, value, "", why, lead, 1.0, None)


def device(kind: str, serial: str, state: LinkState, t_ns: int = 0) -> DeviceSeen:
    return DeviceSeen("1", kind, kind, kind, serial, "v4.2.1", "/dev/x", state, t_ns, t_ns)


def change(kind: ChangeKind, **more) -> Change:
    return Change(kind, S, 2 * S, "hr_high", "", "o-1", **more)


def bodies(messages, name):
    return [m.body for m in messages if m.message == name]


def test_numbers_are_told_once_a_second_as_they_were_last_said(dispatch):
    found = [
        metric("heart_rate", 75.04, "II"), metric("rr_interval", 800.0, "II"), metric("pr_interval", 160.0),
        metric("qrs_duration", 85.0), metric("qtc_bazett", None, why=Why.NO_WAVE), metric("qrs_axis", 45.2),
        metric("st_j60", 0.0512, "II"), metric("st_j60", None, "V1", Why.NOISE), metric("r_amplitude", 1.0, "II"),
        metric("rmssd", 45.0), Quality(0, 0, "global", Grade.GOOD, Trouble.NONE), Quality(0, 0, "II", Grade.POOR, Trouble.MAINS),
        Rhythm(0, 0, None, "AFIB", EVIDENCE),
    ]  # fmt: skip
    dispatch.push("1", block(S // 2), found, ())
    told = [m for t in range(10, 31) for m in dispatch.push("1", Tick(t * S // 10), (), ())]
    assert [m.t_ns for m in told] == [S, 2 * S, 3 * S]
    assert {(m.lane, m.message, m.device) for m in told} == {(Lane.METRICS, "ecg.metrics/1", "ECG-1")}
    assert told[0].body == {
        "heart_rate_bpm": 75.0, "rr_ms": 800.0, "pr_ms": 160.0, "qrs_ms": 85.0, "qt_ms": None, "qtc_ms": None,
        "qtc_method": "bazett", "qrs_axis_deg": 45.0, "p_axis_deg": None, "t_axis_deg": None, "st_uv": {"II": 51},
        "st_offset_ms": 60, "hrv_sdnn_ms": None, "hrv_rmssd_ms": 45.0, "respiration_rate_per_min": None,
        "rhythm": "AFIB", "arrhythmias": ["AFIB"], "signal_quality": "good", "leads_quality": {"II": "poor"},
        "is_recording": True, "demo_mode": False, "sampling_rate_hz": 500.0,
    }  # fmt: skip


def test_a_number_that_is_gone_is_null_and_a_rhythm_that_ended_is_gone(dispatch):
    found = [metric("heart_rate", 75.0, "II"), Rhythm(0, 0, None, "AFIB", EVIDENCE)]
    dispatch.push("1", block(0), found, ())
    gone = [metric("heart_rate", None, "", Why.LEADS_OFF), Rhythm(0, 0, S, "AFIB", EVIDENCE)]
    dispatch.push("1", block(S // 2), gone, ())
    (body,) = bodies(dispatch.push("1", Tick(S), (), ()), "ecg.metrics/1")
    assert (body["heart_rate_bpm"], body["rhythm"], body["arrhythmias"]) == (None, None, [])


def test_a_silent_device_is_told_with_nulls_and_one_that_is_away_not_at_all(dispatch):
    dispatch.push("1", device("dm_ecg", "ECG-1", LinkState.STREAMING), (), ())
    dispatch.push(
        "1",
        block(0),
        [metric("heart_rate", 75.0, "II"), Quality(0, 0, "global", Grade.GOOD, Trouble.NONE)],
        (),
    )
    late = STALE_NS + S
    dispatch.push("1", device("dm_ecg", "ECG-1", LinkState.STALLED), (), ())
    (body,) = bodies(dispatch.push("1", Tick(late), (), ()), "ecg.metrics/1")
    assert (body["heart_rate_bpm"], body["signal_quality"], body["is_recording"]) == (None, "off", False)
    assert body["arrhythmias"] is None
    dispatch.push("1", device("dm_ecg", "ECG-1", LinkState.LOST), (), ())
    assert dispatch.push("1", Tick(late + S), (), ()) == []


def test_a_bed_without_a_device_says_nothing(dispatch):
    assert dispatch.push("1", Tick(S), [metric("heart_rate", None, "", Why.NO_DEVICE)], ()) == []


def test_every_change_of_an_alarm_is_told_but_near_misses(dispatch):
    known = {kind: change(kind, priority=Priority.HIGH, text="alarm.hr_high") for kind in ChangeKind}
    told = dispatch.push("1", Tick(2 * S + 1), (), list(known.values()))
    assert {m.lane for m in told} == {Lane.ALARMS}
    assert [m.body["change"] for m in told] == [
        {"began": "onset", "ended": "end"}.get(kind, kind) for kind in ChangeKind if kind is not ChangeKind.NEAR_MISS
    ]  # fmt: skip
    for message in told:
        assert said(message.message, message.body) == message.body  # every word is the contract's


def test_an_alarm_is_told_in_words_with_its_numbers(dispatch):
    began = change(
        ChangeKind.BEGAN, priority=Priority.MEDIUM, text="alarm.hr_high", values=(("value", 131.0), ("limit", 130.0)),
        value=np.float64(131.0), limit=130.0, unit="bpm", actor="",
    )  # fmt: skip
    (message,) = dispatch.push("2", Tick(2 * S + 1), (), [began])
    assert message.t_ns == 2 * S
    body = dict(message.body)
    assert body.pop("text") == table()["alarm.hr_high"].format(value="131", limit="130")
    assert body == {
        "alarm": "hr_high", "occurrence": "o-1", "change": "onset", "priority": "medium", "value": 131.0,
        "limit": 130.0, "unit": "bpm", "onset_at": "2025-01-08T12:34:57.000Z", "actor": "", "bed": "2",
    }  # fmt: skip
    assert type(body["value"]) is float


def test_arrhythmias_are_told_when_they_are_found(dispatch):
    dispatch.push("1", block(0), [metric("heart_rate", 78.0, "I")], ())
    beat = Beat(S, S, 500, BeatClass.VENTRICULAR, 600.0, EVIDENCE)
    found = [
        beat,
        Rhythm(2 * S, 2 * S, None, "VT", EVIDENCE),
        Event(3 * S, 3 * S, "pause", (("gap", 3.1, "s"),), EVIDENCE),
    ]
    told = dispatch.push("1", block(S), found, ())
    assert [(m.message, m.lane, m.t_ns, m.body["type"], m.body["severity"]) for m in told] == [
        ("ecg.arrhythmia/1", Lane.EVENTS, S, "PVC", "mild"),
        ("ecg.arrhythmia/1", Lane.EVENTS, 2 * S, "VT", "severe"),
        ("ecg.arrhythmia/1", Lane.EVENTS, 3 * S, "PAUSE", "moderate"),
    ]
    assert told[0].body == {
        "type": "PVC", "severity": "mild", "description": "Premature ventricular contraction", "heart_rate_bpm": 78.0,
        "lead": "I", "evidence": {"segment": "s-1", "first": 5, "last": 9, "rule": "rule/1"},
    }  # fmt: skip


def test_a_normal_rhythm_its_end_and_normal_beats_are_no_arrhythmia(dispatch):
    found = [
        Rhythm(0, 0, None, "N", EVIDENCE), Rhythm(0, 0, S, "VT", EVIDENCE), Beat(0, 0, 5, BeatClass.NORMAL, 800.0, EVIDENCE)
    ]  # fmt: skip
    assert dispatch.push("1", block(0), found, ()) == []


def test_single_early_beats_are_told_now_and_then_of_each_kind(dispatch):
    kinds = (BeatClass.VENTRICULAR, BeatClass.SUPRAVENTRICULAR)
    told = [
        message
        for t in range(25)
        for kind in kinds
        for message in dispatch.push("1", block(t * S), [Beat(t * S, t * S, t, kind, 600.0, EVIDENCE)], ())
    ]
    assert [(m.t_ns // S, m.body["type"]) for m in told] == [
        (t, code) for t in (0, 10, 20) for code in ("PVC", "PAC")
    ]


def test_other_events_are_told_as_they_are(dispatch):
    event = Event(S, S, "st_elevation", (("st_j.V2", np.float64(0.21), "mV"),), EVIDENCE, "anterior")
    (message,) = dispatch.push("1", block(0), [event], ())
    assert (message.message, message.body["name"], message.body["detail"]) == (
        "box.event/1",
        "st_elevation",
        "anterior",
    )
    assert message.body["numbers"] == [{"name": "st_j.V2", "value": 0.21, "unit": "mV"}]


def test_a_fact_of_the_whole_box_is_told_once_though_it_comes_through_every_bed(dispatch):
    fact = Fact("store", FactState.FAILED, S, 2 * S, "full")
    told = [m for bed in ("1", "2") for m in dispatch.push(bed, fact, (), ())]
    assert [(m.message, m.lane, m.body) for m in told] == [
        ("box.fact/1", Lane.EVENTS, {"source": "store", "state": "failed", "since": "2025-01-08T12:34:57.000Z", "detail": "full"})
    ]  # fmt: skip
    assert len(dispatch.push("1", Fact("store", FactState.OK, S, 3 * S), (), ())) == 1


@pytest.mark.parametrize(
    ("kind", "readings", "message", "expected"),
    [
        ("oximeter", {"spo2": 97.0, "pulse_rate": 74.0}, "oximeter.metrics/1",
         {"spo2_pct": 97.0, "pulse_bpm": 74.0, "perfusion_pct": None}),
        ("cpap", {"cpap_pressure": 9.8, "cpap_leak": 12.4}, "cpap.metrics/1",
         {"pressure_cm_h2o": 9.8, "respiratory_rate_per_min": None, "leak_rate_lpm": 12.4, "mode": None, "firmware": "v4.2.1"}),
        ("oxygen", {"o2_purity": 93.5, "o2_flow": 2.0}, "oxygen.metrics/1",
         {"oxygen_purity_pct": 93.5, "flow_rate_lpm": 2.0, "temperature_c": None, "battery_pct": None, "alarm_code": None, "status": "online"}),
    ],
)  # fmt: skip
def test_what_a_device_says_itself_is_told_every_second(dispatch, kind, readings, message, expected):
    dispatch.push("1", device(kind, "X-1", LinkState.STREAMING), (), ())
    for name, value in readings.items():
        dispatch.push("1", Reading("1", "X-1", name, value, "", S // 2), (), ())
    (told,) = dispatch.push("1", Tick(S), (), ())
    assert (told.message, told.device, told.lane, told.body) == (message, "X-1", Lane.METRICS, expected)
    (late,) = dispatch.push("1", Tick(5 * S), (), ())
    assert all(late.body[name] is None for name, value in expected.items() if isinstance(value, float))
    dispatch.push("1", device(kind, "X-1", LinkState.LOST), (), ())
    assert dispatch.push("1", Tick(6 * S), (), ()) == []


def test_a_message_that_cannot_be_made_costs_no_other():
    """A number that is none makes one message impossible: the alarm and the arrhythmia beside it are told."""
    errors = []
    dispatch = Dispatch(lambda t_ns: t_ns, demo=False, failed=errors.append)
    wrong = Event(S, S, "st_elevation", (("st_j", float("nan"), "mV"),), EVIDENCE)
    dispatch.push("1", block(0), [metric("heart_rate", float("inf"), "II")], ())
    told = dispatch.push(
        "1",
        Tick(S),
        [wrong, Rhythm(S, S, None, "VT", EVIDENCE)],
        [change(ChangeKind.BEGAN, priority=Priority.HIGH)],
    )
    assert [m.message for m in told] == ["box.alarm/1"]
    assert len(errors) == 3  # the event, the arrhythmia with that rate, the numbers with it


def test_every_code_and_word_is_known():
    """Codes of the contract, words of the product, severities of the seeds."""
    assert set(ARRHYTHMIAS) <= set(CODES)
    assert {*BY_BEAT.values(), *BY_RHYTHM.values(), *BY_EVENT.values()} <= set(ARRHYTHMIAS)
    assert all(f"arrhythmia.{code}" in table() for code in ARRHYTHMIAS)
    assert {kind.severity for kind in ARRHYTHMIAS.values()} == {"mild", "moderate", "severe"}


@pytest.mark.parametrize(
    "message", ["ecg.metrics/1", "box.session_start/1", "box.session_end/1", "box.dropped/1"]
)
def test_what_is_said_is_a_message_of_the_contracts(message):
    assert contract(message)


async def test_session_messages_of_the_store_are_the_contracts(tmp_path):
    """The store writes them by itself, in its transactions: they are held against the models here."""
    from daemon.model.signals import Command
    from daemon.store import outbox
    from daemon.store.reader import ask
    from daemon.store.writer import Writer

    about = {"os": "linux", "app_version": "1.0.0"}
    writer = Writer(tmp_path / "vitald.db", boot="b", now=lambda: 20 * S, utc_offset_ns=UTC_NS, about=about)
    await writer.start()
    john = '{"patient_id": "p", "full_name": "John", "age": 45, "gender": "", "birth_date": null, "registration_date": "2025-01-01"}'
    writer.offer("1", block(0))
    writer.offer("1", Command("c-1", 5 * S, "1", "nurse", "admit", (("patient", john),)))
    writer.offer("1", Command("c-2", 9 * S, "1", "nurse", "discharge"))
    await writer.stop()
    told = ask(tmp_path / "vitald.db", lambda r: outbox.outgoing(r, Lane.EVENTS, 0, 99, 99))
    assert [m.message.split("_")[1] for m in told] == ["start/1", "end/1"] * 2
    for message in told:
        assert said(message.message, message.body) == message.body
        assert heard(message.message, message.body)
