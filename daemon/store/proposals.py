"""What clouds wish for devices, as rows of box.db. Every function works within its caller's transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_COLUMNS = "id, origin, device, name, value, state, reason, wished_utc_ns, decided_utc_ns, decided_by"


class ProposalState(StrEnum):
    """What has become of a setting that a cloud wishes."""

    STAGED = "staged"  # it is by the contract; the device is not here yet
    PROPOSED = "proposed"  # a person at the bed is asked
    ACCEPTED = "accepted"  # a person agreed; the device has not answered yet
    APPLIED = "applied"  # it is so
    REFUSED = "refused"  # a person said no
    REJECTED = "rejected"  # the box or the device said no


@dataclass(frozen=True, slots=True)
class Wish:
    """The newest wish of a cloud for a device; `faults`: setting -> why it is not by the contract."""

    origin: str
    device: str
    service: str
    version: int
    hash: str
    heard_utc_ns: int
    faults: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One setting of a wish. `value` is as the contract has it; `decided_utc_ns` None: nobody has."""

    id: int
    origin: str
    device: str
    name: str
    value: Any
    state: ProposalState
    reason: str
    wished_utc_ns: int
    decided_utc_ns: int | None
    decided_by: str


def wish(db: sqlite3.Connection, origin: str, device: str) -> Wish | None:
    """The newest wish; None where there was never one."""
    row = db.execute(
        "SELECT origin, device, service, version, hash, heard_utc_ns, faults FROM wishes WHERE origin = ? AND device = ?",
        (origin, device),
    ).fetchone()
    if row is None:
        return None
    origin, device, service, version, digest, heard_utc_ns, faults = row
    return Wish(origin, device, service, version, digest, heard_utc_ns, json.loads(faults))


def keep_wish(db: sqlite3.Connection, one: Wish) -> None:
    """In place of the one before."""
    row = (one.origin, one.device, one.service, one.version, one.hash, one.heard_utc_ns)
    db.execute(
        "INSERT OR REPLACE INTO wishes VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*row, json.dumps(dict(one.faults), ensure_ascii=False)),
    )


def proposals(db: sqlite3.Connection, device: str, origin: str | None = None) -> list[Proposal]:
    """All settings wished for a device, by one cloud or by all, oldest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM proposals WHERE device = ?1 AND (?2 IS NULL OR origin = ?2) ORDER BY id",  # noqa: S608 - names of ours
        (device, origin),
    )
    return [_proposal(row) for row in rows]


def proposal(db: sqlite3.Connection, number: int) -> Proposal | None:
    """The one with this number; None where it was withdrawn or replaced."""
    row = db.execute(f"SELECT {_COLUMNS} FROM proposals WHERE id = ?", (number,)).fetchone()  # noqa: S608 - names of ours
    return None if row is None else _proposal(row)


def of_state(db: sqlite3.Connection, state: ProposalState) -> list[Proposal]:
    """All that are in this state."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM proposals WHERE state = ? ORDER BY id", (state,))  # noqa: S608 - names of ours
    return [_proposal(row) for row in rows]


def propose(db: sqlite3.Connection, origin: str, device: str, name: str, value: Any, utc_ns: int) -> None:
    """Stage a setting, in place of what this cloud wished of it before."""
    withdraw(db, origin, device, name)
    db.execute(
        "INSERT INTO proposals (origin, device, name, value, state, wished_utc_ns) VALUES (?, ?, ?, ?, ?, ?)",
        (origin, device, name, json.dumps(value), ProposalState.STAGED, utc_ns),
    )


def withdraw(db: sqlite3.Connection, origin: str, device: str, name: str) -> None:
    """The cloud does not wish it any more."""
    db.execute("DELETE FROM proposals WHERE origin = ? AND device = ? AND name = ?", (origin, device, name))


def move(
    db: sqlite3.Connection,
    number: int,
    state: ProposalState,
    reason: str = "",
    *,
    decided_utc_ns: int | None = None,
    decided_by: str = "",
) -> None:
    """To another state; who decided, and when, stays where nobody has."""
    db.execute(
        "UPDATE proposals SET state = ?, reason = ?, decided_utc_ns = coalesce(?, decided_utc_ns),"
        " decided_by = coalesce(nullif(?, ''), decided_by) WHERE id = ?",
        (state, reason, decided_utc_ns, decided_by, number),
    )


def _proposal(row: tuple[Any, ...]) -> Proposal:
    identity, origin, device, name, value, state, *rest = row
    return Proposal(identity, origin, device, name, json.loads(value), ProposalState(state), *rest)
