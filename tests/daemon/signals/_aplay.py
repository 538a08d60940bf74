"""The real aplay as our child, with a player."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path

from daemon.signals.aplay import Aplay
from daemon.signals.loudspeaker import boottime_ns
from daemon.signals.player import Player
from tests.daemon.signals._device import NAME, until


@asynccontextmanager
async def playing(name=NAME, program="aplay"):
    player = Player()
    aplay = Aplay(name, player.render, player.restart, boottime_ns, program=program)
    task = asyncio.create_task(aplay.run())
    yield player, aplay
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def children():
    """Process ids of our own aplay children."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
        except OSError:
            continue
        if name.endswith("(aplay") and int(rest.split()[1]) == os.getpid():
            found.append(int(stat.parent.name))
    return found


async def becomes(aplay, state, within_s=8.0):
    await until(lambda: aplay.state.state is state, within_s)
    assert aplay.state.state is state
