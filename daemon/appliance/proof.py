"""The proof of the alarm chain, on a schedule and on demand: from a board's bytes to the loudspeaker and every open screen.

Two halves that overlap at the alarm engine: a shadow bed (shadow.py) shows that bytes become ASYSTOLE, a marked test alarm at the
live beds (live_chain.py) that an alarm is heard and seen. The result goes into the audit and, as a Fact, into the store; one that
failed is an alarm until the stage that failed is confirmed again.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from pydantic import ValidationError

from daemon import audit
from daemon.alarms.engine import AlarmEngine
from daemon.appliance import live_chain
from daemon.appliance.live_chain import WITHIN_NS, LiveChain
from daemon.appliance.shadow import Rest, Shadow
from daemon.audit import Entry, Filter
from daemon.bedside import Analysis
from daemon.config import Proof as Wanted
from daemon.control.messages import ScreensSeen
from daemon.control.proof import ProofTold, Stage, StageName
from daemon.model.alarms import AlarmPicture, Priority
from daemon.model.ids import uuid7
from daemon.model.signals import Command, Fact, FactState, Nanos
from daemon.signals.messages import Heard

log = logging.getLogger(__name__)

ALARM_TEST = "alarm_test"
"""Source of the Fact: the row ALARM TEST FAILED."""

ACT = "alarm_chain"
BOX = "vitald"
"""Who acts where the schedule does."""

PRIORITY = Priority.HIGH
UP_NS: Nanos = 600_000_000_000
"""Nothing by itself so soon after the start: screens and loudspeaker are still coming up."""

AGAIN_NS: Nanos = 3_600_000_000_000
"""After one that could not be made, was interrupted or failed."""

LOOK_S = 20.0
HOUR_S = 3600.0

Pictures = Callable[[], Mapping[str, AlarmPicture]]


class Parts(Protocol):
    """What the beds give (daemon/beds.py)."""

    def pictures(self) -> Mapping[str, AlarmPicture]: ...
    def fresh_analysis(self) -> Analysis: ...
    def fresh_engines(self) -> Mapping[str, AlarmEngine]: ...


class Trail(Protocol):
    """Where the result is written (daemon/people/trail.py)."""

    def offer(self, entry: Entry) -> None: ...


class Keeps(Protocol):
    """The file that the last result is in (daemon/store/box.py)."""

    def run(self, work: Callable[[sqlite3.Connection], Any]) -> Awaitable[Any]: ...


class Proof:
    """`prove` makes a test, `run` the schedule; `ticked` at every Tick, `hear` what screens report.

    `obey` puts a Command through its bed; `heard`: the loudspeaker's last word, None where the box has none (`speaker` False).
    """

    def __init__(
        self,
        wanted: Wanted,
        parts: Parts,
        *,
        speaker: bool,
        heard: Callable[[], Heard | None],
        obey: Callable[[Command], object],
        tell: Callable[[Fact], None],
        trail: Trail,
        now: Callable[[], Nanos],
        utc: Callable[[], tuple[int, bool]],
        rest: Rest = asyncio.sleep,
    ) -> None:
        self._wanted = wanted
        self._parts = parts
        self._speaker = speaker
        self._heard = heard
        self._obey = obey
        self._tell = tell
        self._trail = trail
        self._now = now
        self._utc = utc
        self._rest = rest
        self._began_ns = now()
        self._tried_ns: Nanos | None = None
        self._passed_s: float | None = None  # UTC of the last that was whole
        self._failing: dict[StageName, str] = {}
        self._failed_ns: Nanos = 0
        self._tick = asyncio.Event()
        self._live: LiveChain | None = None
        self._task: asyncio.Task[ProofTold] | None = None
        self.last: ProofTold | None = None

    # --- what comes in ---------------------------------------------------------------------------------------

    def ticked(self) -> None:
        """All beds have judged a Tick."""
        self._tick.set()

    def hear(self, screens: ScreensSeen) -> None:
        """What the open pages have drawn."""
        if self._live is not None:
            self._live.seen(screens, self._now())

    async def restore(self, file: Keeps) -> None:
        """Go on with what the last process found; what failed then is an alarm still."""
        try:
            rows = await file.run(lambda db: audit.found(db, Filter(act=ACT), most=1))
            self.last = ProofTold.model_validate(rows[0][1].body) if rows else None
        except (sqlite3.Error, OSError, ValidationError) as error:
            log.error("proof of the alarm chain: the last result cannot be read: %s", error)  # noqa: TRY400 - a state of the disk
        if self.last is not None:
            self._judge(self.last, repeated=True)

    # --- on a schedule, on demand ----------------------------------------------------------------------------

    async def run(self) -> None:
        """The schedule, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self.due():
                await self.prove(BOX)

    def due(self) -> bool:
        """Whether the schedule wants a test now."""
        now_ns = self._now()
        if not self._wanted.every_h or now_ns - self._began_ns < UP_NS:
            return False
        if self._tried_ns is not None and now_ns - self._tried_ns < AGAIN_NS:
            return False
        utc_ns, is_set = self._utc()
        if self._passed_s is None or (is_set and utc_ns / 1e9 < self._passed_s):
            return True
        if not is_set:  # the hour is not known, nor how long ago it was
            since_ns = self._began_ns if self._tried_ns is None else self._tried_ns
            return (now_ns - since_ns) / 1e9 >= self._wanted.every_h * HOUR_S
        hour = datetime.fromtimestamp(utc_ns / 1e9, UTC).astimezone().hour
        return is_due((utc_ns / 1e9 - self._passed_s) / HOUR_S, hour, self._wanted)

    async def prove(self, actor: str) -> ProofTold:
        """A test; whoever asks while one is under way gets the result of that one."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._prove(actor), name="proof of the alarm chain")
        return await asyncio.shield(self._task)

    # --- one test --------------------------------------------------------------------------------------------

    async def _prove(self, actor: str) -> ProofTold:
        began_ns = self._tried_ns = self._now()
        utc_ns, is_set = self._utc()
        before = live_chain.standing(self._parts.pictures())
        stages = await self._shadow(before)
        row = live_chain.begun(self._parts.pictures(), before)
        if not row:
            more, row = await self._sounded(before, actor)
            stages += more
        failed = any(stage.state == "failed" for stage in stages)
        told = ProofTold(
            id=str(uuid7(utc_ns)),
            utc_ms=utc_ns // 1_000_000,
            clock_is_set=is_set,
            actor=actor,
            state="failed" if failed else "interrupted" if row else "passed",
            why=row,
            stages=tuple(stages),
            took_ms=(self._now() - began_ns) / 1e6,
        )
        self.last = told
        self._trail.offer(Entry(told.id, utc_ns, is_set, actor, ACT, body=told.model_dump(mode="json")))
        log.log(logging.ERROR if failed else logging.INFO, "alarm chain: %s", in_short(told))
        self._judge(told)
        return told

    async def _shadow(self, before: frozenset[str]) -> list[Stage]:
        """From bytes to ASYSTOLE; nothing of it where a real alarm begins."""
        pictures = self._parts.pictures

        def goes_on() -> bool:
            if not self._tick.is_set():
                return True
            self._tick.clear()
            return not live_chain.begun(pictures(), before)

        analysis, engines = self._parts.fresh_analysis(), self._parts.fresh_engines()
        return await Shadow(analysis, engines, rest=self._rest).run(goes_on)

    async def _sounded(self, before: frozenset[str], actor: str) -> tuple[list[Stage], str]:
        """From the beds' engines to loudspeaker and screens; the row of a real alarm that ended it, "" = none."""
        pictures = self._parts.pictures()
        beds = live_chain.free(pictures)
        if not beds:
            names: tuple[StageName, ...] = ("engine", "sound", "screens")
            return [Stage(name=name, state="not_possible", why="alarms") for name in names], ""
        others = max(
            (p.sound for p in pictures.values() if p.sound is not None), key=lambda p: p.rank, default=None
        )
        began_ns = self._now()
        self._live = live = LiveChain(beds, PRIORITY, began_ns, speaker=self._speaker, others=others)
        self._ask(beds, actor, {})
        try:
            row = await self._until(live, before, began_ns + WITHIN_NS)
        finally:
            self._live = None
            self._ask(beds, actor, {"seconds": "0"})
        if row:
            return list(live.found.values()), row
        live.end()
        return [live.found[name] for name in ("engine", "sound", "screens")], ""

    async def _until(self, live: LiveChain, before: frozenset[str], until_ns: Nanos) -> str:
        """Tick by Tick, until all is confirmed, the time is over, or a real alarm began: its row."""
        while not live.over and self._now() < until_ns:
            self._tick.clear()
            await self._tick.wait()
            pictures = self._parts.pictures()
            if row := live_chain.begun(pictures, before):
                return row
            live.look(pictures, self._heard(), self._now())
        return ""

    def _ask(self, beds: tuple[str, ...], actor: str, more: Mapping[str, str]) -> None:
        for bed in beds:
            values = {"priority": PRIORITY.value, "screen": ACT, **more}
            command_id = str(uuid7(self._utc()[0]))
            self._obey(Command(command_id, self._now(), bed, actor, "test", tuple(sorted(values.items()))))

    # --- the verdict -----------------------------------------------------------------------------------------

    def _judge(self, told: ProofTold, *, repeated: bool = False) -> None:
        """A stage that failed is an alarm until it is ok; one that could not be tried for alarms stays as it was."""
        had = bool(self._failing)
        for stage in told.stages:
            if stage.state == "failed":
                self._failing[stage.name] = stage.why
            elif stage.why not in {"alarms", "not_reached"}:
                self._failing.pop(stage.name, None)
        if told.state == "passed" and not any(stage.why == "alarms" for stage in told.stages):
            self._passed_s = told.utc_ms / 1e3
        now_ns = self._now()
        if self._failing and not had:
            self._failed_ns = now_ns
        if repeated and not self._failing:
            return
        state = FactState.FAILED if self._failing else FactState.OK
        detail = ", ".join(f"{name} {why}".strip() for name, why in self._failing.items())
        since_ns = self._failed_ns if self._failing else now_ns
        self._tell(Fact(ALARM_TEST, state, since_ns=since_ns, t_ns=now_ns, detail=detail or in_short(told)))


def is_due(age_h: float, hour: int, wanted: Wanted) -> bool:
    """Whether a test that was made `age_h` hours ago is to be made again, at this `hour` of the day.

    One a day or less often is made at the hour that is set, and at once where that hour was missed for a whole day.
    """
    if wanted.every_h < 24:
        return age_h >= wanted.every_h
    return age_h >= wanted.every_h + 24 or (hour == wanted.hour and age_h >= wanted.every_h - 12)


def in_short(told: ProofTold) -> str:
    """One line for the log and the store: codes and times."""
    parts = [
        f"{s.name} {s.state}" + (f" {s.why}" if s.why else "") + ("" if s.ms is None else f" {s.ms:.0f} ms")
        for s in told.stages
    ]
    return f"{told.state}{f' {told.why}' if told.why else ''}: {', '.join(parts)}"
