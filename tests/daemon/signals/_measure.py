"""Measuring sounds from their samples, as one would from a recording: nothing here knows how they were made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PERIOD_S = 1 / 261.63
"""Of the lowest note: the shortest stretch over which a tone has a level."""

RIPPLE_S = 0.005
"""A shorter hole is the ripple of a slow edge."""


@dataclass(frozen=True)
class Pulse:
    """A pulse by its envelope, in seconds: where it passes 10 and 90 % of its level, rising and falling."""

    rise_10_s: float
    rise_90_s: float
    fall_90_s: float
    fall_10_s: float
    level: float

    @property
    def td_s(self):
        return self.fall_90_s - self.rise_90_s

    @property
    def rise_s(self):
        return self.rise_90_s - self.rise_10_s


def envelope(samples, rate):
    """Moving RMS over one period of the lowest note; its sample i is the middle of the window."""
    half = round(PERIOD_S * rate / 2)
    square = np.cumsum(np.concatenate([np.zeros(half + 1), np.asarray(samples, float) ** 2, np.zeros(half)]))
    return np.sqrt(np.maximum(square[2 * half :] - square[: -2 * half], 0) / (2 * half))


def pulses(samples, rate, quiet=0.02):
    """The pulses of a sound; `quiet`: share of its highest level below which there is none."""
    level = envelope(samples, rate)
    loud = level > quiet * level.max()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]])))
    inner = edges[1:-1].reshape(-1, 2)
    real = inner[np.diff(inner)[:, 0] > RIPPLE_S * rate]
    edges = np.concatenate([edges[:1], real.ravel(), edges[-1:]])
    return [_pulse(level, first, end, rate) for first, end in edges.reshape(-1, 2)]


def _pulse(level, first, end, rate):
    part = level[first:end]
    top = np.median(part[part > 0.5 * part.max()])

    def passes(share):
        above = np.flatnonzero(part >= share * top)
        return (first + above[0]) / rate, (first + above[-1]) / rate

    rise_10, fall_10 = passes(0.1)
    rise_90, fall_90 = passes(0.9)
    return Pulse(rise_10, rise_90, fall_90, fall_10, float(top))


def spaces(found):
    """Seconds from 90 % of a fall to 90 % of the next rise."""
    return [b.rise_90_s - a.fall_90_s for a, b in zip(found, found[1:], strict=False)]


def components(samples, rate):
    """(Hz, dB below the lowest one) of all spectral lines within 30 dB of the strongest, lowest first."""
    window = np.hanning(len(samples))
    size = 1 << 16
    spectrum = np.abs(np.fft.rfft(samples * window, size))
    width = round(3 * rate / len(samples) / (rate / size))  # main lobe of the window
    lines = []
    floor = spectrum.max() * 10 ** (-30 / 20)
    for i in np.flatnonzero(spectrum[:-width] >= floor):
        if spectrum[i] == spectrum[i - width : i + width + 1].max():
            lines.append((i * rate / size, spectrum[i]))
    first = lines[0][1]
    return [(hz, 20 * np.log10(a / first)) for hz, a in lines]


def bursts(samples, rate, apart_s=1.5, quiet=0.02):
    """Pulses grouped into bursts: two pulses further apart than `apart_s` belong to different ones."""
    groups = []
    for pulse in pulses(samples, rate, quiet):
        if not groups or pulse.rise_90_s - groups[-1][-1].fall_90_s > apart_s:
            groups.append([])
        groups[-1].append(pulse)
    return groups
