"""What keeps the clock, how well, and setting it by hand."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from daemon.wallclock import kernel_is_synchronised, read

_TOLD = ("Reference ID", "System time", "Last offset", "Leap status", "Stratum")


@dataclass(frozen=True, slots=True)
class Timekeeping:
    """`believed`: the daemon goes by this clock; `keeper` "" = nothing keeps it; `says` is the keeper's own word, by name."""

    utc: str
    believed: bool
    synchronised: bool
    keeper: str
    says: dict[str, str]
    battery_clock: bool


class CannotSet(Exception):
    """The clock cannot be set; the text says why."""


def timekeeping(root: Path = Path("/")) -> Timekeeping:
    """How the clock stands."""
    seen = read(root / "run", root / "sys/class/rtc")
    keeper, says = "", {}
    if shutil.which("chronyc"):
        said = _run("chronyc", "-n", "tracking")
        says = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in said.splitlines()) if v}
        keeper = "chrony" if says else ""
    if not keeper and (root / "run/systemd/timesync").is_dir():
        keeper = "systemd-timesyncd"
    return Timekeeping(
        datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        seen.is_set,
        kernel_is_synchronised(),
        keeper,
        {name: says[name] for name in _TOLD if name in says},
        any((root / "sys/class/rtc").glob("rtc*")),
    )


def moment(text: str) -> float:
    """Seconds of UTC that a person has given. Raises `CannotSet`."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise CannotSet(f"{text}: a time is like 2026-01-31T12:00:00Z") from None
    if given.tzinfo is None:
        raise CannotSet(f"{text}: a time needs its zone: {text}Z is UTC")
    return given.timestamp()


def set_clock(utc_s: float, keeper: str) -> None:
    """Set it now, and the battery's clock with it where there is one. Raises `CannotSet`."""
    if keeper:
        raise CannotSet(
            f"{keeper} keeps the clock: give it a time server that it can reach, or stop it first"
        )
    try:
        time.clock_settime(time.CLOCK_REALTIME, utc_s)
    except PermissionError:
        raise CannotSet("only root may set the clock: sudo vitald time set ...") from None
    if shutil.which("hwclock"):
        _run("hwclock", "--systohc", "--utc")


def _run(program: str, *arguments: str) -> str:
    path = shutil.which(program)
    if path is None:
        return ""
    try:
        return subprocess.run(  # noqa: S603 - our own words
            [path, *arguments], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
