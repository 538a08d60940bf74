"""What can be asked of a simulated board, its body and its line: one table of commands.

A command is refused, in plain words, by a board whose body has not the thing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from firmware_bridge.simulators.concentrator import Concentrator
from firmware_bridge.simulators.lungs import Kind
from firmware_bridge.simulators.patient import LOOSE_KINDS, Patient
from firmware_bridge.simulators.pty import Outlet

NOISES = ("muscle", "mains", "wander")
EVENTS_TOLD = 20


class Refused(ValueError):
    """A command that cannot be carried out, with the reason in plain words."""


Act = Callable[[Outlet, list[str]], str | None]


@dataclass(frozen=True, slots=True)
class Command:
    """`act` gets the words after the command; it returns text to add to "ok", or raises ValueError."""

    usage: str
    help: str
    act: Act


Body = TypeVar("Body", Patient, Concentrator)


def _is(outlet: Outlet, wanted: type[Body]) -> Body:
    body = outlet.board.body
    if isinstance(body, wanted):
        return body
    if isinstance(body, Concentrator):
        raise Refused("this board is at an oxygen concentrator, there is no patient to change")
    if isinstance(body, Patient):
        raise Refused("this board is at a patient, there is no oxygen concentrator to change")
    raise Refused(f"this board plays a recording, there is no {_NAMES[wanted]} to change")


_NAMES: dict[type, str] = {Patient: "patient", Concentrator: "oxygen concentrator"}


def _body(outlet: Outlet) -> Patient:
    return _is(outlet, Patient)


def _machine(outlet: Outlet) -> Concentrator:
    return _is(outlet, Concentrator)


def _number(words: list[str], place: int = 0) -> float:
    if len(words) <= place:
        raise Refused("a number is missing")
    try:
        return float(words[place])
    except ValueError:
        raise Refused(f"{words[place]!r} is not a number") from None


def _whole(words: list[str]) -> int:
    number = _number(words)
    if not number.is_integer():
        raise Refused(f"{words[0]!r} is not a whole number")
    return int(number)


def _word(words: list[str], place: int, choices: tuple[str, ...]) -> str:
    if len(words) <= place or words[place] not in choices:
        raise Refused(f"one of {', '.join(choices)} is missing")
    return words[place]


def _set(attribute: str, part: str = "") -> Act:
    """Set a number of the patient, or of a part of it."""

    def act(outlet: Outlet, words: list[str]) -> None:
        body = _body(outlet)
        setattr(getattr(body, part) if part else body, attribute, _number(words))

    return act


def _set_machine(attribute: str) -> Act:
    """Set a number of the concentrator."""

    def act(outlet: Outlet, words: list[str]) -> None:
        setattr(_machine(outlet), attribute, _number(words))

    return act


def _machine_fault(name: str, word: str) -> Act:
    def act(outlet: Outlet, words: list[str]) -> None:
        machine = _machine(outlet)
        machine.fault(name, present=_word(words, 0, (word, "ok")) == word)

    return act


def _switch(words: list[str]) -> bool:
    return _word(words, 0, ("on", "off")) == "on"


def _fault(name: str) -> Act:
    def act(outlet: Outlet, words: list[str]) -> None:
        outlet.faults.set(name, _number(words))

    return act


def _rhythm(outlet: Outlet, words: list[str]) -> None:
    _body(outlet).rhythm = words[0] if words else ""


def _electrode(outlet: Outlet, words: list[str]) -> None:
    state = _word(words, 1, ("on", "off"))
    _body(outlet).electrode(words[0], attached=state == "on")


def _loose(outlet: Outlet, words: list[str]) -> None:
    _body(outlet).loose = _word(words, 0, LOOSE_KINDS)


def _noise(outlet: Outlet, words: list[str]) -> None:
    setattr(_body(outlet), f"{_word(words, 0, NOISES)}_mv", _number(words, 1))


def _mains(outlet: Outlet, words: list[str]) -> None:
    _body(outlet).mains_hz = float(_word(words, 0, ("50", "60")))


def _st(outlet: Outlet, words: list[str]) -> None:
    body, mv = _body(outlet), _number(words)
    if len(words) > 1:
        body.st_lead = words[1]
    body.st_mv = mv


def _apnoea(outlet: Outlet, words: list[str]) -> None:
    body, seconds = _body(outlet), _number(words)
    kind = _word(words, 1, ("obstructive", "central"))
    body.lungs.stop_breathing(seconds, Kind.OBSTRUCTIVE if kind == "obstructive" else Kind.CENTRAL)


def _desat(outlet: Outlet, words: list[str]) -> None:
    _body(outlet).blood.desaturate(_number(words), _number(words, 1))


def _power(outlet: Outlet, words: list[str]) -> None:
    machine = _machine(outlet)
    machine.on_mains = _word(words, 0, ("mains", "battery")) == "mains"


def _events(outlet: Outlet, _words: list[str]) -> str:
    """The truth about breathing: kind, from, to (in s of the body's time) and size, the last events first."""
    told = [
        f"{event.kind} {event.start_s:.2f} {event.end_s:.2f} {event.value:g}"
        for event in reversed(_body(outlet).events)
    ]
    return "; ".join(told[:EVENTS_TOLD]) or "none"


def _plug(outlet: Outlet, words: list[str]) -> None:
    outlet.plug(words[0] if words else None)


def _unplug(outlet: Outlet, _words: list[str]) -> None:
    outlet.unplug()


def _garbage(outlet: Outlet, words: list[str]) -> None:
    outlet.faults.garbage(_whole(words))


def _drop_byte(outlet: Outlet, words: list[str]) -> None:
    outlet.faults.drop_byte(_whole(words))


def _state(outlet: Outlet, _words: list[str]) -> str:
    board, faults = outlet.board, outlet.faults.counts
    words = [
        board.kind,
        str(outlet.path) if outlet.plugged else "unplugged",
        "streaming" if board.streaming else "idle",
        f"lost={outlet.lost_bytes}",
        f"unheard={outlet.unheard_bytes}",
        *(
            f"{name}={getattr(faults, name)}"
            for name in ("dropped", "duplicated", "corrupted", "garbage", "stalled")
        ),
    ]
    if isinstance(board.body, Patient):
        body = board.body
        words += [f"rhythm={body.rhythm}", f"rate={body.rate_bpm:g}", f"t={body.time_s:.3f}"]
        words += [f"spo2={body.blood.saturation_pct:.0f}", f"cpap={body.lungs.cpap_cm_h2o:g}"]
    if isinstance(board.body, Concentrator):
        machine = board.body
        words += [f"t={machine.time_s:.3f}", f"oxygen={machine.numbers.oxygen_pct:g}"]
        words += [f"flow={machine.delivered_lpm:.1f}", f"alarm={machine.numbers.alarm_code or 'none'}"]
    return " ".join(words)


COMMANDS: dict[str, Command] = {
    "rate": Command("rate BPM", "mean heart rate", _set("rate_bpm")),
    "rhythm": Command("rhythm NAME", "sinus, af, vt, vf, asystole ...", _rhythm),
    "ec13": Command("ec13 3a..4b", "an irregular rhythm of EC13", lambda o, w: _body(o).ec13(" ".join(w))),
    "vt": Command("vt BPM", "rate of VT", _set("vt_bpm")),
    "pvc": Command("pvc PER_MINUTE", "isolated ventricular beats", _set("pvc_per_minute")),
    "pause": Command("pause SECONDS", "hold the next beat back", lambda o, w: _body(o).pause(_number(w))),
    "st": Command("st MV [LEAD]", "ST level in a lead (II)", _st),
    "t": Command("t MV", "height of T in lead II", _set("t_mv")),
    "amplitude": Command("amplitude TIMES", "size of the whole ECG", _set("amplitude")),
    "breaths": Command("breaths PER_MINUTE", "respiration", _set("breaths_per_minute")),
    "spo2": Command("spo2 PERCENT", "oxygen saturation", _set("spo2_pct")),
    "apnoea": Command("apnoea SECONDS obstructive|central", "no breath for so long", _apnoea),
    "hypopnoea": Command(
        "hypopnoea SECONDS", "shallow breath", lambda o, w: _body(o).lungs.breathe_less(_number(w))
    ),
    "cheyne": Command(
        "cheyne on|off", "Cheyne-Stokes breathing", lambda o, w: _body(o).lungs.cheyne_stokes(on=_switch(w))
    ),
    "tidal": Command("tidal ML", "size of a breath", _set("tidal_ml", "lungs")),
    "flattening": Command("flattening 0..1", "flow limitation", _set("flow_limitation", "lungs")),
    "snore": Command("snore 0..5", "snoring", _set("snore", "lungs")),
    "mask": Command("mask on|off", "of the CPAP", lambda o, w: _body(o).lungs.mask(on=_switch(w))),
    "leak": Command("leak LPM", "beside the mask", lambda o, w: _body(o).lungs.leaking(_number(w))),
    "cpap": Command("cpap CMH2O", "set pressure; 0 stops the machine", _set("cpap_cm_h2o", "lungs")),
    "support": Command("support CMH2O", "more while breathing in", _set("support_cm_h2o", "lungs")),
    "epr": Command("epr CMH2O", "less while breathing out", _set("epr_cm_h2o", "lungs")),
    "ramp": Command("ramp SECONDS", "begin low", lambda o, w: _body(o).lungs.ramp(_number(w))),
    "desat": Command("desat TO SECONDS", "a fall of saturation and back", _desat),
    "finger": Command("finger on|off", "the probe", lambda o, w: _body(o).blood.finger(on=_switch(w))),
    "perfusion": Command("perfusion PERCENT", "size of the pulse", _set("perfusion_pct", "blood")),
    "events": Command("events", "what breathing has gone through", _events),
    "purity": Command("purity PERCENT", "what the sieve can give", _set_machine("purity_pct")),
    "o2flow": Command("o2flow LPM", "flow setting", _set_machine("flow_lpm")),
    "motor": Command("motor RPM", "speed; 0 stops it", _set_machine("motor_rpm")),
    "valve": Command("valve stuck|ok", "between the beds", _machine_fault("stuck_valve", "stuck")),
    "compressor": Command("compressor worn|ok", "wear", _machine_fault("worn_compressor", "worn")),
    "outlet": Command("outlet blocked|ok", "a kinked tube", _machine_fault("blocked_outlet", "blocked")),
    "fan": Command("fan stopped|ok", "a machine that gets too hot", _machine_fault("still_fan", "stopped")),
    "power": Command("power mains|battery", "where it comes from", _power),
    "battery": Command("battery PERCENT", "how full it is", _set_machine("battery_pct")),
    "electrode": Command("electrode NAME on|off", "RA LA LL RL V1..V6", _electrode),
    "loose": Command("loose rail|noise", "what an electrode that is off does", _loose),
    "noise": Command("noise muscle|mains|wander MV", "disturbance in lead II", _noise),
    "pops": Command("pops PER_HOUR", "electrodes that are touched", _set("pops_per_hour")),
    "mains": Command("mains 50|60", "mains frequency", _mains),
    "unplug": Command("unplug", "pull the cable", _unplug),
    "plug": Command("plug [NAME]", "plug in, under another name if given", _plug),
    "stall": Command("stall SECONDS", "a silent line", lambda o, w: o.stall(_number(w))),
    "drop": Command("drop PROBABILITY", "lose bytes", _fault("drop")),
    "dropbyte": Command("dropbyte K", "lose the k-th byte from now", _drop_byte),
    "duplicate": Command("duplicate PROBABILITY", "double bytes", _fault("duplicate")),
    "corrupt": Command("corrupt PROBABILITY", "change bytes", _fault("corrupt")),
    "garbage": Command("garbage COUNT", "a burst of random bytes", _garbage),
    "state": Command("state", "what the simulator is doing", _state),
}
