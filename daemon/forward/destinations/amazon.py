"""What destinations on Amazon's services share: one session of boto3, clients that leave patience to the forwarder, faults on the way.

boto3 is imported only when such a destination sends.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from typing import Any, Final, Protocol

from daemon.forward.destinations import Outcome, Verdict
from daemon.forward.destinations.place import Place

_MAKING: Final = threading.Lock()
"""Clients of boto3 may be used by several threads, but not made by them."""


class Access(Protocol):
    """As whom, where if not at Amazon's own address, and with how much patience."""

    @property
    def endpoint(self) -> str: ...
    @property
    def access_key(self) -> str: ...
    @property
    def secret_key_file(self) -> str: ...
    @property
    def ca_file(self) -> str: ...
    @property
    def timeout_s(self) -> float: ...
    @property
    def at_once(self) -> int: ...


class Connection:
    """A client of one service, made when it is first asked for."""

    def __init__(
        self, service: str, region: str, options: Access, place: Place, more: Mapping[str, Any]
    ) -> None:
        """`more`: further options of botocore's `Config`."""
        self._service, self._region, self._options, self._place = service, region, options, place
        self._more = more
        self._client: Any = None

    def client(self) -> Any:
        """Raises what a credential raises."""
        with _MAKING:
            if self._client is None:
                self._client = self._made()
            return self._client

    def close(self) -> None:
        """The next client reads the credentials again."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _made(self) -> Any:
        from botocore.config import Config

        options = self._options
        secret = self._place.secret(options.secret_key_file)
        return _session().client(
            self._service,
            region_name=self._region,
            endpoint_url=options.endpoint or None,
            aws_access_key_id=options.access_key,
            aws_secret_access_key=secret.get_secret_value(),
            verify=str(self._place.secret_file(options.ca_file)) if options.ca_file else None,
            config=Config(
                connect_timeout=min(options.timeout_s, 10.0),
                read_timeout=options.timeout_s,
                retries={"total_max_attempts": 1},  # trying again is the forwarder's part
                max_pool_connections=options.at_once,
                **self._more,
            ),
        )


@functools.cache
def _session() -> Any:
    """One for all such destinations: the descriptions of Amazon's services that it reads are large. Holds no credentials."""
    import boto3

    return boto3.session.Session()


def on_the_way(error: Exception) -> Outcome | None:
    """What it means that the service did not answer, or that it cannot be asked; None: it is another error."""
    from botocore import exceptions

    if isinstance(error, exceptions.SSLError) and "doesn't match" in str(error):
        return Outcome(Verdict.PARKED, "the server's certificate is for another name")
    if isinstance(error, exceptions.SSLError):
        return Outcome(Verdict.PARKED, "the server's certificate is not one that the box believes")
    if isinstance(error, exceptions.ConnectTimeoutError | exceptions.ReadTimeoutError):
        return Outcome(Verdict.AGAIN, "no answer in time")
    if isinstance(error, exceptions.HTTPClientError):
        return Outcome(Verdict.AGAIN, "the connection was lost")
    if isinstance(error, exceptions.BotoCoreError | ValueError):
        return Outcome(Verdict.PARKED, "the address or the credentials cannot be used as they are")
    return None
