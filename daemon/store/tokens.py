"""Machines' tokens as rows of box.db. A token itself is never here, only its SHA-256. Every function works within its caller's transaction."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

_COLUMNS = (
    "id, name, digest, scopes, made_utc_ns, made_by, expires_utc_ns, used_utc_ns, revoked_utc_ns, revoked_by"
)


@dataclass(frozen=True, slots=True)
class Token:
    """`digest` is the SHA-256 of the token in hex. Times are UTC in ns; None: it never expires, was never used, is not revoked."""

    id: str
    name: str
    digest: str
    scopes: tuple[str, ...]
    made_utc_ns: int
    made_by: str
    expires_utc_ns: int | None = None
    used_utc_ns: int | None = None
    revoked_utc_ns: int | None = None
    revoked_by: str = ""


def keep(db: sqlite3.Connection, one: Token) -> None:
    """A new one."""
    scopes = json.dumps(sorted(one.scopes))
    row = (one.id, one.name, one.digest, scopes, one.made_utc_ns, one.made_by, one.expires_utc_ns)
    db.execute(f"INSERT INTO tokens ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL, '')", row)  # noqa: S608 - names of ours


def tokens(db: sqlite3.Connection) -> list[Token]:
    """All that ever were, newest first."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM tokens ORDER BY made_utc_ns DESC, id DESC")  # noqa: S608 - names of ours
    return [_token(row) for row in rows]


def of_digest(db: sqlite3.Connection, digest: str) -> Token | None:
    """The one with this digest, revoked or not."""
    row = db.execute(f"SELECT {_COLUMNS} FROM tokens WHERE digest = ?", (digest,)).fetchone()  # noqa: S608 - names of ours
    return None if row is None else _token(row)


def revoke(db: sqlite3.Connection, identity: str, utc_ns: int, by: str) -> bool:
    """Whether it was good until now."""
    sql = "UPDATE tokens SET revoked_utc_ns = ?, revoked_by = ? WHERE id = ? AND revoked_utc_ns IS NULL"
    return db.execute(sql, (utc_ns, by, identity)).rowcount > 0


def used(db: sqlite3.Connection, identity: str, utc_ns: int) -> None:
    """It was shown now."""
    db.execute("UPDATE tokens SET used_utc_ns = ? WHERE id = ?", (utc_ns, identity))


def _token(row: tuple[Any, ...]) -> Token:
    identity, name, digest, scopes, *rest = row
    return Token(identity, name, digest, tuple(json.loads(scopes)), *rest)
