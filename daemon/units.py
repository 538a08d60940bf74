"""Units and what is measured in them, with their codes: one table for the page, the store, reports and what is forwarded.

Unit codes: UCUM, and ISO/IEEE 11073-10101 (MDC, partition 4 x 65536 + term). Observation codes: LOINC and MDC. "" or None:
no code is known to us; such a value travels with its text, never with a guessed code.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: its symbol as shown and used inside, and its codes."""

    symbol: str
    ucum: str
    mdc: int | None = None
    mdc_name: str = ""


@dataclass(frozen=True, slots=True)
class Observable:
    """Something measured: the name of its Metric, the unit it is in, and its codes."""

    name: str
    unit: str
    loinc: str = ""
    mdc: int | None = None
    mdc_name: str = ""


UNITS = {
    unit.symbol: unit
    for unit in (
        Unit("1", "1", 262656, "MDC_DIM_DIMLESS"),
        Unit("%", "%", 262688, "MDC_DIM_PERCENT"),
        Unit("bpm", "{beat}/min", 264864, "MDC_DIM_BEAT_PER_MIN"),
        Unit("/min", "/min"),
        Unit("ms", "ms", 264338, "MDC_DIM_MILLI_SEC"),
        Unit("s", "s", 264320, "MDC_DIM_SEC"),
        Unit("Hz", "Hz"),
        Unit("V", "V", 266400, "MDC_DIM_VOLT"),
        Unit("mV", "mV", 266418, "MDC_DIM_MILLI_VOLT"),
        Unit("uV", "uV", 266419, "MDC_DIM_MICRO_VOLT"),
        Unit("degC", "Cel", 268192, "MDC_DIM_DEGC"),
        Unit("g", "[g]"),  # acceleration in units of standard gravity
    )
}

OBSERVABLES = {
    observable.name: observable
    for observable in (
        Observable("heart_rate", "bpm", "8867-4", 147842, "MDC_ECG_HEART_RATE"),
        Observable("rr_interval", "ms"),
    )
}
