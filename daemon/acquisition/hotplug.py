"""Which ports are there, and how they are told apart. Polled at 2 Hz: header UARTs and pseudo-terminals send no events.

Only names are read here, no port is opened. A port's serial number is its USB adapter's, read from sysfs; adapters
without one are told apart by their socket (by-path), and where there is not even that, by the port's own name.
"""

from __future__ import annotations

import glob
import os
import stat
from dataclasses import dataclass
from pathlib import Path

POLL_S = 0.5

_TTYS = Path("/sys/class/tty")
_LINKS = (Path("/dev/serial/by-id"), Path("/dev/serial/by-path"))


@dataclass(frozen=True, slots=True)
class Port:
    """A character device that answers a configured path. `path` is the name it was found under, `node` the device itself.

    `instance` differs after the device was unplugged and came back. `usb_serial` is "" where there is none.
    """

    path: str
    node: str
    instance: tuple[int, int, int]
    usb_serial: str = ""
    usb_id: tuple[int, int] | None = None

    def present(self) -> bool:
        """Whether the same device is still there, under whatever names."""
        return _instance(self.node) == self.instance

    def label(self) -> str:
        """A name that stays with the adapter, or else with its socket, or else with the port."""
        for folder in _LINKS:
            for link in sorted(folder.glob("*")) if folder.is_dir() else ():
                if str(link.resolve()) == self.node:
                    return link.name
        return Path(self.path).name


def is_pattern(path: str) -> bool:
    """Whether a configured port names one path, or whatever matches."""
    return glob.has_magic(path)


def find(pattern: str) -> list[Port]:
    """The ports that a configured path or glob names now, by name; links are followed, anything but a terminal is left out."""
    paths = sorted(str(p) for p in _root(pattern).glob(_rest(pattern))) if is_pattern(pattern) else [pattern]
    ports: dict[str, Port] = {}
    for path in paths:
        node = os.path.realpath(path)
        instance = _instance(node)
        if instance is not None and node not in ports:
            serial, usb_id = _usb(node)
            ports[node] = Port(path, node, instance, serial, usb_id)
    return list(ports.values())


def matches(pattern: str, port: Port) -> bool:
    """Whether a configured path names this port now."""
    return any(other.node == port.node for other in find(pattern))


def _root(pattern: str) -> Path:
    return Path(Path(pattern).anchor or ".")


def _rest(pattern: str) -> str:
    return str(Path(pattern).relative_to(_root(pattern)))


def _instance(node: str) -> tuple[int, int, int] | None:
    try:
        seen = Path(node).stat()
    except OSError:
        return None
    if not stat.S_ISCHR(seen.st_mode):
        return None
    return seen.st_rdev, seen.st_dev, seen.st_ino


def _usb(node: str) -> tuple[str, tuple[int, int] | None]:
    """Serial number and (vendor, product) of the USB device that a terminal belongs to."""
    device = _TTYS / Path(node).name / "device"
    if not device.exists():
        return "", None
    for folder in (device.resolve(), *device.resolve().parents):
        if (folder / "idVendor").is_file():
            vendor, product = (_read(folder / name) for name in ("idVendor", "idProduct"))
            usb_id = (int(vendor, 16), int(product, 16)) if vendor and product else None
            return _read(folder / "serial"), usb_id
    return "", None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
