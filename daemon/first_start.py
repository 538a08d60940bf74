"""First settings, the daemon's part: accounts and the audit of what was put in force, and what the page /setup says of the box.

The page's settings need what the first administrator's account needs, at the same moment. The daemon changes vitald.toml itself only
where the file is its own (a laptop, a demonstration); on a box it may not, and leaves a request that root's unit checks again and
carries out (systemd/vitald-setup.path).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from daemon.appliance.first_settings import FirstPerson, FirstSettings, leaves, read, toml
from daemon.appliance.first_start import (
    ANSWER,
    FOLDER,
    HANDOVER,
    Handover,
    NotAsked,
    Places,
    applied,
    leave,
    plan_of,
)
from daemon.appliance.system_steps import CannotDo
from daemon.audit import Entry
from daemon.config import Config
from daemon.control.people import BoxSettings
from daemon.model.actor import Actor, acting, acts
from daemon.people.passwords import Busy
from daemon.people.person import Refused
from daemon.signing import Signing

REQUEST = "request.toml"
"""Beside the databases: what root's unit is asked to set. Only `ASKED` is ever taken from it."""

ASKED = ("box.name", "box.ward", "box.serial", "time.zone", "time.servers")
"""Keys that a page may set; beside them the names of beds."""

BUSY_S = 0.5

log = logging.getLogger(__name__)


class FirstStart:
    """`path` is that of vitald.toml, None where there is none; `utc` UTC in ns and whether it can be believed."""

    def __init__(
        self, config: Config, path: Path | None, signing: Signing, utc: Callable[[], tuple[int, bool]]
    ) -> None:
        self._config = config
        self._path = path
        self._signing = signing
        self._utc = utc

    async def restore(self) -> None:
        """At the start: take in what first settings have left for the daemon. Never raises for a file."""
        file = self._config.box.data / FOLDER / HANDOVER
        try:
            which = file.stat().st_mtime_ns
            left = Handover.model_validate_json(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            log.error("first settings: %s cannot be read: %s", file, error)  # noqa: TRY400 - a state of the disk
            return
        try:
            with acts(Actor("box", None, "box")):
                for person in left.people:
                    await self._take_in(person)
        except (sqlite3.Error, OSError) as error:
            log.error("first settings: box.db cannot be written, tried again at the next start: %s", error)  # noqa: TRY400
            return
        for number, (key, value) in enumerate(left.lines):
            # Where the power went before the file did, the same line has the same id: it is in the audit once.
            self._audit(f"first-{which}-{number}", key, value, left.source)
        if not await self._signing.trail.flush():
            return
        file.unlink(missing_ok=True)
        log.info("first settings: %d lines from %s are in force", len(left.lines), left.source)

    async def _take_in(self, person: FirstPerson) -> None:
        while True:
            try:
                await self._signing.take_first(
                    {"full_name": person.full_name, "machine_serial_id": person.machine_serial_id},
                    person.role,
                    hashed=person.password_hash,
                    code=person.code,
                )
            except Busy:
                await asyncio.sleep(BUSY_S)
                continue
            except Refused as refused:
                log.error("first settings: %s has no account: %s", person.full_name, refused.key)  # noqa: TRY400
            return

    def answer(self) -> tuple[str, ...]:
        """What has become of the last stick or request, in lines; empty where there was none, or all of it is in force."""
        try:
            told = json.loads((self._config.box.data / FOLDER / ANSWER).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ()
        return tuple(str(line) for line in told.get("lines", ()))

    # --- the page ----------------------------------------------------------------------------------------

    def check(self, asked: BoxSettings) -> str:
        """Why it cannot be set, in words; "" where it can."""
        try:
            settings = self._asked(asked)
            if self._own_file is not None:
                plan_of(_without_time(settings), self._places(self._own_file))
        except (NotAsked, CannotDo, OSError) as error:
            return str(error)
        return ""

    def put(self, asked: BoxSettings) -> str:
        """Set it; what a person does next: "" nothing, "wait" for root's unit, "restart" by hand, "zone" is left too. Raises OSError."""
        settings = self._asked(asked)
        if not settings.tables and not (settings.own.time.zone or settings.own.time.servers):
            return ""
        path = self._own_file
        if path is None:
            self._request(settings)
            return "wait"
        plan = plan_of(_without_time(settings), self._places(path))
        by = acting()
        applied(plan, self._places(path), f"the page /setup, {by.name if by else 'box'}")
        return "restart"

    @property
    def _own_file(self) -> Path | None:
        """vitald.toml where the daemon may change it by itself."""
        path = self._path
        mine = (
            path is not None
            and path.exists()
            and os.access(path, os.W_OK)
            and os.access(path.parent, os.W_OK)
        )
        return path if mine else None

    def _places(self, path: Path) -> Places:
        return Places(self._config, path)

    def _asked(self, asked: BoxSettings) -> FirstSettings:
        """What is other than it is now. Raises `NotAsked`."""
        config = self._config
        box = {
            key: value
            for key, value in (("name", asked.name), ("ward", asked.ward), ("serial", asked.serial))
            if value != getattr(config.box, key)
        }
        beds = {
            key: {"name": name}
            for key, name in asked.beds.items()
            if key not in config.beds or config.beds[key].name != name
        }
        time = {"zone": asked.zone, "servers": list(asked.servers)}
        whole: dict[str, Any] = {"box": box, "beds": beds, "time": {k: v for k, v in time.items() if v}}
        text = as_toml({key: value for key, value in whole.items() if value})
        present = config.model_dump(mode="json", exclude_unset=True)
        settings = read(text, (), present)
        if settings.faults:
            raise NotAsked(settings.faults)
        return settings

    def _request(self, settings: FirstSettings) -> None:
        """Leave it for root's unit: whole, in a folder that nobody else writes in."""
        time = settings.own.time.model_dump(exclude_defaults=True)
        leave(
            self._config.box.data, REQUEST, as_toml({**settings.tables, **({"time": time} if time else {})})
        )

    def _audit(self, identity: str, key: str, value: str, source: str) -> None:
        utc_ns, is_set = self._utc()
        body = {"key": key, "value": value, "from": source}
        self._signing.trail.offer(Entry(identity, utc_ns, is_set, "box", "first_setting", "", key, body))


def requested(text: str, present: Mapping[str, Any]) -> FirstSettings:
    """A request as root's unit takes it: nothing but what a page may set. Raises `NotAsked`."""
    settings = read(text, (), present)
    if settings.faults:
        raise NotAsked(settings.faults)
    keys = [key for key, _ in leaves(tomllib.loads(text))]
    strange = [key for key in keys if key not in ASKED and not _is_bed_name(key)]
    if strange:
        raise CannotDo(f"{strange[0]} cannot be set from a page")
    return settings


def as_toml(tables: Mapping[str, Any]) -> str:
    """Tables as a file, a line for each value."""
    lines: list[str] = []
    for key, value in leaves(tables):
        table, _, name = key.rpartition(".")
        if f"[{table}]" not in lines:
            lines.append(f"[{table}]")
        lines.append(f"{name} = {toml(value)}")
    return "\n".join(lines) + "\n"


def _is_bed_name(key: str) -> bool:
    parts = key.split(".")
    return len(parts) == 3 and parts[0] == "beds" and parts[2] == "name"


def _without_time(settings: FirstSettings) -> FirstSettings:
    """Where the daemon writes its own file the machine's clock is none of its business."""
    return FirstSettings(tables=settings.tables)
