"""Firmware that clouds want devices to run: its file is fetched into the staging folder, and nothing is believed but its hash.

The daemon decides and does everything else. A file that breaks off is gone on with; one that is too long, or of another hash, is thrown
away, and the cloud hears of it. What the cloud is told is the daemon's word on the job.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import ValidationError

from daemon.contracts.box.v1 import Firmware
from daemon.contracts.faults import BadMessage
from daemon.contracts.rest.v1 import FirmwareReport
from daemon.control.firmware import FirmwareClient, FirmwareTold, FirmwareWished

STAGED_FILES = 8
"""Files that stay in the folder; the oldest go first."""

TRIES = 10
AGAIN_S = 10.0
SILENT_S = 30.0
PIECE = 1 << 16

log = logging.getLogger(__name__)


class _Wrong(Exception):
    """What came is not the file; trying again changes nothing."""


class Staging:
    """`run` until cancelled; `serve` is told of every wish again and again. `again_s`: the rest between two tries."""

    def __init__(self, socket: Path, folder: Path, again_s: float = AGAIN_S) -> None:
        self._socket = socket
        self._folder = folder
        self._again_s = again_s
        self._wanted: asyncio.Queue[Firmware] = asyncio.Queue(maxsize=32)
        self._asked: set[str] = set()
        self._failed: dict[str, str] = {}
        self._known: set[tuple[str, str]] = set()

    async def serve(self, origin: str, device: str, wish: Any) -> FirmwareReport | None:
        """What a cloud wants a device to run (None = nothing); what it is told. Raises `NotAnswering`."""
        if wish is None:
            if (origin, device) in self._known:
                self._known.discard((origin, device))
                await self._tell(FirmwareWished(origin=origin, device=device))
            return None
        try:
            firmware = Firmware.model_validate(wish)
        except ValidationError as error:
            named = wish if isinstance(wish, Mapping) else {}
            job, version = (str(named.get(name, ""))[:100] for name in ("job", "version"))
            return FirmwareReport(job=job, version=version, state="refused", reason=str(BadMessage.of(error)))
        self._known.add((origin, device))
        told = await self._tell(self._wished(origin, device, firmware))
        if told.state == "queued" and not self._staged(firmware):
            self._ask(firmware)
        return FirmwareReport(
            job=firmware.job,
            version=firmware.version,
            state=told.state,
            percent=told.percent,
            reason=told.reason,
        )

    async def run(self) -> None:
        """Fetch what is wanted, one after the other, for ever."""
        while True:
            firmware = await self._wanted.get()
            try:
                await self._fetch(firmware)
            except (OSError, _Wrong) as error:
                self._failed[firmware.sha256] = str(error)[:200]
                log.warning("firmware: %s was not fetched: %s", firmware.job, error)
            finally:
                self._asked.discard(firmware.sha256)

    def _ask(self, firmware: Firmware) -> None:
        if firmware.sha256 not in self._asked and not self._wanted.full():
            self._failed.pop(firmware.sha256, None)
            self._asked.add(firmware.sha256)
            self._wanted.put_nowait(firmware)

    def _wished(self, origin: str, device: str, firmware: Firmware) -> FirmwareWished:
        return FirmwareWished(
            origin=origin,
            device=device,
            job=firmware.job,
            version=firmware.version,
            size=firmware.size,
            sha256=firmware.sha256,
            staged=self._staged(firmware),
            failed=self._failed.pop(firmware.sha256, ""),
        )

    async def _tell(self, wished: FirmwareWished) -> FirmwareTold:
        async with FirmwareClient(self._socket) as daemon:
            return await daemon.hear(wished)

    def _path(self, firmware: Firmware) -> Path:
        return self._folder / f"{firmware.sha256}.bin"

    def _staged(self, firmware: Firmware) -> bool:
        path = self._path(firmware)
        return path.exists() and path.stat().st_size == firmware.size

    # --- fetching ----------------------------------------------------------------------------------------

    async def _fetch(self, firmware: Firmware) -> None:
        """Raises OSError, `_Wrong`."""
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        part = self._path(firmware).with_suffix(".part")
        reason = ""
        for attempt in range(TRIES):
            try:
                if attempt:
                    await asyncio.sleep(self._again_s)
                await self._bring(firmware, part)
            except (aiohttp.ClientError, TimeoutError) as error:
                reason = _plain(error)
                log.info("firmware: %s: %s; it is gone on with", firmware.job, reason)
                continue
            await asyncio.to_thread(self._check, firmware, part)
            return
        raise OSError(f"its server does not give it: {reason}")

    async def _bring(self, firmware: Firmware, part: Path) -> None:
        """What is still missing of it."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=SILENT_S, sock_read=SILENT_S)
        have = part.stat().st_size if part.exists() else 0
        headers = (
            {"Range": f"bytes={have}-", "Accept-Encoding": "identity"}
            if have
            else {"Accept-Encoding": "identity"}
        )
        if have >= firmware.size:
            return
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(firmware.url, headers=headers, max_redirects=3) as response,
        ):
            if response.status in {404, 410, 403, 401}:
                raise _Wrong(f"its server answers {response.status}")
            response.raise_for_status()
            if response.status != 206 or not _goes_on(response.headers.get("Content-Range", ""), have):
                have = 0
            with part.open("ab" if have else "wb") as file:
                async for piece in response.content.iter_chunked(PIECE):
                    have += len(piece)
                    if have > firmware.size:
                        part.unlink(missing_ok=True)
                        raise _Wrong(f"it is longer than {firmware.size} bytes")
                    await asyncio.to_thread(file.write, piece)
        if have < firmware.size:
            raise aiohttp.ClientPayloadError("it broke off")

    def _check(self, firmware: Firmware, part: Path) -> None:
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != firmware.sha256:
            part.unlink()
            raise _Wrong("its SHA-256 is another one than was announced")
        part.chmod(0o640)
        part.replace(self._path(firmware))
        others = sorted(self._folder.glob("*.bin"), key=lambda path: path.stat().st_mtime_ns)
        for old in others[:-STAGED_FILES]:
            old.unlink(missing_ok=True)


def _goes_on(said: str, have: int) -> bool:
    """Whether a Content-Range begins where we are."""
    found = re.match(r"bytes (\d+)-", said)
    return found is not None and int(found[1]) == have


def _plain(error: BaseException) -> str:
    return str(error) or type(error).__name__
