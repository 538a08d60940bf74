"""What tests say to a cloud, as a box would."""

from __future__ import annotations

import gzip
import json

import aiohttp

from daemon.contracts.seeds import Sender, rest

EXAMPLE = {"timestamp": "2025-01-08T12:34:56.789Z", "metrics": {"heart_rate": 75, "st_segment": 0}}


async def count(db, table, user_id):
    return await db.fetchval(f"SELECT count(*) FROM {table} WHERE user_id = $1", user_id)


def sender(client):
    return Sender(client.user_id, "BOX-1")


async def say(client, envelope, key=None, *, beside=True):
    request = rest.request(envelope, sender(client), beside=beside)
    return await client.post(request.path, request.body, key)


async def post_records(client, envelopes, key=None):
    headers = {
        **client.headers,
        "Content-Type": rest.RECORDS_MEDIA,
        "Content-Encoding": "gzip",
        **({"Idempotency-Key": key} if key else {}),
    }
    data = gzip.compress(rest.records(envelopes))
    async with client.session.post(client.base + rest.RECORDS_PATH, data=data, headers=headers) as reply:
        return reply.status, await reply.json()


async def post_report(client, envelope, file, key=None):
    request = rest.request(envelope, sender(client))
    form = aiohttp.FormData()
    form.add_field("file", file, filename="r.pdf", content_type="application/pdf")
    form.add_field("metadata", json.dumps(request.body), content_type="application/json")
    headers = {**client.headers, **({"Idempotency-Key": key} if key else {})}
    async with client.session.post(client.base + request.path, data=form, headers=headers) as reply:
        return reply.status, await reply.json()


async def order(client, *rules, seed=0):
    admin = client.base.replace("/api/v1", "/_admin")
    async with client.session.post(f"{admin}/faults", json={"rules": list(rules), "seed": seed}) as reply:
        assert reply.status == 200
