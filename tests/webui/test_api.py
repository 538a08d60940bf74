"""The box API as a machine meets it: what each token opens, pages that lose and repeat nothing, problems that say what is wrong."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
import pytest_asyncio

from daemon.model.scopes import Scope
from tests.webui._machines import ALARMS, ECG, NAME, PDF, REPORT, SECONDS, SESSIONS, machine_box
from webui.api import guard
from webui.api.problems import CODES, MEDIA
from webui.api.table import ROUTES, document

pytestmark = pytest.mark.asyncio(loop_scope="session")

FILLED = {"serial": ECG, "bed": "1", "session": "none", "id": REPORT}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def box(tmp_path_factory):
    async with machine_box(tmp_path_factory.mktemp("machines")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def all_scopes(box):
    async with box.machine(await box.token()) as session:
        yield session


def path_of(route):
    return route.address.format(**FILLED)


async def asked(session, path, **more):
    """Status, body and headers of a GET."""
    async with session.get(path, **more) as reply:
        return reply.status, await reply.json(content_type=None), reply.headers


async def every_page(session, path, name):
    """All things of a list, page by page, and how many pages."""
    found, pages, cursor = [], 0, ""
    joined = "&" if "?" in path else "?"
    while True:
        status, body, _ = await asked(session, f"{path}{joined}cursor={cursor}")
        assert status == 200, body
        found += body[name]
        pages += 1
        cursor = body["next"]
        if not cursor:
            return found, pages


# --- who may -------------------------------------------------------------------------------------------------


async def test_every_route_wants_a_token_and_each_of_its_scopes(box):
    """By enumeration: what is served is what is in the table."""
    served = set()
    async with aiohttp.ClientSession(box.url) as nobody:
        for route in ROUTES:
            served.add((route.method, route.address))
            async with nobody.request(route.method, path_of(route)) as reply:
                assert (reply.status, reply.content_type) == (401, MEDIA), route.path
                assert "Bearer" in reply.headers["WWW-Authenticate"]
    for scope in Scope:
        # a token that has every scope but one opens every route that does not need it
        others = [other for other in Scope if other is not scope]
        async with box.machine(await box.token(*others)) as session:
            for route in (route for route in ROUTES if scope in route.scopes):
                async with session.request(route.method, path_of(route), json={"owner": "x"}) as reply:
                    told = await reply.json(content_type=None)
                    assert (reply.status, told["code"]) == (403, "forbidden"), (scope, route.path)
                    assert scope in told["detail"]
    assert len(served) == len(ROUTES)


async def test_a_route_of_the_api_without_a_row_is_refused(box):
    """What somebody adds to the application and forgets in the table opens to nobody."""
    from aiohttp import web

    async def open_door(_request):
        return web.json_response({"secret": True})

    app = web.Application(middlewares=[guard.guard(ROUTES)])
    app.router.add_get("/api/v1/forgotten", open_door)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/api/v1/forgotten") as reply,
    ):
        assert reply.status == 403
    await runner.cleanup()


async def test_a_cookie_opens_nothing_here_and_a_token_nothing_elsewhere(box):
    token = await box.token()
    async with aiohttp.ClientSession(box.url, cookies={"vitald": "admin"}) as browser:
        status, told, _ = await asked(browser, "/api/v1/devices")
        assert (status, told["code"]) == (401, "no_token")
    async with box.machine(token) as session:
        for path in ("/api/sessions?bed=1", "/api/audit", "/api/clouds"):
            async with session.get(path) as reply:
                assert reply.status in {401, 403}, path
        async with session.post("/api/command", json={}) as reply:
            assert reply.status == 403
        async with session.get("/api/v1/../sessions?bed=1") as reply:
            assert reply.status in {401, 403, 404}


async def test_a_page_of_another_site_that_has_a_token_may_and_one_without_may_not(box):
    """A token is never sent by itself, so that an Origin says nothing more; without one it opens nothing."""
    other = {"Origin": "https://evil.example"}
    async with (
        aiohttp.ClientSession(box.url) as nobody,
        nobody.post(f"/api/v1/devices/{ECG}/release", headers=other) as reply,
    ):
        assert reply.status == 401
    async with box.machine(await box.token()) as session:
        async with session.post(f"/api/v1/devices/{ECG}/release", headers=other) as reply:
            assert reply.status == 409
        async with session.get("/api/v1/beds", headers={"Host": "evil.example"}) as reply:
            assert (reply.status, reply.content_type) == (403, MEDIA)


async def test_a_revoked_token_opens_nothing_within_two_seconds(box, monkeypatch):
    monkeypatch.setattr(guard, "KNOWN_S", 0.0)
    token = await box.token(Scope.READ_BEDS)
    async with box.machine(token) as session:
        assert (await asked(session, "/api/v1/beds"))[0] == 200
        await box.revoke(token)
        assert (await asked(session, "/api/v1/beds"))[0] == 401


async def test_each_token_has_its_own_rate(box):
    one, two = await box.token(Scope.READ_BEDS), await box.token(Scope.READ_BEDS)
    async with box.machine(one) as greedy, box.machine(two) as other:
        said = [(await asked(greedy, "/api/v1/beds")) for _ in range(int(guard.AT_ONCE) + 60)]
        refused = [(body, headers) for status, body, headers in said if status == 429]

        assert refused
        assert all(body["code"] == "too_many" and int(h["Retry-After"]) >= 1 for body, h in refused)
        assert (await asked(other, "/api/v1/beds"))[0] == 200


async def test_a_bucket_fills_at_its_rate():
    now = [0.0]
    bucket = guard.Buckets(2.0, 5.0, lambda: now[0])

    assert [bucket.wait_s("a") for _ in range(6)] == [0.0] * 5 + [0.5]
    assert bucket.wait_s("b") == 0.0
    now[0] = 0.5
    assert [bucket.wait_s("a") for _ in range(2)] == [0.0, 0.5]


async def test_guessing_tokens_is_slowed_down_for_that_address_alone(box):
    good = await box.token(Scope.READ_BEDS)
    async with box.machine("vitald_guess") as guesser:
        statuses = [(await asked(guesser, "/api/v1/beds"))[0] for _ in range(int(guard.WRONG_AT_ONCE) + 10)]

    assert statuses[0] == 401
    assert 429 in statuses
    async with box.machine(good) as session:
        assert (await asked(session, "/api/v1/beds"))[0] == 200


# --- what is answered ------------------------------------------------------------------------------------------


async def test_sessions_page_by_page_and_a_patient_only_for_whoever_may_see_names(box, all_scopes):
    found, pages = await every_page(all_scopes, "/api/v1/sessions?limit=2", "sessions")
    async with box.machine(await box.token(Scope.READ_SESSIONS)) as session:
        _, told, _ = await asked(session, f"/api/v1/sessions/{found[-1]['session']}")

    assert pages == 2
    assert len(found) == SESSIONS
    assert [s["began_at"] for s in found] == sorted((s["began_at"] for s in found), reverse=True)
    assert found[-1]["patient"] == {"patient_id": "p-17", "full_name": NAME, "age": 45, "gender": "f"}
    assert told["patient"] == {"patient_id": "p-17", "full_name": None, "age": None, "gender": None}
    assert (found[-1]["device"], found[-1]["ended_by"], found[-1]["clock"]) == (ECG, "person", "set")


async def test_sessions_by_patient_bed_and_time(all_scopes):
    everything, _ = await every_page(all_scopes, "/api/v1/sessions", "sessions")
    middle = everything[1]["began_at"]
    ours = (await asked(all_scopes, "/api/v1/sessions?patient=p-17"))[1]["sessions"]
    none = (await asked(all_scopes, "/api/v1/sessions?bed=9"))[1]["sessions"]
    since = (await asked(all_scopes, f"/api/v1/sessions?from={middle}"))[1]["sessions"]
    until = (await asked(all_scopes, f"/api/v1/sessions?to={middle}"))[1]["sessions"]

    assert [s["patient"]["patient_id"] for s in ours] == ["p-17"] * len(ours)
    assert ours
    assert none == []
    assert len(since) == 2
    assert len(until) == 1


async def test_numbers_of_a_session_each_once(all_scopes):
    (*_, first) = (await every_page(all_scopes, "/api/v1/sessions", "sessions"))[0]
    path = f"/api/v1/metrics?session={first['session']}&name=heart_rate&limit=50"
    found, pages = await every_page(all_scopes, path, "metrics")

    assert pages == 3
    assert len(found) == SECONDS - 1  # that of the last second is said as the next session begins
    assert [m["value"] for m in found] == [60.0 + n % 30 for n in range(SECONDS - 1)]
    assert [m["at"] for m in found] == sorted({m["at"] for m in found})
    assert found[0].items() >= {"unit": "/min", "device": "", "why": ""}.items()


async def test_numbers_of_a_bed_since_a_time_are_those_of_all_its_sessions(all_scopes):
    since = (datetime.now(UTC) - timedelta(hours=2)).isoformat(timespec="seconds").replace("+00:00", "Z")
    path = f"/api/v1/metrics?bed=1&from={since}&name=heart_rate,spo2&limit=200"
    found, _ = await every_page(all_scopes, path, "metrics")
    none, _ = await every_page(
        all_scopes, f"/api/v1/metrics?bed=1&from={since}&device=X&limit=200", "metrics"
    )
    long_ago, pages = await every_page(
        all_scopes, "/api/v1/metrics?bed=1&from=2020-01-01T00:00:00Z&limit=200", "metrics"
    )

    assert len(found) == SESSIONS * SECONDS
    assert none == []
    assert [m for m in long_ago if m["name"] == "heart_rate"] == found
    assert pages < 100


async def test_the_log_of_alarms(all_scopes):
    found, pages = await every_page(all_scopes, "/api/v1/alarms?limit=3", "alarms")
    none, _ = await every_page(all_scopes, "/api/v1/alarms?priority=high", "alarms")
    row, _ = await every_page(all_scopes, "/api/v1/alarms?alarm=hr_high&bed=1", "alarms")

    assert len(found) == ALARMS
    assert pages >= 3
    assert len({a["occurrence"] for a in found}) == ALARMS
    assert [a["began_at"] for a in found] == sorted((a["began_at"] for a in found), reverse=True)
    assert (found[0]["text"], found[0]["value"], found[0]["limit"]) != ("", None, None)
    assert none == []
    assert row == found


async def test_beds_with_what_stands_there_now(box, all_scopes):
    status, body, _ = await asked(all_scopes, "/api/v1/beds")
    _, bed, _ = await asked(all_scopes, "/api/v1/beds/1")
    numbers = {n["name"]: n for n in bed["numbers"]}

    assert status == 200
    assert [b["bed"] for b in body["beds"]] == ["1"]
    assert body["beds"][0]["demo"] is True
    assert body["beds"][0]["devices"] == [ECG]
    assert numbers["heart_rate"]["value"] == box.feeder.heart_rate
    assert (await asked(all_scopes, "/api/v1/beds/9"))[0] == 404


async def test_reports_and_their_file(box, all_scopes):
    _, body, _ = await asked(all_scopes, "/api/v1/reports")
    _, one, _ = await asked(all_scopes, f"/api/v1/reports/{REPORT}")
    async with all_scopes.get(f"/api/v1/reports/{REPORT}/pdf") as reply:
        pdf, tag = await reply.read(), reply.headers["ETag"]
        assert (reply.status, reply.content_type) == (200, "application/pdf")
    async with all_scopes.get(f"/api/v1/reports/{REPORT}/pdf", headers={"If-None-Match": tag}) as reply:
        assert reply.status == 304
    async with box.machine(await box.token(Scope.READ_REPORTS)) as session:
        _, unnamed, _ = await asked(session, f"/api/v1/reports/{REPORT}")

    assert pdf == PDF
    assert hashlib.sha256(pdf).hexdigest() == one["sha256"]
    assert [r["id"] for r in body["reports"]] == [REPORT]
    assert body["total"] == 1
    assert one["patient"]["full_name"] == NAME
    assert NAME not in json.dumps(unnamed)
    assert (await asked(all_scopes, f"/api/v1/reports/{REPORT[:-1]}0"))[0] == 404


async def test_a_device_becomes_somebodys(box, all_scopes):
    async def step(verb, owner=None, key=None):
        headers = {"Idempotency-Key": key} if key else {}
        body = None if owner is None else {"owner": owner}
        async with all_scopes.post(f"/api/v1/devices/{ECG}/{verb}", json=body, headers=headers) as reply:
            return reply.status, await reply.json(content_type=None)

    assert await step("release") == (409, {**_problem("refused"), "detail": "it belongs to nobody"})
    assert (await step("claim", "ward 3", key="claim-0001"))[0] == 200
    assert (await step("claim", "ward 3", key="claim-0001"))[0] == 200  # the same again
    status, told = await step("confirm")
    assert (status, told["code"]) == (409, "refused")
    box.here[ECG] = "1"
    status, told = await step("confirm")
    assert (status, told["owned"]["owner"], told["owned"]["proof"]) == (200, "ward 3", "device")
    assert told["owned"]["confirmed_by"].startswith("machine app")
    assert (await step("transfer", "ward 4"))[1]["claimed"]["owner"] == "ward 4"
    assert (await step("confirm"))[1]["owned"]["owner"] == "ward 4"
    _, device, _ = await asked(all_scopes, f"/api/v1/devices/{ECG}")
    _, mine, _ = await asked(all_scopes, "/api/v1/devices?owner=ward%204")
    assert [claim["owner"] for claim in device["history"]] == ["ward 4", "ward 3"]
    assert device["link"]["state"] == "streaming"
    assert [d["serial"] for d in mine["devices"]] == [ECG]
    assert (await step("release"))[1] == {"serial": ECG, "owned": None, "claimed": None}
    box.here.clear()


async def test_what_is_known_is_not_sent_again(all_scopes):
    _, first, headers = await asked(all_scopes, "/api/v1/alarms")
    async with all_scopes.get("/api/v1/alarms", headers={"If-None-Match": headers["ETag"]}) as reply:
        assert (reply.status, await reply.read()) == (304, b"")
    async with all_scopes.get("/api/v1/alarms", headers={"If-None-Match": '"other"'}) as reply:
        assert (reply.status, await reply.json()) == (200, first)
    async with all_scopes.head("/api/v1/alarms") as reply:
        assert (reply.status, reply.headers["ETag"]) == (200, headers["ETag"])


@pytest.mark.parametrize(
    ("path", "code", "field"),
    [
        ("/api/v1/sessions?limit=0", "parameters", "limit"),
        ("/api/v1/sessions?limit=201", "parameters", "limit"),
        ("/api/v1/sessions?limit=many", "parameters", "limit"),
        ("/api/v1/sessions?cursor=nonsense", "parameters", "cursor"),
        ("/api/v1/sessions?cursor=MS4y.", "parameters", "cursor"),
        ("/api/v1/sessions?cursor=MS4yLjM", "parameters", "cursor"),
        ("/api/v1/sessions?lmit=3", "parameters", "lmit"),
        ("/api/v1/sessions?bed=1&bed=2", "parameters", "bed"),
        ("/api/v1/sessions?bed=%00", "parameters", None),
        ("/api/v1/sessions?from=yesterday", "parameters", "from"),
        ("/api/v1/sessions?from=2026-13-01T00:00:00Z", "parameters", "from"),
        ("/api/v1/sessions?from=2026-01-01", "parameters", "from"),
        ("/api/v1/metrics", "parameters", "session"),
        ("/api/v1/metrics?bed=1", "parameters", "session"),
        ("/api/v1/metrics?session=none", "not_found", "session"),
        ("/api/v1/alarms?priority=urgent", "parameters", "priority"),
        ("/api/v1/alarms?bed=9", "not_found", "bed"),
        ("/api/v1/reports/none", "not_found", "id"),
        ("/api/v1/devices/none", "not_found", "serial"),
        ("/api/v1/none", "not_found", None),
        ("/api/v1/live", "upgrade", None),
    ],
)
async def test_what_is_wrong_is_said(all_scopes, path, code, field):
    from yarl import URL

    base = str(all_scopes._base_url).rstrip("/")
    status, body, headers = await asked(all_scopes, URL(base + path, encoded=True))

    assert (status, body["code"], body["type"]) == (CODES[code][0], code, f"urn:vitald:problem:{code}")
    assert headers["Content-Type"].startswith(MEDIA)
    assert body.get("field") == field or field is None


async def test_bodies_that_are_none(all_scopes):
    path = f"/api/v1/devices/{ECG}/claim"
    for data, status in (
        (b"", 422),
        (b"{", 422),
        (b'{"owner": " "}', 422),
        (b'{"owner": 1}', 422),
        (b"x" * 70_000, 413),
    ):
        async with all_scopes.post(path, data=data) as reply:
            assert (reply.status, reply.content_type) == (status, MEDIA), data[:20]
    async with all_scopes.delete(path) as reply:
        assert (reply.status, reply.content_type) == (405, MEDIA)


async def test_the_document_is_served(all_scopes):
    status, body, _ = await asked(all_scopes, "/api/v1/openapi.json")

    assert status == 200
    assert body == document()


async def test_while_the_box_is_silent_it_says_so(tmp_path):
    async with machine_box(tmp_path) as silent, silent.machine(await silent.token()) as session:
        assert (await asked(session, "/api/v1/beds"))[0] == 200
        await silent.feeder.stop()
        async with asyncio.timeout(30):
            while (answer := await asked(session, "/api/v1/beds"))[0] != 503:
                await asyncio.sleep(0.3)
        await silent.feeder.start()

    _, said, headers = answer
    assert (said["code"], headers["Retry-After"]) == ("box_silent", "2")


def _problem(code):
    status, title = CODES[code]
    return {"type": f"urn:vitald:problem:{code}", "code": code, "title": title, "status": status}
