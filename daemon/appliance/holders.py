"""Which process holds a port, as the kernel tells: open descriptors where we may look at them, locks (/proc/locks) always."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a port open (`locks`: and keeps others out)."""

    pid: int
    name: str
    locks: bool = False


def holders(node: str, root: Path = Path("/")) -> list[Holder]:
    """Processes that hold the device file, by id. Who is not root sees its own, and whoever has locked it."""
    try:
        seen = Path(node).stat()
    except OSError:
        return []
    locking = _locking(seen.st_dev, seen.st_ino, root)
    opened = {pid for pid in _pids(root) if _has_open(pid, os.path.realpath(node), root)}
    return [Holder(pid, name(pid, root), pid in locking) for pid in sorted(opened | locking)]


def name(pid: int, root: Path = Path("/")) -> str:
    """How a person knows the process: its command, without paths and without what is secret of it."""
    words = _words(pid, root)
    plain = [Path(word).name if "/" in word else word for word in words if word]
    if "daemon.cli" in plain:
        plain = ["vitald", *plain[plain.index("daemon.cli") + 1 :]]
    return " ".join(plain[:2]) or f"process {pid}"


def started_s(pid: int, root: Path = Path("/")) -> float | None:
    """When a process started, in seconds since the machine did."""
    try:
        fields = (root / f"proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _pids(root: Path) -> list[int]:
    try:
        return [int(entry.name) for entry in (root / "proc").iterdir() if entry.name.isdecimal()]
    except OSError:
        return []


def _has_open(pid: int, node: str, root: Path) -> bool:
    folder = root / f"proc/{pid}/fd"
    try:
        return any(_target(entry) == node for entry in folder.iterdir())
    except OSError:  # it has ended, or is not ours to look at
        return False


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _locking(device: int, inode: int, root: Path) -> set[int]:
    place = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    try:
        lines = (root / "proc/locks").read_text().splitlines()
    except OSError:
        return set()
    return {
        int(fields[4]) for line in lines if (fields := line.split())[5:6] == [place] and fields[4] != "-1"
    }


def processes_of(verb: str, config: Path, root: Path = Path("/")) -> list[int]:
    """Processes of ours that run `vitald VERB` with this configuration, by id."""
    return [pid for pid in _pids(root) if _runs(_words(pid, root), verb, str(config))]


def _words(pid: int, root: Path) -> list[str]:
    try:
        return (root / f"proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _runs(words: list[str], verb: str, config: str) -> bool:
    ours = [at for at, word in enumerate(words) if word == "daemon.cli" or Path(word).name == "vitald"]
    return any(words[at + 1 : at + 2] == [verb] and config in words[at + 2 :] for at in ours)
