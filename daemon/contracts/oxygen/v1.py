"""Oxygen concentrator messages, version 1."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, field_validator

from daemon.contracts.fields import Body, Number, Percent, Positive, Span, Words


class Metrics(Body):
    """What the device says. `temperature_c` is the one it reports, of whatever part; `alarm_code` null = no alarm."""

    oxygen_purity_pct: Positive | None = None
    flow_rate_lpm: Positive | None = None
    temperature_c: Number | None = None
    battery_pct: Percent | None = None
    alarm_code: str | None = None
    status: Annotated[str, Words(("online", "offline"), grows=True)]


class Config(Body):
    """Desired settings. What is absent or null is not asked for; a flow is only ever a proposal to the bedside."""

    flow_rate_lpm: Annotated[float, Span(0, 15)] | None = None
    night_mode: bool | None = None
    maintenance_due_date: str | None = Field(None, pattern=r"^\d{4}-\d\d-\d\d$")

    @field_validator("maintenance_due_date")
    @classmethod
    def _a_day(cls, value: str | None) -> str | None:
        if value is not None:
            date.fromisoformat(value)
        return value
