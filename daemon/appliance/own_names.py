"""Under which names and addresses other machines reach the pages of this box."""

from __future__ import annotations

import fcntl
import ipaddress
import re
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path

from daemon.appliance.authority import Network, as_address
from daemon.appliance.network import interfaces
from daemon.config_web import Web

_NETMASK = 0x891B
"""SIOCGIFNETMASK, netdevice(7)."""

_TEMPORARY = 0x01
"""IFA_F_TEMPORARY: an IPv6 address that is another one tomorrow."""

_WIDEST = {4: 16, 6: 48}
"""Bits. Of a wider network, so much around the address: what an authority may sign for is kept small."""

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class OwnNames:
    """`names`: names, then addresses, as they are typed. `networks`: those that the addresses are in."""

    names: tuple[str, ...]
    networks: tuple[Network, ...]

    @property
    def has_address(self) -> bool:
        """Whether anybody could come by an address."""
        return bool(self.networks)


def own_names(web: Web, hostname: str | None = None, root: Path = Path("/")) -> OwnNames:
    """Of this machine now; addresses only of where the pages are served, and none that change by themselves."""
    host = (socket.gethostname() if hostname is None else hostname).lower()
    names = []
    if host != "localhost" and all(_LABEL.fullmatch(label) for label in host.split(".")):
        names = [host] if "." in host else [f"{host}.local", host]
    known = [one for one in web.names if as_address(one) is None]
    given = [ipaddress.ip_interface(one) for one in web.names if as_address(one) is not None]
    own = [one for one in _own(root) if web.host in {"0.0.0.0", "::", str(one.ip)}]  # noqa: S104 - compared
    if not own and as_address(web.host) is not None and not ipaddress.ip_address(web.host).is_unspecified:
        own = [ipaddress.ip_interface(web.host)]  # not there yet
    every = [*own, *given]
    wanted = dict.fromkeys([*names, *known, *(str(one.ip) for one in every)])
    return OwnNames(tuple(wanted), tuple(dict.fromkeys(_around(one) for one in every)))


def _around(one: IPv4Interface | IPv6Interface) -> Network:
    bits = max(one.network.prefixlen, _WIDEST[one.version])
    return ipaddress.ip_network((one.ip, bits), strict=False)


def _own(root: Path) -> list[IPv4Interface | IPv6Interface]:
    found: list[IPv4Interface | IPv6Interface] = []
    for link in interfaces(root):
        found += [
            IPv4Interface(f"{address}/{_netmask(link.name)}")
            for address in link.addresses
            if ":" not in address
        ]
    return [*found, *_own_six(root)]


def _netmask(name: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        told = fcntl.ioctl(asked, _NETMASK, struct.pack("256s", name.encode()[:15]))
    return socket.inet_ntoa(told[20:24])


def _own_six(root: Path) -> list[IPv6Interface]:
    found = []
    try:
        lines = (root / "proc/net/if_inet6").read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    for line in lines:
        address, _, bits, _, flags, _ = line.split()
        one = IPv6Interface(f"{socket.inet_ntop(socket.AF_INET6, bytes.fromhex(address))}/{int(bits, 16)}")
        if not (one.is_link_local or one.is_loopback or int(flags, 16) & _TEMPORARY):
            found.append(one)
    return found
