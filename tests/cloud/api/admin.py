"""Orders for tests: faults, tokens that end, sessions with ids of its own. Not part of any contract."""

from __future__ import annotations

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from tests.cloud.faults import Rules
from tests.cloud.state import STATE

PREFIX = "/_admin"


class Orders(BaseModel):
    """Absent = as it is."""

    model_config = ConfigDict(extra="forbid")

    own_ids: bool | None = None
    max_bytes: int | None = None
    token_life_s: float | None = None
    revoke: bool = False


async def faults(request: web.Request) -> web.Response:
    state = request.app[STATE]
    if request.method == "POST":
        state.faults.order(Rules.model_validate(await request.json()))
    return web.json_response({"done": state.faults.done})


async def orders(request: web.Request) -> web.Response:
    state = request.app[STATE]
    said = Orders.model_validate(await request.json())
    if said.own_ids is not None:
        state.own_ids = said.own_ids
    if said.max_bytes is not None:
        state.max_bytes = said.max_bytes
    if said.token_life_s is not None:
        state.tokens.life_s = said.token_life_s
    if said.revoke:
        state.tokens.revoke()
    return web.json_response({})


def routes(app: web.Application) -> None:
    app.router.add_route("*", f"{PREFIX}/faults", faults)
    app.router.add_post(f"{PREFIX}/orders", orders)
