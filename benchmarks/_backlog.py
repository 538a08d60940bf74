"""A store as the daemon leaves it after hours without a network, made in seconds: one real minute, again and again.

The first minute goes through the store's writer (8 channels at 500 Hz in chunks of a second, a set of numbers a second, an
event and an alarm a minute); the others are copies of its rows at later places and times.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from daemon.contracts.registry import said
from daemon.contracts.times import instant
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import Channel, Quantity, SampleBlock, Segment, Stream, Tick
from daemon.store.places import PLACES
from daemon.store.writer import Writer

RATE = 500
LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
DEVICE = "ECG-7711-0045"
BOOT = "boot-of-the-backlog"
SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
BEGAN_UTC_NS = 1_760_000_000 * SECOND_NS

STREAM = Stream(DEVICE, "ecg", float(RATE), tuple(Channel(name, Quantity.ECG, "mV", 0.001) for name in LEADS))


def metrics(n: int) -> dict[str, Any]:
    return said(
        "ecg.metrics/1",
        {
            "heart_rate_bpm": 60 + n % 40,
            "rr_ms": 800,
            "pr_ms": 160,
            "qrs_ms": 85,
            "qt_ms": 380,
            "qtc_ms": 400,
            "qrs_axis_deg": 45,
            "signal_quality": "good",
            "is_recording": True,
            "demo_mode": False,
            "sampling_rate_hz": RATE,
        },
    )


def alarm(n: int, utc_ns: int) -> dict[str, Any]:
    return said(
        "box.alarm/1",
        {
            "alarm": "hr_high",
            "occurrence": f"occurrence-{n}",
            "change": "onset",
            "priority": "medium",
            "text": "HR HIGH",
            "value": 130.0,
            "limit": 120.0,
            "unit": "/min",
            "onset_at": instant(utc_ns),
            "bed": "1",
        },
    )


def event(n: int) -> dict[str, Any]:
    return said("box.event/1", {"name": "bookmark", "detail": str(n)})


def ecg(seconds: int, seed: int = 1) -> np.ndarray:
    """A noisy walk: int32 (8, n)."""
    steps = np.random.default_rng(seed).integers(-9, 10, (len(LEADS), RATE * seconds))
    return np.cumsum(steps, axis=1).astype(np.int32)


class Bedside:
    """Says to a store what a bed says, second by second. `now_ns` is when the next second begins."""

    def __init__(
        self, path: Path, *, boot: str = BOOT, began_ns: int = 0, offset_ns: int = BEGAN_UTC_NS, **more: Any
    ) -> None:
        self.now_ns = began_ns
        self.offset_ns = offset_ns
        self.seconds = 0
        self._counts = ecg(60)
        self._segment = Segment(f"segment-{boot}", "1", STREAM, boot, 1, began_ns)
        self._saved = asyncio.Event()
        self._seq = 0
        self.writer = Writer(
            path,
            boot=boot,
            now=lambda: self.now_ns,
            utc_offset_ns=offset_ns,
            commit_every_s=0.001,
            on_saved=self._hear,
            about={"os": "linux", "app_version": "0"},
            **more,
        )

    def _hear(self, saved: Any) -> None:
        if saved.seq >= self._seq:
            self._saved.set()

    async def second(self, *, waves: bool = True, alarms: int | None = None, wait: bool = True) -> None:
        """One second of recording; on the disk when it returns, if it waits."""
        n = self.seconds
        if waves:
            at = n % 60 * RATE
            block = self._counts[:, at : at + RATE]
            t0_ns = self._segment.began_ns + n * SECOND_NS
            self.writer.offer("1", SampleBlock(self._segment, n * RATE, t0_ns, 2e6, block, t0_ns + SECOND_NS))
        self.now_ns += SECOND_NS
        self.seconds += 1
        said_now = [Outgoing(self.now_ns, Lane.METRICS, "ecg.metrics/1", DEVICE, metrics(n))]
        if n % 60 == 30:
            said_now.append(Outgoing(self.now_ns, Lane.EVENTS, "box.event/1", "", event(n)))
        if n % 60 == 31 if alarms is None else alarms:
            body = alarm(n, self.now_ns + self.offset_ns)
            said_now.append(Outgoing(self.now_ns, Lane.ALARMS, "box.alarm/1", DEVICE, body))
        self._saved.clear()
        self._seq = self.writer.offer("1", Tick(self.now_ns), outgoing=said_now)
        if wait:
            async with asyncio.timeout(20):
                await self._saved.wait()


async def recorded(path: Path, seconds: int, **more: Any) -> None:
    """A store with so many seconds of recording, written by the writer and closed."""
    bed = Bedside(path, **more)
    await bed.writer.start()
    try:
        for _ in range(seconds):
            await bed.second()
    finally:
        await bed.writer.stop()


def fill(path: Path, hours: float, told: Callable[[str], None] = lambda _: None) -> int:
    """A store with so many hours that nobody has been sent; how many records that is."""
    asyncio.run(recorded(path, 61))  # the last chunk is whole
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    segment = db.execute("SELECT id FROM segments").fetchone()[0]
    db.execute("DELETE FROM chunks WHERE place >= ?", (segment * PLACES + 60 * RATE,))
    keep = "place IS NULL OR place < ?"
    db.execute(
        f"DELETE FROM outbox WHERE NOT ({keep}) OR t_ns > ?", (segment * PLACES + 60 * RATE, MINUTE_NS)
    )
    minutes = round(60 * hours)
    one = db.execute("SELECT max(seq) FROM outbox").fetchone()[0]
    for begin in range(1, minutes, 60):
        end = min(begin + 60, minutes)
        more = f"WITH RECURSIVE k(n) AS (SELECT {begin} UNION ALL SELECT n + 1 FROM k WHERE n < {end - 1})"
        db.execute("BEGIN")
        db.execute(
            f"{more} INSERT INTO chunks SELECT place + n * {60 * RATE}, c.n_, t0_ns + n * {MINUTE_NS}, period_ns, error_ns,"
            f" arrived_ns + n * {MINUTE_NS}, crc32, codec, data FROM k, (SELECT place, n AS n_, t0_ns, period_ns, error_ns,"
            f" arrived_ns, crc32, codec, data FROM chunks WHERE place < {segment * PLACES + 60 * RATE}) c"
        )
        db.execute(
            f"{more} INSERT INTO outbox SELECT seq + n * {one}, lane, message, boot, t_ns + n * {MINUTE_NS}, device, session,"
            f" place + n * {60 * RATE}, body FROM k, (SELECT * FROM outbox WHERE seq <= {one}"
            " AND message <> 'box.session_start/1') ORDER BY n, seq"
        )
        db.execute("COMMIT")
        told(f"{end / 60:.0f} h")
    count = db.execute("SELECT count(*) FROM outbox").fetchone()[0]
    db.close()
    return int(count)
