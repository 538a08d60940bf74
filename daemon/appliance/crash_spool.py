"""Where reports of errors wait: a JSON file a kind of error, whole or not there at all, and never more of them than has room.

All processes of the box write there, each under its own user: a lock makes it one at a time. Nothing of it is a patient's.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from daemon.appliance.crash_report import CrashReport, report_of

MOST_FILES, MOST_BYTES = 200, 20_000_000
LOCKED_WITHIN_S = 2.0
LARGEST = 256 * 1024


class Spool:
    """The folder. Whoever may write there, may write every file of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, report: CrashReport) -> None:
        """Keep a report; one of the same kind is counted on. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o770)
        with self._locked():
            path = self.folder / f"{report.fingerprint}.json"
            known = _read(path)
            _write(path, report if known is None else known.again(report))
            self._make_room(path)

    def reports(self) -> list[CrashReport]:
        """All that are kept, the newest first. Raises nothing: what cannot be read is left out."""
        found = [report for path in self._files() if (report := _read(path)) is not None]
        return sorted(found, key=lambda one: (one.last_at, one.fingerprint), reverse=True)

    def report(self, fingerprint: str) -> CrashReport | None:
        """One of them."""
        return _read(self.folder / f"{fingerprint}.json") if fingerprint.isalnum() else None

    def _files(self) -> list[Path]:
        try:
            return sorted(self.folder.glob("*.json"))
        except OSError:
            return []

    def _make_room(self, kept: Path) -> None:
        sized = []
        for path in self._files():
            with contextlib.suppress(OSError):
                stat = path.stat()
                sized.append((stat.st_mtime_ns, path, stat.st_size))
        sized.sort()
        files, size = len(sized), sum(one for _, _, one in sized)
        for _, path, bytes_ in sized:
            if files <= MOST_FILES and size <= MOST_BYTES:
                return
            if path != kept:
                path.unlink(missing_ok=True)
                files, size = files - 1, size - bytes_

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        try:
            with contextlib.suppress(OSError):
                os.fchmod(lock, 0o660)  # whatever the umask; only its owner can, and has
            until = time.monotonic() + LOCKED_WITHIN_S
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.01)
            yield
        finally:
            os.close(lock)


def _read(path: Path) -> CrashReport | None:
    try:
        with path.open("rb") as file:
            return report_of(json.loads(file.read(LARGEST)))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, report: CrashReport) -> None:
    fresh = path.with_suffix(f".{os.getpid()}.part")
    text = json.dumps(report.as_dict(), indent=1, sort_keys=True)
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
