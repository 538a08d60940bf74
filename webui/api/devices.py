"""Devices: how they are doing, whose they are, and the steps by which they become somebody's."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from daemon.contracts.times import instant
from daemon.control.attached import DeviceState
from daemon.control.ownership import ClaimTold, OwnershipAct, OwnershipVerb
from daemon.model.ids import uuid7
from daemon.model.scopes import Scope
from daemon.store.reader import Reader
from webui.api.paging import Page, Paged, cursor_of, text_in
from webui.api.problems import NotAnswered
from webui.api.routes import DIGEST, Call, Model, Route
from webui.api.sources import feed_of, now, sources


class Claim(Model):
    """Whose a device is, or is to be. `proof`: "device" (it answered under its serial number here), "person" (at a screen)."""

    owner: str
    state: Literal["claimed", "owned", "over"]
    claimed_at: str
    claimed_by: str
    proof: Literal["", "device", "person"]
    confirmed_at: str | None
    confirmed_by: str
    ended: Literal["", "released", "transferred", "withdrawn", "replaced"]
    ended_at: str | None
    ended_by: str


class Link(Model):
    """How a device that is attached is doing."""

    bed: str
    label: str
    port: str
    state: str = Field(description="streaming, silent, ...: the words of the page of devices")
    since: str
    rate_hz: float
    drift_ppm: float | None
    bytes_in: int
    bytes_damaged: int
    samples_lost: int


class Device(Model):
    """A device that is here, was ever here, or is claimed. `link` null: it is not attached."""

    serial: str
    kind: str
    title: str
    firmware: str
    link: Link | None
    owned: Claim | None
    claimed: Claim | None


class DeviceWhole(Device):
    """With all that was of its ownership, newest first."""

    history: tuple[Claim, ...]


class Devices(Page):
    devices: tuple[Device, ...]


class DevicesQuery(Paged):
    """By bed (of what is attached), owner, kind."""

    bed: str = Field("", max_length=64)
    owner: str = Field("", max_length=100)
    kind: str = Field("", max_length=64)
    attached: bool | None = Field(
        None, description="Only those that are attached, or only those that are not"
    )


class Owner(BaseModel):
    """Whose the device is to be: an account, a ward, a person. Not a patient."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    owner: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")


class Standing(Model):
    """How it stands now."""

    serial: str
    owned: Claim | None
    claimed: Claim | None


async def devices(call: Call) -> Devices:
    """By serial number."""
    asked: DevicesQuery = call.query
    after = text_in(asked.cursor) if asked.cursor else ""
    found = [one for one in await _all(call) if one.serial > after and _fits(one, asked)]
    shown = found[: asked.limit]
    return Devices(
        devices=tuple(shown), next=cursor_of(shown[-1].serial) if len(found) > asked.limit else None
    )


async def device(call: Call) -> DeviceWhole:
    """By its serial number."""
    serial = call.parts["serial"]
    for one in await _all(call):
        if one.serial == serial:
            told = await sources(call).ownership.told(serial)
            return DeviceWhole(**one.model_dump(), history=tuple(map(_claim, told.claims)))
    raise NotAnswered("not_found", "there is no such device", "serial")


async def claim(call: Call) -> Standing:
    """Somebody claims a device; nothing follows from it until it is confirmed."""
    return await _step(call, "claim", call.body.owner)


async def confirm(call: Call) -> Standing:
    """The device must answer under its serial number at this box."""
    return await _step(call, "confirm")


async def transfer(call: Call) -> Standing:
    """A claim of the next owner; until that is confirmed, the last one owns it."""
    return await _step(call, "transfer", call.body.owner)


async def release(call: Call) -> Standing:
    """It is nobody's."""
    return await _step(call, "release")


async def withdraw(call: Call) -> Standing:
    """A claim that is not confirmed is over."""
    return await _step(call, "withdraw")


async def _step(call: Call, verb: OwnershipVerb, owner: str = "") -> Standing:
    serial = call.parts["serial"]
    key = call.request.headers.get("Idempotency-Key", "")
    if key and not (8 <= len(key) <= 64 and key.isascii() and key.isprintable()):
        raise NotAnswered("parameters", "8 to 64 characters", "Idempotency-Key")
    act = OwnershipAct(
        id=f"{call.caller.id[-12:]}.{key}"[:64] if key else uuid7(0),
        verb=verb,
        device=serial[:100],
        owner=owner,
        token=call.request[DIGEST],
    )
    if len(serial) > 100:
        raise NotAnswered("parameters", "at most 100 characters", "serial")
    done = await sources(call).ownership.act(act)
    if not done.acted:
        raise NotAnswered("refused", done.error)
    owned, claimed = (None if one is None else _claim(one) for one in (done.owned, done.claimed))
    return Standing(serial=serial, owned=owned, claimed=claimed)


async def _all(call: Call) -> list[Device]:
    """Everything that is known of any device, by serial number."""
    state = now(call)

    def known(reader: Reader) -> dict[str, tuple[str, str, str]]:
        rows = reader.db.execute("SELECT device, kind, title, firmware FROM devices WHERE device <> ''")
        return {device: (kind, title, firmware) for device, kind, title, firmware in rows}

    said = await sources(call).history.ask(known)
    told = await sources(call).ownership.told()
    links: dict[str, tuple[str, DeviceState]] = {}
    for bed in state.beds:
        for one in bed.devices:
            if one.device:
                links[one.device] = (bed.bed, one)
                said[one.device] = (one.kind, one.title, one.firmware)
    claims = {(one.device, one.state): _claim(one) for one in told.claims}
    serials = sorted({*said, *(one.device for one in told.claims)})
    return [
        Device(
            serial=serial,
            **dict(zip(("kind", "title", "firmware"), said.get(serial, ("", "", "")), strict=True)),
            link=_link(call, *links[serial]) if serial in links else None,
            owned=claims.get((serial, "owned")),
            claimed=claims.get((serial, "claimed")),
        )
        for serial in serials
    ]


def _fits(one: Device, asked: DevicesQuery) -> bool:
    return (
        asked.bed in {"", one.link.bed if one.link else None}
        and asked.kind in {"", one.kind}
        and asked.owner in {"", one.owned.owner if one.owned else None}
        and asked.attached in {None, one.link is not None}
    )


def _link(call: Call, bed: str, one: DeviceState) -> Link:
    return Link(
        bed=bed,
        label=one.label,
        port=one.port,
        state=one.state,
        since=feed_of(call).utc(one.since_ns),
        rate_hz=one.rate_hz,
        drift_ppm=one.drift_ppm,
        bytes_in=one.bytes_in,
        bytes_damaged=one.bytes_damaged,
        samples_lost=one.samples_lost,
    )


def _claim(one: ClaimTold) -> Claim:
    def at(ms: int | None) -> str | None:
        return None if ms is None else instant(ms * 10**6)

    return Claim(
        owner=one.owner,
        state=one.state,
        claimed_at=at(one.claimed_ms) or "",
        claimed_by=one.claimed_by,
        proof=one.proof,
        confirmed_at=at(one.confirmed_ms),
        confirmed_by=one.confirmed_by,
        ended=one.ended,
        ended_at=at(one.ended_ms),
        ended_by=one.ended_by,
    )


_MANAGE = (Scope.MANAGE_DEVICES,)
_SAID = ("not_found", "refused", "box_silent")

ROUTES = (
    Route(
        "GET",
        "/devices",
        (Scope.READ_DEVICES,),
        devices,
        "Devices, by serial number",
        Devices,
        DevicesQuery,
        problems=("box_silent",),
    ),
    Route(
        "GET",
        "/devices/{serial}",
        (Scope.READ_DEVICES,),
        device,
        "A device, and whose it was",
        DeviceWhole,
        problems=("not_found", "box_silent"),
    ),
    Route(
        "POST",
        "/devices/{serial}/claim",
        _MANAGE,
        claim,
        "Claim a device",
        Standing,
        body=Owner,
        problems=_SAID,
    ),
    Route(
        "POST", "/devices/{serial}/confirm", _MANAGE, confirm, "Confirm the claim", Standing, problems=_SAID
    ),
    Route(
        "POST",
        "/devices/{serial}/transfer",
        _MANAGE,
        transfer,
        "Hand a device on",
        Standing,
        body=Owner,
        problems=_SAID,
    ),
    Route(
        "POST", "/devices/{serial}/release", _MANAGE, release, "Release a device", Standing, problems=_SAID
    ),
    Route(
        "POST",
        "/devices/{serial}/withdraw",
        _MANAGE,
        withdraw,
        "Withdraw the claim",
        Standing,
        problems=_SAID,
    ),
)
