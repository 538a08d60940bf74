"""People for boxes in tests: whoever holds the name of a role in the cookie has signed in with it."""

from __future__ import annotations

from aiohttp import web

from daemon.control.acting import NobodyKnown, actor_of
from daemon.control.people import SetUpTold, WhoTold
from daemon.model.actor import Actor
from daemon.model.permissions import PEOPLE, Role


class Roles(NobodyKnown):
    """`known` and one of the `more` routes of a control server."""

    def actor(self, held: str, origin: str, *, bedside: bool, active: bool) -> Actor:
        if held not in PEOPLE:
            return super().actor(held, origin, bedside=bedside, active=active)
        return Actor(f"Nora {held.capitalize()}", Role(held), origin, f"id-{held}", bedside=bedside)

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/who", self._who)
        app.router.add_get("/setup", self._setup)

    async def _who(self, request: web.Request) -> web.Response:
        by = actor_of(request)
        told = WhoTold(name=by.name, role=by.role or "console", person=by.person)
        return web.json_response(text=told.model_dump_json())

    async def _setup(self, _request: web.Request) -> web.Response:
        return web.json_response(text=SetUpTold(needed=False).model_dump_json())
