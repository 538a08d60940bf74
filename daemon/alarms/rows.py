"""What a row of the alarm table is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from daemon.alarms.conditions import Condition
from daemon.model.alarms import About, Priority

UNTIL_SEEN = math.inf
"""`latch_s` of a row whose picture stays until it is acknowledged."""


@dataclass(frozen=True, slots=True)
class Auto:
    """How a limit is proposed from the present value: value x times + plus, within `least` .. `most`."""

    metric: str
    times: float
    plus: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Follows:
    """A limit stays at least `by` beyond that of another row (negative: below it), but not beyond `cap`."""

    row: str
    key: str
    by: float
    cap: float


@dataclass(frozen=True, slots=True)
class Limit:
    """A number that a nurse may set: default, range, step, unit."""

    key: str
    default: float
    low: float
    high: float
    step: float
    unit: str
    auto: Auto | None = None
    follows: Follows | None = None


@dataclass(frozen=True, slots=True)
class Delay:
    """Seconds until a condition that stays true is an alarm; a nurse may set it where `most` is above `least`."""

    seconds: float = 0.0
    least: float = 0.0
    most: float = 0.0

    @property
    def adjustable(self) -> bool:
        return self.most > self.least


@dataclass(frozen=True, slots=True)
class Row:
    """One alarm.

    `off_s`: how long its condition must be gone before it ends. `latch_s`: how long its picture stays after that (UNTIL_SEEN:
    until it is acknowledged), 0 = not. `covers`: rows that are silent while this one speaks for the same event. `uses`: limits of other rows that it is judged by too, as (name here, row, key).
    `escalates`:
    (seconds active, priority). `arms_with`: a metric that must have been valid once for this patient. `pulse_hold_s`: the longest wait
    while a pulse is measured, `pulse_over`: one faster than this limit. `on` False: off by default. `sound` False: picture only. `group`: the melody's cause.
    Its words are "alarm.<name>" and "alarm.<name>.check".
    """

    name: str
    priority: Priority
    condition: Condition
    delay: Delay = Delay()
    off_s: float = 0.0
    latch_s: float = 0.0
    limits: tuple[Limit, ...] = ()
    uses: tuple[tuple[str, str, str], ...] = ()
    covers: tuple[str, ...] = ()
    escalates: tuple[tuple[float, Priority], ...] = ()
    arms_with: str = ""
    pulse_hold_s: float = 0.0
    pulse_over: str = ""
    on: bool = True
    sound: bool = True
    group: str = "cardiac"
    about: About = About.PATIENT

    @property
    def text(self) -> str:
        """Word key."""
        return f"alarm.{self.name}"

    @property
    def may_be_off(self) -> bool:
        """Whether a person may switch it off: never what is, or may become, of high priority."""
        return self.priority is not Priority.HIGH and all(p is not Priority.HIGH for _, p in self.escalates)
