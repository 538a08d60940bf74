"""Whose devices are, as rows of box.db: a row a claim, from the claim to its end. Every function works within its caller's transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["claimed", "owned", "over"]
Proof = Literal["", "device", "person"]
Ended = Literal["", "released", "transferred", "withdrawn", "replaced"]

_COLUMNS = (
    "id, device, owner, state, claimed_utc_ns, claimed_by, proof, confirmed_utc_ns, confirmed_by,"
    " ended, ended_utc_ns, ended_by"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """`device` is a serial number, `owner` whoever claims it (a person, a ward, an account). Times are UTC in ns, None: not yet."""

    id: int
    device: str
    owner: str
    state: State
    claimed_utc_ns: int
    claimed_by: str
    proof: Proof = ""
    confirmed_utc_ns: int | None = None
    confirmed_by: str = ""
    ended: Ended = ""
    ended_utc_ns: int | None = None
    ended_by: str = ""


def standing(db: sqlite3.Connection, device: str) -> tuple[Claim | None, Claim | None]:
    """Who owns a device, and who claims it."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM ownership WHERE device = ? AND state <> 'over'", (device,))  # noqa: S608 - names of ours
    found = {claim.state: claim for claim in map(_claim, rows)}
    return found.get("owned"), found.get("claimed")


def all_standing(db: sqlite3.Connection) -> list[Claim]:
    """Every claim and ownership that is not over, by device; who owns it before who claims it."""
    sql = f"SELECT {_COLUMNS} FROM ownership WHERE state <> 'over' ORDER BY device, state DESC"  # noqa: S608 - names of ours
    return [_claim(row) for row in db.execute(sql)]


def history(db: sqlite3.Connection, device: str, most: int = 100) -> list[Claim]:
    """Everything that was of one device, newest first."""
    sql = f"SELECT {_COLUMNS} FROM ownership WHERE device = ? ORDER BY id DESC LIMIT ?"  # noqa: S608 - names of ours
    return [_claim(row) for row in db.execute(sql, (device, most))]


def claim(db: sqlite3.Connection, device: str, owner: str, utc_ns: int, by: str) -> None:
    """A new claim; one that waits is replaced by it."""
    _, waiting = standing(db, device)
    if waiting is not None:
        end(db, waiting.id, "replaced", utc_ns, by)
    db.execute(
        "INSERT INTO ownership (device, owner, state, claimed_utc_ns, claimed_by) VALUES (?, ?, 'claimed', ?, ?)",
        (device, owner, utc_ns, by),
    )


def confirm(db: sqlite3.Connection, number: int, proof: Proof, utc_ns: int, by: str) -> None:
    """A claim becomes ownership; what was owned before is over."""
    db.execute(
        "UPDATE ownership SET state = 'over', ended = 'transferred', ended_utc_ns = ?, ended_by = ? WHERE state = 'owned'"
        " AND device = (SELECT device FROM ownership WHERE id = ?)",
        (utc_ns, by, number),
    )
    db.execute(
        "UPDATE ownership SET state = 'owned', proof = ?, confirmed_utc_ns = ?, confirmed_by = ? WHERE id = ?",
        (proof, utc_ns, by, number),
    )


def end(db: sqlite3.Connection, number: int, how: Ended, utc_ns: int, by: str) -> None:
    """A claim or an ownership is over."""
    db.execute(
        "UPDATE ownership SET state = 'over', ended = ?, ended_utc_ns = ?, ended_by = ? WHERE id = ?",
        (how, utc_ns, by, number),
    )


def _claim(row: tuple[Any, ...]) -> Claim:
    return Claim(*row)
