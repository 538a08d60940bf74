"""`vitald session`: admit and discharge a patient, start and end a recording, list and export what was recorded."""

from __future__ import annotations

import argparse
import asyncio
import math
import sqlite3
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.config import Config
from daemon.control.client import NotAnswering
from daemon.control.sessions import (
    PatientTold,
    SessionAct,
    SessionActed,
    SessionClient,
    SessionTold,
    SessionVerb,
)
from daemon.patients import FIELDS

T = TypeVar("T")

_SESSIONS = "{session:<24} {bed:<6} {started:<21} {length:>9} {hr:>5} {quality:<11} {ended:<10} {patient}"
_PATIENTS = "{bed:<6} {patient:<38} {name:<28} {age:>4} {gender:<8} {admitted}"


def arguments(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)
    admit = acts.add_parser("admit", help="a patient comes to a bed")
    discharge = acts.add_parser(
        "discharge", help="the patient leaves: the session ends, limits return to default"
    )
    start = acts.add_parser("start", help="begin a session now; the one that goes on ends")
    end = acts.add_parser("end", help="end the session; the next begins with the next samples")
    for sub in (admit, discharge, start, end):
        add_config(sub)
        sub.add_argument("bed", help="key of the bed")
        sub.add_argument("--json", action="store_true", help="the answer as JSON")
    admit.add_argument("--name", required=True, help="full name")
    admit.add_argument("--id", default="", help="patient id (default: one is made)")
    for name in FIELDS[2:]:
        admit.add_argument(f"--{name.replace('_', '-')}", default="", help=_HELP.get(name))
    listed = acts.add_parser("list", help="who is here, and the newest sessions")
    add_config(listed)
    listed.add_argument("--bed", help="of this bed only")
    listed.add_argument("--patient", help="of this patient (an id) only")
    listed.add_argument("--most", type=int, default=20, metavar="N", help="at most N sessions (default 20)")
    listed.add_argument("--json", action="store_true", help="JSON")

    export = acts.add_parser("export", help="a session's waveforms as EDF+, or all of it as JSON lines")
    add_config(export)
    export.add_argument("session", help="its name (session_20250108_123456) or UUID")
    export.add_argument("--format", choices=("edf", "bdf", "jsonl"), default="edf", help="default: edf")
    export.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the file to make")
    export.add_argument(
        "--start", type=float, default=0.0, metavar="S", help="from so many seconds on (not jsonl)"
    )
    export.add_argument("--end", type=float, default=math.inf, metavar="S", help="up to there (not jsonl)")
    export.add_argument("--anonymous", action="store_true", help="without the patient's name (not jsonl)")


_HELP = {
    "birth_date": "1970-12-31",
    "age": "years, where the birth date is not known",
    "registration_date": "2025-01-31 (default: today)",
}


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    try:
        if options.act == "list":
            return _list(config, options)
        if options.act == "export":
            return _export(config, options)
        return _act(config, options, options.act)
    except NotAnswering as error:
        print(f"the daemon does not answer: {error}")
        return NOT_WELL


def _act(config: Config, options: argparse.Namespace, verb: SessionVerb) -> int:
    patient: dict[str, str] = {}
    if verb == "admit":
        patient = {"patient_id": options.id, "full_name": options.name}
        patient |= {name: getattr(options, name) for name in FIELDS[2:]}
        patient = {name: value for name, value in patient.items() if value}
    act = SessionAct(
        id=str(uuid.uuid4()),
        bed=options.bed,
        verb=verb,
        patient=patient,
        screen="command line",
    )
    acted: SessionActed = _asked(config, lambda client: client.act(act))
    if options.json:
        print(acted.model_dump_json(indent=2))
    if not acted.acted:
        raise BadInput(acted.error)
    if not options.json:
        print(
            f"bed {options.bed}: {_DONE[verb]}"
            + (f", patient {acted.patient_id}" if acted.patient_id else "")
        )
        if acted.session:
            print(f"recording {acted.session}")
        if not acted.saved:
            print("not on the disk yet")
    return WELL if acted.saved else NOT_WELL


_DONE: dict[SessionVerb, str] = {
    "admit": "admitted",
    "discharge": "discharged",
    "start": "session started",
    "end": "session ended",
}


def _list(config: Config, options: argparse.Namespace) -> int:
    if options.most < 1:
        raise BadInput("--most is a number from 1")
    told = _asked(
        config, lambda client: client.sessions(bed=options.bed, patient=options.patient, most=options.most)
    )
    here = _asked(config, lambda client: client.patients())
    if options.json:
        print(_Listed(patients=here.patients, sessions=told.sessions).model_dump_json(indent=2))
        return WELL
    if here.patients:
        print(_PATIENTS.format(bed="bed", patient="patient", name="name", age="age", gender="gender", admitted="since"))  # fmt: skip
    for one in here.patients:
        print(
            _PATIENTS.format(
                bed=one.bed,
                patient=one.patient_id,
                name=one.full_name,
                age="-" if one.age is None else one.age,
                gender=one.gender or "-",
                admitted=one.admitted_at,
            )
        )
    print(_SESSIONS.format(session="session", bed="bed", started="started (UTC)", length="length", hr="HR", quality="quality", ended="ended by", patient="patient"))  # fmt: skip
    for session in told.sessions:
        print(_line(session))
    return WELL


def _export(config: Config, options: argparse.Namespace) -> int:
    """From the database itself: the daemon need not run."""
    from daemon.exchange.session_edf import write_edf
    from daemon.exchange.session_jsonl import write_jsonl
    from daemon.exchange.stretch import NotExportable
    from daemon.store.reader import ask
    from daemon.store.recorded import session

    database, to = config.box.database, options.output
    fresh = to.with_name(to.name + ".part")
    try:
        found = ask(database, lambda r: session(r, options.session))
        if found is None:
            raise BadInput(f"there is no session {options.session}")
        if options.format == "jsonl" and found.source == "import":
            raise BadInput(
                "nobody was told of an imported session, so it has no messages: export it as edf or bdf"
            )
        if options.format == "jsonl":
            with fresh.open("wb") as out:
                made = f"{write_jsonl(database, found, out, box_serial=config.box.serial)} lines"
        else:
            span = {"start_s": options.start, "end_s": options.end, "named": not options.anonymous}
            made = f"{write_edf(database, found, fresh, options.format, **span)} samples"
        fresh.replace(to)
    except NotExportable as error:
        raise BadInput(str(error)) from None
    except (sqlite3.Error, OSError) as error:
        print(f"not exported: {error}")
        return NOT_WELL
    finally:
        fresh.unlink(missing_ok=True)
    print(f"{to}: {made}")
    return WELL


class _Listed(BaseModel):
    patients: tuple[PatientTold, ...]
    sessions: tuple[SessionTold, ...]


def _line(one: SessionTold) -> str:
    summary = one.summary or {}
    rate = summary.get("average_heart_rate_bpm")
    seconds = summary.get("duration_seconds")
    return _SESSIONS.format(
        session=one.session_id,
        bed=one.bed,
        started=one.started_at[:19] + ("?" if one.clock == "unset" else ""),
        length="-"
        if seconds is None
        else f"{seconds // 3600:.0f}:{seconds // 60 % 60:02.0f}:{seconds % 60:02.0f}",
        hr="-" if rate is None else f"{rate:.0f}",
        quality=summary.get("signal_quality") or "-",
        ended=one.ended_by or "recording",
        patient=one.full_name or "-",
    ).rstrip()


def _asked(config: Config, question: Callable[[SessionClient], Awaitable[T]]) -> T:
    async def ask() -> T:
        async with SessionClient(Path(config.box.socket)) as client:
            return await question(client)

    return asyncio.run(ask())
