"""An update that is written and verified, and waits until nobody is admitted: `python -m daemon.appliance.waiting` (vitald-waiting.service).

Until then the slot that runs stays the one that is started next: a power cut with a patient at the bed tries no new version. When
nobody has been admitted for a while, the box starts the new slot by itself, and what follows is as with any update (keeping.py).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from daemon import journal
from daemon.appliance import keeping, slots, update
from daemon.config import BadConfig, Config, load
from daemon.control.client import ControlClient, NotAnswering
from daemon.control.messages import State

log = logging.getLogger("vitald.update")

QUIET_S = 300.0
"""So long must nobody have been admitted: whoever is put from one bed to another is not gone."""

LOOK_S = 5.0
UNIT = "vitald-waiting.service"


class Quiet:
    """Hears again and again whether somebody is admitted, and says when nobody has been for `QUIET_S`."""

    def __init__(self) -> None:
        self._since_s: float | None = None

    def heard(self, *, admitted: bool | None, now_s: float) -> bool:
        """None: the daemon did not say, which is not taken for a no."""
        if admitted is not False:
            self._since_s = None
            return False
        if self._since_s is None:
            self._since_s = now_s
        return now_s - self._since_s >= QUIET_S


def waits(config: Config) -> bool:
    """Whether an update waits."""
    return keeping.told(config).get("waiting") is True


def begin(config: Config, now: slots.Started, boot: Path = slots.BOOT) -> None:
    """After `update.install`: the slot that runs is started next all the same. Raises `slots.Unreadable`, OSError."""
    slots.write(slots.read(boot).preferred(now.slot), boot)
    keeping.tell(config, waiting=True)


def withdraw(config: Config, now: slots.Started, boot: Path = slots.BOOT) -> str:
    """It is not tried; its slot is not usable from then on. The slot's name. Raises `update.NotUsable`, `slots.Unreadable`, OSError."""
    if not waits(config):
        raise update.NotUsable("no update waits")
    name = _other(now)
    slots.write(slots.read(boot).marked(name, "bad"), boot)
    keeping.tell(config, waiting=False, withdrawn_at=_utc())
    return name


def start(
    config: Config,
    now: slots.Started,
    streaming: Sequence[str],
    boot: Path = slots.BOOT,
    restart: Callable[[slots.Started], None] = update.restart,
) -> None:
    """The new slot is started now; what streams now must stream again. Raises as `update.restart`, `slots.Unreadable`.

    What was written down is the daemon's user's to change, so the slots themselves have the last word: only a new one is tried.
    """
    name, states = _other(now), slots.read(boot)
    keeping.tell(config, waiting=False, streaming=list(streaming), started_at=_utc())
    if states[name].state != "new":
        log.error("no update stands in slot %s, which is %s: nothing is tried", name, states[name].state)
        return
    slots.write(states.preferred(name), boot)
    log.warning("nobody is admitted: the box starts anew to try slot %s", name)
    restart(now)


def _other(now: slots.Started) -> str:
    return next(name for name in slots.SLOTS if name != now.slot)


async def until_started(
    config: Config,
    now: slots.Started,
    ask: Callable[[], State | None],
    begin_anew: Callable[[Sequence[str]], None],
    clock: Callable[[], float] = time.monotonic,
    look_s: float = LOOK_S,
) -> None:
    """Until the update is tried or withdrawn."""
    quiet = Quiet()
    while waits(config):
        state = await asyncio.to_thread(ask)
        admitted = None if state is None else any(bed.patient is not None for bed in state.beds)
        if quiet.heard(admitted=admitted, now_s=clock()) and state is not None:
            begin_anew(keeping.streaming(state))
            return
        await asyncio.sleep(look_s)
    log.info("no update waits any more on slot %s", now.slot)


def asked(config: Config) -> State | None:
    """The daemon's state; None where it does not answer."""

    async def ask() -> State:
        async with ControlClient(config.box.socket) as client:
            return await client.status()

    try:
        return asyncio.run(ask())
    except NotAnswering as error:
        log.info("the daemon does not answer: %s", error)
        return None


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def main(arguments: Sequence[str] | None = None) -> int:
    """0: tried, withdrawn, or nothing waits. 1: the slots cannot be read or written. 78: the configuration cannot be used."""
    parser = argparse.ArgumentParser(description="starts an update that waits, when nobody is admitted")
    parser.add_argument("--config", type=Path, default=Path("/etc/vitald/vitald.toml"))
    options = parser.parse_args(arguments)
    journal.begin()
    now = slots.running()
    if now is None:
        log.info("this machine has no slots")
        return 0
    try:
        config = load(options.config)
    except BadConfig as error:
        log.error("%s", error)  # noqa: TRY400 - the text names the key
        return 78
    try:
        asyncio.run(
            until_started(config, now, lambda: asked(config), lambda streams: start(config, now, streams))
        )
    except (slots.Unreadable, OSError, subprocess.SubprocessError) as error:
        log.error("the update that waits cannot be started: %s", error)  # noqa: TRY400 - a state of the disk
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
