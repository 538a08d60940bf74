"""What the kernel says of the machine: memory, heat, supply, disk, uptime. Read-only; what a machine does not say is None."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

THROTTLED = Path("sys/devices/platform/soc/soc:firmware/get_throttled")
"""The Raspberry Pi firmware's word (bits: vcgencmd get_throttled)."""

NO_DATA = Path("run/vitald-no-data")
"""There where the image could not use its data partition at this start (image/disk/laid, local-bottom)."""

UNDER_VOLTAGE_NOW, CAPPED_NOW, THROTTLED_NOW, SOFT_LIMIT_NOW = 1 << 0, 1 << 1, 1 << 2, 1 << 3
UNDER_VOLTAGE_SINCE, THROTTLED_SINCE = 1 << 16, 1 << 18


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes in all and to be had; `stalled_pct`: share of the last 10 s in which something waited for memory (PSI some avg10)."""

    total: int
    available: int
    stalled_pct: float | None


@dataclass(frozen=True, slots=True)
class Disk:
    """Of the file system that a folder is on: bytes and inodes in all and free (for who is not root), and whether it is read-only."""

    total: int
    free: int
    files: int
    files_free: int
    read_only: bool

    @property
    def used_pct(self) -> float:
        return 100.0 * (1 - self.free / self.total) if self.total else 0.0


def memory(root: Path = Path("/")) -> Memory | None:
    """Memory, from /proc/meminfo and /proc/pressure."""
    lines = (_read(root / "proc/meminfo") or "").splitlines()
    kb = {line.split(":")[0]: int(line.split()[1]) for line in lines if len(line.split()) > 1}
    if "MemTotal" not in kb or "MemAvailable" not in kb:
        return None
    stalled = None
    for line in (_read(root / "proc/pressure/memory") or "").splitlines():
        if line.startswith("some"):
            stalled = float(dict(part.split("=") for part in line.split()[1:])["avg10"])
    return Memory(kb["MemTotal"] * 1024, kb["MemAvailable"] * 1024, stalled)


def temperature_c(root: Path = Path("/")) -> float | None:
    """The hottest of the machine's thermal zones, in degrees Celsius."""
    found = []
    for zone in (root / "sys/class/thermal").glob("thermal_zone*/temp"):
        text = _read(zone)
        if text and text.lstrip("-").isdecimal():
            found.append(int(text) / 1000)
    return max(found, default=None)


def throttled(root: Path = Path("/")) -> int | None:
    """The firmware's bits on supply and throttling; None where there is no such firmware."""
    text = _read(root / THROTTLED)
    try:
        return None if not text else int(text, 16)
    except ValueError:
        return None


def keeps_nothing(root: Path = Path("/")) -> bool:
    """Whether what is stored goes with a restart, because the data partition could not be used."""
    return (root / NO_DATA).exists()


def disk(folder: Path) -> Disk | None:
    """None where the folder is not there."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return Disk(
        found.f_blocks * found.f_frsize,
        found.f_bavail * found.f_frsize,
        found.f_files,
        found.f_favail,
        bool(found.f_flag & os.ST_RDONLY),
    )


def uptime_s(root: Path = Path("/")) -> float | None:
    """Seconds since the machine started."""
    text = _read(root / "proc/uptime")
    return float(text.split()[0]) if text else None


def machine_id(root: Path = Path("/")) -> str:
    """Of /etc/machine-id; "" where there is none yet."""
    text = _read(root / "etc/machine-id") or ""
    return text if len(text) == 32 else ""


def model(root: Path = Path("/")) -> str:
    """What the machine calls itself ("Raspberry Pi 5 Model B Rev 1.0")."""
    for path in ("proc/device-tree/model", "sys/devices/virtual/dmi/id/product_name"):
        text = _read(root / path)
        if text:
            return text.strip("\0 ")
    return ""


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
