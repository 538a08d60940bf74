"""The beds of one box: every item goes through its bed, in order, and what comes of it is heard, shown and stored.

A Tick and a Fact of the whole box go through every bed. What a person asks of alarms is decided at the next Tick.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from daemon.alarms.acts import VERBS
from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits, Settings
from daemon.bedside import Bedside
from daemon.config import Config
from daemon.control.live import LiveHub
from daemon.dispatch.messages import Dispatch
from daemon.dsp.display import DisplaySettings
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.interpret import Tables
from daemon.dsp.pipeline import Pipeline
from daemon.model.alarms import AlarmPicture, Change, ChangeKind, Values
from daemon.model.findings import Finding
from daemon.model.signals import Command, Fact, Item, Nanos, Tick
from daemon.signals.link import Loudspeaker
from daemon.signals.wanting import Wanting
from daemon.store.entries import AlarmsKept
from daemon.store.handover import Handover
from daemon.store.reader import History
from daemon.store.writer import Writer
from daemon.words import say

log = logging.getLogger(__name__)

RESTORED_WITHIN_S = 3.0
"""What the last process kept of the alarms is waited for so long; then all is judged anew."""

KEPT_EVERY_NS: Nanos = 5_000_000_000
"""How often the state of alarms goes to the database when nothing changes: well within the half minute after which it is too old."""


class Beds:
    """`ward` gives the ward's limits; `heard` is told of every item, `ticked` of every Tick when all beds have judged it.

    What `ticked` gives are Facts of single beds, which go through theirs. `now` is CLOCK_BOOTTIME.
    """

    def __init__(
        self,
        config: Config,
        boot: str,
        *,
        hub: LiveHub,
        writer: Writer,
        dispatch: Dispatch,
        wanting: Wanting,
        loudspeaker: Loudspeaker | None,
        ward: Callable[[], Settings],
        heard: Callable[[Item], None],
        ticked: Callable[[Tick], Iterable[Fact]],
        now: Callable[[], Nanos],
    ) -> None:
        self._boot = boot
        self._history = History(config.box.database)
        self._writer, self._dispatch = writer, dispatch
        self._wanting, self._loudspeaker = wanting, loudspeaker
        self._ward, self._heard, self._ticked, self._now = ward, heard, ticked, now
        self._asked: dict[str, asyncio.Future[str]] = {}
        self._kept_ns: dict[str, Nanos] = {}
        self._handover = Handover(config.box.run / "alarms.json", boot)
        self._tables = load_qrs_table(), load_class_table(), Tables(load_waves_table(), load_rhythm_table())
        table, classes, further = self._tables
        self.bedsides: Mapping[str, Bedside] = {
            key: Bedside(
                key,
                analysis=lambda bed=bed: Pipeline(
                    table, DisplaySettings(**bed.display.model_dump()), classes, further
                ),  # type: ignore[misc]
                alarms=self._engine,
                signals=self._signal,
                live=hub.publish,
                store=self._store,
                failed=lambda what, error: log.error("%s failed and starts anew", what, exc_info=error),
            )
            for key, bed in config.beds.items()
        }
        for key, bedside in self.bedsides.items():
            hub.watch(key, bedside.alarms)

    def push(self, items: Sequence[tuple[str, Item]]) -> None:
        """Items as acquisition gives them, (bed, item), in order."""
        for bed, item in items:
            if isinstance(item, Tick) or (isinstance(item, Fact) and not item.bed):
                for bedside in self.bedsides.values():
                    bedside.push(item)
                if isinstance(item, Tick):
                    self._sound(item)
                    for fact in self._ticked(item):
                        self.bedsides[fact.bed].push(fact)
            else:
                self.bedsides[bed].push(item)

    def everywhere(self, fact: Fact) -> None:
        """A Fact of the whole box."""
        for bedside in self.bedsides.values():
            bedside.push(fact)

    def pictures(self) -> dict[str, AlarmPicture]:
        """How the alarms of each bed stand."""
        return {key: bedside.alarms.picture() for key, bedside in self.bedsides.items()}

    def watched(self, here: Callable[[], Container[str]]) -> Callable[[str], bool]:
        """Tells whether there is somebody to be looked at in a bed: one of `here()`, or one of whom anything was measured."""
        return lambda bed: bed in here() or self.bedsides[bed].alarms.armed

    def fresh_analysis(self) -> Pipeline:
        """An analysis as the beds have it, of no bed, without waves for a screen."""
        table, classes, further = self._tables
        return Pipeline(table, None, classes, further)

    def fresh_engines(self) -> dict[str, AlarmEngine]:
        """For each bed an engine that has seen nothing, with the limits in force there."""
        return {key: self._engine(bedside.alarms.own, 1) for key, bedside in self.bedsides.items()}

    def obey(self, command: Command) -> asyncio.Future[str] | None:
        """A Command through its bed. One on alarms is decided at the next Tick, and only then is it done or refused."""
        decided: asyncio.Future[str] | None = None
        if command.verb in VERBS:
            decided = self._asked[command.id] = asyncio.get_running_loop().create_future()
            decided.add_done_callback(lambda _: self._asked.pop(command.id))
        self.bedsides[command.bed].push(command)
        return decided

    async def restore(self) -> None:
        """Go on where the last process stood. Limits are this patient's whatever the boot; the rest is for resume.py to judge."""
        kept: dict[str, AlarmsKept] = {}
        try:
            async with asyncio.timeout(RESTORED_WITHIN_S):
                kept = await self._history.ask(lambda reader: reader.alarm_states())
        except (sqlite3.Error, OSError, ValueError, TimeoutError) as error:
            log.error("alarms: what was kept cannot be read: %s", error)  # noqa: TRY400 - a state of the disk
        kept |= self._handover.read()  # of this boot, and newer
        for bed, state in kept.items():
            if bed in self.bedsides:
                resumed = self.bedsides[bed].restore(state.limits, dict(state.state), self._now())
                log.info("alarms: bed %s %s", bed, "goes on" if resumed else "is judged anew")

    def _engine(self, own: Settings, first: int) -> AlarmEngine:
        limits = Limits(self._ward(), own)
        for refusal in limits.refused:
            log.error(
                "alarms: a limit that was kept cannot be: %s", say(refusal.text, **_filled(refusal.values))
            )
        return AlarmEngine(limits, boot=self._boot, first=first)

    def _sound(self, tick: Tick) -> None:
        """What shall be heard now. An engine that no longer judges gives no heartbeat: the sound process says so by itself."""
        beds = self.bedsides.values()
        if self._loudspeaker is not None and all(b.alarms.judged_ns >= tick.t_ns for b in beds):
            self._loudspeaker.want(self._wanting.wanted)

    def _signal(self, bed: str, item: Item, changes: Sequence[Change]) -> None:
        """The first to hear of a change: it is handed over before anybody can have seen it."""
        if isinstance(item, Tick):
            alarms = self.bedsides[bed].alarms
            if alarms.kept["t_ns"] == item.t_ns:
                self._handover.write(bed, AlarmsKept(item.t_ns, alarms.own, alarms.kept))
            self._wanting.take(bed, alarms.picture(), changes)
        for change in changes:
            asked = self._asked.get(change.command)
            if asked is not None and not asked.done():
                refused = change.kind is ChangeKind.REFUSED
                asked.set_result(say(change.text, **_filled(change.values)) if refused else "")

    def _store(self, bed: str, item: Item, findings: Sequence[Finding], changes: Sequence[Change]) -> None:
        told = self._dispatch.push(bed, item, findings, changes)
        self._writer.offer(bed, item, findings, changes, told)
        self._heard(item)
        if not isinstance(item, Tick):
            return
        if changes or item.t_ns - self._kept_ns.get(bed, 0) >= KEPT_EVERY_NS:
            self._kept_ns[bed] = item.t_ns
            alarms = self.bedsides[bed].alarms
            self._writer.keep(bed, AlarmsKept(alarms.kept["t_ns"], alarms.own, alarms.kept))


def _filled(values: Values) -> dict[str, str]:
    """What fills the places of a sentence, as text."""
    return {name: value if isinstance(value, str) else f"{value:g}" for name, value in values}
