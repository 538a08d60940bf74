"""How the network stands, as the kernel tells: links, addresses, the way out, name servers."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface other than the loopback. `addresses` are those of this machine, IPv4 and IPv6."""

    name: str
    up: bool
    hardware: str = ""
    wireless: bool = False
    addresses: tuple[str, ...] = ()


def interfaces(root: Path = Path("/")) -> list[Interface]:
    """All but the loopback, by name."""
    found = []
    folder = root / "sys/class/net"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name == "lo" or not path.is_dir():
            continue
        state, carrier = _read(path / "operstate"), _read(path / "carrier")
        up = state == "up" or (state == "unknown" and carrier == "1")
        wireless = (path / "wireless").exists()
        addresses = (*_ipv4(path.name), *_ipv6(path.name, root))
        found.append(Interface(path.name, up, _read(path / "address"), wireless, addresses))
    return found


def gateway(root: Path = Path("/")) -> str:
    """The default IPv4 way out; "" where there is none."""
    for line in _read(root / "proc/net/route").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[1] == "00000000" and int(fields[3], 16) & 2:
            return socket.inet_ntoa(struct.pack("<I", int(fields[2], 16)))
    return ""


def name_servers(root: Path = Path("/")) -> list[str]:
    """Of /etc/resolv.conf."""
    lines = _read(root / "etc/resolv.conf").splitlines()
    return [line.split()[1] for line in lines if line.startswith("nameserver") and len(line.split()) > 1]


def _ipv4(name: str) -> tuple[str, ...]:
    """By SIOCGIFADDR (netdevice(7)): the interface's first address."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            told = fcntl.ioctl(asked, 0x8915, struct.pack("256s", name.encode()[:15]))
        except OSError:
            return ()
    return (socket.inet_ntoa(told[20:24]),)


def _ipv6(name: str, root: Path) -> tuple[str, ...]:
    found = []
    for line in _read(root / "proc/net/if_inet6").splitlines():
        fields = line.split()
        if len(fields) == 6 and fields[5] == name:
            found.append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0])))
    return tuple(found)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
