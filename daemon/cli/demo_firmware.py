"""New firmware in a demo: one for the simulated concentrator is offered, so that its way can be seen on /devices."""

from __future__ import annotations

import asyncio

from daemon.cli.devices_firmware import brought, stage
from daemon.config import Config
from daemon.control.client import NotAnswering
from daemon.control.firmware import FirmwareClient
from firmware_bridge.simulators.vlp import VlpOxygen
from firmware_bridge.simulators.vlp_banks import image

VERSION = "1.1"
SIZE = 64_000
AGAIN_S = 2.0
TRIES = 60


async def offer_firmware(config: Config) -> None:
    """As soon as the device is there; where it is not, nothing."""
    async with FirmwareClient(config.box.socket) as client:
        for _ in range(TRIES):
            await asyncio.sleep(AGAIN_S)
            try:
                if (await client.jobs()).jobs:
                    return
                digest = await asyncio.to_thread(stage, config, image(VERSION, SIZE))
                if (await client.act(brought(VlpOxygen.SERIAL, VERSION, digest))).acted:
                    return
            except NotAnswering:
                continue
