"""Beds, with what stands there now."""

from __future__ import annotations

from pydantic import Field

from daemon.control.messages import BedState
from daemon.model.scopes import Scope
from webui.api.paging import Page, Paged, cursor_of, numbers_in
from webui.api.patients import Patient, patient
from webui.api.problems import NotAnswered
from webui.api.routes import Call, Model, Route
from webui.api.sources import feed_of, now


class NumberNow(Model):
    """A number as it stands; `value` null: absent, and `why` says the reason. `device`: whose own number it is, "" = the box's."""

    name: str
    device: str
    value: float | None
    unit: str
    why: str
    quality: float
    at: str


class AlarmNow(Model):
    """An alarm that is there."""

    occurrence: str
    alarm: str
    priority: str
    phase: str
    text: str
    value: float | None
    limit: float | None
    unit: str
    onset_at: str
    acknowledged_by: str


class BedShort(Model):
    """A bed. `worst`: the highest priority among its alarms, "" = there is none. `demo`: what it shows comes from simulators."""

    bed: str
    name: str
    demo: bool
    patient: Patient | None
    devices: tuple[str, ...] = Field(description="Serial numbers of what is attached")
    worst: str


class Bed(BedShort):
    """A bed with its numbers and alarms of now. `alarms_judged_at` stands still where nobody judges alarms any more."""

    at: str
    numbers: tuple[NumberNow, ...]
    alarms: tuple[AlarmNow, ...]
    alarms_judged_at: str | None


class Beds(Page):
    beds: tuple[BedShort, ...]


async def beds(call: Call) -> Beds:
    """In the order of the configuration."""
    (first,) = numbers_in(call.query.cursor, 1) or (0,)
    all_of_them = now(call).beds
    shown = all_of_them[max(first, 0) :][: call.query.limit]
    end = max(first, 0) + len(shown)
    return Beds(
        beds=tuple(BedShort(**_short(call, bed)) for bed in shown),
        next=cursor_of(end) if shown and end < len(all_of_them) else None,
    )


async def bed(call: Call) -> Bed:
    """One of them."""
    feed = feed_of(call)
    found = [one for one in now(call).beds if one.bed == call.parts["bed"]]
    if not found:
        raise NotAnswered("not_found", "there is no such bed", "bed")
    numbers = feed.numbers_told(found[0])
    alarms = (
        feed.alarms_told(found[0].bed) if found[0].bed in feed.alarms else {"alarms": [], "judged_at": None}
    )
    return Bed(
        **_short(call, found[0]),
        at=numbers["at"],
        numbers=tuple(NumberNow(**one) for one in numbers["numbers"]),
        alarms=tuple(AlarmNow(**one) for one in alarms["alarms"]),
        alarms_judged_at=alarms["judged_at"],
    )


def _short(call: Call, bed: BedState) -> dict[str, object]:
    known = feed_of(call).alarms.get(bed.bed)
    return {
        "bed": bed.bed,
        "name": bed.name,
        "demo": now(call).demo,
        "patient": patient(call, bed.patient.model_dump() if bed.patient else None),
        "devices": tuple(device.device for device in bed.devices if device.device),
        "worst": (known.picture.worst if known else None) or "",
    }


ROUTES = (
    Route("GET", "/beds", (Scope.READ_BEDS,), beds, "All beds", Beds, Paged, problems=("box_silent",)),
    Route(
        "GET",
        "/beds/{bed}",
        (Scope.READ_BEDS,),
        bed,
        "A bed, with its numbers and alarms of now",
        Bed,
        problems=("not_found", "box_silent"),
    ),
)
