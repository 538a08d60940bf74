"""Disks that fail, queues that are full, entries that are no good, listeners that raise."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from daemon.model.findings import Beat, BeatClass, Evidence, Grade, Metric, Quality, Trouble
from daemon.model.signals import (
    Command,
    Fact,
    FactState,
    LeadState,
    Reading,
    SampleBlock,
)
from daemon.store import ranges
from daemon.store.reader import ask
from daemon.store.writer import STORE, Writer

BOOT = "boot-1"
ALWAYS = (BOOT, -(2**62), 2**62)


def read(path):
    return ask(path, lambda reader: reader.read(*ALWAYS))


class FullDisk(Writer):
    """The real writer; SQLite itself refuses to let the file grow beyond `pages` (its own SQLITE_FULL)."""

    pages = 2**30

    async def _connect(self):
        await super()._connect()
        await self.limit(self.pages)

    async def limit(self, pages):
        self.pages = pages
        await self._db.run(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchone())


@pytest.mark.slow
async def test_a_full_disk_is_said_counted_and_left_behind(path, clock, line, facts, saved):
    writer = FullDisk(
        path, boot=BOOT, now=clock, utc_offset_ns=0, commit_every_s=0.01,
        on_fact=facts, on_saved=saved, max_sample_bytes=3 * 500 * 2 * 4,
    )  # fmt: skip
    await writer.start()
    counts = line.random.integers(-(2**31), 2**31, (2, 5000)).astype(
        np.int32
    )  # nothing to compress: needs pages
    await saved.up_to(writer.offer("1", line.block(0, counts[:, :1000])))
    assert not facts

    await writer.limit(1)  # below what the file has: no page more
    for first in range(1000, 4000, 500):  # three chunks fit into the queue, three do not
        seq = writer.offer("1", line.block(first, counts[:, first : first + 500]))
    await facts.until(lambda: facts)
    assert (facts[0].source, facts[0].state) == (STORE, FactState.FAILED)
    assert "full" in facts[0].detail
    assert writer.samples_lost == 1500
    assert saved[-1].seq < seq

    writer.pages = 2**30  # room again; the writer finds out by itself
    await saved.up_to(seq)
    await saved.up_to(writer.offer("1", line.block(4000, counts[:, 4000:])))
    assert facts[-1].state is FactState.OK
    await writer.stop()

    (trace,) = read(path)
    (gap,) = trace.missing
    assert (gap.first, gap.count, gap.cause, gap.received) == (2500, 1500, "disk", True)
    np.testing.assert_array_equal(trace.counts[:, trace.present], counts[:, trace.present])
    (segment,) = ask(path, lambda r: r.segments(*ALWAYS))
    book = ask(path, lambda r: ranges.ledger(r, segment))
    assert book.stored == ((0, 2499), (4000, 4999))
    assert (book.received, book.dropped) == (((0, 4999),), ((2500, 3999),))
    assert ask(path, lambda r: ranges.unexplained(r, segment)) == []


@pytest.mark.slow
async def test_a_write_that_the_kernel_refuses_is_survived(path, clock, line, tmp_path):
    """The error from below: a file-size limit of the process (SIGXFSZ ignored gives EFBIG), in a process of its own."""
    script = f"""
import asyncio, resource, signal, sys
import numpy as np
from pathlib import Path
from daemon.model.signals import *
from daemon.store.writer import Writer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
stream = Stream("E", "ecg", 500.0, (Channel("I", Quantity.ECG, "mV", 1.0),))
segment = Segment("s", "1", stream, "{BOOT}", 1, 0)
noise = np.random.default_rng(1).integers(-2**31, 2**31, (1, 100_000), dtype=np.int64).astype(np.int32)
facts, saved, news = [], [], asyncio.Event()
def heard(into): return lambda said: (into.append(said), news.set())
async def until(condition):
    while not condition(): news.clear(); await news.wait()
async def main(limit):
    writer = Writer(Path({str(path)!r}), boot="{BOOT}", now=lambda: 0, utc_offset_ns=0, commit_every_s=0.01,
                    on_fact=heard(facts), on_saved=heard(saved))
    await writer.start()
    soft = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit: resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, soft[1]))
    seq = writer.offer("1", SampleBlock(segment, 0, 0, 2e6, noise, 200_000_000_000))
    done = lambda: saved and saved[-1].seq >= seq
    await until(lambda: facts or done())
    resource.setrlimit(resource.RLIMIT_FSIZE, soft)
    await until(done)
    await writer.stop()
    print([str(f.state) for f in facts], writer.samples_lost)
asyncio.run(main(sys.argv[1] == "limit"))
"""
    assert await python(script, "limit") == "['failed', 'ok'] 0"
    (trace,) = read(path)
    assert (trace.counts.shape, trace.present.all()) == ((1, 100_000), True)
    for suffix in ("", ".lock"):
        path.with_name(path.name + suffix).unlink()
    assert await python(script, "none") == "[] 0"  # control: without the limit nothing fails


async def python(script, *arguments):
    import sys

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return out.decode().strip()


async def test_a_full_queue_refuses_metrics_before_events_and_never_raises(make_writer, path):
    writer = make_writer(max_rows=10)  # not started: nothing is taken away
    for second in range(30):
        metric = Metric(second * 10**9, second * 10**9, "heart_rate", 70.0, "/min", None, "II", 1.0, None)
        writer.offer("1", Fact("x", FactState.OK, 0, 0), [metric])
    assert writer.rows_lost == 24  # the clock's offset, the fact and six metrics: eight of ten
    for i in range(4):
        writer.offer("1", Command(f"act-0000{i}", i, "1", "nurse", "display"))
    assert writer.rows_lost == 26
    await writer.start()
    await writer.stop()
    assert [e.kind for e in ask(path, lambda r: r.events(*ALWAYS))] == ["fact", "command", "command"]


async def test_an_entry_that_cannot_be_written_costs_itself_only(running, path, line, caplog, saved):
    counts = line.samples(1500)
    with caplog.at_level(logging.CRITICAL):
        async with running(on_saved=saved) as writer:
            await saved.up_to(writer.offer("1", line.block(0, counts[:, :500])))
            writer.offer("1", Reading("1", "OXY-1", "spo2", 97.0, "%", 2**80))
            writer.offer("1", SampleBlock(line.segment, 500, 2**70, 2e6, counts[:, 500:1000], 0))
            writer.offer("1", line.block(1000, counts[:, 1000:]))

    assert writer.rows_lost == 2
    (trace,) = read(path)
    assert [(m.cause, m.first, m.count) for m in trace.missing] == [("disk", 500, 500)]
    assert np.flatnonzero(~trace.present).tolist() == list(range(500, 1000))
    np.testing.assert_array_equal(trace.counts[:, trace.present], counts[:, trace.present])


async def test_a_command_that_cannot_be_written_is_not_acknowledged(running, path, caplog, saved):
    with caplog.at_level(logging.CRITICAL):
        async with running(on_saved=saved) as writer:
            writer.offer("1", Command("act-00001", 5, "1", "nurse\ud800", "display"))  # no UTF-8 for it
            await saved.up_to(writer.offer("1", Command("act-00002", 5, "1", "nurse", "display")))
    assert [c for s in saved for c in s.commands] == ["act-00002"]
    assert writer.rows_lost == 1
    assert [e.body["id"] for e in ask(path, lambda r: r.events(*ALWAYS))] == ["act-00002"]


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint16])
async def test_numbers_as_numpy_makes_them_are_stored(running, path, line, kind):
    evidence = Evidence(line.segment.id, kind(90), kind(140), "qrs/1")
    beat = Beat(200_000_000, 450_000_000, kind(100), BeatClass.NORMAL, np.float32(812.5), evidence)
    rate = Metric(
        np.int64(10**9), 10**9, "heart_rate", np.float32(72), "/min", None, "II", np.float32(0.5), evidence
    )
    quality = Quality(kind(1), kind(1), "II", Grade.POOR, Trouble.MAINS, (), np.float32(0.25))
    async with running() as writer:
        writer.offer("1", line.block(0, line.samples(600)), [beat, rate, quality])
        writer.offer("1", LeadState(line.segment, kind(500), 2, (("LA", np.bool_(False)),)))
    assert writer.rows_lost == 0
    (stored,) = ask(path, lambda r: r.beats(*ALWAYS))
    assert (stored.sample, stored.rr_ms, stored.first, stored.last) == (100, 812.5, 90, 140)
    assert [(n.value, n.quality) for n in ask(path, lambda r: r.metrics(*ALWAYS))] == [(72.0, 0.5)]
    bodies = [e.body for e in ask(path, lambda r: r.events(*ALWAYS))]
    assert (bodies[0]["score"], bodies[1]) == (0.25, {"attached": {"LA": False}})


async def test_a_listener_that_fails_stops_nothing(make_writer, path, line, caplog):
    def fails(news):
        raise RuntimeError("not the store's fault")

    with caplog.at_level(logging.CRITICAL):
        writer = make_writer(on_saved=fails, on_fact=fails)
        path.write_bytes(b"no database" * 1000)  # a Fact is said at the start
        await writer.start()
        writer.offer("1", line.block(0, line.samples(500)))
        writer.offer("1", line.block(500, line.samples(500)))
        await writer.stop()
    (trace,) = read(path)
    assert trace.counts.shape[1] == 1000


async def test_a_chunk_is_not_lost_for_a_damaged_one_before_it(running, path, line, saved):
    """After an error the minute's envelope is built from what is stored of it, whatever state that is in."""
    counts = line.samples(1500)
    damage = "UPDATE chunks SET data = zeroblob(40) WHERE place % 1099511627776 = 0"
    async with running(on_saved=saved) as writer:
        await saved.up_to(writer.offer("1", line.block(0, counts[:, :500])))
        await writer._db.run(lambda db: db.execute(damage))
        writer._rows = None  # as after an error: nothing is remembered
        writer.offer("1", line.block(500, counts[:, 500:]))
    assert (writer.rows_lost, writer.samples_lost) == (0, 0)
    (trace,) = read(path)
    assert [(m.cause, m.first, m.count) for m in trace.missing] == [("damaged", 0, 125)]
    np.testing.assert_array_equal(trace.counts, counts[:, 125:])
