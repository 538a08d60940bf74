"""What the further routes of the control socket share: acts that are done once, answers from the disk, and the other end."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

import aiohttp
from aiohttp import web
from pydantic import BaseModel, ValidationError

from daemon.control import acting
from daemon.control.client import NotAnswering, NotPermitted
from daemon.control.unix import Connected
from daemon.words import say

ACTS_REMEMBERED = 1000

T = TypeVar("T", bound=BaseModel)


class ActsOnce(Generic[T]):
    """An act whose answer was lost on the way is sent again under the same id: it acts once, and is answered as before."""

    def __init__(self) -> None:
        self._done: OrderedDict[str, asyncio.Task[T]] = OrderedDict()

    async def answer(self, identity: str, verb: str, act: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What came of `act`, done now or before. It goes on where the caller gives up."""
        if identity not in self._done:
            self._done[identity] = asyncio.create_task(act(), name=f"control: {verb}")
            while len(self._done) > ACTS_REMEMBERED:
                self._done.popitem(last=False)
        return await asyncio.shield(self._done[identity])


def first_fault(error: ValidationError) -> str:
    """Where a message is wrong, and why; nothing of what it held."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def told(message: BaseModel, status: int = 200) -> web.Response:
    """A message as a response."""
    return web.json_response(text=message.model_dump_json(), status=status)


async def told_from_disk(answer: Awaitable[BaseModel]) -> web.Response:
    """An answer that needs the disk; 503 while that does not answer, 400 for a number that no column holds."""
    try:
        return told(await answer)
    except (sqlite3.Error, OSError, asyncio.QueueFull) as error:
        raise web.HTTPServiceUnavailable(text=f"the disk does not answer: {error}") from None
    except OverflowError:  # beyond 64 bits
        raise web.HTTPBadRequest(text="a number is larger than can be kept") from None


class SocketClient(Connected):
    """The other end, as an asynchronous context manager.

    Everything raises `NotAnswering` where the daemon does not, and `NotPermitted` where whoever acts may not.
    """

    WITHIN_S = 6.0

    async def _ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        message: BaseModel | None = None,
        query: dict[str, str] | None = None,
    ) -> T:
        """The answer to a request, also where it is a refusal of the message (400)."""
        body = None if message is None else message.model_dump_json().encode()
        headers = acting.headers() | ({"Content-Type": "application/json"} if body else {})
        try:
            async with self._session.request(
                method, path, data=body, headers=headers, params=query
            ) as response:
                if response.status == 403:
                    raise NotPermitted(say("access.refused"))
                if response.status not in {200, 400}:
                    raise NotAnswering(await response.text())
                return kind.model_validate_json(await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NotAnswering(str(error) or type(error).__name__) from error
        except ValidationError as error:
            raise NotAnswering("the daemon's answer is of another version") from error
