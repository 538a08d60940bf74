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

from daemon.dsp.ecg.condition import BLOCK, INNER_HZ
from daemon.dsp.ecg.marks import (
    QRS,
    QRS_CLOSED_S,
    QRS_MASS_S,
    T_CLOSED_S,
    T_MASS_S,
    LeadMarks,
    T,
    above_half,
    draw,
    heaviest,
    noise_mv,
    runs,
    smoothed,
    tied,
)
from daemon.dsp.ecg.net import LAG, WavesTable
from daemon.dsp.ecg.stretch import SILENT_BLOCKS, Stretch
from daemon.dsp.ecg.vote import OVER_ALL, Vote

__all__ = ["MIN_RATE_HZ", "BeatWaves", "Delineator", "LeadMarks", "WavesTable"]

Bools = npt.NDArray[np.bool_]

MIN_RATE_HZ = 125.0
SEEN_S = 0.13  # from a beat: its QRS is there, and closed
T_WAIT_S = 0.12  # behind the end of most leads' T, for that of the others
NO_T_S, LONGEST_S = 1.0, 1.5  # from the beat: there is no T; there is none that ends
BACK_S = 1.3  # before a beat: its P, and the QRS before
KEPT_S = 3.0
START_S = 2.0  # of a stream, in which no P is said to be absent
SHORTEST_RR_S = 0.40  # below it a P may be hidden in the T before; the net was shown few hearts that fast
NOISY_MV = 0.040  # RMS between the QRS complexes; above it nothing is said of the P
MOST_WAITING = 4 * BLOCK  # inner samples that wait for a beat which may be marked with them
PIECE_S = 12.0  # over all leads together: what the net works on then stays in the processor's cache


@dataclass(frozen=True, slots=True)
class BeatWaves:
    """Marks of the beat whose R mark is `sample`, known with sample `due`: by lead, and "global" over all leads.

    Places are input samples, between samples too. Leads that could not be used are not there; without any, "global" has
    no mark, and its P is unknown. `fibrillates`: the rhythm says that there is no P (daemon/dsp/ecg/fibrillating.py).
    """

    sample: int
    due: int
    marks: dict[str, LeadMarks]
    fibrillates: bool = False


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
        self._step = rate_hz / INNER_HZ
        self._vote = Vote(leads)
        self._beats: deque[_Beat] = deque()
        self._before: _Beat | None = None
        self._seen = 0  # input samples, gaps included
        self._gap = 0  # samples that nothing has come after yet
        self._now = self._begin(0, silent=0)
        self._past, self._past_seen, self._past_known = self._now, 0, 0  # the stretch before the last gap
        self._passed = 0  # what could be said up to this block boundary was said
        self._waiting: list[tuple[npt.NDArray[np.float32], Bools]] = []
        self._taken = 0  # input samples, those that wait for the net left out

    def _begin(self, first: int, *, silent: int) -> Stretch:
        return Stretch(self._rate_hz, len(self._leads), self._table, first, silent=silent)

    def beat(self, sample: int, due: int) -> None:
        """Tell of a beat of the detector and when it was due, in order, before the `push` that brings sample `due`."""
        self._beats.append(_Beat(sample, due, sample / self._step))

    def push(self, mv: npt.NDArray[np.float32], usable: Bools) -> list[BeatWaves]:
        """Take the next samples: mV (leads, n) and whether each can be used (leads, n). Give the beats that are marked."""
        said = self._end() if self._gap else []
        self._waiting.append((mv, usable))
        self._seen += mv.shape[1]
        return said + self._catch_up() if self._may_say() else said

    def _may_say(self) -> bool:
        """Whether a beat may be marked with the samples in hand, or they are too many to wait."""
        ready = self._now.ready(self._seen)
        if ready - self._now.stop >= MOST_WAITING:
            return True
        if ready == self._now.stop or not self._beats or self._beats[0].due > self._now.needed(ready - 1):
            return False
        at = self._beats[0].at
        return at < self._now.first or ready - LAG >= at + SEEN_S * INNER_HZ

    def _catch_up(self) -> list[BeatWaves]:
        """Put the samples that wait through the net."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return []
        mv, usable = (
            part[0] if len(part) == 1 else np.concatenate(part, axis=1) for part in zip(*waiting, strict=True)
        )
        piece = max(round(PIECE_S / len(self._leads) * self._rate_hz), 1)
        said: list[BeatWaves] = []
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
        self._now.push(np.where(usable, mv, 0.0).astype(np.float64), usable, self._taken)
        self._taken += mv.shape[1]
        return self._steps()

    def _steps(self) -> list[BeatWaves]:
        """What each block boundary that was passed lets be said, in order."""
        said: list[BeatWaves] = []
        while self._passed < self._now.stop:
            self._passed += BLOCK
            due = self._now.needed(self._passed - 1)
            known = self._passed - LAG
            while self._beats and self._beats[0].due <= due and self._closed(known, due):
                said.append(self._say(known, due))
        oldest = self._passed - LAG - round(KEPT_S * INNER_HZ)
        if self._beats:
            oldest = min(oldest, int(self._beats[0].at - BACK_S * INNER_HZ))
        self._now.forget(oldest)
        return said

    def _end(self) -> list[BeatWaves]:
        """Close the stretch before a gap; say its beats that were due before what comes behind it, and begin anew there.

        A beat that is due later is said then, from the stretch that was closed.
        """
        said = self._catch_up()
        end = int((self._seen - 1) // self._step) + 1 if self._seen else 0
        self._now.close(end)
        self._past, self._past_seen, self._past_known = self._now, self._seen, min(end, self._now.known)
        last = self._seen - 1
        self._seen += self._gap
        self._taken = self._seen
        while (
            self._beats
            and self._beats[0].sample <= last
            and (not self._gap or self._beats[0].due < self._seen)
        ):
            said.append(self._say(self._past_known, max(last, self._beats[0].due)))
        self._gap = 0
        first = int(np.ceil((self._seen + max(1.0, self._step)) / self._step / BLOCK)) * BLOCK
        self._now = self._begin(first, silent=SILENT_BLOCKS)
        self._passed = first
        return said

    def _closed(self, known: int, due: int) -> bool:
        """Whether the first beat's T is over, with the net's answers before sample `known`."""
        at = self._beats[0].at
        if at < self._now.first:
            return True
        if known < at + SEEN_S * INNER_HZ:
            return False
        after = [beat for beat in islice(self._beats, 1, 3) if beat.due <= due]
        if len(after) > 1 or (after and known >= after[0].at + SEEN_S * INNER_HZ):
            return True
        age_s = (known - at) / INNER_HZ
        first = max(int(at - SEEN_S * INNER_HZ), self._now.oldest)
        rows = self._now.speaking(at, known)
        if not len(rows) or age_s >= LONGEST_S:
            return True
        p = self._now.probabilities(first, known, rows)
        mean = np.add.reduce(p[:, QRS:], axis=0) / len(rows)
        qrs_pieces, t_pieces = above_half(mean)
        qrs = tied(runs(mean[0], qrs_pieces, 0, known - first, QRS_CLOSED_S, QRS_MASS_S), at - first)
        begin = qrs.stop if qrs else int(at) - first
        t = heaviest(runs(mean[1], t_pieces, begin, known - first, T_CLOSED_S, T_MASS_S))
        if t is None:
            return age_s >= NO_T_S
        since_s = (known - first - t.stop) / INNER_HZ
        open_still = bool((p[:, T, -round(T_CLOSED_S * INNER_HZ) :] > 0.5).any())
        return since_s >= T_CLOSED_S and (not open_still or since_s >= T_WAIT_S)

    def _say(self, known: int, due: int) -> BeatWaves:
        """Mark the first beat with the net's answers before sample `known`."""
        beat = self._beats.popleft()
        before, self._before = self._before, beat
        stretch = self._now
        if beat.sample < self._past_seen:
            stretch, known = self._past, self._past_known
        rows = stretch.speaking(beat.at, known)
        first = max(int(beat.at - BACK_S * INNER_HZ), stretch.oldest)
        if beat.at < stretch.first or not len(rows) or known <= first:
            return BeatWaves(beat.sample, due, {OVER_ALL: LeadMarks()})
        p, y = stretch.probabilities(first, known, rows), stretch.signals(first, known, rows)
        # The next beat bounds this one's T; only one that is due by now, so that it does not matter when it was told.
        after = self._beats[0].at if self._beats and self._beats[0].due <= due else np.inf
        sides = (-np.inf if before is None else before.at - first, after - first)
        smooth = smoothed(y)
        leads = [self._leads[row] for row in rows]
        drawn = dict(zip(leads, draw(p, smooth, beat.at - first, *sides), strict=True))
        rr_s = np.inf if before is None else (beat.at - before.at) / INNER_HZ
        told = beat.at >= START_S * INNER_HZ and rr_s >= SHORTEST_RR_S
        noise = noise_mv(y, smooth, np.add.reduce(p[:, QRS], axis=0) / len(rows))
        noisy = {lead for lead, mv in zip(leads, noise.tolist(), strict=True) if mv > NOISY_MV}
        marks = self._vote.step(drawn, p_can_be_told=told, noisy=noisy)
        return BeatWaves(
            beat.sample,
            due,
            {lead: m.placed(lambda at: (first + at) * self._step) for lead, m in marks.items()},
        )
