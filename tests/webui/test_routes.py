"""Every route of the application, tried in every role, at the bed and elsewhere: what webui/access.py says is what happens."""

from __future__ import annotations

import re
from typing import get_args
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from daemon.control.messages import AlarmVerb
from daemon.model.permissions import PEOPLE, VERBS, May, Role, may
from tests.webui import access_table
from webui import access, signed
from webui.app import serving

pytestmark = pytest.mark.asyncio(loop_scope="session")


def rows(app: web.Application) -> list[tuple[str, str]]:
    """(method, pattern) of everything that the application answers, but for what machines ask."""
    found = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    return sorted(row for row in found if not row[1].startswith(access.MACHINES))


def path_of(pattern: str) -> str:
    """An address that the pattern takes."""
    known = {"{bed}": "1", "{verb}": "pause", "{digest}": "0" * 16}
    for place, value in known.items():
        pattern = pattern.replace(place, value)
    return re.sub(r"{\w+}", "x", pattern)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def answering(box, config_for):
    """The application with all its guards; its handlers answer 204 and do nothing."""

    async def stub(_request: web.Request) -> web.Response:
        return web.Response(status=204)

    config = config_for(box.socket.parent)
    config = config.model_copy(update={"web": config.web.model_copy(update={"metrics": True})})
    async with serving(config) as site:
        for route in site.app.router.routes():
            route._handler = stub
        yield site


async def test_every_route_has_a_row_and_every_row_a_route(answering) -> None:
    assert rows(answering.app) == sorted(access.ROUTES)


SOMEWHERE = [(role, bedside) for role in PEOPLE for bedside in (True, False)]


@pytest.mark.parametrize(("role", "bedside"), [(Role.SCREEN, True), (Role.NOBODY, False), *SOMEWHERE])
async def test_each_role_gets_what_the_table_says_and_nothing_else(
    answering, monkeypatch, role: Role, bedside: bool
) -> None:
    monkeypatch.setattr(signed, "at_bedside", lambda _address: bedside)
    cookie = {"Cookie": f"vitald={role}"} if role in PEOPLE else {}
    headers = {**cookie, "Origin": answering.address.rstrip("/")}
    wrong = []
    async with aiohttp.ClientSession(answering.address, headers=headers) as http:
        for method, pattern in rows(answering.app):
            async with http.request(method, path_of(pattern), allow_redirects=False) as response:
                let_in = response.status == 204
            if let_in is not may(role, access.ROUTES[method, pattern], at_bedside=bedside):
                wrong.append((method, pattern, response.status))
    assert wrong == []


async def test_a_route_without_a_row_is_refused_whoever_asks(answering, monkeypatch) -> None:
    monkeypatch.delitem(access.ROUTES, ("GET", "/devices"))
    for role in PEOPLE:
        async with (
            aiohttp.ClientSession(answering.address, headers={"Cookie": f"vitald={role}"}) as http,
            http.get("/devices") as response,
        ):
            assert response.status == 403


@pytest.mark.parametrize(
    ("role", "asked", "status", "leads_to"),
    [
        (None, "/audit", 302, "/sign-in?next=/audit"),
        (None, "/bed/1/sessions?x=1", 302, "/sign-in?next=/bed/1/sessions?x%3D1"),
        (None, "/api/audit", 401, None),
        ("nurse", "/audit", 403, None),
        ("nurse", "/api/audit", 403, None),
        ("admin", "/audit", 204, None),
    ],
)
async def test_a_page_leads_to_signing_in_and_a_question_is_refused_in_json(
    answering, role, asked, status, leads_to
) -> None:
    headers = {"Cookie": f"vitald={role}"} if role else {}
    async with (
        aiohttp.ClientSession(answering.address, headers=headers) as http,
        http.get(asked, allow_redirects=False) as response,
    ):
        assert response.status == status
        if leads_to:
            told = urlsplit(response.headers["Location"])
            assert f"{told.path}?{told.query}" in {leads_to, leads_to.replace("next=/", "next=%2F")}
        elif asked.startswith("/api/") and status != 204:
            assert (await response.json())["error"]


async def test_where_the_box_does_not_answer_the_bed_goes_on_and_all_else_is_closed(
    answering, box, monkeypatch
) -> None:
    """Fails open for the rights of the screen alone, also where somebody had signed in there."""
    await box.stop()
    monkeypatch.setattr(signed, "KNOWN_S", 0.0)
    try:
        for bedside in (True, False):
            monkeypatch.setattr(signed, "at_bedside", lambda _address, at_bed=bedside: at_bed)
            async with aiohttp.ClientSession(answering.address, headers={"Cookie": "vitald=admin"}) as http:
                told = {}
                for path in ("/", "/bed/1", "/devices", "/audit", "/clouds", "/api/audit", "/sign-in"):
                    async with http.get(path, allow_redirects=False) as response:
                        told[path] = response.status
            shown = 204 if bedside else 503
            assert told == {
                "/": shown, "/bed/1": shown, "/devices": shown, "/audit": 503, "/clouds": 503, "/api/audit": 503,
                "/sign-in": 204,
            }  # fmt: skip
    finally:
        await box.start()


async def test_every_verb_has_a_row_and_acts_are_refused_by_it(site, feeder, monkeypatch) -> None:
    """Alarms, limits and devices: each verb, each role, at the bed and elsewhere."""
    monkeypatch.setattr(signed, "KNOWN_S", 0.0)
    verbs = sorted({"display", "set_device", "assign_device", *get_args(AlarmVerb)})
    assert set(verbs) <= set(VERBS)
    headers = {"Origin": site.rstrip("/")}
    async with aiohttp.ClientSession(site, headers=headers) as http:
        for bedside in (True, False):
            monkeypatch.setattr(signed, "at_bedside", lambda _address, at_bed=bedside: at_bed)
            for role in PEOPLE:
                for number, verb in enumerate(verbs):
                    act = {"id": f"{role}-{bedside}-{number}", "bed": "1", "verb": verb, "values": {}}
                    async with http.post(
                        "/api/command", json=act, headers={"Cookie": f"vitald={role}"}
                    ) as response:
                        needed = may(role, May.SILENCE, at_bedside=bedside) and may(
                            role, VERBS[verb], at_bedside=bedside
                        )
                        assert (response.status not in {401, 403}) is needed, (role, verb, bedside)


async def test_the_page_on_security_is_up_to_date() -> None:
    text = access_table.PAGE.read_text(encoding="utf-8")
    assert text == access_table.renewed(text), "run python -m tests.webui.access_table"
