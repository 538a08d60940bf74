"""A bed whose past is in a store: samples, what analysis said of them, and what the alarm engine made of that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.model.findings import Beat, BeatClass, Evidence, Finding, Metric, Rhythm
from daemon.model.signals import (
    TICK_NS,
    Channel,
    Command,
    DeviceSeen,
    LinkState,
    Quantity,
    SampleBlock,
    Segment,
    Stream,
    Tick,
)
from daemon.store.writer import Writer

S = 1_000_000_000
BOOT, BED, RATE = "boot-1", "1", 250
UTC_NS = 1_700_000_000 * S
"""UTC of the boot's beginning."""

CHANNELS = tuple(Channel(name, Quantity.ECG, "mV", 0.005) for name in ("I", "II", "V1"))


class Past:
    """Second by second: `run` goes on with a heart rate; what is said and done is stored as a daemon stores it."""

    def __init__(self, folder: Path, began_s: int = 1000) -> None:
        self.path = folder / "vitald.db"
        self.now_ns = began_s * S
        self.segment = Segment(
            "segment-1", BED, Stream("ECG-1", "ecg", float(RATE), CHANNELS), BOOT, 1, self.now_ns
        )
        self.engine = AlarmEngine(Limits(), boot=BOOT)
        self.changes = []
        self._beat_ns = self.now_ns
        self._acts = 0
        self._said: list[tuple[object, tuple[Finding, ...]]] = []
        device = ("1", "ecg", "dm_ecg", "", "ECG-1", "", "", LinkState.STREAMING, self.now_ns, self.now_ns)
        self._say(DeviceSeen(*device))

    @property
    def utc_ns(self) -> int:
        return UTC_NS + self.now_ns

    def run(self, seconds: int, bpm: float | None = 70.0) -> None:
        for _ in range(seconds):
            at = (self.now_ns - self.segment.began_ns) * RATE // S
            self._say(self._block(at, bpm))
            for k in range(1, 11):
                self.now_ns += TICK_NS
                self._say(Tick(self.now_ns), self._findings(bpm, whole=k == 10))

    def rhythm(self, label: str, end: bool = False) -> None:
        """A rhythm begins now, or that which began last ends."""
        if not end:
            self._rhythm_ns = self.now_ns
        evidence = self._evidence("window/1", self._rhythm_ns)
        end_ns = self.now_ns if end else None
        self._say(Tick(self.now_ns), (Rhythm(self._rhythm_ns, self.now_ns + 1, end_ns, label, evidence),))

    def act(self, verb: str, **values: str) -> None:
        self._acts += 1
        told = tuple((name.replace("__", "."), value) for name, value in values.items())
        self._say(Command(f"act-{self._acts:08}", self.now_ns, BED, "AK", verb, told))

    def store(self) -> None:
        """All of it on the disk."""
        asyncio.run(self._store())

    async def _store(self) -> None:
        writer = Writer(self.path, boot=BOOT, now=lambda: self.now_ns, utc_offset_ns=UTC_NS)
        await writer.start()
        for number, (item, findings, changes) in enumerate(self._said):
            writer.offer(BED, item, findings, changes)
            if number % 2000 == 0:
                await asyncio.sleep(0.01)
        await writer.stop()

    def _say(self, item, findings=()) -> None:
        changes = self.engine.step(item, findings)
        self.changes += changes
        self._said.append((item, findings, changes))

    def _block(self, first: int, bpm: float | None) -> SampleBlock:
        t = np.arange(first, first + RATE) / RATE
        beat = np.zeros(RATE) if bpm is None else np.exp(-0.5 * (((t * bpm / 60) % 1 - 0.5) / 0.015) ** 2)
        counts = np.round(np.outer((0.6, 1.0, -0.8), beat) / 0.005).astype(np.int32)
        return SampleBlock(self.segment, first, self.now_ns, 1e9 / RATE, counts, self.now_ns + S, 0.0)

    def _findings(self, bpm: float | None, *, whole: bool) -> tuple[Finding, ...]:
        found: list[Finding] = []
        if bpm is not None and self.now_ns - self._beat_ns >= 60 * S / bpm:
            evidence = self._evidence("qrs/1", self.now_ns)
            rr_ms = (self.now_ns - self._beat_ns) / 1e6
            found.append(Beat(self.now_ns, self.now_ns, evidence.first, BeatClass.NORMAL, rr_ms, evidence))
            self._beat_ns = self.now_ns
        if whole and bpm is not None:
            evidence = self._evidence("rate/1", self.now_ns)
            found.append(
                Metric(self.now_ns, self.now_ns, "heart_rate", bpm, "bpm", None, "II", 1.0, evidence)
            )
        return tuple(found)

    def _evidence(self, rule: str, t_ns: int) -> Evidence:
        at = (t_ns - self.segment.began_ns) * RATE // S
        return Evidence(self.segment.id, at, at, rule)


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path)


@pytest.fixture(scope="session")
def past_in() -> Callable[[Path], Past]:
    """For a past that several tests only look at."""
    return Past
