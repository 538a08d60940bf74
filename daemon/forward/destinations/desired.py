"""What a REST backend desires of devices: asked for again and again, and answered with what became of it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from urllib.parse import quote

from pydantic import ValidationError

from daemon.contracts.envelope import compact
from daemon.contracts.faults import BadMessage
from daemon.contracts.rest.v1 import ConfigReport, DeviceConfig
from daemon.forward.destinations import Sealed
from daemon.forward.destinations.place import Wishes
from daemon.forward.destinations.sealing import JSON
from daemon.forward.destinations.web import Reply
from daemon.model.ids import uuid7
from daemon.model.outgoing import Lane

_LOG = logging.getLogger(__name__)

Get = Callable[[str, Mapping[str, str]], Awaitable[Reply]]
"""GET of a path below the base address, signed in, with these headers."""


class Desired:
    """Asks for each device with the entity tag of the last answer, so that nothing travels that is known."""

    def __init__(self, devices: Collection[str], wishes: Wishes) -> None:
        self._devices = devices
        self._wishes = wishes
        self._tags: dict[str, str] = {}

    async def ask(self, get: Get, judge: Callable[[Reply, str], None]) -> None:
        """Raises what `get` and `judge` raise."""
        for device in self._devices:
            tag = self._tags.get(device, "")
            reply = await get(config_path(device), {"If-None-Match": tag} if tag else {})
            if reply.status in {304, 404}:  # as before; nothing was ever desired
                continue
            judge(reply, "")
            try:
                desired = DeviceConfig.model_validate_json(reply.text)
            except ValidationError as error:
                _LOG.warning("wished settings that cannot be read were left out: %s", BadMessage.of(error))
                continue
            self._tags[device] = reply.headers.get("ETag", "")
            self._wishes(device, desired.version, desired.config)


def config_path(device: str) -> str:
    return f"/devices/{quote(device, safe='')}/config"


def told(device: str, report: ConfigReport, utc_ns: int) -> Sealed:
    """A report as a request. Its key is new every time: what was so before may be so again."""
    key = uuid7(utc_ns)
    path = f"POST {config_path(device)}/reported"
    return Sealed(key, Lane.EVENTS, path, JSON, "", compact(report.model_dump()))
