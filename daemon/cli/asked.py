"""What the technician's verbs share: everything that runs is asked once how it is doing, within the time a person waits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from daemon.appliance.holders import processes_of
from daemon.appliance.surroundings import listening_pid
from daemon.config import Config
from daemon.control.client import ControlClient, NotAnswering
from daemon.control.forwarding import ForwardClient, Told
from daemon.control.forwarding import NotAnswering as ForwarderSilent
from daemon.control.messages import State
from daemon.control.technician import HealthTold, TechnicianClient
from daemon.control.work import WorkClient

WITHIN_S = 5.0
TRIES = 2
"""A box that is busy, or a link that is slow, is no daemon that is dead."""


@dataclass(slots=True)
class Asked:
    """`answers`: unit -> "" where its process answers, else why not; units that this box does not need are absent."""

    state: State | None = None
    health: HealthTold | None = None
    silent: str = ""
    told: Told | None = None
    answers: dict[str, str] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)


def ask_all(config: Config, path: Path) -> Asked:
    """Everybody, at once. `path` is that of the configuration, by which our processes know each other."""
    return asyncio.run(_ask_all(config, path))


async def _ask_all(config: Config, path: Path) -> Asked:
    asked = Asked()
    others = (_worker(config, asked), _forwarder(config, asked), _web(config, path, asked))
    await asyncio.gather(_daemon(config, asked), *others)
    sockets = {
        "vitald": config.box.socket,
        "vitald-worker": config.work_socket,
        "vitald-forward": config.forward_socket,
    }
    for unit, socket in sockets.items():
        pid = listening_pid(socket)
        if pid:
            asked.pids[unit] = pid
    if sounding := processes_of("sound", path):  # its socket is the daemon's alone
        asked.pids["vitald-sound"] = sounding[0]
    return asked


async def _daemon(config: Config, asked: Asked) -> None:
    for _ in range(TRIES):
        try:
            async with ControlClient(config.box.socket) as client:
                asked.state = await client.status()
            async with TechnicianClient(config.box.socket) as technician:
                asked.health = await technician.health()
        except NotAnswering as error:
            asked.silent = str(error)
        else:
            asked.silent = ""
            break
    asked.answers["vitald"] = asked.silent
    if config.sound.enabled and asked.health is not None:
        sound = asked.health.sound
        asked.answers["vitald-sound"] = "" if sound is not None and sound.answers else "no answer"


async def _worker(config: Config, asked: Asked) -> None:
    try:
        async with asyncio.timeout(WITHIN_S), WorkClient(config.work_socket) as client:
            await client.rehearsal()
        asked.answers["vitald-worker"] = ""
    except (NotAnswering, TimeoutError) as error:
        asked.answers["vitald-worker"] = str(error) or "no answer"


async def _forwarder(config: Config, asked: Asked) -> None:
    wanted = config.forward.enabled and any(one.enabled for one in config.forward.destinations.values())
    if not wanted and not config.forward_socket.exists():
        return
    try:
        async with ForwardClient(config.forward_socket) as client:
            asked.told = await client.told()
        asked.answers["vitald-forward"] = ""
    except ForwarderSilent as error:
        asked.answers["vitald-forward"] = str(error)


async def _web(config: Config, path: Path, asked: Asked) -> None:
    """Any answer will do, a refusal too. Port 0 was chosen by the system: whoever runs with this configuration has it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.web.host, config.web.host)  # noqa: S104 - not bound here
    pids = processes_of("web", path)
    if pids:
        asked.pids["vitald-web"] = pids[0]
    if config.web.port == 0:
        asked.answers["vitald-web"] = "" if pids else "it does not run"
        return
    try:
        async with asyncio.timeout(WITHIN_S):
            _, writer = await asyncio.open_connection(host, config.web.port)
        writer.close()
        asked.answers["vitald-web"] = ""
    except (OSError, TimeoutError, aiohttp.ClientError) as error:
        asked.answers["vitald-web"] = getattr(error, "strerror", None) or "no answer"
