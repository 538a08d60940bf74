"""What is exported: a stretch of a session, as it may be told. Every format is made of one of these.

`session` is as it may be told: where the export is de-identified, names, serial numbers and dates in it are others already, so
no format can forget to change them. `bed` and `boot` stay what they are in the store: they are for asking it, and are not told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import Any, TypeVar

from daemon.exchange.deidentify import Pseudonyms, Told
from daemon.model.signals import Nanos
from daemon.store.answers import StoredBeat, StoredEvent, StoredNumber, StoredSegment, Trace
from daemon.store.outbox import of_session
from daemon.store.reader import Reader, ask
from daemon.store.recorded import RecordedSession, session

T = TypeVar("T")

SLICE_NS: Nanos = 60_000_000_000
"""Read at once: nothing is held for long that would keep the -wal from shrinking, and memory stays bounded."""

MARK = "DEMO - NOT A PATIENT"


class NotExportable(Exception):
    """The session cannot be had in this format; the text says why and what can be done."""


class Stopped(Exception):
    """Whoever asked does not want it any more."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Subject:
    """Who was recorded, as far as it may be told. `age` in years when it was recorded; `age_text` "90+" where that is all."""

    id: str
    name: str = ""
    born: date | None = None
    age: int | None = None
    age_text: str = ""
    sex: str = ""  # "M", "F", "O" or ""
    address: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Times t0_ns <= t < t1_ns of a session. `named` False: without name, address and phone.

    `zone` None is the box's own. `pseudonyms` None: everything as it is. `box` is the box's serial number, as it may be told.
    """

    database: Path
    session: RecordedSession
    t0_ns: Nanos
    t1_ns: Nanos
    demo: bool = False
    named: bool = True
    zone: tzinfo | None = None
    box: str = ""
    version: str = ""
    pseudonyms: Pseudonyms | None = field(default=None, repr=False)
    told: Told | None = field(default=None, repr=False)
    stopped: Callable[[], bool] = field(default=_never, repr=False)

    @property
    def seconds(self) -> float:
        return (self.t1_ns - self.t0_ns) / 1e9

    def at(self, t_ns: Nanos) -> datetime:
        """When a moment was, with its offset from UTC: the same hour comes twice in autumn, its offset tells which."""
        # Whole microseconds by integers: a float of nanoseconds since 1970 is too coarse.
        micros = (t_ns + self.session.utc_offset_ns) // 1000
        moment = datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000)
        return moment.astimezone(self.zone)

    def serial(self, device: str) -> str:
        """A device's serial number, as it may be told."""
        return self.told.serial(device) if self.told is not None and device else device

    def text(self, text: str) -> str:
        """Free text, as it may be told."""
        return self.told.text(text) if self.told is not None else text

    @property
    def subject(self) -> Subject | None:
        """None: nobody was admitted."""
        known = self.session.patient
        if known is None:
            return None
        years = known.get("age")
        born = known.get("birth_date")
        capped = bool(known.get("age_90"))
        more = {} if not self.named else _named(known)
        return Subject(
            id=str(known.get("patient_id") or ""),
            born=date.fromisoformat(born) if born and self.named else None,
            age=years,
            age_text="90+" if capped else "" if years is None else str(years),
            sex=_SEX.get(str(known.get("gender") or "")[:1].lower(), ""),
            **more,
        )

    def metrics(self, begin_ns: Nanos, end_ns: Nanos) -> list[StoredNumber]:
        """Numbers of a part of it."""
        return self.ask(lambda r: r.metrics(self.session.boot, begin_ns, end_ns, bed=self.session.bed))

    def traces(self, begin_ns: Nanos, end_ns: Nanos, stream: str) -> list[Trace]:
        """Samples of a part of it."""
        boot, bed = self.session.boot, self.session.bed
        return self.ask(lambda r: r.read(boot, begin_ns, end_ns, bed=bed, stream=stream))

    def segments(self) -> list[StoredSegment]:
        return self.ask(lambda r: r.segments(self.session.boot, self.t0_ns, self.t1_ns, bed=self.session.bed))

    def events(self, kinds: Sequence[str]) -> list[StoredEvent]:
        boot, bed = self.session.boot, self.session.bed
        return self.ask(lambda r: r.events(boot, self.t0_ns, self.t1_ns, bed=bed, kinds=kinds))

    def beats(self) -> list[StoredBeat]:
        return self.ask(lambda r: r.beats(self.session.boot, self.t0_ns, self.t1_ns, bed=self.session.bed))

    def ask(self, question: Callable[[Reader], T]) -> T:
        """The store's answer. Raises `Stopped`, sqlite3.Error, OSError."""
        if self.stopped():
            raise Stopped
        return ask(self.database, question)

    def slices(self) -> list[tuple[Nanos, Nanos]]:
        return [(t, min(t + SLICE_NS, self.t1_ns)) for t in range(self.t0_ns, self.t1_ns, SLICE_NS)]


_SEX = {"m": "M", "f": "F", "o": "O"}


def _named(known: Any) -> dict[str, str]:
    return {
        "name": str(known.get("full_name") or ""),
        "address": str(known.get("address") or ""),
        "phone": str(known.get("phone") or ""),
    }


def found_session(database: Path, name: str) -> RecordedSession | None:
    """The session of a name or UUID. Raises sqlite3.Error, OSError."""
    return ask(database, lambda r: session(r, name))


def is_demo(database: Path, one: RecordedSession) -> bool:
    """Whether the session says of itself that it was a simulator's."""
    rows = ask(database, lambda r: of_session(r, one.name, 0, 200))
    return any(bool((row.body or {}).get("demo_mode")) for row in rows if row.message == "ecg.metrics/1")


def bounds(
    database: Path, one: RecordedSession, start_s: float = 0.0, end_s: float = math.inf
) -> tuple[Nanos, Nanos]:
    """Seconds of a session as times. Raises `NotExportable` where nothing lies between them."""
    ended_ns = one.ended_ns if one.ended_ns is not None else stored_until(database, one)
    t0_ns = one.began_ns + round(max(start_s, 0.0) * 1e9)
    t1_ns = min(ended_ns, one.began_ns + (round(end_s * 1e9) if math.isfinite(end_s) else 2**62))
    if t1_ns <= t0_ns:
        raise NotExportable("the session has nothing in this span")
    return t0_ns, t1_ns


def stored_until(database: Path, one: RecordedSession) -> Nanos:
    """The end of what is stored of a session that goes on."""
    segments = ask(database, lambda r: r.segments(one.boot, one.began_ns, 2**62, bed=one.bed))
    return max((s.stored_until_ns for s in segments), default=one.began_ns)
