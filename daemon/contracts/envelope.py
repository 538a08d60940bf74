"""The envelope: what every message carries beside its body, and the message as bytes.

A receiver that has stored a `key` has stored that record; `seq` orders the records of one lane, device and session.
`measured_at` is when it happened, `sent_at` when the request was sealed. `clock` "unset": the box's clock was never
set in that boot, and measured_at is no more than a guess; the key and seq still hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.contracts.faults import BadMessage
from daemon.contracts.fields import Instant, Words
from daemon.contracts.times import instant

PREFIX: Final = "vitald."

_KEY = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


class Envelope(BaseModel):
    """One message in the canonical form. `body` is the contract's that `schema` names."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, populate_by_name=True)

    schema_: str = Field(
        alias="schema",
        pattern=r"^vitald\.[a-z]+\.[a-z_]+/[1-9]\d*$",
        description="vitald.<service>.<name>/<major version>",
    )
    key: str = Field(pattern=_KEY, description="The record's own UUID: the same at every try, for ever")
    seq: int = Field(ge=1, description="Place in the box's outbox")
    device_serial: str = Field(description='Serial number of the device that measured; "" = the box itself')
    session: str = Field(description='Name of the recording session; "" = none')
    measured_at: Instant
    clock: Annotated[str, Words(("set", "unset"))]
    sent_at: Instant
    body: dict[str, Any]

    @property
    def message(self) -> str:
        """The message within the schema: "ecg.metrics/1"."""
        return self.schema_.removeprefix(PREFIX)

    @property
    def service(self) -> str:
        return self.message.partition(".")[0]

    @property
    def kind(self) -> str:
        return self.message.partition(".")[2].partition("/")[0]

    def as_dict(self) -> dict[str, Any]:
        """For JSON, in the order of the fields."""
        return self.model_dump(by_alias=True)


def wrap(
    message: str,
    body: Mapping[str, Any],
    *,
    key: str,
    seq: int,
    device: str,
    session: str,
    utc_ns: int,
    synced: bool,
    sent_at: str,
) -> Envelope:
    """The envelope of a record of the outbox. `sent_at` is an instant (`times.uuid7_instant` of the request's key)."""
    return Envelope.model_construct(
        schema_=PREFIX + message,
        key=key,
        seq=seq,
        device_serial=device,
        session=session,
        measured_at=instant(utc_ns),
        clock="set" if synced else "unset",
        sent_at=sent_at,
        body=dict(body),
    )


def line(envelope: Envelope) -> bytes:
    """One line of NDJSON, with its end."""
    return compact(envelope.as_dict()) + b"\n"


def compact(value: Any) -> bytes:
    """JSON without spaces, UTF-8. Raises ValueError for NaN and infinity: JSON has none."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def read(data: bytes | str) -> Envelope:
    """The envelope in `data`. Raises `BadMessage`; the body is not looked into (`registry.heard` does)."""
    try:
        return Envelope.model_validate_json(data)
    except ValidationError as error:
        raise BadMessage.of(error) from None


def read_lines(data: bytes) -> list[Envelope]:
    """The envelopes of NDJSON. Raises `BadMessage` whose field begins with the number of the line, from 0."""
    envelopes = []
    for number, text in enumerate(data.splitlines()):
        try:
            envelopes.append(read(text))
        except BadMessage as bad:
            raise bad.within(str(number)) from None
    return envelopes
