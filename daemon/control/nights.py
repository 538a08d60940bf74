"""What the worker answers about nights of breathing therapy: `GET /nights?bed=`, and `GET /night` with a `NightAsked` as its query."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

MOST_POINTS = 4000


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NightState(_Message):
    """A night of one device, noon to noon of the box's time; `imported`: from a card, not recorded at a bed of this box."""

    day: date
    device: str
    imported: bool
    begin_ms: float
    end_ms: float
    recorded_h: float


class NightsTold(_Message):
    """The nights that a bed can show, the newest first."""

    nights: tuple[NightState, ...] = ()


class NightAsked(_Message):
    """A night, or its stretch `from_ms` .. `to_ms` (UTC; 0 = all of it), in `points` columns. `points` 0: its figures alone."""

    bed: str
    day: date
    device: str
    from_ms: float = 0
    to_ms: float = 0
    points: int = Field(1200, ge=0, le=MOST_POINTS)


class CurveState(_Message):
    """Lowest and highest value of each column, null = nothing."""

    unit: str
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


class FlagState(_Message):
    """An event; `flag` is a word key ("night.flag." + flag), `seconds` 0 = not said."""

    flag: str
    t_ms: float
    seconds: float


class NightTold(_Message):
    """Columns are `step_ms` apart from `from_ms` on; `parts` are the stretches that were recorded. `figures`: null = cannot be told."""

    night: NightState
    from_ms: float
    step_ms: float
    curves: dict[str, CurveState] = Field(default_factory=dict)
    flags: tuple[FlagState, ...] = ()
    parts: tuple[tuple[float, float], ...] = ()
    figures: dict[str, float | None] = Field(default_factory=dict)
