"""A stream to store, and a store to store it in. Time is a number that the test moves."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from daemon.model.signals import Channel, Quantity, SampleBlock, Segment, Stream, Tick
from daemon.store.writer import Writer

BOOT = "boot-1"
RATE = 500
PERIOD_NS = 2_000_000


class Line:
    """One device on a line: makes blocks of a segment; what it makes is what should be stored."""

    def __init__(
        self, names: tuple[str, ...] = ("I", "II"), connection: int = 1, *, began_ns: int = 0
    ) -> None:
        channels = tuple(Channel(name, Quantity.ECG, "mV", 0.005, offset=3.0) for name in names)
        self.stream = Stream("ECG-1", "ecg", float(RATE), channels)
        self.segment = Segment(f"segment-{connection}", "1", self.stream, BOOT, connection, began_ns)
        self.random = np.random.default_rng(connection)
        self.began_ns = began_ns

    def samples(self, n: int) -> np.ndarray:
        """A random walk, as ECG is one for a coder; int32 (channels, n)."""
        steps = self.random.integers(-9, 10, (len(self.stream.channels), n))
        return np.cumsum(steps, axis=1).astype(np.int32)

    def block(self, first: int, counts: np.ndarray) -> SampleBlock:
        t0_ns = self.began_ns + first * PERIOD_NS
        arrived_ns = t0_ns + counts.shape[1] * PERIOD_NS + 1_000_000
        return SampleBlock(
            self.segment, first, t0_ns, float(PERIOD_NS), np.ascontiguousarray(counts), arrived_ns, 100.0
        )

    def blocks(self, counts: np.ndarray, cuts: list[int]) -> list[SampleBlock]:
        """All of `counts` from sample 0 on, cut at these sample numbers."""
        edges = [0, *sorted({c for c in cuts if 0 < c < counts.shape[1]}), counts.shape[1]]
        return [self.block(a, counts[:, a:b]) for a, b in itertools.pairwise(edges)]


class Heard(list):
    """A listener of the writer: all that was said, and a way to wait for more of it."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()

    def __call__(self, news: object) -> None:
        self.append(news)
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def up_to(self, seq: int) -> None:
        """Until the writer has said that offer `seq` is on the disk."""
        await self.until(lambda: bool(self) and self[-1].seq >= seq)


class Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def saved() -> Heard:
    return Heard()


@pytest.fixture
def facts() -> Heard:
    return Heard()


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def make_line() -> type[Line]:
    return Line


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vitald.db"


@pytest.fixture
def make_writer(path: Path, clock: Clock) -> Callable[..., Writer]:
    def make(**options: object) -> Writer:
        return Writer(
            path, **{"boot": BOOT, "now": clock, "utc_offset_ns": 1_000, "commit_every_s": 0.01, **options}
        )

    return make


@pytest.fixture
def running(make_writer: Callable[..., Writer]) -> Callable[..., object]:
    """`async with running() as writer:` - started, and stopped with everything written."""

    @asynccontextmanager
    async def run(**options: object) -> AsyncIterator[Writer]:
        writer = make_writer(**options)
        await writer.start()
        try:
            yield writer
        finally:
            await writer.stop()

    return run


@pytest.fixture
def tick() -> Callable[[int], Tick]:
    return Tick
