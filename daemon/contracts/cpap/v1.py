"""CPAP and BiPAP messages, version 1. Units are in the names; the seeds' config names have none (daemon/contracts/seeds)."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from daemon.contracts.fields import Body, Positive, Span


class Metrics(Body):
    """What the device says of its therapy. `mode` is the device's own word ("AutoCPAP")."""

    pressure_cm_h2o: Positive | None = None
    respiratory_rate_per_min: Positive | None = None
    leak_rate_lpm: Positive | None = None
    mode: str | None = None
    firmware: str = ""


class Alerts(Body):
    """Alarm limits that a cloud may ask for. The box's own bounds come after this check and are narrower."""

    leak_threshold_lpm: Annotated[float, Span(1, 120)] | None = None
    rr_low_per_min: Annotated[float, Span(1, 60)] | None = None
    rr_high_per_min: Annotated[float, Span(1, 100)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        low, high = self.rr_low_per_min, self.rr_high_per_min
        if low is not None and high is not None and low >= high:
            raise PydanticCustomError("order", "rr_low_per_min should be below rr_high_per_min")
        return self


class Config(Body):
    """Desired settings. What is absent or null is not asked for. A therapy setting is only ever a proposal to the bedside."""

    target_pressure_cm_h2o: Annotated[float, Span(3, 40)] | None = None
    humidity_level: int | None = Field(None, ge=0, le=8)
    alerts: Alerts | None = None
