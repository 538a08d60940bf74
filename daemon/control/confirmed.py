"""`POST /confirmed`: up to which message every receiver has everything, so that the store knows what may go first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.model.outgoing import Lane

TOLD_EVERY_S = 60.0
"""It is said every few seconds; each time that it is written wears the card, and nobody needs it that soon."""


class ConfirmedSeen(BaseModel):
    """`lanes`: lane -> the highest seq up to which every destination that takes the lane has all; of the file `identity`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    identity: str
    lanes: dict[Lane, int] = Field(default_factory=dict)


class ConfirmedRoute:
    """The route, for `Server`; `confirmed` takes the identity and the lanes."""

    def __init__(self, confirmed: Callable[[str, Mapping[Lane, int]], None]) -> None:
        self._confirmed = confirmed
        self._told_s: float | None = None

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/confirmed", self._heard)

    async def _heard(self, request: web.Request) -> web.Response:
        try:
            seen = ConfirmedSeen.model_validate_json(await request.read())
        except ValidationError:
            raise web.HTTPBadRequest from None
        now_s = asyncio.get_running_loop().time()
        if self._told_s is None or now_s - self._told_s >= TOLD_EVERY_S:
            self._told_s = now_s
            self._confirmed(seen.identity, seen.lanes)
        return web.Response(status=204)
