"""First settings put in force: all of them or none. What becomes of vitald.toml, of secrets, of the clock and the network.

Whoever does it is root on a box (`vitald setup`), or the owner of the files elsewhere. Accounts and the audit are the daemon's alone:
they are left for it in a file that it takes in when it starts (daemon/first_start.py).
"""

from __future__ import annotations

import os
import sqlite3
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from daemon.appliance import config_file
from daemon.appliance.config_file import Fault
from daemon.appliance.first_settings import (
    LARGEST,
    LARGEST_SECRET,
    FirstPerson,
    FirstSettings,
    leaves,
    read,
    serials,
    toml,
)
from daemon.appliance.network_setting import network_steps
from daemon.appliance.system_steps import CannotDo, Program, Step, Write, carry_out, run_program
from daemon.appliance.time_setting import time_steps
from daemon.config import Config
from daemon.store.box import ask_box

FOLDER, HANDOVER, ANSWER = "setup", "handover.json", "answer.json"
"""Beside the databases: what the daemon takes in at its start, and what has become of what was asked. Nobody but its user reads them."""


class Handover(BaseModel):
    """What is left for the daemon: where it came from, lines for the audit, and the first people."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    lines: tuple[tuple[str, str], ...] = ()
    people: tuple[FirstPerson, ...] = ()


class NotAsked(Exception):
    """What a file says cannot be used: `faults`, by line and key."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.text for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done: `text` of vitald.toml, `steps` on the machine, `lines` (key and value, secrets masked) for the audit."""

    text: str
    steps: tuple[Step, ...]
    lines: tuple[tuple[str, str], ...]
    people: tuple[FirstPerson, ...]

    @property
    def empty(self) -> bool:
        """Whether everything is so already."""
        return not self.lines


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are: the configuration in force, its file, and the root of the machine (tests have another)."""

    config: Config
    path: Path
    root: Path = Path("/")

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8") if self.path.exists() else ""


def is_set_up(config: Config) -> bool:
    """Whether somebody has an account, by the word of box.db; True where that cannot be read: the careful answer."""
    if not config.box.people.exists():
        return False
    try:
        return bool(
            ask_box(config.box.people, lambda db: db.execute("SELECT count(*) FROM people").fetchone()[0])
        )
    except sqlite3.OperationalError as error:
        return "no such table" not in str(error)
    except sqlite3.Error:
        return True


def planned(file: Path, places: Places) -> Plan:
    """What a file of first settings asks of this box. Raises `NotAsked`, `CannotDo`, OSError."""
    if file.stat().st_size > LARGEST:
        raise CannotDo(f"{file}: larger than {LARGEST} bytes")
    text = file.read_text(encoding="utf-8")
    asked = read(text, serials(places.config.box.serial, places.root), tomllib.loads(places.text))
    if asked.faults:
        raise NotAsked(asked.faults)
    return plan_of(asked, places, beside=file.parent)


def plan_of(asked: FirstSettings, places: Places, *, beside: Path | None = None) -> Plan:
    """What they ask of this box; files beside them are looked for in `beside`. Raises `NotAsked`, `CannotDo`, OSError."""
    own = asked.own
    if own.people and is_set_up(places.config):
        fault = (
            "somebody has an account already: people are made by an administrator, or by `vitald user add`"
        )
        raise NotAsked([Fault(0, "people", fault)])
    text, lines = _configured(asked.tables, places.text)
    steps: list[Step] = []
    folder = places.config.forward.credentials
    for kind, files, to in (
        ("certificates", own.certificates, places.path.parent / "certificates"),
        ("credentials", own.credentials, folder),
    ):
        for name, place in files.items():
            secret = kind == "credentials"
            data = _file(beside, place, f"{kind}.{name}", certificate=not secret)
            if _differs(to / name, data):
                steps.append(Write(to / name, data, 0o600 if secret else 0o644, secret=True))
                lines.append((f"{kind}.{name}", "(a file)"))
    if own.time.zone or own.time.servers:
        steps += time_steps(own.time, places.root)
        lines += [(f"time.{key}", _shown(value)) for key, value in own.time.model_dump().items() if value]
    if own.network is not None:
        password = (
            _file(beside, own.network.password_file, "network.password_file").strip()
            if own.network.password_file
            else ""
        )
        steps += network_steps(own.network, password, places.root)
        said = own.network.model_dump(mode="json", exclude_defaults=True, exclude={"password_file"})
        lines += [(f"network.{key}", _shown(value)) for key, value in said.items()]
    lines += [(f"people.{p.full_name}", p.role) for p in own.people]
    return Plan(text, tuple(steps), tuple(lines), own.people)


def applied(plan: Plan, places: Places, source: str, program: Program = run_program) -> list[str]:
    """Do it: what was told by programs that may fail. Raises `CannotDo`, OSError; then everything is as it was."""
    if plan.empty:
        return []
    left = Handover(source=source, lines=plan.lines, people=plan.people).model_dump_json()
    copy = None
    try:
        # What is left for the daemon comes last: after a power cut before it nobody has an account, and all is done again.
        if plan.text != places.text:
            copy = config_file.write(places.path, plan.text)
        told = carry_out(plan.steps, program, lambda: leave(places.config.box.data, HANDOVER, left))
    except config_file.CannotSet as error:
        raise CannotDo(str(error)) from None
    except PermissionError as error:
        raise CannotDo(f"{error.filename}: only root may write there: say it with sudo") from None
    except CannotDo:
        if copy is not None:
            copy.replace(places.path)
        raise
    return told


def leave(data: Path, name: str, text: str) -> None:
    """Put a file into the folder for the daemon, whole, as its own. Raises OSError.

    The folder is its user's and the writer may be root: every step goes by handles, so that no link leads out of it.
    """
    owner = data.stat()
    whole = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(FileExistsError):
            os.mkdir(FOLDER, 0o750, dir_fd=whole)
        folder = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=whole)
    finally:
        os.close(whole)
    try:
        fresh = f".{name}.new"
        with suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=folder)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            with suppress(PermissionError):  # who is not root has made it as its own
                for one in (folder, file.fileno()):
                    os.fchown(one, owner.st_uid, owner.st_gid)
            os.fsync(file.fileno())
        os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    finally:
        os.close(folder)


def _configured(tables: Mapping[str, Any], text: str) -> tuple[str, list[tuple[str, str]]]:
    """The text of vitald.toml with the tables in it, and what has changed."""
    known = dict(leaves(tomllib.loads(text)))
    lines = []
    for key, value in leaves(tables):
        if known.get(key) == value:
            continue
        try:
            text = config_file.with_value(text, key, toml(value))
        except config_file.CannotSet as error:
            raise CannotDo(str(error)) from None
        masked = dict(config_file.flat(config_file.masked({key.rpartition(".")[2]: value})))
        lines.append((key, _shown(next(iter(masked.values()), ""))))
    if wrong := config_file.faults_of(text):
        raise NotAsked(
            [
                Fault(0, fault.key, f"{fault.text} (with what /etc/vitald/vitald.toml says already)")
                for fault in wrong
            ]
        )
    return text, lines


def _file(beside: Path | None, place: str, key: str, *, certificate: bool = False) -> str:
    """The text of a file beside the first settings. Raises `NotAsked`."""
    from cryptography import x509  # a daemon that starts does not need it

    try:
        if beside is None:
            raise NotAsked([Fault(0, key, f"{place}: no files come with these settings")])
        path = (beside / place).resolve(strict=True)
        _small_file(path, beside.resolve())
        text = path.read_text(encoding="utf-8")
        if certificate:
            x509.load_pem_x509_certificates(text.encode())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "is no certificate in PEM"
        raise NotAsked([Fault(0, key, f"{place}: {why}")]) from None
    return text


def _small_file(path: Path, folder: Path) -> None:
    if not path.is_relative_to(folder) or not path.is_file():
        raise FileNotFoundError(2, "is no file beside the first settings")
    if path.stat().st_size > LARGEST_SECRET:
        raise OSError(27, f"larger than {LARGEST_SECRET} bytes")


def _differs(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") != text
    except (OSError, UnicodeDecodeError):
        return True


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else toml(value)
