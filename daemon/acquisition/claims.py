"""Which configured device may have which port: one port is never held by two, and a serial number goes back to its bed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from daemon.acquisition import hotplug
from daemon.acquisition.hotplug import Port
from daemon.config import Device as Wanted
from daemon.model.signals import Nanos


@dataclass(slots=True)
class Place:
    """A configured device as the claims see it: what it wants, the port it holds, the ports that were not its device."""

    bed: str
    wanted: Wanted
    held: Port | None = None
    last_node: str = ""
    refused: dict[str, tuple[tuple[int, int, int], Nanos]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.bed}/{self.wanted.label}"


class Claims:
    """All places, the ports they hold, and the serial numbers they are known by (configured, or learned in this run).

    `assigned`: device (serial number, or label of its port) -> bed, as a person has set it; kept by the caller.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        self._places = list(places)
        self._homes: dict[str, Place] = {p.wanted.serial: p for p in self._places if p.wanted.serial}
        self._reserved: dict[str, tuple[tuple[int, int, int], Place]] = {}
        self.assigned: dict[str, str] = {}

    def bed_of(self, place: Place, device: str) -> str:
        """The bed that a device belongs to: where a person has put it, else where its port is configured."""
        return self.assigned.get(device, place.bed)

    def candidates(self, place: Place, now_ns: Nanos) -> list[Port]:
        """Ports that could be this device's, the likeliest first. A port written out for another device is never one."""
        found = []
        for port in hotplug.find(place.wanted.port):
            refusal = place.refused.get(port.node)
            if refusal is not None and (refusal[0] != port.instance or now_ns >= refusal[1]):
                del place.refused[port.node]
                refusal = None
            reserved = self._reserved.get(port.node)
            if reserved is not None and reserved[0] != port.instance:
                del self._reserved[port.node]
                reserved = None
            if (
                refusal is None
                and (reserved is None or reserved[1] is place)
                and not self._others(place, port)
            ):
                found.append(port)
        serial = place.wanted.serial
        return sorted(
            found,
            key=lambda port: (
                not (serial and port.usb_serial == serial),
                port.node not in self._reserved,
                port.node != place.last_node,
                port.path,
            ),
        )

    def take(self, place: Place, port: Port) -> None:
        """The place holds the port from now on."""
        assert all(p.held is None or p.held.node != port.node for p in self._places)
        place.held, place.last_node = port, port.node
        self._reserved.pop(port.node, None)

    def release(self, place: Place) -> None:
        """The place holds no port."""
        place.held = None

    def refuse(self, place: Place, port: Port, until_ns: Nanos) -> None:
        """This port is not the place's device; forgotten at `until_ns`, or when the port is plugged anew."""
        place.refused[port.node] = (port.instance, until_ns)

    def must_identify(self, place: Place, port: Port) -> bool:
        """Whether nothing may be believed before the device has said its serial number.

        So it is where one is configured and the adapter does not show it, where the device could be another place's, and
        where a person has put any device to another bed than its port's.
        """
        if place.wanted.serial:
            return port.usb_serial != place.wanted.serial
        if any(bed != place.bed for bed in self.assigned.values()):
            return True
        return any(
            home is not place and home.held is None and hotplug.matches(home.wanted.port, port)
            for home in self._homes.values()
        )

    def belongs(self, place: Place, port: Port, serial: str) -> bool:
        """Whether the device with this serial number, found by `place`, is its own. If not, its home is offered the port."""
        wanted = place.wanted.serial
        if wanted:
            return wanted in {serial, port.usb_serial}
        home = self._homes.get(serial)
        if home is None or home is place or home.held is not None:
            self._homes.setdefault(serial, place)
            return True
        if not hotplug.matches(home.wanted.port, port):
            return True
        home.refused.pop(port.node, None)
        self._reserved[port.node] = (port.instance, home)
        return False

    def _others(self, place: Place, port: Port) -> bool:
        """Whether the port is held by another place, or written out as another's."""
        for other in self._places:
            if other is place:
                continue
            if other.held is not None and other.held.node == port.node:
                return True
            if (
                not hotplug.is_pattern(other.wanted.port)
                and hotplug.is_pattern(place.wanted.port)
                and hotplug.matches(other.wanted.port, port)
            ):
                return True
        return False
