"""What a device's dictionary means here: streams of channels, numbers, states and electrodes, by name and unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from firmware_bridge.frames import Channel, Counts, Quantity, StreamSpec
from firmware_bridge.vlp.messages import BITS, CODE, TYPES, Entry

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", *(f"V{n}" for n in range(1, 10)))
FLOAT_STEP = 2.0**-16
"""Sampled f32 values become counts of this size (in raw units): a device that needs more says so with its scale."""

SAMPLED: Mapping[tuple[str, str], tuple[str, Quantity]] = MappingProxyType(
    {
        **{(lead, "mV"): ("ecg", Quantity.ECG) for lead in LEADS},
        ("respiration", "1"): ("respiration", Quantity.RESPIRATION),
        ("flow", "L/s"): ("flow", Quantity.FLOW),
        ("pressure", "cmH2O"): ("flow", Quantity.AIRWAY_PRESSURE),
        ("leak", "L/s"): ("flow", Quantity.LEAK),
        ("leak", "L/min"): ("flow", Quantity.LEAK),
        ("pleth", "1"): ("pleth", Quantity.PLETH),
        ("ppg_infrared", "1"): ("ppg", Quantity.PPG_INFRARED),
        ("ppg_red", "1"): ("ppg", Quantity.PPG_RED),
        ("purity", "%"): ("oxygen", Quantity.OXYGEN),
        ("flow", "L/min"): ("oxygen", Quantity.OTHER),
        ("bed_a", "kPa"): ("oxygen", Quantity.TANK_PRESSURE),
        ("bed_b", "kPa"): ("oxygen", Quantity.TANK_PRESSURE),
        ("tank", "kPa"): ("oxygen", Quantity.TANK_PRESSURE),
        **{(axis, "g"): ("acceleration", Quantity.ACCELERATION) for axis in "XYZ"},
    }
)
"""Sampled channels, by the device's name and unit: the stream they belong to, and what they measure."""

NUMBERS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("heart_rate", "bpm"): "heart_rate",
        ("spo2", "%"): "spo2",
        ("pulse_rate", "bpm"): "pulse_rate",
        ("perfusion_index", "%"): "perfusion_index",
        ("pressure", "cmH2O"): "cpap_pressure",
        ("leak", "L/min"): "cpap_leak",
        ("respiration_rate", "/min"): "cpap_respiration_rate",
        ("tidal_volume", "mL"): "cpap_tidal_volume",
        ("minute_volume", "L/min"): "cpap_minute_volume",
        ("flow_limitation", "1"): "cpap_flow_limitation",
        ("snore", "1"): "cpap_snore",
        ("set_pressure", "cmH2O"): "cpap_set_pressure",
        ("humidity", "1"): "cpap_humidity",
        ("ahi", "/h"): "cpap_ahi",
        ("hours", "h"): "cpap_hours",
        ("purity", "%"): "o2_purity",
        ("flow", "L/min"): "o2_flow",
        ("set_flow", "L/min"): "o2_set_flow",
        ("temperature", "degC"): "o2_temperature",
        ("battery", "%"): "o2_battery",
        ("tank", "kPa"): "o2_pressure",
        ("o2_hours", "h"): "o2_hours",
    }
)
"""Numbers (channels of rate 0 or of at most 2 Hz that are no wave), by the device's name and unit: our names."""

STATES = ("mode", "alarm_code", "mask", "event", "signal", "night_mode")
"""States (code channels), by name."""
ELECTRODES = "electrodes"
"""The set channel that says which electrodes are attached; its unit names them."""

SLOWEST_WAVE_HZ = 2.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sampled channel stands: its stream and its row there."""

    stream: str
    lane: int


@dataclass(frozen=True, slots=True)
class Meaning:
    """A dictionary understood. `ignored` are the channels ("name (unit)") of which nothing is known.

    `blocks` are the streams whose channels follow each other: (first channel, how many) to the stream and its delay in us.
    """

    entries: Mapping[int, Entry]
    places: Mapping[int, Place]
    streams: tuple[StreamSpec, ...]
    blocks: Mapping[tuple[int, int], tuple[str, int]]
    ignored: tuple[str, ...]


def is_event(entry: Entry) -> bool:
    """Whether its values are numbers and states of their own, not samples of a wave."""
    return entry.rate_hz == 0 or (entry.rate_hz <= SLOWEST_WAVE_HZ and (entry.name, entry.unit) in NUMBERS)


def understood(entries: tuple[Entry, ...]) -> Meaning:
    """Group the sampled channels into streams: those of one kind and one rate stand together, in the device's order."""
    groups: dict[tuple[str, float], list[Entry]] = {}
    ignored = []
    for entry in entries:
        if is_event(entry):
            if not _known_event(entry):
                ignored.append(f"{entry.name} ({entry.unit})")
            continue
        kind, _ = SAMPLED.get((entry.name, entry.unit), (entry.name or f"channel {entry.ch}", Quantity.OTHER))
        groups.setdefault((kind, entry.rate_hz), []).append(entry)
    streams: list[StreamSpec] = []
    places: dict[int, Place] = {}
    blocks: dict[tuple[int, int], tuple[str, int]] = {}
    for (kind, rate_hz), members in groups.items():
        taken = {stream.name for stream in streams}
        name = kind if kind not in taken else f"{kind} {rate_hz:g} Hz"
        streams.append(StreamSpec(name, rate_hz, tuple(_channel(entry) for entry in members)))
        places |= {entry.ch: Place(name, lane) for lane, entry in enumerate(members)}
        first = members[0]
        if all((e.ch, e.delay_s) == (first.ch + k, first.delay_s) for k, e in enumerate(members)):
            blocks[first.ch, len(members)] = (name, round(first.delay_s * 1e6))
    return Meaning({e.ch: e for e in entries}, places, tuple(streams), blocks, tuple(ignored))


def _known_event(entry: Entry) -> bool:
    if entry.flags & CODE:
        return entry.name in STATES
    if entry.flags & BITS:
        return entry.name == ELECTRODES
    return (entry.name, entry.unit) in NUMBERS


def _channel(entry: Entry) -> Channel:
    known = SAMPLED.get((entry.name, entry.unit))
    quantity, unit = (known[1], entry.unit) if known else (Quantity.OTHER, "1")
    gain = entry.scale * FLOAT_STEP if entry.type == 3 else entry.scale
    # A value that the device does not have travels as its type's lowest, which is a rail here: no room takes it for true.
    low, high = {0: (-1, 256), 1: (-(2**15), 2**15 - 1)}.get(entry.type, (-(2**31), 2**31 - 1))
    # A float has no shortest decimal of its own: 0.002 as f32 is meant as 0.002.
    gain = float(np.format_float_positional(np.float32(entry.scale), unique=True)) * (gain / entry.scale)
    return Channel(entry.name, quantity, unit, gain, -entry.offset / gain, low, high)


def counts_of(entry: Entry, raw: bytes, n: int, channels: int = 1) -> Counts:
    """Raw values of a frame as int32 of shape (channels, n). Raises ValueError where there are too few or too many bytes."""
    kind = TYPES[entry.type]
    if len(raw) != n * channels * kind.itemsize:
        raise ValueError("not as many values as it says")
    values = np.frombuffer(raw, kind).reshape(n, channels).T
    if entry.type != 3:
        return np.ascontiguousarray(values, dtype=np.int32)
    scaled = np.rint(values.astype(np.float64) / FLOAT_STEP)
    clipped = np.clip(np.nan_to_num(scaled, nan=-(2.0**31)), -(2.0**31), 2.0**31 - 1)
    return np.ascontiguousarray(clipped, dtype=np.int32)


def value_of(entry: Entry, raw: bytes, n: int) -> float | None:
    """The newest of an event's values in its unit; None = the device has none. Raises ValueError as `counts_of`."""
    kind = TYPES[entry.type]
    if len(raw) != n * kind.itemsize:
        raise ValueError("not as many values as it says")
    newest = float(np.frombuffer(raw, kind)[-1])
    if not math.isfinite(newest) or newest == {1: -(2.0**15), 2: -(2.0**31)}.get(entry.type):
        return None
    return float(f"{newest * entry.scale + entry.offset:.7g}")


def words_of(entry: Entry, value: int) -> str:
    """The state's word, by its place among the words of the unit ("" for a place that has none)."""
    words = entry.unit.split("|")
    return words[value] if 0 <= value < len(words) else f"{value}"


def electrodes_of(entry: Entry, value: int) -> tuple[tuple[str, bool], ...]:
    """Each electrode named in the unit and whether it is attached: bit k for the k-th name."""
    return tuple((name, bool(value >> place & 1)) for place, name in enumerate(entry.unit.split("|")) if name)
