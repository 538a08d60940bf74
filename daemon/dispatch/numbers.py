"""The numbers of a bed as they are told every second: what was last said, and null for what is absent or too old."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daemon.model.arrhythmias import BY_RHYTHM
from daemon.model.findings import Grade, Metric, Quality, Rhythm
from daemon.model.signals import DeviceSeen, DeviceStatus, LinkState, Nanos, Quantity, Reading, SampleBlock

Told = tuple[str, str, dict[str, Any]]
"""Message, serial number, body."""

STALE_NS: Nanos = 3_000_000_000
"""What was said longer ago than this is not told any more; so long after its last sample a device's numbers are all null."""

THERE = {LinkState.STREAMING, LinkState.STALLED, LinkState.SILENT}
"""A device in one of these states is told of, with nulls where it says nothing."""

_OF_ALL = {"", "global", "ecg"}

_ECG = {
    "heart_rate": ("heart_rate_bpm", 1),
    "rr_interval": ("rr_ms", 1),
    "pr_interval": ("pr_ms", 1),
    "qrs_duration": ("qrs_ms", 1),
    "qt_interval": ("qt_ms", 1),
    "qtc_bazett": ("qtc_ms", 1),
    "qrs_axis": ("qrs_axis_deg", 0),
    "p_axis": ("p_axis_deg", 0),
    "t_axis": ("t_axis_deg", 0),
    "sdnn": ("hrv_sdnn_ms", 1),
    "rmssd": ("hrv_rmssd_ms", 1),
    "respiration_rate": ("respiration_rate_per_min", 1),
}
"""Name of a Metric -> field of ecg.metrics/1, decimals. Heart rate and RR are of whichever lead is the best, the others of all."""

_BEST_LEAD = {"heart_rate", "rr_interval"}
_ST, _ST_OFFSET_MS = "st_j60", 60

_DEVICES = {
    "spo2": ("oximeter.metrics/1", "spo2_pct"),
    "pulse_rate": ("oximeter.metrics/1", "pulse_bpm"),
    "perfusion_index": ("oximeter.metrics/1", "perfusion_pct"),
    "cpap_pressure": ("cpap.metrics/1", "pressure_cm_h2o"),
    "cpap_leak": ("cpap.metrics/1", "leak_rate_lpm"),
    "cpap_respiration_rate": ("cpap.metrics/1", "respiratory_rate_per_min"),
    "o2_purity": ("oxygen.metrics/1", "oxygen_purity_pct"),
    "o2_flow": ("oxygen.metrics/1", "flow_rate_lpm"),
    "o2_temperature": ("oxygen.metrics/1", "temperature_c"),
    "o2_battery": ("oxygen.metrics/1", "battery_pct"),
}
"""Name of a Reading -> message, field."""

_WORDS = {"mode": ("cpap.metrics/1", "mode"), "alarm_code": ("oxygen.metrics/1", "alarm_code")}
"""Name of a device's own word -> message, field; "" is told as null."""

_FIELDS = {
    message: [field for m, field in (*_DEVICES.values(), *_WORDS.values()) if m == message]
    for message in dict.fromkeys(m for m, _ in _DEVICES.values())
}


class EcgNumbers:
    """Of one bed's ECG: the stream that has ECG channels; the newest one where there are several."""

    def __init__(self, *, demo: bool) -> None:
        self._demo = demo
        self._leads: tuple[str, ...] = ()
        self.serial = ""
        self._rate_hz = 0.0
        self._sampled_ns: Nanos | None = None
        self._states: dict[str, LinkState] = {}
        self._numbers: dict[str, Metric] = {}
        self._st: dict[str, Metric] = {}
        self._grades: dict[str, Grade] = {}
        self._rhythms: dict[str, Rhythm] = {}

    @property
    def heart_rate(self) -> float | None:
        """The newest heart rate, bpm."""
        return self._value("heart_rate", 1)

    @property
    def lead(self) -> str:
        """The lead to look at: the one that rates come from, else II, else the first there is ("" = none)."""
        rate = self._numbers.get("heart_rate")
        if rate is not None and rate.lead not in _OF_ALL:
            return rate.lead
        return "II" if "II" in self._leads else next(iter(self._leads), "")

    def samples(self, block: SampleBlock) -> None:
        stream = block.segment.stream
        leads = tuple(c.name for c in stream.channels if c.quantity is Quantity.ECG)
        if leads:
            self.serial, self._rate_hz, self._leads = stream.device, stream.rate_hz, leads
            self._sampled_ns = block.arrived_ns

    def device(self, seen: DeviceSeen) -> None:
        self._states[seen.device] = seen.state

    def metric(self, metric: Metric) -> None:
        if metric.name == _ST:
            self._st[metric.lead] = metric
        elif metric.name in _BEST_LEAD or metric.lead in _OF_ALL:
            self._numbers[metric.name] = metric

    def quality(self, quality: Quality) -> None:
        self._grades[quality.lead] = quality.grade

    def rhythm(self, rhythm: Rhythm) -> None:
        if rhythm.end_ns is None:
            self._rhythms.pop(rhythm.label, None)
            self._rhythms[rhythm.label] = rhythm
        else:
            self._rhythms.pop(rhythm.label, None)

    def told(self, t_ns: Nanos) -> list[Told]:
        """The message of the second that begins at `t_ns`; none where there is no ECG device."""
        if self._sampled_ns is None:
            return []
        streams = t_ns - self._sampled_ns <= STALE_NS
        if not streams and self._states.get(self.serial) not in THERE:
            return []
        return [("ecg.metrics/1", self.serial, self._body(streams=streams))]

    def _body(self, *, streams: bool) -> dict[str, Any]:
        grades = self._grades if streams else dict.fromkeys(self._grades, Grade.OFF)
        label = next(reversed(self._rhythms), None)
        st = {lead: m.value for lead, m in self._st.items() if m.value is not None}
        return {
            **{
                field: self._value(name, digits) if streams else None
                for name, (field, digits) in _ECG.items()
            },
            "qtc_method": "bazett",
            "st_uv": {lead: round(float(mv) * 1000) for lead, mv in st.items()} if streams else {},
            "st_offset_ms": _ST_OFFSET_MS,
            "rhythm": label if streams else None,
            "arrhythmias": sorted({BY_RHYTHM[r] for r in self._rhythms if r in BY_RHYTHM})
            if streams
            else None,
            "signal_quality": grades.get("global", Grade.OFF).value,
            "leads_quality": {lead: grade.value for lead, grade in grades.items() if lead != "global"},
            "is_recording": streams,
            "demo_mode": self._demo,
            "sampling_rate_hz": self._rate_hz,
        }

    def _value(self, name: str, digits: int) -> float | None:
        metric = self._numbers.get(name)
        return None if metric is None or metric.value is None else round(float(metric.value), digits)


class DeviceNumbers:
    """Of the devices that give numbers of their own: oximeters, CPAP, oxygen."""

    def __init__(self) -> None:
        self._seen: dict[str, DeviceSeen] = {}
        self._readings: dict[str, dict[str, Reading]] = {}
        self._words: dict[str, dict[str, str]] = {}

    def device(self, seen: DeviceSeen) -> None:
        if seen.device:
            self._seen[seen.device] = seen

    def reading(self, reading: Reading) -> None:
        if reading.name in _DEVICES:
            self._readings.setdefault(reading.device, {})[reading.name] = reading

    def status(self, status: DeviceStatus) -> None:
        if status.name in _WORDS:
            self._words.setdefault(status.device, {})[status.name] = status.text

    def told(self, t_ns: Nanos) -> list[Told]:
        """A message a device and service for the second that begins at `t_ns`."""
        return [
            (message, device, self._body(message, device, readings, t_ns))
            for device, readings in self._readings.items()
            if self._there(device, readings, t_ns)
            for message in dict.fromkeys(_DEVICES[name][0] for name in readings)
        ]

    def _there(self, device: str, readings: Mapping[str, Reading], t_ns: Nanos) -> bool:
        seen = self._seen.get(device)
        fresh = any(t_ns - reading.t_ns <= STALE_NS for reading in readings.values())
        return fresh or (seen is not None and seen.state in THERE)

    def _body(
        self, message: str, device: str, readings: Mapping[str, Reading], t_ns: Nanos
    ) -> dict[str, Any]:
        body: dict[str, Any] = dict.fromkeys(_FIELDS[message])
        for name, reading in readings.items():
            of, field = _DEVICES[name]
            if of == message and reading.value is not None and t_ns - reading.t_ns <= STALE_NS:
                body[field] = round(float(reading.value), 3)
        silent = all(value is None for value in body.values())
        for name, text in self._words.get(device, {}).items():
            of, field = _WORDS[name]
            if of == message and not silent:
                body[field] = text or None
        seen = self._seen.get(device)
        if message == "cpap.metrics/1":
            body["firmware"] = seen.firmware if seen else ""
        if message == "oxygen.metrics/1":
            body["status"] = "offline" if silent else "online"
        return body
