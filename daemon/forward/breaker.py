"""When to leave a destination alone: retries without limit, without a herd, and with one small request first.

The delay after the n-th failure in a row is uniform in [0, min(300 s, 1 s x 2^n)] ("full jitter": Brooker, Exponential Backoff
And Jitter, AWS Architecture Blog 2015), so that boxes which lost the network together do not come back together.
"""

from __future__ import annotations

from random import Random

BASE_S = 1.0
LONGEST_S = 300.0
HASTENED_S = 10.0
OPENS_AFTER = 5
"""Failures in a row after which nothing is sent for a while."""


def backoff_s(failures: int, random: Random, floor_s: float = 0.0) -> float:
    """Seconds until the next try after so many failures in a row (1 or more), at least `floor_s` (Retry-After)."""
    return max(floor_s, random.uniform(0.0, min(LONGEST_S, BASE_S * 2.0 ** min(failures, 20))))


class Breaker:
    """Closed: requests go, one more at a time with every success. Open: none until `until_s`. Then one, which decides."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._failures = 0
        self._width = 1
        self._floor_s = 0.0
        self._hastened = False
        self.until_s = 0.0
        """Before this nothing is sent; in the past while all is well."""

    @property
    def failures(self) -> int:
        """In a row."""
        return self._failures

    @property
    def is_open(self) -> bool:
        return self._failures >= OPENS_AFTER

    def slots(self, now_s: float, at_once: int) -> int:
        """How many requests may be under way now."""
        if now_s < self.until_s:
            return 0
        return 1 if self.is_open else min(self._width, at_once)

    def done(self) -> None:
        """The receiver has answered well."""
        self._failures = 0
        self._width = min(self._width + 1, 1 << 10)

    def failed(self, now_s: float, floor_s: float = 0.0) -> None:
        self._failures += 1
        self._width = 1
        self._hastened = False
        self._floor_s = max(self._floor_s, now_s + floor_s)
        if self.is_open:
            self.until_s = now_s + backoff_s(self._failures, self._random, floor_s)
        elif floor_s:
            self.until_s = max(self.until_s, now_s + floor_s)

    def waits(self, now_s: float, floor_s: float = 0.0) -> None:
        """The receiver asks for patience: that is no failure, but nothing goes until then."""
        self._width = 1
        self._floor_s = max(self._floor_s, now_s + floor_s)
        self.until_s = max(self.until_s, now_s + floor_s)

    def narrow(self) -> None:
        """One request at first, when it goes on."""
        self._width = 1

    def hasten(self, now_s: float) -> None:
        """An alarm waits: the next try comes soon, once for each failure, and not before what the receiver asked for."""
        if self._hastened or not self.is_open:
            return
        self._hastened = True
        soon_s = now_s + self._random.uniform(0.0, HASTENED_S)
        self.until_s = max(self._floor_s, min(self.until_s, soon_s))

    def try_now(self) -> None:
        """A person says so."""
        self.until_s = 0.0
