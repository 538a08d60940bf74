"""The box's own updates: a signed bundle is looked at as a whole, written to the slot that does not run, and tried once.

RAUC does the writing and knows the signature; what is here says when it may, and tells what has come of it. `Rauc` is the one place
where its program is called.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from daemon import __version__
from daemon.appliance import keeping, slots
from daemon.config import Config

PROGRAM = "/usr/bin/rauc"
FOLDER = "update"
"""In box.data: where a bundle is pulled to, and unpacked for a moment to be looked at."""

VERSION = Path("/usr/lib/vitald-image/version")
LOOK_S, INSTALL_S = 900.0, 3600.0
REASON_CHARS = 300


class NoSlots(Exception):
    """This machine has no slots, or RAUC is not there; the text says so."""


class NotUsable(Exception):
    """A bundle is damaged, is of a signer we do not know, or is not for this box; or it could not be written. The text says why."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a signed bundle says of itself."""

    version: str
    compatible: str
    build: str = ""


def _run(words: Sequence[str], within_s: float) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    env = os.environ | {"LC_ALL": "C"}
    done = subprocess.run(  # noqa: S603 - our own words, and a path
        list(words), capture_output=True, text=True, timeout=within_s, check=False, env=env, errors="replace"
    )
    return done.returncode, done.stdout, done.stderr


class Rauc:
    """RAUC's program. Raises `NoSlots` where it is not there."""

    def __init__(
        self,
        program: str = PROGRAM,
        run: Callable[[Sequence[str], float], tuple[int, str, str]] = _run,
        started: Callable[[], slots.Started | None] = slots.running,
    ) -> None:
        self._program = program
        self._run = run
        self._started = started

    def now(self) -> slots.Started:
        """The slot that runs."""
        started = self._started()
        if started is None:
            raise NoSlots("this machine was not started from a slot of an image")
        return started

    def info(self, bundle: Path) -> Bundle:
        """What the bundle says, its signature checked against the keyring. It does not look at the payload. Raises `NotUsable`."""
        text = self._asked("info", "--output-format=json", str(bundle), within_s=LOOK_S)
        try:
            told: dict[str, Any] = json.loads(text)
            return Bundle(str(told["version"]), str(told["compatible"]), str(told.get("build") or ""))
        except (ValueError, KeyError) as error:
            raise NotUsable(f"{bundle}: rauc says nothing of it: {error}") from None

    def verify(self, bundle: Path, folder: Path) -> Bundle:
        """The same, and every byte of the payload read and found as it was signed. Raises `NotUsable`, OSError."""
        found = self.info(bundle)
        unpacked = folder / "looked-at"
        shutil.rmtree(unpacked, ignore_errors=True)
        try:
            self._asked("extract", str(bundle), str(unpacked), within_s=LOOK_S)
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)
        return found

    def install(self, bundle: Path) -> None:
        """Into the slot that does not run; it is the one that is started next. Raises `NotUsable`."""
        self._asked("install", str(bundle), within_s=INSTALL_S)

    def _asked(self, *words: str, within_s: float) -> str:
        if not Path(self._program).exists():
            raise NoSlots(f"{self._program} is not there")
        try:
            code, out, err = self._run([self._program, *words], within_s)
        except subprocess.TimeoutExpired:
            raise NotUsable(f"rauc {words[0]} did not come to its end within {within_s:.0f} s") from None
        if code:
            raise NotUsable(_reason(out, err))
        return out


def _reason(out: str, err: str) -> str:
    """The line in which RAUC says what is wrong."""
    lines = [line.strip() for line in (err + "\n" + out).splitlines() if line.strip()]
    telling = [line for line in lines if "rror" in line or "ailed" in line or "orrupt" in line]
    return (telling or lines or ["rauc gives no reason"])[-1][:REASON_CHARS]


@dataclass(frozen=True, slots=True)
class Status:
    """How the slots stand. `running` None: no slots here. `new`: this one is on trial still. `last` is what was written down of the last update (keeping.py)."""

    version: str
    image: str
    running: str | None
    new: bool = False
    spent: bool = False
    next: str = ""
    slots: Mapping[str, Mapping[str, Any]] | None = None
    unreadable: str = ""
    last: Mapping[str, Any] | None = None

    @property
    def well(self) -> bool:
        """Whether nobody need look at it: the slot that runs is good, and the last update was kept or is still to be tried."""
        if self.running is None:
            return True
        last = self.last or {}
        return not (self.spent or self.unreadable or "returned_at" in last or "failed" in last)


def status(
    config: Config, boot: Path = slots.BOOT, started: Callable[[], slots.Started | None] = slots.running
) -> Status:
    """How it stands now. Nothing is asked of RAUC; the states of the slots are seen by root alone."""
    now = started()
    image = _image()
    last = keeping.told(config)
    if now is None:
        return Status(__version__, image, None, last=last)
    # The kernel's line says how the slot stood before it was found well.
    new = now.new and not keeping.KEPT.exists()
    if not os.access(boot, os.R_OK | os.X_OK):  # root's alone, since a key may lie there
        return Status(__version__, image, now.slot, new, now.spent, last=last)
    try:
        states = slots.read(boot)
    except slots.Unreadable as error:
        return Status(__version__, image, now.slot, new, now.spent, unreadable=str(error), last=last)
    both = {name: asdict(states[name]) for name in slots.SLOTS}
    return Status(__version__, image, now.slot, new, now.spent, states.primary(), both, last=last)


def _image(path: Path = VERSION) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def install(config: Config, rauc: Rauc, bundle: Path, streaming: Sequence[str]) -> Bundle:
    """Look at all of the bundle, then write it to the other slot. `streaming`: the devices that must stream again afterwards.

    What must be so afterwards is written down before the first byte of the slot is: a power cut leaves no update without it.
    Raises `NoSlots`, `NotUsable`, OSError.
    """
    now = rauc.now()
    folder = config.box.data / FOLDER
    folder.mkdir(mode=0o750, exist_ok=True)
    found = rauc.verify(bundle, folder)
    other = next(name for name in slots.SLOTS if name != now.slot)
    _begin(config, other, found.version, streaming)
    rauc.install(bundle)
    keeping.tell(config, installed_at=_utc())
    return found


def _begin(config: Config, slot: str, version: str, streaming: Sequence[str]) -> None:
    path = config.box.data / keeping.UPDATE
    path.unlink(missing_ok=True)
    before = _image() or __version__
    keeping.tell(config, slot=slot, before=before, to=version, streaming=list(streaming), begun_at=_utc())


def rollback(config: Config, rauc: Rauc, boot: Path = slots.BOOT) -> str:
    """The other slot is started next; its name. Raises `NoSlots`, `NotUsable` where it is not good, `slots.Unreadable`, OSError."""
    now = rauc.now()
    states = slots.read(boot)
    other = next(name for name in slots.SLOTS if name != now.slot)
    if states[other].state != "good":
        raise NotUsable(f"slot {other} is {states[other].state}: there is nothing to go back to")
    slots.write(states.marked(other, "good").preferred(other), boot)
    keeping.tell(config, rolled_back_at=_utc(), slot=other, streaming=[])
    return other


def restart(now: slots.Started | None, boot: Path = slots.BOOT) -> None:
    """Start the box anew; a Raspberry Pi's firmware must be told to try a new slot. Raises OSError, CalledProcessError."""
    words = ["/usr/bin/systemctl", "reboot"]
    if (
        now is not None
        and (boot / slots.AUTOBOOT).exists()
        and slots.read(boot)[slots.read(boot).primary()].state == "new"
    ):
        words.append("--reboot-argument=0 tryboot")
    subprocess.run(words, check=True, timeout=60)  # noqa: S603 - our own words


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
