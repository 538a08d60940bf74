"""Devices that are no ECG, as the box tells of them: numbers, words, waves. For a Feeder's `others`."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from daemon.control.attached import DeviceState, SettableState, StatusState, WaveState
from daemon.control.messages import (
    MetricState,
)
from daemon.control.waves import encode_waves
from daemon.model.findings import DisplayBlock
from daemon.model.signals import Channel, Quantity, Segment, Stream

S = 1_000_000_000

FLOW = (
    Channel("flow", Quantity.FLOW, "L/s", 0.001),
    Channel("pressure", Quantity.AIRWAY_PRESSURE, "cmH2O", 0.01),
)
PLETH = (Channel("pleth", Quantity.PLETH, "1", 1.0, 0.0, 0, 255),)


def _breathing(t: np.ndarray) -> np.ndarray:
    breath = np.sin(2 * np.pi * 0.25 * t)
    return np.stack([32 * breath, 9.6 - 0.6 * breath])


def _pulsing(t: np.ndarray) -> np.ndarray:
    phase = (t / 0.8) % 1
    return (
        90
        + 120 * np.exp(-0.5 * ((phase - 0.3) / 0.12) ** 2)
        + 35 * np.exp(-0.5 * ((phase - 0.62) / 0.1) ** 2)
    )[None]


@dataclass
class Attached:
    """One device: `numbers` name -> (value, unit), `words` name -> text, and what it draws. Change them at will."""

    label: str
    serial: str
    kind: str
    numbers: dict[str, tuple[float | None, str]]
    words: dict[str, str] = field(default_factory=dict)
    settable: tuple[SettableState, ...] = ()
    stream: Stream | None = None
    units: tuple[str, ...] = ()
    shape: object = None
    index: int = 0
    link: str = "streaming"
    silent: bool = False  # says no number any more
    said_ns: int = 0
    drawn: int = 0

    def device(self, since_ns: int) -> DeviceState:
        return DeviceState(
            label=self.label,
            kind=self.kind,
            title=self.kind.upper(),
            device=self.serial,
            firmware="1.2",
            port=f"/dev/tty{self.label.upper()}",
            state=self.link,
            since_ns=since_ns,
            rate_hz=self.stream.rate_hz if self.stream else 0.0,
            drift_ppm=None,
            bytes_in=1,
            bytes_damaged=0,
            samples_lost=0,
            settable=self.settable,
        )

    def metrics(self, now_ns: int) -> dict[str, MetricState]:
        if not self.silent:
            self.said_ns = now_ns
        return {
            name: MetricState(
                value=value,
                unit=unit,
                t_ns=self.said_ns,
                why=None if value is not None else "not_given",
                lead=self.serial,
            )
            for name, (value, unit) in self.numbers.items()
        }

    def statuses(self, now_ns: int) -> tuple[StatusState, ...]:
        return tuple(
            StatusState(device=self.serial, name=name, text=text, t_ns=now_ns)
            for name, text in self.words.items()
        )

    def waves(self) -> WaveState | None:
        if self.stream is None:
            return None
        return WaveState(
            leads=tuple(channel.name for channel in self.stream.channels),
            rate_hz=self.stream.rate_hz,
            chain=(),
            segment=f"{self.serial}-1",
            index=self.index,
            device=self.serial,
            units=self.units,
            quantities=tuple(channel.quantity.value for channel in self.stream.channels),
        )

    def frame(self, began_ns: int, now_ns: int) -> bytes | None:
        """What has been sampled since the last frame."""
        if self.stream is None or self.link != "streaming":
            return None
        due = int((now_ns - began_ns) * self.stream.rate_hz / S)
        if due <= self.drawn:
            return None
        period_ns = 1e9 / self.stream.rate_hz
        first = max(self.drawn, due - 1000)
        values = self.shape(np.arange(first, due) / self.stream.rate_hz).astype(np.float32)
        segment = Segment(f"{self.serial}-1", "1", self.stream, "boot-1", 1, began_ns)
        t0_ns = began_ns + round(first * period_ns)
        leads = tuple(channel.name for channel in self.stream.channels)
        self.drawn = due
        block = DisplayBlock(segment, first, t0_ns, period_ns, t0_ns, leads, values, (), self.units)
        return encode_waves(self.index, block)


def cpap() -> Attached:
    numbers = {
        "cpap_pressure": (9.6, "cmH2O"),
        "cpap_leak": (12.0, "L/min"),
        "cpap_respiration_rate": (15.0, "/min"),
        "cpap_tidal_volume": (480.0, "mL"),
        "cpap_minute_volume": (7.2, "L/min"),
        "cpap_ahi": (2.4, "/h"),
        "cpap_set_pressure": (10.0, "cmH2O"),
        "cpap_humidity": (3.0, "1"),
    }
    settable = (
        SettableState(name="target_pressure", unit="cmH2O", low=4, high=20, step=0.5),
        SettableState(name="humidity_level", unit="1", low=0, high=5, step=1),
        SettableState(name="night_mode", unit="1", low=0, high=1, step=1),
    )
    return Attached(
        "cpap",
        "CPAP-2301-9912",
        "vlp",
        numbers,
        {"mode": "AutoCPAP", "mask": "on"},
        settable,
        Stream("CPAP-2301-9912", "flow", 25.0, FLOW),
        ("L/min", "cmH2O"),
        _breathing,
        101,
    )


def oximeter() -> Attached:
    numbers = {"spo2": (97.0, "%"), "pulse_rate": (75.0, "bpm"), "perfusion_index": (4.2, "%")}
    return Attached(
        "oximeter",
        "OXI-1",
        "nonin",
        numbers,
        {"signal": ""},
        (),
        Stream("OXI-1", "pleth", 75.0, PLETH),
        ("1",),
        _pulsing,
        102,
    )


def oxygen() -> Attached:
    numbers = {
        "o2_purity": (93.2, "%"),
        "o2_flow": (2.5, "L/min"),
        "o2_temperature": (37.0, "degC"),
        "o2_battery": (88.0, "%"),
        "o2_hours": (1204.0, "h"),
    }
    settable = (SettableState(name="flow_rate", unit="L/min", low=0.5, high=5, step=0.5),)
    return Attached("o2", "OXY-8844-5521", "vlp", numbers, {"alarm_code": ""}, settable)
