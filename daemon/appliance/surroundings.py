"""What the checks of `vitald doctor` look at, gathered once; tests hand in their own."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.config import Config
from daemon.control.forwarding import Told
from daemon.control.messages import State
from daemon.control.technician import HealthTold
from daemon.wallclock import kernel_is_synchronised

if TYPE_CHECKING:
    from daemon.appliance.update import Status

UNITS = ("vitald", "vitald-sound", "vitald-web", "vitald-worker", "vitald-forward")


@dataclass(frozen=True, slots=True)
class Reached:
    """How far one destination could be reached: `failed` is "" or name, unreachable, tls or refused; `why` for a person.

    `until_utc_s` is when the server's certificate ends, where there is one.
    """

    name: str
    host: str = ""
    port: int = 0
    failed: str = ""
    why: str = ""
    until_utc_s: float | None = None


def synced_s(folder: Path) -> float:
    """Seconds until a small new file in the folder was safe on the disk; it is taken away again. Raises OSError."""
    path = folder / f".doctor-{os.getpid()}"
    began_s = time.monotonic()
    try:
        with path.open("wb") as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
        return time.monotonic() - began_s
    finally:
        path.unlink(missing_ok=True)


def systemctl(*arguments: str) -> str:
    """What systemctl prints; "" where it does not."""
    try:
        return subprocess.run(  # noqa: S603 - our own words
            ["/usr/bin/systemctl", *arguments], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def listening_pid(path: Path) -> int | None:
    """The process that listens on a Unix socket; None where nobody does. The kernel says so (SO_PEERCRED)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.settimeout(2.0)
        try:
            asked.connect(str(path))
            pid, _, _ = struct.unpack("3i", asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        except OSError:
            return None
    return int(pid)


@dataclass(frozen=True)
class Surroundings:
    """`config` None: it cannot be read, `bad_config` says why. `state` and `health` None: the daemon does not answer (`silent`).

    `root` is where proc, sys and etc are. `answers`: by unit, "" where the process answers, else why it does not.
    `update` None: how the slots stand was not looked at.
    """

    config: Config | None
    path: Path
    bad_config: str = ""
    quick: bool = False
    root: Path = Path("/")
    state: State | None = None
    health: HealthTold | None = None
    silent: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)
    pids: Mapping[str, int] = field(default_factory=dict)
    told: Told | None = None
    misconfigured: Mapping[str, str] = field(default_factory=dict)
    reached: Sequence[Reached] = ()
    update: Status | None = None
    utc_ns: Callable[[], int] = time.time_ns
    synchronised: Callable[[], bool] = kernel_is_synchronised
    synced_s: Callable[[Path], float] = synced_s
    systemctl: Callable[..., str] = systemctl

    @property
    def has_systemd(self) -> bool:
        """Whether systemd started this machine."""
        return (self.root / "run/systemd/system").is_dir()
