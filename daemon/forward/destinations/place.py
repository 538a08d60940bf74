"""What a destination gets from the box: names, folders, secrets. And what every kind's options have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from daemon.contracts.rest.v1 import ConfigReport
from daemon.forward.destinations import Outcome, Verdict

Service = Literal["cpap", "oxygen"]


class Ended(Exception):
    """A try is over with this outcome; raised from wherever it became clear, caught in `trouble.tried`."""

    def __init__(self, verdict: Verdict, reason: str, wait_s: float = 0.0) -> None:
        self.outcome = Outcome(verdict, reason, wait_s)
        super().__init__(reason)


class Wishes(Protocol):
    """Takes settings that a cloud wishes for a device: `version` grows with every wish. Limits and consent are the daemon's."""

    def __call__(self, device: str, version: int, wish: Mapping[str, Any]) -> None: ...


class Configuring(Protocol):
    """A destination that wishes of devices come from as well."""

    @property
    def settings_of(self) -> Mapping[str, Service]:
        """The devices, by serial number."""

    async def ask_settings(self) -> Outcome:
        """See to it that wishes come: each that is new goes to `Place.wishes`."""

    async def report_settings(self, device: str, report: ConfigReport) -> Outcome:
        """Tell the cloud what has become of its wish."""


def _nobody(device: str, version: int, wish: Mapping[str, Any]) -> None:
    """Wishes that nobody asked for are left where they are."""


def _unknown(session: str) -> Mapping[str, Any] | None:  # noqa: ARG001 - nobody says
    return None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a destination lives on the box.

    `name` is its name in the configuration, `box` the box's own serial number. `credentials` holds the files with secrets,
    `state` is a folder of the destination's own (it makes it when it needs one), `reports` holds the report files. `given`
    are secrets by name that are in no file (the seeds' BACKEND_API_KEY). `demo`: the patients are simulators. `patient` says whose a
    session is, by its name (a session's patient never changes); it asks the store, so it is for threads that may wait.
    """

    name: str
    box: str
    credentials: Path
    state: Path
    reports: Path
    given: Mapping[str, SecretStr] = field(default_factory=dict, repr=False)
    wishes: Wishes = field(default=_nobody)
    demo: bool = False
    patient: Callable[[str], Mapping[str, Any] | None] = field(default=_unknown, repr=False)

    def secret_file(self, name: str) -> Path:
        """The file of a secret: in the folder of credentials, unless `name` is an absolute path."""
        return secret_file(self.credentials, name)

    def secret(self, name: str) -> SecretStr:
        """The text of a secret, without the end of its line. Raises `Ended` (parked) when it is not there."""
        if name in self.given:
            return self.given[name]
        try:
            text = self.secret_file(name).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise Ended(Verdict.PARKED, f"the credential {name!r} cannot be read") from None
        if not text:
            raise Ended(Verdict.PARKED, f"the credential {name!r} is empty")
        return SecretStr(text)


def secret_file(folder: Path, name: str) -> Path:
    """The file of a secret in a folder. One that systemd has filled (LoadCredential=secret:FOLDER) has `secret_` before each name."""
    handed_over = folder / f"secret_{name}"
    return handed_over if handed_over.exists() else folder / name


class Options(BaseModel):
    """What can be set for any destination."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_s: Annotated[float, Field(gt=0, le=600, description="Longest silence of one try, in seconds")] = (
        30.0
    )
    at_once: Annotated[int, Field(ge=1, le=20, description="Requests under way at the same time")] = 4
    named_patients: Annotated[
        bool, Field(description="Whether names, addresses and the like may go there; else a patient is an id")
    ] = False


Credential = Annotated[str, Field(min_length=1, description="Name of a file in the folder of credentials")]
