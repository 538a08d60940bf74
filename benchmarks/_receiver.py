"""A cloud that counts: takes batches of our envelopes, keeps each record's key once, and remembers every copy that came.

    python -m benchmarks._receiver FILE        prints its address; the tables are in FILE (SQLite)

`once` is what a backend that looks at keys has, `every` what one without would have: the control of every test about resends.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

Row = tuple[str, int, str, str, int]
"""key, seq, schema, measured_at, arrived (UTC, ns)."""

TABLES = (
    "CREATE TABLE IF NOT EXISTS once (key TEXT PRIMARY KEY, seq BIGINT, schema TEXT, measured_at TEXT, arrived_ns BIGINT)",
    "CREATE TABLE IF NOT EXISTS every (key TEXT, seq BIGINT, request TEXT)",
)

COUNTS = (
    "SELECT count(*) FROM once",
    "SELECT count(*) FROM every",
    "SELECT coalesce(sum(n - 1), 0) FROM (SELECT max(c) AS n FROM (SELECT request, key, count(*) AS c FROM every GROUP BY request, key) a GROUP BY request) b",
)


class SqliteTables:
    """Rows are committed when `put` returns."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = OFF")
        for table in TABLES:
            self.db.execute(table)

    async def put(self, request: str, rows: Sequence[Row]) -> None:
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO once VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)
        self.db.executemany("INSERT INTO every VALUES (?, ?, ?)", [(k, seq, request) for k, seq, *_ in rows])
        self.db.execute("COMMIT")

    async def counts(self) -> tuple[int, int, int]:
        """Distinct records, copies that came, and requests that came again."""
        one, two, three = (self.db.execute(sql).fetchone()[0] for sql in COUNTS)
        return one, two, three


class PostgresTables:
    """The same in PostgreSQL: `INSERT ... ON CONFLICT DO NOTHING`."""

    def __init__(self, connection: Any) -> None:
        self._db = connection
        self._lock = asyncio.Lock()

    @classmethod
    async def open(cls, dsn: str) -> PostgresTables:
        import asyncpg

        connection = await asyncpg.connect(dsn)
        for table in TABLES:
            await connection.execute(table)
        await connection.execute("TRUNCATE once, every")
        return cls(connection)

    async def put(self, request: str, rows: Sequence[Row]) -> None:
        async with self._lock, self._db.transaction():
            await self._db.executemany(
                "INSERT INTO once VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING", rows
            )
            copies = [(k, seq, request) for k, seq, *_ in rows]
            await self._db.executemany("INSERT INTO every VALUES ($1, $2, $3)", copies)

    async def counts(self) -> tuple[int, int, int]:
        one, two, three = [int(await self._db.fetchval(sql)) for sql in COUNTS]
        return one, two, three


Refuses = Callable[[list[dict[str, Any]]], bool]


@asynccontextmanager
async def receiving(
    put: Callable[[str, Sequence[Row]], Awaitable[None]], refuses: Refuses = lambda _: False, port: int = 0
) -> AsyncIterator[str]:
    """A server; its base address. A request that it `refuses` is answered with 422."""

    # A client that is cut off is the normal thing here, and no error to be told of.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)

    async def take(request: web.Request) -> web.Response:
        data = await request.read()  # aiohttp undoes gzip by itself
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        envelopes = [json.loads(line) for line in data.splitlines()]
        if refuses(envelopes):
            return web.json_response({"error": "a record is no good"}, status=422)
        now_ns = time.time_ns()
        rows = [(e["key"], e["seq"], e["schema"], e["measured_at"], now_ns) for e in envelopes]
        await put(request.headers.get("Idempotency-Key", ""), rows)
        return web.json_response({"status": "success"})

    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/api/v1/records", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/api/v1"
    finally:
        await runner.cleanup()


async def main(path: Path) -> None:
    tables = SqliteTables(path)
    async with receiving(tables.put) as url:
        print(url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
