"""Stores with something to report: recordings, and leads made for the purpose, through the analysis of the bed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.dsp.display import DisplaySettings
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.interpret import Tables
from daemon.dsp.pipeline import Pipeline
from daemon.model.signals import (
    TICK_NS,
    Channel,
    Command,
    DeviceSeen,
    LinkState,
    Quantity,
    Reading,
    SampleBlock,
    Segment,
    Stream,
    Tick,
)
from daemon.store.writer import Writer

S = 10**9
BOOT, BED = "boot-1", "1"
BEGAN_NS = 1000 * S
UTC_NS = 1_772_000_000 * S
"""UTC where the boot's time is 0."""

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
PATIENT = {
    "patient_id": "P-1017", "full_name": "Żółć Ñandú Ørsted", "birth_date": "1954-05-06", "age": 71, "gender": "female",
    "address": "", "phone": "", "registration_date": "2026-01-01", "age_on": None,
}  # fmt: skip


def stream_of(rate_hz: float, gain: float = 0.001, names: Iterable[str] = LEADS) -> Stream:
    return Stream("ECG-1", "ecg", rate_hz, tuple(Channel(n, Quantity.ECG, "mV", gain) for n in names))


async def write(
    path: Path,
    stream: Stream,
    counts: np.ndarray,
    *,
    patient: dict | None = PATIENT,
    analysed: bool = True,
    readings: Iterable[Reading] = (),
) -> str:
    """A session of these samples, admitted and discharged; its name."""
    now = [BEGAN_NS]
    writer = Writer(path, boot=BOOT, now=lambda: now[0], utc_offset_ns=UTC_NS, commit_every_s=0.02)
    await writer.start()
    segment = Segment("00000000-0000-4000-8000-000000000001", BED, stream, BOOT, 1, BEGAN_NS)
    pipeline = Pipeline(
        load_qrs_table(),
        DisplaySettings(),
        load_class_table(),
        Tables(load_waves_table(), load_rhythm_table()),
    )
    engine = AlarmEngine(Limits(), boot=BOOT)
    device = (
        BED,
        "ecg",
        "dm_ecg",
        stream.device,
        "Test ECG",
        "1.0",
        "",
        LinkState.STREAMING,
        BEGAN_NS,
        BEGAN_NS,
    )
    writer.offer(BED, DeviceSeen(*device))
    if patient is not None:
        values = (("patient", json.dumps(patient, ensure_ascii=False)),)
        writer.offer(BED, Command("admit-01", BEGAN_NS, BED, "nurse", "admit", values))
    period_ns = 1e9 / stream.rate_hz
    step = round(stream.rate_hz / 2)
    said = sorted(readings, key=lambda one: one.t_ns)
    for first in range(0, counts.shape[1], step):
        part = np.ascontiguousarray(counts[:, first : first + step], dtype=np.int32)
        t0_ns = BEGAN_NS + round(first * period_ns)
        end_ns = t0_ns + round(part.shape[1] * period_ns)
        block = SampleBlock(segment, first, t0_ns, period_ns, part, end_ns, 100.0)
        findings = pipeline.push(block) if analysed else []
        for finding in findings:
            engine.seen.collect(Tick(t0_ns), (finding,))
        writer.offer(BED, block, findings)
        while said and said[0].t_ns < end_ns:
            writer.offer(BED, said.pop(0))
        for t_ns in range(-(-t0_ns // TICK_NS) * TICK_NS, end_ns, TICK_NS):
            changes = engine.step(Tick(t_ns))
            if changes:
                writer.offer(BED, Tick(t_ns), (), changes)
        now[0] = end_ns
    writer.offer(BED, Command("discharge-01", now[0], BED, "nurse", "discharge", ()))
    await writer.stop()
    from daemon.store.reader import ask
    from daemon.store.recorded import sessions

    return ask(path, lambda r: sessions(r))[0].name
