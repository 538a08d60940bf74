"""The forwarder's socket as others see it: what travels, and the client for the command line and the web.

`GET /destinations` answers a `Told`. `POST /destinations/NAME/{pause,resume,retry}` takes an `Asked`. `GET
/destinations/NAME/quarantine` answers a `QuarantineTold`, `POST` there (an `Asked`) sends records again. `GET /metrics` is
Prometheus' text.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.control.unix import Connected

StateWord = Literal["starting", "fault", "paused", "parked", "waiting", "sending", "idle"]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LaneTold(_Message):
    """`waiting` records (about, where they are thousands) and about `waiting_bytes`; what was sent so far; `refused`: why the destination takes none of them.

    `confirmed`: the destination is done with every record up to this seq of the outbox.
    """

    waiting: int = 0
    waiting_bytes: int = 0
    sent_records: int = 0
    sent_bytes: int = 0
    refused: str = ""
    confirmed: int = 0


class DestinationTold(_Message):
    """A destination. Times are UTC in milliseconds, 0 = never. `reason` says in words why it does not send."""

    name: str
    kind: str
    state: StateWord
    reason: str = ""
    oldest_unsent_s: float = 0.0
    next_try_s: float = 0.0
    bytes_per_s: float = 0.0
    last_success_ms: int = 0
    last_error: str = ""
    last_error_ms: int = 0
    failing_since_ms: int = 0
    quarantined: int = 0
    in_flight: int = 0
    lanes: dict[str, LaneTold] = Field(default_factory=dict)
    requests: dict[str, int] = Field(default_factory=dict)


class Told(_Message):
    """All destinations, in the order of the configuration, and the registry of serial numbers."""

    destinations: tuple[DestinationTold, ...] = ()
    registry: dict[str, Any] = Field(default_factory=dict)
    unreadable: int = 0


class RefusedTold(_Message):
    """A record in quarantine and what the destination says of it."""

    seq: int
    lane: str
    message: str
    device: str
    session: str
    measured_ms: int
    reply: str
    refused_ms: int
    times: int


class QuarantineTold(_Message):
    records: tuple[RefusedTold, ...] = ()


class Asked(_Message):
    """`actor` asks; `seqs` of a quarantine, null = all."""

    actor: str = Field("", max_length=100)
    seqs: tuple[int, ...] | None = None


class Done(_Message):
    """`records`: how many it was about, where it was about records."""

    done: bool = True
    records: int = 0


T = TypeVar("T", bound=BaseModel)


class NotAnswering(Exception):
    """The forwarder could not be reached, or did not answer in time."""


class Unknown(Exception):
    """There is no such destination, or it does not run; the text says so."""


class ForwardClient(Connected):
    """A client, as an asynchronous context manager. Everything raises `NotAnswering` where the forwarder does not."""

    WITHIN_S = 10.0
    """Counting what waits for days may take a second or two."""

    async def told(self) -> Told:
        """How every destination is doing."""
        return await self._ask("GET", "/destinations", Told)

    async def act(self, name: str, verb: str, actor: str) -> Done:
        """pause, resume or retry. Raises `Unknown`."""
        return await self._ask("POST", f"/destinations/{name}/{verb}", Done, Asked(actor=actor))

    async def quarantine(self, name: str) -> QuarantineTold:
        """What a destination refuses. Raises `Unknown`."""
        return await self._ask("GET", f"/destinations/{name}/quarantine", QuarantineTold)

    async def release(self, name: str, seqs: tuple[int, ...] | None, actor: str) -> Done:
        """Send records in quarantine again, all where `seqs` is None. Raises `Unknown`."""
        return await self._ask(
            "POST", f"/destinations/{name}/quarantine", Done, Asked(actor=actor, seqs=seqs)
        )

    async def metrics(self) -> str:
        """Prometheus' text."""
        try:
            async with self._session.get("/metrics") as response:
                response.raise_for_status()
                return await response.text()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NotAnswering(str(error) or type(error).__name__) from error

    async def _ask(self, method: str, path: str, kind: type[T], body: BaseModel | None = None) -> T:
        data = None if body is None else body.model_dump_json()
        try:
            async with self._session.request(method, path, data=data) as response:
                if response.status == 404:
                    raise Unknown(await response.text())
                response.raise_for_status()
                return kind.model_validate_json(await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NotAnswering(str(error) or type(error).__name__) from error
        except ValidationError as error:
            raise NotAnswering("the forwarder's answer is of another version") from error
