"""The REST backend of the seeds: what each reply means, the account's token, sessions and their ids, the form of requests."""

from __future__ import annotations

import asyncio
import email.utils
import gzip
import json
import time
from contextlib import ExitStack, asynccontextmanager
from types import SimpleNamespace

import pytest

from daemon.forward.destinations import DONE, Verdict, account, rest
from daemon.forward.destinations.kinds import BadOptions, make
from tests.daemon.forward.destinations import records
from tests.daemon.forward.destinations.cases import RestCase
from tests.daemon.forward.destinations.rest_server import API_KEY, IDENTIFIER, Backend


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    with ExitStack() as stack:
        yield RestCase(tmp_path_factory.mktemp("rest"), stack)


@pytest.fixture
def backend(case):
    """The server as new."""
    fresh = Backend()
    vars(case.backend).update(vars(fresh))
    return case.backend


@pytest.fixture
def clock(monkeypatch):
    """The monotonic clock of the account and of waiting sessions, moved by hand."""
    now = SimpleNamespace(s=1000.0)
    for module in (account, rest):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now.s))
    return now


@asynccontextmanager
async def opened(case, place, **more):
    case.credentials(place.credentials)
    destination = case.destination(place, **more)
    try:
        assert await destination.open() == DONE
        yield destination
    finally:
        await destination.close()


def sealed_of(destination, some, number=1):
    return destination.seal(records.key(number), some[: destination.gather(some)])


def outside(seq=1):
    return [records.metrics(seq, session="")]


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


# -- sessions -------------------------------------------------------------------------------------------------


async def test_data_goes_to_the_session_as_the_server_named_it(case, backend, place):
    async with opened(case, place) as destination:
        await destination.send(sealed_of(destination, [records.session_start(1)], 1))
        metrics = sealed_of(destination, [records.metrics(2)], 2)
        end = sealed_of(destination, [records.session_end(3)], 3)

        assert metrics.path == f"POST /sessions/{records.SESSION}/metrics {records.ECG}"
        assert await destination.send(metrics) == await destination.send(end) == DONE
    assert [path for path, _ in backend.asked] == [
        "/sessions/start",
        "/sessions/server-1/metrics",
        "/sessions/server-1/end",
    ]


async def test_the_servers_name_survives_a_restart(case, backend, place):
    async with opened(case, place) as destination:
        await destination.send(sealed_of(destination, [records.session_start(1)], 1))
    async with opened(case, place) as destination:
        assert await destination.send(sealed_of(destination, [records.metrics(2)], 2)) == DONE

    assert backend.asked[-1][0] == "/sessions/server-1/metrics"


async def test_a_damaged_memory_of_sessions_is_made_anew(case, backend, place):
    place.state.mkdir()
    (place.state / "sessions.db").write_bytes(b"no database at all" * 100)
    async with opened(case, place) as destination:
        assert await destination.send(sealed_of(destination, [records.session_start(1)], 1)) == DONE
    async with opened(case, place) as destination:
        assert await destination.send(sealed_of(destination, [records.metrics(2)], 2)) == DONE


async def test_a_memory_of_sessions_that_cannot_be_written_costs_no_data(case, backend, place):
    """As on a full disk: known until the next start, then the session is started again under its key."""
    place.state.write_bytes(b"a file where the folder should be")
    async with opened(case, place) as destination:
        assert await destination.send(sealed_of(destination, [records.session_start(1)], 1)) == DONE
        assert await destination.send(sealed_of(destination, [records.metrics(2)], 2)) == DONE

    assert backend.asked[-1][0] == "/sessions/server-1/metrics"


async def test_data_waits_for_its_session_to_start_and_then_starts_it_itself(case, backend, place, clock):
    """A destination that is added in the middle of a session never gets the message that started it."""
    async with opened(case, place) as destination:
        sealed = sealed_of(destination, [records.metrics(1)], 1)
        first = await destination.send(sealed)
        clock.s += rest.GRACE_S - 1
        second = await destination.send(sealed)

        assert (first.verdict, second.verdict) == (Verdict.WAIT, Verdict.WAIT)
        assert not backend.asked
        clock.s += 2
        assert await destination.send(sealed) == DONE
        late = sealed_of(destination, [records.session_start(2)], 2)
        assert await destination.send(late) == DONE
        assert await destination.send(sealed_of(destination, [records.metrics(3)], 3)) == DONE
    started = json.loads(backend.stored[backend.asked[0][1]].body)
    assert started == {"device_serial": records.ECG, "device_info": {}}
    # All data of a session stays together, whatever came first.
    assert [path for path, _ in backend.asked if "metrics" in path] == ["/sessions/server-1/metrics"] * 2


async def test_a_start_whose_reply_was_lost_is_the_same_session(case, backend, place):
    async with opened(case, place) as destination:
        start = sealed_of(destination, [records.session_start(1)], 1)
        await destination.send(start)
    (place.state / "sessions.db").unlink()  # as if the box had died before it could note the answer
    async with opened(case, place) as destination:
        assert await destination.send(start) == DONE
        assert await destination.send(sealed_of(destination, [records.metrics(2)], 2)) == DONE

    assert backend.asked[-1][0] == "/sessions/server-1/metrics"


# -- the form of requests -------------------------------------------------------------------------------------


async def test_chunks_that_go_on_from_one_another_become_one_waveform(case, backend, place):
    destination = case.destination(place)
    some = [records.waveform(n) for n in range(1, 15)]
    gap = [records.waveform(1), records.waveform(2), records.waveform(3, first=1200)]
    other = [records.waveform(1), records.waveform(2, segment="seg-2")]
    sessions = [records.waveform(1), records.waveform(2, session="")]

    assert destination.gather(some) == 10
    assert (destination.gather(gap), destination.gather(other), destination.gather(sessions)) == (2, 1, 1)
    body = json.loads(destination.seal(records.key(1), some[:10]).data)
    assert list(body["leads"]) == ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    assert {len(values) for values in body["leads"].values()} == {5000}
    assert body["sampling_rate"] == 500


def test_the_plan_alone_takes_only_what_it_has_a_place_for(case, place):
    plain = case.destination(place, extensions=False)
    ours = case.destination(place)
    report, _ = records.report(1, place)
    inside = [
        records.metrics(1),
        records.waveform(1),
        records.session_start(1),
        records.session_end(1),
        report,
    ]
    outside = [records.metrics(1, session=""), records.alarm(1), records.oxygen(1)]

    assert [plain.takes(record) for record in inside] == [True] * 5
    assert [plain.takes(record) for record in outside] == [False] * 3
    assert all(ours.takes(record) for record in [*inside, *outside])


def test_the_plan_alone_is_the_plan_alone(case, place):
    destination = case.destination(place, extensions=False)
    body = json.loads(destination.seal(records.key(1), [records.metrics(1)]).data)

    assert list(body) == ["timestamp", "metrics"]


def test_a_record_that_keeps_no_contract_is_refused_before_it_is_sent(case, place):
    bad = records.record(1, records.metrics(1).lane, "ecg.metrics/1", {"heart_rate_bpm": "fast"})
    destination = case.destination(place)

    async def send():
        case.credentials(place.credentials)
        try:
            return await destination.send(destination.seal(records.key(1), [bad]))
        finally:
            await destination.close()

    outcome = asyncio.run(send())
    assert outcome.verdict is Verdict.REFUSED
    assert "heart_rate_bpm" in outcome.reason
    assert "fast" not in outcome.reason


async def test_a_report_goes_as_a_form_with_file_and_metadata(case, backend, place):
    report, data = records.report(5, place)
    async with opened(case, place) as destination:
        sealed = sealed_of(destination, [report])
        assert await destination.send(sealed) == DONE

    stored = backend.stored[sealed.key]
    assert stored.path == "/reports/upload"
    assert stored.file == data
    assert json.loads(stored.body)["report"]["filename"] == "ECG_Report_5.pdf"


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"url": "http://cloud.example.org/api/v1"}, "plain_http"),
        ({"url": "ftp://cloud.example.org"}, "https"),
        ({"url": "https://user:word@cloud.example.org"}, "password"),
        ({"url": "https://cloud.example.org", "identifier": "x"}, "password_file"),
        ({"url": "https://cloud.example.org", "pasword_file": "x"}, "pasword_file"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(place, options, key):
    with pytest.raises(BadOptions, match=key):
        make("rest", options, place)
