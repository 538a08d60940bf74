"""Numbers of a stretch, minute by minute: the median of what was measured, or why nothing was. Read a minute at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from daemon.exchange.stretch import Stretch
from daemon.model.signals import Nanos
from daemon.store.answers import StoredNumber

MINUTE_NS: Nanos = 60_000_000_000
_OF_BEST_LEAD = {"heart_rate", "rr_interval"}
_OF_ALL = {"", "global", "ecg"}


class Series(NamedTuple):
    """One measurement. `lead` "" where it is of all of them, or of whichever was best; `device` "" where it is ours."""

    name: str
    lead: str
    device: str
    unit: str


@dataclass(frozen=True, slots=True)
class Median:
    """Of `count` values; None where there was none, with the reason that was given most often."""

    value: float | None
    count: int
    why: str = ""


def minutes(stretch: Stretch, step_ns: Nanos = MINUTE_NS) -> Iterator[tuple[Nanos, dict[Series, Median]]]:
    """The minutes from the beginning on; a series of which nothing was said in a minute is not in it."""
    for begin_ns in range(stretch.t0_ns, stretch.t1_ns, step_ns):
        end_ns = min(begin_ns + step_ns, stretch.t1_ns)
        found: dict[Series, list[StoredNumber]] = {}
        for number in stretch.metrics(begin_ns, end_ns):
            found.setdefault(series_of(stretch, number), []).append(number)
        yield begin_ns, {series: _median(given) for series, given in sorted(found.items())}


def series_of(stretch: Stretch, number: StoredNumber) -> Series:
    lead = "" if number.lead in _OF_ALL or number.name in _OF_BEST_LEAD else number.lead
    return Series(number.name, lead, stretch.serial(number.device), number.unit)


def _median(given: list[StoredNumber]) -> Median:
    values = [number.value for number in given if number.value is not None]
    if values:
        return Median(float(median(values)), len(values))
    reasons = Counter(number.why or "" for number in given)
    return Median(None, 0, reasons.most_common(1)[0][0])
