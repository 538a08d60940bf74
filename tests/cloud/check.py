"""Whether a backend keeps the contract: `python -m tests.cloud.check URL --api-key KEY`.

It speaks to any backend as a box does, over a session of its own, and says line by line what holds. What is ours beyond the
seeds' plan is marked "+": without it a box still delivers, but more slowly, or without proof that nothing is there twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import numpy as np

from daemon.contracts.seeds import Sender, rest
from tests.cloud.samples import chunks, golden, noise

TIMEOUT = aiohttp.ClientTimeout(total=30)


class Fails(Exception):
    """What was expected, and what came."""


@dataclass
class Backend:
    """The backend under check; `session` is what it calls the session that the checks share."""

    http: aiohttp.ClientSession
    base: str
    headers: dict[str, str]
    device: str
    name: str
    session: str = ""

    async def post(self, path: str, body: Any, key: str = "", *, signed: bool = True) -> tuple[int, Any]:
        headers = {**(self.headers if signed else {}), **({"Idempotency-Key": key} if key else {})}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = rest.RECORDS_MEDIA if isinstance(body, bytes) else "application/json"
        return await self._answer(
            self.http.post(self.base + path, data=data, headers={"Content-Type": kind, **headers})
        )

    async def get(self, path: str) -> tuple[int, Any]:
        return await self._answer(self.http.get(self.base + path, headers=self.headers))

    async def _answer(self, asked: Any) -> tuple[int, Any]:
        async with asked as reply:
            try:
                return reply.status, json.loads(await reply.read())
            except ValueError:
                return reply.status, None

    async def say(self, message: str, key: str = "") -> tuple[int, Any]:
        envelope = golden(message, session=self.name, device_serial=self.device)
        request = rest.request(envelope, Sender("", self.device), beside=False)
        return await self.post(request.path.replace(self.name, self.session), request.body, key)

    async def data(self) -> dict[str, Any]:
        status, told = await self.get(f"/sessions/{self.session}/data")
        well(status == 200, f"the session is read back, not {status}")
        return dict(told)


def well(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Fails(otherwise)


async def starts(backend: Backend) -> None:
    envelope = golden("box.session_start/1", session=backend.name, device_serial=backend.device)
    envelope.body.update(session_id=backend.name, session_uuid=str(uuid.uuid4()))
    request = rest.request(envelope, Sender("", backend.device))
    status, told = await backend.post(request.path, request.body)
    well(status // 100 == 2, f"2xx was expected, not {status}")
    well(isinstance(told, dict) and bool(told.get("session_id")), "the answer names no session_id")
    backend.session = told["session_id"]


async def strangers(backend: Backend) -> None:
    status, _ = await backend.post(f"/sessions/{backend.session}/metrics", {}, signed=False)
    well(status == 401, f"a request that nobody signed should be 401, not {status}")


async def numbers(backend: Backend) -> None:
    status, told = await backend.say("ecg.metrics/1")
    well(status // 100 == 2, f"2xx was expected, not {status}")
    well(bool((told or {}).get("metrics_id")), "the answer names no metrics_id")
    timeline = (await backend.data())["metrics_timeline"]
    well(len(timeline) == 1, f"one measurement was sent, {len(timeline)} are there")


async def arrays(backend: Backend) -> None:
    (piece,) = chunks(noise(500), session=backend.name, device_serial=backend.device)
    request = rest.waveform([piece], Sender("", backend.device), beside=False)
    status, _ = await backend.post(f"/sessions/{backend.session}/waveform", request.body)
    well(status // 100 == 2, f"2xx was expected, not {status}")
    segments = (await backend.data())["waveform_segments"]
    well(len(segments) == 1, f"one piece was sent, {len(segments)} are there")
    same = all(
        np.array_equal(values, segments[0]["leads"][lead]) for lead, values in request.body["leads"].items()
    )
    well(same, "the samples are not the same numbers")


async def bad_bodies(backend: Backend) -> None:
    wrong = {"timestamp": datetime.now(UTC).isoformat(), "metrics": {"heart_rate": "fast"}}
    status, told = await backend.post(f"/sessions/{backend.session}/metrics", wrong)
    well(status in {400, 422}, f"a heart rate that is a word should be 422 (or 400), not {status}")
    well("heart_rate" in json.dumps(told), "the answer does not name the field")


async def once(backend: Backend) -> None:
    before = len((await backend.data())["metrics_timeline"])
    key = str(uuid.uuid4())
    replies = await asyncio.gather(*(backend.say("ecg.metrics/1", key) for _ in range(10)))
    well({status // 100 for status, _ in replies} <= {2}, f"2xx was expected, not {[s for s, _ in replies]}")
    after = len((await backend.data())["metrics_timeline"])
    well(after == before + 1, f"ten times the same key should be one measurement, {after - before} are there")


async def batches(backend: Backend) -> None:
    before = len((await backend.data())["metrics_timeline"])
    sent = [golden("ecg.metrics/1", session=backend.name, device_serial=backend.device) for _ in range(20)]
    for _ in range(2):
        status, _ = await backend.post(rest.RECORDS_PATH, rest.records(sent))
        well(status // 100 == 2, f"2xx was expected, not {status}")
    after = len((await backend.data())["metrics_timeline"])
    well(after == before + 20, f"20 records sent twice should be 20 measurements, {after - before} are there")


async def events(backend: Backend) -> None:
    for message in ("ecg.arrhythmia/1", "box.alarm/1", "box.error/1"):
        status, _ = await backend.say(message)
        well(status // 100 == 2, f"{message}: 2xx was expected, not {status}")


async def ends(backend: Backend) -> None:
    status, _ = await backend.say("box.session_end/1")
    well(status // 100 == 2, f"2xx was expected, not {status}")


CHECKS: tuple[tuple[str, Callable[[Backend], Awaitable[None]]], ...] = (
    ("a session starts", starts),
    ("strangers are turned away", strangers),
    ("measurements arrive", numbers),
    ("samples arrive as they were sent", arrays),
    ("a bad body is refused by its field", bad_bodies),
    ("+ the same key is the same datum", once),
    ("+ batches of records, each once", batches),
    ("+ arrhythmias, alarms and errors have a place", events),
    ("a session ends", ends),
)


async def check(base: str, headers: dict[str, str]) -> list[tuple[str, str]]:
    """Each check and what failed of it ("" = nothing)."""
    name = f"session_{datetime.now(UTC):%Y%m%d_%H%M%S}_{uuid.uuid4().hex[:6]}"
    said: list[tuple[str, str]] = []
    async with aiohttp.ClientSession(timeout=TIMEOUT) as http:
        backend = Backend(http, base.rstrip("/"), headers, f"ECG-{uuid.uuid4().hex[:8].upper()}", name, name)
        for title, one in CHECKS:
            try:
                await one(backend)
            except (Fails, aiohttp.ClientError, TimeoutError, KeyError, TypeError) as failed:
                said.append((title, str(failed) or type(failed).__name__))
            else:
                said.append((title, ""))
    return said


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cloud.check", description=__doc__)
    parser.add_argument("url", help="the base address, with its version")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--api-key", help="sent as X-API-Key")
    who.add_argument("--token", help="sent as a bearer token")
    options = parser.parse_args()
    headers = (
        {"X-API-Key": options.api_key} if options.api_key else {"Authorization": f"Bearer {options.token}"}
    )
    said = asyncio.run(check(options.url, headers))
    for title, failed in said:
        print(f"{'no ' if failed else 'yes'}  {title}" + (f": {failed}" if failed else ""))
    return 1 if any(failed for title, failed in said if not title.startswith("+")) else 0


if __name__ == "__main__":
    sys.exit(main())
