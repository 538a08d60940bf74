"""The header of a WFDB record (`RECORD.hea`): its text as PhysioNet's "header(5)" manual page describes it.

RECORD[/SEGMENTS] SIGNALS [RATE[/COUNTER[(BASE)]] [SAMPLES [TIME [DATE]]]]
FILE FORMAT[xPER_FRAME][:SKEW][+OFFSET] [GAIN[(BASELINE)][/UNIT] [BITS [ZERO [FIRST [SUM [BLOCK [NAME]]]]]]]
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

DEFAULT_RATE_HZ, DEFAULT_GAIN = 250.0, 200.0

_FORMAT = re.compile(r"(?P<format>\d+)(?:x(?P<per_frame>\d+))?(?::(?P<skew>\d+))?(?:\+(?P<offset>\d+))?$")
_GAIN = re.compile(r"(?P<gain>[-+.\deE]+)(?:\((?P<baseline>-?\d+)\))?(?:/(?P<unit>.+))?$")


class BadHeader(ValueError):
    """A line that cannot be read; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal line. `gain` is in counts a unit (0 = not calibrated), `skew` in frames, `offset` in bytes."""

    file: str
    format: str
    per_frame: int
    skew: int
    offset: int
    gain: float
    baseline: int
    unit: str
    name: str


@dataclass(frozen=True, slots=True)
class Header:
    """`rate_hz` in frames a second; `frames` None where the header does not say how many there are."""

    segments: int
    rate_hz: float
    frames: int | None
    signals: tuple[Signal, ...]


def parse(text: str) -> Header:
    """The header in this text. Raises BadHeader."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise BadHeader("it is empty")
    fields = lines[0].split()
    if len(fields) < 2 or not fields[1].isdecimal():
        raise BadHeader(f"no number of signals in {lines[0]!r}")
    _, _, segments = fields[0].partition("/")
    if segments:
        return Header(int(segments) if segments.isdecimal() else 0, DEFAULT_RATE_HZ, None, ())
    count = int(fields[1])
    if len(lines) - 1 < count:
        raise BadHeader(f"{count} signals are named and {len(lines) - 1} described")
    try:
        rate_hz = float(fields[2].partition("/")[0]) if len(fields) > 2 else DEFAULT_RATE_HZ
        frames = int(fields[3]) if len(fields) > 3 else 0
    except ValueError:
        raise BadHeader(f"no rate and length in {lines[0]!r}") from None
    return Header(0, rate_hz, frames or None, tuple(_signal(line) for line in lines[1 : count + 1]))


def _signal(line: str) -> Signal:
    fields = line.split(maxsplit=8)
    form = _FORMAT.match(fields[1]) if len(fields) > 1 else None
    if form is None:
        raise BadHeader(f"no format in {line!r}")
    gain, baseline, unit = DEFAULT_GAIN, None, "mV"
    if len(fields) > 2:
        found = _GAIN.match(fields[2])
        try:
            gain = float(found["gain"]) if found else float("nan")
        except ValueError:
            gain = float("nan")
        if math.isnan(gain):
            raise BadHeader(f"no gain in {line!r}")
        if found is not None:
            baseline, unit = found["baseline"], found["unit"] or unit
    zero = fields[4] if len(fields) > 4 else "0"
    try:
        level = int(zero if baseline is None else baseline)
    except ValueError:
        raise BadHeader(f"no zero level in {line!r}") from None
    return Signal(
        fields[0],
        form["format"],
        int(form["per_frame"] or 1),
        int(form["skew"] or 0),
        int(form["offset"] or 0),
        gain or DEFAULT_GAIN,
        level,
        unit,
        fields[8] if len(fields) > 8 else "",
    )
