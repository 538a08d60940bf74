"""Three minutes of an ECG that ended just now, with a gap of known length, heart rates, an alarm and what was done: for pages of the past."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.model.findings import Beat, BeatClass, Evidence, Metric
from daemon.model.signals import (
    TICK_NS,
    Channel,
    Command,
    Gap,
    GapCause,
    Quantity,
    SampleBlock,
    Segment,
    Stream,
    Tick,
)
from daemon.store.writer import Writer

S = 1_000_000_000
RATE, SECONDS, BPM = 250, 180, 60
GAP_S = (60, 75)
FAST_S = (100, 140)
ENDED_S_AGO = 20
CHANNELS = tuple(Channel(name, Quantity.ECG, "mV", 0.005) for name in ("I", "II", "V1"))
BEGAN = 1000 * S


async def write_minutes(path: Path) -> int:
    """Write it as a daemon does; gives UTC (ms) of its beginning."""
    utc_ms = round(time.time() * 1000) - 1000 * (SECONDS + ENDED_S_AGO)
    segment = Segment("segment-1", "1", Stream("ECG-1", "ecg", float(RATE), CHANNELS), "boot-1", 1, BEGAN)
    engine = AlarmEngine(Limits(), boot="boot-1")
    now_ns = BEGAN + SECONDS * S
    offset_ns = utc_ms * 1_000_000 - BEGAN
    writer = Writer(path, boot="boot-1", now=lambda: now_ns, utc_offset_ns=offset_ns)
    await writer.start()
    patient = '{"patient_id":"p-1","full_name":"Ada Byron"}'
    admit = Command("act-0001", BEGAN, "1", "AK", "admit", (("patient", patient),))
    writer.offer("1", admit, ())
    for second in range(SECONDS):
        t_ns, first = BEGAN + second * S, second * RATE
        if GAP_S[0] <= second < GAP_S[1]:
            if second == GAP_S[0]:
                n = (GAP_S[1] - GAP_S[0]) * RATE
                writer.offer("1", Gap(segment, first, n, t_ns, t_ns, GapCause.NOISE), ())
            continue
        t = np.arange(RATE) / RATE
        beat = np.exp(-0.5 * ((t - 0.5) / 0.02) ** 2)
        counts = np.round(np.outer((0.6, 1.0, -0.8), beat) / 0.005).astype(np.int32)
        block = SampleBlock(segment, first, t_ns, S / RATE, counts, t_ns + S, 0.0)
        bpm = 150.0 if FAST_S[0] <= second < FAST_S[1] else float(BPM)
        at = t_ns + S // 2
        mark = Evidence(segment.id, first + RATE // 2, first + RATE // 2, "qrs/1")
        ten = Evidence(segment.id, max(0, first - 9 * RATE), first + RATE - 1, "rate/1")
        found = (
            Beat(at, at, first + RATE // 2, BeatClass.NORMAL, 1000.0, mark),
            Metric(t_ns + S, t_ns + S, "heart_rate", bpm, "bpm", None, "II", 1.0, ten),
        )
        writer.offer("1", block, found, engine.step(block, found))
        for k in range(1, 11):
            tick = Tick(t_ns + k * TICK_NS)
            writer.offer("1", tick, (), engine.step(tick))
    await writer.stop()
    return utc_ms
