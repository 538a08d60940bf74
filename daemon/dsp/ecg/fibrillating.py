"""While atria are said to fibrillate or flutter, no beat has a P: coarse f waves look like one, and PR means nothing.

The net sees one beat, the rhythm many: what the rhythm says holds for the beats whose marks are due from its word on.
"""

from __future__ import annotations

from dataclasses import replace

from daemon.dsp.ecg.delineate import BeatWaves
from daemon.dsp.ecg.rhythm.said import RhythmSaid, Said

WITHOUT_P = frozenset({"AFIB", "AFL"})


class Atria:
    """Follows the rhythm's words, and takes P out of the beats that come while one of WITHOUT_P stands."""

    def __init__(self) -> None:
        self._standing: set[str] = set()

    def step(self, said: BeatWaves | Said) -> BeatWaves | Said:
        """The next of what was said, in order of `due`; a beat comes back as it stands beside the rhythm."""
        if isinstance(said, RhythmSaid) and said.label in WITHOUT_P:
            (self._standing.add if said.end is None else self._standing.discard)(said.label)
        if not self._standing or not isinstance(said, BeatWaves):
            return said
        marks = {lead: marks.without_p() for lead, marks in said.marks.items()}
        return replace(said, marks=marks, fibrillates=True)
