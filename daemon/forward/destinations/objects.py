"""Azure Blob and Google Cloud Storage share a library, obstore: what the two destinations have in common.

An object is created, never replaced; that one of its name is there already is success, for the name carries the digest.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from daemon.forward.destinations import Outcome, Verdict
from daemon.forward.destinations.files import Content, Filed, FileOptions
from daemon.forward.destinations.place import Ended, Place
from daemon.forward.destinations.trouble import of_status

if TYPE_CHECKING:
    from obstore.store import AzureStore, ClientConfig, GCSStore, RetryConfig

# obstore says a status only in the text of its errors.
_STATUS: Final = re.compile(r"\bstatus(?: code)?:? (\d{3})\b|\b(\d{3}) [A-Z][a-z]+", re.ASCII)

_UNTRUSTED: Final = re.compile(r"certificate|UnknownIssuer|NotValidForName", re.IGNORECASE)

ONE_TRY: Final[RetryConfig] = {"max_retries": 0, "retry_timeout": timedelta(minutes=3)}
"""Trying again is the forwarder's part."""


class ObjectOptions(FileOptions):
    """What can be set for both."""

    prefix: Annotated[str, Field(description="Put before every name, with its slash")] = ""
    ca_file: Annotated[
        str, Field(description="Certificates of the authorities to believe beside the well-known ones")
    ] = ""
    largest_bytes: Annotated[
        int, Field(ge=1024, le=1 << 28, description="Largest file; it is held in memory while it is sent")
    ] = 64 << 20


class Objects(Filed):
    options: ObjectOptions

    def __init__(self, options: ObjectOptions, place: Place) -> None:
        super().__init__(options, place)
        self._store: AzureStore | GCSStore | None = None

    keeps: str
    """What holds the objects, in the server's words."""

    @abstractmethod
    def store(self) -> AzureStore | GCSStore:
        """The library's store, from the options. Raises `Ended`."""

    async def open(self) -> Outcome:
        """The credentials are read again: a person may have renewed them."""
        self._store = None
        return await super().open()

    async def close(self) -> None:
        self._store = None

    async def put(self, name: str, content: Content) -> None:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        data = content.data if content.file is None else await self.aside.run(content.whole)
        if self._store is None:
            self._store = self.store()
        try:
            await obstore.put_async(self._store, self.options.prefix + name, data, mode="create")
        except (AlreadyExistsError, PreconditionError):
            return

    def client_options(self) -> ClientConfig:
        """What both stores' connections have in common."""
        wait = timedelta(seconds=self.options.timeout_s)
        made: ClientConfig = {
            "allow_http": True,
            "connect_timeout": min(wait, timedelta(seconds=10)),
            "timeout": wait,
        }
        if self.options.ca_file:
            try:
                made["root_certificate"] = self.place.secret_file(self.options.ca_file).read_bytes()
            except OSError:
                raise Ended(Verdict.PARKED, "the file of authorities cannot be read") from None
        return made

    def known(self, error: Exception) -> Outcome | None:
        from obstore import exceptions

        if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
            return Outcome(Verdict.PARKED, "the server does not accept the box's credentials")
        if isinstance(error, FileNotFoundError):
            return Outcome(Verdict.PARKED, f"the server has no such {self.keeps}")
        if isinstance(error, exceptions.BaseError):
            return _told(str(error))
        if isinstance(error, ValueError):
            return Outcome(Verdict.PARKED, "the address or the credentials cannot be used as they are")
        return None


def _told(text: str) -> Outcome:
    if _UNTRUSTED.search(text):
        return Outcome(Verdict.PARKED, "the server's certificate is not one that the box believes")
    status = _STATUS.search(text)
    if status and (outcome := of_status(int(status[1] or status[2]))) is not None:
        return outcome
    if re.search(r"timed out|timeout", text):
        return Outcome(Verdict.AGAIN, "no answer in time")
    return Outcome(Verdict.AGAIN, "the connection was lost")
