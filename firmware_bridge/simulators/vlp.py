"""Four devices that speak VLP: a CPAP, an oxygen concentrator, an oximeter and a 12-lead ECG."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import ClassVar

import numpy as np

from firmware_bridge.simulators.board import Nanos, quantised
from firmware_bridge.simulators.concentrator import Concentrator
from firmware_bridge.simulators.patient import Patient
from firmware_bridge.simulators.source import (
    AIRWAY_PRESSURE,
    BED_A,
    BED_B,
    ELECTRODES,
    FLOW,
    LEADS,
    OXYGEN,
    PLETH,
    Numbers,
    Rows,
)
from firmware_bridge.simulators.vlp_device import DICTIONARY, VlpDevice
from firmware_bridge.vlp import messages
from firmware_bridge.vlp.messages import BITS, CODE, TYPES, Entry, Offer
from firmware_bridge.vlp.wire import Type

U8, I16, I32 = 0, 1, 2
NO_VALUE = -(2**15)

CPAP_MODES = ("Standby", "CPAP")
CPAP_EVENTS = ("", "obstructive_apnoea", "central_apnoea", "hypopnoea")
ALARM_CODES = ("", "LOW_O2", "NO_FLOW", "LOW_BATTERY")


def _wave(ch: int, rate_hz: float, lsb: float, name: str, unit: str) -> Entry:
    return Entry(ch, I16, 0, rate_hz, lsb, 0.0, 0.0, name, unit)


def _number(ch: int, lsb: float, name: str, unit: str) -> Entry:
    return Entry(ch, I16, 0, 1.0 if name == "leak" else 0.0, lsb, 0.0, 0.0, name, unit)


def _hours(ch: int, name: str) -> Entry:
    return Entry(ch, I32, 0, 0.0, 0.01, 0.0, 0.0, name, "h")


def _state(ch: int, name: str, words: tuple[str, ...]) -> Entry:
    return Entry(ch, U8, CODE, 0.0, 1.0, 0.0, 0.0, name, "|".join(words))


class _Machine(VlpDevice):
    """What the four share: sampled channels of 16 bits, and numbers and states each second."""

    def _begin(self, now_ns: Nanos) -> None:
        self._blocks = 0
        self._electrodes_told: frozenset[str] | None = None
        super()._begin(now_ns)

    def _encode(self, rows: Rows) -> bytes:
        out = self._before(rows) + self._waves(rows)
        self._blocks += 1
        if (self._blocks - 1) % max(1, round(self.rate_hz / self.BLOCK)) == 0:
            said = self._said(self._source.numbers)
            out += [self._event(ch, said[ch]) for ch in sorted(said)]
        return b"".join(out)

    def _before(self, rows: Rows) -> list[bytes]:  # noqa: ARG002 - only the ECG has electrodes
        """Frames that come before the samples they hold for."""
        return []

    @abstractmethod
    def _waves(self, rows: Rows) -> list[bytes]:
        """The frames of sampled channels."""

    @abstractmethod
    def _said(self, numbers: Numbers) -> dict[int, float | None]:
        """Numbers (in the channel's unit) and states (the place of their word), by channel."""

    def _hours_run(self, before: float) -> float:
        """The counter of a machine that had run for so many hours when it was switched on."""
        return before + self._rows / self.rate_hz / 3600

    def _counts(self, ch: int, values: Rows) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
        """Values in a channel's unit as it sends them."""
        scale = next(e.scale for e in self.entries if e.ch == ch)
        return quantised(values, 1 / scale, NO_VALUE + 1, -NO_VALUE - 1).astype("<i2")

    def _channel(self, ch: int, values: Rows) -> bytes:
        return self._seal(
            Type.SAMPLES, messages.samples(DICTIONARY, ch, self.device_us, self._counts(ch, values))
        )

    def _together(self, ch: int, values: list[Rows]) -> bytes:
        counts = np.stack([self._counts(ch + k, column) for k, column in enumerate(values)], axis=1)
        return self._seal(Type.ROWS, messages.rows(DICTIONARY, ch, self.device_us, counts))

    def _event(self, ch: int, value: float | None) -> bytes:
        entry = next(e for e in self.entries if e.ch == ch)
        raw = NO_VALUE if value is None else round(value / entry.scale)
        return self._seal(
            Type.SAMPLES,
            messages.samples(DICTIONARY, ch, self.device_us, np.array([raw]).astype(TYPES[entry.type])),
        )


class VlpCpap(_Machine):
    """A CPAP at a patient's mask: flow and pressure at 25 Hz, numbers each second; pressure and humidity can be set."""

    kind: ClassVar[str] = "vlp_cpap"
    RATE_HZ: ClassVar[float] = 25.0
    BLOCK: ClassVar[int] = 5
    NAME: ClassVar[str] = "VT-30"
    SERIAL: ClassVar[str] = "CPAP-2301-9912"
    ENTRIES: ClassVar[tuple[Entry, ...]] = (
        _wave(0, 25.0, 0.002, "flow", "L/s"),
        _wave(1, 25.0, 0.01, "pressure", "cmH2O"),
        _number(2, 0.1, "leak", "L/min"),
        _number(3, 0.1, "respiration_rate", "/min"),
        _number(4, 1.0, "tidal_volume", "mL"),
        _number(5, 0.01, "minute_volume", "L/min"),
        _number(6, 0.01, "set_pressure", "cmH2O"),
        _number(7, 1.0, "humidity", "1"),
        _state(8, "mode", CPAP_MODES),
        _state(9, "mask", ("off", "on")),
        _state(10, "event", CPAP_EVENTS),
        _number(11, 0.01, "pressure", "cmH2O"),
        _hours(12, "hours"),
    )
    OFFERS: ClassVar[tuple[Offer, ...]] = (
        Offer(1, 4_000, 20_000, 200, 10_000, "target_pressure", "cmH2O"),
        Offer(2, 0, 5_000, 1_000, 2_000, "humidity_level", "1"),
    )

    def _begin(self, now_ns: Nanos) -> None:
        self._pressures: deque[float] = deque(maxlen=max(1, round(self.rate_hz / self.BLOCK)))
        super()._begin(now_ns)
        if isinstance(self.body, Patient) and self.body.lungs.machine_on:
            pressure = round(self.body.lungs.cpap_cm_h2o / 0.2) * 200
            self._remember("target_pressure", pressure)

    def _waves(self, rows: Rows) -> list[bytes]:
        self._pressures.append(float(rows[:, AIRWAY_PRESSURE].mean()))
        return [self._channel(0, rows[:, FLOW]), self._channel(1, rows[:, AIRWAY_PRESSURE])]

    def _said(self, numbers: Numbers) -> dict[int, float | None]:
        word = str(numbers.event)
        return {
            2: numbers.leak_lpm,
            3: numbers.breaths_per_minute,
            4: numbers.tidal_volume_ml,
            5: numbers.minute_volume_lpm,
            6: numbers.set_pressure_cm_h2o,
            7: self.setting("humidity_level"),
            8: 0 if numbers.mask_on is None else 1,
            9: int(bool(numbers.mask_on)),
            10: CPAP_EVENTS.index(word) if word in CPAP_EVENTS else 0,
            11: sum(self._pressures) / len(self._pressures),  # over the second
            12: self._hours_run(4_321.0),
        }

    def _refuses(self, name: str, value: int) -> str:  # noqa: ARG002 - any pressure is refused
        if not isinstance(self.body, Patient):
            return "a recording is played"
        lungs = self.body.lungs
        if name == "target_pressure" and lungs.machine_on and not lungs.mask_on:
            return "the mask is off"
        return ""

    def _apply(self, name: str, value: float) -> None:
        if name == "target_pressure" and isinstance(self.body, Patient):
            self.body.lungs.cpap_cm_h2o = value


class VlpOxygen(_Machine):
    """An oxygen concentrator: purity, flow and both beds at 50 Hz, numbers each second; flow and night mode can be set."""

    kind: ClassVar[str] = "vlp_oxygen"
    RATE_HZ: ClassVar[float] = 50.0
    BLOCK: ClassVar[int] = 10
    NAME: ClassVar[str] = "OC-5"
    SERIAL: ClassVar[str] = "OXY-8844-5521"
    ENTRIES: ClassVar[tuple[Entry, ...]] = (
        _wave(0, 50.0, 0.01, "purity", "%"),
        _wave(1, 50.0, 0.001, "flow", "L/min"),
        _wave(2, 50.0, 0.02, "bed_a", "kPa"),
        _wave(3, 50.0, 0.02, "bed_b", "kPa"),
        _number(4, 0.1, "purity", "%"),
        _number(5, 0.1, "flow", "L/min"),
        _number(6, 0.1, "temperature", "degC"),
        _number(7, 1.0, "battery", "%"),
        _state(8, "alarm_code", ALARM_CODES),
        _state(9, "night_mode", ("off", "on")),
        _number(10, 0.1, "set_flow", "L/min"),
        _hours(11, "o2_hours"),
    )
    OFFERS: ClassVar[tuple[Offer, ...]] = (
        Offer(1, 500, 10_000, 500, 5_000, "flow_rate", "L/min"),
        Offer(2, 0, 1_000, 1_000, 0, "night_mode", "1"),
    )

    def _begin(self, now_ns: Nanos) -> None:
        super()._begin(now_ns)
        if isinstance(self.body, Concentrator):
            self._remember("flow_rate", round(self.body.flow_lpm / 0.5) * 500)

    def _waves(self, rows: Rows) -> list[bytes]:
        columns = [rows[:, OXYGEN], 60 * rows[:, FLOW], rows[:, BED_A], rows[:, BED_B]]
        return [self._together(0, columns)]

    def _said(self, numbers: Numbers) -> dict[int, float | None]:
        alarm = numbers.alarm_code
        return {
            4: numbers.oxygen_pct,
            5: numbers.oxygen_flow_lpm,
            6: numbers.gas_temperature_c,
            7: numbers.battery_pct,
            8: ALARM_CODES.index(alarm) if alarm in ALARM_CODES else 0,
            9: self.setting("night_mode"),
            10: self.setting("flow_rate"),
            11: self._hours_run(8_765.0),
        }

    def _refuses(self, name: str, value: int) -> str:
        if not isinstance(self.body, Concentrator):
            return "a recording is played"
        if name == "flow_rate" and value < 1000 * self.body.flow_lpm and self.body.numbers.alarm_code:
            return f"alarm {self.body.numbers.alarm_code}"
        return ""

    def _apply(self, name: str, value: float) -> None:
        if name == "flow_rate" and isinstance(self.body, Concentrator):
            self.body.flow_lpm = value


class VlpOximeter(_Machine):
    """An oximeter: the pleth at 75 Hz, saturation, pulse and perfusion each second."""

    kind: ClassVar[str] = "vlp_oximeter"
    RATE_HZ: ClassVar[float] = 75.0
    BLOCK: ClassVar[int] = 15
    NAME: ClassVar[str] = "PX-1"
    SERIAL: ClassVar[str] = "SPO-6120-0177"
    ENTRIES: ClassVar[tuple[Entry, ...]] = (
        _wave(0, 75.0, 0.001, "pleth", "1"),
        _number(1, 1.0, "spo2", "%"),
        _number(2, 1.0, "pulse_rate", "bpm"),
        _number(3, 0.01, "perfusion_index", "%"),
        _state(4, "signal", ("", "finger out", "weak")),
    )

    def _waves(self, rows: Rows) -> list[bytes]:
        return [self._channel(0, rows[:, PLETH])]

    def _said(self, numbers: Numbers) -> dict[int, float | None]:
        perfusion = numbers.perfusion_pct
        pulse = numbers.heart_rate_bpm if numbers.pulse_bpm is None else numbers.pulse_bpm
        signal = 1 if numbers.spo2_pct is None else (2 if perfusion is not None and perfusion < 0.2 else 0)
        return {
            1: numbers.spo2_pct,
            2: None if numbers.spo2_pct is None else pulse,
            3: perfusion,
            4: signal,
        }


class VlpEcg(_Machine):
    """A 12-lead ECG: I, II and V1 to V6 at 500 Hz with 1 uV a count, and which of the ten electrodes are attached."""

    kind: ClassVar[str] = "vlp_ecg"
    RATE_HZ: ClassVar[float] = 500.0
    BLOCK: ClassVar[int] = 20
    NAME: ClassVar[str] = "E-12"
    SERIAL: ClassVar[str] = "ECG-7711-0045"
    ENTRIES: ClassVar[tuple[Entry, ...]] = (
        *(_wave(ch, 500.0, 0.001, lead, "mV") for ch, lead in enumerate(LEADS)),
        Entry(8, I16, BITS, 0.0, 1.0, 0.0, 0.0, "electrodes", "|".join(ELECTRODES)),
        _number(9, 1.0, "heart_rate", "bpm"),
    )

    def _before(self, rows: Rows) -> list[bytes]:  # noqa: ARG002 - it holds for them all
        off = self._source.electrodes_off
        if off == self._electrodes_told:
            return []
        self._electrodes_told = off
        return [self._event(8, self._attached())]

    def _attached(self) -> int:
        off = self._source.electrodes_off
        return sum(1 << place for place, name in enumerate(ELECTRODES) if name not in off)

    def _waves(self, rows: Rows) -> list[bytes]:
        return [self._together(0, [rows[:, lead] for lead in range(len(LEADS))])]

    def _said(self, numbers: Numbers) -> dict[int, float | None]:
        # The electrodes are said again each second, for whoever began to listen late.
        return {8: self._attached(), 9: numbers.heart_rate_bpm}
