"""The REST backend of the seeds: what each reply means, and the account's token."""

from __future__ import annotations

import asyncio
import email.utils
import gzip
import json
import time

import pytest

from daemon.forward.destinations import DONE, Verdict
from daemon.forward.destinations.kinds import make
from tests.daemon.forward.destinations import records
from tests.daemon.forward.destinations.rest_kit import backend, case, clock, opened, outside, sealed_of
from tests.daemon.forward.destinations.rest_server import API_KEY, IDENTIFIER

__all__ = ["backend", "case", "clock"]


# -- what each reply means ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "headers", "verdict", "wait_s"),
    [
        (200, {}, Verdict.DONE, 0),
        (201, {}, Verdict.DONE, 0),
        (204, {}, Verdict.DONE, 0),
        (302, {"Location": "/login"}, Verdict.PARKED, 0),
        (400, {}, Verdict.REFUSED, 0),
        (403, {}, Verdict.PARKED, 0),
        (404, {}, Verdict.PARKED, 0),
        (405, {}, Verdict.REFUSED, 0),
        (408, {}, Verdict.WAIT, 0),
        (409, {}, Verdict.REFUSED, 0),
        (409, {"Retry-After": "3"}, Verdict.AGAIN, 3),
        (413, {}, Verdict.SPLIT, 0),
        (415, {}, Verdict.REFUSED, 0),
        (422, {}, Verdict.REFUSED, 0),
        (425, {}, Verdict.WAIT, 0),
        (429, {"Retry-After": "17"}, Verdict.WAIT, 17),
        (429, {"Retry-After": "soon"}, Verdict.WAIT, 0),
        (429, {"Retry-After": "999999"}, Verdict.WAIT, 3600),
        (500, {}, Verdict.AGAIN, 0),
        (502, {}, Verdict.AGAIN, 0),
        (503, {"Retry-After": "5"}, Verdict.AGAIN, 5),
        (504, {}, Verdict.AGAIN, 0),
        (507, {}, Verdict.WAIT, 60),
    ],
)
async def test_reply(case, backend, place, status, headers, verdict, wait_s):
    async with opened(case, place) as destination:
        backend.replies = [(status, headers, "")]
        outcome = await destination.send(sealed_of(destination, outside()))

    assert (outcome.verdict, outcome.wait_s) == (verdict, wait_s)
    assert bool(outcome.reason) == (verdict is not Verdict.DONE)


async def test_retry_after_may_be_a_date(case, backend, place):
    async with opened(case, place) as destination:
        until = email.utils.formatdate(time.time() + 120, usegmt=True)
        backend.replies = [(429, {"Retry-After": until}, "")]
        outcome = await destination.send(sealed_of(destination, outside()))

    assert outcome.verdict is Verdict.WAIT
    assert 100 < outcome.wait_s <= 121


async def test_409_with_our_key_means_that_it_has_it(case, backend, place):
    async with opened(case, place) as destination:
        sealed = sealed_of(destination, outside())
        backend.replies = [(409, {}, json.dumps({"error": "seen", "key": sealed.key}))]
        mine = await destination.send(sealed)
        backend.replies = [(409, {}, json.dumps({"error": "seen", "key": records.key(99)}))]
        anothers = await destination.send(sealed)

    assert mine == DONE
    assert anothers.verdict is Verdict.REFUSED


async def test_the_key_travels_with_every_try(case, backend, place):
    async with opened(case, place) as destination:
        sealed = sealed_of(destination, outside())
        backend.replies = [(503, {}, ""), (503, {}, "")]
        verdicts = [(await destination.send(sealed)).verdict for _ in range(3)]

    assert verdicts == [Verdict.AGAIN, Verdict.AGAIN, Verdict.DONE]
    assert backend.asked == [("/devices/ECG-12345/metrics", sealed.key)] * 3


async def test_415_means_without_compression_from_now_on(case, backend, place):
    backend.takes_gzip = False
    async with opened(case, place, compress=True) as destination:
        for number in (1, 2):
            sealed = sealed_of(destination, outside(number), number)
            assert sealed.coding == "gzip"
            assert await destination.send(sealed) == DONE
            assert backend.stored[sealed.key].body == gzip.decompress(sealed.data)

    assert len(backend.asked) == 3  # the first one twice, the second one once


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("metrics.heart_rate", True),
        ("1.body.qrs_ms", True),
        ("Erika Mustermann", False),
        ("45", False),
        ("+49 30 123456", False),
        (17, False),
    ],
)
async def test_of_a_refusal_the_name_of_a_field_is_told_and_nothing_else(case, backend, place, field, said):
    async with opened(case, place) as destination:
        backend.replies = [(422, {}, json.dumps({"field": field, "error": "Erika Mustermann is no number"}))]
        outcome = await destination.send(sealed_of(destination, outside()))

    assert outcome.verdict is Verdict.REFUSED
    assert (str(field) in outcome.reason) == said
    assert "Erika" not in outcome.reason


async def test_a_server_that_says_nonsense_is_not_believed(case, backend, place):
    async with opened(case, place) as destination:
        backend.replies = [(200, {}, "<html>" * 100_000), (500, {}, "[1, 2")]
        first = await destination.send(sealed_of(destination, outside()))
        second = await destination.send(sealed_of(destination, outside()))

    assert first == DONE
    assert second.verdict is Verdict.AGAIN


# -- the account ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("say_life", ["expires_in", "jwt"])
async def test_the_token_is_renewed_at_four_fifths_of_its_life(case, backend, place, clock, say_life):
    backend.life_s, backend.say_life = 1000, say_life
    async with opened(case, place) as destination:
        clock.s += 799
        await destination.send(sealed_of(destination, outside(1), 1))
        before = backend.refreshes
        clock.s += 2
        await destination.send(sealed_of(destination, outside(2), 2))

    assert (backend.logins, before, backend.refreshes) == (1, 0, 1)


async def test_where_there_is_no_refresh_it_signs_in_again(case, backend, place, clock):
    backend.life_s, backend.refresh_works = 1000, False
    async with opened(case, place) as destination:
        clock.s += 900
        assert await destination.send(sealed_of(destination, outside())) == DONE

    assert backend.logins == 2


async def test_a_token_turned_down_is_renewed_once_for_all_who_wait(case, backend, place):
    async with opened(case, place, at_once=8) as destination:
        backend.valid.clear()
        backend.login_s = 0.2  # long enough for all to be turned down
        some = [sealed_of(destination, outside(n), n) for n in range(1, 9)]
        outcomes = await asyncio.gather(*(destination.send(sealed) for sealed in some))

    assert outcomes == [DONE] * 8
    assert backend.logins == 2


async def test_turned_down_again_it_parks(case, backend, place):
    async with opened(case, place) as destination:
        backend.replies = [(401, {}, ""), (401, {}, "")]
        outcome = await destination.send(sealed_of(destination, outside()))

    assert outcome.verdict is Verdict.PARKED
    assert backend.logins == 2
    assert len(backend.asked) == 2


async def test_a_password_changed_meanwhile_parks_and_says_nothing_of_it(case, backend, place):
    async with opened(case, place) as destination:
        backend.valid.clear()
        backend.users[IDENTIFIER] = "changed"
        outcome = await destination.send(sealed_of(destination, outside()))

    assert outcome.verdict is Verdict.PARKED
    assert "battery" not in outcome.reason


async def test_a_server_in_trouble_at_sign_in_is_tried_again(case, backend, place):
    case.credentials(place.credentials)
    destination = case.destination(place, url=f"http://127.0.0.1:{case.port}/api/v1/elsewhere")
    try:
        outcome = await destination.open()
    finally:
        await destination.close()

    assert outcome.verdict is Verdict.PARKED  # nobody there signs anybody in: the address is wrong


async def test_without_an_account_the_key_goes_as_x_api_key(case, backend, place):
    (place.credentials / "key").write_text(API_KEY)
    options = {"url": f"http://127.0.0.1:{case.port}/api/v1", "api_key_file": "key"}
    destination = make("rest", options, place)
    try:
        assert await destination.open() == DONE
        sealed = sealed_of(destination, outside())
        assert await destination.send(sealed) == DONE
    finally:
        await destination.close()

    assert backend.stored[sealed.key].headers["X-API-Key"] == API_KEY
    assert "Authorization" not in backend.stored[sealed.key].headers


async def test_registering_makes_the_account_that_signs_in(case, backend, place):
    case.credentials(place.credentials)
    backend.users.clear()
    destination = case.destination(place)
    try:
        assert (await destination.open()).verdict is Verdict.PARKED
        outcome, user_id = await destination.register({"full_name": "Ward 3", "age": 0, "phone": "1"})
        assert (outcome, user_id) == (DONE, "u-1")
        assert await destination.open() == DONE
    finally:
        await destination.close()
