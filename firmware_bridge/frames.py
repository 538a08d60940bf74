"""What every decoder yields, and what it says about its device.

A decoder turns bytes into frames and knows nothing of threads, files or clocks. Order is meaning: a `Leads` frame
holds for the samples that follow it, `Samples.lost` counts what is missing directly before the first of them.
However the byte stream is cut, the frames are the same once neighbouring `Samples` are joined (`joined`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

import numpy as np
import numpy.typing as npt

Nanos = int
Counts = npt.NDArray[np.int32]


class Quantity(StrEnum):
    """What a channel measures; rooms choose their channels by it, never by a board's kind."""

    ECG = "ecg"
    RESPIRATION = "respiration"
    PPG_INFRARED = "ppg_infrared"
    PPG_RED = "ppg_red"
    PLETH = "pleth"  # the pulse as an oximeter draws it: up with each beat
    ACCELERATION = "acceleration"
    FLOW = "flow"  # of the airway, in L/s: breathing in is positive
    PRESSURE = "pressure"  # of blood
    AIRWAY_PRESSURE = "airway_pressure"
    LEAK = "leak"  # unintended leak of a mask
    TANK_PRESSURE = "tank_pressure"  # of an oxygen concentrator's sieve bed or product tank
    OXYGEN = "oxygen"  # share of oxygen in a gas
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Channel:
    """One signal of a stream: physical = (counts - offset) * gain, in `unit`.

    `low` and `high` are the rails of the converter in counts (both inclusive): a sample at a rail is saturated.
    `unit` is a symbol of daemon/units.py ("mV", "g", "1" where the device's unit is arbitrary).
    """

    name: str
    quantity: Quantity
    unit: str
    gain: float
    offset: float = 0.0
    low: int = -(2**31)
    high: int = 2**31 - 1


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """Channels sampled together at one nominal rate. `name` is unique within the device ("ecg", "acceleration")."""

    name: str
    rate_hz: float
    channels: tuple[Channel, ...]


@dataclass(frozen=True, slots=True)
class Samples:
    """Consecutive samples of one stream: `counts` is int32 of shape (channels, n), C order, n >= 1.

    `lost` samples are missing directly before the first one (0 = none known).
    `arrived_ns` is the time, on the clock given to `feed`, at which the last byte of the last sample was in hand.
    """

    stream: str
    counts: Counts
    arrived_ns: Nanos
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Leads:
    """Which electrodes are attached (True) or off (False), from the next sample on. Electrodes a board cannot see are absent."""

    attached: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is speaking. `serial` is "" where the device has not said or has none; `firmware` likewise."""

    kind: str
    serial: str = ""
    firmware: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Number:
    """A number that the device itself measured (SpO2, its own heart rate). None = the device says it has none."""

    name: str
    value: float | None
    unit: str


@dataclass(frozen=True, slots=True)
class Status:
    """A word that the device says of itself: its mode, its alarm code. "" = it has none."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Settings:
    """How the device is set, as it reported or as we set it: name and value as text."""

    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that can be set on a device: `low` to `high` in steps of `step`; a switch is 0 to 1 in steps of 1."""

    name: str
    unit: str
    low: float
    high: float
    step: float


@dataclass(frozen=True, slots=True)
class Reply:
    """The device's answer to a command of ours. `ok` is False for a refusal or when no answer came in time."""

    request: str
    ok: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of what was sent to a device it has: `done` of `whole` bytes."""

    request: str
    done: int
    whole: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that were no frame: noise, a torn frame, a banner. Counted, never silently skipped."""

    byte_count: int
    reason: str = "noise"


Frame = Samples | Leads | Identity | Number | Status | Settings | Reply | Progress | Damage


def joined(frames: Iterable[Frame]) -> list[Frame]:
    """Frames with neighbouring `Samples` of one stream, and neighbouring `Damage` of one reason, made one.

    The normal form in which the results of two differently cut feeds are equal, but for `arrived_ns`.
    """
    out: list[Frame] = []
    for frame in frames:
        last = out[-1] if out else None
        if (
            isinstance(frame, Samples)
            and isinstance(last, Samples)
            and last.stream == frame.stream
            and frame.lost == 0
        ):
            counts = np.concatenate([last.counts, frame.counts], axis=1)
            out[-1] = Samples(frame.stream, counts, frame.arrived_ns, last.lost)
        elif isinstance(frame, Damage) and isinstance(last, Damage) and last.reason == frame.reason:
            out[-1] = replace(last, byte_count=last.byte_count + frame.byte_count)
        else:
            out.append(frame)
    return out


@dataclass(frozen=True, slots=True)
class PortSettings:
    """How a port must be opened for a board. `dtr` and `rts` None = leave the line as it is, where the driver allows it."""

    baud: int = 115200
    parity: Literal["N", "E", "O"] = "N"
    dtr: bool | None = True
    rts: bool | None = True
    close_drops_dtr: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What is always true of a kind of board, before a byte has come.

    A device that has streamed and then says nothing for `silent_after_s` has stalled.
    """

    kind: str
    title: str
    port: PortSettings
    line_bytes_per_second: int
    streams: tuple[StreamSpec, ...]
    usb_ids: tuple[tuple[int, int], ...] = ()
    silent_after_s: float = 1.0
    settings: dict[str, str] = field(default_factory=dict)
