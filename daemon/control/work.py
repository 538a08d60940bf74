"""What is asked of the worker, the process that computes over history, and the other end of its socket.

`POST /strip` answers a strip around an alarm (review/strip.py), `GET /load` how alarms load a bed, `GET /nights` and `GET /night` nights of breathing therapy (nights.py). One rehearsal runs at a
time: `POST /rehearsal` begins it, `GET /rehearsal` says how far it is, `DELETE /rehearsal` ends it; and in the same way one
`/import` of a device's card. What was recorded is asked for as control/review.py says.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlencode

import aiohttp
from pydantic import BaseModel, ConfigDict, Field

from daemon.control.client import NotAnswering
from daemon.control.messages import DisplayState
from daemon.control.nights import NightAsked, NightsTold, NightTold
from daemon.control.review import (
    CertificateTold,
    DisclosureAsked,
    GapsAsked,
    TrendAsked,
    TrendTold,
    WhyAsked,
    WhyTold,
)
from daemon.control.unix import Connected

AGAIN_WITHIN_S = 90.0
"""Analysis over some minutes of twelve leads, or every stored second of two days."""

LONGEST_H = 24.0


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StripAsked(_Message):
    """The strip around `t_ns` of a boot, drawn with these filters."""

    bed: str
    boot: str
    t_ns: int
    display: DisplayState


class RowLoadState(_Message):
    """One alarm of a bed over a span. `hours`: how many began in each; `in_alarm_s`: how long it stood, in all.

    `short`: those that were over within 10 s. Acknowledged after: of those that somebody acknowledged.
    """

    row: str
    priority: Literal["low", "medium", "high"]
    count: int
    short: int
    hours: tuple[int, ...]
    in_alarm_s: float
    acknowledged: int
    median_to_acknowledge_s: float | None
    worst_to_acknowledge_s: float | None


class LoadState(_Message):
    """How alarms loaded a bed from `from_utc_ms` for `hours` hours, the most frequent first; `total` is of all of them."""

    bed: str
    from_utc_ms: int
    hours: int
    recorded_s: float
    share_in_alarm: float
    total: RowLoadState
    rows: tuple[RowLoadState, ...]


class RehearsalAsked(_Message):
    """What would have alarmed in the last `hours` under other limits ({row: {key: value}}, over the ward's)."""

    bed: str
    hours: float = Field(gt=0, le=LONGEST_H)
    present: dict[str, dict[str, float | bool]] = Field(default_factory=dict)
    other: dict[str, dict[str, float | bool]]


class RehearsedRow(_Message):
    """How often a row alarmed: as it was, replayed with the present limits, replayed with the other ones."""

    row: str
    happened: int
    present: int
    other: int


class RehearsalState(_Message):
    """A rehearsal, or none yet. `progress` 0 .. 1; `refused` says in words why it could not begin or went wrong."""

    state: Literal["none", "running", "done", "cancelled", "failed"] = "none"
    asked: RehearsalAsked | None = None
    progress: float = 0.0
    from_utc_ms: int = 0
    recorded_s: float = 0.0
    rows: tuple[RehearsedRow, ...] = ()
    refused: str = ""


class ImportAsked(_Message):
    """Import the card at `path` (a folder or a zip file that the worker may read) for a bed.

    `patient_id` "" = nobody's. `timezone`: that of the card's clock ("Europe/Berlin"), "" = the box's own. `actor`: who asks.
    """

    path: str = Field(min_length=1, max_length=4096)
    bed: str
    patient_id: str = Field("", max_length=200)
    timezone: str = Field("", max_length=64)
    actor: str = Field("", max_length=100)


class ImportState(_Message):
    """An import, or none yet. `progress` 0 .. 1; `notes` say what was wrong with the card; `refused` why it ended.

    `added` sessions are new, `known` ones were there already, `empty` ones hold nothing.
    """

    state: Literal["none", "running", "done", "cancelled", "failed"] = "none"
    asked: ImportAsked | None = None
    progress: float = 0.0
    device: str = ""
    title: str = ""
    nights: int = 0
    added: int = 0
    known: int = 0
    empty: int = 0
    marks: int = 0
    notes: tuple[str, ...] = ()
    refused: str = ""


class NotThere(NotAnswering):
    """The worker answers that it has nothing like what was asked for."""


class WorkClient(Connected):
    """A client of the worker's socket, as an asynchronous context manager."""

    WITHIN_S = 20.0
    """Longer than a strip takes on a busy box; who waits is a person."""

    async def strip(self, asked: StripAsked) -> bytes:
        """A strip, encoded as review/strip.py says. Raises `NotAnswering`."""
        return await self._ask("POST", "/strip", asked)

    async def load(self, bed: str, hours: int) -> LoadState:
        """How alarms loaded a bed in the last hours. Raises `NotAnswering`."""
        query = urlencode({"bed": bed, "hours": hours})
        return LoadState.model_validate_json(await self._ask("GET", f"/load?{query}"))

    async def nights(self, bed: str) -> NightsTold:
        """The nights that a bed can show. Raises `NotAnswering`."""
        return NightsTold.model_validate_json(await self._ask("GET", f"/nights?{urlencode({'bed': bed})}"))

    async def night(self, asked: NightAsked) -> NightTold:
        """One of them. Raises `NotAnswering`, where there is none too."""
        query = urlencode(asked.model_dump(mode="json"))
        return NightTold.model_validate_json(await self._ask("GET", f"/night?{query}"))

    async def trends(self, asked: TrendAsked) -> TrendTold:
        """Measurements over a span. Raises `NotAnswering`."""
        return TrendTold.model_validate_json(await self._ask("POST", "/trends", asked))

    async def disclosure(self, asked: DisclosureAsked) -> bytes:
        """Rows of every lead, encoded as review/disclosure.py says. Raises `NotAnswering`."""
        return await self._ask("POST", "/disclosure", asked)

    async def gaps(self, asked: GapsAsked) -> CertificateTold:
        """What is missing of a span. Raises `NotAnswering`."""
        return CertificateTold.model_validate_json(await self._ask("POST", "/gaps", asked, AGAIN_WITHIN_S))

    async def why(self, asked: WhyAsked) -> WhyTold | None:
        """What a value was decided from; None where nothing like it is stored. Raises `NotAnswering`."""
        try:
            return WhyTold.model_validate_json(await self._ask("POST", "/why", asked, AGAIN_WITHIN_S))
        except NotThere:
            return None

    async def rehearsal(self) -> RehearsalState:
        """How far the rehearsal is. Raises `NotAnswering`."""
        return RehearsalState.model_validate_json(await self._ask("GET", "/rehearsal"))

    async def rehearse(self, asked: RehearsalAsked) -> RehearsalState:
        """Begin a rehearsal; refused in words while another one runs. Raises `NotAnswering`."""
        return RehearsalState.model_validate_json(await self._ask("POST", "/rehearsal", asked))

    async def cancel(self) -> RehearsalState:
        """End the rehearsal. Raises `NotAnswering`."""
        return RehearsalState.model_validate_json(await self._ask("DELETE", "/rehearsal"))

    async def card(self) -> ImportState:
        """How far the import is. Raises `NotAnswering`."""
        return ImportState.model_validate_json(await self._ask("GET", "/import"))

    async def import_card(self, asked: ImportAsked) -> ImportState:
        """Begin an import; refused in words while another one runs. Raises `NotAnswering`."""
        return ImportState.model_validate_json(await self._ask("POST", "/import", asked))

    async def cancel_import(self) -> ImportState:
        """End the import; what it has taken in stays. Raises `NotAnswering`."""
        return ImportState.model_validate_json(await self._ask("DELETE", "/import"))

    async def _ask(
        self, method: str, path: str, message: BaseModel | None = None, within_s: float = WITHIN_S
    ) -> bytes:
        body = None if message is None else message.model_dump_json().encode()
        within = aiohttp.ClientTimeout(total=within_s)
        try:
            async with self._session.request(method, path, data=body, timeout=within) as response:
                if response.status == 404:
                    raise NotThere(path)
                response.raise_for_status()
                return await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NotAnswering(str(error) or type(error).__name__) from error
