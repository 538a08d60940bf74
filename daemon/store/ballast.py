"""A file that is there to be deleted: on a disk that is full it gives alarms, and the making of room, a place to be written."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from pathlib import Path

log = logging.getLogger(__name__)

_FULL = {sqlite3.SQLITE_FULL}


def is_full(error: BaseException) -> bool:
    """Whether the disk has no room left."""
    if isinstance(error, OSError):
        return error.errno in {28, 122}  # ENOSPC, EDQUOT
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _FULL


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written where the folder is."""
    return shutil.disk_usage(folder).free


class Ballast:
    """`size` bytes in `path`. It is made only where `keep_free` stays beside it."""

    def __init__(self, path: Path, size: int, keep_free: int) -> None:
        self._path = path
        self._size = size
        self._keep_free = keep_free

    @property
    def there(self) -> bool:
        return not self._size or self._path.exists()

    def make(self) -> bool:
        """Whether it is there now. Never raises for what a disk can do."""
        if self.there:
            return True
        if free_bytes(self._path.parent) < self._size + self._keep_free:
            return False
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            with fresh.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
            fresh.replace(self._path)
        except OSError as error:
            log.warning("store: no ballast: %s", error)
            fresh.unlink(missing_ok=True)
            return False
        return True

    def burn(self) -> bool:
        """Give its room back; False where there was none of it."""
        try:
            self._path.unlink()
        except OSError:
            return False
        log.error("store: the disk is full: ballast of %d bytes given up", self._size)
        return True
