"""Signing in and out, one's own account, and the first set-up."""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import suppress
from typing import TypeVar
from zoneinfo import available_timezones

from aiohttp import web
from pydantic import BaseModel, ValidationError

from daemon.control.asking import first_fault
from daemon.control.client import NotAnswering
from daemon.control.people import AccountAct, PersonActed, SetUp, SetUpTold, SignIn, SignInTold
from daemon.words import say
from webui.pages import CONFIG, alarms, bed_names, numbers, passed_on, render
from webui.signed import ANSWERED_WITHIN_S, hold, let_go, people_of, screen_held, who

M = TypeVar("M", bound=BaseModel)


def install(app: web.Application) -> None:
    """Add the pages and what they ask."""
    app.router.add_get("/sign-in", sign_in_page)
    app.router.add_get("/setup", setup_page)
    app.router.add_get("/account", account_page)
    app.router.add_get("/api/who", _who)
    app.router.add_get("/api/sign-in", _faces)
    app.router.add_post("/api/sign-in", _sign_in)
    app.router.add_post("/api/sign-out", _sign_out)
    app.router.add_post("/api/setup", _set_up)
    app.router.add_post("/api/account", _account)


async def sign_in_page(request: web.Request) -> web.Response:
    """GET /sign-in?next=PATH."""
    facts = {"page": "sign-in", "next": way_on(request.query.get("next", "")), **_facts()}
    return render(request, "signin.html", beds=_beds(request), facts=facts)


async def setup_page(request: web.Request) -> web.Response:
    """GET /setup: what the box is, and the first administrator; whoever comes later signs in."""
    config, told = request.app[CONFIG], SetUpTold(needed=True)
    with suppress(NotAnswering, TimeoutError):
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            told = await people_of(request).setup()
    own_beds = {key: bed.name for key, bed in config.beds.items()}
    facts = {"page": "setup", **_facts()}
    return render(
        request,
        "setup.html",
        beds=_beds(request),
        own_beds=own_beds,
        box_table=config.box,
        zones=sorted(available_timezones()),
        told=told.told,
        facts=facts,
    )


async def account_page(request: web.Request) -> web.Response:
    """GET /account; nobody signed in has none."""
    if not who(request).person:
        raise web.HTTPFound("/sign-in?next=%2Faccount")
    return render(request, "account.html", beds=_beds(request), facts={"page": "account", **_facts()})


def way_on(asked: str) -> str:
    """The page that comes after signing in: one of this box, else the first."""
    plain = asked.isprintable() and "\\" not in asked
    return asked if plain and asked.startswith("/") and not asked.startswith("//") else "/"


def _beds(request: web.Request) -> dict[str, str]:
    return bed_names(request.app[CONFIG])


def _facts() -> dict[str, object]:
    return {**numbers.facts(), **alarms.facts()}


async def _who(request: web.Request) -> web.Response:
    """GET /api/who: whose name this page shows now."""
    signed = who(request)
    told = {"name": signed.name, "role": say(f"role.{signed.role}"), "person": signed.person}
    return web.json_response(told | {"known": signed.known})


async def _faces(request: web.Request) -> web.Response:
    """GET /api/sign-in: a `FacesTold`, who may enter a PIN here."""
    return await passed_on(people_of(request).faces(screen_held(request)), "people: the box")


async def _sign_in(request: web.Request) -> web.Response:
    """POST /api/sign-in: a `SignIn`; a `SignInTold` whose secret stays in a cookie."""
    given = await _given(request, SignIn)
    screen = screen_held(request) or secrets.token_urlsafe(32)
    given = given.model_copy(update={"screen": screen})
    return _entered(request, await people_of(request).sign_in(given), screen)


async def _sign_out(request: web.Request) -> web.Response:
    """POST /api/sign-out."""
    await people_of(request).sign_out()
    response = web.json_response({"acted": True})
    let_go(request, response)
    return response


async def _set_up(request: web.Request) -> web.Response:
    """POST /api/setup: a `SetUp`; a `SignInTold`."""
    given = await _given(request, SetUp)
    screen = screen_held(request) or secrets.token_urlsafe(32)
    given = given.model_copy(update={"screen": screen})
    return _entered(request, await people_of(request).set_up(given), screen)


async def _account(request: web.Request) -> web.Response:
    """POST /api/account: an `AccountAct`; a `PersonActed`."""
    act = await _given(request, AccountAct)
    done: PersonActed = await people_of(request).account(act)
    response = web.json_response(text=done.model_dump_json())
    if done.acted:
        hold(request, response, "", "")
    return response


def _entered(request: web.Request, told: SignInTold, screen: str) -> web.Response:
    response = web.json_response(text=told.model_copy(update={"held": ""}).model_dump_json())
    if told.held:
        hold(request, response, told.held, screen if who(request).bedside else "")
    return response


async def _given(request: web.Request, kind: type[M]) -> M:
    try:
        return kind.model_validate_json(await request.read())
    except ValidationError as error:
        raise web.HTTPBadRequest(
            text=json.dumps({"error": first_fault(error)}), content_type="application/json"
        ) from None
