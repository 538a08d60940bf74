"""What the forwarder says of the clouds, over the control socket: `POST /clouds` takes a `CloudsSeen`.

Where people rely on a receiver of alarms (`relied_on`), a forwarder that says nothing any more is as bad as a receiver that does not
confirm: both are said after half a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.config import BadConfig, Forward
from daemon.model.signals import Fact, FactState, Nanos

CLOUD = "cloud"
"""Source of the Fact that messages do not reach a cloud; the alarm table says after how long that is an alarm."""

REMOTE = "remote"
"""Source of the Fact that alarms do not reach a receiver that people rely on."""

SILENT_AFTER_NS: Nanos = 30_000_000_000
"""A forwarder speaks every 10 s."""


class CloudsSeen(BaseModel):
    """Destinations that take nothing, by name, and since when (CLOCK_BOOTTIME) the first of them does not. None: all is well.

    `unconfirmed`: those that people rely on and that have not confirmed the alarms for 30 s, `unconfirmed_since_ns` likewise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unreachable: tuple[str, ...] = ()
    since_ns: Nanos = 0
    detail: str = Field("", max_length=1000)
    unconfirmed: tuple[str, ...] = ()
    unconfirmed_since_ns: Nanos = 0


def relied_on(forward: Forward) -> tuple[str, ...]:
    """The receivers of alarms that people rely on, as configured. Raises `BadConfig` for one that gets none."""
    wanted = forward.destinations.items() if forward.enabled else ()
    found = {name: one for name, one in wanted if one.enabled and one.relied_on}
    for name, one in found.items():
        if "alarms" not in one.lanes:
            raise BadConfig(f"forward.destinations.{name}.relied_on: its lanes are without alarms")
    return tuple(found)


class CloudRoutes:
    """The route, for `Server`; `hear` gets a Fact whenever it is another. `relied`: the receivers of alarms that people rely on."""

    def __init__(
        self, hear: Callable[[Fact], None], now_ns: Callable[[], Nanos], relied: Collection[str] = ()
    ) -> None:
        self._hear = hear
        self._now_ns = now_ns
        self._relied = tuple(relied)
        self._heard_ns: Nanos | None = None
        self._said: tuple[str, ...] = ()
        self._lost = ""

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/clouds", self._seen)

    async def _seen(self, request: web.Request) -> web.Response:
        try:
            seen = CloudsSeen.model_validate_json(await request.read())
        except ValidationError:
            raise web.HTTPBadRequest from None
        self._heard_ns = now_ns = self._now_ns()
        if self._relied:
            self._tell_lost(", ".join(seen.unconfirmed), min(seen.unconfirmed_since_ns, now_ns), now_ns)
        if seen.unreachable != self._said:
            self._said = seen.unreachable
            state = FactState.FAILED if seen.unreachable else FactState.OK
            since_ns = min(seen.since_ns, now_ns) if seen.unreachable else now_ns
            detail = seen.detail or ", ".join(seen.unreachable)
            self._hear(Fact(CLOUD, state, since_ns=since_ns, t_ns=now_ns, detail=detail))
        return web.Response(status=204)

    def judge(self, now_ns: Nanos) -> None:
        """A Tick: whether the forwarder still speaks."""
        if self._heard_ns is None:
            self._heard_ns = now_ns
        if self._relied and now_ns - self._heard_ns > SILENT_AFTER_NS:
            self._tell_lost(", ".join(self._relied), self._heard_ns, now_ns)

    def _tell_lost(self, lost: str, since_ns: Nanos, now_ns: Nanos) -> None:
        if bool(lost) == bool(self._lost):
            return
        self._lost = lost
        state = FactState.FAILED if lost else FactState.OK
        self._hear(
            Fact(REMOTE, state, since_ns=since_ns if lost else now_ns, t_ns=now_ns, detail=lost[:1000])
        )
