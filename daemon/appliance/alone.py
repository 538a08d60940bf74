"""What must be so before the daemon touches a file: folders that can be written, nobody else that writes them, a supply that lasts."""

from __future__ import annotations

import fcntl
import logging
import time
from contextlib import ExitStack
from pathlib import Path

from daemon.appliance.hardware import inputs_of
from daemon.appliance.notify import Notify
from daemon.config import BadConfig, Config

log = logging.getLogger(__name__)

LOOK_S = 0.2
WAITS_USEC = 60_000_000


def usable(folder: Path) -> None:
    """Make the folder where it is missing. Raises `BadConfig`."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as error:
        raise BadConfig(f"box.data / box.run: {folder}: {error.strerror}") from error


def hold_alone(lock: Path, held: ExitStack) -> None:
    """Two daemons on one box would write one database: the second one ends here. Raises `BadConfig`."""
    file = held.enter_context(lock.open("w"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise BadConfig(f"box.run: another vitald is running here ({lock} is held)") from None


def wait_while_ending(config: Config) -> None:
    """A daemon that came to rest because the supply ends is started again at once: it opens nothing before the supply is back."""
    inputs, notify = inputs_of(config.hardware), Notify()
    try:
        if inputs.ends():
            log.warning("the supply ends: waiting for it to come back")
        while inputs.ends():
            # systemd gives a start only so long; this is no start that hangs.
            notify.say(
                "STATUS=the supply ends: waiting for it to come back", f"EXTEND_TIMEOUT_USEC={WAITS_USEC}"
            )
            time.sleep(LOOK_S)
    finally:
        inputs.close()
