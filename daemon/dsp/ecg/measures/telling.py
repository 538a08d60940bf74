"""When a measured number is said: at once when it is new, gone or back, when it has moved by its step, and once a minute.

Every lead has nine numbers, measured every five seconds; saying them all each time would tell, and store, noise.
"""

from __future__ import annotations

from collections.abc import Iterable

from daemon.dsp.ecg.measures.said import Value

EVERY_S = 60.0
STEPS = {
    "p_amplitude": 0.02,
    "q_amplitude": 0.05,
    "r_amplitude": 0.05,
    "s_amplitude": 0.05,
    "t_amplitude": 0.05,
    "st_j": 0.02,
    "st_j60": 0.02,
    "st_j80": 0.02,
    "st_slope": 0.5,
    "p_axis": 10.0,
    "qrs_axis": 5.0,
    "t_axis": 5.0,
    "respiration_rate": 0.0,
}
"""What a number must move by to be said before its minute is over, in its unit; what is not here is always said."""


class Telling:
    """Remembers what was said last, by name and lead: as many as there are of these."""

    def __init__(self, rate_hz: float) -> None:
        self._every = round(EVERY_S * rate_hz)
        self._said: dict[tuple[str, str], tuple[int, Value]] = {}

    def worth(self, due: int, values: Iterable[Value], *, all_of_them: bool = False) -> tuple[Value, ...]:
        """Those of `values` that are to be said with sample `due`."""
        told = []
        for value in values:
            before = self._said.get((value.name, value.lead))
            if not all_of_them and before is not None and not self._news(due, value, *before):
                continue
            self._said[value.name, value.lead] = (due, value)
            told.append(value)
        return tuple(told)

    def _news(self, due: int, value: Value, when: int, last: Value) -> bool:
        if due - when >= self._every or value.why is not last.why:
            return True
        if value.value is None or last.value is None:
            return False
        return abs(value.value - last.value) >= STEPS.get(value.name, 0.0)
