"""An oximeter's own numbers as they come: each second is judged when one after it has begun.

Of several oximeters the one that gave a value is followed; another takes over when it has given none for ten seconds. A
device that speaks more seldom than every second holds its value for up to four.
"""

from __future__ import annotations

from daemon.dsp.oximetry.desaturation import DEPTHS, Artefacts, Desaturations, Fall
from daemon.model.findings import LIVE_STEP_NS, Event, Evidence, Finding, Metric, Why
from daemon.model.signals import DeviceStatus, Nanos, Reading
from daemon.units import OBSERVABLES

SECOND_NS: Nanos = 1_000_000_000
SPO2, PERFUSION = "spo2", "perfusion_index"
RULE = "desaturation/1"
HELD_S, GIVES_UP_S = 4, 10
EVERY_S = 60  # seconds between what the night has come to
MOST_S = 3600  # of silence that is gone through second by second
UNWELL = {"search", "finger out", "weak"}  # words of an oximeter that go with no valid value


class Oximetry:
    """Takes Readings and Ticks of one bed. A finding here comes from no samples: its evidence names the device alone."""

    def __init__(self) -> None:
        self._device = ""
        self._valid_ns: Nanos | None = None
        self.begin()

    def begin(self) -> None:
        """A new patient."""
        self._second: int | None = None
        self._value: float | None = None
        self._heard = 0
        self._perfusion: float | None = None
        self._unwell = False
        self._artefacts = Artefacts()
        self._falls = Desaturations()

    def reading(self, reading: Reading) -> list[Finding]:
        """One of the device's numbers; those that are no oximeter's pass by."""
        if reading.name not in {SPO2, PERFUSION} or not self._followed(reading):
            return []
        found = self.passed(reading.t_ns)
        if reading.name == PERFUSION:
            self._perfusion = reading.value
            return found
        second = reading.t_ns // SECOND_NS
        if self._second is None or second >= self._second:
            self._second = second if self._second is None else self._second
            self._value, self._heard = reading.value, second
        return found

    def status(self, status: DeviceStatus) -> list[Finding]:
        """A word of the device on its signal, which holds from now on."""
        if status.name != "signal" or status.device != self._device:
            return []
        found = self.passed(status.t_ns)
        self._unwell = status.text in UNWELL
        return found

    def passed(self, t_ns: Nanos) -> list[Finding]:
        """Time has come to `t_ns`: judge the seconds that are over."""
        now, found = t_ns // SECOND_NS, list[Finding]()
        if self._second is None:
            return found
        if now - self._second > MOST_S:
            self._second, self._value = now, None
        while self._second < now:
            found += self._judge(self._second, t_ns)
            self._second += 1
        return found

    def _followed(self, reading: Reading) -> bool:
        if reading.device != self._device:
            waits = self._valid_ns is not None and reading.t_ns - self._valid_ns <= GIVES_UP_S * SECOND_NS
            if waits or reading.name != SPO2 or reading.value is None:
                return False
            self._device, self._perfusion, self._unwell = reading.device, None, False
        if reading.name == SPO2 and reading.value is not None:
            self._valid_ns = reading.t_ns
        return True

    def _judge(self, second: int, now_ns: Nanos) -> list[Finding]:
        held = second - self._heard < HELD_S and not self._unwell
        value = self._artefacts.step(self._value if held else None, self._perfusion)
        fall = self._falls.step(second, value)
        found: list[Finding] = [] if fall is None else [self._fell(fall, now_ns)]
        if second % EVERY_S == EVERY_S - 1 and self._falls.valid_s:
            found += self._night((second + 1) * SECOND_NS, now_ns)
        return found

    def _fell(self, fall: Fall, now_ns: Nanos) -> Event:
        numbers = (
            ("spo2_baseline", fall.baseline, "%"),
            ("spo2_lowest", fall.lowest, "%"),
            ("duration", float(fall.last - fall.first + 1), "s"),
        )
        return Event(
            fall.first * SECOND_NS, _due(now_ns), "desaturation", numbers, Evidence("", 0, 0, RULE), ""
        )

    def _night(self, t_ns: Nanos, now_ns: Nanos) -> list[Finding]:
        falls = self._falls
        values = {
            "odi3": falls.index(DEPTHS[0]),
            "odi4": falls.index(DEPTHS[1]),
            "spo2_baseline": falls.baseline,
            "spo2_lowest": falls.lowest,
            "spo2_below_90": 100 * falls.below_s[90] / falls.valid_s,
            "spo2_below_88": 100 * falls.below_s[88] / falls.valid_s,
        }
        return [
            Metric(
                t_ns,
                max(_due(now_ns), _due(t_ns)),
                name,
                value,
                OBSERVABLES[name].unit,
                Why.LEARNING if value is None else None,
                "",
                1.0,
                None,
            )
            for name, value in values.items()
        ]


def _due(t_ns: Nanos) -> Nanos:
    return -(-t_ns // LIVE_STEP_NS) * LIVE_STEP_NS
