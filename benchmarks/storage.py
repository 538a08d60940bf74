"""What storing costs: bytes per sample on real ECG, CPU of one 12-lead bed, and how fast a day is seen."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks import Row
from daemon.model.signals import Channel, Quantity, SampleBlock, Segment, Stream
from daemon.store import codec
from daemon.store.columns import columns
from daemon.store.reader import ask
from daemon.store.writer import Writer

SECONDS = 600


def rows() -> Iterable[Row]:
    folder = os.environ.get("VITALD_DATA")
    if folder:
        mean = np.mean([_bytes_per_sample(h) for h in sorted((Path(folder) / "mitdb").glob("*.hea"))])
        yield Row(
            "stored bytes per sample, mean of mitdb, 1 s chunks",
            float(mean),
            "B",
            "< 0.70",
            bool(mean < 0.70),
        )
        yield Row(
            "stored bytes per sample, PTB s0010_re",
            _bytes_per_sample(Path(folder) / "ptbdb" / "s0010_re.hea"),
            "B",
        )
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "vitald.db"
        cpu_s, values = asyncio.run(_store(path))
        yield Row("store: CPU of one bed, 8 channels at 500 Hz", 100 * cpu_s / SECONDS, "% of real time")
        yield Row("store: whole file per sample, noisy walk", path.stat().st_size / values, "B")
        begun = time.perf_counter()
        ask(path, lambda r: r.read("b", 0, SECONDS * 10**9))
        yield Row("read at full rate", SECONDS / (time.perf_counter() - begun), "x real time")
        begun = time.perf_counter()
        ask(path, lambda r: columns(r, "b", 0, SECONDS * 10**9, 100))
        took_s = time.perf_counter() - begun
        yield Row(
            "columns from envelopes",
            SECONDS / took_s,
            "x real time",
            note=f"24 h would take {86400 / SECONDS * took_s:.2f} s",
        )


def _bytes_per_sample(header: Path) -> float:
    import wfdb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wfdb's own use of pandas
        record = wfdb.rdrecord(str(header.with_suffix("")), physical=False)
    counts = np.ascontiguousarray(record.d_signal.T.astype(np.int32))
    n = round(record.fs)
    chunks = range(0, counts.shape[1] - n + 1, n)
    return sum(len(codec.encode(counts[:, first : first + n])) for first in chunks) / (
        len(chunks) * n * len(counts)
    )


async def _store(path: Path) -> tuple[float, int]:
    """CPU seconds of `SECONDS` of one bed in blocks of 50 ms, committed once a second of signal."""
    channels = tuple(Channel(str(i), Quantity.ECG, "mV", 0.001) for i in range(8))
    segment = Segment("s", "1", Stream("E", "ecg", 500.0, channels), "b", 1, 0)
    counts = np.cumsum(np.random.default_rng(1).integers(-9, 10, (8, 500 * SECONDS)), axis=1).astype(np.int32)
    saved = asyncio.Event()
    writer = Writer(
        path, boot="b", now=lambda: 0, utc_offset_ns=0, commit_every_s=0.001, on_saved=lambda _: saved.set()
    )
    await writer.start()
    begun = time.process_time()
    for first in range(0, counts.shape[1], 25):
        block = counts[:, first : first + 25]
        writer.offer(
            "1", SampleBlock(segment, first, first * 2_000_000, 2e6, block, first * 2_000_000 + 50_000_000)
        )
        if (first + 25) % 500 == 0:
            saved.clear()
            await saved.wait()
    await writer.stop()
    return time.process_time() - begun, counts.size
