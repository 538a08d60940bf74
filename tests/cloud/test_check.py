"""The check for other backends: ours passes it, and one with a fault fails where the fault is."""

from __future__ import annotations

import asyncpg

from tests.cloud.app import serving
from tests.cloud.check import check
from tests.cloud.faults import Rule, Rules

KEY = {"X-API-Key": "a-key"}


def failed(said):
    return {title for title, what in said if what}


async def test_the_reference_keeps_its_own_contract(cloud):
    assert failed(await check(cloud.base, KEY)) == set()


async def test_a_backend_with_ids_of_its_own_passes_too(cloud):
    cloud.state.own_ids = True

    assert failed(await check(cloud.base, KEY)) == set()


async def test_a_backend_that_stores_twice_is_found_out(dsn):
    admin = await asyncpg.connect(dsn)
    await admin.execute("DROP DATABASE IF EXISTS twice")
    await admin.execute("CREATE DATABASE twice")
    await admin.close()
    async with serving(
        dsn.replace("/postgres?", "/twice?"), idempotent=False, api_keys={"a-key": "u"}
    ) as cloud:
        said = failed(await check(cloud.base, KEY))

    assert said == {"+ the same key is the same datum", "+ batches of records, each once"}


async def test_a_backend_of_the_plan_alone_is_told_apart(cloud):
    """404 for all that is ours."""
    cloud.state.faults.order(
        Rules(rules=[Rule(do="status", status=404, match="/(records|events|errors)", times=0)])
    )

    said = failed(await check(cloud.base, KEY))

    assert said == {"+ batches of records, each once", "+ arrhythmias, alarms and errors have a place"}
