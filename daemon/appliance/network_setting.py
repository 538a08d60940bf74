"""How the network is to be, as a file of NetworkManager: one connection an interface, written by us and loaded by `nmcli`.

The file (nm-settings-keyfile(5)) is used and not the program's options: a password of a Wi-Fi is then never on a command line.
"""

from __future__ import annotations

import re
import uuid
from ipaddress import IPv4Address, IPv4Interface, IPv6Address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from daemon.appliance.system_steps import CannotDo, Run, Step, Write

CONNECTIONS = Path("etc/NetworkManager/system-connections")
_NAMES = uuid.UUID("4bb5a5a5-6f4a-4d55-9f2e-5f3a2c3d9f11")
"""Namespace of our connections: the same interface has the same id on every run."""


class Network(BaseModel):
    """How one interface is reached. A `static` address needs `address` with its prefix (10.0.0.5/24)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    interface: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,15}$", description="Name: eth0, wlan0")]
    method: Literal["dhcp", "static"] = Field("dhcp", description="Where its address comes from")
    address: IPv4Interface | None = Field(None, description="Of a static one, with its prefix: 10.0.0.5/24")
    gateway: IPv4Address | None = Field(None, description="The way out of a static one")
    name_servers: tuple[IPv4Address | IPv6Address, ...] = Field((), description="Beside those of DHCP")
    ssid: str = Field("", max_length=32, description="Name of a Wi-Fi; empty = a cable")
    password_file: str = Field(
        "",
        description="File with the Wi-Fi's password (WPA2 or WPA3), beside this one; empty = an open Wi-Fi",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Network:
        if self.method == "static" and self.address is None:
            raise ValueError('a static address is missing: address = "10.0.0.5/24"')
        if self.method == "dhcp" and (self.address or self.gateway):
            raise ValueError('address and gateway go with method = "static"')
        if self.address and self.gateway and self.gateway not in self.address.network:
            raise ValueError(f"the gateway {self.gateway} is not in {self.address.network}")
        if self.password_file and not self.ssid:
            raise ValueError("a password without a Wi-Fi's name (ssid)")
        if any(ord(letter) < 0x20 for letter in self.ssid):
            raise ValueError("the name of a Wi-Fi is one line")
        return self


def network_steps(wanted: Network, password: str = "", root: Path = Path("/")) -> list[Step]:
    """What sets it. Raises `CannotDo` where NetworkManager is not there, or the password is none."""
    if not (root / "usr/bin/nmcli").exists():
        raise CannotDo(
            "the network is set with NetworkManager, and nmcli is not there: apt install network-manager, "
            "or set it with what this system uses (/etc/network/interfaces, systemd-networkd)"
        )
    if (
        wanted.ssid
        and password
        and not (8 <= len(password) <= 63 and password.isascii() and password.isprintable())
    ):
        raise CannotDo("the password of a Wi-Fi has 8 to 63 letters, digits or signs")
    name = f"vitald-{wanted.interface}"
    path = root / CONNECTIONS / f"{name}.nmconnection"
    return [
        Write(path, _keyfile(name, wanted, password), 0o600, secret=bool(password)),
        Run(("nmcli", "connection", "load", str(path))),
        Run(("nmcli", "connection", "up", name), may_fail=True),
    ]


def _keyfile(name: str, wanted: Network, password: str) -> str:
    kind = "wifi" if wanted.ssid else "ethernet"
    lines = [
        "[connection]",
        f"id={name}",
        f"uuid={uuid.uuid5(_NAMES, name)}",
        f"type={kind}",
        f"interface-name={wanted.interface}",
        "autoconnect-priority=10",
        "",
        f"[{kind}]",
    ]
    if wanted.ssid:
        lines += ["mode=infrastructure", f"ssid={_escaped(wanted.ssid)}"]
        if password:
            lines += ["", "[wifi-security]", "key-mgmt=wpa-psk", f"psk={_escaped(password)}"]
    lines += ["", "[ipv4]"]
    if wanted.address is not None:
        way = f",{wanted.gateway}" if wanted.gateway else ""
        lines += ["method=manual", f"address1={wanted.address}{way}"]
    else:
        lines += ["method=auto"]
    for version in (4, 6):
        if version == 6:
            lines += ["", "[ipv6]", "method=auto"]
        servers = [str(server) for server in wanted.name_servers if server.version == version]
        if servers:
            lines.append(f"dns={';'.join(servers)};")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """A value of a GLib key file: backslashes doubled, blanks at the ends kept, no list is made of it."""
    text = text.replace("\\", "\\\\").replace(";", "\\;")
    return re.sub(r"^ | $", r"\\s", text)
