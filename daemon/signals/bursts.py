"""The sounds of the box, synthesised: alarm bursts after IEC 60601-1-8, reminder, test and failure tone. Pure.

All arrays are float32 of shape (samples,), mono, at `RATE`, peak 1.0; loudness is the player's. Facts and sources:
docs/alarms.md. A pulse's effective length `td` is measured between the 90 % points of its envelope, spacings from 90 % of a
fall to 90 % of the next rise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from daemon.model.alarms import Priority

Samples = NDArray[np.float32]

RATE = 44_100
"""Samples a second."""

EDGE = 0.15
"""Rise time (10 to 90 %) over `td`: between the 10 % and the 20 % of one edition, the 10 % and the 40 % of another."""

LEVELS = (1.0, 0.85, 0.7, 0.6, 0.5, 0.4, 0.4)
"""Amplitudes of fundamental and harmonics, all within 8 dB: the standard asks for four within 15 dB in 300 to 4000 Hz.

Seven stay below 4000 Hz up to C5, and at least five lie above 300 Hz from C4 on: a small loudspeaker carries them.
"""

NOTES = MappingProxyType(
    {"C4": 261.63, "D4": 293.66, "E4": 329.63, "F4": 349.23, "F#4": 369.99, "G4": 392.0, "A4": 440.0}
    | {"B4": 493.88, "C5": 523.25}
)
"""Hz, equal temperament."""

GENERAL = "general"

MELODIES = MappingProxyType(
    {
        GENERAL: "C4 C4 C4 C4 C4",
        "cardiac": "C4 E4 G4 G4 C5",
        "perfusion": "C4 F#4 C4 C4 F#4",
        "ventilation": "C4 A4 F4 A4 F4",
        "oxygen": "C5 B4 A4 G4 F4",
        "temperature": "C4 D4 E4 F4 G4",
        "drug": "C5 D4 G4 C5 D4",
        "equipment": "C5 C4 C4 C5 C4",
    }
)
"""Five notes by cause: a high burst plays all of them twice, a medium one the first three (annex F of the 2006 text)."""

LOW_NOTES = "E4 C4"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A burst's rhythm: `td_s` of each pulse, `spaces_s` between them (one fewer than pulses)."""

    td_s: float
    spaces_s: tuple[float, ...]

    @property
    def pulses(self) -> int:
        return len(self.spaces_s) + 1

    @property
    def length_s(self) -> float:
        """From 90 % of the first rise to 90 % of the last fall."""
        return self.pulses * self.td_s + sum(self.spaces_s)


def _high(td: float, x: float, between_groups: float) -> Pattern:
    group = (x, x, 2 * x + td, x)
    return Pattern(td, (*group, between_groups, *group))


PATTERNS = MappingProxyType(
    {
        Priority.HIGH: _high(td=0.150, x=0.100, between_groups=0.700),
        Priority.MEDIUM: Pattern(0.180, (0.200, 0.200)),
        Priority.LOW: Pattern(0.180, (0.200,)),
    }
)

# A raised cosine passes 10 % and 90 % at these shares of its length.
_TO_10 = math.acos(1 - 2 * 0.1) / math.pi
_TO_90 = math.acos(1 - 2 * 0.9) / math.pi


@cache
def burst(priority: Priority, group: str = GENERAL) -> Samples:
    """The alarm burst of a priority, with the melody of its cause. An unknown cause sounds as the general one."""
    if priority is Priority.LOW:
        notes = LOW_NOTES.split()
    else:
        melody = MELODIES.get(group, MELODIES[GENERAL]).split()
        notes = 2 * melody if priority is Priority.HIGH else melody[:3]
    return _render(PATTERNS[priority], notes)


@cache
def reminder() -> Samples:
    """One long note: an alarm is there that was acknowledged. Its length is that of no alarm's pulse."""
    return _render(Pattern(0.5, ()), ["G4"])


@cache
def self_test_tone() -> Samples:
    """Two short notes, rising: the self-test. No alarm's pulse is as short, none rises by a fifth."""
    return _render(Pattern(0.06, (0.04,)), ["F4", "C5"])


@cache
def failure_tone() -> Samples:
    """One period (1 s) of the tone that says: the alarms themselves have failed. Two notes in turn, never a silence.

    Each note is whole cycles long, so that notes and periods join without a click.
    """
    t = np.arange(RATE // 2) / RATE
    return _peak_one(np.concatenate([_tone(440.0, t), _tone(588.0, t)]))


def _render(pattern: Pattern, notes: list[str]) -> Samples:
    """Pulses laid out so that `td` and spacings hold between the 90 % points; silence is only between pulses."""
    edge_s = EDGE * pattern.td_s / (_TO_90 - _TO_10)
    to_90_s = _TO_90 * edge_s
    length_s = pattern.td_s + 2 * to_90_s
    out = np.zeros(math.ceil((pattern.length_s + 2 * to_90_s) * RATE) + 1)
    at_s = 0.0
    for note, space_s in zip(notes, (*pattern.spaces_s, 0.0), strict=True):
        first = round(at_s * RATE)
        pulse = _pulse(NOTES[note], length_s, edge_s)
        out[first : first + len(pulse)] += pulse
        at_s += pattern.td_s + space_s
    return _peak_one(out)


def _pulse(hz: float, length_s: float, edge_s: float) -> NDArray[np.float64]:
    t = np.arange(round(length_s * RATE)) / RATE
    from_edge = np.minimum(np.minimum(t, length_s - t) / edge_s, 1.0)
    return _tone(hz, t) * (0.5 - 0.5 * np.cos(math.pi * from_edge))


def _tone(hz: float, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """A note with its harmonics; the phases (Schroeder 1970) keep its peaks low, so that it may be loud."""
    out = np.zeros_like(t)
    for k, level in enumerate(LEVELS, 1):
        out += level * np.sin(2 * math.pi * k * hz * t - math.pi * k * (k - 1) / len(LEVELS))
    return out


def _peak_one(samples: NDArray[np.float64]) -> Samples:
    out: Samples = (samples / np.abs(samples).max()).astype(np.float32)
    return out
