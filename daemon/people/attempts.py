"""Wrong passwords make the next try wait: 1, 2, 4 .. 60 s. Nobody is locked out for good by somebody else's tries.

A try counts as failed when it begins, so that many at once are no more than one after the other; a right one takes all back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from daemon.model.signals import Nanos

LONGEST_S = 60.0
FORGOTTEN_S = 3600.0
"""Tries that failed so long ago count no more."""

MOST_KEYS = 2000
_S = 1_000_000_000


@dataclass(slots=True)
class _Failed:
    times: int
    last_ns: Nanos


class Attempts:
    """Of keys (an account, an address). The first `free` failures of a key cost nothing."""

    def __init__(self, now: Callable[[], Nanos], free: int = 0) -> None:
        self._now = now
        self._free = free
        self._failed: OrderedDict[str, _Failed] = OrderedDict()

    def wait_s(self, key: str) -> float:
        """How long until the next try of a key is heard; 0: now."""
        known = self._known(key)
        if known is None or known.times <= self._free:
            return 0.0
        delay_s = min(2.0 ** min(known.times - self._free - 1, 10), LONGEST_S)
        return max(0.0, delay_s - (self._now() - known.last_ns) / _S)

    def begun(self, key: str) -> int:
        """A try begins; how many have failed with it, unless it succeeds."""
        known = self._known(key) or _Failed(0, 0)
        known.times += 1
        known.last_ns = self._now()
        self._failed[key] = known
        self._failed.move_to_end(key)
        while len(self._failed) > MOST_KEYS:
            self._failed.popitem(last=False)
        return known.times

    def withdrawn(self, key: str) -> None:
        """A try was not looked at: as if it had not begun."""
        if (known := self._known(key)) is not None:
            known.times -= 1

    def succeeded(self, key: str) -> None:
        """All failures of a key are forgotten."""
        self._failed.pop(key, None)

    def _known(self, key: str) -> _Failed | None:
        known = self._failed.get(key)
        if known is not None and self._now() - known.last_ns > FORGOTTEN_S * _S:
            del self._failed[key]
            return None
        return known
