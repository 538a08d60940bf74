"""Sessions as they were recorded: questions for `reader.ask` and `History.ask`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from daemon.model.signals import Nanos
from daemon.store.imports import PREFIX
from daemon.store.reader import Reader
from daemon.store.sessions import Occupant


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """A session. UTC in nanoseconds = time + utc_offset_ns by the newest knowledge; `ended_ns` None: it goes on.

    `patient` as box.db knew them when it began (None: nobody was admitted), `summary` as in box.session_end/1.
    """

    name: str
    uuid: str
    bed: str
    boot: str
    began_ns: Nanos
    ended_ns: Nanos | None
    ended_by: str
    began_by: str
    actor: str
    patient: Mapping[str, Any] | None
    summary: Mapping[str, Any] | None
    device: str
    rate_hz: float | None
    utc_offset_ns: int
    clock_is_set: bool

    @property
    def source(self) -> Literal["live", "import"]:
        """Whether it was recorded here, or comes from a device's own card (store/imports.py)."""
        return "import" if self.boot.startswith(PREFIX) else "live"


@dataclass(frozen=True, slots=True)
class RecordedAct:
    """A command of a person: its id, who gave it, its verb and bed, when (UTC in ns), and whether the clock could be believed."""

    command: str
    actor: str
    verb: str
    bed: str
    utc_ns: int
    clock_is_set: bool


NEWEST_EVENTS = 20_000
"""`acts` looks at so many."""

_SESSIONS = """
    SELECT s.name, s.uuid, bedsides.bed, boots.boot, s.began_ns, s.ended_ns, coalesce(ended_by, ''), began_by, actor,
           patient, summary, coalesce(d.device, ''), rate_hz, coalesce(o.utc_offset_ns, 0), coalesce(o.state = 'set', 0)
    FROM sessions s JOIN bedsides ON bedsides.id = s.bed JOIN boots ON boots.id = s.boot
    LEFT JOIN streams ON streams.id = s.stream LEFT JOIN devices d ON d.id = streams.device
    LEFT JOIN clock_offsets o ON o.id = (SELECT max(id) FROM clock_offsets WHERE boot = s.boot)"""


def sessions(
    reader: Reader, *, bed: str | None = None, patient: str | None = None, most: int = 50
) -> list[RecordedSession]:
    """The newest sessions by their beginning, newest first, one that goes on before all; of a bed, of a patient (an id), or all."""
    rows = reader.db.execute(
        f"{_SESSIONS} WHERE coalesce(bedsides.bed = ?, 1) AND coalesce(patient ->> '$.patient_id' = ?, ? IS NULL)"
        " ORDER BY s.ended_ns IS NULL DESC, s.began_ns + coalesce(o.utc_offset_ns, 0) DESC, s.id DESC LIMIT ?",
        (bed, patient, patient, most),
    )
    return [_session(row) for row in rows]


def session(reader: Reader, name: str) -> RecordedSession | None:
    """The session of a name, or of a uuid; None where there is none."""
    row = reader.db.execute(f"{_SESSIONS} WHERE s.name = ?1 OR s.uuid = ?1", (name,)).fetchone()
    return _session(row) if row else None


def occupants(reader: Reader) -> dict[str, Occupant]:
    """Who is at every bed, as this file was told."""
    rows = reader.db.execute(
        "SELECT bedsides.bed, patient, command FROM occupants JOIN bedsides ON bedsides.id = occupants.bed"
    )
    return {bed: Occupant(patient, command) for bed, patient, command in rows}


def acts(reader: Reader, verbs: Sequence[str]) -> list[RecordedAct]:
    """The commands of these verbs among the newest events, oldest first."""
    rows = reader.db.execute(
        "SELECT e.body ->> '$.id', e.body ->> '$.actor', e.body ->> '$.verb', bedsides.bed,"
        " e.t_ns + coalesce(o.utc_offset_ns, 0), coalesce(o.state = 'set', 0)"
        " FROM events e JOIN bedsides ON bedsides.id = e.bed"
        " LEFT JOIN clock_offsets o ON o.id = (SELECT max(id) FROM clock_offsets WHERE boot = e.boot)"
        " WHERE e.id > (SELECT max(id) FROM events) - ? AND kind = 'command'"
        " AND body ->> '$.verb' IN (SELECT value FROM json_each(?)) ORDER BY e.id",
        (NEWEST_EVENTS, json.dumps(list(verbs))),
    )
    return [
        RecordedAct(command, actor, verb, bed, utc_ns, bool(is_set))
        for command, actor, verb, bed, utc_ns, is_set in rows
    ]


def _session(row: tuple[Any, ...]) -> RecordedSession:
    *told, patient, summary, device, rate_hz, offset_ns, is_set = row
    parsed = [json.loads(text) if text else None for text in (patient, summary)]
    fields: tuple[Any, ...] = (*told, *parsed, device, rate_hz, offset_ns, bool(is_set))
    return RecordedSession(*fields)
