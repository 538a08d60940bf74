"""Reports of errors go into the outbox as every message does: a kind of error once an hour, all of them twenty times a day."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Any

from daemon.appliance.crash_report import CrashReport
from daemon.appliance.crash_spool import Spool
from daemon.contracts.registry import said
from daemon.control.crashes import CrashesTold, CrashShown, CrashTold
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import Nanos
from daemon.store.box import BoxFile

log = logging.getLogger(__name__)

HOUR_NS: Nanos = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
MOST_A_DAY = 20
LOOK_EVERY_S = 10.0


class CrashQueue:
    """`offer` takes a message for the outbox; `utc` is UTC in ns, and whether the clock can be believed."""

    def __init__(
        self,
        spool: Spool,
        file: BoxFile,
        offer: Callable[[Outgoing], object],
        *,
        now: Callable[[], Nanos],
        utc: Callable[[], tuple[int, bool]],
    ) -> None:
        self._spool = spool
        self._file = file
        self._offer = offer
        self._now = now
        self._utc = utc

    async def run(self) -> None:
        """Until cancelled. A disk that fails is tried again."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.step()
            except (sqlite3.Error, OSError) as error:
                log.warning("crash reports: %s", error)

    async def step(self) -> int:
        """Queue what may go now; how many that were. A clock that cannot be believed sends nothing. Raises sqlite3.Error, OSError."""
        utc_ns, is_set = self._utc()
        if not is_set:
            return 0
        queued = 0
        reports = await asyncio.to_thread(self._spool.reports)
        for report in reversed(reports):  # the oldest first
            last_ns = _nanos(report.last_at)
            if await self._file.run(lambda db, r=report, t=last_ns: _may_go(db, r, t, utc_ns)):  # type: ignore[misc]
                self._offer(
                    Outgoing(
                        self._now(), Lane.EVENTS, "box.error/1", "", said("box.error/1", body_of(report))
                    )
                )
                queued += 1
        return queued

    async def told(self) -> CrashesTold:
        """All that are kept."""
        utc_ns, _ = self._utc()
        reports = await asyncio.to_thread(self._spool.reports)
        sent, today = await self._file.run(lambda db: _sent(db, utc_ns))
        return CrashesTold(
            crashes=tuple(_told(one, sent.get(one.fingerprint, 0)) for one in reports),
            limited=today >= MOST_A_DAY,
        )

    async def shown(self, fingerprint: str) -> CrashShown | None:
        """What is sent of one."""
        report = await asyncio.to_thread(self._spool.report, fingerprint)
        return None if report is None else CrashShown(body=said("box.error/1", body_of(report)))


def body_of(report: CrashReport) -> dict[str, Any]:
    """The body of box.error/1: all that leaves the box of a report."""
    about = ("process", "kind", "version", "fingerprint", "count", "first_at", "last_at")
    return {
        "error_type": report.error_type,
        "error_message": report.error_message,
        "stack_trace": "\n".join(f"{f.module}:{f.line} {f.function}" for f in report.frames),
        "system_info": {
            **(report.system or {}),
            **{name: getattr(report, name) for name in about},
            "steps": [f"{level} {logger}:{line}" for logger, level, line in report.steps],
        },
    }


def _may_go(db: sqlite3.Connection, report: CrashReport, last_ns: int, utc_ns: int) -> bool:
    """Whether a report goes now, and if so: it has gone."""
    db.execute("DELETE FROM errors_sent WHERE utc_ns <= ?", (utc_ns - 30 * DAY_NS,))
    before = db.execute(
        "SELECT max(utc_ns) FROM errors_sent WHERE fingerprint = ?", (report.fingerprint,)
    ).fetchone()[0]
    if before is not None and (last_ns <= before or utc_ns - before < HOUR_NS):
        return False
    today = db.execute("SELECT count(*) FROM errors_sent WHERE utc_ns > ?", (utc_ns - DAY_NS,)).fetchone()[0]
    if today >= MOST_A_DAY:
        return False
    db.execute("INSERT INTO errors_sent VALUES (?, ?)", (report.fingerprint, utc_ns))
    return True


def _sent(db: sqlite3.Connection, utc_ns: int) -> tuple[dict[str, int], int]:
    counts = dict(db.execute("SELECT fingerprint, count(*) FROM errors_sent GROUP BY fingerprint"))
    today = db.execute("SELECT count(*) FROM errors_sent WHERE utc_ns > ?", (utc_ns - DAY_NS,)).fetchone()[0]
    return counts, today


def _told(report: CrashReport, sent: int) -> CrashTold:
    names = set(CrashTold.model_fields) - {"where", "sent"}
    own = [frame for frame in report.frames if frame.is_own] or list(report.frames)
    where = f"{own[-1].module}:{own[-1].line} {own[-1].function}" if own else ""
    return CrashTold(where=where, sent=sent, **{name: getattr(report, name) for name in names})


def _nanos(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp()) * 1_000_000_000
