"""The assistant over the forwarder's socket: what may go, exactly what goes, and its answer as it comes.

`POST /assistant/prepare` takes an `AssistantAsked` and answers an `AssistantPrepared`: the very body of the request, and a name for it.
`POST /assistant/ask` takes an `AssistantSend` and answers lines of JSON, an `AssistantPiece` each, as they come.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.control.client import NotAnswering
from daemon.control.unix import Connected

QUESTIONS = ("explain_numbers", "explain_statements", "what_is_measured")
"""What can be asked: fixed sentences, so that nobody types a name into them. Words: assistant.question.*, always sent in English."""

MOST_NUMBERS, MOST_STATEMENTS = 40, 20

Problem = Literal[
    "",
    "off",
    "unreachable",
    "blocked",
    "limited",
    "refused",
    "failed",
    "cut",
    "garbage",
    "too_long",
    "timeout",
    "gone",
]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AssistantNumber(_Message):
    """A measurement by the name of daemon/units.py."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    value: float
    unit: str = Field(pattern=r"^[A-Za-z0-9%/°\[\]{}. ]{0,16}$")


class AssistantPayload(_Message):
    """All that the assistant ever sees of a patient. No name, no id, no bed, no time, no wave, no free text."""

    age_band: Literal["", "0-17", "18-39", "40-59", "60-79", "80+"] = ""
    numbers: tuple[AssistantNumber, ...] = Field((), max_length=MOST_NUMBERS)
    statements: tuple[str, ...] = Field((), max_length=MOST_STATEMENTS)
    """Keys of our own sentences ("statement.*", "rhythm.*")."""


class AssistantAsked(_Message):
    question: Literal["explain_numbers", "explain_statements", "what_is_measured"]
    payload: AssistantPayload
    language: str = Field("en", pattern=r"^[a-z]{2}$")


class AssistantPrepared(_Message):
    """`body` is the body of the request to `to`, byte for byte; `sha256` its hash. `problem`: why nothing can be sent."""

    id: str = ""
    to: str = ""
    body: str = ""
    sha256: str = ""
    problem: Problem = ""


class AssistantSend(_Message):
    id: str = Field(min_length=8, max_length=64)


class AssistantPiece(_Message):
    """A piece of the answer, plain text; the last one has `end`, with the problem if there was one."""

    text: str = ""
    end: bool = False
    problem: Problem = ""
    again_s: float = 0.0


class AssistantClient(Connected):
    """The other end, as an asynchronous context manager. Raises `NotAnswering` where the forwarder does not."""

    async def prepare(self, asked: AssistantAsked) -> AssistantPrepared:
        """What would be sent."""
        try:
            async with self._session.post(
                "/assistant/prepare", data=asked.model_dump_json(), timeout=aiohttp.ClientTimeout(total=6.0)
            ) as response:
                response.raise_for_status()
                return AssistantPrepared.model_validate_json(await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError, ValidationError) as error:
            raise NotAnswering(type(error).__name__) from error

    async def ask(self, identity: str) -> AsyncIterator[AssistantPiece]:
        """Send what was prepared; the answer piece by piece."""
        body = AssistantSend(id=identity).model_dump_json()
        try:
            async with self._session.post(
                "/assistant/ask", data=body, timeout=aiohttp.ClientTimeout(total=40.0)
            ) as response:
                response.raise_for_status()
                async for line in response.content:
                    yield AssistantPiece.model_validate_json(line)
        except (aiohttp.ClientError, OSError, TimeoutError, ValidationError) as error:
            raise NotAnswering(type(error).__name__) from error
