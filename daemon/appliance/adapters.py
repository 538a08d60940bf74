"""The serial ports of the box: which adapter each is, how it is named to be found again, and who holds it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from daemon.acquisition import hotplug
from daemon.appliance.holders import Holder, holders
from firmware_bridge.boards import BOARDS

PATTERNS = ("/dev/ttyUSB*", "/dev/ttyACM*", "/dev/ttyAMA*", "/dev/ttyS*", "/dev/serial*")
_BY_ID, _BY_PATH = Path("/dev/serial/by-id"), Path("/dev/serial/by-path")


@dataclass(frozen=True, slots=True)
class Adapter:
    """A port. `usb` is "vendor:product" in hexadecimal, `boards` the kinds that such an adapter is known of."""

    port: str
    usb: str = ""
    serial: str = ""
    by_id: str = ""
    by_path: str = ""
    held_by: tuple[Holder, ...] = ()
    boards: tuple[str, ...] = ()


def adapters(patterns: tuple[str, ...]) -> list[Adapter]:
    """The ports of the usual names and of these patterns, each once. A header UART that has no hardware behind it is left out."""
    found: dict[str, Adapter] = {}
    for pattern in (*PATTERNS, *patterns):
        for port in hotplug.find(pattern):
            if port.node in found or (pattern == "/dev/ttyS*" and not _is_real(port.node)):
                continue
            usb = "" if port.usb_id is None else f"{port.usb_id[0]:04x}:{port.usb_id[1]:04x}"
            boards = tuple(kind for kind, board in BOARDS.items() if port.usb_id in board.FACTS.usb_ids)
            names = (_name(_BY_ID, port.node), _name(_BY_PATH, port.node))
            found[port.node] = Adapter(
                port.path, usb, port.usb_serial, *names, tuple(holders(port.node)), boards
            )
    return sorted(found.values(), key=lambda one: one.port)


def _is_real(node: str) -> bool:
    """The kernel makes four ttyS whether they are there or not; type 0 is none."""
    try:
        return (Path("/sys/class/tty") / Path(node).name / "type").read_text().strip() != "0"
    except OSError:
        return False


def _name(folder: Path, node: str) -> str:
    links = sorted(folder.glob("*")) if folder.is_dir() else []
    return next((str(link) for link in links if str(link.resolve()) == node), "")
