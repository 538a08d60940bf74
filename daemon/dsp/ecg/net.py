"""The net that says P, QRS, T or nothing for every sample of every lead, run on a stream.

One set of weights for all leads; a lead sees the others through their mean, so any number of leads will do. 250 Hz in and
out, going down to 15.6 Hz (e0 .. e4), a look at the past there (b1 .. b4), and up again (d3 .. d0, h).

Exact: samples, weights and what passes between layers are whole multiples of 2^-14, so few bits that every sum of products
is exact in float64. It does not depend on its order: not on the length of a block, the BLAS or the processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.condition import BLOCK, UNITS

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LARGEST = 2.0**8 * UNITS  # that a layer says: 22 bits; weights have 19, the sums of 250 products another 8
LARGEST_WEIGHT = 2.0**5 * UNITS
LAG = 98
"""Samples before a block boundary that wait for what comes behind it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a layer: channels in and out, taps, stride, dilation, and whether it looks at the past alone."""

    inputs: int
    outputs: int
    taps: int
    stride: int = 1
    dilation: int = 1
    past: bool = False


LAYERS = {
    "e0": Shape(1, 8, 9),
    "e1": Shape(8, 12, 5, stride=2),
    "e2": Shape(12, 16, 5, stride=2),
    "e3": Shape(16, 18, 5, stride=2),
    "e4": Shape(18, 20, 5, stride=2),
    "b1": Shape(40, 20, 3),
    "b2": Shape(20, 20, 5),
    "b3": Shape(20, 20, 5, dilation=4, past=True),
    "b4": Shape(20, 20, 3, dilation=20, past=True),
    "d3": Shape(38, 18, 3),
    "d2": Shape(50, 16, 3),
    "d1": Shape(28, 12, 5),
    "d0": Shape(20, 8, 5),
    "h": Shape(8, 4, 1),
}
_NEEDS_E4, _NEEDS_E2 = 34, 10  # samples ahead of its own that the encoder needs for e4, for e2


class WavesTable:
    """Weights (taps, inputs, outputs) and offsets (outputs,) of every layer; made by training/waves.py."""

    def __init__(self, weights: Mapping[str, Floats], offsets: Mapping[str, Floats]) -> None:
        for name, shape in LAYERS.items():
            if weights[name].shape != (shape.taps, shape.inputs, shape.outputs):
                raise ValueError(
                    f"layer {name} of a table of waves has weights of shape {weights[name].shape}"
                )
            if offsets[name].shape != (shape.outputs,):
                raise ValueError(
                    f"layer {name} of a table of waves has offsets of shape {offsets[name].shape}"
                )
            most = max(np.abs(weights[name]).max(), np.abs(offsets[name]).max()) * UNITS
            if not most <= LARGEST_WEIGHT:
                raise ValueError(f"layer {name} of a table of waves has weights too large to sum exactly")
        self.weights = {name: np.rint(weights[name] * UNITS) for name in LAYERS}
        self.offsets = {name: np.rint(offsets[name] * UNITS) * UNITS for name in LAYERS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """A table from its arrays `<layer>.weight` and `<layer>.offset`. ValueError if they do not fit."""
        try:
            weights = {name: np.asarray(arrays[f"{name}.weight"]).astype(np.float64) for name in LAYERS}
            offsets = {name: np.asarray(arrays[f"{name}.offset"]).astype(np.float64) for name in LAYERS}
        except KeyError as missing:
            raise ValueError(f"a table of waves has no {missing}") from None
        return cls(weights, offsets)


class _Layer:
    """A convolution over time of (leads, n, inputs), an offset, max(0, .); `add`: its middle input is added."""

    def __init__(self, name: str, table: WavesTable, leads: int, *, add: bool = False) -> None:
        shape = LAYERS[name]
        self._shape = shape
        # A power of two, so dividing by it here rounds nothing.
        self._weight = table.weights[name].reshape(shape.taps * shape.inputs, shape.outputs) / UNITS
        self._offset = table.offsets[name] / UNITS
        self._least = -LARGEST if name == "h" else 0.0
        reach = (shape.taps - 1) * shape.dilation
        self._left = reach if shape.past else reach // 2
        self._right = reach - self._left
        self._span = reach + 1
        self._add = add
        self._held = np.zeros((leads, self._left, shape.inputs))

    def push(self, x: Floats, *, last: bool) -> Floats:
        """Take the next input, give every output whose inputs are complete; zeros stand before the first and behind the last."""
        shape = self._shape
        parts = [self._held, x]
        if last and self._right:
            parts.append(np.zeros((len(x), self._right, shape.inputs)))
        held = np.concatenate(parts, axis=1)
        n = max((held.shape[1] - self._span) // shape.stride + 1, 0)
        lead, time, channel = held.strides
        windows = np.ndarray(  # every output's inputs, overlapping, without copying
            (len(x), n, shape.taps, shape.inputs),
            np.float64,
            held,
            strides=(lead, shape.stride * time, shape.dilation * time, channel),
        )
        y: Floats = windows.reshape(len(x) * n, len(self._weight)) @ self._weight
        y += self._offset
        np.rint(y, out=y)
        np.maximum(y, self._least, out=y)
        np.minimum(y, LARGEST, out=y)
        y = y.reshape(len(x), n, shape.outputs)
        if self._add:
            y += held[:, self._left : self._left + n]
            np.minimum(y, LARGEST, out=y)
        self._held = held[:, n * shape.stride :].copy()
        return y


class _Delay:
    """A skip that waits until the deeper way arrives."""

    def __init__(self) -> None:
        self._held: Floats | None = None

    def push(self, x: Floats) -> None:
        self._held = x if self._held is None else np.concatenate([self._held, x], axis=1)

    def take(self, n: int) -> Floats:
        assert self._held is not None
        x, self._held = self._held[:, :n], self._held[:, n:].copy()
        return x


def _mean(x: Floats, counted: Bools) -> Floats:
    """Mean over the leads of (leads, n, channels) that count (leads, n), for each lead; 0 where none does."""
    total = np.add.reduce
    if counted.all():
        mean = np.rint(total(x, axis=0) / max(len(x), 1))
    else:
        number = np.maximum(total(counted, axis=0, dtype=np.int64), 1)[:, None]
        mean = np.rint(total(x * counted[:, :, None], axis=0) / number)
    return np.broadcast_to(mean, x.shape)


def _doubled(x: Floats, skip: Floats) -> Floats:
    """Each of x (leads, n, channels) twice, with `skip` (leads, 2 n, channels) beside it."""
    channels = x.shape[2]
    out = np.empty((*skip.shape[:2], channels + skip.shape[2]))
    out[:, ::2, :channels] = out[:, 1::2, :channels] = x
    out[:, :, channels:] = skip
    return out


class WaveNet:
    """Runs the net over `leads` signals from sample 0 on."""

    def __init__(self, table: WavesTable, leads: int) -> None:
        self._layers = {name: _Layer(name, table, leads, add=name in {"b2", "b3", "b4"}) for name in LAYERS}
        self._skips = {name: _Delay() for name in ("e0", "e1", "e2", "e3")}
        self._counted = np.zeros((leads, 0), dtype=np.bool_)
        self._counted_first = 0  # block of column 0
        self._at_e2 = self._at_e4 = 0

    def push(self, z: Floats, counted: Bools, *, last: bool = False) -> Floats:
        """Take z (leads, whole blocks) in units and which leads count in the means of each block (leads, blocks).

        Gives the logits (leads, n, 4: none, P, QRS, T) that became complete. `last` gives all of the rest: as if zeros
        stood behind in every layer; nothing may be pushed after it.
        """
        self._counted = np.concatenate([self._counted, counted], axis=1)
        layer, skips = self._layers, self._skips
        e0 = layer["e0"].push(z[:, :, None], last=last)
        e1 = layer["e1"].push(e0, last=last)
        e2 = layer["e2"].push(e1, last=last)
        e3 = layer["e3"].push(e2, last=last)
        e4 = layer["e4"].push(e3, last=last)
        n2, n4 = e2.shape[1], e4.shape[1]
        mean2 = _mean(e2, self._block_of(4 * np.arange(self._at_e2, self._at_e2 + n2) + _NEEDS_E2))
        mean4 = _mean(e4, self._block_of(16 * np.arange(self._at_e4, self._at_e4 + n4) + _NEEDS_E4))
        self._at_e2, self._at_e4 = self._at_e2 + n2, self._at_e4 + n4
        self._forget()
        skips["e0"].push(e0)
        skips["e1"].push(e1)
        skips["e2"].push(np.concatenate([e2, mean2], axis=2))
        skips["e3"].push(e3)
        x = layer["b1"].push(np.concatenate([e4, mean4], axis=2), last=last)
        for name in ("b2", "b3", "b4"):
            x = layer[name].push(x, last=last)
        for name, skip in (("d3", "e3"), ("d2", "e2"), ("d1", "e1"), ("d0", "e0")):
            x = layer[name].push(_doubled(x, skips[skip].take(2 * x.shape[1])), last=last)
        return layer["h"].push(x, last=last)

    def _block_of(self, sample: npt.NDArray[np.int64]) -> Bools:
        """Who counted in the block of each sample, the newest one behind it."""
        column = np.minimum(sample // BLOCK - self._counted_first, self._counted.shape[1] - 1)
        return self._counted[:, column]

    def _forget(self) -> None:
        oldest = min(4 * self._at_e2 + _NEEDS_E2, 16 * self._at_e4 + _NEEDS_E4) // BLOCK
        gone = min(oldest - self._counted_first, self._counted.shape[1] - 1)
        if gone > 0:
            self._counted = self._counted[:, gone:].copy()
            self._counted_first += gone


def probabilities(logits: Floats) -> Floats:
    """Of (leads, n, 4) logits in units: (leads, 3, n) probabilities of P, QRS and T, rounded to 2^-20 so that sums are exact."""
    x = (logits - logits.max(axis=2, keepdims=True)) / UNITS
    np.exp(x, out=x)
    x /= x[:, :, :1] + x[:, :, 1:2] + x[:, :, 2:3] + x[:, :, 3:]
    p: Floats = np.rint(np.ascontiguousarray(x[:, :, 1:].transpose(0, 2, 1)) * 2.0**20) / 2.0**20
    return p
