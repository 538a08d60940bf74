"""`vitald update`: how the slots stand, and the box's own updates: look at a bundle, install it, go back.

status: the slots and what became of the last update. verify FILE: signature and every byte. install [FILE]: from a file, or what
`[update]` of the configuration names; refused while a patient is admitted unless --force, or --when-discharged: then the box starts
anew by itself once nobody has been admitted for five minutes. withdraw: an update that waits for that is not tried. check: whether
there is a newer one. rollback: the slot of before at the next start.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daemon.appliance import keeping, pulling, slots, update, waiting
from daemon.appliance.surroundings import systemctl
from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.cli.factory_reset import admitted
from daemon.config import Config
from daemon.control.client import ControlClient, NotAnswering
from daemon.control.messages import State
from daemon.control.people import Note, PeopleClient
from daemon.words import say

log = logging.getLogger("vitald.update")

MEGABYTE = 1_000_000
ACTS = ("status", "verify", "install", "withdraw", "check", "rollback")


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("act", nargs="?", choices=ACTS, default="status", help="what to do (default: status)")
    parser.add_argument("file", nargs="?", type=Path, help="a bundle, on a stick for instance")
    parser.add_argument("--force", action="store_true", help="also while a patient is admitted")
    parser.add_argument(
        "--when-discharged",
        action="store_true",
        help="install: write it now, and start it when nobody has been admitted for five minutes",
    )
    parser.add_argument("--restart", action="store_true", help="start the box anew at once")
    parser.add_argument("--json", action="store_true", help="the answer as JSON")


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    if options.file is not None and not options.file.is_file():
        raise BadInput(say("update.no_file", file=str(options.file)))
    if options.when_discharged and (options.force or options.restart or options.act != "install"):
        raise BadInput(say("update.either"))
    if options.act == "verify" and options.file is None:
        raise BadInput(say("update.which"))
    try:
        return _ACTS[options.act](options, config)
    except update.NoSlots as error:
        return _refused(options, "no_slots", str(error))
    except update.NotUsable as error:
        return _refused(options, "not_usable", str(error))
    except pulling.CannotPull as error:
        return _refused(options, "not_pulled", str(error))
    except slots.Unreadable as error:
        return _refused(options, "unreadable", str(error))
    except PermissionError as error:
        return _refused(options, "not_root", str(error.filename or ""))
    except OSError as error:
        return _refused(options, "not_written", f"{error.filename or ''} {error.strerror or error}".strip())


def _status(options: argparse.Namespace, config: Config) -> int:
    told = update.status(config)
    _say(options, {**asdict(told), "well": told.well}, *_lines(told))
    return WELL if told.well else NOT_WELL


def slot_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The slot that runs, and what is to be said of it and of the last update (update.Status as a mapping)."""
    yield say("update.runs", slot=told["running"], version=told["version"], image=told["image"])
    if told["new"]:
        yield say("update.on_trial")
    if told["spent"]:
        yield f"! {say('update.spent')}"
    if told["unreadable"]:
        yield f"! {say('update.unreadable', why=told['unreadable'])}"
    if told["last"]:
        yield outcome(told["last"])


def _lines(told: update.Status) -> Iterator[str]:
    """What `status` prints."""
    if told.running is None:
        yield from (say("update.version", version=told.version), say("update.without"))
        return
    yield from slot_lines(asdict(told))
    for name, slot in (told.slots or {}).items():
        mark = "*" if name == told.running else " "
        parts = [say(f"update.slot.{slot['state']}"), say("update.left", left=str(slot["left"]))]
        parts += [say("update.next")] if name == told.next else []
        yield f"{mark} {say('update.slot', slot=name)}: {', '.join(parts)}"
    if told.slots is None and not told.unreadable:
        yield say("update.sudo")


def outcome(last: Mapping[str, Any]) -> str:
    """The line on the last update."""
    values = {"before": str(last.get("before", "?")), "to": str(last.get("to", "?"))}
    if last.get("waiting") is True:
        return say("update.last.waiting", **values)
    if "withdrawn_at" in last:
        return say("update.last.withdrawn", at=str(last["withdrawn_at"]), **values)
    if "rolled_back_at" in last:
        return say("update.last.rolled_back", at=str(last["rolled_back_at"]))
    if "kept_at" in last:
        return say("update.last.kept", at=str(last["kept_at"]), **values)
    if "returned_at" in last or "failed" in last:
        why = "; ".join(str(one) for one in last.get("failed", ())) or say("update.last.no_reason")
        return f"! {say('update.last.returned', why=why, **values)}"
    if "installed_at" in last:
        return say("update.last.installed", **values)
    return f"! {say('update.last.broken_off', **values)}"


def _verify(options: argparse.Namespace, config: Config) -> int:
    folder = config.box.data / update.FOLDER
    if os.geteuid() == 0:
        folder.mkdir(mode=0o750, exist_ok=True)
    else:
        import tempfile

        folder = Path(tempfile.mkdtemp(prefix="vitald-"))
    try:
        found = update.Rauc().verify(options.file, folder)
    finally:
        if os.geteuid() != 0:
            folder.rmdir()
    _say(options, asdict(found), say("update.verified", version=found.version, compatible=found.compatible))
    return WELL


def _install(options: argparse.Namespace, config: Config) -> int:
    beds = admitted(config, options.config)
    if beds and not (options.force or options.when_discharged):
        return _refused(options, "admitted", ", ".join(beds))
    if os.geteuid() != 0:
        return _refused(options, "not_root", "")
    rauc = update.Rauc()
    now = rauc.now()
    file = options.file or _pulled(options, config)
    if not options.json:
        print(say("update.installs", file=file.name), flush=True)
    found = update.install(config, rauc, file, _streaming(config))
    if options.file is None:
        file.unlink()
    how = "when_discharged" if options.when_discharged else "forced" if beds else "installed"
    _noted(config, "update_installed", version=found.version, how=how, beds=beds)
    if options.when_discharged:
        waiting.begin(config, now)
        systemctl("start", "--no-block", waiting.UNIT)
        _say(options, {**asdict(found), "waiting": True}, say("update.waits", version=found.version))
        return WELL
    _say(options, asdict(found), say("update.installed", version=found.version))
    if options.restart:
        update.restart(rauc.now())
    return WELL


def _pulled(options: argparse.Namespace, config: Config) -> Path:
    offer = pulling.offered(config.update.url, config.update.ca_file)
    folder = config.box.data / update.FOLDER
    folder.mkdir(mode=0o750, exist_ok=True)
    if not options.json:
        print(say("update.pulls", version=offer.version, mb=f"{offer.bytes / MEGABYTE:.0f}"), flush=True)
    return pulling.pulled(
        config.update.url,
        offer,
        folder,
        most_bytes=config.update.max_mb * MEGABYTE,
        ca_file=config.update.ca_file,
    )


def _streaming(config: Config) -> list[str]:
    """What streams now must stream again. A daemon that does not answer promises nothing."""

    async def asked() -> State:
        async with ControlClient(config.box.socket) as client:
            return await client.status()

    try:
        return keeping.streaming(asyncio.run(asked()))
    except NotAnswering:
        return []


def _check(options: argparse.Namespace, config: Config) -> int:
    if not config.update.url:
        raise BadInput(say("update.no_address"))
    offer = pulling.offered(config.update.url, config.update.ca_file)
    here = update.status(config)
    same = offer.version in {here.image, here.version}
    word = "update.newest" if same else "update.there_is"
    line = say(word, version=offer.version, mb=f"{offer.bytes / MEGABYTE:.0f}")
    _say(options, {**offer.model_dump(), "here": here.image or here.version, "other": not same}, line)
    return WELL


def _rollback(options: argparse.Namespace, config: Config) -> int:
    beds = admitted(config, options.config)
    if beds and not options.force:
        return _refused(options, "admitted", ", ".join(beds))
    if os.geteuid() != 0:
        return _refused(options, "not_root", "")
    rauc = update.Rauc()
    slot = update.rollback(config, rauc)
    _noted(config, "update_rolled_back", slot=slot, how="forced" if beds else "", beds=beds)
    _say(options, {"slot": slot}, say("update.rolls_back", slot=slot))
    if options.restart:
        update.restart(rauc.now())
    return WELL


def _withdraw(options: argparse.Namespace, config: Config) -> int:
    if os.geteuid() != 0:
        return _refused(options, "not_root", "")
    version = str(keeping.told(config).get("to", ""))
    slot = waiting.withdraw(config, update.Rauc().now())
    _noted(config, "update_withdrawn", version=version, slot=slot)
    _say(options, {"slot": slot, "version": version}, say("update.withdrawn", version=version))
    return WELL


_ACTS = {
    "status": _status,
    "verify": _verify,
    "install": _install,
    "withdraw": _withdraw,
    "check": _check,
    "rollback": _rollback,
}


def _noted(config: Config, act: str, **body: Any) -> None:
    """Into the audit, by the daemon, which alone writes it. `login`: who became root for it, as far as sudo tells."""
    body = {name: value for name, value in body.items() if value} | {"login": os.environ.get("SUDO_USER", "")}
    log.warning("%s: %s", act, body)

    async def noted() -> None:
        async with PeopleClient(config.box.socket) as client:
            await client.note(Note(id=str(uuid.uuid4()), act=act, subject="box", body=body))

    try:
        asyncio.run(noted())
    except NotAnswering as error:
        log.error("the daemon does not answer, so the audit does not have it: %s", error)  # noqa: TRY400 - a state of the box


def _say(options: argparse.Namespace, told: dict[str, Any], *lines: str) -> None:
    print(json.dumps(told, indent=2, default=str) if options.json else "\n".join(lines))


def _refused(options: argparse.Namespace, why: str, detail: str) -> int:
    """One line: what is not done, and what to do."""
    text = say(f"update.refused.{why}", detail=detail)
    _say(options, {"refused": why, "detail": detail, "text": text}, text)
    return NOT_WELL
