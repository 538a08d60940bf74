"""The connection pool, and the tables made where they are not."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

HERE = Path(__file__).parent
Connection = Any
"""asyncpg's connection, or one of its pool."""


async def opened(dsn: str, *, idempotent: bool = True) -> Any:
    """A pool on the database, its tables made. `idempotent` False leaves out what makes data arrive once: for controls."""
    pool = await connected(dsn)
    async with pool.acquire() as connection:
        await connection.execute((HERE / "schema.sql").read_text(encoding="utf-8"))
        if idempotent:
            await connection.execute((HERE / "indexes.sql").read_text(encoding="utf-8"))
    return pool


async def connected(dsn: str) -> Any:
    """A pool on the database as it is."""
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=8, init=_json)
    assert pool is not None
    return pool


async def _json(connection: Connection) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


def moment(text: str) -> datetime:
    """Any RFC 3339 time with a zone."""
    return datetime.fromisoformat(text)
