"""The time of a sample number, as a block gives it."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.model.signals import Nanos, SampleBlock


@dataclass(frozen=True, slots=True)
class Fit:
    """Time of a sample number."""

    first: int
    t0_ns: Nanos
    period_ns: float

    def time_of(self, sample: float) -> Nanos:
        return self.t0_ns + round((sample - self.first) * self.period_ns)

    def followed_by(self, block: SampleBlock) -> Fit:
        """The block's own fit; this one as long as they agree to 2 ns, so that a cut changes no rounding."""
        if block.period_ns == self.period_ns and abs(self.time_of(block.first) - block.t0_ns) <= 2:
            return self
        return Fit(block.first, block.t0_ns, block.period_ns)
