"""A box for machines: the feeder's live words, real tokens and ownership, a real store with an hour in it, made in a moment."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import numpy as np
from aiohttp import web

from daemon.control import acting
from daemon.control.ownership import OwnershipRoutes
from daemon.control.reports import ReportGiven, ReportRoutes
from daemon.control.tokens import TokenAct, TokenRoutes
from daemon.model.actor import Actor
from daemon.model.alarms import Change, ChangeKind, Priority
from daemon.model.findings import Metric
from daemon.model.permissions import PEOPLE, Role
from daemon.model.scopes import Scope
from daemon.model.signals import Channel, Command, Quantity, SampleBlock, Segment, Stream, Tick
from daemon.ownership import Ownership
from daemon.reporting import Reporting
from daemon.store.box import BoxFile
from daemon.store.reader import History
from daemon.store.writer import Writer
from daemon.tokens import Tokens, digest_of
from tests.webui._feeder import Feeder, boot_ns, config_for
from webui.app import serving

S = 1_000_000_000
ADMIN = Actor("Ada Min", Role.ADMIN, "console", "p-1")
ECG = "ECG-0042"
NAME = "Erika Mustermann"
REPORT = "0194fdc2-fa2f-7cc0-81d3-ff12045b73c8"
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 8
SECONDS, SESSIONS, ALARMS = 120, 3, 7


@dataclass
class MachineBox:
    """The address of the pages' port, and what stands behind it. `token` makes one."""

    url: str
    folder: Path
    feeder: Feeder
    tokens: Tokens
    here: dict[str, str]
    made: int = 0

    async def token(self, *scopes: Scope, days: int = 0) -> str:
        """A new token with these scopes; with all, where none is named."""
        self.made += 1
        wanted = scopes or tuple(Scope)
        act = TokenAct(
            id=f"make-{self.made:08}", verb="create", name=f"app {self.made}", scopes=wanted, days=days
        )
        done = await self.tokens.act(ADMIN, act)
        assert done.acted, done.error
        return done.secret

    async def revoke(self, secret: str) -> None:
        known = await self.tokens.check(digest_of(secret))
        self.made += 1
        assert (
            await self.tokens.act(ADMIN, TokenAct(id=f"end-{self.made:08}", verb="revoke", token=known.id))
        ).acted

    def machine(self, secret: str) -> aiohttp.ClientSession:
        """Somebody with a token."""
        return aiohttp.ClientSession(self.url, headers={"Authorization": f"Bearer {secret}"})


@contextlib.asynccontextmanager
async def machine_box(folder: Path, beds: Sequence[str] = ("1",)) -> AsyncIterator[MachineBox]:
    """The whole of it."""
    offset_ns = time.time_ns() - boot_ns()
    began_ns = boot_ns() - 3600 * S
    writer = Writer(
        folder / "vitald.db", boot="boot-1", now=boot_ns, utc_offset_ns=offset_ns, commit_every_s=0.01
    )
    await writer.start()
    _record(writer, began_ns, beds[0])
    file = BoxFile(folder / "box.db")
    here: dict[str, str] = {}
    attached = _Attached(here)
    utc = lambda: (time.time_ns(), True)  # noqa: E731 - one clock for all
    tokens = Tokens(file, utc=utc)
    ownership = Ownership(file, attached, now=boot_ns, utc=utc, tell=lambda *_: None)
    reporting = Reporting(
        writer, file, History(folder / "vitald.db"), boot="boot-1", now=boot_ns, utc=utc, upload="never"
    )
    feeder = Feeder(folder / "control.sock", tuple(beds))

    def add(app: web.Application) -> None:
        app.middlewares.append(acting.middleware(_ByCookie(), lambda _: "root"))
        for routes in (TokenRoutes(tokens), OwnershipRoutes(ownership), ReportRoutes(reporting)):
            routes.add_to(app)

    feeder.more.append(add)
    await feeder.start()
    await writer.aside(lambda _: None)
    await _a_report(folder, reporting, beds[0])
    async with serving(config_for(folder, tuple(beds))) as site:
        yield MachineBox(site.address, folder, feeder, tokens, here)
    await feeder.stop()
    await writer.stop()
    await file.close()


class _ByCookie:
    """What a browser holds is the role that it has."""

    def actor(self, held: str, origin: str, *, bedside: bool, active: bool) -> Actor:  # noqa: ARG002 - as `Known`
        role = Role(held) if held in set(PEOPLE) else Role.NOBODY
        return Actor(f"Nora {role.capitalize()}", role, origin, f"id-{role}", bedside=bedside)


class _Attached:
    def __init__(self, here: dict[str, str]) -> None:
        self._here = here

    def answering(self) -> dict[str, str]:
        return self._here


def _record(writer: Writer, began_ns: int, bed: str) -> None:
    """Three sessions of two minutes, of one patient; a rate a second, and alarms in the first."""
    channels = (Channel("I", Quantity.ECG, "mV", 0.005), Channel("II", Quantity.ECG, "mV", 0.005))
    stream = Stream(ECG, "ecg", 500.0, channels)
    segment = Segment("segment-1", bed, stream, "boot-1", 1, began_ns)
    told = {"patient_id": "p-17", "full_name": NAME, "age": 45, "gender": "f"}
    values = (("patient", json.dumps(told)),)
    writer.offer(bed, Command("admit-0001", began_ns - S, bed, "Nora Nurse", "admit", values))
    for second in range(SESSIONS * SECONDS):
        t_ns = began_ns + second * S
        if second and second % SECONDS == 0:
            writer.offer(bed, Command(f"start-{second:04}", t_ns, bed, "Nora Nurse", "session_start", ()))
        counts = np.full((2, 500), second, np.int32)
        writer.offer(bed, SampleBlock(segment, second * 500, t_ns, 2e6, counts, t_ns + S))
        rate = Metric(t_ns + S, t_ns + S, "heart_rate", 60.0 + second % 30, "/min", None, "", 1.0, None)
        changes = []
        if second % 10 == 5 and second < 10 * ALARMS:
            fields = {
                "row": "hr_high",
                "occurrence": f"o-{second}",
                "priority": Priority.MEDIUM,
                "unit": "/min",
            }
            fields |= {"text": "alarm.hr_high", "value": 130.0, "limit": 120.0}
            changes = [Change(ChangeKind.BEGAN, t_ns, t_ns + S, **fields)]
        writer.offer(bed, Tick(t_ns + S), (rate,), changes)


async def _a_report(folder: Path, reporting: Reporting, bed: str) -> None:
    (folder / "reports").mkdir(exist_ok=True)
    name = f"ecg_report_{REPORT}.pdf"
    (folder / "reports" / name).write_bytes(PDF)
    given = ReportGiven(
        id=REPORT,
        session="session_of_old",
        bed=bed,
        kind="ecg",
        state="preliminary",
        made_utc_ns=time.time_ns(),
        about_utc_ns=time.time_ns(),
        actor="Nora Nurse",
        automatic=False,
        patient={"patient_id": "p-17", "full_name": NAME},
        file=name,
        size=len(PDF),
        sha256=hashlib.sha256(PDF).hexdigest(),
        pages=1,
    )
    written = await reporting.given(given)
    assert not written.refused, written.refused
