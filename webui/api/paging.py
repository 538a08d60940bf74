"""Pages: at most 200 things, and where the next page begins. A cursor is opaque to whoever asks; within it stand times and ids."""

from __future__ import annotations

import binascii
from base64 import b64decode, urlsafe_b64encode
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from daemon.contracts.times import nanoseconds
from webui.api.problems import NotAnswered
from webui.api.routes import Model, Query

MOST: Final = 200
USUAL: Final = 50

_LARGEST: Final = 2**62


def _is_time(text: str) -> str:
    try:
        nanoseconds(text)
    except (ValueError, OverflowError):
        raise ValueError("a time as 2026-01-08T12:34:56Z") from None
    return text


Time = Annotated[
    str,
    Field(
        max_length=40,
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$",
        json_schema_extra={"format": "date-time"},
        description="RFC 3339",
    ),
    AfterValidator(_is_time),
]


class Paged(Query):
    """What every list can be asked with."""

    limit: int = Field(USUAL, ge=1, le=MOST, description="At most so many")
    cursor: str = Field("", max_length=300, description="`next` of the page before; empty = the first page")


class Spanned(Paged):
    """A list over a span of time: from <= t < to."""

    from_: Time | None = Field(None, alias="from")
    to: Time | None = None

    @property
    def from_ns(self) -> int | None:
        return None if self.from_ is None else _bounded(self.from_)

    @property
    def to_ns(self) -> int | None:
        return None if self.to is None else _bounded(self.to)


class Page(Model):
    """`next`: cursor of the page that follows; null = there is none. A page may be shorter than asked for and have one all the same."""

    next: str | None = None


def cursor_of(*parts: int | str) -> str:
    """A cursor that holds these."""
    return urlsafe_b64encode(".".join(map(str, parts)).encode()).decode().rstrip("=")


def numbers_in(cursor: str, count: int) -> tuple[int, ...] | None:
    """The numbers in a cursor; None where there is none. Raises `NotAnswered` for one that is not of this list."""
    if not cursor:
        return None
    try:
        found = tuple(int(part) for part in text_in(cursor).split("."))
    except ValueError:
        raise _bad() from None
    if len(found) != count or any(abs(one) > _LARGEST for one in found):
        raise _bad()
    return found


def text_in(cursor: str) -> str:
    """The text in a cursor."""
    try:
        return b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise _bad() from None


def _bad() -> NotAnswered:
    return NotAnswered("parameters", "not a cursor of this list", "cursor")


def _bounded(text: str) -> int:
    return max(-_LARGEST, min(_LARGEST, nanoseconds(text)))
