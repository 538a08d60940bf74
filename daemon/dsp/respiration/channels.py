"""Which channels of a stream are flow, airway pressure and leak, and their factors to L/s, cmH2O and L/s."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.model.signals import Quantity, Stream

SLOWEST_HZ = 10.0

_LPS = {"L/s": 1.0, "L/min": 1 / 60, "mL/min": 1 / 60_000, "mL/s": 1e-3}
_CMH2O = {"cmH2O": 1.0, "mbar": 1.01972, "hPa": 1.01972, "kPa": 10.1972}
_FACTORS = {Quantity.FLOW: _LPS, Quantity.LEAK: _LPS, Quantity.AIRWAY_PRESSURE: _CMH2O}
_CONCENTRATOR = {Quantity.OXYGEN, Quantity.TANK_PRESSURE}


@dataclass(frozen=True, slots=True)
class Airflow:
    """Rows of a stream's channels and their factors; pressure and leak may be missing."""

    flow: tuple[int, float]
    pressure: tuple[int, float] | None
    leak: tuple[int, float] | None

    @classmethod
    def of(cls, stream: Stream) -> Airflow | None:
        """None where the stream shows no airflow of a patient, or too few samples of it."""
        if stream.rate_hz < SLOWEST_HZ or any(c.quantity in _CONCENTRATOR for c in stream.channels):
            return None
        flow = _row(stream, Quantity.FLOW)
        if flow is None:
            return None
        return cls(flow, _row(stream, Quantity.AIRWAY_PRESSURE), _row(stream, Quantity.LEAK))

    @property
    def rank(self) -> tuple[bool, bool]:
        """Of two streams the one with the greater rank is followed: pressure beside the flow, then leak."""
        return self.pressure is not None, self.leak is not None


def _row(stream: Stream, quantity: Quantity) -> tuple[int, float] | None:
    factors = _FACTORS[quantity]
    for row, channel in enumerate(stream.channels):
        if channel.quantity is quantity and channel.unit in factors:
            return row, factors[channel.unit]
    return None
