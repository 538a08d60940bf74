"""Sessions as the store keeps them: which one a moment of a bed belongs to, and how one begins and ends.

Recording is never without a session while samples come: where none is open the next samples begin one. A person (or a
discharge) ends a session, and the next begins by itself at that very moment if samples are coming. The stop of the daemon
ends all; what a crash left open is ended at the next start (`end`, by recovery.py). A session's patient never changes:
admitting one ends the session before. Beginning and end are messages, written in the transaction that makes them so.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from daemon.model.outgoing import Lane
from daemon.model.signals import Command, Nanos
from daemon.store.sending import as_json, send
from daemon.store.summary import summary_of

SESSION_VERBS = ("admit", "discharge", "session_start", "session_end")
"""Commands that begin and end sessions. "admit" has the patient in its value "patient", as JSON."""

TOLD = ("patient_id", "full_name", "age", "gender", "phone", "address", "registration_date")
"""What clouds are told of a patient."""

STREAMING_NS: Nanos = 3_000_000_000
"""Samples that ended no longer ago than this are coming still."""


@dataclass(frozen=True, slots=True)
class Occupant:
    """Who is at a bed: the patient as JSON (daemon/patients.py; None: nobody), and the id of the act that it came with."""

    patient: str | None
    command: str


@dataclass(frozen=True, slots=True)
class Box:
    """What sessions say of the box: its `os` and `app_version`; and who is at a bed, for a file that does not know."""

    info: Mapping[str, object] = field(default_factory=dict)
    occupants: Mapping[str, Occupant] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Open:
    id: int
    name: str
    began_ns: Nanos
    stream: int | None


@dataclass(slots=True)
class _Streaming:
    """The newest stream of a bed, an ECG before others: its row; and the time after the bed's last stored sample."""

    stream: int
    ecg: bool
    until_ns: Nanos


class Sessions:
    """The sessions of one boot, within the caller's transaction; to be made anew after one that failed.

    Beds, boots and streams are given by their rows.
    """

    def __init__(self, db: sqlite3.Connection, boot: int, box: Box) -> None:
        self._db = db
        self._boot = boot
        self._box = box
        self._open: dict[int, _Open | None] = {}
        self._streaming: dict[int, _Streaming] = {}
        self._new: dict[int, Nanos] = {}

    def opened(self, bed: int, stream: int, began_ns: Nanos, *, ecg: bool) -> None:
        """A new segment: its first samples are about to come, and numbers of them may come before."""
        self._streams(bed, stream, began_ns, ecg=ecg)
        self._new[bed] = began_ns

    def of_chunk(self, bed: int, stream: int, t0_ns: Nanos, end_ns: Nanos, *, ecg: bool) -> str:
        """The session of samples from `t0_ns` to `end_ns`: that of the first of them. Begins one where none is open."""
        self._streams(bed, stream, end_ns, ecg=ecg)
        began_ns = min(self._new.pop(bed, t0_ns), t0_ns)
        current = self._current(bed)
        if current is None and end_ns > (self._last_end(bed) or t0_ns):
            current = self._begin_with(bed, began_ns)
        if current is not None and current.stream is None:  # a person began it before anything streamed
            self._db.execute("UPDATE sessions SET stream = ? WHERE id = ?", (stream, current.id))
            self._open[bed] = current = replace(current, stream=stream)
        return self.at(bed, t0_ns) or (current.name if current else "")

    def at(self, bed: int, t_ns: Nanos) -> str:
        """The name of the session of a moment, "" where there is none."""
        current = self._going_on(bed, t_ns)
        if current is not None and t_ns >= current.began_ns:
            return current.name
        found = self._db.execute(
            "SELECT name FROM sessions WHERE bed = ? AND boot = ? AND began_ns <= ? AND ended_ns > ?"
            " ORDER BY began_ns DESC LIMIT 1",
            (bed, self._boot, t_ns, t_ns),
        ).fetchone()
        return found[0] if found else ""

    def obey(self, bed: int, command: Command) -> None:
        """Carry out a command of SESSION_VERBS."""
        values = dict(command.values)
        t_ns = command.t_ns
        current = self._going_on(bed, t_ns)
        match command.verb:
            case "session_start":
                if current is not None:
                    self._end(bed, current, t_ns, "person")
                self._begin(bed, t_ns, "person", command.actor)
            case "session_end" if current is not None:
                self._end(bed, current, t_ns, "person")
                self._go_on(bed, t_ns)
            case "admit":
                if current is not None:
                    self._end(bed, current, t_ns, "person")
                self._occupy(bed, values.get("patient"), command.id)
                self._begin(bed, t_ns, "person", command.actor)
            case "discharge":
                if current is not None:
                    self._end(bed, current, t_ns, "discharge")
                self._occupy(bed, None, command.id)
                self._go_on(bed, t_ns)

    def occupy(self, bed: int, occupant: Occupant) -> None:
        """Who is at a bed by box.db, at the start: no session is open then."""
        self._occupy(bed, occupant.patient, occupant.command)

    def stop(self, t_ns: Nanos) -> None:
        """The daemon stops: every open session ends."""
        for row in open_sessions(self._db):
            end(self._db, row, t_ns, "stop")
        self._open.clear()

    # --- within ------------------------------------------------------------------------------------------

    def _current(self, bed: int) -> _Open | None:
        if bed not in self._open:
            found = self._db.execute(
                "SELECT id, name, began_ns, stream FROM sessions WHERE bed = ? AND boot = ? AND ended_ns IS NULL",
                (bed, self._boot),
            ).fetchone()
            self._open[bed] = _Open(*found) if found else None
        return self._open[bed]

    def _streams(self, bed: int, stream: int, until_ns: Nanos, *, ecg: bool) -> None:
        known = self._streaming.setdefault(bed, _Streaming(stream, ecg, until_ns))
        if ecg or not known.ecg:
            known.stream, known.ecg = stream, ecg
        known.until_ns = max(known.until_ns, until_ns)

    def _going_on(self, bed: int, t_ns: Nanos) -> _Open | None:
        """The open session; begun now where samples have come before `t_ns` and none of them is stored yet."""
        current = self._current(bed)
        if current is None and bed in self._new and t_ns >= self._new[bed]:
            current = self._begin_with(bed, self._new.pop(bed))
        return current

    def _go_on(self, bed: int, t_ns: Nanos) -> None:
        """The next session, where samples are coming."""
        streaming = self._streaming.get(bed)
        if streaming is not None and t_ns - streaming.until_ns <= STREAMING_NS:
            self._begin(bed, t_ns, "samples", "")

    def _begin_with(self, bed: int, began_ns: Nanos) -> _Open:
        """With samples that came from `began_ns` on; what an earlier session has of them stays there."""
        return self._begin(bed, max(began_ns, self._last_end(bed) or began_ns), "samples", "")

    def _begin(self, bed: int, t_ns: Nanos, by: str, actor: str) -> _Open:
        t_ns = int(t_ns)
        streaming = self._streaming.get(bed)
        stream = streaming.stream if streaming else None
        patient = self._patient(bed)
        name, made = self._name(t_ns), str(uuid.uuid4())
        row = self._db.execute(
            "INSERT INTO sessions (name, uuid, bed, boot, began_ns, began_by, actor, patient, stream)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (name, made, bed, self._boot, t_ns, by, actor, patient, stream),
        ).lastrowid
        device, rate_hz = _stream(self._db, stream)
        body = {
            "session_id": name,
            "session_uuid": made,
            "bed": self._bed_name(bed),
            "patient": told_of(patient),
            "device_info": {**self._box.info, "sampling_rate_hz": rate_hz},
            "automatic": by == "samples",
        }
        send(self._db, self._boot, Lane.EVENTS, "box.session_start/1", t_ns, device, name, body)
        current = self._open[bed] = _Open(int(row or 0), name, t_ns, stream)
        return current

    def _end(self, bed: int, current: _Open, t_ns: Nanos, by: str) -> None:
        end(self._db, current.id, t_ns, by)
        self._open[bed] = None

    def _name(self, t_ns: Nanos) -> str:
        """As in the seeds, from UTC at the beginning; where the second has one already, the next that is free."""
        offset = self._db.execute(
            "SELECT utc_offset_ns FROM clock_offsets WHERE boot = ? ORDER BY id DESC LIMIT 1", (self._boot,)
        ).fetchone()
        seconds = (t_ns + (offset[0] if offset else 0)) // 1_000_000_000
        while True:
            name = f"session_{datetime.fromtimestamp(seconds, UTC):%Y%m%d_%H%M%S}"
            if self._db.execute("SELECT 1 FROM sessions WHERE name = ?", (name,)).fetchone() is None:
                return name
            seconds += 1

    def _last_end(self, bed: int) -> Nanos | None:
        ended: Nanos | None = self._db.execute(
            "SELECT max(ended_ns) FROM sessions WHERE bed = ? AND boot = ?", (bed, self._boot)
        ).fetchone()[0]
        return ended

    def _patient(self, bed: int) -> str | None:
        found = self._db.execute("SELECT patient FROM occupants WHERE bed = ?", (bed,)).fetchone()
        if found is None:
            known = self._box.occupants.get(self._bed_name(bed))
            if known is None:
                return None
            self._occupy(bed, known.patient, known.command)
            found = (known.patient,)
        patient: str | None = found[0]
        return patient

    def _occupy(self, bed: int, patient: str | None, command: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO occupants VALUES (?, ?, ?)", (bed, patient, command))

    def _bed_name(self, bed: int) -> str:
        name: str = self._db.execute("SELECT bed FROM bedsides WHERE id = ?", (bed,)).fetchone()[0]
        return name


def told_of(patient: str | None) -> dict[str, Any] | None:
    """A patient as box.session_start/1 has it."""
    if patient is None:
        return None
    known = json.loads(patient)
    return {name: None if known.get(name) == "" else known.get(name) for name in TOLD}


def open_sessions(db: sqlite3.Connection) -> list[int]:
    """The rows of sessions that have not ended."""
    return [row for (row,) in db.execute("SELECT id FROM sessions WHERE ended_ns IS NULL ORDER BY id")]


def end(db: sqlite3.Connection, session: int, t_ns: Nanos, by: str) -> None:
    """End a session (its row): with its summary, from what is stored, and the message that says so."""
    row = db.execute(
        "SELECT name, uuid, bed, boot, began_ns, stream FROM sessions WHERE id = ?", (session,)
    ).fetchone()
    name, made, bed, boot, began_ns, stream = row
    ended_ns = max(int(t_ns), began_ns)
    summary: dict[str, Any] = summary_of(db, bed, boot, began_ns, ended_ns)
    db.execute(
        "UPDATE sessions SET ended_ns = ?, ended_by = ?, summary = ? WHERE id = ?",
        (ended_ns, by, as_json(summary), session),
    )
    body = {"session_id": name, "session_uuid": made, "ended_by": by, "summary": summary}
    send(db, boot, Lane.EVENTS, "box.session_end/1", ended_ns, _stream(db, stream)[0], name, body)


def _stream(db: sqlite3.Connection, stream: int | None) -> tuple[str, float | None]:
    """Serial number and rate of a stream; "" and None where there is none."""
    found = db.execute(
        "SELECT devices.device, rate_hz FROM streams JOIN devices ON devices.id = streams.device WHERE streams.id = ?",
        (stream,),
    ).fetchone()
    return (found[0], found[1]) if found else ("", None)
