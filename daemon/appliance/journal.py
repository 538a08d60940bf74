"""What the processes have logged: systemd's journal where systemd runs, else the files that a run has left."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from daemon.appliance.surroundings import UNITS

JOURNALCTL = "/usr/bin/journalctl"


def has_journal(root: Path = Path("/")) -> bool:
    """Whether systemd started this machine."""
    return (root / "run/systemd/system").is_dir() and Path(JOURNALCTL).exists()


def command(units: Sequence[str], *, follow: bool, since: str, lines: int | None = None) -> list[str]:
    """The call that shows these units' logs together, oldest first."""
    call = [JOURNALCTL, "--no-pager", "--output=short-iso"]
    call += [f"--unit={unit}.service" for unit in (units or UNITS)]
    call += ["--follow"] if follow else []
    call += [f"--since={since}"] if since else []
    call += [f"--lines={lines}"] if lines is not None and not follow else []
    return call


def read(units: Sequence[str], *, since: str = "", lines: int = 2000) -> str:
    """What they have logged; "" where there is no journal."""
    try:
        call = command(units, follow=False, since=since, lines=lines)
        return subprocess.run(call, capture_output=True, text=True, timeout=30, check=False).stdout  # noqa: S603 - our own words
    except (OSError, subprocess.TimeoutExpired):
        return ""


def files(config: Path) -> list[Path]:
    """Files of logs beside a run's configuration (a demo, a test), the oldest name first."""
    return sorted(config.parent.glob("*.log"))


def tail(path: Path, lines: int) -> Iterator[str]:
    """The last lines of a file."""
    yield from path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
