"""What an admission asks before it is made: what a scanner has read, and who has a name like this one."""

from __future__ import annotations

import unicodedata
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.control.sessions import PatientTold, SessionClient
from daemon.model.wristband import BadScan, read
from daemon.words import say
from webui.pages import passed_on

CLIENT = web.AppKey("sessions client", SessionClient)


class Scanned(BaseModel):
    """A code as a scanner typed it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field(min_length=1, max_length=300)


class ScanTold(BaseModel):
    """The patient's number, with the patient where one is known; or why the code is none, in words."""

    patient_id: str = ""
    patient: PatientTold | None = None
    refused: str = ""


class Alike(BaseModel):
    """A patient of the same name, or of one like it."""

    how: Literal["same", "alike"]
    patient: PatientTold


class AlikeTold(BaseModel):
    patients: tuple[Alike, ...] = ()


def install(app: web.Application) -> None:
    """Add what the page of a bed's patient asks."""
    app.router.add_post("/api/scan", _scan)
    app.router.add_get("/api/alike", _alike)


async def _scan(request: web.Request) -> web.Response:
    """POST /api/scan: a `Scanned` in, a `ScanTold` out."""
    try:
        scanned = Scanned.model_validate_json(await request.read())
    except ValidationError:
        return web.json_response({"error": say("scan.unknown")}, status=400)
    return await passed_on(_told(request.app[CLIENT], scanned.text), "patients: the box")


async def _told(client: SessionClient, text: str) -> ScanTold:
    try:
        number = read(text)
    except BadScan as refused:
        return ScanTold(refused=say(str(refused)))
    found = (await client.patients(number)).patients
    known = next((one for one in found if one.patient_id == number), None)
    return ScanTold(patient_id=number, patient=known)


async def _alike(request: web.Request) -> web.Response:
    """GET /api/alike?name=&patient_id=: an `AlikeTold`: others whose name is the same, or has the same family name."""
    name, number = request.query.get("name", "")[:200], request.query.get("patient_id", "")
    return await passed_on(_others(request.app[CLIENT], name, number), "patients: the box")


async def _others(client: SessionClient, name: str, number: str) -> AlikeTold:
    wanted = folded(name)
    if not wanted:
        return AlikeTold()
    parts = sorted(name.split(), key=len)
    seen: dict[str, PatientTold] = {}
    for part in parts[-2:]:
        seen |= {one.patient_id: one for one in (await client.patients(part)).patients}
    found = []
    for one in seen.values():
        if one.patient_id == number:
            continue
        theirs = folded(one.full_name)
        if theirs == wanted:
            found.append(Alike(how="same", patient=one))
        elif theirs[-1] == wanted[-1] or set(theirs) == set(wanted):
            found.append(Alike(how="alike", patient=one))
    found.sort(key=lambda one: (one.how != "same", one.patient.bed == "", one.patient.full_name))
    return AlikeTold(patients=tuple(found[:5]))


def folded(name: str) -> tuple[str, ...]:
    """The parts of a name without case and accents."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return tuple("".join(c for c in plain if not unicodedata.combining(c)).replace(",", " ").split())
