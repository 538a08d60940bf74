"""How much a destination may take of a network that others use too."""

from __future__ import annotations


class TokenBucket:
    """`rate` bytes a second (0 = no limit), of which `burst_s` seconds may come at once.

    What is sent is sent whole: the bucket then owes, and nothing more goes until it has paid.
    """

    def __init__(self, rate: float, *, burst_s: float = 1.0) -> None:
        self._rate = rate
        self._most = rate * burst_s
        self._tokens = self._most
        self._at_s = 0.0

    def ready_s(self, now_s: float) -> float:
        """From when on something may be sent: `now_s` or later."""
        self._fill(now_s)
        if not self._rate or self._tokens > 0:
            return now_s
        return now_s + (1.0 - self._tokens) / self._rate

    def take(self, size: int, now_s: float) -> None:
        """So many bytes are sent."""
        self._fill(now_s)
        self._tokens -= size

    def _fill(self, now_s: float) -> None:
        passed_s, self._at_s = max(0.0, now_s - self._at_s), now_s
        self._tokens = min(self._most, self._tokens + passed_s * self._rate)
