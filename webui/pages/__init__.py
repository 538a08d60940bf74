"""Pages, one file each, rendered on the server from templates; words are handed to the scripts as JSON."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel

from daemon import words
from daemon.config import Config
from daemon.control.client import NotAnswering
from webui import preferences
from webui.assets import Assets
from webui.signed import who

log = logging.getLogger(__name__)

CONFIG = web.AppKey("config", Config)
_TEMPLATES = web.AppKey("templates", Environment)


def install(app: web.Application, config: Config, assets: Assets) -> None:
    """Give the application what pages need."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent.parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        say=words.say,
        asset=assets.url,
        assets_digest=assets.digest,
        box=" · ".join(filter(None, (config.box.name, config.box.ward))),
        demo=config.box.demo,
    )
    app[CONFIG] = config
    app[_TEMPLATES] = environment


def render(request: web.Request, template: str, **values: Any) -> web.Response:
    """A page. Its scripts find their words and `facts` in the element #page-facts."""
    preferred = preferences.of(request)
    signed = who(request)
    own = {"words": dict(words.table()), "preferred": preferred, "watch": signed.may("watch")}
    facts = {**own, **values.pop("facts", {})}
    html = (
        request.app[_TEMPLATES]
        .get_template(template)
        .render(
            facts=facts,
            preferred=preferred,
            language=words.spoken(),
            signed_in=signed,
            here=quote(request.rel_url.path_qs, safe=""),
            **values,
        )
    )
    return web.Response(text=html, content_type="text/html")


def bed_asked(request: web.Request) -> tuple[str, dict[str, str]]:
    """The key of the bed in the address, and what the screen calls all beds; 404 for a bed that this box does not have."""
    key, names = request.match_info["bed"], bed_names(request.app[CONFIG])
    if key not in names:
        raise web.HTTPNotFound(text=words.say("page.unknown_bed") + "\n")
    return key, names


async def passed_on(answer: Awaitable[BaseModel], whose: str) -> web.Response:
    """Another process's answer as it is; 503 when there is none. `whose` it would be, says the log."""
    try:
        told = await answer
    except NotAnswering as error:
        log.warning("%s: no answer: %s", whose, error)
        return web.json_response({"error": "not_answering"}, status=503)
    return web.json_response(text=told.model_dump_json())


def bed_names(config: Config) -> dict[str, str]:
    """What the screen calls each bed, by key."""
    return {key: bed.name or words.say("page.bed", bed=key) for key, bed in config.beds.items()}
