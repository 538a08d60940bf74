"""What the codes of MEDIBUS mean, as far as they are used here."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_bridge.frames import Channel, Number, Quantity, StreamSpec

MBAR_CM_H2O = 1.019716
KPA_MMHG = 7.500617
MOST_CURVES = 4

MEASURED: dict[str, tuple[str, str, float]] = {  # code page 1: name, unit, factor
    "73": ("vent_paw_mean", "mbar", 1.0),
    "74": ("vent_plateau", "mbar", 1.0),
    "78": ("vent_peep", "mbar", 1.0),
    "7D": ("vent_pip", "mbar", 1.0),
    "88": ("vent_tidal_volume", "mL", 1.0),
    "D6": ("vent_rate", "/min", 1.0),
    "B4": ("vent_rate", "/min", 1.0),
    "B8": ("vent_minute_volume", "L/min", 1.0),
    "B2": ("vent_leak", "mL/min", 1.0),
    "F0": ("vent_fio2", "%", 1.0),
    "E6": ("vent_etco2", "mmHg", 1.0),
    "E3": ("vent_etco2", "mmHg", KPA_MMHG),
    "EB": ("spo2", "%", 1.0),
    "E1": ("pulse_rate", "bpm", 1.0),
}
"""Where two codes are one number, the first of them that the device gives counts."""

SET: dict[str, tuple[str, str]] = {
    "01": ("FiO2", "%"),
    "04": ("tidal volume", "L"),
    "05": ("inspiratory time", "s"),
    "09": ("rate", "/min"),
    "0B": ("PEEP", "mbar"),
    "0D": ("low pressure", "mbar"),
    "0E": ("high pressure", "mbar"),
    "11": ("apnoea time", "s"),
    "12": ("pressure support", "mbar"),
    "13": ("maximum pressure", "mbar"),
    "29": ("trigger", "L/min"),
    "2E": ("slope", "s"),
    "40": ("tidal volume", "mL"),
    "45": ("inspiratory pressure", "mbar"),
}

MODES = {"0A": "CPAP", "0B": "CPAP/ASB", "0E": "BIPAP", "1E": "standby", "54": "standby"}
"""Text messages that are a mode, and the word where the device sends none."""

ALARMS = {
    **dict.fromkeys(("0D", "0E", "0F"), "apnoea"),
    "10": "airway pressure high",
    "19": "minute volume low",
    "9B": "minute volume high",
    "90": "rate high",
    "9A": "disconnection",
    "C0": "O2 low",
    "BF": "O2 high",
    "EF": "power failure",
}
"""Code page 1, where the device sends a code without a text."""

CO2 = ("06", "07", "08")
WANTED = (("00",), ("01",), CO2, ("02",))
"""Curves in the order in which they are asked for: airway pressure, flow, CO2 (one of its units), pleth."""

_QUANTITIES: dict[str, tuple[str, str, Quantity, str, float]] = {
    "00": ("flow", "pressure", Quantity.AIRWAY_PRESSURE, "cmH2O", MBAR_CM_H2O),
    "01": ("flow", "flow", Quantity.FLOW, "L/s", 1 / 60),
    "02": ("pleth", "pleth", Quantity.PLETH, "1", 1.0),
    "06": ("co2", "co2", Quantity.OTHER, "mmHg", 1.0),
    "07": ("co2", "co2", Quantity.OTHER, "mmHg", KPA_MMHG),
    "08": ("co2", "co2", Quantity.OTHER, "%", 1.0),
}  # code -> stream, channel, quantity, unit, our unit in one of the device's


@dataclass(frozen=True, slots=True)
class Curve:
    """A real-time curve as the device describes it: value = low + n (high - low) / counts, every `interval_us`."""

    code: str
    interval_us: int
    low: float
    high: float
    counts: int

    @property
    def channel(self) -> Channel:
        _, name, quantity, unit, ours = _QUANTITIES[self.code]
        gain = (self.high - self.low) / self.counts
        return Channel(name, quantity, unit, gain * ours, -self.low / gain, 0, self.counts)


def curves_in(data: bytes) -> list[Curve]:
    """The curves of a reply to "real-time configuration" that can be used, at most `MOST_CURVES`, as they are asked for."""
    offered: dict[str, Curve] = {}
    for code, text in items(data, 2, 21):
        try:
            interval, low, high = int(text[:8]), float(text[8:13]), float(text[13:18])
            curve = Curve(code, interval, low, high, int(text[18:21], 16))
        except ValueError:
            continue
        if code in _QUANTITIES and 1_000 <= interval <= 1_000_000 and low < high and 0 < curve.counts < 4096:
            offered[code] = curve
    chosen = (next((offered[code] for code in codes if code in offered), None) for codes in WANTED)
    return [curve for curve in chosen if curve is not None][:MOST_CURVES]


def streams_of(curves: list[Curve]) -> tuple[tuple[StreamSpec, ...], list[tuple[str, int]]]:
    """The streams of chosen curves, and of each curve its stream's name and its place there.

    Flow and pressure are one stream when the device samples them together.
    """
    together = {curve.code: curve.interval_us for curve in curves if curve.code in {"00", "01"}}
    one = len(set(together.values())) == 1
    channels: dict[str, list[Curve]] = {}
    for curve in sorted(curves, key=lambda c: c.code != "01"):  # flow is its stream's first channel
        stream = _QUANTITIES[curve.code][0]
        name = "pressure" if curve.code == "00" and not (one and "01" in together) else stream
        channels.setdefault(name, []).append(curve)
    specs = tuple(
        StreamSpec(name, 1e6 / found[0].interval_us, tuple(curve.channel for curve in found))
        for name, found in channels.items()
    )
    places = {
        curve.code: (name, place) for name, found in channels.items() for place, curve in enumerate(found)
    }
    return specs, [places[curve.code] for curve in curves]


def items(data: bytes, key: int, rest: int) -> list[tuple[str, str]]:
    """A reply's items of fixed length: (the first `key` characters, the other `rest`). A torn last one is left out."""
    text = data.decode("latin-1")
    size = key + rest
    starts = range(0, len(text) - size + 1, size)
    return [(text[at : at + key], text[at + key : at + size]) for at in starts]


def measured(data: bytes) -> list[Number]:
    """The numbers of a reply to "measured data", code page 1. What the device cannot measure now has no value."""
    given = dict(items(data, 2, 4))
    found: dict[str, Number] = {}
    for code, (name, unit, factor) in MEASURED.items():
        if code in given and name not in found:
            value = number(given[code])
            found[name] = Number(name, None if value is None else round(value * factor, 3), unit)
    return list(found.values())


def number(text: str) -> float | None:
    """A value as the device writes it; None for dashes, blanks and whatever else is no number."""
    try:
        return float(text) if text.strip()[-1:].isdigit() else None
    except ValueError:
        return None


def alarms(data: bytes) -> list[str]:
    """The alarms that stand, in the device's own words and order."""
    found = []
    for head, text in items(data, 3, 12):
        words = text.strip(" \0") or ALARMS.get(head[1:], f"alarm {head[1:]}")
        found.append(words)
    return found


def texts(data: bytes) -> list[tuple[str, str]]:
    """The text messages that stand: (code, text). Each says its own length."""
    found, at = [], 0
    while at + 3 <= len(data):
        length = data[at + 2] - 0x30
        end = at + 3 + length
        if length < 0 or end >= len(data) or data[end] != 0x03:
            break
        found.append((data[at : at + 2].decode("latin-1"), data[at + 3 : end].decode("latin-1").strip()))
        at = end + 1
    return found
