"""Numbers of a simulated body or machine that can be set while it runs, each within its range."""

from __future__ import annotations

import math


class Ranged:
    """A number that can be set at any time, within its range (ValueError beyond it)."""

    def __init__(self, default: float, low: float, high: float, unit: str) -> None:
        self.default, self.low, self.high, self.unit = default, low, high, unit
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object | None, owner: type | None = None) -> float:
        return self.default if instance is None else float(instance.__dict__.get(self.name, self.default))

    def __set__(self, instance: object, value: float) -> None:
        if not (math.isfinite(value) and self.low <= value <= self.high):
            raise ValueError(f"{self.name} must be {self.low:g} to {self.high:g} {self.unit}, not {value:g}")
        instance.__dict__[self.name] = float(value)
