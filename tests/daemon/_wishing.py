"""A box as wishes see it: real alarm engine, real hub, real box.db; the devices are the test's."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any, Self

from daemon import audit
from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.alarms.watch import Watch
from daemon.control.live import LiveHub
from daemon.control.messages import DisplayState
from daemon.control.wishes import ProposalAct, ProposalActed, Wished, WishTold
from daemon.model.alarms import ChangeKind
from daemon.model.ids import uuid7
from daemon.model.signals import Command, DeviceSeen, LinkState, Tick
from daemon.store.box import BoxFile
from daemon.wishes import Reply, Value, Wishes

CPAP, OXYGEN = "CPAP-2301-9912", "OXY-8844-5521"
UTC_NS = 1_767_225_600 * 10**9
TICK_NS = 100_000_000


class Bench:
    """Devices that take what `settable` names; what they are told stands in `told`. `answer` replaces their reply."""

    def __init__(self, hub: LiveHub) -> None:
        self.bed_of = hub.bed_of
        self.can: dict[str, set[str]] = {}
        self.is_set: dict[str, dict[str, Value]] = {}
        self.told: list[tuple[str, str, Value]] = []
        self.answer: Reply | None = None
        self.hangs = asyncio.Event()
        self.hangs.set()

    def settable(self, serial: str) -> set[str]:
        return self.can.get(serial, set())

    def present(self, serial: str) -> dict[str, Value]:
        return self.is_set.get(serial, {})

    async def apply(self, serial: str, name: str, value: Value) -> Reply:
        await self.hangs.wait()
        self.told.append((serial, name, value))
        if self.answer is None:
            self.is_set.setdefault(serial, {})[name] = value
        return self.answer or Reply(applied=True, value=value)


class WishingBox:
    """`async with`; bed 1 with what `arrive` brings to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_ns = 10 * TICK_NS
        self.hub = LiveHub(
            boot="boot-1", version="0.1.0", box="b", demo=True, utc_ms=lambda: UTC_NS // 10**6,
            beds=[("1", "1", DisplayState(mode="monitor", mains_hz=50, cleaning=False))],
        )  # fmt: skip
        self.watch = Watch(
            "1", lambda own, first: AlarmEngine(Limits(own=own), boot="boot-1", first=first), _fail
        )
        self.hub.watch("1", self.watch)
        self.devices = Bench(self.hub)
        self.commands: list[Command] = []
        self.tick()

    async def __aenter__(self) -> Self:
        self.file = BoxFile(self.folder / "box.db")
        self.wishes = Wishes(
            self.file, self.devices, now=lambda: self.now_ns, utc=lambda: (UTC_NS + self.now_ns, True),
            obey=self.obey, limits=self.hub.limits,
        )  # fmt: skip
        await self.wishes.restore()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.file.close()

    def arrive(self, serial: str) -> None:
        seen = DeviceSeen(
            "1", serial, "cpap", serial, serial, "1", "/dev/x", LinkState.STREAMING, 0, self.now_ns
        )
        self.hub.publish("1", seen, ())

    def tick(self) -> dict[str, str]:
        """The next Tick; word keys of refusals by command."""
        self.now_ns += TICK_NS
        tick = Tick(self.now_ns)
        changes = self.watch.step(tick, ())
        self.hub.publish("1", tick, (), changes)
        return {c.command: c.text if c.kind is ChangeKind.REFUSED else "" for c in changes if c.command}

    def obey(self, command: Command) -> asyncio.Future[str]:
        """Decided at the next Tick, which comes at once."""
        self.commands.append(command)
        self.watch.step(command, ())
        decided: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        decided.set_result(self.tick()[command.id])
        return decided

    def limit(self, row: str) -> tuple[float, bool]:
        """A row's first limit, and whether its alarm is on."""
        told = self.hub.limits("1")
        assert told is not None
        (one,) = (one for one in told.limits if one.row == row)
        return one.limits[0].value, one.on

    async def wish(
        self, version: int, wish: dict[str, Any], device: str = CPAP, origin: str = "ward"
    ) -> WishTold:
        service = "cpap" if device == CPAP else "oxygen"
        return await self.wishes.hear(
            Wished(origin=origin, device=device, service=service, version=version, wish=wish)
        )

    async def say(self, verb: str, number: int, bed: str = "1") -> ProposalActed:
        act = ProposalAct(id=uuid7(UTC_NS), bed=bed, proposal=number, verb=verb, actor="nurse", screen="s")  # type: ignore[arg-type]
        return await self.wishes.act(act)

    async def audited(self) -> list[tuple[str, str, Any]]:
        """Act, actor and what it was about, oldest first."""

        def look(db: sqlite3.Connection) -> list[tuple[str, str, Any]]:
            assert audit.broken_at(db) is None
            found = audit.entries(db)
            return [(e["act"], e["actor"], e["body"].get("name", e["body"].get("version"))) for e in found]

        return await self.file.run(look)


def _fail(error: Exception) -> None:
    raise error
