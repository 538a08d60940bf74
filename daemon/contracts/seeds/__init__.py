"""The forms that the seeds' backends know, made from the canonical ones and back: pure functions.

Form A is that of the REST plan (plan.py its messages, rest.py its requests), form B that of the roadmap (roadmap.py).
Where A and B differ, docs/decisions/ (the two forms of the seeds) says what is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from daemon.contracts.envelope import Envelope
from daemon.contracts.faults import BadMessage
from daemon.contracts.fields import Body
from daemon.contracts.registry import heard
from daemon.model.signals import Counts


@dataclass(frozen=True, slots=True)
class Sender:
    """Who speaks: the account's `user_id` at that backend, and the serial number that stands for the box itself."""

    user_id: str
    box: str

    def serial(self, envelope: Envelope) -> str:
        """The seeds have no message without a device."""
        return envelope.device_serial or self.box


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored chunk with its samples: `counts` int32 of shape (channels, n); the body of `envelope` is a waveform/1."""

    envelope: Envelope
    counts: Counts


_T = TypeVar("_T", bound=Body)


def body_of(envelope: Envelope, model: type[_T]) -> _T:
    """The body as the model that its schema names. Raises `BadMessage`."""
    body = heard(envelope.message, envelope.body)
    if not isinstance(body, model):
        raise BadMessage("schema", f"{envelope.message} is no {model.__name__}")
    return body


def whole(value: float | None) -> int | None:
    """The seeds keep such numbers in INT columns; null stays null."""
    return None if value is None else round(value)


def plain(value: float) -> float:
    """A whole number without a decimal point, as the seeds write it."""
    return int(value) if value == int(value) else value
