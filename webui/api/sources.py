"""What the API asks: the store (read-only, its own readers), the daemon, the worker. None of it is shared with the pages' questions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from daemon.config import Config
from daemon.control.messages import State
from daemon.control.ownership import OwnershipClient
from daemon.control.reports import ReportClient
from daemon.control.tokens import TokenClient
from daemon.control.work import WorkClient
from daemon.store.reader import History
from webui.api.guard import DOOR, Door
from webui.api.live import FEED, Feed
from webui.api.problems import NotAnswered
from webui.api.routes import Call


@dataclass(frozen=True, slots=True)
class Sources:
    """Where answers come from; `beds` are those of the configuration, with their names."""

    history: History
    ownership: OwnershipClient
    reports: ReportClient
    worker: WorkClient
    reports_folder: Path
    beds: dict[str, str]


SOURCES = web.AppKey("api_sources", Sources)


def install(app: web.Application, config: Config, beds: dict[str, str], feed: Feed) -> None:
    """Give the application what the API asks."""
    app[FEED] = feed

    async def opened(app: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            socket = config.box.socket
            app[DOOR] = Door(await stack.enter_async_context(TokenClient(socket)))
            app[SOURCES] = Sources(
                History(config.box.database),
                await stack.enter_async_context(OwnershipClient(socket)),
                await stack.enter_async_context(ReportClient(socket)),
                await stack.enter_async_context(WorkClient(config.work_socket)),
                config.box.data / "reports",
                beds,
            )
            yield

    app.cleanup_ctx.append(opened)


def sources(call: Call) -> Sources:
    """Where this request's answer comes from."""
    return call.request.app[SOURCES]


def feed_of(call: Call) -> Feed:
    """What is live."""
    return call.request.app[FEED]


def now(call: Call) -> State:
    """The newest word of the daemon. Raises `NotAnswered` while it is silent."""
    feed = call.request.app[FEED]
    if feed.state is None or not feed.answers:
        raise NotAnswered("box_silent")
    return feed.state


def known_bed(call: Call, bed: str) -> str:
    """A bed of this box. Raises `NotAnswered` for another."""
    if bed not in sources(call).beds:
        raise NotAnswered("not_found", "there is no such bed", "bed")
    return bed
