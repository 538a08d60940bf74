"""The worker's routes for the pages of the past (control/review.py)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from daemon.config import Config
from daemon.control.forwarding import ForwardClient, NotAnswering
from daemon.control.review import MOST_DAYS, DisclosureAsked, GapsAsked, TrendAsked, WhyAsked
from daemon.review.again import Learned
from daemon.review.disclosure import disclosure
from daemon.review.gaps import MOST_CHECKED_H, Box, Cloud, certificate
from daemon.review.trends import trend
from daemon.review.why import why
from daemon.store.reader import Reader

DAY_MS, HOUR_MS = 86_400_000.0, 3_600_000.0

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class Ask(Protocol):
    """A question to the store, on a thread."""

    def __call__(self, question: Callable[[Reader], T], /) -> Awaitable[T]: ...


class Review:
    """The handlers. `ask` asks the store."""

    def __init__(self, config: Config, ask: Ask) -> None:
        self._config = config
        self._ask = ask
        self._learned: Learned | None = None

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_post("/trends", self._trends)
        app.router.add_post("/disclosure", self._disclosure)
        app.router.add_post("/gaps", self._gaps)
        app.router.add_post("/why", self._why)

    async def _trends(self, request: web.Request) -> web.Response:
        asked = await _read(TrendAsked, request)
        _bounded(asked.from_ms, asked.to_ms, MOST_DAYS * DAY_MS)
        now_ns = time.time_ns()
        return _answer(await self._ask(lambda reader: trend(reader, asked, now_ns)))

    async def _disclosure(self, request: web.Request) -> web.Response:
        asked = await _read(DisclosureAsked, request)
        now_ns = time.time_ns()
        made = await self._ask(lambda reader: disclosure(reader, asked, now_ns).encoded())
        return web.Response(body=made, content_type="application/octet-stream")

    async def _gaps(self, request: web.Request) -> web.Response:
        asked = await _read(GapsAsked, request)
        _bounded(
            asked.from_ms, asked.to_ms, (MOST_CHECKED_H * HOUR_MS) if asked.check else MOST_DAYS * DAY_MS
        )
        box = Box(self._config.box.name, self._config.box.serial)
        told = await clouds(self._config)
        now_ns = time.time_ns()
        return _answer(await self._ask(lambda reader: certificate(reader, asked, box, told, now_ns)))

    async def _why(self, request: web.Request) -> web.Response:
        asked = await _read(WhyAsked, request)
        now_ns = time.time_ns()
        learned = self._learned = self._learned or Learned.loaded()
        told = await self._ask(lambda reader: why(reader, asked, learned, now_ns))
        if told is None:
            raise web.HTTPNotFound
        return _answer(told)


async def clouds(config: Config) -> tuple[Cloud, ...] | None:
    """What each destination says that it has; None where the forwarder does not answer, none where nothing is sent anywhere."""
    if not config.forward.enabled:
        return ()
    try:
        async with ForwardClient(config.forward_socket) as client:
            told = await client.told()
    except NotAnswering:
        return None
    return tuple(
        Cloud(one.name, one.state, one.lanes["waveform"].confirmed)
        for one in told.destinations
        if "waveform" in one.lanes
    )


def _bounded(from_ms: float, to_ms: float, most_ms: float) -> None:
    if not 0 < to_ms - from_ms <= most_ms:
        raise web.HTTPBadRequest(
            text=f"a span is longer than nothing and not longer than {most_ms / HOUR_MS:g} h"
        )


async def _read(kind: type[M], request: web.Request) -> M:
    try:
        return kind.model_validate_json(await request.read())
    except ValidationError:
        raise web.HTTPBadRequest from None


def _answer(told: Any) -> web.Response:
    return web.json_response(text=told.model_dump_json())
