"""What the rhythm watch says. Sample numbers are those of the input, counted from the first sample pushed."""

from __future__ import annotations

from dataclasses import dataclass

Numbers = tuple[tuple[str, float, str], ...]
"""Evidence: name, value, unit."""


@dataclass(frozen=True, slots=True)
class RhythmSaid:
    """A rhythm from sample `onset` on, by its WFDB name (AFIB, VFL, VT, ASYS, ...).

    Said twice: when it is recognised, with `end` None (it goes on), and when it is over, with its `end`. `due` is the
    last sample that the decision needed; `onset` <= `due` and `end` <= `due`.
    """

    onset: int
    end: int | None
    label: str
    due: int
    numbers: Numbers
    rule: str


@dataclass(frozen=True, slots=True)
class EventSaid:
    """Something that happened at sample `at`, seen in samples `first` .. `last`; `detail` is a word key for where."""

    name: str
    at: int
    first: int
    last: int
    due: int
    numbers: Numbers
    rule: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RunSaid:
    """How long and fast a run of ventricular beats from sample `onset` on is by now; said while it grows."""

    onset: int
    due: int
    beats: int
    bpm: float
    rule: str


Said = RhythmSaid | EventSaid | RunSaid
