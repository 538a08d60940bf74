"""Streaming marks of P, QRS and T: one answer a beat, once its T is closed, and never taken back.

The QRS detector says what is a beat; the net says where its waves begin and end. Work is done when the count of 250 Hz
samples passes a multiple of 64, and with what was known by then, so nothing depends on how the stream is cut. A gap ends
everything: the net starts anew behind it, and a second goes by in silence. A lead that cannot be used is left out of what
the others see of each other, and stays silent for a second after it came back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.condition import BLOCK, INNER_HZ, Conditioner, Resampler
from daemon.dsp.ecg.marks import (
    QRS,
    QRS_CLOSED_S,
    QRS_MASS_S,
    T_CLOSED_S,
    T_MASS_S,
    LeadMarks,
    T,
    draw,
    heaviest,
    runs,
    tied,
)
from daemon.dsp.ecg.net import LAG, WaveNet, WavesTable, probabilities
from daemon.dsp.ecg.ring import Ring
from daemon.dsp.ecg.vote import Vote

__all__ = ["MIN_RATE_HZ", "BeatWaves", "Delineator", "LeadMarks", "WavesTable"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MIN_RATE_HZ = 125.0
SEEN_S = 0.13  # from a beat: its QRS is there, and closed
T_WAIT_S = 0.12  # behind the end of most leads' T, for that of the others
NO_T_S, LONGEST_S = 1.0, 1.5  # from the beat: there is no T; there is none that ends
SILENT_BLOCKS = 4  # of 256 ms, behind a gap and of a lead that came back
BACK_S = 1.3  # before a beat: its P, and the QRS before
KEPT_S = 3.0
START_S = 2.0  # of a stream, in which no P is said to be absent
SHORTEST_RR_S = 0.55  # below it a P may be hidden in the T before; the net was shown few hearts that fast
PIECE_S = 2.0
ROOM = 2048


@dataclass(frozen=True, slots=True)
class BeatWaves:
    """Marks of the beat whose R mark is `sample`, known with sample `due`: by lead, and "global" over all leads.

    Places are input samples, between samples too. Leads that could not be used are not there.
    """

    sample: int
    due: int
    marks: dict[str, LeadMarks]


@dataclass(frozen=True, slots=True)
class _Beat:
    sample: int
    due: int
    at: float  # in inner samples


class Delineator:
    """Marks the beats of `leads` signals of `rate_hz`. ValueError below 125 Hz or without leads."""

    def __init__(self, rate_hz: float, leads: tuple[str, ...], table: WavesTable) -> None:
        if rate_hz < MIN_RATE_HZ:
            raise ValueError(
                f"{rate_hz:g} Hz is too slow to mark waves: at least {MIN_RATE_HZ:g} Hz are needed"
            )
        if not leads:
            raise ValueError("marking waves needs at least one lead")
        self._rate_hz, self._leads, self._table = rate_hz, leads, table
        self._vote = Vote(leads)
        self._beats: deque[_Beat] = deque()
        self._before: _Beat | None = None
        self._seen = 0  # input samples, gaps included
        self._gap = 0  # samples that nothing has come after yet
        self._start(0, silent=0)

    def _start(self, first: int, *, silent: int) -> None:
        """Begin at inner sample `first`, a whole number of blocks; `silent` blocks say nothing."""
        n = len(self._leads)
        self._first = self._stop = first  # inner samples first .. stop - 1 went into the net
        self._passed = first  # what could be said up to this block boundary was said
        self._input = Resampler(self._rate_hz, 2 * n, first)
        self._conditioner = Conditioner(n)
        self._net = WaveNet(self._table, n)
        self._p, self._y = Ring(3 * n, ROOM), Ring(n, ROOM)
        self._p.begin(first, np.zeros((3 * n, 0)))
        self._y.begin(first, np.zeros((n, 0)))
        self._blocks_heard = np.full(n, -silent)
        self._heard: deque[tuple[int, Bools]] = deque()  # first sample of a block, leads that may speak in it
        self._last = np.zeros((2 * n, 1))

    def beat(self, sample: int, due: int) -> None:
        """Tell of a beat of the detector and when it was due, in order, before the `push` that brings sample `due`."""
        self._beats.append(_Beat(sample, due, sample / self._input.step))

    def push(self, mv: npt.NDArray[np.float32], usable: Bools) -> list[BeatWaves]:
        """Take the next samples: mV (leads, n) and whether each can be used (leads, n). Give the beats that are marked."""
        said = self._end() if self._gap else []
        piece = round(PIECE_S * self._rate_hz)
        for first in range(0, mv.shape[1], piece):
            said += self._push(mv[:, first : first + piece], usable[:, first : first + piece])
        return said

    def skip(self, n: int) -> None:
        """A gap of n samples. The beats before it are given with the next `push`, or by `finish`."""
        self._gap += n

    def finish(self) -> list[BeatWaves]:
        """The stream ends here: what is still open, as far as it is known."""
        return self._end()

    def _push(self, mv: npt.NDArray[np.float32], usable: Bools) -> list[BeatWaves]:
        usable = usable & np.isfinite(mv)
        x = np.concatenate([np.where(usable, mv, 0.0).astype(np.float64), usable.astype(np.float64)])
        # Behind a gap the first whole block begins a little later than the samples do.
        early = min(max(self._input.begin - self._seen, 0), x.shape[1])
        self._seen += x.shape[1]
        if early == x.shape[1]:
            return []
        self._last = x[:, -1:].copy()
        resampled = self._input.push(x[:, early:])
        if not resampled.shape[1]:
            return []
        self._take(resampled)
        return self._steps()

    def _take(self, resampled: Floats, end: int | None = None) -> None:
        """Put resampled signals (2 leads, whole blocks) through the net; they are the last ones if they `end`."""
        n = len(self._leads)
        usable = (resampled[n:] == 1.0).reshape(n, -1, BLOCK).all(axis=2)
        y, z = self._conditioner.push(resampled[:n], usable)
        for k in range(usable.shape[1]):
            self._blocks_heard = np.where(usable[:, k], self._blocks_heard + 1, -SILENT_BLOCKS)
            self._heard.append((self._stop + k * BLOCK, self._blocks_heard > 0))
        if end is not None:
            z[:, max(end - self._stop, 0) :] = 0.0
        self._stop += y.shape[1]
        self._y.append(y)
        logits = self._net.push(z, usable, last=end is not None)
        if logits.shape[1]:
            p = probabilities(logits)
            self._p.append(p.reshape(-1, p.shape[2]))

    def _steps(self) -> list[BeatWaves]:
        """What each block boundary that was passed lets be said, in order."""
        said: list[BeatWaves] = []
        while self._passed < self._stop:
            self._passed += BLOCK
            due = self._input.needed(self._passed - 1)
            known = self._passed - LAG
            while self._beats and self._beats[0].due <= due and self._closed(known, due):
                said.append(self._say(known, due))
        oldest = self._passed - LAG - round(KEPT_S * INNER_HZ)
        if self._beats:
            oldest = min(oldest, int(self._beats[0].at - BACK_S * INNER_HZ))
        self._forget(oldest)
        return said

    def _end(self) -> list[BeatWaves]:
        """Close the stretch before a gap, the net's last answers as if nothing stood behind; begin anew behind the gap."""
        end = int((self._seen - 1) // self._input.step) + 1 if self._seen else 0
        if end > self._first:
            blocks = -(-max(end - self._stop, 0) // BLOCK)
            short = (
                self._input.needed(self._stop + blocks * BLOCK - 1) + 1 - self._input.begin if blocks else 0
            )
            self._take(self._input.push(np.repeat(self._last, max(short, 0), axis=1)), end)
        said = []
        while self._beats and self._beats[0].sample < self._seen:
            said.append(self._say(min(end, self._p.end), self._seen - 1))
        self._seen += self._gap
        self._gap = 0
        first = (self._seen + max(1.0, self._input.step)) / self._input.step
        self._start(int(np.ceil(first / BLOCK)) * BLOCK, silent=SILENT_BLOCKS)
        return said

    def _forget(self, before: int) -> None:
        self._p.forget(before)
        self._y.forget(before)
        while self._heard and self._heard[0][0] + BLOCK <= before:
            self._heard.popleft()

    def _speaking(self, first: float, stop: int) -> npt.NDArray[np.intp]:
        """Rows of the leads that may speak all the time from sample `first` to before `stop`."""
        masks = [mask for begin, mask in self._heard if begin + BLOCK > first and begin < stop]
        return np.flatnonzero(np.logical_and.reduce(masks)) if masks else np.zeros(0, dtype=np.intp)

    def _probabilities(self, first: int, stop: int) -> Floats:
        """(leads, 3, samples)."""
        return self._p.view(first, stop).reshape(len(self._leads), 3, -1)

    def _closed(self, known: int, due: int) -> bool:
        """Whether the first beat's T is over, with the net's answers before sample `known`."""
        at = self._beats[0].at
        if at < self._first:
            return True
        if known < at + SEEN_S * INNER_HZ:
            return False
        after = [beat for beat in islice(self._beats, 1, 3) if beat.due <= due]
        if len(after) > 1 or (after and known >= after[0].at + SEEN_S * INNER_HZ):
            return True
        age_s = (known - at) / INNER_HZ
        first = max(int(at - SEEN_S * INNER_HZ), self._p.first)
        rows = self._speaking(at, known)
        if not len(rows) or age_s >= LONGEST_S:
            return True
        p = self._probabilities(first, known)[rows]
        mean = p.mean(axis=0)
        qrs = tied(runs(mean[QRS], 0, known - first, QRS_CLOSED_S, QRS_MASS_S), at - first)
        begin = qrs.stop if qrs else int(at) - first
        t = heaviest(runs(mean[T], begin, known - first, T_CLOSED_S, T_MASS_S))
        if t is None:
            return age_s >= NO_T_S
        since_s = (known - first - t.stop) / INNER_HZ
        open_still = bool((p[:, T, -round(T_CLOSED_S * INNER_HZ) :] > 0.5).any())
        return since_s >= T_CLOSED_S and (not open_still or since_s >= T_WAIT_S)

    def _say(self, known: int, due: int) -> BeatWaves:
        """Mark the first beat with the net's answers before sample `known`."""
        beat = self._beats.popleft()
        before, self._before = self._before, beat
        rows = self._speaking(beat.at, known) if beat.at >= self._first else ()
        first = max(int(beat.at - BACK_S * INNER_HZ), self._p.first)
        if not len(rows) or known <= first:
            return BeatWaves(beat.sample, due, {})
        p, y = self._probabilities(first, known), self._y.view(first, known)
        drawn = {self._leads[row]: draw(p[row], y[row], beat.at - first) for row in rows}
        rr_s = np.inf if before is None else (beat.at - before.at) / INNER_HZ
        told = beat.at >= START_S * INNER_HZ and rr_s >= SHORTEST_RR_S
        marks = self._vote.step(drawn, p_can_be_told=told)
        step = self._input.step
        return BeatWaves(
            beat.sample, due, {lead: m.placed(lambda at: (first + at) * step) for lead, m in marks.items()}
        )
