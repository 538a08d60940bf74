"""What goes wrong on a wire, on request: lost, doubled and changed bytes, bursts of garbage, silence. Seeded, counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Nanos = int
MOST_GARBAGE = 65_536


@dataclass(slots=True)
class FaultCounts:
    """Bytes hit so far, by what happened to them."""

    dropped: int = 0
    duplicated: int = 0
    corrupted: int = 0
    garbage: int = 0
    stalled: int = 0


class Faults:
    """Applied to what a board sends, before the line. Probabilities are per byte, 0 to 1 (ValueError beyond)."""

    def __init__(self, seed: int = 0) -> None:
        self.counts = FaultCounts()
        self._rng = np.random.default_rng(seed)
        self._probability = {"drop": 0.0, "duplicate": 0.0, "corrupt": 0.0}
        self._drop_at: set[int] = set()
        self._sent = 0  # bytes the board has sent so far
        self._garbage = 0
        self._stalled_until_ns: Nanos = 0

    def set(self, fault: str, probability: float) -> None:
        """Let "drop", "duplicate" or "corrupt" hit each byte with this probability; 0 ends it."""
        if fault not in self._probability:
            raise ValueError(f"no fault {fault!r}: one of {', '.join(self._probability)}")
        if not 0 <= probability <= 1:
            raise ValueError(f"a probability must be 0 to 1, not {probability:g}")
        self._probability[fault] = probability

    def drop_byte(self, k: int) -> None:
        """Lose the k-th byte from now (0 = the next one)."""
        if k < 0:
            raise ValueError(f"the byte to drop must be 0 or more, not {k}")
        self._drop_at.add(self._sent + k)

    def garbage(self, count: int) -> None:
        """Put `count` random bytes into the stream, in one burst, with the next bytes or alone."""
        if not 0 < count <= MOST_GARBAGE:
            raise ValueError(f"garbage must be 1 to {MOST_GARBAGE} bytes, not {count}")
        self._garbage += count

    def stall(self, seconds: float, now_ns: Nanos) -> None:
        """Let nothing through for so long; what the board sends meanwhile is lost."""
        if not 0 <= seconds <= 3600:
            raise ValueError(f"a stall must be 0 to 3600 s, not {seconds:g}")
        self._stalled_until_ns = now_ns + round(seconds * 1e9)

    def apply(self, data: bytes, now_ns: Nanos) -> bytes:
        """What of `data` comes out at the other end of a faulty wire."""
        first, self._sent = self._sent, self._sent + len(data)
        if now_ns < self._stalled_until_ns:
            self.counts.stalled += len(data)
            self._drop_at = {k for k in self._drop_at if k >= self._sent}
            return b""
        if data and (self._drop_at or any(self._probability.values())):
            data = self._hit(data, first)
        if self._garbage:
            burst, self._garbage = self._rng.bytes(self._garbage), 0
            self.counts.garbage += len(burst)
            place = int(self._rng.integers(len(data) + 1))
            data = data[:place] + burst + data[place:]
        return data

    def _hit(self, data: bytes, first: int) -> bytes:
        lost = self._chosen("drop", len(data))
        for k in [k for k in self._drop_at if k < first + len(data)]:
            lost[k - first] = True
            self._drop_at.remove(k)
        values = np.frombuffer(data, dtype=np.uint8)[~lost].copy()
        changed = self._chosen("corrupt", len(values))
        values[changed] ^= self._rng.integers(1, 256, int(changed.sum()), dtype=np.uint8)
        twice = self._chosen("duplicate", len(values))
        self.counts.dropped += int(lost.sum())
        self.counts.corrupted += int(changed.sum())
        self.counts.duplicated += int(twice.sum())
        return np.repeat(values, np.where(twice, 2, 1)).tobytes()

    def _chosen(self, fault: str, n: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        probability = self._probability[fault]
        if not probability:
            return np.zeros(n, dtype=np.bool_)
        return self._rng.random(n) < probability
