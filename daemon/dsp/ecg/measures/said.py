"""What the measuring stage says. Sample numbers are those of the stream, counted from the first sample pushed."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.dsp.ecg.rhythm.said import EventSaid
from daemon.model.findings import Statement, Why


@dataclass(frozen=True, slots=True)
class Value:
    """A number by the name of its Metric; None with the reason why."""

    name: str
    lead: str
    value: float | None
    why: Why | None = None
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Values from samples `first` .. `last`, known with sample `due`."""

    due: int
    first: int
    last: int
    rule: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Concluded:
    """Statements about samples `first` .. `last`, known with sample `due`."""

    due: int
    first: int
    last: int
    rule: str
    statements: tuple[Statement, ...]


MeasureSaid = Measured | Concluded | EventSaid
