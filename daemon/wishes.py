"""What clouds wish for devices: checked against the contract, kept, and carried out as far as a cloud may decide it.

Alarm thresholds become limits of the alarm table, by the same Command as a nurse's. A therapy setting is only ever a proposal: a
person at the bed accepts it, or it stays undone. A wish that was heard before changes nothing; every change is in the audit with
the cloud that it came from.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Protocol

from daemon import audit
from daemon.contracts.faults import BadMessage
from daemon.contracts.seeds import settings
from daemon.control.messages import LimitsTold
from daemon.control.wishes import (
    ProposalAct,
    ProposalActed,
    ProposalsTold,
    ProposalTold,
    Wished,
    WishTold,
)
from daemon.model.ids import uuid7
from daemon.model.signals import Command, Nanos
from daemon.store import proposals as rows
from daemon.store.box import BoxFile
from daemon.store.proposals import Proposal, ProposalState, Wish
from daemon.words import say

log = logging.getLogger(__name__)

Value = float | bool | str

LIMITS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "alerts.leak_threshold_lpm": ("cpap_leak_high", "above"),
        "alerts.rr_low_per_min": ("resp_low", "below"),
        "alerts.rr_high_per_min": ("resp_high", "above"),
    }
)
"""A threshold of the contract -> row and key of the alarm table, in the same unit."""

OWN = frozenset({"maintenance_due_date"})
"""Settings that the box keeps itself."""

DECIDED_WITHIN_S = 2.0
APPLIED_WITHIN_S = 10.0

_OPEN = {ProposalState.STAGED, ProposalState.PROPOSED}
_SAID_NO = {ProposalState.REFUSED, ProposalState.REJECTED}


@dataclass(frozen=True, slots=True)
class Reply:
    """A device's answer to a setting: done, with the value it has now; or not, with the reason in words."""

    applied: bool
    value: Value | None = None
    reason: str = ""


class Devices(Protocol):
    """The devices at the beds, by serial number. Names of settings and their units are the contract's (cpap.config, oxygen.config)."""

    def bed_of(self, serial: str) -> str | None:
        """The bed it is at; None where it is not here."""

    def settable(self, serial: str) -> Collection[str]:
        """What can be set on it; empty where it is read-only."""

    def present(self, serial: str) -> Mapping[str, Value]:
        """How it is set, as far as it says."""

    async def apply(self, serial: str, name: str, value: Value) -> Reply:
        """Set it, and wait for the device's own word."""


class Wishes:
    """`obey` puts a Command through its bed: None, or a future of the reason in words for which it was refused ("" = done).

    `limits` tells the alarm limits of a bed; `utc` is UTC in ns, and whether the clock can be believed. `restore` comes first.
    """

    def __init__(
        self,
        file: BoxFile,
        devices: Devices,
        *,
        now: Callable[[], Nanos],
        utc: Callable[[], tuple[int, bool]],
        obey: Callable[[Command], asyncio.Future[str] | None],
        limits: Callable[[str], LimitsTold | None],
    ) -> None:
        self._file = file
        self._devices = devices
        self._now = now
        self._utc = utc
        self._obey = obey
        self._limits = limits
        self._turn = asyncio.Lock()

    async def restore(self) -> None:
        """At the start: what was being set when the last process ended is not known to be so. Never raises for a disk."""

        def write(db: sqlite3.Connection) -> None:
            for one in rows.of_state(db, ProposalState.ACCEPTED):
                rows.move(db, one.id, ProposalState.REJECTED, say("wish.interrupted"))

        try:
            await self._file.run(write)
        except (sqlite3.Error, OSError) as error:
            log.error("wishes: box.db cannot be read: %s", error)  # noqa: TRY400 - a state of the disk

    async def hear(self, wished: Wished) -> WishTold:
        """Take a wish in and carry out what can be; what has become of all of it. Raises sqlite3.Error, OSError."""
        async with self._turn:
            digest = _digest(wished.wish)
            known = await self._file.run(lambda db: rows.wish(db, wished.origin, wished.device))
            faults: dict[str, str] = {}
            if known is not None and wished.version < known.version:
                faults["version"] = say("wish.older", version=str(known.version))
            elif known is not None and not wished.wish:
                if await self._asks(wished.origin, wished.device):
                    known = await self._take(wished, digest)
            elif known is not None and wished.version == known.version and digest != known.hash:
                faults["version"] = say("wish.another", version=str(known.version))
            elif known is None or wished.version > known.version:
                known = await self._take(wished, digest)
            await self._settle(wished.origin, wished.device)
            assert known is not None
            return await self._told(known, faults)

    async def proposals(self, bed: str) -> ProposalsTold:
        """What is wished of the devices at a bed. Raises sqlite3.Error, OSError."""
        found = await self._file.run(
            lambda db: [one for state in ProposalState for one in rows.of_state(db, state)]
        )
        here = [one for one in found if self._devices.bed_of(one.device) == bed]
        return ProposalsTold(
            proposals=tuple(self._proposal_told(one, bed) for one in sorted(here, key=lambda p: p.id))
        )

    async def act(self, act: ProposalAct) -> ProposalActed:
        """A person's word on a proposal. Never raises for what a person or a device can do."""
        async with self._turn:
            one = await self._file.run(lambda db: rows.proposal(db, act.proposal))
            if one is None or self._devices.bed_of(one.device) != act.bed:
                return ProposalActed(id=act.id, acted=False, error=say("wish.gone"))
            if one.state is not ProposalState.PROPOSED:
                return ProposalActed(id=act.id, acted=False, error=say("wish.decided"), state=one.state)
            agreed = act.verb == "accept"
            state = ProposalState.ACCEPTED if agreed else ProposalState.REFUSED
            reason = "" if agreed else say("wish.refused")
            await self._move(one, state, reason, actor=act.actor, screen=act.screen)
        if not agreed:
            return ProposalActed(id=act.id, acted=True, state=state)
        return await self._set(one, act)

    # --- a wish ------------------------------------------------------------------------------------------

    async def _asks(self, origin: str, device: str) -> bool:
        """Whether anything is left of what a cloud wished that a wish for nothing would withdraw."""
        kept = await self._file.run(lambda db: rows.proposals(db, device, origin))
        return any(one.state in _OPEN | _SAID_NO for one in kept)

    async def _take(self, wished: Wished, digest: str) -> Wish:
        """Keep a wish that is new: what is asked for as before stays as it is, what is not asked for any more is withdrawn."""
        asked, faults = _checked(wished)
        utc_ns, is_set = self._utc()
        device = wished.device
        wish = Wish(wished.origin, device, wished.service, wished.version, digest, utc_ns, faults)

        def write(db: sqlite3.Connection) -> None:
            rows.keep_wish(db, wish)
            before = {one.name: one for one in rows.proposals(db, device, wish.origin)}
            if asked is not None:
                for name, one in before.items():
                    if name not in asked and one.state in _OPEN | _SAID_NO:
                        rows.withdraw(db, wish.origin, device, name)
                for name, value in asked.items():
                    same = name in before and before[name].value == value
                    if not same or before[name].state is ProposalState.REJECTED:
                        rows.propose(db, wish.origin, device, name, value, utc_ns)
            body = {"version": wish.version, "hash": digest, "wish": asked or {}, "faults": faults}
            audit.append(db, self._entry("wish", wish.origin, device, body, utc_ns, is_set))

        await self._file.run(write)
        if faults:
            log.warning("wishes: %s for %s: not by the contract: %s", wish.origin, device, faults)
        return wish

    async def _settle(self, origin: str, device: str) -> None:
        """Carry out what is staged, as far as the device is here."""
        bed, settable = self._devices.bed_of(device), self._devices.settable(device)
        staged = [
            one
            for one in await self._file.run(lambda db: rows.proposals(db, device, origin))
            if one.state is ProposalState.STAGED or (one.name in settable and _was_read_only(one))
        ]
        for one in staged:
            if one.name in OWN:
                await self._move(one, ProposalState.APPLIED)
            elif bed is None:
                continue
            elif one.name in LIMITS:
                refusal = await self._limit(one, bed)
                state = ProposalState.REJECTED if refusal else ProposalState.APPLIED
                await self._move(one, state, refusal, bed=bed)
            elif one.name not in settable:
                await self._move(one, ProposalState.REJECTED, say("wish.read_only"), bed=bed)
            elif self._devices.present(device).get(one.name) == one.value:
                await self._move(one, ProposalState.APPLIED, bed=bed)
            else:
                await self._move(one, ProposalState.PROPOSED, bed=bed)

    async def _limit(self, one: Proposal, bed: str) -> str:
        """Set a limit and switch its alarm on; "" when it is so, else why not."""
        row, key = LIMITS[one.name]
        if self._in_force(bed, one.name) == (one.value, True):
            return ""
        values = {f"{row}.{key}": f"{one.value:g}", "screen": ""}
        if self._may_be_off(bed, row):
            values[f"{row}.on"] = "true"
        command = Command(
            uuid7(self._utc()[0]),
            self._now(),
            bed,
            _actor(one.origin),
            "limits",
            tuple(sorted(values.items())),
        )
        decided = self._obey(command)
        if decided is None:
            return ""
        try:
            return await asyncio.wait_for(decided, DECIDED_WITHIN_S)
        except TimeoutError:
            return say("alarm.refused.no_answer")

    async def _set(self, one: Proposal, act: ProposalAct) -> ProposalActed:
        """What was accepted goes to the device."""
        try:
            reply = await asyncio.wait_for(
                self._devices.apply(one.device, one.name, one.value), APPLIED_WITHIN_S
            )
        except TimeoutError:
            reply = Reply(applied=False, reason=say("wish.no_answer"))
        state = ProposalState.APPLIED if reply.applied else ProposalState.REJECTED
        async with self._turn:
            await self._move(one, state, reply.reason, actor=act.actor, screen=act.screen)
        return ProposalActed(id=act.id, acted=reply.applied, error=reply.reason, state=state)

    async def _move(
        self,
        one: Proposal,
        state: ProposalState,
        reason: str = "",
        *,
        bed: str = "",
        actor: str = "",
        screen: str = "",
    ) -> None:
        """To another state, and into the audit: a person's act is the person's, all else the cloud's."""
        utc_ns, is_set = self._utc()
        body = {
            "origin": one.origin,
            "name": one.name,
            "value": one.value,
            "reason": reason,
            "screen": screen,
        }
        bed = bed or self._devices.bed_of(one.device) or ""
        entry = self._entry(f"wish_{state}", one.origin, one.device, body, utc_ns, is_set)
        entry = replace(entry, bed=bed, actor=actor or entry.actor)
        decided = utc_ns if state not in _OPEN else None

        def write(db: sqlite3.Connection) -> None:
            rows.move(db, one.id, state, reason, decided_utc_ns=decided, decided_by=actor)
            audit.append(db, entry)

        await self._file.run(write)

    # --- what is told ------------------------------------------------------------------------------------

    async def _told(self, wish: Wish, faults: Mapping[str, str]) -> WishTold:
        """What the cloud hears: settings as they are now, what waits, what was refused and why."""
        kept = await self._file.run(lambda db: rows.proposals(db, wish.device, wish.origin))
        config: dict[str, Value] = {}
        pending: dict[str, str] = {}
        refused = {**wish.faults, **faults}
        for one in kept:
            name, present = settings.seeds_name(one.name), self._present(one)
            if present is not None:
                config[one.name] = present
            if one.state in _SAID_NO:
                refused[name] = one.reason
            elif one.state is not ProposalState.APPLIED:
                pending[name] = say(self._waits_for(one))
        return WishTold(
            version=wish.version,
            hash=wish.hash,
            config=settings.as_seeds(config),
            pending=pending,
            refused=refused,
        )

    def _waits_for(self, one: Proposal) -> str:
        """The word key of what a proposal waits for."""
        if one.state is ProposalState.ACCEPTED:
            return "wish.being_set"
        return "wish.away" if self._devices.bed_of(one.device) is None else "wish.waits"

    def _proposal_told(self, one: Proposal, bed: str) -> ProposalTold:
        return ProposalTold(
            bed=bed,
            present=self._present(one),
            wished_ms=one.wished_utc_ns // 1_000_000,
            decided_ms=(one.decided_utc_ns or 0) // 1_000_000,
            **{
                k: getattr(one, k)
                for k in ("id", "device", "origin", "name", "value", "reason", "decided_by")
            },
            state=one.state.value,
        )

    def _present(self, one: Proposal) -> Value | None:
        """How the setting is now; None where that is not known, or the alarm of a limit is off."""
        bed = self._devices.bed_of(one.device)
        if one.name in LIMITS:
            value, on = self._in_force(bed, one.name) if bed is not None else (None, False)
            return value if on else None
        told = self._devices.present(one.device).get(one.name)
        if told is None and one.state is ProposalState.APPLIED:
            return one.value  # type: ignore[no-any-return]
        return told

    def _in_force(self, bed: str, name: str) -> tuple[float | None, bool]:
        """The limit of a threshold, and whether its alarm is on."""
        row, key = LIMITS[name]
        told = self._limits(bed)
        for one in told.limits if told else ():
            if one.row == row:
                return next((limit.value for limit in one.limits if limit.key == key), None), one.on
        return None, False

    def _may_be_off(self, bed: str, row: str) -> bool:
        told = self._limits(bed)
        return any(one.may_be_off for one in (told.limits if told else ()) if one.row == row)

    def _entry(
        self, act: str, origin: str, device: str, body: Mapping[str, Any], utc_ns: int, is_set: bool
    ) -> audit.Entry:
        bed = self._devices.bed_of(device) or ""
        return audit.Entry(uuid7(utc_ns), utc_ns, is_set, _actor(origin), act, bed, device, body)


def _was_read_only(one: Proposal) -> bool:
    """A device says what can be set on it only some time after it has come."""
    return one.state is ProposalState.REJECTED and one.reason == say("wish.read_only")


def _actor(origin: str) -> str:
    return f"cloud {origin}"


def _digest(wish: Mapping[str, Any]) -> str:
    try:
        return settings.digest(wish)
    except BadMessage:
        return ""


def _checked(wished: Wished) -> tuple[dict[str, Value] | None, dict[str, str]]:
    """What is asked for, by dotted name of ours, None where the wish as a whole cannot be; and what is wrong with it."""
    faults: dict[str, str] = {}
    if wished.wish.get("serial", wished.device) != wished.device:
        return None, {"serial": say("wish.other_device")}
    try:
        asked = settings.desired(wished.service, wished.wish)
        faults |= dict.fromkeys(settings.unknown(wished.service, wished.wish), say("wish.unknown"))
    except BadMessage as bad:
        return None, {bad.field: bad.reason}
    return settings.flat(asked.model_dump(exclude_none=True)), faults
