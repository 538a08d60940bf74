"""Beats of a segment, and what is read from them: the detector hop by hop, the interpretation in quarters of a second.

A beat has half a second to be said in, and its samples go to the detector at once. What follows from beats (waves, rhythm,
measurements) takes longer anyhow: its samples are gathered to whole groups of hops, which costs a third of the work, and what
it says is due with the end of a group. Groups count from sample 0 of the segment, so nothing depends on the cut; a gap ends one early.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from daemon.dsp.ecg.detect import DetectedBeat, QrsDetector, QrsTable
from daemon.dsp.ecg.trees import ClassTable
from daemon.dsp.filters import Floats, Mask
from daemon.dsp.interpret import Interpretation, Interpreted, Tables
from daemon.dsp.leads import Montage, detector_leads
from daemon.dsp.quality import LeadQuality

Found = DetectedBeat | Interpreted


class Reading:
    """Reads the measured leads of a montage, in hops of `hop` samples and groups of `group` (a multiple of `hop`)."""

    def __init__(
        self,
        segment: str,
        rate_hz: float,
        montage: Montage,
        hop: int,
        group: int,
        table: QrsTable,
        classes: ClassTable | None,
        further: Tables | None,
    ) -> None:
        self._montage, self._hop, self._group = montage, hop, group
        self._leads = detector_leads(montage)
        names = tuple(montage.measured[k] for k in self._leads)
        self._detector = QrsDetector(rate_hz, names, table, classes)
        self.interpretation = (
            None if further is None else Interpretation(segment, rate_hz, montage.all, names, further)
        )
        self._unfed = 0  # missing samples that have not been told of
        self._gathered: list[tuple[Floats, Mask]] = []

    def quality(self, first: int, leads: Mapping[str, LeadQuality]) -> None:
        """The verdict on every lead from sample `first` on."""
        if self.interpretation is not None:
            self.interpretation.quality(first, leads)

    def may_say(self, n: int) -> bool:
        """Whether the next `n` samples may bring a beat; what is interpreted comes with the end of a group."""
        return bool(self._unfed) or self._detector.may_decide(n)

    def skip(self, n: int) -> None:
        """`n` samples are missing altogether."""
        self._unfed += n

    def push(self, first: int, millivolts: Floats, usable: Mask, present: Mask) -> dict[int, list[Found]]:
        """Whole hops from sample `first` on, (measured, n); what was found, by the number of the hop it is due in."""
        found: dict[int, list[Found]] = {}
        mv, seen = millivolts[self._leads].astype(np.float32), usable[self._leads]
        edges = [0, *(np.flatnonzero(present[1:] != present[:-1]) + 1).tolist(), len(present)]
        for at, stop in pairwise(edges):
            if not present[at]:
                self._unfed += stop - at
                continue
            if self._unfed:
                self._tell_gap(found.setdefault((first + at) // self._hop, []))
            for beat in self._detector.push(mv[:, at:stop], seen[:, at:stop]):
                found.setdefault(max(beat.due, first + at) // self._hop, []).append(beat)
                if self.interpretation is not None:
                    self.interpretation.beat(beat)
            if self.interpretation is not None:
                self._gather(first, slice(at, stop), millivolts, usable, found)
        return found

    def finish(self) -> list[Interpreted]:
        """Nothing comes behind: what was still open."""
        if self.interpretation is None:
            return []
        return [*self._interpret(), *self.interpretation.finish()]

    def _tell_gap(self, found: list[Found]) -> None:
        self._detector.skip(self._unfed)
        if self.interpretation is not None:
            found += self._interpret()
            self.interpretation.skip(self._unfed)
        self._unfed = 0

    def _gather(
        self, first: int, part: slice, millivolts: Floats, usable: Mask, found: dict[int, list[Found]]
    ) -> None:
        """Hold the samples of `part`; interpret all up to the last group that ends within it."""
        whole = (first + part.stop) // self._group * self._group - first
        if whole <= part.start:
            self._gathered.append((millivolts[:, part], usable[:, part]))
            return
        self._gathered.append((millivolts[:, part.start : whole], usable[:, part.start : whole]))
        earliest = (first + part.start) // self._group
        latest = (first + whole) // self._group - 1
        for one in self._interpret():
            group = min(max(one.due // self._group, earliest), latest)
            found.setdefault((group + 1) * self._group // self._hop - 1, []).append(one)
        if whole < part.stop:
            self._gathered.append((millivolts[:, whole : part.stop], usable[:, whole : part.stop]))

    def _interpret(self) -> list[Interpreted]:
        """What the gathered samples let be said."""
        if not self._gathered or self.interpretation is None:
            return []
        parts, masks = zip(*self._gathered, strict=True)
        self._gathered = []
        mv = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        usable = masks[0] if len(masks) == 1 else np.concatenate(masks, axis=1)
        every = self._montage.every(mv).astype(np.float32)
        watched = mv[self._leads].astype(np.float32)
        return self.interpretation.push(every, self._montage.spread(usable), watched, usable[self._leads])
