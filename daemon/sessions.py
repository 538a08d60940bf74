"""Admit and discharge, start and end of a recording: one act at a time, done at once, on the disk as soon as it can be.

An act is a Command through the bed like every other: alarms decide on it (a discharge returns limits to default), and the
store begins and ends sessions in the transaction of that Command (daemon/store/sessions.py). box.db is told of the patient
afterwards; where it cannot be told now, the next start makes up for it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, date, datetime

from daemon.contracts.times import instant
from daemon.control.sessions import (
    PatientsTold,
    PatientTold,
    SessionAct,
    SessionActed,
    SessionsTold,
    SessionTold,
)
from daemon.model.signals import Command, Nanos
from daemon.patients import BadPatient, NotPossible, Patient, Patients, Signed, Stay, patient_of
from daemon.store.reader import History
from daemon.store.recorded import RecordedAct, RecordedSession, acts, occupants, sessions
from daemon.store.sessions import SESSION_VERBS, Occupant
from daemon.words import say

log = logging.getLogger(__name__)

VERBS = {"admit": "admit", "discharge": "discharge", "start": "session_start", "end": "session_end"}
"""Act -> verb of its Command."""

DECIDED_WITHIN_S = 2.0
SAVED_WITHIN_S = 2.0
"""So long an answer waits for the disk; the act itself never does."""

RESTORED_WITHIN_S = 3.0


class Sessions:
    """`obey` puts a Command through its bed: None, or a future of the reason in words for which alarms refused it ("" = done).

    `saved` waits until the Command with an id is on the disk; `utc` is UTC in ns, and whether the clock can be believed;
    `own_limits` are a bed's alarm limits that are not the ward's (row -> key -> value); `changed` hears of a bed where somebody else is now.
    """

    def __init__(
        self,
        beds: Collection[str],
        patients: Patients,
        history: History,
        *,
        now: Callable[[], Nanos],
        utc: Callable[[], tuple[int, bool]],
        obey: Callable[[Command], asyncio.Future[str] | None],
        saved: Callable[[str], Awaitable[None]],
        own_limits: Callable[[str], Mapping[str, Mapping[str, float | bool]]] = lambda bed: {},  # noqa: ARG005 - none
        changed: Callable[[str, Patient | None], None] = lambda bed, patient: None,  # noqa: ARG005 - nobody listens
    ) -> None:
        self._beds = beds
        self._patients = patients
        self._history = history
        self._now = now
        self._utc = utc
        self._obey = obey
        self._saved = saved
        self._own_limits = own_limits
        self._changed = changed
        self._turn = asyncio.Lock()

    async def restore(self) -> dict[str, Occupant]:
        """At the start: who is at every bed, for the store. Nobody is lost where a file cannot be read: it is logged."""
        told: dict[str, Occupant] = {}
        done: list[RecordedAct] = []
        try:
            async with asyncio.timeout(RESTORED_WITHIN_S):
                told, done = await self._history.ask(lambda r: (occupants(r), acts(r, SESSION_VERBS)))
        except (sqlite3.Error, OSError, TimeoutError) as error:
            log.error("sessions: what was recorded cannot be read: %s", error)  # noqa: TRY400 - a state of the disk
        try:
            signed = {a.command: Signed(a.command, a.actor, a.utc_ns, a.clock_is_set) for a in done}
            await self._patients.restore(told, self._beds, signed)
            await self._patients.complete((signed[a.command], a.verb, a.bed) for a in done)
        except (sqlite3.Error, OSError, ValueError, KeyError) as error:
            log.error("patients: box.db cannot be read: %s", error)  # noqa: TRY400 - a state of the disk
            return {}
        for bed in self._beds:
            self._changed(bed, self._patient(bed))
        here = self._patients.here
        day = self._today()
        return {
            bed: Occupant(_json(here[bed].patient, day), here[bed].command)
            if bed in here
            else Occupant(None, told[bed].command if bed in told else "")
            for bed in self._beds
        }

    async def act(self, act: SessionAct) -> SessionActed:
        """Carry out an act. Never raises for what a person or a disk can do."""
        async with self._turn:
            try:
                return await self._carry_out(act)
            except (BadPatient, NotPossible) as refusal:
                return SessionActed(id=act.id, acted=False, error=str(refusal))

    async def sessions(self, bed: str | None, patient: str | None, most: int) -> SessionsTold:
        """The newest sessions. Raises sqlite3.Error, OSError."""
        found = await self._history.ask(lambda r: sessions(r, bed=bed, patient=patient, most=most))
        return SessionsTold(sessions=tuple(_told(one) for one in found))

    async def patients(self, find: str) -> PatientsTold:
        """Who is here, by bed, then who else is found. Raises sqlite3.Error, OSError."""
        here = [self._patients.here[bed] for bed in self._beds if bed in self._patients.here]
        told = [_patient_told(stay.patient, self._today(), stay) for stay in here]
        if find:
            known = {stay.patient.patient_id for stay in here}
            found = [p for p in await self._patients.find(find) if p.patient_id not in known]
            low = find.lower()
            told = [t for t in told if low in t.full_name.lower() or low in t.patient_id.lower()]
            told += [_patient_told(patient, self._today(), None) for patient in found]
        return PatientsTold(patients=tuple(told))

    # --- an act ------------------------------------------------------------------------------------------

    async def _carry_out(self, act: SessionAct) -> SessionActed:
        if act.bed not in self._beds:
            raise NotPossible(f"there is no bed {act.bed}")
        if act.verb == "move":
            return await self._move(act)
        utc_ns, is_set = self._utc()
        if act.verb == "admit" and act.unknown:
            act = act.model_copy(update={"patient": {"full_name": await self._unknown()}})
        patient = self._asked_of(act, utc_ns)
        values = {"screen": act.screen}
        if patient is not None:
            values["patient"] = _json(patient, self._today())
        command = Command(
            act.id, self._now(), act.bed, act.actor, VERBS[act.verb], tuple(sorted(values.items()))
        )
        await self._decided(self._obey(command))
        saved = await self._is_saved(act.id)
        await self._record(act, patient, Signed(act.id, act.actor, utc_ns, is_set))
        stay = self._patients.here.get(act.bed)
        return SessionActed(
            id=act.id,
            acted=True,
            saved=saved,
            session=await self._current(act.bed) if saved else "",
            patient_id=stay.patient.patient_id if stay else "",
        )

    async def _decided(self, *acts: asyncio.Future[str] | None) -> None:
        """Wait until alarms have decided. Raises `NotPossible` with the reason of the first refusal."""
        for decided in acts:
            if decided is None:
                continue
            try:
                refusal = await asyncio.wait_for(decided, DECIDED_WITHIN_S)
            except TimeoutError:
                refusal = say("alarm.refused.no_answer")
            if refusal:
                raise NotPossible(refusal)

    async def _move(self, act: SessionAct) -> SessionActed:
        """Discharge here and admission there, handed in together: one transaction of the store has both."""
        stay = self._patients.here.get(act.bed)
        if stay is None:
            raise NotPossible("nobody is admitted to the bed")
        if act.to not in self._beds or act.to == act.bed:
            raise NotPossible(f"there is no other bed {act.to}")
        if act.to in self._patients.here:
            raise NotPossible("the bed has a patient: discharge first")
        (utc_ns, is_set), now_ns, left = self._utc(), self._now(), f"{act.id}-left"
        limits = _as_values(self._own_limits(act.bed)) if act.keep_limits else {}
        told = (("patient", _json(stay.patient, self._today())), ("screen", act.screen))
        ends = self._obey(Command(left, now_ns, act.bed, act.actor, "discharge", (("screen", act.screen),)))
        begins = self._obey(Command(act.id, now_ns, act.to, act.actor, "admit", told))
        await self._decided(ends, begins)
        if limits:
            values = tuple(sorted({**limits, "screen": act.screen}.items()))
            along = Command(f"{act.id}-limits", self._now(), act.to, act.actor, "limits", values)
            await self._decided(self._obey(along))
        saved = await self._is_saved(act.id)
        signed = [Signed(command, act.actor, utc_ns, is_set) for command in (left, act.id)]
        body = {"limits": limits, "screen": act.screen}
        try:
            await self._patients.record_move(act.bed, act.to, signed[0], signed[1], body)
        except (sqlite3.Error, OSError) as error:
            log.error("patients: box.db cannot be written, the next start makes up for it: %s", error)  # noqa: TRY400 - a state of the disk
        for bed in (act.bed, act.to):
            self._changed(bed, self._patient(bed))
        session = await self._current(act.to) if saved else ""
        return SessionActed(
            id=act.id, acted=True, saved=saved, session=session, patient_id=stay.patient.patient_id
        )

    async def _unknown(self) -> str:
        """A name that nobody has had here: "Unknown 3"."""
        begin = say("patient.unknown_name").strip()
        try:
            known = [patient.full_name for patient in await self._patients.find(begin, 10_000)]
        except (sqlite3.Error, OSError):
            known = []
        known += [stay.patient.full_name for stay in self._patients.here.values()]
        numbers = [
            int(name.removeprefix(begin)) for name in known if name.removeprefix(begin).strip().isdecimal()
        ]
        return say("patient.unknown_name", number=str(max(numbers, default=0) + 1))

    def _asked_of(self, act: SessionAct, utc_ns: int) -> Patient | None:
        """The patient to be admitted; raises for what is not possible."""
        if act.verb == "admit":
            patient = patient_of(act.patient, utc_ns)
            self._patients.admission(act.bed, patient)
            return patient
        if act.patient:
            raise BadPatient("only an admission has a patient")
        if act.verb == "discharge" and act.bed not in self._patients.here:
            raise NotPossible("nobody is admitted to the bed")
        return None

    async def _record(self, act: SessionAct, patient: Patient | None, by: Signed) -> None:
        try:
            if patient is not None:
                await self._patients.record_admission(act.bed, patient, by)
            elif act.verb == "discharge":
                await self._patients.record_discharge(act.bed, by)
            else:
                await self._patients.record(VERBS[act.verb], act.bed, by, {"screen": act.screen})
        except (sqlite3.Error, OSError) as error:
            log.error("patients: box.db cannot be written, the next start makes up for it: %s", error)  # noqa: TRY400 - a state of the disk
        if act.verb in {"admit", "discharge"}:
            self._changed(act.bed, self._patient(act.bed))

    async def _is_saved(self, command: str) -> bool:
        try:
            await asyncio.wait_for(self._saved(command), SAVED_WITHIN_S)
        except TimeoutError:
            return False
        return True

    async def _current(self, bed: str) -> str:
        """The name of the session that goes on, "" where none does."""
        try:
            newest = await self._history.ask(lambda r: sessions(r, bed=bed, most=1))
        except (sqlite3.Error, OSError):
            return ""
        return newest[0].name if newest and newest[0].ended_ns is None else ""

    def _patient(self, bed: str) -> Patient | None:
        stay = self._patients.here.get(bed)
        return stay.patient if stay else None

    def _today(self) -> date:
        return datetime.fromtimestamp(max(self._utc()[0], 0) / 1e9, UTC).date()


def _as_values(limits: Mapping[str, Mapping[str, float | bool]]) -> dict[str, str]:
    """Limits as a Command has them."""
    return {
        f"{row}.{key}": str(value).lower() if isinstance(value, bool) else f"{value:g}"
        for row, keys in limits.items()
        for key, value in keys.items()
    }


def _json(patient: Patient, day: date) -> str:
    return json.dumps(patient.told(day), ensure_ascii=False)


def _told(one: RecordedSession) -> SessionTold:
    ended = None if one.ended_ns is None else instant(one.ended_ns + one.utc_offset_ns)
    patient = one.patient or {}
    return SessionTold(
        session_id=one.name,
        session_uuid=one.uuid,
        bed=one.bed,
        started_at=instant(one.began_ns + one.utc_offset_ns),
        ended_at=ended,
        clock="set" if one.clock_is_set else "unset",
        ended_by=one.ended_by,
        automatic=one.began_by == "samples",
        actor=one.actor,
        patient_id=patient.get("patient_id"),
        full_name=patient.get("full_name"),
        device_serial=one.device,
        sampling_rate_hz=one.rate_hz,
        summary=None if one.summary is None else dict(one.summary),
        source=one.source,
    )


def _patient_told(patient: Patient, day: date, stay: Stay | None) -> PatientTold:
    return PatientTold(
        patient_id=patient.patient_id,
        full_name=patient.full_name,
        birth_date=patient.birth_date.isoformat() if patient.birth_date else None,
        age=patient.age_at(day),
        gender=patient.gender,
        address=patient.address,
        phone=patient.phone,
        registration_date=patient.registration_date.isoformat(),
        bed=stay.bed if stay else "",
        admitted_at=instant(stay.admitted_utc_ns) if stay else None,
    )
