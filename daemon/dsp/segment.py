"""One segment of ECG from counts to findings: the stages in their order, on whole hops of 50 ms.

Hop k holds samples k * hop .. (k + 1) * hop - 1 of the segment; quality is judged every fifth hop. What is said in a hop
is due with its last sample, but a beat with the last sample that it needed. A long block goes through in stretches of
many hops, the same bit for bit; live, hops in which nothing can be said wait for the next one, which costs half as much. On the screen a clipped wave stays, a lead that lies at its rail is blank.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from daemon.dsp.display import DisplaySettings
from daemon.dsp.ecg.detect import DetectedBeat, QrsTable
from daemon.dsp.ecg.trees import ClassTable
from daemon.dsp.filters import Floats, Mask
from daemon.dsp.fit import Fit
from daemon.dsp.interpret import Interpreted, Tables
from daemon.dsp.leads import Electrodes, Montage
from daemon.dsp.quality import PIECES, Indices, LeadQuality, Quality
from daemon.dsp.rate import HeartRate, Rate
from daemon.dsp.reading import Found, Reading
from daemon.dsp.screen import BRIDGED_S, Screen
from daemon.model import findings as said
from daemon.model.findings import LIVE_STEP_NS, Evidence, Finding, Grade, Metric, Trouble, Why
from daemon.model.signals import Counts, Nanos, SampleBlock, Segment

QRS_RULE, CLASS_RULE, RATE_RULE = "qrs/1", "qrs/1 class/1", "rate/1"
SLOWEST_SAMPLING_HZ = 125.0
"""Below it no beat is looked for; waves and quality are there."""

_STRETCH_S = 12.0

_SECOND_NS: Nanos = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Judged:
    """A verdict of quality: what changed with it, and all leads together."""

    changed: dict[str, LeadQuality]
    together: LeadQuality


class EcgSegment:
    """The analysis of one segment. `push` takes its blocks in order; samples already seen are ignored."""

    def __init__(
        self,
        segment: Segment,
        montage: Montage,
        table: QrsTable,
        display: DisplaySettings | None,
        classes: ClassTable | None = None,
        further: Tables | None = None,
    ) -> None:
        rate_hz = segment.stream.rate_hz
        self.segment = segment
        self._montage = montage
        self._rate_hz = rate_hz
        self._own = np.array([montage.all.index(lead) for lead in montage.measured])
        self._hop = max(round(rate_hz * LIVE_STEP_NS / 1e9), 1)
        self._electrodes = Electrodes(montage, rate_hz)
        self._indices = Indices(montage, rate_hz, self._hop * PIECES)
        self._quality = Quality(montage)
        self._screen = None if display is None else Screen(segment, montage, self._hop, display)
        self._reading: Reading | None = None
        if rate_hz >= SLOWEST_SAMPLING_HZ:
            group = self._hop * PIECES
            self._reading = Reading(segment.id, rate_hz, montage, self._hop, group, table, classes, further)
        self._beat_rule = QRS_RULE if classes is None else CLASS_RULE
        self._rate = HeartRate(rate_hz)
        self._fit = Fit(0, segment.began_ns, 1e9 / rate_hz)
        self._hop_first = 0  # first sample of the hop that is not whole yet
        self._waiting: list[Counts] = []  # of whole hops before it that have not gone through the stages
        self._waited = 0  # samples of these
        self._alive = False  # a lead could be used: a hop like the last one tells nothing by itself
        self._stood: Mask = np.zeros(len(montage.all), dtype=np.bool_)  # leads at the last sample
        self._counts: list[Counts] = []
        self._present: list[Mask] = []
        self._next: int | None = None
        self._last_counts: Counts = np.zeros((len(segment.stream.channels), 1), dtype=np.int32)
        self._group: list[tuple[Floats, Mask, Mask]] = []
        self._together = LeadQuality(Grade.GOOD, Trouble.NONE)
        self._second = -1
        self._quiet_until = 0  # before this sample nothing is said that did not come
        self._last_rate: Rate | None = None
        self._floor_ns: Nanos = 0

    @property
    def heard_ns(self) -> Nanos | None:
        """Time of the last sample that came, None before the first."""
        return None if self._next is None else self._fit.time_of(self._next - 1)

    def use(self, display: DisplaySettings) -> None:
        """Show waves with these settings from the next hop on, where waves are shown."""
        if self._screen is not None:
            self._screen.use(display)

    def note_electrodes(self, first: int, attached: tuple[tuple[str, bool], ...]) -> None:
        self._electrodes.note(first, attached)

    def silent(self, t_ns: Nanos) -> list[Finding]:
        """No sample has come for too long, as of the Tick `t_ns`: rate and RR are absent."""
        rate = Rate(None, Why.NO_SIGNAL)
        if rate == self._last_rate and t_ns % _SECOND_NS:
            return []
        self._floor_ns = t_ns
        self._last_rate = rate
        return [
            Metric(t_ns, t_ns, name, None, unit, Why.NO_SIGNAL, "", 0.0, None)
            for name, unit in (("heart_rate", "bpm"), ("rr_interval", "ms"))
        ]

    def push(self, block: SampleBlock) -> list[Finding]:
        counts, first = block.counts, block.first
        if self._next is not None and first < self._next:
            counts, first = counts[:, self._next - first :], self._next
        if not counts.shape[1]:
            return []
        findings: list[Finding] = []
        missing = 0 if self._next is None else first - self._next
        if self._next is None or missing > BRIDGED_S * self._rate_hz:
            findings += self._leap(first, counts[:, :1])
        elif missing:
            self._append(np.repeat(self._last_counts, missing, axis=1), present=False)
            findings += self._stretches()
        before, self._fit = self._fit, self._fit.followed_by(block)
        if self._fit is not before:
            self._quiet_until = self._quiet()
        self._append(counts, present=True)
        self._next = first + counts.shape[1]
        self._last_counts = counts[:, -1:].copy()
        return findings + self._stretches()

    def finish(self) -> list[Finding]:
        """The segment is over, and nothing comes behind it."""
        if self._reading is None:
            return []
        last = self._hop_first - 1
        findings = self._catch_up()
        return findings + [
            finding for one in self._reading.finish() for finding in self._interpreted(one, last)
        ]

    def _interpreted(self, one: Interpreted, due: int) -> list[Finding]:
        assert self._reading is not None
        assert self._reading.interpretation is not None
        return self._reading.interpretation.findings(one, self._due(due), self._fit.time_of)

    def _append(self, counts: Counts, *, present: bool) -> None:
        if counts.shape[1]:
            self._counts.append(counts)
            self._present.append(np.full(counts.shape[1], present))

    def _leap(self, first: int, value: Counts) -> list[Finding]:
        """Close the hop before a long gap (or the beginning), and open the one of sample `first`."""
        findings: list[Finding] = []
        held = sum(p.size for p in self._present)
        if held:
            self._append(np.repeat(self._last_counts, self._hop - held, axis=1), present=False)
            findings = self._stretches()
        findings += self._catch_up()
        begin = max(first - first % self._hop, self._hop_first)
        leapt = begin - self._hop_first
        self._hop_first = begin
        if leapt:
            self._rate.signal(begin - leapt, begin, Why.NO_SIGNAL)
        if self._reading is not None:
            self._reading.skip(leapt)
        self._indices.skip(leapt)
        self._group = []
        into_group = begin % (self._hop * PIECES)
        if into_group:
            nothing = np.zeros((len(self._montage.measured), into_group))
            self._group = [(nothing, nothing > 0, nothing > 0)]
        if self._screen and leapt:
            self._screen.skip(leapt)
        self._append(np.repeat(value, first - begin, axis=1), present=False)
        return findings

    def _stretches(self) -> list[Finding]:
        """Put through all whole hops that are in hand."""
        held = sum(p.size for p in self._present)
        whole = held - held % self._hop
        if not whole:
            return []
        counts = self._counts[0] if len(self._counts) == 1 else np.concatenate(self._counts, axis=1)
        present = self._present[0] if len(self._present) == 1 else np.concatenate(self._present)
        self._counts = [counts[:, whole:]] if held > whole else []
        self._present = [present[whole:]] if held > whole else []
        most = self._hop if self._screen else max(int(_STRETCH_S * self._rate_hz) // self._hop, 1) * self._hop
        findings: list[Finding] = []
        for at in range(0, whole, most):
            stop = min(at + most, whole)
            findings += self._stretch(counts[:, at:stop], present[at:stop])
        return findings

    def _stretch(self, counts: Counts, present: Mask) -> list[Finding]:
        """Whole hops, one of them where waves are shown: draw it, and put it through all stages when it may tell something."""
        first, n = self._hop_first, len(present)
        self._hop_first = first + n
        standing = self._electrodes.standing(first, n)
        drawn = self._drawn(first, counts, standing, present) if self._screen else []
        if self._may_wait(standing, present):
            self._waiting.append(counts)
            self._waited += n
            return drawn
        return self._analysed(counts, standing, present) + drawn

    def _may_wait(self, standing: Mask, present: Mask) -> bool:
        """Whether nothing can be said with the end of the newest hops, in which leads (all, n) stand."""
        end = self._hop_first
        return (
            self._alive
            and end - 1 < self._quiet_until
            and bool(end % (self._hop * PIECES))
            and not (
                len(present) > self._hop
                or (self._reading and self._reading.may_say(self._waited + self._hop))
            )
            and bool(present.all() and (standing == self._stood[:, None]).all())
        )

    def _catch_up(self) -> list[Finding]:
        """Put the hops that wait through all stages."""
        if not self._waiting:
            return []
        counts = self._waiting.pop()
        self._waited -= counts.shape[1]
        n = counts.shape[1]
        return self._analysed(counts, self._standing(n), np.ones(n, dtype=np.bool_))

    def _standing(self, n: int) -> Mask:
        """Which leads stand in n samples of hops that wait: those of the last one that did not."""
        return np.repeat(self._stood[:, None], n, axis=1)

    def _analysed(self, counts: Counts, standing: Mask, present: Mask) -> list[Finding]:
        """The hops that wait and these behind them through all stages; counts (channels, n), standing (all, n), present (n,)."""
        waited, self._waited = self._waited, 0
        if waited:
            counts = np.concatenate([*self._waiting, counts], axis=1)
            standing = np.concatenate([self._standing(waited), standing], axis=1)
            present = np.concatenate([np.ones(waited, dtype=np.bool_), present])
            self._waiting = []
        n, hop = len(present), self._hop
        first = self._hop_first - n
        millivolts = self._montage.millivolts(counts)
        own = self._own
        good: Mask = np.logical_and(standing[own], present)
        railed, flat, judged = self._judge(first, millivolts, self._montage.saturated(counts), good)
        usable = good & ~(railed | flat)
        found = {} if self._reading is None else self._reading.push(first, millivolts, usable, present)
        alive: list[bool] = np.logical_or.reduce(usable.reshape(len(usable), -1, hop), axis=(0, 2)).tolist()
        self._alive, self._stood = alive[-1], standing[:, -1]
        findings: list[Finding] = []
        for k in range(n // hop):
            part = slice(k * hop, (k + 1) * hop)
            last = first + part.stop - 1
            if not alive[k]:
                reason = self._reason(standing[own, part], railed[:, part.start], flat[:, part.start])
                self._rate.signal(last + 1 - hop, last + 1, reason)
                self._quiet_until = 0
            elif k == 0 or not alive[k - 1]:
                self._rate.signal(last + 1 - hop, last + 1, None)
            here, verdict = found.get(last // hop, ()), judged.get(k)
            if here or verdict or (last >= self._quiet_until and part.start >= waited):
                findings += self._said(last, verdict, here)
                self._quiet_until = self._quiet()
        return findings

    @staticmethod
    def _reason(standing: Mask, railed: Mask, flat: Mask) -> Why:
        """Why no lead could be used, of leads that stand (leads, n), lie at their rail or flat (leads,)."""
        if not standing.all():
            return Why.LEADS_OFF
        if railed.any():
            return Why.SATURATED
        return Why.FLAT if flat.any() else Why.NO_SIGNAL

    def _judge(
        self, first: int, millivolts: Floats, saturated: Mask, good: Mask
    ) -> tuple[Mask, Mask, dict[int, _Judged]]:
        """Which samples (leads, n) count as at their rail, and as flat; the verdicts on the groups that end here, by their last hop."""
        indices, n, group = self._indices, millivolts.shape[1], self._hop * PIECES
        railed, flat = [indices.railed[None]], [indices.flat[None]]
        judged: dict[int, _Judged] = {}
        whole = max((first + n) // group * group - first, 0)
        if whole:
            groups = [*self._group, (millivolts[:, :whole], saturated[:, :whole], good[:, :whole])]
            self._group = []
            parts = (np.concatenate(part, axis=1).T for part in zip(*groups, strict=True))
            found = indices.push(
                *(np.ascontiguousarray(part).reshape(-1, group, len(good)) for part in parts)
            )
            railed.append(found.railed)
            flat.append(found.flat)
            for k, stop in enumerate(range(whole - group * (len(found.flat) - 1), whole + 1, group)):
                verdict = self._verdict(first + stop - 1, found.severity[k], found.flat[k], found.railed[k])
                judged[stop // self._hop - 1] = verdict
        self._group.append((millivolts[:, whole:], saturated[:, whole:], good[:, whole:]))
        if not any(each.any() for each in (*railed, *flat)):
            none = np.zeros_like(good)
            return none, none, judged
        place = np.arange(first, first + n) // group - first // group
        return np.concatenate(railed)[place].T, np.concatenate(flat)[place].T, judged

    def _verdict(self, last: int, severity: Floats, flat: Mask, railed: Mask) -> _Judged:
        """On the group of hops that ends with sample `last`."""
        off = self._electrodes.settled_off(last)
        changed = self._quality.step(severity, flat, railed, off)
        if changed and self._reading is not None:
            self._reading.quality(last + 1, self._quality.leads)
        return _Judged(changed, self._quality.leads["global"])

    def _said(self, last: int, judged: _Judged | None, found: Sequence[Found]) -> list[Finding]:
        """What was found in the hop that ends with sample `last`, each due by itself; quality and numbers, due with its end."""
        due_ns, before = self._due(last), self._last_rate
        second = due_ns // _SECOND_NS
        t_ns = self._fit.time_of(last)
        findings: list[Finding] = []
        beats = False
        for one in sorted(found, key=lambda one: one.due):
            due = min(max(one.due, last + 1 - self._hop), last)
            if isinstance(one, DetectedBeat):
                beats = True
                findings += self._beat(one, self._due(due))
            else:
                findings += self._interpreted(one, due)
        if judged:
            self._together = judged.together
            findings += [
                said.Quality(t_ns, due_ns, lead, q.grade, q.trouble, q.electrodes, q.score)
                for lead, q in judged.changed.items()
            ]
        rate = self._rate_at(last)
        if beats or second > self._second or before is None or rate.why is not before.why:
            self._second, self._last_rate = second, rate
            evidence = Evidence(self.segment.id, rate.first, last, RATE_RULE) if rate.value else None
            findings.append(
                Metric(
                    t_ns,
                    due_ns,
                    "heart_rate",
                    rate.value,
                    "bpm",
                    rate.why,
                    rate.lead,
                    self._together.score,
                    evidence,
                )
            )
            if rate.why and (before is None or rate.why is not before.why):
                findings.append(Metric(t_ns, due_ns, "rr_interval", None, "ms", rate.why, "", 0.0, None))
        return findings

    def _rate_at(self, last: int) -> Rate:
        if self._reading is None:
            return Rate(None, Why.ANALYSIS_FAILED)
        return self._rate.at(last, self._together.grade is Grade.POOR)

    def _quiet(self) -> int:
        """A sample before which nothing is to be said, unless something comes: not before the next second, nor another `why`."""
        second_ns = (self._second + 1) * _SECOND_NS - LIVE_STEP_NS
        next_second = self._fit.first + int((second_ns - self._fit.t0_ns) / self._fit.period_ns) - 1
        return next_second if self._reading is None else min(next_second, self._rate.same_until())

    def _beat(self, beat: DetectedBeat, due_ns: Nanos) -> list[Finding]:
        t_ns = self._fit.time_of(beat.sample)
        rr_ms = self._rate.beat(beat.sample, beat.lead, self._fit.period_ns / 1e6)
        evidence = Evidence(self.segment.id, beat.sample, beat.due, self._beat_rule)
        findings: list[Finding] = [
            said.Beat(t_ns, due_ns, beat.sample, beat.label, rr_ms, evidence, beat.late)
        ]
        if rr_ms is not None:
            score = self._together.score
            findings.append(
                Metric(t_ns, due_ns, "rr_interval", rr_ms, "ms", None, beat.lead, score, evidence)
            )
        return findings

    def _drawn(self, first: int, counts: Counts, standing: Mask, present: Mask) -> list[Finding]:
        """The waves of one hop, whose samples begin with `first`."""
        assert self._screen is not None
        good = np.logical_and(standing[self._own], present) & ~self._indices.railed[:, None]
        due_ns = self._due(first + self._hop - 1)
        return self._screen.drawn(first, self._montage.millivolts(counts), good, standing, self._fit, due_ns)

    def _due(self, last: int) -> Nanos:
        """Time of a sample rounded up to the live step, never before what a Tick has already said."""
        return max(math.ceil(self._fit.time_of(last) / LIVE_STEP_NS) * LIVE_STEP_NS, self._floor_ns)
