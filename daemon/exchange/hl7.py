"""HL7 v2.6: an ORU^R01 in the form of IHE PCD-01 (Device Enterprise Communication), segment by segment.

A field is given as it stands in the message: what people or devices wrote goes through `escaped` first, and what is put
together of components through `parts`, which does that. Segments end with CR alone.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from daemon.exchange.letters import title
from daemon.model.codes import ALARMS, EVENT_ALARM
from daemon.units import CODED, UNITS
from daemon.words import say

CR = "\r"
PROFILE = "IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO"
MONITORING = "182777000^monitoring of patient^SCT"
LOCAL = "99VITALD"
"""Our own table of codes (99 = local, HL7 table 0396)."""

MONITOR = "69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC"
REPORT = "11524-6^EKG study^LN"

_ESCAPES = {
    "\\": "\\E\\",
    "|": "\\F\\",
    "^": "\\S\\",
    "~": "\\R\\",
    "&": "\\T\\",
    "\r": "\\X0D\\",
    "\n": "\\X0A\\",
}
_PIECE = 57 * 1024
"""Of a file: a multiple of three, so that pieces of Base64 join without padding between them."""

_PHASES = {"onset": "start", "end": "end"}
_PRIORITIES = {"high": "PH", "medium": "PM", "low": "PL"}


@dataclass(frozen=True, slots=True)
class Person:
    """A patient as a message has them; `name` "" = not told, or not known."""

    id: str
    name: str = ""
    born: str = ""  # YYYYMMDD
    sex: str = ""  # M, F, O or ""
    pseudonym: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A value of a metric; None: it could not be measured, and `why` says so."""

    name: str
    value: float | None
    unit: str
    lead: str = ""
    device: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """What every message carries. `key` is MSH-10: the same at every try. `person` None: `temporary` stands for whoever it is."""

    key: str
    at: datetime
    box: str
    person: Person | None
    temporary: str
    bed: str = ""
    demo: bool = False
    clock_is_set: bool = True


def escaped(text: str) -> str:
    """Text that stands within a component; control characters that HL7 has no escape for fall away."""
    return "".join(_ESCAPES.get(c, c) for c in text if c in _ESCAPES or c.isprintable())


def parts(*components: str) -> str:
    """A field of components, without empty ones at its end."""
    return "^".join(escaped(one) for one in components).rstrip("^")


def segment(name: str, fields: Mapping[int, str]) -> str:
    """A segment with these fields by their numbers."""
    last = max((number for number, text in fields.items() if text), default=0)
    return "|".join([name, *(fields.get(number, "") for number in range(1, last + 1))]) + CR


def time_of(moment: datetime) -> str:
    """YYYYMMDDHHMMSS.mmm+ZZZZ."""
    return f"{moment:%Y%m%d%H%M%S}.{moment.microsecond // 1000:03d}{moment:%z}"


def code_of(name: str, lead: str = "") -> str:
    """OBX-3 of a metric: MDC where it has a number there, then LOINC, else our own name; of a single lead our own name."""
    known = CODED.get(name)
    if known is None or (lead and known.mdc is None and not known.loinc):
        return parts(f"{name}.{lead}" if lead else name, _title(name, lead), LOCAL)
    loinc = (known.loinc, _title(name), "LN") if known.loinc else ()
    if known.mdc is None:
        return parts(*(loinc or (name, _title(name), LOCAL)))
    return parts(str(known.mdc), known.mdc_name, "MDC", *loinc)


def unit_of(symbol: str) -> str:
    """OBX-6: MDC where the unit has a number there, else UCUM."""
    unit = UNITS.get(symbol)
    if unit is None:
        return parts(symbol, symbol, LOCAL) if symbol else ""
    if unit.mdc is None:
        return parts(unit.ucum, unit.ucum, "UCUM")
    return parts(str(unit.mdc), unit.mdc_name, "MDC", unit.ucum, unit.ucum, "UCUM")


def numbers(letter: Letter, given: Iterable[Number]) -> str:
    """A message of numbers."""
    rows = [_number(at, one, letter) for at, one in enumerate(given, 1)]
    return _head(letter, MONITORING) + _monitor(letter) + "".join(rows)


def alarm(letter: Letter, body: Mapping[str, Any]) -> str:
    """A message of what happened to an alarm (box.alarm/1), with the OBX group of IHE PCD-04."""
    row = str(body.get("alarm", ""))
    known = ALARMS.get(row)
    event = (
        parts(str(known.number), known.text, "MDC")
        if known
        else parts(row, str(body.get("text") or row), LOCAL)
    )
    priority = _PRIORITIES.get(str(body.get("priority")), "PN")
    alarm_type = parts(str(EVENT_ALARM.number), "MDC_EVT_ALARM", "MDC")
    change = str(body.get("change", ""))
    flags = f"{priority}~SP" if body.get("value") is not None else f"{priority}~SA"
    value, limit = body.get("value"), body.get("limit")
    unit = unit_of(str(body.get("unit") or ""))
    phase = _PHASES.get(change, "continue")
    rows = [
        _obx(2, "CWE", alarm_type, "1.0.0.0.1", event, letter, flags=flags),
        _obx(3, "ST", parts("68481", "MDC_ATTR_EVENT_PHASE", "MDC"), "1.0.0.0.3", phase, letter),
        _obx(
            4,
            "ST",
            parts("68482", "MDC_ATTR_ALARM_STATE", "MDC"),
            "1.0.0.0.4",
            "inactive" if phase == "end" else "active",
            letter,
        ),
        _obx(
            5,
            "ST",
            parts("occurrence", "Occurrence", LOCAL),
            "1.0.0.0.5",
            escaped(str(body.get("occurrence", ""))),
            letter,
        ),
        _obx(6, "ST", parts("change", "What happened", LOCAL), "1.0.0.0.6", escaped(change), letter),
        _obx(
            7,
            "ST",
            parts("text", "Alarm text", LOCAL),
            "1.0.0.0.7",
            escaped(str(body.get("text", ""))),
            letter,
        ),
    ]
    if value is not None:
        said = parts(f"{row}.value", "Value that alarmed", LOCAL)
        bound = "" if limit is None else f"{limit:g}"
        rows.append(_obx(8, "NM", said, "1.0.0.0.2", f"{value:.10g}", letter, unit=unit, bounds=bound))
    return _head(letter, alarm_type) + _monitor(letter) + "".join(rows)


def report(letter: Letter, named: str, conclusion: str, values: Mapping[str, float | None]) -> str:
    """A message of a report; its file is one more OBX (`embedded`)."""
    text = parts("report.conclusion", named or "Report", LOCAL)
    rows = [_obx(2, "TX", text, "1.0.0.0.1", escaped(conclusion), letter)] if conclusion else []
    for at, (name, value) in enumerate(sorted(values.items()), 3):
        shown = "" if value is None else f"{value:.10g}"
        status = "X" if value is None else "R"
        rows.append(_obx(at, "NM", parts(name, name, LOCAL), f"1.0.0.0.{at}", shown, letter, status=status))
    return _head(letter, REPORT) + _monitor(letter) + "".join(rows)


def embedded(file: BinaryIO, set_id: int = 1000, media: str = "pdf") -> Iterator[bytes]:
    """A file as OBX of type ED, piece by piece: application^pdf^Base64^..., without line breaks."""
    yield f"OBX|{set_id}|ED|{REPORT}||^application^{media}^Base64^".encode()
    while piece := file.read(_PIECE):
        yield b64encode(piece)
    yield b"||||||F" + CR.encode()


def _head(letter: Letter, service: str) -> str:
    sender = parts("VITALD", letter.box, "L") if letter.box else "VITALD"
    stamp = time_of(letter.at)
    header = segment(
        "MSH",
        {1: "^~\\&", 2: sender, 6: stamp, 8: "ORU^R01^ORU_R01", 9: escaped(letter.key), 10: "T" if letter.demo else "P",
         11: "2.6", 14: "NE", 15: "AL", 17: "UNICODE UTF-8", 20: PROFILE},
    )  # fmt: skip
    visit = segment("PV1", {2: "I", 3: parts("", "", letter.bed)})
    order = parts(letter.key, "VITALD", letter.box, "L")
    request = segment("OBR", {1: "1", 2: order, 3: order, 4: service, 7: stamp})
    # A guess of the time is said in words: HL7 has no flag for a clock that was never set.
    note = "" if letter.clock_is_set else segment("NTE", {1: "1", 3: escaped(say("exchange.clock_unset"))})
    return header + _patient(letter) + visit + request + note


def _patient(letter: Letter) -> str:
    person = letter.person
    if person is None:
        return segment("PID", {3: parts(f"TEMP-{letter.temporary}", "", "", "VITALD", "PI"), 5: "^^^^^^U"})
    given, _, family = person.name.strip().rpartition(" ")
    named = (
        parts(family, given, "", "", "", "", "L")
        if person.name
        else "^^^^^^S"
        if person.pseudonym
        else "^^^^^^U"
    )
    return segment(
        "PID", {3: parts(person.id, "", "", "VITALD", "PI"), 5: named, 7: person.born, 8: person.sex}
    )


def _monitor(letter: Letter) -> str:
    """The device that all of it comes from."""
    return segment("OBX", {1: "1", 3: MONITOR, 4: "1.0.0.0", 11: "X", 18: parts(letter.box, "VITALD")})


def _number(at: int, one: Number, letter: Letter) -> str:
    value = "" if one.value is None else f"{one.value:.10g}"
    status = "X" if one.value is None else "R"
    lead = "" if one.lead in {"", "global", "ecg"} else one.lead
    code = code_of(one.name, lead)
    return _obx(
        at + 1,
        "NM",
        code,
        f"1.1.1.{at}",
        value,
        letter,
        unit=unit_of(one.unit),
        status=status,
        device=one.device,
    )


def _obx(
    at: int,
    kind: str,
    code: str,
    place: str,
    value: str,
    letter: Letter,
    *,
    unit: str = "",
    bounds: str = "",
    flags: str = "",
    status: str = "R",
    device: str = "",
) -> str:
    fields = {1: str(at), 2: kind, 3: code, 4: place, 5: value, 6: unit, 7: bounds, 8: flags, 11: status}
    return segment("OBX", {**fields, 14: time_of(letter.at), 18: parts(device) if device else ""})


def _title(name: str, lead: str = "") -> str:
    return f"{title(name)} {lead}" if lead else title(name)
