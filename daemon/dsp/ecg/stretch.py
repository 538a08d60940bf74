"""What the net says of a stretch of signal without a gap, kept for as long as beats in it may still be told of.

The net starts anew in every stretch, at a whole number of blocks of the inner clock, so what it says does not depend on how
much came before. A stretch that has ended is read like one that goes on.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.condition import BLOCK, Conditioner, Resampler
from daemon.dsp.ecg.net import WaveNet, WavesTable, probabilities
from daemon.dsp.ecg.ring import Ring

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SILENT_BLOCKS = 4  # of 256 ms, behind a gap and of a lead that came back
ROOM = 2048


class Stretch:
    """`leads` signals from inner sample `first` on, a whole number of blocks; `silent` blocks say nothing."""

    def __init__(self, rate_hz: float, leads: int, table: WavesTable, first: int, *, silent: int) -> None:
        self.first = self.stop = first  # inner samples first .. stop - 1 went into the net
        self._leads = leads
        self._input = Resampler(rate_hz, 2 * leads, first)
        self._conditioner = Conditioner(leads)
        self._net = WaveNet(table, leads)
        self._p, self._y = Ring(3 * leads, ROOM), Ring(leads, ROOM)
        self._p.begin(first, np.zeros((3 * leads, 0)))
        self._y.begin(first, np.zeros((leads, 0)))
        self._blocks_heard = np.full(leads, -silent)
        self._all_heard = False  # all leads speak: how long they have been heard is not counted on
        self._every = np.arange(leads)
        # First sample of a block, leads that may speak in it; None: all of them.
        self._heard: deque[tuple[int, Bools | None]] = deque()
        self._last = np.zeros((2 * leads, 1))

    @property
    def oldest(self) -> int:
        """The first inner sample that is still held."""
        return self._p.first

    @property
    def known(self) -> int:
        """Inner samples before this one have their probabilities."""
        return self._p.end

    def needed(self, inner: int) -> int:
        """The last input sample that inner sample `inner` needs."""
        return self._input.needed(inner)

    def ready(self, samples: int) -> int:
        """As `stop` will be with the first `samples` of the input."""
        return self._input.ready(samples)

    def push(self, x: Floats, usable: Bools, seen: int) -> None:
        """Take input samples from number `seen` on: mV (leads, n), 0 where not usable (leads, n)."""
        both = np.concatenate([x, usable.astype(np.float64)])
        early = min(
            max(self._input.begin - seen, 0), both.shape[1]
        )  # the first whole block begins behind them
        if early == both.shape[1]:
            return
        self._last = both[:, -1:].copy()
        resampled = self._input.push(both[:, early:])
        if resampled.shape[1]:
            self._take(resampled)

    def close(self, end: int) -> None:
        """Inner samples from `end` on will never come: the net's last answers, as if nothing stood behind."""
        if end <= self.first:
            return
        blocks = -(-max(end - self.stop, 0) // BLOCK)
        short = self.needed(self.stop + blocks * BLOCK - 1) + 1 - self._input.begin if blocks else 0
        self._take(self._input.push(np.repeat(self._last, max(short, 0), axis=1)), end)

    def _take(self, resampled: Floats, end: int | None = None) -> None:
        """Put resampled signals (2 leads, whole blocks) through the net; they are the last ones if they `end`."""
        n = self._leads
        usable = (resampled[n:] == 1.0).reshape(n, -1, BLOCK).all(axis=2)
        y, z = self._conditioner.push(resampled[:n], usable)
        every: list[bool] = np.logical_and.reduce(usable).tolist()
        for k, all_usable in enumerate(every):
            self._hear(self.stop + k * BLOCK, usable[:, k], every=all_usable)
        if end is not None:
            z[:, max(end - self.stop, 0) :] = 0.0
        self.stop += y.shape[1]
        self._y.append(y)
        logits = self._net.push(z, usable, last=end is not None)
        if logits.shape[1]:
            p = probabilities(logits)
            self._p.append(p.reshape(-1, p.shape[2]))

    def _hear(self, first: int, usable: Bools, *, every: bool) -> None:
        """Which leads may speak in the block from sample `first` on, of those that are `usable` in it; whether all are."""
        if self._all_heard and every:
            self._heard.append((first, None))
            return
        self._blocks_heard = np.where(usable, self._blocks_heard + 1, -SILENT_BLOCKS)
        speaking = self._blocks_heard > 0
        self._all_heard = bool(speaking.all())
        self._heard.append((first, None if self._all_heard else speaking))

    def forget(self, before: int) -> None:
        self._p.forget(before)
        self._y.forget(before)
        while self._heard and self._heard[0][0] + BLOCK <= before:
            self._heard.popleft()

    def speaking(self, first: float, stop: int) -> npt.NDArray[np.intp]:
        """Rows of the leads that may speak all the time from sample `first` to before `stop`."""
        masks = [mask for begin, mask in self._heard if begin + BLOCK > first and begin < stop]
        some = [mask for mask in masks if mask is not None]
        if not some:
            return self._every if masks else self._every[:0]
        return np.flatnonzero(np.logical_and.reduce(some))

    def probabilities(self, first: int, stop: int, rows: npt.NDArray[np.intp]) -> Floats:
        """Of the leads `rows`, (rows, 3, samples)."""
        p = self._p.view(first, stop).reshape(self._leads, 3, -1)
        return p if len(rows) == self._leads else p[rows]

    def signals(self, first: int, stop: int, rows: npt.NDArray[np.intp]) -> Floats:
        """High-passed mV of the leads `rows`, (rows, samples)."""
        y = self._y.view(first, stop)
        return y if len(rows) == self._leads else y[rows]
