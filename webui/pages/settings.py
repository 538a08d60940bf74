"""How the box and its pages are set: for the ward, a bed, or whoever has signed in; and all of it as one file."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError

from daemon.control.client import NotAnswering
from daemon.control.settings import SettingsAct, SettingsActed, SettingsFile, SettingsTold
from daemon.model.settings import SETTINGS, WARD, Level, Setting, bed_level, person_level, zones
from daemon.words import say
from webui.pages import CONFIG, alarms, bed_names, numbers, passed_on, render
from webui.preferences import CLIENT, PREFERENCES, person
from webui.signed import who

FILE_NAME = "vitald-settings.json"
LARGEST_FILE = 60 * 1024
GROUPS = ("waves", "filters", "sounds", "words")


def install(app: web.Application) -> None:
    """Add the page and what it asks."""
    app.router.add_get("/settings", page)
    app.router.add_get("/api/settings", _told)
    app.router.add_post("/api/settings", _act)
    app.router.add_get("/api/settings/limits", _limits)
    app.router.add_get("/api/settings/file", _export)
    app.router.add_post("/api/settings/file", _import)


async def page(request: web.Request) -> web.Response:
    """GET /settings."""
    names = bed_names(request.app[CONFIG])
    levels = [(WARD, say("settings.level.ward")), *((bed_level(key), name) for key, name in names.items())]
    if own := person(request):
        levels.append((person_level(own), say("settings.level.person", name=who(request).name)))
    groups = {group: [one for one in SETTINGS.values() if one.group == group] for group in GROUPS}
    facts: dict[str, Any] = {
        "page": "settings",
        "levels": {one.name: sorted(one.levels) for one in SETTINGS.values()},
        "defaults": {one.name: one.default for one in SETTINGS.values()},
        "largest_file": LARGEST_FILE,
        **numbers.facts(),
        **alarms.facts(),
    }
    return render(
        request,
        "settings.html",
        names=names,
        levels=levels,
        groups=groups,
        options=options,
        title=title,
        facts=facts,
    )


def title(one: Setting) -> str:
    """What a setting is called."""
    own = f"settings.choice.{one.name}"
    return say(own) if _has(own) else say(f"choice.{one.name}")


def options(one: Setting) -> list[tuple[str, str]]:
    """Values of a setting and what they are called; a number within a range has its steps."""
    if one.name == "time_zone":
        return [(zone, zone.replace("_", " ")) for zone in ("UTC", *sorted(zones()))]
    if not one.choices:
        return [(str(value), str(value)) for value in range(one.low, one.high + 1, one.step)]
    return [(value, _choice(one.name, value)) for value in one.choices]


def _choice(name: str, value: str) -> str:
    for key in (f"settings.choice.{name}.{value}", f"choice.{name}.{value}", f"unit.{value}"):
        if _has(key):
            return say(key)
    if value in {"true", "false"}:
        return say(f"choice.cleaning.{value}")
    return value


def _has(key: str) -> bool:
    return say(key) != key


async def _told(request: web.Request) -> web.Response:
    """GET /api/settings: a `SettingsTold` without what other people have set for themselves."""
    own = person_level(person(request))

    async def told() -> SettingsTold:
        levels = (await request.app[CLIENT].told()).levels
        mine = {k: v for k, v in levels.items() if not k.startswith(f"{Level.PERSON}:") or k == own}
        return SettingsTold(levels=mine)

    return await passed_on(told(), "settings: the box")


async def _limits(request: web.Request) -> web.Response:
    """GET /api/settings/limits: a `WardLimitsTold`."""
    return await passed_on(request.app[CLIENT].limits(), "settings: the box")


async def _act(request: web.Request) -> web.Response:
    """POST /api/settings: a `SettingsAct` in, a `SettingsActed` out."""
    return await _carried(request, SettingsAct)


async def _import(request: web.Request) -> web.Response:
    """POST /api/settings/file: a `SettingsFile` in, a `SettingsActed` out."""
    return await _carried(request, SettingsFile)


async def _carried(request: web.Request, kind: type[SettingsAct | SettingsFile]) -> web.Response:
    try:
        act: BaseModel = kind.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return web.json_response({"error": f"{'.'.join(map(str, first['loc']))}: {first['msg']}"}, status=400)
    client = request.app[CLIENT]

    async def done() -> SettingsActed:
        acted = await (client.act(act) if isinstance(act, SettingsAct) else client.take(act))  # type: ignore[arg-type]
        await request.app[PREFERENCES].ask()
        return acted

    return await passed_on(done(), "settings: the box")


async def _export(request: web.Request) -> web.Response:
    """GET /api/settings/file: all that is set, to be kept as a file."""
    try:
        document = (await request.app[CLIENT].export()).document
    except NotAnswering:
        return web.json_response({"error": "not_answering"}, status=503)
    return web.Response(
        text=json.dumps(document, indent=2, sort_keys=True) + "\n",
        content_type="application/json",
        headers={hdrs.CONTENT_DISPOSITION: f'attachment; filename="{FILE_NAME}"'},
    )
