"""What is wrong with a message, in one line that names the field."""

from __future__ import annotations

from typing import Self

from pydantic import ValidationError


class BadMessage(Exception):
    """A message that does not keep its contract. `field` is the path to what is wrong ("metrics.heart_rate"), "" for all of it."""

    def __init__(self, field: str, reason: str, more: int = 0) -> None:
        self.field = field
        self.reason = reason
        self.more = more
        tail = f" (and {more} more)" if more else ""
        super().__init__(f"{field}: {reason}{tail}" if field else reason + tail)

    @classmethod
    def of(cls, error: ValidationError) -> Self:
        """The first of a model's complaints, without the value: it may be a patient's."""
        first = error.errors(include_url=False, include_input=False)[0]
        return cls(".".join(str(part) for part in first["loc"]), first["msg"], error.error_count() - 1)

    def within(self, outer: str) -> Self:
        """The same fault, seen from outside."""
        return type(self)(f"{outer}.{self.field}" if self.field else outer, self.reason, self.more)
