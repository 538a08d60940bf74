"""The assistant: one prepared question goes to the model that is set, its answer comes back as it is made. Off, unless it is set.

It has the network of the forwarder and nothing else: no database, no device, no alarm. It sees an `AssistantPayload`, whose numbers
and statements must be of our own tables. What was prepared can be sent once, within five minutes, as it was shown.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from pydantic import ValidationError

from daemon.config import Assistant as Set
from daemon.control.assistant import (
    AssistantAsked,
    AssistantPayload,
    AssistantPiece,
    AssistantPrepared,
    AssistantSend,
    Problem,
)
from daemon.forward.assistant_wire import Events, Garbage, Heard, address, body, headers, heard
from daemon.units import OBSERVABLES
from daemon.words import ENGLISH

log = logging.getLogger(__name__)

ANSWERED_WITHIN_S = 20.0
KEPT_S = 300.0
MOST_KEPT = 20
LONGEST_ANSWER = 8000
LARGEST_REPLY = 1_000_000
HOUR_S = 3600.0
_STATEMENTS = ("statement.", "rhythm.")


class Assistant:
    """`clock` is seconds that go on; `within_s` a question may take in all."""

    def __init__(
        self,
        settings: Set,
        credentials: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        within_s: float = ANSWERED_WITHIN_S,
    ) -> None:
        self._set = settings
        self._credentials = credentials
        self._clock = clock
        self._within_s = within_s
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._asked: deque[float] = deque()
        self._busy = asyncio.Lock()

    def add_to(self, app: web.Application) -> None:
        """Its routes."""
        app.router.add_post("/assistant/prepare", self._prepare)
        app.router.add_post("/assistant/ask", self._ask)

    def prepare(self, asked: AssistantAsked) -> AssistantPrepared:
        """The very body that would be sent."""
        if not self._set.is_set or self._set.kind == "off":
            return AssistantPrepared(problem="off")
        payload = described(asked.payload)
        if payload is None:
            return AssistantPrepared(problem="refused")
        text = body(self._set.kind, self._set.model, asked.question, payload, asked.language)
        identity, data = str(uuid.uuid4()), text.encode()
        self._kept[identity] = (self._clock(), data)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        host = urlsplit(address(self._set.kind, self._set.url, self._set.model)).hostname or ""
        return AssistantPrepared(id=identity, to=host, body=text, sha256=hashlib.sha256(data).hexdigest())

    async def answer(self, identity: str) -> AsyncIterator[AssistantPiece]:
        """Send what was prepared; pieces of the answer, the last of which has `end`."""
        since, data = self._kept.pop(identity, (0.0, b""))
        now = self._clock()
        while self._asked and now - self._asked[0] >= HOUR_S:
            self._asked.popleft()
        if not data or now - since > KEPT_S or self._set.kind == "off":
            yield _end("gone")
        elif len(self._asked) >= self._set.per_hour or self._busy.locked():
            wait_s = HOUR_S - (now - self._asked[0]) if len(self._asked) >= self._set.per_hour else 5.0
            yield AssistantPiece(end=True, problem="limited", again_s=max(1.0, wait_s))
        else:
            self._asked.append(now)
            async with self._busy:
                async for piece in self._sent(data):
                    yield piece

    async def _sent(self, data: bytes) -> AsyncIterator[AssistantPiece]:
        try:
            async with asyncio.timeout(self._within_s):
                async for piece in self._exchange(data):
                    yield piece
        except TimeoutError:
            yield _end("timeout")
        except Garbage:
            yield _end("garbage")
        except (aiohttp.ClientPayloadError, ConnectionError):
            yield _end("cut")
        except (aiohttp.ClientError, OSError) as error:
            log.warning("assistant: %s", type(error).__name__)
            yield _end("unreachable")

    async def _exchange(self, data: bytes) -> AsyncIterator[AssistantPiece]:
        kind = self._set.kind
        assert kind != "off"
        key = ""
        if self._set.key_file:
            key = (self._credentials / self._set.key_file).read_text(encoding="utf-8").strip()
        url = address(kind, self._set.url, self._set.model)
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(url, data=data, headers=headers(kind, key), allow_redirects=False) as response,
        ):
            if response.status != 200:
                yield _refusal(response)
                return
            events, length, size, last = Events(), 0, 0, False
            async for chunk in response.content.iter_any():
                size += len(chunk)
                if size > LARGEST_REPLY:
                    yield _end("too_long")
                    return
                for said in events.feed(chunk):
                    one = heard(kind, said)
                    if one.text and length < LONGEST_ANSWER:
                        text = one.text[: LONGEST_ANSWER - length]
                        length += len(text)
                        yield AssistantPiece(text=text)
                    if one.last:
                        last = True
                        yield _last(one)
                        return
            for said in events.end():
                one = heard(kind, said)
                last = last or one.last
                yield AssistantPiece(text=one.text[:LONGEST_ANSWER])
            yield AssistantPiece(end=True) if last else _end("cut")

    async def _prepare(self, request: web.Request) -> web.Response:
        try:
            asked = AssistantAsked.model_validate_json(await request.read())
        except ValidationError:
            raise web.HTTPBadRequest from None
        return web.json_response(text=self.prepare(asked).model_dump_json())

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        try:
            asked = AssistantSend.model_validate_json(await request.read())
        except ValidationError:
            raise web.HTTPBadRequest from None
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        async for piece in self.answer(asked.id):
            await response.write(piece.model_dump_json().encode() + b"\n")
        await response.write_eof()
        return response


def described(payload: AssistantPayload) -> dict[str, object] | None:
    """The payload in English, as the model reads it; None where something of it is not of our tables."""
    if any(one.name not in OBSERVABLES for one in payload.numbers):
        return None
    if any(not key.startswith(_STATEMENTS) or key not in ENGLISH for key in payload.statements):
        return None
    numbers = [
        {
            "name": ENGLISH.get(f"number.{one.name}", one.name.replace("_", " ")),
            "value": one.value,
            "unit": one.unit,
        }
        for one in payload.numbers
    ]
    told: dict[str, object] = {"numbers": numbers, "statements": [ENGLISH[key] for key in payload.statements]}
    return told | ({"age_band": payload.age_band} if payload.age_band else {})


def _last(one: Heard) -> AssistantPiece:
    return AssistantPiece(end=True, problem="blocked" if one.blocked else "too_long" if one.cut else "")


def _end(problem: Problem) -> AssistantPiece:
    return AssistantPiece(end=True, problem=problem)


def _refusal(response: aiohttp.ClientResponse) -> AssistantPiece:
    """Why the server did not answer; nothing of what it said is shown."""
    if response.status == 429:
        after = response.headers.get("Retry-After", "")
        return AssistantPiece(
            end=True, problem="limited", again_s=float(after) if after.isdecimal() else 60.0
        )
    return _end("refused" if 400 <= response.status < 500 else "failed")
