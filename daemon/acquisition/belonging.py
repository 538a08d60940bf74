"""Whether the device at a port is the one that belongs there, and to which bed; until that is known nothing it says is believed."""

from __future__ import annotations

from daemon.acquisition.claims import Claims, Place
from daemon.acquisition.device import Device
from daemon.acquisition.hotplug import Port
from daemon.model.signals import Nanos

IDENTIFY_NS: Nanos = 1_500_000_000
"""How long a device that may be another's is waited for to say its serial number."""
IDENTIFY_CONFIGURED_NS: Nanos = 5_000_000_000


class Belonging:
    """Of one connection. `check` says why it is not the device of this place, "" while nothing speaks against it."""

    def __init__(self, place: Place, claims: Claims, port: Port, opened_ns: Nanos) -> None:
        self._place = place
        self._claims = claims
        self._port = port
        self._opened_ns = opened_ns
        self._checked = ""

    def check(self, device: Device, now_ns: Nanos) -> str:
        """Look at what the device has said of itself by now; it is no longer held once it is known to be the right one."""
        serial, wanted, port = device.identity.serial, self._place.wanted.serial, self._port
        if serial == self._checked and not device.held:
            return ""
        waited_ns = now_ns - self._opened_ns
        if serial:
            self._checked = serial
            if not self._claims.belongs(self._place, port, serial):
                whose = f"not {wanted}" if wanted else "another place's device"
                return f"{port.path} is {serial}, {whose}"
            device.held = False
        elif wanted and waited_ns > IDENTIFY_CONFIGURED_NS:
            return f"{port.path} does not say that it is {wanted}"
        elif not wanted and waited_ns > IDENTIFY_NS and device.last_heard_ns is not None:
            device.held = False
        return ""

    def bed(self, device: Device) -> str:
        """The bed it belongs to: where a person has put it, else where its port is configured."""
        return self._claims.bed_of(self._place, device.name)
