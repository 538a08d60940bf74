"""`vitald devices firmware`: what is offered to devices, a technician's word on it, and a file brought by hand."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import time
import uuid
from pathlib import Path

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.config import Config
from daemon.control.client import NotAnswering
from daemon.control.firmware import FirmwareAct, FirmwareActed, FirmwareClient, FirmwareTold
from daemon.words import say

LARGEST = 8 << 20
LOOK_EVERY_S = 1.0
ENDS = frozenset({"done", "failed", "rolled_back", "refused", "withdrawn", "offered"})
USAGE = "devices firmware [accept DEVICE | refuse DEVICE | bring DEVICE FILE --version VERSION]"


def run(options: argparse.Namespace, config: Config) -> int:
    """List, or act and wait for the end."""
    try:
        match options.words:
            case []:
                return _list(options, config)
            case [("accept" | "refuse") as verb, device]:
                return _act(options, config, verb, device)
            case ["bring", device, file]:
                return _bring(options, config, device, Path(file))
    except NotAnswering as error:
        print(f"the daemon does not answer: {error}")
        return NOT_WELL
    raise BadInput(USAGE)


def _list(options: argparse.Namespace, config: Config) -> int:
    jobs = asyncio.run(_jobs(config))
    if options.json:
        print(json.dumps([job.model_dump() for job in jobs], indent=2, ensure_ascii=False))
        return WELL
    for job in jobs:
        print(line(job))
    if not jobs:
        print(say("firmware.none"))
    return WELL


def line(job: FirmwareTold) -> str:
    """A job as a person reads it: the page's own words."""
    what = say(
        "firmware.line",
        device=job.device,
        running=job.running or "?",
        version=job.version,
        size=str(-(-job.size // 1024)),
        **{"from": job.origin or say("firmware.from_technician")},
    )
    return f"{what}: {state_of(job)}{f' ({job.reason})' if job.reason else ''}"


def state_of(job: FirmwareTold) -> str:
    if job.state != "sending":
        return say(f"firmware.state.{job.state}")
    if job.percent >= 100:
        return say("firmware.trial")
    return f"{say('firmware.state.sending')}: {say('firmware.percent', percent=str(job.percent))}"


def _act(options: argparse.Namespace, config: Config, verb: str, device: str) -> int:
    """Done, and with accept also waited for."""
    of = [job for job in asyncio.run(_jobs(config)) if job.device == device and job.state == "offered"]
    if not of:
        raise BadInput(say("firmware.not_offered"))
    if len(of) > 1 and options.origin is None:
        raise BadInput(f"--origin: which? {', '.join(job.origin or '-' for job in of)}")
    origin = of[0].origin if options.origin is None else options.origin
    act = FirmwareAct(id=str(uuid.uuid4()), verb=verb, device=device, origin=origin)
    acted = asyncio.run(_say(config, act))
    if not acted.acted:
        raise BadInput(acted.error)
    return WELL if verb == "refuse" else _followed(options, config, device, origin)


def _followed(options: argparse.Namespace, config: Config, device: str, origin: str) -> int:
    """Until it has ended; each change is a line."""
    said = ""
    while True:
        job = next(job for job in asyncio.run(_jobs(config)) if (job.device, job.origin) == (device, origin))
        if (now := line(job)) != said and not options.json:
            print(now, flush=True)
            said = now
        if job.state in ENDS:
            if options.json:
                print(job.model_dump_json(indent=2))
            return WELL if job.state == "done" else NOT_WELL
        time.sleep(LOOK_EVERY_S)


def _bring(options: argparse.Namespace, config: Config, device: str, file: Path) -> int:
    """Into the staging folder by its hash, and offered."""
    if not options.version:
        raise BadInput("--version: which version is it, as the device will say it?")
    try:
        if file.stat().st_size > LARGEST:
            raise BadInput(f"{file}: larger than {LARGEST >> 20} MB")
        image = file.read_bytes()
        digest = stage(config, image)
    except OSError as error:
        raise BadInput(f"{error.filename or file}: {error.strerror}") from None
    acted = asyncio.run(_say(config, brought(device, options.version, digest)))
    if not acted.acted:
        raise BadInput(acted.error)
    print(f"SHA-256 {digest}")
    return _list(options, config)


def stage(config: Config, image: bytes) -> str:
    """Put an image into the staging folder; its hash. Raises OSError."""
    folder = config.forward_data / "firmware"
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    digest = hashlib.sha256(image).hexdigest()
    path = folder / f"{digest}.bin"
    fresh = path.with_suffix(".new")
    fresh.write_bytes(image)
    owner = config.forward_data.stat()
    if os.geteuid() == 0:  # the daemon reads it as a member of the group
        for one in (folder, fresh):
            shutil.chown(one, owner.st_uid, owner.st_gid)
    fresh.chmod(0o640)
    fresh.replace(path)
    return digest


def brought(device: str, version: str, digest: str) -> FirmwareAct:
    """The act that offers what was staged."""
    return FirmwareAct(id=str(uuid.uuid4()), verb="bring", device=device, version=version, sha256=digest)


async def _jobs(config: Config) -> list[FirmwareTold]:
    async with FirmwareClient(config.box.socket) as client:
        return list((await client.jobs()).jobs)


async def _say(config: Config, act: FirmwareAct) -> FirmwareActed:
    async with FirmwareClient(config.box.socket) as client:
        return await client.act(act)
