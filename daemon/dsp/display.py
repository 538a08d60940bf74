"""What the screen shows: filter chains that never touch what is measured, each named as it really is.

| mode | band | what it is for |
|---|---|---|
| diagnostic | 0.05-150 Hz | shape; ST of the screen is the ST of the patient |
| monitor | 0.5-40 Hz | a steady trace on a moving patient; ST is not to be read from it |
| st | 0.05-40 Hz | ST without muscle noise |

Low cut: one pole, as in bedside monitors. High cut: Butterworth, 4th order. Notch: 4 Hz wide at its -3 dB points, with
the second harmonic in diagnostic mode. Where half the sampling rate lies below a cut-off the filter is left out and the
label gives half the rate instead. `cleaning` adds seven stages, after the application of the seed documents; that one ran
forward and backward over stored data, this one is causal, and its lengths are in milliseconds. It rounds QRS and ST, so
each stage is printed on the screen. Stages shorter than their least length at a low sampling rate are left out, and
their label with them.

The delay of the whole chain at 10 Hz (the middle of a QRS), rounded to a sample, is taken out of `first`.
At 500 Hz, with a notch: 12 ms in monitor and st, 2 ms in diagnostic, 78 ms in monitor with cleaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

import numpy as np

from daemon.dsp.filters import (
    Cascade,
    Fir,
    Floats,
    Mask,
    Stage,
    Window,
    group_delay,
    high_pass,
    low_pass,
    notch,
)

Mode = Literal["diagnostic", "monitor", "st"]
_BANDS: dict[Mode, tuple[float, float]] = {
    "diagnostic": (0.05, 150.0),
    "monitor": (0.5, 40.0),
    "st": (0.05, 40.0),
}
_NOTCH_WIDTH_HZ = 4.0
_HIGHEST = 0.45  # of the sampling rate: beyond it a cut-off is left out
_DELAY_AT_HZ = 10.0
_CLEAN_HZ = 30.0


@dataclass(frozen=True, slots=True)
class DisplaySettings:
    """The screen's filters; `mains_hz` 0 = no notch."""

    mode: Mode = "monitor"
    mains_hz: Literal[0, 50, 60] = 50
    cleaning: bool = False

    def with_values(self, values: Mapping[str, str]) -> DisplaySettings:
        """These settings with the text values of a "display" command; ValueError names the one that cannot be."""
        new = self
        for name, text in values.items():
            if name == "mode" and text in get_args(Mode):
                new = replace(new, mode=cast("Mode", text))
            elif name == "mains_hz" and text in {"0", "50", "60"}:
                new = replace(new, mains_hz=cast("Literal[0, 50, 60]", int(text)))
            elif name == "cleaning" and text in {"true", "false"}:
                new = replace(new, cleaning=text == "true")
            else:
                raise ValueError(f"display: {name} cannot be {text!r}")
        return new


class Chain:
    """The stages of one setting for one stream. `names` is printed as it stands, `delay` in samples."""

    def __init__(self, settings: DisplaySettings, rate_hz: float, hop: int, leads: int) -> None:
        sections, names = _band(settings, rate_hz)
        stages: list[Stage] = [Cascade(hop, leads, sections)]
        middle_hz = min(_DELAY_AT_HZ, 0.1 * rate_hz)
        delay = group_delay(sections, middle_hz, rate_hz)
        if settings.cleaning and _HIGHEST * rate_hz > _CLEAN_HZ:
            slow = low_pass(6, _CLEAN_HZ, rate_hz)
            delay += group_delay(slow, middle_hz, rate_hz)
            stages.append(Cascade(hop, leads, slow))
            names.append(f"low-pass {_CLEAN_HZ:g} Hz")
            for name, stage in _smoothing(rate_hz, hop, leads):
                stages.append(stage)
                names.append(name)
                delay += stage.delay
        self._stages = stages
        self.names = tuple(names)
        self.delay = max(round(delay), 0)

    def step(self, x: Floats, restart: Mask | None) -> Floats:
        """One hop (hop, leads) through every stage."""
        for stage in self._stages:
            x = stage.step(x, restart)
        return x


def _band(settings: DisplaySettings, rate_hz: float) -> tuple[Floats, list[str]]:
    low, high = _BANDS[settings.mode]
    sections = [high_pass(1, low, rate_hz)]
    top = min(high, rate_hz / 2)
    if high < _HIGHEST * rate_hz:
        sections.append(low_pass(4, high, rate_hz))
    else:
        top = rate_hz / 2
    harmonics = [k * settings.mains_hz for k in (1, 2) if 0 < k * settings.mains_hz < 0.49 * rate_hz]
    notched = harmonics if settings.mode == "diagnostic" else harmonics[:1]
    sections += [notch(hz, _NOTCH_WIDTH_HZ, rate_hz) for hz in notched]
    names = [f"{low:g}-{top:g} Hz"]
    if notched:
        names.append(f"notch {'+'.join(f'{hz:g}' for hz in notched)} Hz")
    return np.vstack(sections), names


def _smoothing(rate_hz: float, hop: int, leads: int) -> list[tuple[str, Stage]]:
    """Stages 3 to 8 of the cleaning: lengths are those of the seeds at 500 samples/s, in milliseconds."""

    def odd(ms: float) -> int:
        return 2 * max(round(ms * rate_hz / 2000.0 - 0.5), 0) + 1

    def fir(taps: Floats) -> Stage:
        return Fir(hop, leads, taps)

    stages: list[tuple[str, Stage]] = [
        ("Wiener 20 uV", LocalWiener(leads, max(odd(10.0), 3), 0.020)),
        ("Gauss 2.4 ms", fir(_gauss(0.0024 * rate_hz))),
    ]
    if odd(30.0) > 5:  # a polynomial of 4th order goes through 5 points unchanged
        stages.append(("Savitzky-Golay 30 ms", fir(_savitzky_golay(odd(30.0), 4))))
    if odd(14.0) > 1:
        stages.append(("median 14 ms", Median(leads, odd(14.0))))
        mean = np.convolve(np.full(odd(14.0), 1.0 / odd(14.0)), np.full(odd(10.0), 1.0 / odd(10.0)))
        stages.append(("mean 14+10 ms", fir(mean)))
    stages.append(("Gauss 1.6 ms", fir(_gauss(0.0016 * rate_hz))))
    return stages


def _gauss(sigma: float) -> Floats:
    reach = max(round(3.0 * sigma), 1)
    taps = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / sigma))
    return np.asarray(taps / taps.sum())


def _savitzky_golay(length: int, order: int) -> Floats:
    """Weights of the least-squares polynomial's value at the middle (Savitzky and Golay 1964)."""
    places = np.arange(length) - length // 2
    return np.asarray(np.linalg.pinv(np.vander(places, order + 1, increasing=True).astype(np.float64))[0])


class LocalWiener:
    """Pulls a sample towards its local mean where the local variance is no more than noise (Lim 1990, eq. 9.26)."""

    def __init__(self, leads: int, length: int, noise_mv: float) -> None:
        self.delay = (length - 1) // 2
        self._length = length
        self._noise = noise_mv**2
        self._window = Window(length - 1, leads)

    def step(self, x: Floats, restart: Mask | None) -> Floats:
        around = np.lib.stride_tricks.sliding_window_view(self._window.over(x, restart), self._length, axis=0)
        mean = around.mean(axis=2)
        variance = around.var(axis=2)
        keep = np.maximum(variance - self._noise, 0.0) / np.maximum(variance, self._noise)
        return np.asarray(mean + keep * (around[:, :, self.delay] - mean))


class Median:
    """A running median of odd length."""

    def __init__(self, leads: int, length: int) -> None:
        self.delay = (length - 1) // 2
        self._length = length
        self._window = Window(length - 1, leads)

    def step(self, x: Floats, restart: Mask | None) -> Floats:
        around = np.lib.stride_tricks.sliding_window_view(self._window.over(x, restart), self._length, axis=0)
        return np.asarray(np.partition(around, self.delay, axis=2)[:, :, self.delay])


class Display:
    """The waves of one stream for the screen, hop by hop; new settings take hold with the next hop."""

    def __init__(self, settings: DisplaySettings, rate_hz: float, hop: int, leads: int, shown: int) -> None:
        """`leads` are filtered, `shown` is how many come out."""
        self._rate_hz, self._hop, self._leads, self._shown = rate_hz, hop, leads, shown
        self.use(settings)

    def use(self, settings: DisplaySettings) -> None:
        """Begin anew with these settings."""
        self.chain = Chain(settings, self._rate_hz, self._hop, self._leads)
        self._fresh = True
        self._visible = np.zeros((self.chain.delay, self._shown), dtype=np.bool_)

    def skip(self) -> None:
        """Samples are missing: what was drawn before is not what comes out next."""
        self._visible[:] = False

    def step(self, x: Floats, restart: Mask | None, visible: Mask, derive: Floats) -> Floats:
        """Values (hop, all) in mV of the `hop` samples that end `chain.delay` before this hop's end.

        x (hop, measured) bridged; visible (hop, all) where there is something to draw; NaN where there is not.
        """
        if self._fresh:
            restart, self._fresh = np.ones(self._leads, dtype=np.bool_), False
        y = self.chain.step(x, restart) @ derive.T
        seen = np.concatenate([self._visible, visible])
        self._visible = seen[self._hop :]
        y[~seen[: self._hop]] = np.nan
        return y
