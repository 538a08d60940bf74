"""Bar (d): connections that are reset at random moments. Every record arrives once; how many came twice without the key?

PostgreSQL is the receiver (`INSERT ... ON CONFLICT DO NOTHING`) where it can be started, else SQLite; a table without a key
beside it is the control. Retry delays are a tenth of the shipped ones, or this would take an hour.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks import Row
from benchmarks._backlog import BOOT, Bedside
from benchmarks._forwarding import behind, configure, forwarding, until
from benchmarks._receiver import PostgresTables, SqliteTables, receiving
from daemon.forward import breaker
from daemon.forward.destinations import Verdict
from daemon.forward.process import boottime_ns
from tests.cloud.postgres import NoPostgres, private
from tests.daemon.forward.faults_proxy import Faults, FaultsProxy

RESETS = 100
SEED = 5

KINDS = (
    "before anything is sent",
    "in the middle of the body",
    "after the commit, before the reply",
    "in the reply",
)


@dataclass(frozen=True)
class Outcome:
    """`said` records in the outbox, `once` at the receiver by key, `every` copies that came, `again` requests
    that came again, `resets` of each kind."""

    said: int
    once: int
    every: int
    again: int
    resets: dict[str, int]


@contextmanager
def fast_retries(factor: float = 0.1) -> Iterator[None]:
    before = breaker.BASE_S
    breaker.BASE_S = before * factor
    try:
        yield
    finally:
        breaker.BASE_S = before


async def reset_often(folder: Path, tables: SqliteTables | PostgresTables, resets: int) -> Outcome:
    """Records are said all the while; each fault stays until it has cut a connection; then one request goes well."""
    random, done = Random(SEED), Counter[str]()
    async with receiving(tables.put) as url:
        port = int(url.split(":")[2].split("/")[0])
        async with FaultsProxy("127.0.0.1", port, seed=SEED) as proxy:
            config = configure(folder, {"cloud": f"http://127.0.0.1:{proxy.port}/api/v1"}, collect_s=0.2)
            bed = Bedside(config.box.database)
            await bed.writer.start()
            talking = asyncio.create_task(_talk(bed))
            async with forwarding(config, boot=BOOT, now_ns=boottime_ns) as forwarder:
                for _ in range(resets):
                    kind = random.choice(KINDS)
                    proxy.faults = _fault(kind, random)
                    proxy.sever()  # the next connection is made with the fault
                    cuts = proxy.cuts
                    await until(lambda cuts=cuts: proxy.cuts > cuts, 60)
                    proxy.faults = Faults()
                    done[kind] += 1
                    verdicts = forwarder.senders["cloud"].verdicts
                    well = verdicts[Verdict.DONE]
                    await until(lambda well=well, verdicts=verdicts: verdicts[Verdict.DONE] > well, 60)
                talking.cancel()
                await asyncio.gather(talking, return_exceptions=True)
                await bed.writer.stop()
                await until(lambda: not behind(forwarder, "cloud"), 120)
                await asyncio.sleep(1.2)
                await until(lambda: not behind(forwarder, "cloud"), 120)
    once, every, again = await tables.counts()
    return Outcome(_said(config.box.database), once, every, again, dict(done))


async def _talk(bed: Bedside) -> None:
    while True:
        await bed.second(alarms=bed.seconds % 5 == 0)
        await asyncio.sleep(0.02)


def _fault(kind: str, random: Random) -> Faults:
    match KINDS.index(kind):
        case 0:
            return Faults(reset_after_bytes=1)
        case 1:
            return Faults(reset_between=(300, 3000))
        case 2:
            return Faults(drop_reply=True)
        case _:
            return Faults(reset_reply_after=random.randint(1, 120))


def _said(database: Path) -> int:
    from daemon.store.reader import ask

    return ask(database, lambda reader: int(reader.db.execute("SELECT count(*) FROM outbox").fetchone()[0]))


async def _on_postgres(folder: Path, dsn: str, resets: int) -> Outcome:
    return await reset_often(folder, await PostgresTables.open(dsn), resets)


def measured(resets: int) -> tuple[Outcome, str]:
    """The outcome, and what the receiver was."""
    with tempfile.TemporaryDirectory() as made, fast_retries(), ExitStack() as stack:
        folder = Path(made)
        try:
            dsn = stack.enter_context(private())
        except NoPostgres:
            return asyncio.run(reset_often(folder, SqliteTables(folder / "cloud.db"), resets)), "SQLite"
        return asyncio.run(_on_postgres(folder, dsn, resets)), "PostgreSQL"


def rows() -> Iterable[Row]:
    logging.getLogger("daemon.forward").setLevel(logging.CRITICAL)
    seen, receiver = measured(RESETS)
    resets = sum(seen.resets.values())
    note = f"{receiver}, seed {SEED}: " + ", ".join(f"{n} {kind}" for kind, n in sorted(seen.resets.items()))
    yield Row(f"(d) {resets} resets: records said", seen.said, "records", note=note)
    yield Row(
        "(d) of these missing at the receiver", seen.said - seen.once, "records", "0", seen.said == seen.once
    )
    yield Row(
        "(d) control: key off, records there twice",
        seen.every - seen.once,
        "records",
        "> 0",
        seen.every > seen.once,
    )
    yield Row(
        "(d) requests that came again",
        seen.again,
        "requests",
        f"<= {resets}",
        seen.again <= resets,
        "1 a reset at most",
    )
