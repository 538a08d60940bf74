"""What the forwarder says of the clouds, over the control socket: `POST /clouds` takes a `CloudsSeen`."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.model.signals import Fact, FactState, Nanos

CLOUD = "cloud"
"""Source of the Fact that messages do not reach a cloud; the alarm table says after how long that is an alarm."""


class CloudsSeen(BaseModel):
    """Destinations that take nothing, by name, and since when (CLOCK_BOOTTIME) the first of them does not. None: all is well."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unreachable: tuple[str, ...] = ()
    since_ns: Nanos = 0
    detail: str = Field("", max_length=1000)


class CloudRoutes:
    """The route, for `Server`; `hear` gets the Fact whenever it is another."""

    def __init__(self, hear: Callable[[Fact], None], now_ns: Callable[[], Nanos]) -> None:
        self._hear = hear
        self._now_ns = now_ns
        self._said: tuple[str, ...] = ()

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/clouds", self._seen)

    async def _seen(self, request: web.Request) -> web.Response:
        try:
            seen = CloudsSeen.model_validate_json(await request.read())
        except ValidationError:
            raise web.HTTPBadRequest from None
        if seen.unreachable != self._said:
            self._said = seen.unreachable
            state, now_ns = FactState.FAILED if seen.unreachable else FactState.OK, self._now_ns()
            since_ns = min(seen.since_ns, now_ns) if seen.unreachable else now_ns
            detail = seen.detail or ", ".join(seen.unreachable)
            self._hear(Fact(CLOUD, state, since_ns=since_ns, t_ns=now_ns, detail=detail))
        return web.Response(status=204)
