"""The devices at the beds as they can be set: what they offer, how they are set, and what became of a setting.

A setting is checked here against what the device offers, refused while the device cannot be trusted with it (it is silent, or
shows an alarm of its own), and done only when the device itself has said so.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from daemon.model.ids import uuid7
from daemon.model.signals import DeviceReply, DeviceSeen, DeviceStatus, Item, LinkState, Reading, Settable
from daemon.model.transfer import Transfer
from daemon.wishes import Reply, Value
from daemon.words import say

Ask = Callable[[str, str, str, str, float | Transfer], None]
"""Bed, device, request, name, value: asks the device; a `DeviceReply` follows, in any case."""

ANSWERED_WITHIN_S = 8.0
"""A device has 3 s for each of its two answers."""

CONTRACT: Mapping[str, str] = MappingProxyType(
    {
        "target_pressure_cm_h2o": "target_pressure",
        "humidity_level": "humidity_level",
        "flow_rate_lpm": "flow_rate",
        "night_mode": "night_mode",
    }
)
"""Name of a setting in cpap.config and oxygen.config -> its name on the device."""

SAID: Mapping[str, str] = MappingProxyType(
    {"cpap_set_pressure": "target_pressure", "cpap_humidity": "humidity_level", "o2_set_flow": "flow_rate"}
)
"""Name of a Reading that says how a device is set -> the setting."""

_SWITCH = {"on": 1.0, "off": 0.0}
_DEVICES = 64


class AttachedDevices:
    """`hear` takes every item of every bed; `apply` and `set` are asked on the event loop. Devices go by serial number."""

    def __init__(self, ask: Ask, utc_ns: Callable[[], int]) -> None:
        self._ask = ask
        self._utc_ns = utc_ns
        self._seen: dict[str, DeviceSeen] = {}
        self._present: dict[str, dict[str, float]] = {}
        self._alarms: dict[str, str] = {}
        self._waiting: dict[str, asyncio.Future[DeviceReply]] = {}

    def hear(self, item: Item) -> None:
        """Take in what is said of the devices."""
        match item:
            case DeviceSeen() if item.device:
                if item.state is LinkState.STREAMING or item.device in self._seen:
                    self._seen[item.device] = item
                while len(self._seen) > _DEVICES:
                    forgotten = next(iter(self._seen))
                    for known in (self._seen, self._present, self._alarms):
                        known.pop(forgotten, None)
            case Reading(name=name, value=value) if name in SAID and value is not None:
                self._know(item.device, SAID[name], value)
            case DeviceStatus(name="night_mode", text=text) if text in _SWITCH:
                self._know(item.device, "night_mode", _SWITCH[text])
            case DeviceStatus(name="alarm_code") if (
                item.device in self._alarms or len(self._alarms) < _DEVICES
            ):
                self._alarms[item.device] = item.text
            case DeviceReply():
                asked = self._waiting.get(item.request)
                if asked is not None and not asked.done():
                    asked.set_result(item)

    # What the wishes of clouds ask (daemon/wishes.py: Devices).

    def bed_of(self, serial: str) -> str | None:
        """The bed it is at; None where it is not here."""
        seen = self._seen.get(serial)
        return None if seen is None else seen.bed

    def answering(self) -> Mapping[str, str]:
        """The devices that answer now, and their beds (daemon/ownership.py)."""
        return {device: seen.bed for device, seen in self._seen.items() if seen.state is LinkState.STREAMING}

    def takes_firmware(self, serial: str) -> bool:
        """Whether it says that it takes new firmware over its link."""
        seen = self._seen.get(serial)
        return seen is not None and seen.takes_firmware

    def firmware(self, serial: str) -> str:
        """The version that it runs, as it says; "" where that is not known."""
        seen = self._seen.get(serial)
        return "" if seen is None else seen.firmware

    async def transfer(self, serial: str, transfer: Transfer, within_s: float) -> DeviceReply | None:
        """Hand new firmware, or a word on it, to a device; its answer, None where none came in time."""
        seen = self._seen.get(serial)
        if seen is None:
            return None
        try:
            return await self._reply(seen.bed, serial, "firmware", transfer, within_s)
        except TimeoutError:
            return None

    def settable(self, serial: str) -> Collection[str]:
        """What can be set on it, by the contract's names."""
        offered = set(self._offered(serial))
        return [name for name, own in CONTRACT.items() if own in offered]

    def present(self, serial: str) -> Mapping[str, Value]:
        """How it is set, by the contract's names, as far as it says."""
        known = self._present.get(serial, {})
        return {name: _as_contract(own, known[own]) for name, own in CONTRACT.items() if own in known}

    async def apply(self, serial: str, name: str, value: Value) -> Reply:
        """Set one of the contract's settings, and wait for the device's own word."""
        own = CONTRACT.get(name, name)
        if isinstance(value, str):
            return Reply(applied=False, reason=say("device.set.no_number"))
        refused = await self.set(serial, own, float(value))
        return Reply(applied=not refused, value=None if refused else value, reason=refused)

    # What a person at the bed asks.

    async def set(self, serial: str, name: str, value: float) -> str:
        """Set `name` on a device; "" when the device has said that it is so, else the reason in words."""
        seen, offered = self._seen.get(serial), self._offered(serial)
        if seen is None:
            return say("device.set.not_attached")
        if not offered:
            return say("device.set.read_only", device=serial)
        if name not in offered:
            return say("device.set.unknown", name=name)
        if refused := _out_of_range(offered[name], value):
            return refused
        if seen.state is not LinkState.STREAMING:
            return say("device.set.silent")
        if self._alarms.get(serial):
            return say("device.set.alarm", code=self._alarms[serial])
        return await self._asked(seen.bed, serial, name, value)

    async def _asked(self, bed: str, serial: str, name: str, value: float) -> str:
        try:
            told = await self._reply(bed, serial, name, value, ANSWERED_WITHIN_S)
        except TimeoutError:
            return say("device.set.no_answer")
        if told.ok:
            self._know(serial, name, value)
            return ""
        known = say(f"device.set.{told.text}")
        return known if not known.startswith("device.set.") else say("device.set.refused", text=told.text)

    async def _reply(
        self, bed: str, serial: str, name: str, value: float | Transfer, within_s: float
    ) -> DeviceReply:
        """Raises TimeoutError."""
        request = uuid7(self._utc_ns())
        reply = self._waiting[request] = asyncio.get_running_loop().create_future()
        try:
            self._ask(bed, serial, request, name, value)
            return await asyncio.wait_for(reply, within_s)
        finally:
            del self._waiting[request]

    def _know(self, serial: str, name: str, value: float) -> None:
        """How a device is set now; bounded, whatever serial numbers a line brings."""
        if serial in self._present or len(self._present) < _DEVICES:
            self._present.setdefault(serial, {})[name] = value

    def _offered(self, serial: str) -> dict[str, Settable]:
        seen = self._seen.get(serial)
        return {} if seen is None else {one.name: one for one in seen.settable}


def _out_of_range(one: Settable, value: float) -> str:
    steps = (value - one.low) / one.step if math.isfinite(value) else math.nan
    if one.low <= value <= one.high and abs(steps - round(steps)) < 1e-6:
        return ""
    span = {"low": f"{one.low:g}", "high": f"{one.high:g}", "step": f"{one.step:g}", "unit": one.unit}
    return say("device.set.out_of_range", **span)


def _as_contract(own: str, value: float) -> Value:
    if own == "night_mode":
        return bool(value)
    return int(value) if own == "humidity_level" else value
