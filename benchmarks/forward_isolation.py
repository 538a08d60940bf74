"""Bar (j): six destinations of which one is a black hole. What does it cost the other five, and what does it hold?

Three kinds of black hole: no answer to the SYN; accepted and never answered; one byte a second. The five drain an hour of
backlog over links of 0.4 Mbit/s each (thin, so that the links are the limit and not the processor); the figure is what they got in ten seconds, the median of the runs. Control: one worker
for all destinations.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import statistics
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import Row
from benchmarks._backlog import BOOT, fill
from benchmarks._forwarding import configure, forwarding, until
from benchmarks._receiver import receiving
from daemon.forward import sender
from daemon.forward.destinations import Sealed
from tests.daemon.forward.faults_proxy import Faults, FaultsProxy, unanswering_port

RUNS = 5
SECONDS = 10.0
OTHERS = 5
LINK = Faults(latency_s=0.01, bandwidth=50_000)


@dataclass
class Seen:
    """Bytes that the five got, the most connections to the sixth at once, and its requests' bytes."""

    bytes: int = 0
    connections: int = 0
    held_bytes: int = 0


@asynccontextmanager
async def hole(kind: str, port: int) -> AsyncIterator[tuple[int, FaultsProxy | None]]:
    """A port that is a black hole."""
    if kind == "no answer to the SYN":
        with unanswering_port() as unanswering:
            yield unanswering, None
        return
    faults = Faults(byte_a_second=True) if kind == "one byte a second" else Faults(blackhole=True)
    async with FaultsProxy("127.0.0.1", port, faults) as proxy:
        yield proxy.port, proxy


KINDS = ("no answer to the SYN", "accepts, never answers", "one byte a second")


async def run(folder: Path, kind: str, seconds: float = SECONDS, *, stored: Path) -> Seen:
    """Forward for some seconds; `kind` "" = five destinations only."""
    seen = Seen()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

    async def put(_request: str, _rows: Any) -> None:
        await asyncio.sleep(0)

    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(receiving(put))
        port = int(url.split(":")[2].split("/")[0])
        urls = {}
        for n in range(OTHERS):
            proxy = await stack.enter_async_context(FaultsProxy("127.0.0.1", port, LINK))
            urls[f"cloud{n}"] = f"http://127.0.0.1:{proxy.port}/api/v1"
        black: FaultsProxy | None = None
        if kind:
            at, black = await stack.enter_async_context(hole(kind, port))
            urls = {"hole": f"http://127.0.0.1:{at}/api/v1", **urls}
        config = configure(folder, urls, timeout_s=30.0)
        for suffix in ("", "-wal", "-shm"):
            if (file := stored.with_name(stored.name + suffix)).exists():
                shutil.copy(file, config.box.data / f"vitald.db{suffix}")
        forwarder = await stack.enter_async_context(forwarding(config, boot=BOOT))
        await until(lambda: len(forwarder.senders) == len(urls))
        others = [one for name, one in forwarder.senders.items() if name != "hole"]
        for _ in range(round(seconds * 10)):
            await asyncio.sleep(0.1)
            if black is not None:
                seen.connections = max(seen.connections, black.alive)
            if kind:
                held = forwarder.senders["hole"].delivery
                seen.held_bytes = max(
                    seen.held_bytes, sum(b.size for b in (*held.in_flight.values(), *held.waiting.values()))
                )
        seen.bytes = sum(sums.bytes for one in others for sums in one.sums.values())
    return seen


@contextmanager
def one_worker_for_all() -> Any:
    """The control: whoever sends, all others wait."""
    lock, was = asyncio.Lock(), sender.Sender._try

    async def _try(self: sender.Sender, batch: Any, sealed: Sealed) -> None:
        async with lock:
            await was(self, batch, sealed)

    sender.Sender._try = _try  # type: ignore[method-assign]
    try:
        yield
    finally:
        sender.Sender._try = was  # type: ignore[method-assign]


def rows() -> Iterable[Row]:
    logging.getLogger("daemon.forward").setLevel(logging.CRITICAL)
    yield from measured(RUNS, SECONDS)


def measured(runs: int, seconds: float) -> Iterable[Row]:
    with tempfile.TemporaryDirectory() as made:
        folder, stored = Path(made), Path(made) / "stored.db"
        fill(stored, 1)
        got: dict[str, list[Seen]] = {kind: [] for kind in ("", *KINDS)}
        for _ in range(runs):
            for kind, seen in got.items():
                seen.append(asyncio.run(run(folder / "box", kind, seconds, stored=stored)))
        with one_worker_for_all():
            shared = asyncio.run(run(folder / "box", KINDS[1], seconds, stored=stored))
    whole = statistics.median(seen.bytes for seen in got[""])
    yield Row("(j) five destinations alone", whole / seconds / 1000, "kB/s", note=f"median of {runs}")
    for kind in KINDS:
        less = 100 * (1 - statistics.median(seen.bytes for seen in got[kind]) / whole)
        yield Row(f"(j) beside a sixth: {kind}", less, "% less", "< 5", less < 5)
    connections = max(seen.connections for kind in KINDS for seen in got[kind])
    held = max(seen.held_bytes for kind in KINDS for seen in got[kind]) / (1 << 20)
    yield Row(
        "(j) the sixth's connections at once, at most", connections, "connections", "<= 1", connections <= 1
    )
    yield Row("(j) the sixth's requests, at most", held, "MiB", "<= 2", held <= 2)
    control = 100 * (1 - shared.bytes / whole)
    yield Row("(j) control: one worker for all", control, "% less", "> 50", control > 50)
