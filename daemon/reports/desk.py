"""The worker's desk for reports: jobs one after the other, each in a process of its own; those that come by themselves; old files.

A report's file lies in the folder before its row is handed to the daemon, and is taken away again where the daemon refuses it:
what is listed is there. What was cut short is begun anew by whoever asked, or with the next look at the sessions that ended.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from aiohttp import web
from pydantic import ValidationError

from daemon.config import Config
from daemon.control.client import NotAnswering
from daemon.control.reports import (
    GoneGiven,
    JobsTold,
    ReportAsked,
    ReportClient,
    ReportGiven,
    ReportJob,
    StatementMade,
)
from daemon.model.ids import uuid7
from daemon.reports.job import Box, Job, NotMakeable, Signed
from daemon.reports.making import Failed, made
from daemon.store.reader import Reader, ask
from daemon.store.reports import oldest_files, report, without_report
from daemon.words import say

T = TypeVar("T")

MOST_WAITING, MOST_REMEMBERED = 20, 50
PATIENCE_S = 120.0
"""So long a daemon that does not answer is waited for."""
RETRY_S = 2.0

LOOK_EVERY_S = 10.0
LOOK_BACK_NS = 24 * 3600 * 10**9
"""Sessions that ended longer ago get no report by themselves."""

log = logging.getLogger(__name__)


class Desk:
    """The routes, the jobs, and what is done without being asked. `utc_ns` is the time of day."""

    def __init__(self, config: Config, utc_ns: Callable[[], int] = time.time_ns) -> None:
        self._config = config
        self._utc_ns = utc_ns
        self.folder = config.box.data / "reports"
        self._jobs: OrderedDict[str, ReportJob] = OrderedDict()
        self._waiting: asyncio.Queue[str] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._running: tuple[str, asyncio.Task[None]] | None = None
        self._tried: dict[tuple[str, str], int] = {}

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/reports", self._begin)
        app.router.add_get("/reports", self._told)
        app.router.add_delete("/reports", self._cancel)

    def start(self) -> None:
        """Begin to work; belongs to the loop."""
        self._tasks = [
            asyncio.create_task(self._work(), name="worker: reports"),
            asyncio.create_task(self._look_after(), name="worker: reports by themselves"),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- routes ------------------------------------------------------------------------------------------

    async def _begin(self, request: web.Request) -> web.Response:
        try:
            asked = ReportAsked.model_validate_json(await request.read())
        except ValidationError:
            raise web.HTTPBadRequest from None
        return web.json_response(text=self.ask(asked).model_dump_json())

    async def _told(self, _request: web.Request) -> web.Response:
        return web.json_response(text=self._jobs_told().model_dump_json())

    async def _cancel(self, request: web.Request) -> web.Response:
        job = request.query.get("job", "")
        if job in self._jobs and self._jobs[job].state == "waiting":
            self._now(job, state="cancelled")
        elif self._running is not None and self._running[0] == job:
            self._running[1].cancel()
            await asyncio.wait({self._running[1]})
        return web.json_response(text=self._jobs_told().model_dump_json())

    def _jobs_told(self) -> JobsTold:
        return JobsTold(jobs=tuple(reversed(self._jobs.values())))

    # --- jobs --------------------------------------------------------------------------------------------

    def ask(self, asked: ReportAsked) -> ReportJob:
        """A new job, waiting for its turn; refused where too many do."""
        name = str(uuid.uuid4())
        if sum(job.state in {"waiting", "running"} for job in self._jobs.values()) >= MOST_WAITING:
            return ReportJob(job=name, state="failed", asked=asked, refused=say("report.busy"))
        self._jobs[name] = ReportJob(job=name, state="waiting", asked=asked)
        for old in [key for key, job in self._jobs.items() if job.state not in {"waiting", "running"}][
            :-MOST_REMEMBERED
        ]:
            del self._jobs[old]
        self._waiting.put_nowait(name)
        return self._jobs[name]

    async def _work(self) -> None:
        while True:
            name = await self._waiting.get()
            if self._jobs[name].state != "waiting":
                continue
            task = asyncio.create_task(self._run(name), name="worker: report")
            self._running = (name, task)
            try:
                await asyncio.wait({task})
            finally:
                if not task.done():
                    task.cancel()
                    await asyncio.wait({task})
                self._running = None

    async def _run(self, name: str) -> None:
        self._now(name, state="running")
        asked = self._jobs[name].asked
        try:
            job = await asyncio.to_thread(self.job, asked)
            given, missing = await made(job, lambda progress: self._now(name, progress=progress))
            await self._hand_in(given)
        except asyncio.CancelledError:
            self._now(name, state="cancelled")
        except (NotMakeable, Failed) as error:
            self._now(name, state="failed", refused=str(error))
        except NotAnswering as error:
            self._now(name, state="failed", refused=say("report.no_daemon", reason=str(error)))
        except (OSError, sqlite3.Error) as error:
            log.warning("reports: %s: %s", asked.kind, error)
            self._now(name, state="failed", refused=str(error))
        except Exception as error:
            log.exception("reports")
            self._now(name, state="failed", refused=type(error).__name__)
        else:
            self._now(name, state="done", progress=1.0, report=given.id, file=given.file, missing=missing)

    def job(self, asked: ReportAsked) -> Job:
        """All that the process needs to know. Raises `NotMakeable`, OSError, sqlite3.Error."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        utc_ns = self._utc_ns()
        signed = None
        if asked.signing is not None:
            asked, signed = self._signed(asked, utc_ns)
        return Job(
            id=uuid7(utc_ns),
            utc_ns=utc_ns,
            asked=asked,
            database=self._config.box.database,
            folder=self.folder,
            box=box_of(self._config),
            signed=signed,
        )

    def _signed(self, asked: ReportAsked, utc_ns: int) -> tuple[ReportAsked, Signed]:
        """The report made again as it was, now with a name under it."""
        signing = asked.signing
        assert signing is not None
        found = ask(self._config.box.database, lambda reader: report(reader, signing.of))
        if found is None:
            raise NotMakeable(say("report.no_report"))
        row = found.row
        if found.replaced_by:
            raise NotMakeable(say("report.replaced"))
        if not asked.actor:
            raise NotMakeable(say("report.nobody_signs"))
        if not (row.patient or {}).get("patient_id") or not (row.patient or {}).get("full_name"):
            raise NotMakeable(say("report.not_identified"))
        again = ReportAsked.model_validate(
            {**row.options, "session": row.session, "kind": row.kind, "actor": asked.actor}
        )
        lines = (
            None if signing.lines is None else tuple(line.strip() for line in signing.lines if line.strip())
        )
        made_by_box = tuple(StatementMade.model_validate(one) for one in row.made)
        if lines == tuple(one.text for one in made_by_box):
            lines = None
        signed = Signed(
            of=signing.of,
            made=made_by_box,
            lines=lines,
            by=asked.actor,
            utc_ns=utc_ns,
            amends=row.state != "preliminary",
        )
        return again, signed

    async def _hand_in(self, given: ReportGiven) -> None:
        """Until the daemon has written the row; where it will not, the file goes again."""
        try:
            refused = await self._written(given)
        except BaseException:
            (self.folder / given.file).unlink(missing_ok=True)
            raise
        if refused:
            (self.folder / given.file).unlink(missing_ok=True)
            raise NotMakeable(refused)

    async def _written(self, given: ReportGiven) -> str:
        """Why the daemon does not take the row, "" where it has."""
        waited_s = 0.0
        async with ReportClient(self._config.box.socket) as client:
            while True:
                try:
                    return (await client.give(given)).refused
                except NotAnswering:
                    if waited_s >= PATIENCE_S:
                        raise
                    await asyncio.sleep(RETRY_S)
                    waited_s += RETRY_S

    def _now(self, name: str, **more: object) -> None:
        self._jobs[name] = self._jobs[name].model_copy(update=more)

    # --- by itself ---------------------------------------------------------------------------------------

    async def _look_after(self) -> None:
        while True:
            with suppress(sqlite3.Error, OSError, NotAnswering):
                await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Reports of sessions that ended, and room for new ones."""
        settings = self._config.reports
        since_ns = self._utc_ns() - LOOK_BACK_NS
        shortest_ns = round(settings.shortest_s * 1e9)
        for kind in settings.at_session_end:
            names = await self._store(lambda r, k=kind: without_report(r, k, since_ns, shortest_ns))  # type: ignore[misc]  # mypy takes no defaults in a lambda
            for session in names:
                asked = ReportAsked(session=session, kind=kind, automatic=True)
                known = any(
                    job.asked == asked and job.state in {"waiting", "running"} for job in self._jobs.values()
                )
                if not known and self._tried.get((session, kind), 0) < 2:
                    self._tried[session, kind] = self._tried.get((session, kind), 0) + 1
                    self.ask(asked)
        await self._make_room()

    async def _make_room(self) -> None:
        """Files beyond the quota go, the oldest first, those before all that every destination has; their rows stay."""
        files = await self._store(lambda r: oldest_files(r, destinations_of(self._config)))
        over = sum(size for _, _, size, _ in files) - self._config.reports.keep_mb * 1_000_000
        gone: list[tuple[str, str]] = []
        for uuid_, file, size, _ in sorted(files, key=lambda one: not one[3]):
            if over <= 0:
                break
            gone.append((uuid_, file))
            over -= size
        if not gone:
            return
        async with ReportClient(self._config.box.socket) as client:
            await client.gone(GoneGiven(reports=tuple(name for name, _ in gone[:1000])))
        for _, file in gone[:1000]:
            (self.folder / file).unlink(missing_ok=True)
        log.info("reports: %d files given up to make room", len(gone))

    async def _store(self, question: Callable[[Reader], T]) -> T:
        return await asyncio.to_thread(ask, self._config.box.database, question)


def box_of(config: Config) -> Box:
    """What reports go by of the configuration."""
    return Box(
        name=config.box.name,
        serial=config.box.serial,
        demo=config.box.demo,
        beds={key: bed.name or key for key, bed in config.beds.items()},
        mains={key: bed.display.mains_hz for key, bed in config.beds.items()},
        paper=config.reports.paper,
        people=os.fspath(config.box.people),
    )


def destinations_of(config: Config) -> list[str]:
    """The destinations that reports go to."""
    if not config.forward.enabled:
        return []
    return [
        name for name, one in config.forward.destinations.items() if one.enabled and "reports" in one.lanes
    ]
