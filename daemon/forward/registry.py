"""Which backends the messages of a device go to: a person's routes, the orchestrator's registry, and a guess, in this order.

The registry is pulled and kept (forward.db), so a box that starts without a network routes as it did before.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp
from pydantic import ValidationError

from daemon.contracts.rest.v1 import Registry
from daemon.forward import ledger
from daemon.forward.bookkeeping import Bookkeeping
from daemon.forward.record import Record

log = logging.getLogger(__name__)

PULL_WITHIN_S = 20.0
LARGEST = 8 << 20
"""A registry of a hundred thousand devices is half of this."""


@dataclass(frozen=True, slots=True)
class Routes:
    """Serial numbers to backends. `own` are a person's: a serial number, or its beginning and "*"; they are before all."""

    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    devices: Mapping[str, str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)

    def goes(self, record: Record, backend: str) -> bool:
        """Whether a record is for a backend. What the box says of itself is for all of them.

        A device that nobody knows goes where its kind of message does ("ecg.metrics/1" to "ecg"), or its prefix ("CPAP-...").
        """
        if not record.device:
            return True
        known = self.backends(record.device)
        if known:
            return backend in known
        return backend in {record.service, record.device.partition("-")[0].lower()}

    def backends(self, serial: str) -> tuple[str, ...]:
        """The backends of a serial number; () = nothing is said of it."""
        if serial in self.own:
            return self.own[serial]
        beginnings = {key[:-1]: names for key, names in self.own.items() if key.endswith("*")}
        if (longest := _longest(beginnings, serial)) is not None:
            return beginnings[longest]
        if serial in self.devices:
            return (self.devices[serial],)
        longest = _longest(self.prefixes, serial)
        return () if longest is None else (self.prefixes[longest],)


def _longest(beginnings: Mapping[str, object], serial: str) -> str | None:
    return max((b for b in beginnings if serial.startswith(b)), key=len, default=None)


def read(document: str, own: Mapping[str, tuple[str, ...]]) -> Routes:
    """Routes with the registry in `document`. Raises ValueError (pydantic's) where it is none."""
    registry = Registry.model_validate_json(document)
    devices = {entry.serial: entry.backend for entry in registry.devices}
    return Routes(own, devices, {entry.prefix: entry.backend for entry in registry.prefixes})


class Pulled:
    """The routes as they are now. `known` is set when a registry is here, or none is configured."""

    def __init__(
        self, own: Mapping[str, tuple[str, ...]], url: str, books: Bookkeeping, key: Callable[[], str]
    ) -> None:
        self.routes = Routes(own)
        self.known = asyncio.Event()
        self.error = ""
        self._url = url
        self._books = books
        self._key = key
        self._etag = ""
        if not url:
            self.known.set()

    async def restore(self) -> None:
        """Take what was pulled before."""
        kept = await self._books.do(lambda db: ledger.registry(db, self._url))
        if kept is not None:
            self._take(*kept)

    async def run(self, every_s: float) -> None:
        """Pull, until cancelled."""
        if not self._url:
            return
        while True:
            try:
                await self.pull()
                self.error = ""
            except (aiohttp.ClientError, OSError, TimeoutError, ValidationError) as error:
                text = (str(error) or type(error).__name__).splitlines()[0]
                if text != self.error:
                    log.warning("forward: the registry at %s: %s", self._url, text)
                self.error = text
            await asyncio.sleep(every_s if self.known.is_set() and not self.error else min(every_s, 30.0))

    async def pull(self) -> None:
        """Ask once. Raises aiohttp.ClientError, OSError, TimeoutError, and ValidationError for an answer that is no registry."""
        headers = {"If-None-Match": self._etag} if self._etag else {}
        if key := self._key():
            headers["Authorization"] = f"Bearer {key}"
        timeout = aiohttp.ClientTimeout(total=PULL_WITHIN_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(self._url, headers=headers) as response,
        ):
            if response.status == HTTPStatus.NOT_MODIFIED:
                return
            response.raise_for_status()
            document = (await response.content.read(LARGEST)).decode("utf-8", "replace")
            etag = response.headers.get("ETag", "")
        if not self._take(etag, document):
            return
        log.info("forward: the registry names %d devices", len(self.routes.devices))
        now_ms = time.time_ns() // 1_000_000
        await self._books.do(lambda db: ledger.pulled(db, self._url, etag, document, now_ms))

    def _take(self, etag: str, document: str) -> bool:
        """Whether it is another than before. Raises ValidationError; what was known holds then."""
        routes = read(document, self.routes.own)
        changed = routes != self.routes or not self.known.is_set()
        self.routes, self._etag = routes, etag
        self.known.set()
        return changed


def as_told(pulled: Pulled) -> dict[str, object]:
    """For the screen."""
    routes = pulled.routes
    return {
        "devices": len(routes.devices),
        "prefixes": dict(routes.prefixes),
        "own": {serial: list(names) for serial, names in routes.own.items()},
        "known": pulled.known.is_set(),
        "error": pulled.error,
    }
