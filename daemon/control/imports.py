"""What was recorded elsewhere, handed to the daemon piece by piece: it alone writes the database.

`POST /imports/samples`, `/imports/session` and `/imports/day` take what the worker has read from a card. Each answer comes when
the piece is on the disk, and a little later still: so nobody can hand in faster than the live recording allows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from aiohttp import web
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError

from daemon.control.asking import SocketClient, first_fault, told, told_from_disk
from daemon.model.signals import Quantity

LARGEST_PIECE = 512 * 1024
MOST_CHUNKS = 64
MOST_SAMPLES = 100_000
"""Of a chunk."""

M = TypeVar("M", bound=BaseModel)


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OwnerGiven(_Message):
    """The device that recorded, and the bed at which it is kept."""

    device: str = Field(min_length=1, max_length=64)
    kind: str = Field(max_length=64)
    title: str = Field(max_length=200)
    firmware: str = Field(max_length=200)
    bed: str


class ChannelGiven(_Message):
    """A channel, as firmware_bridge/frames.py has it."""

    name: str = Field(min_length=1, max_length=64)
    quantity: Quantity
    unit: str = Field(max_length=32)
    gain: float = Field(allow_inf_nan=False)
    offset: float = Field(allow_inf_nan=False)
    low: int
    high: int


class ChunkGiven(_Message):
    """Samples from `first` on, as store/codec.py codes them."""

    first: int = Field(ge=0, lt=2**40)
    n: int = Field(ge=1, le=MOST_SAMPLES)
    t0_ns: int = Field(gt=0, lt=2**62)
    crc32: int = Field(ge=0, lt=2**32)
    data: Base64Bytes


class HoleGiven(_Message):
    """Samples that cannot be believed."""

    first: int = Field(ge=0, lt=2**40)
    count: int = Field(ge=1, lt=2**40)
    t0_ns: int = Field(gt=0, lt=2**62)


class SamplesGiven(_Message):
    """A piece of one stream of one session. Times are UTC in nanoseconds, by the device's clock to within `error_ns`."""

    owner: OwnerGiven
    segment: str = Field(min_length=36, max_length=36)
    stream: str = Field(min_length=1, max_length=64)
    rate_hz: float = Field(gt=0, le=10_000, allow_inf_nan=False)
    channels: tuple[ChannelGiven, ...] = Field(min_length=1, max_length=64)
    began_ns: int = Field(gt=0, lt=2**62)
    ended_ns: int = Field(gt=0, lt=2**62)
    chunk_n: int = Field(ge=1, le=MOST_SAMPLES)
    error_ns: float = Field(ge=0, allow_inf_nan=False)
    session_ns: int = Field(gt=0, lt=2**62)
    until_ns: int = Field(gt=0, lt=2**62)
    chunks: tuple[ChunkGiven, ...] = Field((), max_length=MOST_CHUNKS)
    holes: tuple[HoleGiven, ...] = Field((), max_length=MOST_CHUNKS)


class MarkGiven(_Message):
    """What the device noticed by itself."""

    t_ns: int = Field(gt=0, lt=2**62)
    name: str = Field(min_length=1, max_length=64)
    text: str = Field(max_length=200)
    duration_s: float = Field(ge=0, allow_inf_nan=False)


class SessionGiven(_Message):
    """A session whose samples have all been handed in. `patient_id` "" = nobody's."""

    owner: OwnerGiven
    uuid: str = Field(min_length=36, max_length=36)
    segment: str = Field(min_length=36, max_length=36)
    began_ns: int = Field(gt=0, lt=2**62)
    ended_ns: int = Field(gt=0, lt=2**62)
    actor: str = Field("", max_length=100)
    patient_id: str = Field("", max_length=200)
    marks: tuple[MarkGiven, ...] = Field((), max_length=5000)
    summary: dict[str, Any]


class FigureGiven(_Message):
    """A number of the device's; null: it has none."""

    name: str = Field(min_length=1, max_length=64)
    unit: str = Field(max_length=32)
    value: float | None = Field(allow_inf_nan=False)


class DayGiven(_Message):
    """What the device says of a whole day: its settings and its own statistics."""

    owner: OwnerGiven
    day: str = Field(pattern=r"\d{4}-\d{2}-\d{2}")
    t_ns: int = Field(gt=0, lt=2**62)
    body: dict[str, Any]
    figures: tuple[FigureGiven, ...] = Field((), max_length=100)


class Taken(_Message):
    """`added`: how many rows were not there before. `refused`: why nothing was taken, in words."""

    added: int = 0
    refused: str = ""


class Importing(Protocol):
    """What the routes ask of the daemon (daemon/importing.py)."""

    async def samples(self, given: SamplesGiven) -> Taken: ...

    async def session(self, given: SessionGiven) -> Taken: ...

    async def day(self, given: DayGiven) -> Taken: ...


class ImportRoutes:
    """The routes, for `Server`."""

    def __init__(self, importing: Importing) -> None:
        self._importing = importing

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/imports/samples", self._samples)
        app.router.add_post("/imports/session", self._session)
        app.router.add_post("/imports/day", self._day)

    async def _samples(self, request: web.Request) -> web.Response:
        return await _taken(request, SamplesGiven, self._importing.samples)

    async def _session(self, request: web.Request) -> web.Response:
        return await _taken(request, SessionGiven, self._importing.session)

    async def _day(self, request: web.Request) -> web.Response:
        return await _taken(request, DayGiven, self._importing.day)


async def _taken(request: web.Request, kind: type[M], take: Callable[[M], Awaitable[Taken]]) -> web.Response:
    """400 for what is none, 413 for too much of it, 503 while the disk does not take it."""
    body = bytearray()
    while piece := await request.content.readany():
        body += piece
        if len(body) > LARGEST_PIECE:
            raise web.HTTPRequestEntityTooLarge(LARGEST_PIECE, len(body))
    try:
        given = kind.model_validate_json(bytes(body))
    except ValidationError as error:
        return told(Taken(refused=first_fault(error)), 400)
    return await told_from_disk(take(given))


class ImportClient(SocketClient):
    """The other end (control/asking.py). `NotAnswering`: nothing is known about what was handed in."""

    WITHIN_S = 60.0

    async def samples(self, given: SamplesGiven) -> Taken:
        """Hand in samples; the same ones again add nothing."""
        return await self._ask("POST", "/imports/samples", Taken, given)

    async def session(self, given: SessionGiven) -> Taken:
        """Hand in a session whose samples have been taken."""
        return await self._ask("POST", "/imports/session", Taken, given)

    async def day(self, given: DayGiven) -> Taken:
        """Hand in what is said of a day."""
        return await self._ask("POST", "/imports/day", Taken, given)
