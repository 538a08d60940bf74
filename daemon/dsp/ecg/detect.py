"""Streaming QRS detection on one to twelve leads: each beat is said once, within half a second, and never taken back.

The way of a sample: `front` filters, `level` makes one envelope of all leads, every maximum of it is a candidate, and `decide`
measures the candidate at a fixed time after it, when a fitted score (`trees`) says beat or not. All times count samples from
the start, so nothing depends on how the stream is cut. Live, samples wait until a candidate may fall due: a fifth of a second
goes through the stages at once, and no beat is said later for it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.classify import Classifier
from daemon.dsp.ecg.decide import FEATURES, Candidate, Memory, Signals
from daemon.dsp.ecg.front import FrontEnd
from daemon.dsp.ecg.level import Levels, combine
from daemon.dsp.ecg.pacing import Pulses
from daemon.dsp.ecg.ring import Ring
from daemon.dsp.ecg.trees import ClassTable, QrsTable
from daemon.model.findings import BeatClass

__all__ = ["PROMISED_S", "DetectedBeat", "QrsDetector", "QrsTable"]

PROMISED_S = 0.45  # from the R mark to the last sample that the decision needs, which is said within a live step; later only while starting

BLOCK_S = 1.0
CANDIDATE_MIN, CANDIDATE_HALF_S = 0.12, 0.090
DECISION_S = 0.290  # after the candidate: a rival 0.18 s later, and its shape
RIVAL_S, REFRACTORY_S = 0.180, 0.180
START_AHEAD_S, START_BLIND_S = 0.25, 0.15
BAR_CLEAN, BAR_NOISE = 0.28, 0.50
MARK_HALF_S = 0.060
TIMING_FACTOR = 8.0
PIECE_S = 6.0
KEPT_S = 2.5
GAP_S = 12.0  # after so much blindness every state is that of a start: a longer gap changes nothing more
HEADROOM = 4096


@dataclass(frozen=True, slots=True)
class DetectedBeat:
    """A beat: its R mark and the last sample the decision needed, as input sample numbers from 0.

    `score` is the probability given to it (0 .. 1), `lead` the lead that the R mark was read in. `late`: said while the
    detector was starting, more than PROMISED_S after its R mark. `label` is UNKNOWN also where no classes are asked for.
    """

    sample: int
    due: int
    score: float
    lead: str
    late: bool
    label: BeatClass


class QrsDetector:
    """Finds beats in `leads` signals of `rate_hz`, and with `classes` names them.

    ValueError below 125 Hz, without leads, or with another's table.
    """

    def __init__(
        self, rate_hz: float, leads: tuple[str, ...], table: QrsTable, classes: ClassTable | None = None
    ) -> None:
        if not leads:
            raise ValueError("a QRS detector needs at least one lead")
        if table.features != FEATURES:
            raise ValueError("the table was fitted on other features than this detector measures")
        n = len(leads)
        self._rate_hz = rate_hz
        self._leads = leads
        self._table = table
        self._front = FrontEnd(rate_hz, n)
        rate = self._front.rate_hz
        self._s = Signals(Ring(2, HEADROOM), *(Ring(n, HEADROOM) for _ in range(6)))
        self._blind = Ring(n, HEADROOM)
        self._levels = Levels(n)
        self._memory = Memory(rate, n)
        self._classifier = None if classes is None else Classifier(rate, n, classes)
        self._pulses = Pulses(rate_hz, n)
        self._block = round(BLOCK_S * rate)
        self._block_first = 0
        self._start_ahead = round(START_AHEAD_S * rate)
        self._start_span: tuple[int, int] = (0, 0)
        self._half = round(CANDIDATE_HALF_S * rate)
        self._wait = max(round(DECISION_S * rate), round(RIVAL_S * rate) + self._memory.reach)
        self._rival = round(RIVAL_S * rate)
        self._refractory = round(REFRACTORY_S * rate)
        self._kept = round(KEPT_S * rate)
        self._pending: deque[int] = deque()
        self._searched = round(START_BLIND_S * rate)
        self._dark = 0.0
        self._dark_at_beat = 0.0
        self._offset = 0
        self._owed: list[DetectedBeat] = []
        self._waiting: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]] = []
        self._end = 0  # input samples taken, those that wait included

    def push(self, mv: npt.NDArray[np.float32], usable: npt.NDArray[np.bool_]) -> list[DetectedBeat]:
        """Take the next samples: mV (leads, n) and whether each can be used (leads, n). Give the beats that are due."""
        beats, self._owed = self._owed, []
        self._waiting.append((mv, usable))
        self._end += mv.shape[1]
        return beats + self._catch_up() if self.may_decide(0) else beats

    def may_decide(self, n: int) -> bool:
        """Whether a candidate, found or not yet, may be due with the next `n` samples: else they may wait."""
        if self._levels.starting:
            return True
        first = self._pending[0] if self._pending else self._searched
        return self._front.complete(self._end + n) > first + self._wait

    def _catch_up(self) -> list[DetectedBeat]:
        """Put the samples that wait through all stages."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return []
        mv, usable = (np.concatenate(part, axis=1) for part in zip(*waiting, strict=True))
        piece = max(1, round(PIECE_S * self._rate_hz))
        beats: list[DetectedBeat] = []
        for first in range(0, mv.shape[1], piece):
            beats += self._push(mv[:, first : first + piece], usable[:, first : first + piece])
        return beats

    def skip(self, n: int) -> None:
        """A gap of n samples: they count as unusable. Beats before it that this makes due come with the next push."""
        fed = min(n, round(GAP_S * self._rate_hz))
        shape = (len(self._leads), fed)
        owed = self.push(np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.bool_))
        self._owed = owed + self._catch_up()
        self._offset += n - fed

    def _push(self, mv: npt.NDArray[np.float32], usable: npt.NDArray[np.bool_]) -> list[DetectedBeat]:
        new = self._front.push(mv, usable)
        if self._classifier is not None:
            self._pulses.push(mv, usable)
        s = self._s
        s.envelope.append(new.envelope)
        s.fine.append(new.fine)
        s.shape.append(new.shape)
        s.slow.append(new.slow)
        self._blind.append(new.blind)
        beats: list[DetectedBeat] = []
        while self._combine():
            self._find()
            beats += self._decide()
            if s.combined.end == self._block_first + self._block:
                self._end_block()
        keep = min(self._block_first, s.combined.end - self._kept)
        for ring in (s.combined, s.envelope, s.fine, s.shape, s.slow, s.level, s.weight, self._blind):
            ring.forget(keep)
        return beats

    def _combine(self) -> bool:
        """Extend c to the end of what is in hand or of the block; False when there is nothing to add."""
        s, levels = self._s, self._levels
        first, block_stop = s.combined.end, self._block_first + self._block
        starting = levels.starting
        ahead = self._start_ahead if starting else 0
        stop = min(s.envelope.end - ahead, block_stop)
        if stop <= first:
            return False
        envelope = s.envelope.view(first, stop)
        blind = self._blind.view(first, stop) > 0
        if starting:
            begun, ended = self._start_span
            if first > ended or first == 0:
                levels.begin_start(self._shown(first, first + ahead))
                begun = first
            self._start_span = (begun, block_stop)
            level = levels.start_level(self._shown(first + ahead, stop + ahead))
        else:
            level = np.repeat(levels.level[:, None], stop - first, axis=1)
        c, weight = combine(envelope, level, levels.weight, blind)
        dark = self._dark + np.add.accumulate(~np.logical_or.reduce(weight > 0, axis=0), dtype=np.float64)
        self._dark = float(dark[-1])
        s.combined.append(np.array([c, dark]))
        s.level.append(level)
        s.weight.append(weight)
        return True

    def _shown(self, first: int, stop: int) -> npt.NDArray[np.float64]:
        """The envelope where a lead can be seen, else 0."""
        return np.where(self._blind.view(first, stop) > 0, 0.0, self._s.envelope.view(first, stop))

    def _end_block(self) -> None:
        first, stop = self._block_first, self._block_first + self._block
        last = self._memory.last_beat
        since = np.inf if last is None else (stop - last) / self._front.rate_hz
        self._levels.end_block(
            self._s.envelope.view(first, stop), self._blind.view(first, stop) > 0, float(since)
        )
        self._block_first = stop

    def _find(self) -> None:
        """Candidates: the first largest value of c within CANDIDATE_HALF_S on either side."""
        half, c = self._half, self._s.combined
        first, stop = self._searched, c.end - half
        if stop <= first:
            return
        values = c.view(first - half, stop + half)[0]
        middle = values[half : half + stop - first]
        rising = (middle > CANDIDATE_MIN) & (middle > values[half - 1 : half - 1 + stop - first])
        for k in np.flatnonzero(rising).tolist():
            if values[k : k + 2 * half + 1].argmax() == half:
                self._pending.append(first + k)
        self._searched = stop

    def _decide(self) -> list[DetectedBeat]:
        """Decide on the candidates whose time has come."""
        beats = []
        while self._pending and self._pending[0] + self._wait < self._s.combined.end:
            at = self._pending.popleft()
            last = self._memory.last_beat
            if last is not None and at - last < self._refractory:
                continue
            candidate = self._measure(at, at)
            score = self._score(candidate)
            if score > self._bar() and not self._rivalled(at, score):
                beats.append(self._accept(candidate, score))
            else:
                self._memory.refuse(candidate, score)
        return beats

    def _measure(self, at: int, decided: int) -> Candidate:
        """Measure a candidate with what is in hand when the one at `decided` is decided."""
        hidden = float(self._s.combined.at(at)[1]) != self._dark_at_beat
        return self._memory.measure(
            self._s, self._levels.background, at, decided + self._wait + 1, hidden=hidden
        )

    def _score(self, candidate: Candidate) -> float:
        return self._table.probability(candidate.features)

    def _bar(self) -> float:
        """The probability that is asked for: more where what was refused is nearly as tall as the beats."""
        noisy = min(max(self._memory.noise_over_beats + 2.0, 0.0), 1.0)
        return BAR_CLEAN + (BAR_NOISE - BAR_CLEAN) * noisy

    def _rivalled(self, at: int, score: float) -> bool:
        """Whether a candidate too close after this one is more likely the beat."""
        for rival in self._pending:
            if rival > at + self._rival:
                return False
            if self._score(self._measure(rival, at)) > score:
                return True
        return False

    def _accept(self, candidate: Candidate, score: float) -> DetectedBeat:
        at, step, rate = candidate.at, self._front.step, self._front.rate_hz
        dark = float(self._s.combined.at(at)[1])
        interval_known = dark == self._dark_at_beat
        self._memory.accept(candidate, score, interval_known=interval_known)
        self._dark_at_beat = dark
        self._levels.saw_beat()
        label = BeatClass.UNKNOWN
        if self._classifier is not None:
            pulse_s = self._pulses.of(at * step)
            label = self._classifier.label(self._s, candidate, interval_known=interval_known, pulse_s=pulse_s)
        lead = self._timing_lead(at)
        mark = self._mark(lead, at, round(MARK_HALF_S * rate))
        needed = at + self._wait
        start, stop = self._start_span
        if needed >= start:
            needed = max(needed, min(needed, stop - 1) + self._start_ahead)
        sample = round(mark * step)
        due = needed * step + self._front.ahead
        late = due - sample > PROMISED_S * self._rate_hz
        return DetectedBeat(
            max(sample, 0) + self._offset, due + self._offset, score, self._leads[lead], late, label
        )

    def _timing_lead(self, at: int) -> int:
        """The first lead, unless the beat stands TIMING_FACTOR times as clearly in another, by weight and size."""
        s = self._s
        clear = s.weight.at(at) * s.envelope.at(at) / s.level.at(at)
        best = int(clear.argmax())
        return best if clear[best] > TIMING_FACTOR * clear[0] else 0

    def _mark(self, lead: int, at: int, reach: int) -> float:
        """Where the shape band is farthest from zero, between samples by a parabola."""
        z = np.abs(self._s.shape.view(at - reach - 1, at + reach + 2)[lead])
        top = int(z[1:-1].argmax()) + 1
        left, peak, right = z[top - 1], z[top], z[top + 1]
        bend = left - 2 * peak + right
        shift = 0.5 * (left - right) / bend if bend < 0 and left <= peak >= right else 0.0
        return at - reach - 1 + top + float(shift)
