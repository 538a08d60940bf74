"""What screens are told of the devices at a bed: their links, their words, their settings, and the waves they draw."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SettableState(_Message):
    """One thing that a device lets be set; the verb "set_device" (values device, name, value) sets it."""

    name: str
    unit: str
    low: float
    high: float
    step: float


class DeviceState(_Message):
    """A device of a bed; `state` is a word key (LinkState)."""

    label: str
    kind: str
    title: str
    device: str
    firmware: str
    port: str
    state: str
    since_ns: int
    rate_hz: float
    drift_ppm: float | None
    bytes_in: int
    bytes_damaged: int
    samples_lost: int
    detail: str = ""
    settable: tuple[SettableState, ...] = ()
    takes_firmware: bool = False


class StatusState(_Message):
    """A word that a device says of itself; `name` is a word key ("status." + name), `text` the device's own."""

    device: str
    name: str
    text: str
    t_ns: int


class WaveState(_Message):
    """What the wave frames with `index` hold now. `chain` is printed on the screen as it stands.

    Of an ECG `units` and `quantities` are empty: all is in mV. Else there is one of each a lead (frames.Quantity).
    """

    leads: tuple[str, ...]
    rate_hz: float
    chain: tuple[str, ...]
    segment: str
    index: int = 0
    device: str = ""
    units: tuple[str, ...] = ()
    quantities: tuple[str, ...] = ()
