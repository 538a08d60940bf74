"""Whose a device is: claimed by its serial number, confirmed, handed on, given up; every step in the audit and told to the clouds.

A claim is worth nothing until it is confirmed: the device answers under that serial number at this box, or a person who may set
devices says at a screen that it is so. Handing a device on is a claim of the next owner; until that is confirmed the last one
owns it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from daemon import audit
from daemon.contracts.registry import said
from daemon.control.ownership import ClaimTold, OwnershipAct, OwnershipActed, OwnershipTold
from daemon.model.actor import Actor
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.permissions import Role
from daemon.model.scopes import Scope
from daemon.model.signals import Nanos
from daemon.store import ownership as rows
from daemon.store import tokens
from daemon.store.box import BoxFile
from daemon.store.ownership import Claim
from daemon.words import say

MESSAGE: Final = "box.ownership/1"

Standing = tuple[Claim | None, Claim | None]


class Attached(Protocol):
    """The devices at the beds."""

    def answering(self) -> Mapping[str, str]:
        """Those that answer now, by serial number, and their beds."""


class Ownership:
    """`tell` takes a message for the clouds, `now` is CLOCK_BOOTTIME, `utc` UTC in ns and whether it can be believed."""

    def __init__(
        self,
        file: BoxFile,
        attached: Attached,
        *,
        now: Callable[[], Nanos],
        utc: Callable[[], tuple[int, bool]],
        tell: Callable[[str | None, Outgoing], None],
    ) -> None:
        self._file = file
        self._attached = attached
        self._now = now
        self._utc = utc
        self._tell = tell

    async def told(self, device: str) -> OwnershipTold:
        """What stands of all devices, or all that was of one. Raises sqlite3.Error, OSError."""
        found = await self._file.run(lambda db: rows.history(db, device) if device else rows.all_standing(db))
        return OwnershipTold(claims=tuple(map(_told, found)), here=tuple(sorted(self._attached.answering())))

    async def machine(self, digest: str) -> Actor | None:
        """In whose name a machine with this token acts; None where it may not. Raises sqlite3.Error, OSError."""
        one = await self._file.run(lambda db: tokens.of_digest(db, digest))
        if one is None or one.revoked_utc_ns is not None or Scope.MANAGE_DEVICES not in one.scopes:
            return None
        return Actor(f"machine {one.name}", Role.NOBODY, "", one.id)

    async def act(self, by: Actor, act: OwnershipAct) -> OwnershipActed:
        """One step, or why not. Raises sqlite3.Error, OSError."""
        owner = act.owner.strip()
        if act.verb in {"claim", "transfer"} and not owner:
            return OwnershipActed(id=act.id, acted=False, error=say("ownership.refused.owner"))
        refused, stands = await self._file.run(lambda db: self._step(db, by, act, owner))
        if not refused:
            self._report(act, stands)
        owned, claimed = (None if one is None else _told(one) for one in stands)
        return OwnershipActed(id=act.id, acted=not refused, error=refused, owned=owned, claimed=claimed)

    def _step(self, db: sqlite3.Connection, by: Actor, act: OwnershipAct, owner: str) -> tuple[str, Standing]:
        """In a transaction: why not ("" = done), and how it stands then."""
        utc_ns, is_set = self._utc()
        stands = rows.standing(db, act.device)
        refused, body = self._do(db, by, act, owner, stands, utc_ns)
        if refused:
            return refused, stands
        name = f"device_{act.verb}"
        who = {"role": "machine", "origin": by.origin, "person": by.person} if act.token else {}
        told = {**body, "bed": self._attached.answering().get(act.device) or ""}
        more = {"by": {key: value for key, value in who.items() if value}} if who else {}
        audit.append(db, audit.Entry(act.id, utc_ns, is_set, by.name, name, "", act.device, told, **more))
        return "", rows.standing(db, act.device)

    def _do(
        self, db: sqlite3.Connection, by: Actor, act: OwnershipAct, owner: str, stands: Standing, utc_ns: int
    ) -> tuple[str, Mapping[str, Any]]:
        owned, claimed = stands
        match act.verb:
            case "claim":
                if owned is not None:
                    return say("ownership.refused.owned", owner=owned.owner), {}
                rows.claim(db, act.device, owner, utc_ns, by.name)
                return "", {"owner": owner}
            case "transfer":
                if owned is None:
                    return say("ownership.refused.nobodys"), {}
                if owned.owner == owner:
                    return say("ownership.refused.same", owner=owner), {}
                rows.claim(db, act.device, owner, utc_ns, by.name)
                return "", {"owner": owner, "from": owned.owner}
            case "release":
                if owned is None:
                    return say("ownership.refused.nobodys"), {}
                rows.end(db, owned.id, "released", utc_ns, by.name)
                return "", {"owner": owned.owner}
        if claimed is None:
            return say("ownership.refused.no_claim"), {}
        if act.verb == "withdraw":
            rows.end(db, claimed.id, "withdrawn", utc_ns, by.name)
            return "", {"owner": claimed.owner}
        proof = self._proof(act)
        if not proof:
            return say("ownership.refused.not_here", device=act.device), {}
        rows.confirm(db, claimed.id, proof, utc_ns, by.name)
        return "", {"owner": claimed.owner, "proof": proof}

    def _proof(self, act: OwnershipAct) -> rows.Proof:
        """What confirms a claim: the device itself, else a person's word; a machine's is none."""
        if act.device in self._attached.answering():
            return "device"
        return "person" if act.on_screen and not act.token else ""

    def _report(self, act: OwnershipAct, stands: Standing) -> None:
        owned, claimed = stands
        body = {
            "change": act.verb,
            "owner": None if owned is None else owned.owner,
            "proof": owned.proof if owned is not None and owned.proof else None,
            "claimed_by": None if claimed is None else claimed.owner,
        }
        message = Outgoing(self._now(), Lane.EVENTS, MESSAGE, act.device, said(MESSAGE, body))
        self._tell(self._attached.answering().get(act.device), message)


def _told(one: Claim) -> ClaimTold:
    def ms(utc_ns: int | None) -> int | None:
        return None if utc_ns is None else utc_ns // 10**6

    return ClaimTold(
        device=one.device,
        owner=one.owner,
        state=one.state,
        claimed_ms=one.claimed_utc_ns // 10**6,
        claimed_by=one.claimed_by,
        proof=one.proof,
        confirmed_ms=ms(one.confirmed_utc_ns),
        confirmed_by=one.confirmed_by,
        ended=one.ended,
        ended_ms=ms(one.ended_utc_ns),
        ended_by=one.ended_by,
    )
