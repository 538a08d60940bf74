"""Writes into the audit who takes what out of the box, before anything leaves it; and sees to the key for pseudonyms.

The worker may read the data folder and not write there: the key is made here, when it is first needed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from daemon import audit
from daemon.control.exports import ExportAsked, Noted
from daemon.exchange.deidentify import NoKey, key_in
from daemon.store.box import BoxFile
from daemon.store.reader import History
from daemon.store.recorded import session

log = logging.getLogger(__name__)


class Exporting:
    """`data` is the folder of the databases; `utc` says what time it is, and whether the clock can be believed."""

    def __init__(
        self, people: BoxFile, history: History, data: Path, utc: Callable[[], tuple[int, bool]]
    ) -> None:
        self._people = people
        self._history = history
        self._data = data
        self._utc = utc

    async def note(self, asked: ExportAsked, actor: str) -> Noted:
        """Refused where there is no such session, or no key can be made. Raises sqlite3.Error, OSError."""
        found = await self._history.ask(lambda reader: session(reader, asked.session))
        if found is None:
            return Noted(refused=f"there is no session {asked.session}")
        if asked.who == "deidentify":
            try:
                await asyncio.to_thread(key_in, self._data, make=True)
            except NoKey as error:
                return Noted(refused=str(error))
        utc_ns, is_set = self._utc()
        subject = str((found.patient or {}).get("patient_id") or "")
        body = {
            "session": found.name,
            "format": asked.form,
            "patient": asked.who,
            "from_s": asked.start_s,
            "to_s": asked.end_s,
            "demo": asked.demo,
        }
        entry = audit.Entry(asked.id, utc_ns, is_set, actor, "export", found.bed, subject, body)
        await self._people.run(lambda db: audit.append(db, entry))
        return Noted(noted=True)
