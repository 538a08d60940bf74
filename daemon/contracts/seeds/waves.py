"""Samples as the seeds have them: arrays of millivolts by lead, printed so that every count comes back exactly.

A value is rounded to d decimals, d the least with 10^-d <= the size of one count: the error is then at most half a count's,
and it is none where counts are decimal. So round(mV / gain + offset) is the count, for every one (checked here on each array).
Leads that a device does not measure are derived from I and II (Einthoven, Goldberger): III = II - I, aVR = -(I + II)/2,
aVL = I - II/2, aVF = II - I/2, with one decimal more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from daemon.contracts.ecg.v1 import ChannelOf, Waveform
from daemon.contracts.faults import BadMessage
from daemon.contracts.seeds import Chunk, body_of
from daemon.model.signals import Counts

TWELVE: Final = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")

_DERIVED: Final = {
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}  # of I, II
_MILLIVOLTS: Final = {"mV": 1.0, "uV": 1e-3, "V": 1e3}
_NAMES: Final = {name.lower(): name for name in TWELVE}
_MOST_DECIMALS: Final = 12

Floats = npt.NDArray[np.float64]


def is_ecg(body: Waveform) -> bool:
    """Whether it is an ECG that can be said in millivolts."""
    return body.stream == "ecg" and sayable(body.channels)


def sayable(channels: Sequence[ChannelOf]) -> bool:
    """Whether these channels can be said in millivolts."""
    return all(channel.unit in _MILLIVOLTS and channel.gain for channel in channels)


def contiguous(before: Waveform, after: Waveform) -> bool:
    """Whether `after` goes on where `before` ends, so that one array can hold both."""
    return (
        before.segment == after.segment
        and before.first + before.n == after.first
        and before.channels == after.channels
        and before.rate_hz == after.rate_hz
    )


def leads(chunks: Sequence[Chunk]) -> dict[str, list[float]]:
    """Millivolts by lead, in the order of the twelve, others after them. `chunks` are contiguous. Raises `BadMessage`."""
    channels = body_of(chunks[0].envelope, Waveform).channels
    return millivolts(channels, np.concatenate([chunk.counts for chunk in chunks], axis=1))


def millivolts(channels: Sequence[ChannelOf], counts: Counts) -> dict[str, list[float]]:
    """The same of counts, int32 of shape (channels, n)."""
    measured = {lead_of(c.name): _printed(c, row) for c, row in zip(channels, counts, strict=True)}
    arrays = {name: values for name, (values, _) in measured.items()}
    if "I" in measured and "II" in measured:
        (one, d_one), (two, d_two) = measured["I"], measured["II"]
        for name, (a, b) in _DERIVED.items():
            arrays.setdefault(name, np.round(a * one + b * two, max(d_one, d_two) + 1) + 0.0)
    order = [*(n for n in TWELVE if n in arrays), *(n for n in arrays if n not in TWELVE)]
    return {name: arrays[name].tolist() for name in order}


def counts_of(values: Sequence[float], channel: ChannelOf) -> npt.NDArray[np.int32]:
    """The counts that a lead's millivolts were made from, int32 of shape (n,)."""
    return _counts(np.asarray(values, np.float64), channel, _step(channel)).astype(np.int32)


def lead_of(name: str) -> str:
    """The name that a channel has among the leads: spelled as the seeds do where it is one of the twelve."""
    return _NAMES.get(name.lower(), name)


def _step(channel: ChannelOf) -> float:
    scale = _MILLIVOLTS.get(channel.unit)
    if scale is None or channel.gain == 0:
        raise BadMessage(f"channels.{channel.name}", f"{channel.unit} cannot be said in mV")
    return channel.gain * scale


def _counts(millivolts: Floats, channel: ChannelOf, step: float) -> Floats:
    return np.rint(millivolts / step + channel.offset)


def _printed(channel: ChannelOf, counts: Counts) -> tuple[Floats, int]:
    """Rounded values and how many decimals they have."""
    step = _step(channel)
    exact = (counts - channel.offset) * step
    decimals = max(0, math.ceil(-math.log10(abs(step)) - 1e-9))
    while True:
        values: Floats = np.round(exact, decimals) + 0.0  # no -0.0
        if np.array_equal(_counts(values, channel, step), counts):
            return values, decimals
        decimals += 1
        if decimals > _MOST_DECIMALS:
            raise BadMessage(f"channels.{channel.name}", "its counts cannot be said in decimals")
