"""A world for a sender in which time jumps: a source in memory, a receiver that keeps keys, a ledger without threads."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from daemon.forward import ledger
from daemon.forward.destinations import DONE, Bounds, Outcome, Sealed, Verdict
from daemon.forward.packing import Terms
from daemon.forward.record import Record
from daemon.forward.sender import Sender
from daemon.forward.source import LIVE_S, Found
from daemon.model.outgoing import Lane

AGAIN, WAIT = Outcome(Verdict.AGAIN, "reset"), Outcome(Verdict.WAIT, "busy", 1.0)
SPLIT, REFUSED = Outcome(Verdict.SPLIT, "too large"), Outcome(Verdict.REFUSED, "no good")
PARKED = Outcome(Verdict.PARKED, "the key is not known")


class JumpingLoop(asyncio.SelectorEventLoop):
    """Time stands still while anything runs and jumps when all wait. Nothing in it may wait for a thread or a socket."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        select = self._selector.select

        def jump(timeout: float | None) -> Any:
            events = select(0)
            if not events and timeout:
                self._now_s += timeout
            elif not events and timeout is None:
                raise AssertionError("nothing will ever happen again")
            return events

        self._selector.select = jump

    def time(self) -> float:
        return self._now_s


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """The coroutine's result, in a loop whose time jumps."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)


class AtOnce(Executor):
    """Runs in the caller's thread."""

    def submit(self, function, /, *args, **kwargs):
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future


class Books:
    """The ledger on the caller's thread."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        self.db = ledger.open_ledger(Path(path))
        self.waiting = []

    async def later(self, step):
        """Lost in a kill, unless another step is done before."""
        await asyncio.sleep(0)
        self.waiting.append(step)

    async def do(self, step):
        await asyncio.sleep(0)
        waiting, self.waiting = self.waiting, []
        self.db.execute("BEGIN IMMEDIATE")
        try:
            for other in waiting:
                other(self.db)
            result = step(self.db)
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        return result


def record(seq: int, lane: Lane = Lane.METRICS, device: str = "ECG-1", text: str = "") -> Record:
    key = str(uuid.uuid5(uuid.NAMESPACE_OID, str(seq)))
    body = {"text": text}
    return Record(seq, key, lane, "ecg.metrics/1", device, "s", "boot", seq * 10**9, seq * 10**9, True, body)


class MemorySource:
    """Records in a list; `say` appends one. `heads` and `splits` as `Heads` has them."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._lanes: dict[Lane, list[int]] = {lane: [] for lane in Lane}
        self._said_s: dict[Lane, list[float]] = {lane: [] for lane in Lane}
        self.reads = 0

    def say(self, lane: Lane, text: str = "", device: str = "ECG-1", *, now_s: float = -1e9) -> int:
        self.records.append(record(len(self.records) + 1, lane, device, text))
        self._lanes[lane].append(len(self.records))
        self._said_s[lane].append(now_s)
        return len(self.records)

    def heads(self) -> dict[Lane, int]:
        return {lane: seqs[-1] if seqs else 0 for lane, seqs in self._lanes.items()}

    def splits(self, now_s: float) -> dict[Lane, int]:
        old = {lane: bisect_right(said_s, now_s - LIVE_S) for lane, said_s in self._said_s.items()}
        return {lane: self._lanes[lane][n - 1] if n else 0 for lane, n in old.items()}

    async def find(self, lane: Lane, first: int, last: int, most: int, *, newest: bool) -> Found:
        self.reads += 1
        seqs = self._lanes[lane]
        begin, end = bisect_left(seqs, first), bisect_right(seqs, last)
        if end - begin > most and newest:
            begin = end - most
            first = seqs[begin]
        elif end - begin > most:
            end = begin + most
            last = seqs[end - 1]
        return Found(tuple(self.records[seq - 1] for seq in seqs[begin:end]), first, last)

    async def fill(self, records: Sequence[Record]) -> list[Record]:
        return list(records)


@dataclass
class Receiver:
    """A destination that keeps what it has taken under its key; `answer` decides about requests that it does not have."""

    answer: Callable[[Sealed, list[int]], Outcome] = lambda sealed, seqs: DONE
    bounds: Bounds = field(default_factory=Bounds)
    latency_s: float = 0.01
    bytes_per_s: float = 0.0
    opens: Callable[[], Outcome] = lambda: DONE
    takes_it: Callable[[Record], bool] = lambda record: True
    asked: list[tuple[float, Sealed, list[int]]] = field(default_factory=list)
    stored: dict[str, list[int]] = field(default_factory=dict)
    arrived_s: dict[int, float] = field(default_factory=dict)
    opened: int = 0
    busy: int = 0
    busiest: int = 0

    def __post_init__(self) -> None:
        self._link: asyncio.Lock | None = None

    def takes(self, record: Record) -> bool:
        return self.takes_it(record)

    def gather(self, records: Sequence[Record]) -> int:
        return min(len(records), self.bounds.records)

    def seal(self, key: str, records: Sequence[Record]) -> Sealed:
        data = "\n".join(json.dumps([r.seq, r.body.get("text", "")]) for r in records).encode()
        return Sealed(key, records[0].lane, f"x/{key}", "application/x-ndjson", "", data)

    async def open(self) -> Outcome:
        self.opened += 1
        await asyncio.sleep(0.01)
        return self.opens()

    async def send(self, sealed: Sealed) -> Outcome:
        seqs = [json.loads(line)[0] for line in sealed.data.splitlines()]
        self.asked.append((asyncio.get_running_loop().time(), sealed, seqs))
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            await asyncio.sleep(self.latency_s)
            if self.bytes_per_s:
                self._link = self._link or asyncio.Lock()
                async with self._link:
                    await asyncio.sleep(len(sealed.data) / self.bytes_per_s)
        finally:
            self.busy -= 1
        if sealed.key in self.stored:
            return DONE
        outcome = self.answer(sealed, seqs)
        if outcome is DONE:
            self.keep(sealed.key, seqs)
        return outcome

    def keep(self, key: str, seqs: list[int]) -> None:
        self.stored[key] = seqs
        for seq in seqs:
            self.arrived_s.setdefault(seq, asyncio.get_running_loop().time())

    @property
    def seqs(self) -> list[int]:
        """All that was taken, in the order of the requests."""
        return [seq for seqs in self.stored.values() for seq in seqs]

    async def close(self) -> None:
        await asyncio.sleep(0)


class World:
    """A sender, its receiver and its source, in jumping time."""

    def __init__(
        self, receiver: Receiver, source: MemorySource, *, seed: int = 0, terms: Terms | None = None
    ) -> None:
        self.receiver = receiver
        self.source = source
        self.books = Books()
        self.terms = terms or Terms()
        self.random = Random(seed)
        self.sender: Sender
        self.task: asyncio.Task[None] | None = None

    @property
    def now_s(self) -> float:
        return asyncio.get_running_loop().time()

    async def start(self, start: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self.sender = Sender(
            "there",
            self.receiver,
            self.terms,
            self.books,
            self.source,
            now_s=loop.time,
            sealing=AtOnce(),
            random=self.random,
            utc_ns=lambda: int(loop.time() * 1e9),
        )
        await self.sender.restore(self.source.heads(), start)
        self.news()
        self.task = asyncio.create_task(self.sender.run())

    def news(self) -> None:
        self.sender.see(self.source.heads(), self.source.splits(self.now_s))

    def say(self, lane: Lane, text: str = "") -> int:
        seq = self.source.say(lane, text, now_s=self.now_s)
        self.news()
        return seq

    async def kill(self) -> None:
        """As SIGKILL does, between two commits."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.books.waiting.clear()

    async def quiet(self, within_s: float = 1e7) -> None:
        """Until everything is done with."""
        async with asyncio.timeout(within_s):
            while any(
                self.sender.delivery.lanes.confirmed(lane) < head
                for lane, head in self.source.heads().items()
            ):
                assert self.task is not None
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(0.5)
                self.news()
        await self.books.do(lambda db: None)

    def done(self) -> dict[Lane, list[tuple[int, int]]]:
        """As the ledger has it."""
        return ledger.done_of(self.books.db, self.sender.id)

    def in_quarantine(self) -> list[int]:
        return [entry.seq for entry in ledger.quarantine(self.books.db, self.sender.id)]


def rows(db: sqlite3.Connection, sql: str) -> list[tuple[Any, ...]]:
    return db.execute(sql).fetchall()
