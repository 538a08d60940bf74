"""After a start on an image: whether this slot is kept, `python -m daemon.appliance.keeping` (vitald-slot.service).

A slot is kept when vitald-health has found the box well, what streamed before an update streams again, and no watchdog has ended
the daemon or the sound since the start. A new slot that is not kept within the time given ends with 1: systemd then starts
vitald-return.service, and the boot loader takes the slot of before. A slot that was good stays so: going away from it would help no
patient.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from daemon import __version__, journal
from daemon.appliance import slots
from daemon.appliance.surroundings import systemctl
from daemon.appliance.whole_file import replace_whole
from daemon.config import BadConfig, Config, load
from daemon.control.client import ControlClient, NotAnswering
from daemon.control.messages import State

log = logging.getLogger("vitald.slot")

WITHIN_S = 300.0
LOOK_S = 2.0
KEPT = Path("/run/vitald-slot-kept")
WATCHED = ("vitald", "vitald-sound")
UPDATE = "update.json"
"""In box.data: what stood before the last update, and what became of it."""


def streaming(state: State) -> list[str]:
    """Devices ("bed/label") that send."""
    return sorted(f"{bed.bed}/{d.label}" for bed in state.beds for d in bed.devices if d.state == "streaming")


def told(config: Config) -> dict[str, object]:
    """What was written down of the last update; empty where there was none."""
    try:
        found: dict[str, object] = json.loads((config.box.data / UPDATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def tell(config: Config, **values: object) -> None:
    """Write down more of the last update; a file that is whole or the one of before, for technicians to read. Raises OSError."""
    data = json.dumps(told(config) | values).encode()
    replace_whole(config.box.data / UPDATE, data, 0o640, config.box.data.stat())


def not_kept(
    before: Sequence[str], now: Sequence[str], units: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    """Why a slot is not kept yet: devices before and now, and what systemd says of units."""
    health = units.get("vitald-health", {})
    if health.get("ActiveState") != "active":
        yield f"vitald-health is {health.get('ActiveState') or 'not there'} ({health.get('Result', '')})"
    for unit in WATCHED:
        restarts = units.get(unit, {}).get("NRestarts", "0")
        if restarts != "0":
            yield f"{unit} was begun anew {restarts} times since the start"
    for device in before:
        if device not in now:
            yield f"{device} streamed before the update, and does not"


def hopeless(found: Sequence[str]) -> bool:
    """Whether waiting changes nothing: the health check has given up, or a process has ended already."""
    return any("begun anew" in one or "vitald-health is failed" in one for one in found)


async def looked(config: Config, before: Sequence[str]) -> list[str]:
    """Why this slot is not kept now; empty: all is well."""
    units = {unit: _unit(unit) for unit in ("vitald-health", *WATCHED)}
    now: list[str] = []
    if before:
        try:
            async with ControlClient(config.box.socket) as client:
                now = streaming(await client.status())
        except NotAnswering as error:
            log.info("the daemon does not answer: %s", error)
    return list(not_kept(before, now, units))


def _unit(unit: str) -> dict[str, str]:
    said = systemctl("show", f"{unit}.service", "--property=ActiveState,Result,NRestarts")
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


async def until_kept(config: Config, before: Sequence[str], within_s: float) -> list[str]:
    """Look again and again; what still stands against it in the end."""
    until_s = time.monotonic() + within_s
    while True:
        found = await looked(config, before)
        if not found or time.monotonic() >= until_s or hopeless(found):
            return found
        await asyncio.sleep(LOOK_S)


def keep(now: slots.Started, folder: Path = slots.BOOT) -> slots.States:
    """This slot is good; another that was new, was tried and has no try left is bad."""
    states = slots.read(folder).marked(now.slot, "good")
    for other in slots.SLOTS:
        if other != now.slot and states[other].state == "new" and not states[other].left:
            log.error(
                "slot %s was tried and not found well: the box has returned to slot %s", other, now.slot
            )
            states = states.marked(other, "bad").preferred(now.slot)
    slots.write(states, folder)
    return states


def settle(config: Config, now: slots.Started, found: Sequence[str]) -> int:
    """Write down what was found; 1 where a new slot is not kept."""
    last = told(config)
    utc = datetime.now(UTC).isoformat(timespec="seconds")
    if found:
        for one in found:
            log.error("slot %s: %s", now.slot, one)
        if not now.new:
            return 0
        tell(config, failed=list(found), failed_at=utc)
        return 1
    keep(now)
    KEPT.touch()
    if last.get("slot") == now.slot and "kept_at" not in last:
        tell(config, kept_at=utc, version=__version__)
    elif last.get("waiting") is True or "withdrawn_at" in last:  # it was never tried (waiting.py)
        log.info("the update that was installed was not tried")
    elif "slot" in last and last["slot"] != now.slot and not {"kept_at", "returned_at"} & set(last):
        tell(config, returned_at=utc)
    log.info("slot %s is good", now.slot)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """0: kept, or nothing to keep. 1: a new slot that is not kept. 78: the configuration cannot be used."""
    parser = argparse.ArgumentParser(description="whether the slot that was started is kept")
    parser.add_argument("--config", type=Path, default=Path("/etc/vitald/vitald.toml"))
    parser.add_argument("--within", type=float, default=WITHIN_S, metavar="SECONDS")
    options = parser.parse_args(arguments)
    journal.begin()
    now = slots.running()
    if now is None:
        log.info("this machine has no slots")
        return 0
    try:
        config = load(options.config)
    except BadConfig as error:
        log.error("%s", error)  # noqa: TRY400 - the text names the key
        return 78
    if now.spent:
        log.error("no slot had a try left: slot %s was started all the same", now.slot)
    before = told(config).get("streaming", []) if now.new else []
    wanted = [str(one) for one in before] if isinstance(before, list) else []
    return settle(config, now, asyncio.run(until_kept(config, wanted, options.within)))


if __name__ == "__main__":
    raise SystemExit(main())
