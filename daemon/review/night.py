"""Nights of breathing therapy from the store: which there are, their curves on one line of time, their events, their figures.

A night is what one device recorded of airway flow from noon to noon, in the box's own time of day. The figures are those that
people know from their machines: AHI = (apnoeas + hypopnoeas) / hours in use, where in use means that the machine blew;
leak and pressure as percentiles over the time in use, SpO2 as time below 90 %. Other devices of the bed are on the same line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from daemon.control.nights import CurveState, FlagState, NightAsked, NightState, NightsTold, NightTold
from daemon.model.signals import Channel, Nanos, Quantity
from daemon.store.answers import StoredSegment
from daemon.store.columns import columns
from daemon.store.reader import Reader

Floats = npt.NDArray[np.float64]

SECOND_NS: Nanos = 1_000_000_000
BLOWS_CMH2O = 2.0
"""Below it no machine holds an airway open: it idles, or the mask is off and it has stopped."""

FIGURES_STEP_S, MOST_STEPS = 1.0, 60_000
IMPORTED = "import:"
"""Of the boots of cards; time is UTC there."""

HOLDS_S = 5.0
"""A number stands for so long after it was said."""

FLAGS = {
    "obstructive": ("apnoea_obstructive", "obstructive_apnoea"),
    "clear_airway": ("apnoea_clear_airway", "clear_airway_apnoea", "central_apnoea", "apnoea_central"),
    "unclassified": ("apnoea_unclassified", "apnoea"),
    "hypopnoea": ("hypopnoea",),
    "arousal": ("arousal",),
    "periodic": ("periodic_breathing", "cheyne_stokes_over"),
    "desaturation": ("desaturation",),
    "large_leak": ("large_leak",),
    "stopped": ("therapy_stopped",),
}
"""Row of flags -> events that stand in it."""

EVENT_KINDS = ("event", "device_event")
"""What our analysis has seen, and what the device says in its own record."""

COUNTED = ("obstructive", "clear_airway", "unclassified", "hypopnoea")
_FLAG_OF = {name: flag for flag, names in FLAGS.items() for name in names}


@dataclass(frozen=True, slots=True)
class Curve:
    """Where a curve is taken from: the first of `channels` that says yes, else the first of `numbers` that was said."""

    unit: str
    channels: tuple[Callable[[Channel], bool], ...]
    numbers: tuple[str, ...] = ()
    own: bool = True  # of the night's own device


def _named(*names: str) -> tuple[Callable[[Channel], bool], ...]:
    return tuple(lambda channel, name=name: channel.name == name for name in names)


def _of(quantity: Quantity) -> Callable[[Channel], bool]:
    return lambda channel: channel.quantity is quantity


CURVES = {
    "flow": Curve("L/min", (_of(Quantity.FLOW),)),
    "pressure": Curve(
        "cmH2O",
        (*_named("pressure"), _of(Quantity.AIRWAY_PRESSURE)),
        ("cpap_pressure", "vent_paw_mean"),
    ),
    "leak": Curve("L/min", (*_named("leak"), _of(Quantity.LEAK)), ("cpap_leak", "leak")),
    "spo2": Curve("%", _named("spo2"), ("spo2",), own=False),
    "pulse": Curve("bpm", _named("pulse_rate"), ("pulse_rate", "heart_rate"), own=False),
}
"""In the order in which they stand below each other."""

_FACTORS = {
    ("L/s", "L/min"): 60.0,
    ("mL/min", "L/min"): 0.001,
    ("mbar", "cmH2O"): 1.01972,
    ("hPa", "cmH2O"): 1.01972,
}


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of one boot, t0_ns <= t < t1_ns; UTC in ns = t + offset_ns."""

    boot: str
    bed: str
    t0_ns: Nanos
    t1_ns: Nanos
    offset_ns: int

    @property
    def utc(self) -> tuple[int, int]:
        return self.t0_ns + self.offset_ns, self.t1_ns + self.offset_ns


@dataclass(frozen=True, slots=True)
class Night:
    """What `device` recorded on a day (noon to noon), in order of UTC."""

    day: date
    device: str
    parts: tuple[Part, ...]

    @property
    def span(self) -> tuple[int, int]:
        """UTC in ns, begin and end."""
        return min(part.utc[0] for part in self.parts), max(part.utc[1] for part in self.parts)

    @property
    def hours(self) -> float:
        """Recorded."""
        return sum(part.t1_ns - part.t0_ns for part in self.parts) / (3600 * SECOND_NS)


def nights(reader: Reader, bed: str) -> list[Night]:
    """The nights of a bed, those of imported cards among them; the newest first."""
    offsets = {boot.boot: boot.utc_offset_ns or 0 for boot in reader.boots()}
    rows = reader.db.execute(
        "SELECT DISTINCT boots.boot FROM segments g JOIN boots ON boots.id = g.boot JOIN streams s ON s.id = g.stream"
        " WHERE EXISTS (SELECT 1 FROM json_each(s.channels) c WHERE c.value ->> 'quantity' = ?)",
        (Quantity.FLOW.value,),
    )
    found: dict[tuple[date, str], list[Part]] = {}
    for (boot,) in rows.fetchall():
        for segment in reader.segments(boot, -(2**62), 2**62, bed=bed):
            if not any(_of(Quantity.FLOW)(channel) for channel in segment.channels):
                continue
            part = Part(boot, segment.bed, segment.began_ns, segment.stored_until_ns, offsets[boot])
            if part.t1_ns > part.t0_ns:
                found.setdefault((_day(part.utc[0]), segment.device), []).append(part)
    made = [
        Night(day, device, tuple(sorted(parts, key=lambda part: part.utc)))
        for (day, device), parts in found.items()
    ]
    return sorted(made, key=lambda night: (night.day, night.device), reverse=True)


def _day(utc_ns: int) -> date:
    """The day whose noon came before, in the box's time."""
    return (datetime.fromtimestamp(utc_ns / 1e9).astimezone() - timedelta(hours=12)).date()


@dataclass(frozen=True, slots=True)
class Grid:
    """`n` equal columns from `from_ns` to `to_ns` (UTC)."""

    from_ns: int
    to_ns: int
    n: int

    @property
    def step_ns(self) -> float:
        return (self.to_ns - self.from_ns) / self.n

    def range_of(self, part: Part) -> tuple[int, int]:
        """Columns that the part touches, first and one past the last."""
        first = int((part.utc[0] - self.from_ns) // self.step_ns)
        last = -int(-(part.utc[1] - self.from_ns) // self.step_ns)
        return max(first, 0), min(last, self.n)


def curve(reader: Reader, night: Night, name: str, grid: Grid) -> tuple[Floats, Floats]:
    """Lowest and highest value of a curve in each column, (n,) each; NaN where there is nothing."""
    low, high = np.full(grid.n, np.nan), np.full(grid.n, np.nan)
    for part in night.parts:
        first, last = grid.range_of(part)
        if first >= last:
            continue
        lows, highs = _part(reader, night, part, CURVES[name], grid, first, last)
        low[first:last] = np.fmin(low[first:last], lows)
        high[first:last] = np.fmax(high[first:last], highs)
    return low, high


def _part(
    reader: Reader, night: Night, part: Part, wanted: Curve, grid: Grid, first: int, last: int
) -> tuple[Floats, Floats]:
    t0_ns, t1_ns = (round(grid.from_ns + k * grid.step_ns) - part.offset_ns for k in (first, last))
    segments = [
        segment
        for segment in reader.segments(part.boot, t0_ns, t1_ns, bed=part.bed)
        if segment.device == night.device or not wanted.own
    ]
    chosen = _channel(segments, wanted)
    if chosen is not None:
        segment, channel = chosen
        found = columns(
            reader,
            part.boot,
            t0_ns,
            t1_ns,
            last - first,
            bed=part.bed,
            stream=segment.stream,
            channels=[channel.name],
        )
        factor = _FACTORS.get((channel.unit, wanted.unit), 1.0)
        held = math.ceil(1.5e9 / segment.rate_hz / grid.step_ns)
        if len(found.low):
            low, high = (_held(values[0] * factor, held) for values in (found.low, found.high))
            return low, high
    return _numbers(reader, part, wanted, (t0_ns, t1_ns), last - first)


def _channel(segments: Sequence[StoredSegment], wanted: Curve) -> tuple[StoredSegment, Channel] | None:
    for fits in wanted.channels:
        for segment in segments:
            for channel in segment.channels:
                if fits(channel):
                    return segment, channel
    return None


def _numbers(
    reader: Reader, part: Part, wanted: Curve, span: tuple[Nanos, Nanos], n: int
) -> tuple[Floats, Floats]:
    """As columns: each number stands until the next, at most `HOLDS_S`."""
    low, high = np.full(n, np.nan), np.full(n, np.nan)
    said = reader.metrics(part.boot, *span, bed=part.bed, names=wanted.numbers) if wanted.numbers else []
    names = {one.name for one in said}
    name = next((one for one in wanted.numbers if one in names), None)
    step_ns = (span[1] - span[0]) / n
    rows = [one for one in said if one.name == name]
    for k, one in enumerate(rows):
        if one.value is None:
            continue
        next_ns = rows[k + 1].t_ns if k + 1 < len(rows) else span[1]
        until_ns = min(next_ns, one.t_ns + round(HOLDS_S * SECOND_NS))
        value = one.value * _FACTORS.get((one.unit, wanted.unit), 1.0)
        begin, end = int((one.t_ns - span[0]) // step_ns), int((until_ns - 1 - span[0]) // step_ns) + 1
        at = slice(begin, max(min(end, n), begin + 1))
        low[at], high[at] = np.fmin(low[at], value), np.fmax(high[at], value)
    return low, high


@dataclass(frozen=True, slots=True)
class Flag:
    """An event of a night: its row, when it began (UTC in ns), how long it lasted (0 = not said)."""

    flag: str
    utc_ns: int
    seconds: float


def flags(reader: Reader, night: Night) -> list[Flag]:
    """Its events, in order."""
    found = {
        Flag(flag, event.t_ns + part.offset_ns, _seconds(event.body))
        for part in night.parts
        for event in reader.events(part.boot, part.t0_ns, part.t1_ns, bed=part.bed, kinds=EVENT_KINDS)
        if (flag := _FLAG_OF.get(str(event.body.get("name")))) is not None
    }
    return sorted(found, key=lambda one: (one.utc_ns, one.flag))


def _seconds(body: dict[str, Any]) -> float:
    if isinstance(length := body.get("duration_s"), int | float):
        return float(length)
    numbers = {str(one[0]): one for one in body.get("numbers") or () if len(one) == 3}
    held = numbers.get("duration") or numbers.get("length")
    return float(held[1]) if held else 0.0


def figures(reader: Reader, night: Night) -> dict[str, float | None]:
    """The figures of a night by name; None = cannot be told."""
    begin, end = night.span
    n = int(np.clip((end - begin) / (FIGURES_STEP_S * SECOND_NS), 1, MOST_STEPS))
    grid = Grid(begin, end, n)
    step_h = grid.step_ns / (3600 * SECOND_NS)
    middle = {name: _middle(*curve(reader, night, name, grid)) for name in CURVES}
    pressure, flow = middle["pressure"], middle["flow"]
    has_pressure = bool(np.isfinite(pressure).any())
    used = pressure >= BLOWS_CMH2O if has_pressure else np.isfinite(flow)
    hours = float(used.sum()) * step_h
    told = flags(reader, night)
    told_in_use = [one for one in told if one.flag in COUNTED]
    saturated = middle["spo2"][np.isfinite(middle["spo2"])]
    counted = {flag: sum(one.flag == flag for one in told) for flag in FLAGS}
    return {
        "recorded_h": night.hours,
        "used_h": hours,
        "ahi": len(told_in_use) / hours if hours > 0 else None,
        **{f"count_{flag}": float(count) for flag, count in counted.items()},
        "longest_s": max((one.seconds for one in told_in_use if one.seconds), default=None),
        **_by_machine(reader, night),
        **_percentiles("leak", middle["leak"][used]),
        **_percentiles("pressure", pressure[used]),
        "spo2_lowest": float(saturated.min()) if len(saturated) else None,
        "spo2_mean": float(saturated.mean()) if len(saturated) else None,
        "spo2_below_90_min": float((saturated < 90).sum()) * step_h * 60 if len(saturated) else None,
    }


def told_nights(reader: Reader, bed: str) -> NightsTold:
    """All of them, for a page."""
    return NightsTold(nights=tuple(_state(night) for night in nights(reader, bed)))


def told_night(reader: Reader, asked: NightAsked) -> NightTold | None:
    """One of them, for a page; None where there is none."""
    night = next(
        (one for one in nights(reader, asked.bed) if (one.day, one.device) == (asked.day, asked.device)),
        None,
    )
    if night is None:
        return None
    state = _state(night)
    if not asked.points:
        return NightTold(night=state, from_ms=0, step_ms=0, figures=figures(reader, night))
    begin, end = night.span
    from_ns = max(begin, round(asked.from_ms * 1e6)) if asked.to_ms else begin
    to_ns = min(end, round(asked.to_ms * 1e6)) if asked.to_ms else end
    grid = Grid(from_ns, max(to_ns, from_ns + SECOND_NS), asked.points)
    curves = {
        name: CurveState(unit=CURVES[name].unit, low=_listed(low), high=_listed(high))
        for name in CURVES
        for low, high in [curve(reader, night, name, grid)]
    }
    return NightTold(
        night=state,
        from_ms=grid.from_ns / 1e6,
        step_ms=grid.step_ns / 1e6,
        curves={name: one for name, one in curves.items() if any(value is not None for value in one.low)},
        flags=tuple(
            FlagState(flag=one.flag, t_ms=one.utc_ns / 1e6, seconds=one.seconds)
            for one in flags(reader, night)
        ),
        parts=tuple((part.utc[0] / 1e6, part.utc[1] / 1e6) for part in night.parts),
    )


def _state(night: Night) -> NightState:
    begin, end = night.span
    return NightState(
        day=night.day,
        device=night.device,
        imported=all(part.boot.startswith(IMPORTED) for part in night.parts),
        begin_ms=begin / 1e6,
        end_ms=end / 1e6,
        recorded_h=night.hours,
    )


def _listed(values: Floats) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else round(float(value), 3) for value in values)


MACHINE = {"cpap_ahi": "machine_ahi", "cpap_hours": "machine_hours", "cpap_leak_95": "machine_leak_p95"}
"""A machine's own statistics of a day, as its card has them -> the figure that stands beside ours."""


def _by_machine(reader: Reader, night: Night) -> dict[str, float | None]:
    """What the machine itself made of the night; nothing where it was not imported."""
    told: dict[str, float | None] = dict.fromkeys(MACHINE.values())
    for boot in {part.boot for part in night.parts if part.boot.startswith(IMPORTED)}:
        for day in reader.events(boot, -(2**62), 2**62, kinds=["therapy_day"]):
            if day.body.get("day") == night.day.isoformat():
                for one in reader.metrics(boot, day.t_ns, day.t_ns + 1, names=list(MACHINE)):
                    told[MACHINE[one.name]] = one.value
    return told


def _middle(low: Floats, high: Floats) -> Floats:
    return (low + high) / 2


def _held(values: npt.NDArray[np.floating[Any]], columns_held: int) -> Floats:
    """Each value stands for up to so many columns after its own, until the next: a curve that is slower than the columns."""
    places = np.arange(len(values))
    last = np.maximum.accumulate(np.where(np.isfinite(values), places, -1))
    near = (last >= 0) & (places - last <= columns_held)
    return np.where(near, np.asarray(values, dtype=np.float64)[np.maximum(last, 0)], np.nan)


def _percentiles(name: str, values: Floats) -> dict[str, float | None]:
    values = values[np.isfinite(values)]
    if not len(values):
        return {f"{name}_median": None, f"{name}_p95": None, f"{name}_max": None}
    median, p95 = np.percentile(values, (50, 95))
    return {f"{name}_median": float(median), f"{name}_p95": float(p95), f"{name}_max": float(values.max())}
