"""Machines' tokens: told once, kept as a digest, good until they expire or are revoked, every step in the audit."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from daemon import audit
from daemon.control.tokens import TokenAct
from daemon.model.actor import Actor
from daemon.model.permissions import Role
from daemon.model.scopes import Scope
from daemon.store.box import BoxFile, ask_box
from daemon.tokens import DAY_NS, MOST_GOOD, PREFIX, Tokens, digest_of
from daemon.words import say

ADMIN = Actor("Ada Min", Role.ADMIN, "192.0.2.7", "p-1")
START_NS = 1_767_225_600 * 10**9


class Kept:
    def __init__(self, folder):
        self.path = folder / "box.db"
        self.file = BoxFile(self.path)
        self.utc_ns, self.is_set = START_NS, True
        self.tokens = Tokens(self.file, utc=lambda: (self.utc_ns, self.is_set))
        self.acts = 0

    async def make(self, name="app", scopes=(Scope.READ_ALARMS,), days=0, tokens=None):
        self.acts += 1
        act = TokenAct(id=f"act-{self.acts:08}", verb="create", name=name, scopes=scopes, days=days)
        return await (tokens or self.tokens).act(ADMIN, act)

    async def revoke(self, token):
        self.acts += 1
        return await self.tokens.act(ADMIN, TokenAct(id=f"act-{self.acts:08}", verb="revoke", token=token))

    async def check(self, secret):
        return await self.tokens.check(digest_of(secret))


@pytest.fixture
async def kept(tmp_path):
    made = Kept(tmp_path)
    yield made
    await made.file.close()


async def test_a_token_is_told_once_and_the_disk_holds_no_letter_of_it(kept):
    made = await kept.make(scopes=(Scope.READ_METRICS, Scope.READ_ALARMS))
    known = await kept.check(made.secret)
    told = await kept.tokens.told("", "", 0, 10)
    await kept.file.close()
    on_disk = b"".join(path.read_bytes() for path in kept.path.parent.iterdir())

    assert made.acted
    assert made.secret.startswith(PREFIX)
    assert len(made.secret) >= 43 + len(PREFIX)
    assert (known.known, known.name, set(known.scopes)) == (
        True,
        "app",
        {Scope.READ_METRICS, Scope.READ_ALARMS},
    )
    assert made.secret.encode() not in on_disk
    assert made.secret.removeprefix(PREFIX).encode() not in on_disk
    assert made.secret not in told.model_dump_json()
    assert digest_of(made.secret) not in told.model_dump_json()


async def test_what_is_no_token_is_nobodys(kept):
    made = await kept.make()

    assert not (await kept.check(made.secret[:-1])).known
    assert not (await kept.check("")).known
    assert not (await kept.tokens.check(made.secret)).known  # the digest is asked for, not the token


async def test_revoked_is_over_at_once_and_told_with_whose_act_it_was(kept):
    made = await kept.make()
    assert (await kept.revoke(made.token)).acted
    again = await kept.revoke(made.token)
    (told,) = (await kept.tokens.told("", "revoked", 0, 10)).tokens

    assert not (await kept.check(made.secret)).known
    assert again.error == say("tokens.refused.gone")
    assert (told.state, told.revoked_by) == ("revoked", "Ada Min")


async def test_it_expires_by_a_clock_that_can_be_believed_and_then_for_good(kept):
    made = await kept.make(days=30)
    kept.utc_ns += 30 * DAY_NS - 1
    assert (await kept.check(made.secret)).known
    kept.utc_ns += 1
    kept.is_set = False
    assert (await kept.check(made.secret)).known  # nobody knows what time it is
    kept.is_set = True
    assert not (await kept.check(made.secret)).known
    kept.utc_ns = START_NS
    assert not (await kept.check(made.secret)).known
    (told,) = (await kept.tokens.told("", "", 0, 10)).tokens

    assert told.state == "expired"


async def test_the_last_use_is_known_to_a_minute(kept):
    made = await kept.make()
    for _ in range(3):
        await kept.check(made.secret)
        await asyncio.gather(*kept.tokens._noting)
    kept.utc_ns += 30 * 10**9
    await kept.check(made.secret)
    await asyncio.gather(*kept.tokens._noting)
    (early,) = (await kept.tokens.told("", "", 0, 10)).tokens
    kept.utc_ns += 31 * 10**9
    await kept.check(made.secret)
    await asyncio.gather(*kept.tokens._noting)
    (late,) = (await kept.tokens.told("", "", 0, 10)).tokens

    assert early.used_ms == START_NS // 10**6
    assert late.used_ms == kept.utc_ns // 10**6


@pytest.mark.parametrize(
    ("name", "scopes", "error"),
    [
        ("  ", (Scope.READ_ALARMS,), "tokens.refused.name"),
        ("a\nb", (Scope.READ_ALARMS,), "tokens.refused.name"),
        ("app", (), "tokens.refused.scopes"),
    ],
)
async def test_what_cannot_be_made_is_said(kept, name, scopes, error):
    assert (await kept.make(name, scopes)).error == say(error)


async def test_names_are_of_one_good_token_and_there_are_not_too_many(kept):
    first = await kept.make("app")
    assert (await kept.make("app")).error == say("tokens.refused.taken", name="app")
    await kept.revoke(first.token)
    assert (await kept.make("app")).acted
    for number in range(MOST_GOOD - 1):
        assert (await kept.make(f"app {number}")).acted
    assert (await kept.make("one more")).error == say("tokens.refused.many", most=str(MOST_GOOD))
    page = await kept.tokens.told("APP 1", "good", 5, 3)

    assert page.total == 11  # app 1, and app 10 to 19
    assert len(page.tokens) == 3


async def test_all_of_it_is_in_the_audit_without_the_token(kept):
    made = await kept.make(days=1)
    await kept.revoke(made.token)

    def entries(db: sqlite3.Connection):
        assert audit.broken_at(db) is None
        return [(e["act"], e["actor"], e["subject"], e["body"]) for e in audit.entries(db)]

    told = ask_box(kept.path, entries)

    assert told == [
        (
            "token_create",
            "Ada Min",
            made.token,
            {"name": "app", "scopes": ["read:alarms"], "expires": "2026-01-02"},
        ),
        ("token_revoke", "Ada Min", made.token, {"name": "app"}),
    ]


async def test_tokens_outlive_the_daemon(kept):
    made = await kept.make()
    await kept.file.close()
    later = Tokens(kept.file, utc=lambda: (kept.utc_ns, True))

    assert (await later.check(digest_of(made.secret))).known
