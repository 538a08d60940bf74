"""Every row of the table on a scripted bed: it begins after its delay and not before, hysteresis holds it, it ends, it latches as said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from daemon.alarms.limits import Limits
from daemon.alarms.rows import UNTIL_SEEN
from daemon.alarms.table import ROWS, TABLE
from daemon.model.alarms import ChangeKind, Phase, Priority
from daemon.model.findings import BeatClass, Grade, Trouble, Why
from daemon.model.signals import DeviceStatus, FactState, LinkState

S = 1_000_000_000


def nothing(bed):
    """The condition goes by itself."""


@dataclass(frozen=True)
class Script:
    """`on` and `off` make the condition true and false, `true_after` and `false_after` seconds later; `inside` brings the
    value back within the hysteresis; `armed` prepares; `instance` of the alarm."""

    on: Callable
    off: Callable = nothing
    true_after: float = 0.1
    false_after: float = 0.1
    inside: Callable | None = None
    armed: Callable = nothing
    instance: str = ""


def number(name, beyond, inside, normal):
    """A metric said every second, at full seconds."""

    def put(value):
        return lambda bed: bed.values.update({name: value})

    return Script(put(beyond), put(normal), 1.0, 1.0, put(inside), put(normal))


def fact(source, hours=0.0):
    return Script(
        lambda bed: bed.fact(source, since=bed.now - round(hours * 3600 * S)),
        lambda bed: bed.fact(source, FactState.OK),
    )


def rhythm(label, back_s=4.0, rule="window/1"):
    state = {}

    def on(bed):
        state["began"] = bed.now / S - back_s
        bed.rhythm(label, state["began"], rule=rule)

    return Script(on, lambda bed: bed.rhythm(label, state["began"], bed.now / S, rule=rule))


def ventricular_rhythm():
    """Ten ventricular beats at 85 a minute have been found to be a rhythm."""
    on = rhythm("IVR", 7.0, "ectopy/2")
    return Script(on.on, on.off)


def standstill():
    def on(bed):
        bed.rr_s, bed.values["heart_rate"] = None, Why.NO_BEATS

    def off(bed):
        bed.rr_s, bed.values["heart_rate"] = 0.8, 75.0

    return Script(on, off, 1.0 + 4.0, 2.4)  # said at the next second, for 4 s; three beats of 0.8 s


def event(name, **numbers):
    return Script(lambda bed: bed.event(name, **numbers), nothing, 0.1, 30.1)


def slow():
    """Beats 1.7 s apart: 35 a minute. Of four intervals three are long once the third has been open for 1.5 s, after 4.9 s."""

    def on(bed):
        bed.rr_s, bed.values["heart_rate"] = 1.7, 36.0

    def off(bed):
        bed.rr_s, bed.values["heart_rate"] = 0.8, 75.0

    return Script(on, off, 5.0, 2.5)


def missing(name, stale_s):
    """A metric that is not said any more."""
    return Script(
        lambda bed: bed.values.pop(name),
        lambda bed: bed.values.update({name: 50.0}),
        stale_s + 0.1,
        1.0,
        armed=lambda bed: bed.values.update({name: 50.0}),
    )


def st(sign):
    def put(value):
        return lambda bed: bed.leads.update({("st_j60", "II"): sign * value, ("st_j60", "aVF"): sign * value})

    return Script(put(0.3), put(0.0), 1.0, 1.0, put(0.18), put(0.0))


def fibrillation_over():
    def armed(bed):
        bed.rhythm("AFIB", 0.0, rule="af/1")
        bed.run(70)

    return Script(lambda bed: bed.rhythm("AFIB", 0.0, bed.now / S, "af/1"), nothing, 120.0, 30.1, armed=armed)


def ventricular_beats():
    def on(bed):
        bed.label = BeatClass.VENTRICULAR

    def off(bed):
        bed.label = BeatClass.NORMAL

    return Script(
        on, off, 8.8, 55.0
    )  # the eleventh; less than nine are left within the minute when it is as much later


def electrode(bed, off):
    bed.quality("V4", Grade.OFF if off else Grade.GOOD, Trouble.OFF, ("V4",) if off else ())


def link_lost(label, device):
    def armed(bed):
        bed.block()
        bed.link(LinkState.STREAMING, label, device)

    return Script(
        lambda bed: bed.link(LinkState.LOST, label, device),
        lambda bed: bed.link(LinkState.STREAMING, label, device),
        armed=armed,
        instance="" if label == "ecg" else label,
    )


def absent(why, off_s=1.0):
    return Script(
        lambda bed: bed.values.update(heart_rate=why),
        lambda bed: bed.values.update(heart_rate=75.0),
        1.0,
        off_s,
    )


def path_test(priority):
    def on(bed):
        bed.act("test", priority=priority)

    return Script(on, nothing, 0.1, 10.1)


def without_rate(script):
    """The pulse's own alarms speak only when there is no heart rate."""

    def armed(bed):
        bed.values["heart_rate"] = Why.LEADS_OFF
        script.armed(bed)

    return Script(script.on, script.off, 1.0, 1.0, script.inside, armed)


def setting(name, value, script):
    def armed(bed):
        bed.values[name] = value
        script.armed(bed)

    return Script(script.on, script.off, 1.0, 1.0, script.inside, armed)


def caused(script, cause, value):
    """A number goes beyond its limit while another one is beyond its own."""

    def armed(bed):
        bed.values[cause] = value
        script.armed(bed)

    return Script(script.on, script.off, 1.0, 1.0, script.inside, armed)


def says(code):
    def word(text):
        return lambda bed: bed.item(DeviceStatus("1", "OXY-1", "alarm_code", text, bed.at))

    return Script(word(code), word(""), armed=word(""), instance="OXY-1")


SCRIPTS = {
    "vent_fib": rhythm("VFL"),
    "asystole": standstill(),
    "flat_ecg": absent(Why.FLAT),
    "vent_tachy": rhythm("VT"),
    "extreme_tachy": number("heart_rate", 141.0, 138.0, 130.0),
    "extreme_brady": slow(),
    "nonsust_vt": event("ventricular_run", beats=4, rate=140),
    "vent_rhythm": ventricular_rhythm(),
    "hr_high": number("heart_rate", 121.0, 119.0, 75.0),
    "hr_low": number("heart_rate", 49.0, 51.0, 75.0),
    "pause": event("pause", gap=2.7),
    "af_start": rhythm("AFIB", 60.0, "af/1"),
    "af_end": fibrillation_over(),
    "run": event("ventricular_run", beats=3, rate=80),
    "couplet": event("couplet", beats=2, rate=150),
    "bigeminy": rhythm("B", rule="rate/2"),
    "trigeminy": rhythm("T", rule="rate/2"),
    "pvc_rate": ventricular_beats(),
    "st_high": st(+1),
    "st_low": st(-1),
    "qtc_very_long": number("qtc_fridericia", 555.0, 535.0, 400.0),
    "qtc_long": number("qtc_fridericia", 505.0, 485.0, 400.0),
    "no_data_ecg": link_lost("ecg", "ECG-1"),
    "ecg_leads_off": absent(Why.LEADS_OFF),
    "noisy_ecg": absent(Why.NOISE),
    "electrode_off": Script(
        lambda bed: electrode(bed, True), lambda bed: electrode(bed, False), instance="V4"
    ),
    "analysis_stopped": fact("analysis"),
    "alarms_failed": fact("alarms"),
    "devices_stopped": fact("acquisition_failed"),
    "no_heart_rate": absent(Why.LEARNING),
    "no_data_device": link_lost("oxygen", "OXY-1"),
    "sound_missing": fact("sound"),
    "test_failed": fact("alarm_test"),
    "screen_lost": fact("screen"),
    "remote_lost": fact("remote"),
    "power_lost": fact("power"),
    "supply_low": fact("supply"),
    "box_hot": fact("heat"),
    "memory_short": fact("memory"),
    "recording_stopped": fact("store"),
    "nothing_kept": fact("keeping"),
    "recordings_damaged": fact("store_damaged"),
    "disk_full": fact("disk_full"),
    "disk_low": fact("disk"),
    "clock_unset": fact("clock"),
    "maintenance_due": fact("maintenance"),
    "cloud_unreachable": fact("cloud", 24.0),
    "spo2_low_purity": caused(number("spo2", 88.0, 90.5, 97.0), "o2_purity", 80.0),
    "spo2_low_flow": caused(setting("o2_set_flow", 2.0, number("spo2", 88.0, 90.5, 97.0)), "o2_flow", 1.0),
    "spo2_low_leak": caused(number("spo2", 88.0, 90.5, 97.0), "cpap_leak", 40.0),
    "desat": number("spo2", 79.0, 81.0, 97.0),
    "spo2_low": number("spo2", 89.0, 90.5, 97.0),
    "spo2_high": number("spo2", 97.0, 95.5, 92.0),
    "o2_purity_low": number("o2_purity", 81.0, 83.0, 93.0),
    "o2_purity_falling": number("o2_purity", 84.0, 86.0, 93.0),
    "o2_no_flow": number("o2_flow", 0.1, 0.35, 2.0),
    "o2_flow_low": setting("o2_set_flow", 2.0, number("o2_flow", 1.5, 1.65, 2.0)),
    "cpap_pressure_high": number("cpap_pressure", 31.0, 29.0, 10.0),
    "cpap_pressure_low": setting("cpap_set_pressure", 10.0, number("cpap_pressure", 7.5, 8.5, 10.0)),
    "resp_high": number("respiration_rate", 31.0, 29.0, 15.0),
    "resp_low": number("respiration_rate", 7.0, 9.0, 15.0),
    "cpap_leak_high": number("cpap_leak", 25.0, 21.0, 5.0),
    "pulse_high": without_rate(number("pulse_rate", 121.0, 119.0, 75.0)),
    "pulse_low": without_rate(number("pulse_rate", 49.0, 51.0, 75.0)),
    "no_breath": caused(number("since_breath", 32.0, 29.5, 3.0), "tidal_volume", 500.0),
    "therapy_stopped": event("therapy_stopped"),
    "valves_stopped": event("cycle_stopped"),
    "compressor_weak": event("compressor_weak"),
    "valve_uneven": event("valve_uneven"),
    "device_alarm": says("E07"),
    "device_hot": number("o2_temperature", 42.0, 40.0, 30.0),
    "battery_empty": number("o2_battery", 9.0, 11.0, 80.0),
    "battery_low": number("o2_battery", 19.0, 21.0, 80.0),
    "no_spo2": missing("spo2", 10.0),
    "no_o2_purity": missing("o2_purity", 30.0),
    "no_o2_flow": missing("o2_flow", 10.0),
    "no_cpap_pressure": missing("cpap_pressure", 10.0),
    "no_cpap_leak": missing("cpap_leak", 10.0),
    "box_fault": Script(
        lambda bed: bed.fact("never_heard_of"),
        lambda bed: bed.fact("never_heard_of", FactState.OK),
        instance="never_heard_of",
    ),
    "test_high": path_test(Priority.HIGH),
    "test_medium": path_test(Priority.MEDIUM),
    "test_low": path_test(Priority.LOW),
}


def everything_on():
    return Limits({row.name: {"on": True} for row in TABLE if not row.on})


def start(make_bed, name):
    """A bed with this row alone and its measurement in order, at a full second."""
    bed, script = make_bed(everything_on(), table=(ROWS[name],)), SCRIPTS[name]
    bed.well(10)
    script.armed(bed)
    bed.run(10)
    assert bed.now % S == 0
    return bed, script


def test_every_row_has_a_script():
    assert set(SCRIPTS) == set(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_it_begins_after_its_delay_and_not_before(make_bed, name):
    bed, script = start(make_bed, name)

    at = bed.now / S
    script.on(bed)
    expected = at + script.true_after + Limits().delay_s(name)
    bed.run(expected - at + 1.0)

    assert bed.began(name) == [pytest.approx(expected, abs=0.11)]
    assert bed.phase(name, script.instance) is Phase.ACTIVE


@pytest.mark.parametrize(
    "name", [n for n in ROWS if Limits().delay_s(n) > 0 and SCRIPTS[n].off is not nothing]
)
def test_what_is_over_before_its_delay_is_a_near_miss(make_bed, name):
    bed, script = start(make_bed, name)

    script.on(bed)
    bed.run(max(script.true_after + Limits().delay_s(name) - script.false_after - 0.3, script.true_after))
    script.off(bed)
    bed.run(30)

    assert bed.began(name) == []
    assert bed.kinds(name) in ([ChangeKind.NEAR_MISS], [])


@pytest.mark.parametrize("name", ROWS)
def test_it_ends_and_latches_as_the_row_says(make_bed, name):
    bed, script = start(make_bed, name)
    row = ROWS[name]
    script.on(bed)
    bed.run(script.true_after + Limits().delay_s(name) + 0.2)
    assert bed.phase(name, script.instance) is Phase.ACTIVE

    since = bed.now / S if script.off is not nothing else bed.began(name)[-1] - 0.1
    script.off(bed)
    expected = since + script.false_after + row.off_s
    bed.run(expected - bed.now / S + 2.5)

    over = [c for c in bed.changes if c.row == name and c.kind in {ChangeKind.ENDED, ChangeKind.LATCHED}]
    assert [c.kind for c in over] == [ChangeKind.LATCHED if row.latch_s else ChangeKind.ENDED]
    assert over[0].due_ns / S == pytest.approx(expected, abs=1.6)
    assert over[0].occurrence == next(
        c.occurrence for c in bed.changes if c.kind is ChangeKind.BEGAN and c.row == name
    )
    if row.latch_s == UNTIL_SEEN:
        bed.run(300)
        assert bed.phase(name, script.instance) is Phase.LATCHED
        assert not any(a.sounds for a in bed.engine.picture().alarms if a.row == name)
        bed.act("acknowledge")
        bed.run(0.2)
    elif row.latch_s:
        bed.run(row.latch_s)
    assert bed.phase(name, script.instance) in {Phase.INACTIVE, None}


@pytest.mark.parametrize("name", [n for n, script in SCRIPTS.items() if script.inside])
def test_hysteresis_holds_it(make_bed, name):
    bed, script = start(make_bed, name)

    script.inside(bed)
    bed.run(ROWS[name].off_s + Limits().delay_s(name) + 5)
    assert bed.began(name) == []
    script.on(bed)
    bed.run(script.true_after + Limits().delay_s(name) + 0.2)
    script.inside(bed)
    bed.run(ROWS[name].off_s + Limits().delay_s(name) + 5)

    assert bed.phase(name) is Phase.ACTIVE
    assert len(bed.began(name)) == 1


@pytest.mark.parametrize("name", [row.name for row in TABLE if row.escalates])
def test_it_rises_when_nobody_mends_it(make_bed, name):
    bed, script = start(make_bed, name)
    ((after_s, priority),) = ROWS[name].escalates
    script.on(bed)
    bed.run(script.true_after + Limits().delay_s(name) + 0.2)
    bed.act("acknowledge")
    bed.run(1)
    assert bed.phase(name, script.instance) is Phase.ACKNOWLEDGED

    bed.run(after_s)

    assert bed.phase(name, script.instance) is Phase.ACTIVE
    assert bed.entry(name, script.instance).priority is priority
    assert bed.sound is priority
