"""Whose devices are: a claim is worth nothing until the device or a person confirms it; every step is audited and told."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon import audit
from daemon.contracts.registry import heard
from daemon.control.ownership import OwnershipAct
from daemon.control.tokens import TokenAct
from daemon.model.actor import Actor
from daemon.model.outgoing import Lane
from daemon.model.permissions import Role
from daemon.model.scopes import Scope
from daemon.ownership import MESSAGE, Ownership
from daemon.store.box import BoxFile, ask_box
from daemon.tokens import Tokens, digest_of
from daemon.words import say

NURSE = Actor("Nora Nurse", Role.NURSE, "192.0.2.7", "p-1")
ADMIN = Actor("Ada Min", Role.ADMIN, "192.0.2.7", "p-2")
OXYGEN = "OXY-8844-5521"
UTC_NS = 1_767_225_600 * 10**9


class Kept:
    def __init__(self, folder):
        self.path = folder / "box.db"
        self.file = BoxFile(self.path)
        self.here = {}
        self.said = []
        self.acts = 0
        self.ownership = Ownership(
            self.file,
            self,
            now=lambda: 7,
            utc=lambda: (UTC_NS + self.acts * 10**9, True),
            tell=lambda bed, message: self.said.append((bed, message)),
        )

    def answering(self):
        return self.here

    async def act(self, verb, owner="", device=OXYGEN, by=NURSE, **more):
        self.acts += 1
        act = OwnershipAct(id=f"act-{self.acts:08}", verb=verb, device=device, owner=owner, **more)
        return await self.ownership.act(by, act)

    async def stands(self, device=OXYGEN):
        told = await self.ownership.told("")
        return {c.state: c.owner for c in told.claims if c.device == device}


@pytest.fixture
async def kept(tmp_path):
    made = Kept(tmp_path)
    yield made
    await made.file.close()


async def test_from_a_claim_to_its_end(kept):
    kept.here = {OXYGEN: "2"}
    claimed = await kept.act("claim", "ward 3")
    confirmed = await kept.act("confirm")
    await kept.act("transfer", "ward 4")
    between = await kept.stands()
    await kept.act("confirm")
    after = await kept.stands()
    await kept.act("release")
    told = await kept.ownership.told(OXYGEN)

    assert (claimed.acted, claimed.claimed.owner, claimed.owned) == (True, "ward 3", None)
    assert (confirmed.owned.owner, confirmed.owned.proof, confirmed.claimed) == ("ward 3", "device", None)
    assert between == {"owned": "ward 3", "claimed": "ward 4"}
    assert after == {"owned": "ward 4"}
    assert [(c.owner, c.state, c.ended) for c in told.claims] == [
        ("ward 4", "over", "released"),
        ("ward 3", "over", "transferred"),
    ]
    assert told.here == (OXYGEN,)
    assert await kept.stands() == {}


async def test_a_device_that_is_not_here_needs_a_person_at_a_screen(kept):
    await kept.act("claim", "ward 3")
    refused = await kept.act("confirm")
    confirmed = await kept.act("confirm", on_screen=True)

    assert refused.error == say("ownership.refused.not_here", device=OXYGEN)
    assert (confirmed.owned.proof, confirmed.owned.confirmed_by) == ("person", "Nora Nurse")


async def test_a_machines_word_is_no_persons(kept):
    digest = await _token(kept, Scope.MANAGE_DEVICES)
    by = await kept.ownership.machine(digest)
    await kept.act("claim", "ward 3", by=by, token=digest)
    refused = await kept.act("confirm", by=by, token=digest, on_screen=True)
    kept.here = {OXYGEN: "1"}
    confirmed = await kept.act("confirm", by=by, token=digest)

    assert not refused.acted
    assert (confirmed.owned.proof, confirmed.owned.confirmed_by) == ("device", "machine app")


async def test_a_token_without_the_scope_or_revoked_acts_not(kept):
    good = await _token(kept, Scope.MANAGE_DEVICES, name="good")
    other = await _token(kept, Scope.READ_DEVICES, name="other")
    assert await kept.ownership.machine(good) is not None
    assert await kept.ownership.machine(other) is None
    assert await kept.ownership.machine("0" * 64) is None
    tokens = Tokens(kept.file, utc=lambda: (UTC_NS, True))
    (one,) = (await tokens.told("good", "", 0, 1)).tokens
    await tokens.act(ADMIN, TokenAct(id="revoke-0001", verb="revoke", token=one.id))

    assert await kept.ownership.machine(good) is None


async def test_what_cannot_be_is_said(kept):
    assert (await kept.act("claim", " ")).error == say("ownership.refused.owner")
    assert (await kept.act("confirm")).error == say("ownership.refused.no_claim")
    assert (await kept.act("withdraw")).error == say("ownership.refused.no_claim")
    assert (await kept.act("release")).error == say("ownership.refused.nobodys")
    assert (await kept.act("transfer", "ward 4")).error == say("ownership.refused.nobodys")
    await kept.act("claim", "ward 3")
    await kept.act("confirm", on_screen=True)
    assert (await kept.act("claim", "ward 4")).error == say("ownership.refused.owned", owner="ward 3")
    assert (await kept.act("transfer", "ward 3")).error == say("ownership.refused.same", owner="ward 3")
    refusals = [message for _, message in kept.said]

    assert [m.body["change"] for m in refusals] == ["claim", "confirm"]


async def test_a_later_claim_takes_the_place_of_one_that_waits(kept):
    await kept.act("claim", "somebody")
    await kept.act("claim", "ward 3")

    assert await kept.stands() == {"claimed": "ward 3"}
    assert [c.ended for c in (await kept.ownership.told(OXYGEN)).claims] == ["", "replaced"]


async def test_every_step_is_in_the_audit_and_told_to_the_clouds(kept):
    kept.here = {OXYGEN: "2"}
    digest = await _token(kept, Scope.MANAGE_DEVICES)
    await kept.act("claim", "ward 3")
    await kept.act("confirm", by=await kept.ownership.machine(digest), token=digest)
    await kept.act("release")

    def entries(db):
        assert audit.broken_at(db) is None
        return [e for e in audit.entries(db) if e["subject"] == OXYGEN]

    told = ask_box(kept.path, entries)

    assert [(e["act"], e["actor"], e["body"]["owner"]) for e in told] == [
        ("device_claim", "Nora Nurse", "ward 3"),
        ("device_confirm", "machine app", "ward 3"),
        ("device_release", "Nora Nurse", "ward 3"),
    ]
    assert told[1]["by"]["role"] == "machine"
    assert [(bed, m.message, m.lane, m.device) for bed, m in kept.said] == [
        ("2", MESSAGE, Lane.EVENTS, OXYGEN)
    ] * 3
    assert [heard(MESSAGE, m.body).owner for _, m in kept.said] == [None, "ward 3", None]


VERBS = st.sampled_from(["claim", "confirm", "transfer", "release", "withdraw"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(VERBS, st.sampled_from(["a", "b"]), st.booleans()), max_size=12))
def test_whatever_is_asked_a_device_has_one_owner_and_one_claim_at_most(tmp_path_factory, steps):
    async def main():
        kept = Kept(tmp_path_factory.mktemp("box"))
        owner = None
        for verb, who, here in steps:
            kept.here = {OXYGEN: "1"} if here else {}
            claimed = (await kept.stands()).get("claimed")
            done = await kept.act(verb, who)
            stands = await kept.stands()
            assert set(stands) <= {"owned", "claimed"}
            if stands.get("owned") != owner:
                assert done.acted
                assert (verb, here, stands.get("owned")) == ("confirm", True, claimed) or verb == "release"
            owner = stands.get("owned")
        await kept.file.close()

    asyncio.run(main())


async def _token(kept, scope, name="app"):
    tokens = Tokens(kept.file, utc=lambda: (UTC_NS, True))
    act = TokenAct(id=f"create-{name:>8}", verb="create", name=name, scopes=(scope,))
    return digest_of((await tokens.act(ADMIN, act)).secret)
