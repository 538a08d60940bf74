"""Field types that the contracts share: numbers that keep their form, words that may become more, times as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

SENDING: Final = {"sending": True}
"""Validation context of what we say ourselves: words must be known ones."""


class Body(BaseModel):
    """The body of a message, or a part of one. Unknown fields are ignored on reading and refused on sending."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


@dataclass(frozen=True, slots=True)
class Span:
    """A finite number from `least` to `most` (both inclusive). A whole number stays whole: 12 is not made 12.0."""

    least: float | None = None
    most: float | None = None

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        whole = {k: v for k, v in (("ge", self.least), ("le", self.most)) if v is not None}
        return core_schema.union_schema(
            [
                core_schema.int_schema(strict=True, **whole),  # type: ignore[arg-type]
                core_schema.float_schema(strict=True, allow_inf_nan=False, **whole),  # type: ignore[arg-type]
            ],
            custom_error_type="number",
            custom_error_message=self._asked(),
        )

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        ends = {"minimum": self.least, "maximum": self.most}
        return {"type": "number", **{k: v for k, v in ends.items() if v is not None}}

    def _asked(self) -> str:
        match self.least, self.most:
            case None, None:
                return "Input should be a finite number"
            case least, None:
                return f"Input should be a number from {least:g} on"
            case None, most:
                return f"Input should be a number up to {most:g}"
            case least, most:
                return f"Input should be a number from {least:g} to {most:g}"


@dataclass(frozen=True, slots=True)
class Words:
    """Text that is one of `known`. Others are kept when read: a later version may say more.

    `grows` says in the schema that more may come with a minor version; without it the schema lists the words as all there are.
    """

    known: tuple[str, ...]
    grows: bool = False

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(
            self._check, core_schema.str_schema(strict=True)
        )

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        if self.grows:
            return {"type": "string", "description": f"one of {', '.join(self.known)}; others may come"}
        return {"type": "string", "enum": list(self.known)}

    def _check(self, value: str, info: ValidationInfo) -> str:
        if info.context and info.context.get("sending") and value not in self.known:
            raise PydanticCustomError(
                "word", "Input should be one of {known}", {"known": ", ".join(self.known)}
            )
        return value


Number = Annotated[float, Span()]
Positive = Annotated[float, Span(0)]
Percent = Annotated[float, Span(0, 100)]

_INSTANT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
Instant = Annotated[
    str, Field(pattern=_INSTANT, json_schema_extra={"format": "date-time"}, description="UTC, milliseconds")
]
"""A time on the wire: RFC 3339, UTC, exactly three decimals."""

Grade = Annotated[str, Words(("good", "acceptable", "poor", "off"))]
"""Signal quality."""
