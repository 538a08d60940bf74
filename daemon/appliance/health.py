"""Whether a box that has just started is well: samples flow, the store writes, the pages answer.

`python -m daemon.appliance.health` (systemd/vitald-health.service) looks until all of it is so; after `--within` seconds it ends
with 1 and says what is not. It judges this version of the software, not the ward: a device that is unplugged is no fault, one
that streams and brings nothing is; a cloud that is away is none.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from daemon import journal
from daemon.config import BadConfig, Config, load
from daemon.control.client import ControlClient, NotAnswering
from daemon.control.messages import State
from daemon.control.technician import HealthTold, TechnicianClient
from daemon.control.work import WorkClient
from daemon.model.signals import Nanos
from daemon.store.reader import Reader, ask

log = logging.getLogger("vitald.health")

TICK_AGE_S = 2.0
KEPT_AGE_NS: Nanos = 20_000_000_000
"""The state of the alarms goes to the database every 5 s (main.py); of a slow card it may be late."""

BETWEEN_S = 2.0
"""Between the two looks that see whether bytes have come."""

WITHIN_S = 180.0
ANSWER_WITHIN_S = 5.0


def boottime_ns() -> Nanos:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


async def not_well(config: Config) -> list[str]:
    """What is not well now; empty: all is. Takes `BETWEEN_S` and the time of the answers."""
    found = [*await _daemon(config), *_store(config.box.database, boottime_ns())]
    found += await _pages(config)
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S), WorkClient(config.work_socket) as worker:
            await worker.rehearsal()
    except (NotAnswering, TimeoutError) as error:
        found.append(f"the worker does not answer: {error}")
    return found


async def _daemon(config: Config) -> list[str]:
    try:
        async with (
            ControlClient(config.box.socket) as client,
            TechnicianClient(config.box.socket) as technician,
        ):
            before = await client.status()
            await asyncio.sleep(BETWEEN_S)
            return list(judged(before, await client.status(), await technician.health()))
    except NotAnswering as error:
        return [f"the daemon does not answer: {error}"]


def judged(before: State, after: State, health: HealthTold) -> Iterator[str]:
    """What two states, some seconds apart, and the daemon's inside say."""
    if health.tick_age_s is None or health.tick_age_s > TICK_AGE_S:
        yield "no sample goes through: the newest Tick is too old"
    if any(fact.source in {"store", "store_damaged"} for fact in after.facts):
        yield "the store fails"
    brought = {(bed.bed, device.label): device.bytes_in for bed in before.beds for device in bed.devices}
    for bed in after.beds:
        for device in bed.devices:
            silent = brought.get((bed.bed, device.label)) == device.bytes_in
            if device.state == "streaming" and silent:
                yield f"bed {bed.bed}: {device.label} streams, and nothing comes of it"


def _store(database: Path, now_ns: Nanos) -> list[str]:
    """The newest state of the alarms must have been written in this boot, just now."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    try:
        kept = ask(database, Reader.alarm_states)
    except (sqlite3.Error, OSError, ValueError) as error:
        return [f"the store cannot be read: {error}"]
    fresh = [
        bed
        for bed, state in kept.items()
        if state.state.get("boot") == boot and now_ns - state.t_ns < KEPT_AGE_NS
    ]
    return [] if fresh else ["the store does not write: the newest state of the alarms is too old"]


async def _pages(config: Config) -> list[str]:
    """Any answer of HTTP will do, a refusal too."""
    if config.web.port == 0:
        return []
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.web.host, config.web.host)  # noqa: S104 - not bound here
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            reader, writer = await asyncio.open_connection(host, config.web.port)
            writer.write(f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.readline()
            writer.close()
    except (OSError, TimeoutError) as error:
        return [f"the pages do not answer: {str(error) or type(error).__name__}"]
    return [] if answer.startswith(b"HTTP/1.1 ") else ["the pages do not answer"]


async def until_well(config: Config, within_s: float) -> list[str]:
    """Look again and again; what is still not well in the end."""
    until_ns = boottime_ns() + round(within_s * 1e9)
    while True:
        found = await not_well(config)
        if not found or boottime_ns() >= until_ns:
            return found
        await asyncio.sleep(1.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: well. 1: not within the time given. 78: the configuration cannot be used."""
    parser = argparse.ArgumentParser(description="whether a box that has just started is well")
    parser.add_argument("--config", type=Path, default=Path("/etc/vitald/vitald.toml"))
    parser.add_argument("--within", type=float, default=WITHIN_S, metavar="SECONDS")
    options = parser.parse_args(arguments)
    journal.begin()
    try:
        config = load(options.config)
    except BadConfig as error:
        log.error("%s", error)  # noqa: TRY400 - the text names the key
        return 78
    found = asyncio.run(until_well(config, options.within))
    for one in found:
        log.error("not well: %s", one)
    if not found:
        log.info("well: samples flow, the store writes, the pages answer")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
