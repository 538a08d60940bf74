"""A file in the place of the one before: whole or not at all, and safe from a power cut."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def replace_whole(path: Path, data: bytes, mode: int, owner: os.stat_result | None = None) -> None:
    """Write `data` beside `path`, then put it there. `owner`: whose it is, where we may give it away. Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        if owner is not None:
            with suppress(PermissionError):  # who is not root keeps it as its own
                os.fchown(handle, owner.st_uid, owner.st_gid)
        os.fchmod(handle, mode)
        file.write(data)
        file.flush()
        os.fsync(handle)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
