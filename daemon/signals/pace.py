"""Whether a sound device really takes samples: neither never, nor faster than they can sound. Pure; `now_s` is passed in.

A real device holds the writer back: what may lie between us and it (pipe and device buffer) is soon full, and from then on it
takes samples at their rate. A null device takes all that is offered. So we offer a little more than the rate: who takes it is
no device. Where the pipe has run empty it was we who were late, not the device: such a stretch says nothing against it.
"""

from __future__ import annotations

from enum import StrEnum

AHEAD_S = 0.5
"""We offer so much more than has had time to sound; pipe and device buffer hold less than half of it."""

OFFER = 1.25
"""Offered rate over sample rate, in the long run."""

STALL_S = 1.0
"""A device that takes nothing for so long has stopped. Its buffer holds a tenth of it."""

WINDOW_S = 2.0
SLOWEST, FASTEST = 0.8, 1.15
"""Samples taken over samples due in a window: crystals differ by 0.01 %, a period of the device is 1.5 %."""


class Verdict(StrEnum):
    """What the last whole window says."""

    UNKNOWN = "unknown"
    WELL = "well"
    TOO_SLOW = "too_slow"
    TOO_FAST = "too_fast"


class Pace:
    """Judges one opening of a device; `rate` in samples a second."""

    def __init__(self, rate: float, now_s: float) -> None:
        self.verdict = Verdict.UNKNOWN
        self._rate = rate
        self._credit = AHEAD_S * rate
        self._credited_s = now_s
        self._first = True
        self._since_s = now_s
        self._frames = 0
        self._late = False

    def wait_s(self, frames: int, now_s: float) -> float:
        """How long to wait before so many frames may be offered; 0 = now."""
        gained = (now_s - self._credited_s) * self._rate * OFFER
        self._credit = min(self._credit + gained, AHEAD_S * self._rate)
        self._credited_s = now_s
        missing = frames - self._credit
        return missing / (self._rate * OFFER) if missing >= 1 else 0.0

    def took(self, frames: int, now_s: float, *, ran_empty: bool) -> None:
        """So many frames went into the pipe; `ran_empty`: nothing was left in it before."""
        self._credit -= frames
        self._frames += frames
        self._late = self._late or ran_empty
        elapsed_s = now_s - self._since_s
        if elapsed_s < WINDOW_S:
            return
        ratio = self._frames / (elapsed_s * self._rate)
        if ratio > FASTEST:
            # In the first window the buffers were filled: too much to tell a device by.
            self.verdict = Verdict.UNKNOWN if self._first else Verdict.TOO_FAST
        elif ratio >= SLOWEST:
            self.verdict = Verdict.WELL
        elif not self._late:
            self.verdict = Verdict.TOO_SLOW
        self._first = False
        self._begin(now_s)

    def _begin(self, now_s: float) -> None:
        self._since_s = now_s
        self._frames = 0
        self._late = False
