"""AWS IoT's device shadow and jobs, as far as a box takes part; the same documents serve a broker without them (topics.config)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationError

from daemon.contracts.faults import BadMessage
from daemon.contracts.fields import Body, Words


class Delta(Body):
    """What is desired and not yet reported. Applied only if `version` is newer than the last one applied."""

    state: dict[str, Any]
    version: int = Field(ge=1)
    timestamp: int | None = None


class States(Body):
    """Both sides of a shadow."""

    desired: dict[str, Any] | None = None
    reported: dict[str, Any] | None = None
    delta: dict[str, Any] | None = None


class Document(Body):
    """The whole shadow: the answer to "get"."""

    state: States
    version: int = Field(ge=1)
    timestamp: int | None = None


class Execution(Body):
    """One job: what to do, and which version of its record an update must name."""

    jobId: str  # noqa: N815 - AWS names it
    jobDocument: dict[str, Any] = Field(default_factory=dict)  # noqa: N815 - AWS names it
    status: Annotated[str, Words(("QUEUED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"), grows=True)]
    versionNumber: int = Field(ge=1)  # noqa: N815 - AWS names it


class NextJob(Body):
    """`notify-next`: the job that is next, or none."""

    execution: Execution | None = None
    timestamp: int | None = None


def delta(data: bytes | str) -> Delta:
    """Raises `BadMessage`."""
    try:
        return Delta.model_validate_json(data)
    except ValidationError as error:
        raise BadMessage.of(error) from None


def shadow(data: bytes | str) -> Document:
    """Raises `BadMessage`."""
    try:
        return Document.model_validate_json(data)
    except ValidationError as error:
        raise BadMessage.of(error) from None


def next_job(data: bytes | str) -> NextJob:
    """Raises `BadMessage`; a message without a job says that there is none."""
    try:
        return NextJob.model_validate_json(data)
    except ValidationError as error:
        raise BadMessage.of(error) from None


def reported(state: dict[str, Any], version: int | None = None) -> dict[str, Any]:
    """What the box says of it: settings as they are at the device. With `version` the shadow refuses it if it has moved on."""
    told: dict[str, Any] = {"state": {"reported": state}}
    return told if version is None else {**told, "version": version}
