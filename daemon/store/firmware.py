"""Jobs of new firmware for devices, as rows of box.db. Every function works within its caller's transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple, dataclass
from enum import StrEnum


class JobState(StrEnum):
    """What has become of new firmware for a device."""

    QUEUED = "queued"  # heard of; its file is not here yet
    OFFERED = "offered"  # here and right: a technician decides
    ACCEPTED = "accepted"  # a technician has agreed; it waits for the device
    SENDING = "sending"  # on its way, or running on trial
    DONE = "done"  # the device runs it and has been told to keep it
    FAILED = "failed"  # it was not sent, or not taken: the device is as it was
    ROLLED_BACK = "rolled_back"  # it ran, did not do its work, and the device is as it was
    REFUSED = "refused"  # a technician said no, or the device takes none
    WITHDRAWN = "withdrawn"  # the cloud does not ask for it any more


ENDED = frozenset(
    {JobState.DONE, JobState.FAILED, JobState.ROLLED_BACK, JobState.REFUSED, JobState.WITHDRAWN}
)
UNDER_WAY = frozenset({JobState.ACCEPTED, JobState.SENDING})


@dataclass(frozen=True, slots=True)
class Job:
    """New firmware for a device. `origin` is the cloud's name, "" for a file that a technician brought."""

    origin: str
    device: str
    job: str
    version: str
    file: str
    size: int
    sha256: str
    state: JobState
    reason: str = ""
    since_utc_ns: int = 0
    decided_by: str = ""

    def is_of(self, job: str, sha256: str) -> bool:
        """Whether it is that one and no other under its name."""
        return (self.job, self.sha256) == (job, sha256)


_COLUMNS = "origin, device, job, version, file, size, sha256, state, reason, since_utc_ns, decided_by"


def everything(db: sqlite3.Connection) -> list[Job]:
    """All jobs, by device."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM firmware_jobs ORDER BY device, origin")  # noqa: S608 - our own words
    names = _COLUMNS.split(", ")
    return [Job(**{**dict(zip(names, row, strict=True)), "state": JobState(row[7])}) for row in rows]


def keep(db: sqlite3.Connection, job: Job) -> None:
    """It is so now."""
    marks = ", ".join("?" * len(astuple(job)))
    db.execute(f"INSERT OR REPLACE INTO firmware_jobs ({_COLUMNS}) VALUES ({marks})", astuple(job))  # noqa: S608 - our own words
