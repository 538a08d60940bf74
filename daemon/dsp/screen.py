"""The waves of one segment for the screen, hop by hop."""

from __future__ import annotations

import numpy as np

from daemon.dsp.display import Display, DisplaySettings
from daemon.dsp.filters import Bridge, Floats, Mask
from daemon.dsp.fit import Fit
from daemon.dsp.leads import Montage
from daemon.model.findings import DisplayBlock, Finding
from daemon.model.signals import Nanos, Segment

BRIDGED_S = 0.2
"""Missing samples up to so many seconds are held over; behind more of them filters begin anew."""


class Screen:
    """Filters the measured leads of a montage in hops of `hop` samples, and draws all leads from them."""

    def __init__(self, segment: Segment, montage: Montage, hop: int, settings: DisplaySettings) -> None:
        rate_hz = segment.stream.rate_hz
        self._segment, self._montage, self._hop, self._rate_hz = segment, montage, hop, rate_hz
        self._bridge = Bridge(len(montage.measured), round(BRIDGED_S * rate_hz))
        self.use(settings)

    def use(self, settings: DisplaySettings) -> None:
        """Draw with these settings from the next hop on."""
        leads, shown = len(self._montage.measured), len(self._montage.all)
        self._display = Display(settings, self._rate_hz, self._hop, leads, shown)

    def skip(self, n: int) -> None:
        """`n` samples are missing altogether."""
        self._bridge.skip(n)
        self._display.skip()

    def drawn(
        self, first: int, millivolts: Floats, good: Mask, standing: Mask, fit: Fit, due_ns: Nanos
    ) -> list[Finding]:
        """One hop from sample `first` on: mV (measured, hop) and where it is good, which leads (all, hop) stand."""
        visible = standing & self._montage.spread(good)
        x, restart = self._bridge.step(np.ascontiguousarray(millivolts.T), good.T)
        values = self._display.step(x, restart, visible.T, self._montage.derive).T
        chain = self._display.chain
        begin = first - chain.delay
        values = values[:, max(-begin, 0) :].astype(np.float32)
        begin = max(begin, 0)
        if not values.size:
            return []
        return [
            DisplayBlock(
                self._segment,
                begin,
                fit.time_of(begin),
                fit.period_ns,
                due_ns,
                self._montage.all,
                np.ascontiguousarray(values),
                chain.names,
            )
        ]
