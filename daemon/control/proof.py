"""The proof of the alarm chain over the control socket: `POST /proof` makes one and answers its `ProofTold` when it is over.

`GET /proof` answers a `ProofLast`. Words: `proof.stage.NAME`, `proof.state.STATE`, `proof.why.WHY` (its first word).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from daemon.control.acting import permitted
from daemon.control.asking import SocketClient, told
from daemon.model.permissions import May

StageName = Literal["decoder", "analysis", "alarm", "engine", "sound", "screens"]
STAGES: tuple[StageName, ...] = ("decoder", "analysis", "alarm", "engine", "sound", "screens")


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Stage(_Message):
    """One stage of the way; `why` is a code, then what is known.

    `ms`: of `decoder` what all three stages of the shadow bed took; of `analysis` from the first sample to the first heart rate
    and of `alarm` from the last beat to ASYSTOLE, both of the signal's own time; of the others from the act to their confirmation.
    """

    name: StageName
    state: Literal["ok", "failed", "not_possible"]
    why: str = ""
    ms: float | None = None


class ProofTold(_Message):
    """A test that is over. `interrupted`: an alarm began, which is named by `why`."""

    id: str
    utc_ms: int
    clock_is_set: bool
    actor: str
    state: Literal["passed", "failed", "interrupted"]
    why: str = ""
    stages: tuple[Stage, ...] = ()
    took_ms: float = Field(0.0, ge=0)


class ProofLast(_Message):
    """The last test; none has been made where it is null."""

    last: ProofTold | None = None


class ProofRoutes:
    """`prove` makes a test, or joins that which is under way; `last` gives the result of the last one."""

    def __init__(
        self, prove: Callable[[str], Awaitable[ProofTold]], last: Callable[[], ProofTold | None]
    ) -> None:
        self._prove = prove
        self._last = last

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/proof", self._made)
        app.router.add_get("/proof", self._told)

    async def _made(self, request: web.Request) -> web.Response:
        actor = permitted(request, May.SERVICE)
        return told(await self._prove(actor.name))

    async def _told(self, request: web.Request) -> web.Response:
        permitted(request, May.SEE_TECHNICAL)
        return told(ProofLast(last=self._last()))


class ProofClient(SocketClient):
    """The other end. Everything raises `NotAnswering` where the daemon does not."""

    WITHIN_S = 180.0

    async def prove(self) -> ProofTold:
        """A test; it takes some ten seconds, of a small box that is busy longer."""
        return await self._ask("POST", "/proof", ProofTold)
