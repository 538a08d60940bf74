"""Which session of ours has which id at a backend. The backend gives the id when a session starts; it is kept in a file.

Writing blocks for as long as the disk does: call it beside the event loop.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LOG = logging.getLogger(__name__)

KEPT: Final = 10_000
"""Sessions remembered, the latest ones. Data of an older one starts it again, under the same key."""


class Sessions:
    """A small file of its own: made with the first session, and made anew when it is damaged."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "sessions.db"
        self._known: dict[str, str] = {}

    def known(self, name: str) -> str:
        """The same as `find`, as far as it is known without asking the disk."""
        return self._known.get(name, "")

    def find(self, name: str) -> str:
        """The backend's id of a session; "" when it has not started there."""
        if name not in self._known and self._path.exists():
            with contextlib.suppress(sqlite3.DatabaseError), self._file() as file:
                for row in file.execute("SELECT id FROM sessions WHERE name = ?", (name,)):
                    self._known[name] = row[0]
        return self._known.get(name, "")

    def keep(self, name: str, backends_id: str) -> None:
        """Remember, across restarts and power cuts."""
        try:
            self._write_anyhow(name, backends_id)
        except (
            sqlite3.Error,
            OSError,
        ) as error:  # a full disk, say: known until the next start, then started again
            _LOG.warning("the id of a session could not be kept: %s", type(error).__name__)
        self._known = {**self._known, name: backends_id} if len(self._known) < KEPT else {name: backends_id}

    def _write_anyhow(self, name: str, backends_id: str) -> None:
        try:
            self._write(name, backends_id)
        except sqlite3.OperationalError:
            raise  # the disk's trouble, not the file's
        except sqlite3.DatabaseError:
            self._path.unlink(missing_ok=True)
            self._write(name, backends_id)

    def _write(self, name: str, backends_id: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._file() as file, file:
            file.execute(
                "CREATE TABLE IF NOT EXISTS sessions (at INTEGER PRIMARY KEY AUTOINCREMENT,"
                " name TEXT NOT NULL UNIQUE, id TEXT NOT NULL) STRICT"
            )
            file.execute("INSERT OR REPLACE INTO sessions (name, id) VALUES (?, ?)", (name, backends_id))
            file.execute("DELETE FROM sessions WHERE at <= (SELECT max(at) FROM sessions) - ?", (KEPT,))

    @contextlib.contextmanager
    def _file(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=5.0)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
        finally:
            connection.close()
