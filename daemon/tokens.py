"""Machines that may ask the box: tokens made, shown once, checked and revoked. Only the SHA-256 of a token is kept.

A token is 256 random bits, so that a plain SHA-256 gives nothing away (there is no list to try). Where the box does not know
what time it is, an expiry is not judged; one that has passed while the clock was believed is over for good.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from daemon import audit
from daemon.control.tokens import TokenAct, TokenActed, TokenKnown, TokensTold, TokenTold
from daemon.model.actor import Actor
from daemon.model.ids import uuid7
from daemon.model.scopes import Scope
from daemon.store import tokens as rows
from daemon.store.box import BoxFile
from daemon.store.tokens import Token
from daemon.words import say

PREFIX: Final = "vitald_"
"""What every token begins with: programs that look for secrets in texts find it."""

MOST_GOOD: Final = 100
USED_EVERY_NS: Final = 60 * 10**9
"""When a token was last used is known to a minute: a write for every request would wear the disk."""

DAY_NS: Final = 86_400 * 10**9
EXPIRED: Final = "expired"

log = logging.getLogger(__name__)


class Tokens:
    """`utc` is UTC in ns, and whether it can be believed."""

    def __init__(self, file: BoxFile, *, utc: Callable[[], tuple[int, bool]]) -> None:
        self._file = file
        self._utc = utc
        self._noting: set[asyncio.Task[None]] = set()

    async def told(self, find: str, state: str, offset: int, most: int) -> TokensTold:
        """A page of those whose name holds `find`, newest first. Raises sqlite3.Error, OSError."""
        found = [self._shown(one) for one in await self._file.run(rows.tokens)]
        fit = [t for t in found if find.casefold() in t.name.casefold() and state in {"", t.state}]
        return TokensTold(tokens=tuple(fit[max(offset, 0) :][:most]), total=len(fit))

    async def act(self, by: Actor, act: TokenAct) -> TokenActed:
        """Make or revoke one. Raises sqlite3.Error, OSError."""
        return await (self._create(by, act) if act.verb == "create" else self._revoke(by, act))

    async def check(self, digest: str) -> TokenKnown:
        """Whose a token is; one that is over is nobody's. Raises sqlite3.Error, OSError."""
        one = await self._file.run(lambda db: rows.of_digest(db, digest))
        if one is None or one.revoked_utc_ns is not None:
            return TokenKnown(known=False)
        utc_ns, is_set = self._utc()
        if is_set and one.expires_utc_ns is not None and utc_ns >= one.expires_utc_ns:
            await self._file.run(lambda db: rows.revoke(db, one.id, utc_ns, EXPIRED))
            return TokenKnown(known=False)
        if utc_ns - (one.used_utc_ns or 0) >= USED_EVERY_NS:
            self._note(one.id, utc_ns)
        return TokenKnown(known=True, id=one.id, name=one.name, scopes=tuple(Scope(s) for s in one.scopes))

    async def _create(self, by: Actor, act: TokenAct) -> TokenActed:
        name = act.name.strip()
        if not name or any(ord(c) < 32 for c in name):
            return TokenActed(acted=False, error=say("tokens.refused.name"))
        if not act.scopes:
            return TokenActed(acted=False, error=say("tokens.refused.scopes"))
        secret = PREFIX + secrets.token_urlsafe(32)
        utc_ns, _ = self._utc()
        expires = utc_ns + act.days * DAY_NS if act.days else None
        scopes = tuple(sorted({str(scope) for scope in act.scopes}))
        one = Token(uuid7(utc_ns), name, digest_of(secret), scopes, utc_ns, by.name, expires)
        body = {"name": name, "scopes": list(scopes), "expires": _day(expires)}

        def write(db: sqlite3.Connection) -> str:
            good = [t for t in rows.tokens(db) if t.revoked_utc_ns is None]
            if any(t.name == name for t in good):
                return say("tokens.refused.taken", name=name)
            if len(good) >= MOST_GOOD:
                return say("tokens.refused.many", most=str(MOST_GOOD))
            rows.keep(db, one)
            audit.append(db, self._entry(by, act, "token_create", one.id, body))
            return ""

        refused = await self._file.run(write)
        if refused:
            return TokenActed(acted=False, error=refused)
        return TokenActed(acted=True, token=one.id, secret=secret)

    async def _revoke(self, by: Actor, act: TokenAct) -> TokenActed:
        utc_ns, _ = self._utc()

        def write(db: sqlite3.Connection) -> bool:
            (name,) = [t.name for t in rows.tokens(db) if t.id == act.token] or [""]
            if not rows.revoke(db, act.token, utc_ns, by.name):
                return False
            return audit.append(db, self._entry(by, act, "token_revoke", act.token, {"name": name}))

        done = await self._file.run(write)
        return TokenActed(acted=done, error="" if done else say("tokens.refused.gone"), token=act.token)

    def _entry(
        self, by: Actor, act: TokenAct, what: str, subject: str, body: Mapping[str, object]
    ) -> audit.Entry:
        utc_ns, is_set = self._utc()
        return audit.Entry(act.id, utc_ns, is_set, by.name, what, "", subject, body)

    def _note(self, identity: str, utc_ns: int) -> None:
        """Write down that it was used, beside the answer: nobody waits for it, and a disk that fails costs nothing else."""

        async def write() -> None:
            try:
                await self._file.run(lambda db: rows.used(db, identity, utc_ns))
            except (sqlite3.Error, OSError) as error:
                log.warning("tokens: last use not kept: %s", error)

        task = asyncio.create_task(write(), name="tokens: used")
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    def _shown(self, one: Token) -> TokenTold:
        utc_ns, is_set = self._utc()
        over = is_set and one.expires_utc_ns is not None and utc_ns >= one.expires_utc_ns
        expired = one.revoked_by == EXPIRED or (over and one.revoked_utc_ns is None)
        return TokenTold(
            id=one.id,
            name=one.name,
            scopes=tuple(Scope(s) for s in one.scopes),
            state="expired" if expired else "good" if one.revoked_utc_ns is None else "revoked",
            made_ms=one.made_utc_ns // 10**6,
            made_by=one.made_by,
            expires_ms=_ms(one.expires_utc_ns),
            used_ms=_ms(one.used_utc_ns),
            revoked_ms=_ms(one.revoked_utc_ns),
            revoked_by=one.revoked_by,
        )


def digest_of(secret: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _ms(utc_ns: int | None) -> int | None:
    return None if utc_ns is None else utc_ns // 10**6


def _day(utc_ns: int | None) -> str | None:
    return None if utc_ns is None else datetime.fromtimestamp(utc_ns / 1e9, UTC).date().isoformat()
