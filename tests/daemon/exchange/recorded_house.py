"""A session written with the store's own writer: eight leads, numbers, beats, an alarm; with gaps, without a patient, as a demo."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from daemon.contracts.ecg.v1 import Metrics
from daemon.exchange.formats import Asked, Source, export
from daemon.exchange.stretch import found_session
from daemon.model.alarms import Change, ChangeKind, Priority
from daemon.model.findings import Beat, BeatClass, Evidence, Metric, Rhythm, Why
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import (
    Channel,
    Command,
    Gap,
    GapCause,
    Quantity,
    Reading,
    SampleBlock,
    Segment,
    Stream,
)
from daemon.store.writer import Writer

S = 10**9
UTC_NS = 1_736_339_696 * S  # 2025-01-08T12:34:56Z at t = 0
LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
ERIKA = {
    "patient_id": "MRN-77", "full_name": "Erika Müller-Žák", "birth_date": "1950-03-01", "age": 74, "gender": "Female",
    "address": "Hauptstr. 5, Berlin", "phone": "+49 30 1234567", "registration_date": "2025-01-01",
}  # fmt: skip
METRICS = {"signal_quality": "good", "is_recording": True, "demo_mode": False, "sampling_rate_hz": 500.0, "heart_rate_bpm": 75.0}  # fmt: skip
SERIAL = "ECG-7711-0045"
BOX = "BOX-0001-0042"
assert Metrics.model_validate(METRICS)


@dataclass
class Recorded:
    """Where it is, what was recorded: counts int32 (leads, n) by their place on the grid, and which of them were stored."""

    folder: Path
    database: Path
    name: str
    counts: np.ndarray
    present: np.ndarray
    rate_hz: float

    @property
    def source(self) -> Source:
        return Source(self.database, self.folder, BOX, "1.2.3")

    def made(self, form: str, to: str = "", **asked):
        """The path of an export, and what was said of it."""
        path = self.folder / (to or f"out-{form}")
        if form in {"wfdb", "csv"} and not to:
            path.mkdir(exist_ok=True)
        asked = {"zone": UTC, **asked}
        return path, export(self.source, Asked(self.name, form, **asked), path)


def stream(rate_hz: float, gain: float = 0.005, offset: float = 0.0, bits: int = 16, leads=LEADS) -> Stream:
    top = 2 ** (bits - 1) - 1
    channels = tuple(Channel(n, Quantity.ECG, "mV", gain, offset, -top, top) for n in leads)
    return Stream(SERIAL, "ecg", rate_hz, channels)


def walk(leads: int, n: int, seed: int = 1, scale: int = 1) -> np.ndarray:
    steps = np.random.default_rng(seed).integers(-9, 10, (leads, n)) * scale
    return np.clip(np.cumsum(steps, axis=1), -32000 * scale, 32000 * scale).astype(np.int32)


async def record(
    folder: Path,
    seconds: int = 12,
    *,
    rate_hz: float = 500.0,
    gaps: bool = False,
    patient: dict | None = ERIKA,
    demo: bool = False,
    utc_ns: int = UTC_NS,
    clock_is_set: bool = True,
    of: Stream | None = None,
    counts: np.ndarray | None = None,
    began_ns: int = 0,
) -> Recorded:
    """`gaps`: from 4 s on a fifth of a second is missing, and the device is away from 8 s to 9 s."""
    of = of or stream(rate_hz)
    n = round(seconds * rate_hz)
    counts = walk(len(of.channels), n) if counts is None else counts
    present = np.ones(n, np.bool_)
    path = folder / "vitald.db"
    writer = Writer(
        path, boot="b", now=lambda: began_ns + (seconds + 5) * S, utc_offset_ns=utc_ns - began_ns,
        clock_is_set=clock_is_set, commit_every_s=0.01, about={"os": "linux", "app_version": "1.0"},
    )  # fmt: skip
    await writer.start()
    if patient is not None:
        writer.offer(
            "1", Command("c-1", began_ns, "1", "nurse", "admit", (("patient", json.dumps(patient)),))
        )
    segment = Segment("s-1", "1", of, "b", 1, began_ns)
    metrics = {**METRICS, "demo_mode": demo, "sampling_rate_hz": rate_hz}
    period_ns = 1e9 / rate_hz
    shift = 0
    for second in range(seconds):
        at_ns = began_ns + second * S
        first, stop = round(second * rate_hz), round((second + 1) * rate_hz)
        if gaps and second == 4:
            lost = round(rate_hz / 5)
            writer.offer("1", Gap(segment, first, lost, at_ns, at_ns, GapCause.NOISE))
            present[first : first + lost] = False
            first += lost
        if gaps and second == 8:
            present[first:stop] = False
            continue
        if gaps and second == 9:
            segment, shift = Segment("s-2", "1", of, "b", 2, at_ns), first
        block = SampleBlock(
            segment, first - shift, began_ns + round(first * period_ns), period_ns,
            np.ascontiguousarray(counts[:, first:stop]), at_ns + S,
        )  # fmt: skip
        at = round(first + rate_hz / 4)
        evidence = Evidence(segment.id, at - shift, at - shift, "qrs/1")
        t_ns = began_ns + round(at * period_ns)
        found = [
            Beat(
                t_ns,
                t_ns,
                at - shift,
                BeatClass.VENTRICULAR if second == 3 else BeatClass.NORMAL,
                800.0,
                evidence,
            ),
            Metric(at_ns, at_ns, "heart_rate", 60.0 + second, "bpm", None, "II", 1.0, evidence),
            Metric(at_ns, at_ns, "qrs_duration", None, "ms", Why.NOISE, "global", 0.0, None)
            if second < 2
            else Metric(at_ns, at_ns, "qrs_duration", 92.0, "ms", None, "global", 1.0, evidence),
            Metric(at_ns, at_ns, "pr_interval", None, "ms", Why.NO_WAVE, "global", 0.0, None),
            Metric(at_ns, at_ns, "st_j", 0.12, "mV", None, "V2", 1.0, evidence),
        ]
        if second == 2:
            found.append(Rhythm(at_ns, at_ns, None, "AFIB", evidence))
        writer.offer(
            "1", block, found, outgoing=[Outgoing(at_ns, Lane.METRICS, "ecg.metrics/1", SERIAL, metrics)]
        )
        writer.offer("1", Reading("1", "OXI-1", "spo2", 97.0, "%", at_ns))
    began = Change(
        ChangeKind.BEGAN, began_ns + 3 * S, began_ns + 3 * S, "hr_high", occurrence="o-1", priority=Priority.HIGH,
        value=131.0, limit=120.0, unit="bpm", text="alarm.hr_high",
    )  # fmt: skip
    writer.offer("1", Command("c-3", began_ns + 3 * S, "1", "", "display"), (), [began])
    if patient is not None:
        writer.offer("1", Command("c-2", began_ns + seconds * S, "1", "nurse", "discharge"))
    await writer.stop(within_s=100.0)
    with closing(sqlite3.connect(path)) as db:
        name = db.execute("SELECT name FROM sessions ORDER BY id").fetchone()[0]
    assert found_session(path, name) is not None
    return Recorded(folder, path, name, counts, present, rate_hz)


def at(second: float) -> datetime:
    return datetime.fromtimestamp(UTC_NS / 1e9 + second, UTC)
