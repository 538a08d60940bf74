"""Standstill: no beat in any lead while a lead is there to see one."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.dsp.ecg.rhythm.beats import Beats, SeenBeat
from daemon.dsp.ecg.rhythm.inner import RATE_HZ

RULE = "gap/1"
ASYSTOLE_S = 4.0
STANDING_S = 3.0  # from here on it is said that a pause goes on: an alarm's own limit may be as low
PAUSE_S = 2.5
SIZE_ALIKE, ALIKE, SIZE_ALONE = (
    0.3,
    0.3,
    0.6,
)  # of the usual size, with a correlation to the usual shape, without
USUAL_AFTER_S, USUAL_OF = 14.0, 40  # the usual size is that of so many beats at least so old
MIN_P2P_MV = 0.005
NOISE_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Gap:
    """An interval without a believable beat, inner samples."""

    first: int
    stop: int


class Gaps:
    """Follows the time since the last believable beat."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """The signal was not to be seen: a gap can only begin with the next beat."""
        self.last: int | None = None
        self.usual = 0.0

    def beat(self, beat: SeenBeat, beats: Beats) -> Gap | None:
        """A beat; gives the gap before it when the beat ends one."""
        old = beats.sizes(beat.at - round(USUAL_AFTER_S * RATE_HZ), USUAL_OF)
        if not old:
            old = [b.size for b in beats.seen]
        self.usual = sorted(old)[len(old) // 2]
        if not self._believable(beat):
            return None
        before, self.last = self.last, beat.at
        return None if before is None else Gap(before, beat.at)

    def _believable(self, beat: SeenBeat) -> bool:
        if beat.size >= SIZE_ALONE * self.usual:
            return True
        return beat.size >= SIZE_ALIKE * self.usual and beat.dominant > ALIKE

    def open_s(self, now: int) -> float | None:
        """Seconds since the last believable beat at inner sample `now`, from STANDING_S on."""
        if self.last is None or self.usual <= 0:
            return None
        seconds = (now - self.last) / RATE_HZ
        return None if seconds < STANDING_S else seconds

    def still(self, p2p_mv: float) -> bool:
        """Whether a lead of so little peak to peak since the last beat, the quietest, is alive and shows no beats."""
        return MIN_P2P_MV < p2p_mv <= NOISE_SHARE * self.usual
