"""New firmware for devices: offered to a technician when its file is here and right, sent, started on trial, kept or taken back.

Nothing is sent while a patient is admitted at the device's bed, and it is looked again before it is started. A device is told to keep what
it runs once it has said the new version and works; else it is told to go back, and goes back by itself if it does not hear.
Every step is a row of the audit.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Container
from dataclasses import replace
from pathlib import Path

from daemon import audit
from daemon.control.firmware import FirmwareAct, FirmwareActed, FirmwaresTold, FirmwareTold, FirmwareWished
from daemon.devices.attached import AttachedDevices
from daemon.model.ids import uuid7
from daemon.model.signals import DeviceReply
from daemon.model.transfer import Transfer
from daemon.store.box import BoxFile
from daemon.store.firmware import ENDED, UNDER_WAY, Job, JobState, everything, keep
from daemon.words import say

LARGEST = 8 << 20
"""Bytes of an image."""

TRIES = 10
"""How often sending is begun anew after a broken link; it goes on where it was."""

AWAY = frozenset({"device_gone", "not_attached", "no_answer", "device_restarted"})
"""Reasons after which it is tried again when the device is back."""

BACK_WITHIN_S = 600.0
"""How long a device that went away while it was sent to is waited for."""

TRIAL_S = 45.0
"""How long a device may take to come back with its new version and work; it goes back by itself after 60."""

WORKS_S = 5.0
LOOK_EVERY_S = 0.5
SEND_WITHIN_S = 3600.0

log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]


class Firmwares:
    """`folder` is where the forwarder stages files (by hash); `here`: the beds at which a patient is. `restore` comes first."""

    def __init__(
        self,
        file: BoxFile,
        devices: AttachedDevices,
        folder: Path,
        *,
        here: Callable[[], Container[str]],
        utc: Callable[[], tuple[int, bool]],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._file = file
        self._devices = devices
        self._folder = folder
        self._here = here
        self._utc = utc
        self._sleep = sleep
        self._jobs: dict[tuple[str, str], Job] = {}
        self._transfers: dict[str, Transfer] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()

    async def restore(self) -> None:
        """At the start: what was under way is offered again; a device on trial goes back by itself. Never raises for a disk."""
        try:
            jobs = await self._file.run(everything)
        except (sqlite3.Error, OSError) as error:
            log.error("firmware: box.db cannot be read: %s", error)  # noqa: TRY400 - a state of the disk
            return
        self._jobs = {(job.origin, job.device): job for job in jobs}
        for job in jobs:
            if job.state in UNDER_WAY:
                await self._move(job, JobState.OFFERED, say("firmware.interrupted"))

    # --- what clouds and technicians say -----------------------------------------------------------------

    async def hear(self, wished: FirmwareWished) -> FirmwareTold:
        """A cloud's job, again and again. Raises sqlite3.Error, OSError."""
        async with self._turn:
            key = (wished.origin, wished.device)
            known = self._jobs.get(key)
            if not wished.job:
                if known is not None and known.state not in ENDED | UNDER_WAY:
                    await self._move(known, JobState.WITHDRAWN)
                return self._one(self._jobs.get(key) or _none(wished))
            if known is None or not known.is_of(wished.job, wished.sha256):
                if known is not None and known.state in UNDER_WAY:
                    return self._one(known)
                known = await self._taken(wished)
            if known.state is JobState.QUEUED:
                await self._queued(known, wished)
            return self._one(self._jobs[key])

    async def _taken(self, wished: FirmwareWished) -> Job:
        file = f"{wished.sha256}.bin"
        job = Job(
            wished.origin,
            wished.device,
            wished.job,
            wished.version,
            file,
            wished.size,
            wished.sha256,
            JobState.QUEUED,
        )
        return await self._move(job, JobState.QUEUED)

    async def _queued(self, job: Job, wished: FirmwareWished) -> None:
        if not 0 < job.size <= LARGEST or not job.sha256 or not job.version:
            await self._move(job, JobState.REFUSED, say("firmware.malformed", most=str(LARGEST >> 20)))
        elif self._devices.bed_of(job.device) is not None and not self._devices.takes_firmware(job.device):
            await self._move(job, JobState.REFUSED, say("firmware.read_only"))
        elif wished.failed:
            await self._move(job, JobState.FAILED, wished.failed)
        elif wished.staged:
            wrong = await asyncio.to_thread(self._wrong, job)
            await self._move(job, JobState.FAILED if wrong else JobState.OFFERED, wrong)

    def _wrong(self, job: Job) -> str:
        """Why its file is not what was announced; "" where it is."""
        try:
            image = self._image(job)
        except OSError as error:
            return say("firmware.no_file", why=error.strerror or str(error))
        right = len(image) == job.size and hashlib.sha256(image).hexdigest() == job.sha256
        return "" if right else say("firmware.wrong_hash")

    def _image(self, job: Job) -> bytes:
        with (self._folder / job.file).open("rb") as file:
            return file.read(LARGEST + 1)

    def told(self) -> FirmwaresTold:
        """All jobs, by device."""
        return FirmwaresTold(
            jobs=tuple(self._one(self._jobs[key]) for key in sorted(self._jobs, key=lambda k: k[::-1]))
        )

    async def act(self, act: FirmwareAct, actor: str) -> FirmwareActed:
        """A technician's word. Raises sqlite3.Error, OSError."""
        async with self._turn:
            if act.verb == "bring":
                error = await self._brought(act, actor)
            else:
                job = self._jobs.get((act.origin, act.device))
                if job is None or job.state is not JobState.OFFERED:
                    error = say("firmware.not_offered")
                elif act.verb == "refuse":
                    await self._move(job, JobState.REFUSED, say("firmware.refused"), actor)
                    error = ""
                else:
                    error = await self._accepted(job, actor)
        return FirmwareActed(id=act.id, acted=not error, error=error)

    async def _brought(self, act: FirmwareAct, actor: str) -> str:
        """A file that a technician has put into the staging folder (`vitald devices firmware bring`)."""
        job = Job("", act.device, act.id, act.version, f"{act.sha256}.bin", 0, act.sha256, JobState.QUEUED)
        known = self._jobs.get(("", act.device))
        if known is not None and known.state in UNDER_WAY:
            return say("firmware.busy")
        try:
            job = replace(job, size=(self._folder / job.file).stat().st_size)
        except OSError as error:
            return say("firmware.no_file", why=error.strerror or str(error))
        if not self._devices.takes_firmware(act.device):
            return say("firmware.read_only")
        if not act.version or not 0 < job.size <= LARGEST:
            return say("firmware.malformed", most=str(LARGEST >> 20))
        if wrong := await asyncio.to_thread(self._wrong, job):
            return wrong
        await self._move(job, JobState.OFFERED, "", actor)
        return ""

    async def _accepted(self, job: Job, actor: str) -> str:
        if why := self._not_now(job):
            return why
        if job.device in self._running:
            return say("firmware.busy")
        if wrong := await asyncio.to_thread(self._wrong, job):
            await self._move(job, JobState.FAILED, wrong, actor)
            return wrong
        job = await self._move(job, JobState.ACCEPTED, "", actor)
        task = asyncio.create_task(self._carry_out(job), name=f"firmware of {job.device}")
        self._running[job.device] = task
        task.add_done_callback(lambda _: self._running.pop(job.device, None))
        return ""

    def _not_now(self, job: Job) -> str:
        """Why it cannot be sent now, in words."""
        bed = self._devices.bed_of(job.device)
        if bed is None or job.device not in self._devices.answering():
            return say("device.set.not_attached")
        if not self._devices.takes_firmware(job.device):
            return say("firmware.read_only")
        return say("firmware.admitted") if bed in self._here() else ""

    # --- to the device -----------------------------------------------------------------------------------

    async def _carry_out(self, job: Job) -> None:
        """From a technician's yes to its end."""
        try:
            state, reason = await self._sent_and_started(job)
        except Exception as error:
            log.exception("firmware: %s for %s failed", job.version, job.device)
            state, reason = JobState.FAILED, type(error).__name__
        try:
            await self._move(self._jobs[job.origin, job.device], state, reason)
        except (sqlite3.Error, OSError) as error:
            log.error("firmware: how it ended for %s could not be kept: %s", job.device, error)  # noqa: TRY400 - a state of the disk
        self._transfers.pop(job.device, None)

    async def _sent_and_started(self, job: Job) -> tuple[JobState, str]:
        before = self._devices.firmware(job.device)
        await self._move(job, JobState.SENDING)
        if refused := await self._sent(job):
            return JobState.FAILED, refused
        if why := self._not_now(job):
            return JobState.FAILED, why
        reply = await self._say(job, Transfer("start"))
        if reply is None or not reply.ok:
            return JobState.FAILED, _in_words(reply)
        if await self._works(job.device, job.version):
            reply = await self._say(job, Transfer("keep"))
            if reply is not None and reply.ok:
                return JobState.DONE, ""
        return JobState.ROLLED_BACK, await self._taken_back(job, before)

    async def _sent(self, job: Job) -> str:
        """The whole image, however often the link breaks; "" when the device has found it right, else why not."""
        image = await asyncio.to_thread(self._image, job)
        reply: DeviceReply | None = None
        for _ in range(TRIES):
            transfer = self._transfers[job.device] = Transfer("send", image, job.version)
            reply = await self._say(job, transfer)
            if reply is None or (not reply.ok and reply.text in AWAY):
                if not await self._answers(job.device):
                    break
                continue
            return "" if reply.ok else _in_words(reply)
        return _in_words(reply)

    async def _say(self, job: Job, transfer: Transfer) -> DeviceReply | None:
        return await self._devices.transfer(
            job.device, transfer, SEND_WITHIN_S if transfer.verb == "send" else 10.0
        )

    async def _answers(self, device: str) -> bool:
        """Wait for a device that went away."""
        for _ in range(round(BACK_WITHIN_S / LOOK_EVERY_S)):
            await self._sleep(LOOK_EVERY_S)
            if device in self._devices.answering():
                return True
        return False

    async def _works(self, device: str, version: str) -> bool:
        """Whether it comes back with the version and streams for a while."""
        well = 0.0
        for _ in range(round(TRIAL_S / LOOK_EVERY_S)):
            await self._sleep(LOOK_EVERY_S)
            is_well = device in self._devices.answering() and self._devices.firmware(device) == version
            well = well + LOOK_EVERY_S if is_well else 0.0
            if well >= WORKS_S:
                return True
        return False

    async def _taken_back(self, job: Job, before: str) -> str:
        """Tell it to go back; where it does not hear it does so by itself. The reason in words."""
        await self._say(job, Transfer("back"))
        ran = self._devices.firmware(job.device)
        for _ in range(round(2 * TRIAL_S / LOOK_EVERY_S)):
            if self._devices.firmware(job.device) == before and job.device in self._devices.answering():
                return say("firmware.went_back", version=job.version, before=before)
            await self._sleep(LOOK_EVERY_S)
        return say("firmware.look", version=ran or "?")

    # --- what is kept and told ---------------------------------------------------------------------------

    async def _move(self, job: Job, state: JobState, reason: str = "", actor: str = "") -> Job:
        """To another state, and into the audit."""
        utc_ns, is_set = self._utc()
        moved = replace(
            job, state=state, reason=reason[:200], since_utc_ns=utc_ns, decided_by=actor or job.decided_by
        )
        body = {
            "version": job.version,
            "sha256": job.sha256,
            "job": job.job,
            "origin": job.origin,
            "reason": reason,
        }
        who = actor or job.origin or "box"
        bed = self._devices.bed_of(job.device) or ""
        entry = audit.Entry(uuid7(utc_ns), utc_ns, is_set, who, f"firmware_{state}", bed, job.device, body)

        def write(db: sqlite3.Connection) -> None:
            keep(db, moved)
            audit.append(db, entry)

        await self._file.run(write)
        self._jobs[job.origin, job.device] = moved
        log.info("firmware: %s for %s: %s %s", job.version, job.device, state, reason)
        return moved

    def _one(self, job: Job) -> FirmwareTold:
        transfer = self._transfers.get(job.device)
        done = transfer.done if transfer is not None and job.state is JobState.SENDING else 0
        return FirmwareTold(
            bed=self._devices.bed_of(job.device) or "",
            running=self._devices.firmware(job.device),
            state=job.state.value,
            percent=100 if job.state is JobState.DONE else 100 * done // max(job.size, 1),
            since_ms=job.since_utc_ns // 1_000_000,
            **{
                name: getattr(job, name)
                for name in ("origin", "device", "job", "version", "size", "sha256", "reason", "decided_by")
            },
        )


def _none(wished: FirmwareWished) -> Job:
    return Job(wished.origin, wished.device, "", "", "", 0, "", JobState.WITHDRAWN)


def _in_words(reply: DeviceReply | None) -> str:
    text = "no_answer" if reply is None else reply.text
    known = say(f"device.set.{text}")
    return known if not known.startswith("device.set.") else text
