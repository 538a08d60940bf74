"""How every process logs: a line on standard error, with its priority before it where the journal reads that (sd-daemon(3)).

The journal then keeps the priority of each line, so that `journalctl -p warning` finds what went wrong. Which process it was
stands in the field VITALD_PROCESS (systemd/*.service). Nobody's name is ever logged: ids are.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

STANDARD_ERROR = 2

FORMAT = "%(levelname)s %(name)s: %(message)s"

PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""Python's levels and those of syslog(3); what is below is 7."""

STANDARD_ERROR = 2
"""Its file descriptor, as every process is given it."""


class Prefixed(logging.Formatter):
    """Each line begins with `<priority>`, those of a traceback too; the level's name is left to the journal."""

    def __init__(self) -> None:
        super().__init__("%(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a record."""
        priority = next((number for level, number in PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines() or [""])


def is_journal(descriptor: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a descriptor ends in the journal: systemd says which file it gave (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM", "") == f"{found.st_dev}:{found.st_ino}"


def begin() -> None:
    """Log from now on, once a process."""
    handler = logging.StreamHandler()
    handler.setFormatter(Prefixed() if is_journal(STANDARD_ERROR) else logging.Formatter(FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
