"""The upload log, as far as the forwarder makes it: what came of each try to send a report's file, told to the daemon.

What the daemon has not heard yet is kept in a small file, so that a report that arrived is not listed as waiting for ever.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from daemon.control.client import NotAnswering
from daemon.control.reports import ReportClient, UploadGiven, UploadsGiven
from daemon.forward.destinations import Outcome, Sealed, Verdict

EVERY_S = 5.0
MOST = 200

log = logging.getLogger(__name__)

_STATES = {Verdict.DONE: "done", Verdict.REFUSED: "refused", Verdict.SPLIT: "refused"}


class UploadLog:
    """`heard` belongs to the loop and does not wait; `run` tells the daemon."""

    def __init__(self, kept: Path, socket: Path, utc_ns: Callable[[], int]) -> None:
        self._kept = kept
        self._socket = socket
        self._utc_ns = utc_ns
        self._news = asyncio.Event()
        self._waiting: dict[tuple[str, str], UploadGiven] = {}
        self._tries: dict[tuple[str, str], int] = {}

    def heard(self, destination: str, sealed: Sealed, outcome: Outcome) -> None:
        """A try to send a report has ended."""
        file = PurePosixPath(sealed.file).name
        key = (file, destination)
        self._tries[key] = self._tries.get(key, 0) + 1
        self._waiting[key] = UploadGiven.model_validate(
            {
                "file": file,
                "destination": destination,
                "state": _STATES.get(outcome.verdict, "waiting"),
                "utc_ns": self._utc_ns(),
                "size": _size(sealed),
                "remote": outcome.remote[:1000],
                "tries": self._tries[key],
                "error": outcome.reason[:1000],
            }
        )
        if outcome.verdict is Verdict.DONE:
            self._tries.pop(key)
        while len(self._waiting) > MOST:
            self._waiting.pop(next(iter(self._waiting)))
        self._keep()
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        self._restore()
        while True:
            if self._waiting:
                await self._tell()
            try:
                async with asyncio.timeout(EVERY_S if self._waiting else None):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()

    async def _tell(self) -> None:
        told = dict(self._waiting)
        try:
            async with ReportClient(self._socket) as client:
                written = await client.uploads(UploadsGiven(uploads=tuple(told.values())))
        except NotAnswering as error:
            log.debug("forward: the daemon does not hear of uploads: %s", error)
            return
        if written.refused:
            log.error("forward: the daemon takes no word on uploads: %s", written.refused)
        for key, one in told.items():
            if self._waiting.get(key) == one:
                del self._waiting[key]
        self._keep()

    def _keep(self) -> None:
        fresh = self._kept.with_name(self._kept.name + ".part")
        try:
            fresh.write_text(
                json.dumps([one.model_dump() for one in self._waiting.values()]), encoding="utf-8"
            )
            fresh.replace(self._kept)
        except OSError as error:
            log.warning("forward: %s: %s", self._kept, error)

    def _restore(self) -> None:
        try:
            told = json.loads(self._kept.read_text(encoding="utf-8"))
            for one in (UploadGiven.model_validate(row) for row in told):
                self._waiting.setdefault((one.file, one.destination), one)
        except (OSError, ValueError):
            return


def _size(sealed: Sealed) -> int:
    try:
        return Path(sealed.file).stat().st_size
    except OSError:
        return 0
