"""Which channels of a stream are a concentrator's: oxygen, flow, and the pressures of its beds or tank."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.model.signals import Quantity, Stream

SLOWEST_CYCLE_HZ = 2.0

_LPM = {"L/min": 1.0, "L/s": 60.0, "mL/min": 1e-3}
_KPA = {"kPa": 1.0, "Pa": 1e-3, "mbar": 0.1, "hPa": 0.1, "cmH2O": 0.0980665}
_PCT = {"%": 1.0, "1": 100.0}
_FACTORS = {Quantity.OXYGEN: _PCT, Quantity.FLOW: _LPM, Quantity.TANK_PRESSURE: _KPA}


@dataclass(frozen=True, slots=True)
class Outlet:
    """Rows and factors to %, L/min and kPa. `beds` are the first two pressures, or the one that there is."""

    purity: tuple[int, float] | None
    flow: tuple[int, float] | None
    beds: tuple[tuple[int, float], ...]

    @classmethod
    def of(cls, stream: Stream) -> Outlet | None:
        """None where the stream is no concentrator's."""
        found: dict[Quantity, list[tuple[int, float]]] = {quantity: [] for quantity in _FACTORS}
        for row, channel in enumerate(stream.channels):
            factor = _FACTORS.get(channel.quantity, {}).get(channel.unit)
            if factor is None:
                continue
            found[channel.quantity].append((row, factor))
        purity, flow, pressures = (found[quantity] for quantity in _FACTORS)
        if not purity and not pressures:
            return None
        fast = stream.rate_hz >= SLOWEST_CYCLE_HZ
        return cls(
            purity[0] if purity else None, flow[0] if flow else None, tuple(pressures[:2]) if fast else ()
        )

    @property
    def rank(self) -> tuple[bool, int]:
        """Of two streams the one with the greater rank is followed."""
        return self.purity is not None, len(self.beds)
