"""What storing costs: bytes per sample on real ECG, CPU of one 12-lead bed, and how fast a stored day is seen."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from itertools import repeat
from pathlib import Path

import numpy as np

from benchmarks import Row
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import Channel, Counts, Quantity, SampleBlock, Segment, Stream
from daemon.store import codec
from daemon.store.columns import columns
from daemon.store.reader import Reader, ask
from daemon.store.writer import Writer

SECOND_NS = 10**9
LIVE_S = 600
DAY_S = 24 * 3600
LEADS = 8
RATE = 500
BOOT = "boot"
LEADS_OF_TWELVE = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
MESSAGE = {
    "heart_rate_bpm": 71.9, "rr_ms": 834.0, "pr_ms": 149.8, "qrs_ms": 113.1, "qt_ms": 396.3, "qtc_ms": 434.2,
    "st_uv": dict.fromkeys(LEADS_OF_TWELVE, 12), "leads_quality": dict.fromkeys(LEADS_OF_TWELVE, "good"),
    "rhythm": "N", "arrhythmias": [], "signal_quality": "good",
}  # fmt: skip
"""About what is said every second."""


def rows() -> Iterable[Row]:
    folder = os.environ.get("VITALD_DATA")
    with tempfile.TemporaryDirectory() as made:
        if folder:
            yield from _real(Path(folder), Path(made) / "real.db")
        before = _written()
        cpu_s = asyncio.run(_live(Path(made) / "live.db"))
        yield Row("store: CPU of one bed, 8 channels at 500 Hz", 100 * cpu_s / LIVE_S, "% of real time")
        note = "samples and their messages, and a message of numbers a second"
        yield Row("store: written by it", (_written() - before) / LIVE_S / 1e3, "kB/s", note=note)
        yield from _day(Path(made) / "day.db")


def _real(folder: Path, path: Path) -> Iterable[Row]:
    """All of mitdb: what its chunks come to, and what the file comes to with rows, envelopes and pages."""
    headers = sorted((folder / "mitdb").glob("*.hea"))
    records = [_record(header) for header in headers]
    mean = float(np.mean([_bytes_per_sample(counts, rate) for counts, rate in records]))
    target = "< 0.70"
    yield Row("stored bytes per sample, mean of mitdb, 1 s chunks", mean, "B", target, mean < 0.70)
    asyncio.run(_play(path, [(_minutes(*record), record[1]) for record in records]))
    whole = path.stat().st_size / sum(counts.size for counts, _ in records)
    yield Row("the same, whole file", whole, "B", note="2 leads a chunk: rows weigh more than with 8")
    ptb = _bytes_per_sample(*_record(folder / "ptbdb" / "s0010_re.hea"))
    yield Row("stored bytes per sample, PTB s0010_re", ptb, "B")


def _day(path: Path) -> Iterable[Row]:
    """A day of 8 channels, in which one minute comes again and again, stored by the writer and looked at."""
    minute = _walk(60)
    asyncio.run(_play(path, [(repeat(minute, DAY_S // 60), float(RATE))]))
    size = path.stat().st_size
    note = "noisy walk"
    yield Row("store: a day of 8 channels at 500 Hz", size / 1e6, "MB", note=note)
    yield Row("the same, whole file", size / (DAY_S * RATE * LEADS), "B/sample", note=note)
    day_s = _took_s(path, lambda r: columns(r, BOOT, 0, DAY_S * SECOND_NS, 1200))
    yield Row("24 h, all leads, in 1200 columns", day_s, "s", "well < 1", day_s < 0.5)
    middle_ns = DAY_S // 2 * SECOND_NS
    half_hour_s = _took_s(path, lambda r: columns(r, BOOT, middle_ns, middle_ns + 1800 * SECOND_NS, 1200))
    yield Row("30 min of it, sample by sample, in 1200 columns", half_hour_s, "s")
    strip_s = _took_s(path, lambda r: r.read(BOOT, middle_ns, middle_ns + 10 * SECOND_NS))
    yield Row("10 s of it at full rate", 1e3 * strip_s, "ms")
    hour_s = _took_s(path, lambda r: r.read(BOOT, middle_ns, middle_ns + 3600 * SECOND_NS))
    yield Row("read at full rate", 3600 / hour_s, "x real time")


def _written() -> int:
    """Bytes that this process has handed to the kernel."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("wchar")).split()[1])


def _took_s(path: Path, question: Callable[[Reader], object]) -> float:
    begun = time.perf_counter()
    ask(path, question)
    return time.perf_counter() - begun


def _record(header: Path) -> tuple[Counts, float]:
    import wfdb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wfdb's own use of pandas
        record = wfdb.rdrecord(str(header.with_suffix("")), physical=False)
    return np.ascontiguousarray(record.d_signal.T.astype(np.int32)), float(record.fs)


def _bytes_per_sample(counts: Counts, rate_hz: float) -> float:
    n = round(rate_hz)
    chunks = [counts[:, first : first + n] for first in range(0, counts.shape[1] - n + 1, n)]
    return sum(len(codec.encode(chunk)) for chunk in chunks) / sum(chunk.size for chunk in chunks)


def _walk(seconds: int) -> Counts:
    steps = np.random.default_rng(1).integers(-9, 10, (LEADS, RATE * seconds))
    return np.cumsum(steps, axis=1).astype(np.int32)


def _segment(key: int, counts: Counts, rate_hz: float, began_ns: int = 0) -> Segment:
    channels = tuple(Channel(str(i), Quantity.ECG, "mV", 0.001) for i in range(len(counts)))
    return Segment(f"segment-{key}", "1", Stream("E", "ecg", rate_hz, channels), BOOT, key, began_ns)


def _minutes(counts: Counts, rate_hz: float) -> Iterable[Counts]:
    n = 60 * round(rate_hz)
    return (counts[:, first : first + n] for first in range(0, counts.shape[1], n))


async def _play(path: Path, recordings: list[tuple[Iterable[Counts], float]]) -> None:
    """Store recordings, given in minutes, one after the other and as fast as the writer goes."""
    saved = asyncio.Event()
    writer = Writer(
        path, boot=BOOT, now=lambda: 0, utc_offset_ns=0, commit_every_s=0.001, on_saved=lambda _: saved.set()
    )
    await writer.start()
    t_ns = 0
    for key, (minutes, rate_hz) in enumerate(recordings):
        segment, first = None, 0
        for counts in minutes:
            segment = segment or _segment(key, counts, rate_hz, t_ns)
            saved.clear()
            block = SampleBlock(segment, first, t_ns, 1e9 / rate_hz, counts, t_ns)
            writer.offer("1", block)
            first += block.n
            t_ns = block.time_of(first)
            if block.n >= rate_hz:  # less is no chunk yet
                await saved.wait()
    await writer.stop(60)


async def _live(path: Path) -> float:
    """CPU seconds of `LIVE_S` of one bed in blocks of 50 ms, committed once a second of signal."""
    counts = _walk(LIVE_S)
    segment = _segment(1, counts, float(RATE))
    saved = asyncio.Event()
    writer = Writer(
        path, boot=BOOT, now=lambda: 0, utc_offset_ns=0, commit_every_s=0.001, on_saved=lambda _: saved.set()
    )
    await writer.start()
    begun = time.process_time()
    for first in range(0, counts.shape[1], 25):
        block = counts[:, first : first + 25]
        t0_ns = first * 2_000_000
        told = [Outgoing(t0_ns, Lane.METRICS, "ecg.metrics/1", "E", MESSAGE)] if first % RATE == 0 else []
        writer.offer("1", SampleBlock(segment, first, t0_ns, 2e6, block, t0_ns + 50_000_000), outgoing=told)
        if (first + 25) % RATE == 0:
            saved.clear()
            await saved.wait()
    await writer.stop()
    return time.process_time() - begun
