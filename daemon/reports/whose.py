"""Whose report it is: the session, its patient and its place, and the texts that every report has of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from daemon import __version__
from daemon.model.signals import Nanos
from daemon.reports.job import Job, NotMakeable
from daemon.store.reader import Reader
from daemon.store.recorded import RecordedSession, session
from daemon.words import say

MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"
ABSENT = "---"
"""What stands where nothing could be measured; never a zero."""


@dataclass(frozen=True, slots=True)
class Whose:
    """A session of a report: `t0_ns` .. `t1_ns` of its boot; one that goes on ends with what is stored."""

    job: Job
    session: RecordedSession
    t0_ns: Nanos
    t1_ns: Nanos
    device: str
    device_title: str
    firmware: str

    @classmethod
    def of(cls, reader: Reader, job: Job) -> Whose:
        """Raises `NotMakeable` where there is no such session."""
        found = session(reader, job.asked.session)
        if found is None:
            raise NotMakeable(say("report.no_session", session=job.asked.session))
        ended_ns = found.ended_ns
        if ended_ns is None:
            ended_ns = max(reader.newest_ns(found.boot), found.began_ns)
        device = found.device
        if not device:  # it began before anything streamed
            streams = reader.segments(found.boot, found.began_ns, ended_ns, bed=found.bed)
            device = streams[0].device if streams else ""
        row = reader.db.execute("SELECT title, firmware FROM devices WHERE device = ?", (device,)).fetchone()
        title, firmware = row or ("", "")
        return cls(job, found, found.began_ns, ended_ns, device, title, firmware)

    @property
    def patient(self) -> Mapping[str, Any]:
        return self.session.patient or {}

    @property
    def boot(self) -> str:
        return self.session.boot

    @property
    def bed(self) -> str:
        return self.session.bed

    def utc_ns(self, t_ns: Nanos) -> int:
        return t_ns + self.session.utc_offset_ns

    def when(self, t_ns: Nanos, *, zone: bool = False, seconds: bool = True) -> str:
        """A time of the session as the box's clock on the wall had it; with `zone`, its distance from UTC and its name."""
        return local(self.utc_ns(t_ns), zone=zone, seconds=seconds)

    def clock(self, t_ns: Nanos) -> str:
        """The time of day."""
        return moment(self.utc_ns(t_ns)).strftime("%H:%M:%S")

    def person(self) -> list[tuple[str, str]]:
        """Who it is, as rows of a label and a text. Without a patient it says so."""
        known = self.patient
        if not known:
            return [(say("report.patient"), say("report.nobody"))]
        born = known.get("birth_date")
        on = moment(self.utc_ns(self.t0_ns)).date()
        return [
            (say("report.patient"), str(known.get("full_name") or ABSENT)),
            (say("report.patient_id"), str(known.get("patient_id") or ABSENT)),
            (say("report.born"), str(born or ABSENT)),
            (say("report.age"), _age(known, on)),
            (say("report.sex"), str(known.get("gender") or ABSENT)),
        ]

    def place(self) -> list[tuple[str, str]]:
        """Where and with what it was recorded."""
        box = self.job.box
        bed = box.beds.get(self.bed, self.bed)
        device = " ".join(part for part in (self.device_title, self.device) if part) or ABSENT
        return [
            (say("report.bed"), f"{bed} · {box.name}"),
            (say("report.device"), device + (f" ({self.firmware})" if self.firmware else "")),
            (say("report.session"), self.session.name),
        ]

    @property
    def clock_note(self) -> str:
        """Said where the clock could not be believed."""
        return "" if self.session.clock_is_set else say("report.clock_unset")

    def footer(self) -> str:
        """What made it."""
        serial = self.job.box.serial
        parts = [
            f"vitald {__version__}",
            f"{say('report.serial')} {serial}" if serial else "",
            say("report.id", id=self.job.id),
        ]
        return "  ·  ".join(part for part in parts if part)


def moment(utc_ns: int) -> datetime:
    """The time on the box's wall."""
    return datetime.fromtimestamp(utc_ns / 1e9, UTC).astimezone()


def local(utc_ns: int, *, zone: bool = False, seconds: bool = True) -> str:
    """2026-03-01 22:00:05, with `zone` +01:00 CET behind it."""
    at = moment(utc_ns)
    text = at.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")
    if not zone:
        return text
    offset = at.strftime("%z")
    return f"{text} UTC{offset[:3]}:{offset[3:5]} {at.tzname() or ''}".rstrip()


def duration(seconds: float) -> str:
    """h:mm:ss."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def number(value: float | None, digits: int = 0) -> str:
    """A number as people read it; `ABSENT` for none."""
    return ABSENT if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def _age(known: Mapping[str, Any], on: date) -> str:
    born = known.get("birth_date")
    if born:
        day = date.fromisoformat(str(born))
        return say(
            "report.years", years=str(on.year - day.year - ((on.month, on.day) < (day.month, day.day)))
        )
    return say("report.years", years=str(known["age"])) if known.get("age") is not None else ABSENT
