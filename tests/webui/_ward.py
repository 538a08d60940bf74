"""A bed with the real alarm engine and the real live hub, for tests of its screen.

What it sees is written by hand, what it says is its own. Time is the box's; what is told of the past is run through at once,
Tick by Tick, up to now.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.alarms.watch import Watch
from daemon.bedside import Sink
from daemon.control.live import LiveHub
from daemon.control.messages import Act, DisplayState
from daemon.model.alarms import Change, ChangeKind
from daemon.model.findings import Beat, BeatClass, Evidence, Finding, Metric, Rhythm
from daemon.model.signals import Command, Fact, FactState, Item, Reading, Tick
from daemon.words import say

S = 1_000_000_000
TICK = S // 10
BED = "1"


class Ward:
    """One bed. Set `rate` (bpm), tell of rhythms and facts; `run` moves time, `texts` are what the hub tells its readers.

    `keep` is a sink for the store, as the daemon's: occurrences of all wards have names of their own.
    """

    _number = itertools.count(1, 1000)

    def __init__(self, past_s: float = 60.0, keep: Sink | None = None) -> None:
        first_of_all = next(Ward._number)
        display = DisplayState(mode="monitor", mains_hz=50, cleaning=False)
        self.hub = LiveHub(
            boot="boot-1", version="0.1.0", box="b", demo=True, beds=[(BED, BED, display)], utc_ms=lambda: 0
        )
        self.watch = Watch(
            BED,
            lambda own, first: AlarmEngine(Limits(own=own), boot="boot-1", first=first_of_all + first),
            _fail,
        )
        self.hub.watch(BED, self.watch)
        self.t_ns = (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - round(past_s * S)) // TICK * TICK
        self.rate: float | None = 75.0
        self.stopped = False  # as a daemon whose alarms hang: nothing of them is said again
        self.keep = keep
        self._changes: list[Change] = []
        self._said = self._beat_ns = 0

    def run(self, seconds: float | None = None) -> bool:
        """So far on, or up to now; whether time moved."""
        now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        end_ns = now_ns if seconds is None else self.t_ns + round(seconds * S)
        moved = False
        while self.t_ns + TICK <= end_ns and not self.stopped:
            self.t_ns += TICK
            self._push(Tick(self.t_ns), self._findings())
            moved = True
        return moved

    async def texts(self) -> dict[str, str]:
        """The newest messages on alarms and on limits, as a new reader of the hub gets them."""
        reader = self.hub.subscribe()
        self.hub.unsubscribe(reader)
        told: dict[str, str] = {}
        while len(told) < 2:
            message = await reader.take()
            for kind in ("limits", "alarms"):
                if isinstance(message, str) and f'"type":"{kind}"' in message:
                    told[kind] = message
        return told

    def rhythm(self, label: str) -> None:
        """A rhythm that begins now and goes on."""
        found = Rhythm(self.t_ns + 1, self.t_ns + 1, None, label, self._evidence("window/1"))
        self._push(Tick(self.t_ns), [found])

    def fact(self, source: str, state: FactState = FactState.FAILED) -> None:
        """A part of the box fails, or is well again."""
        self._push(Fact(source, state, self.t_ns + 1, self.t_ns + 1))

    def reading(self, name: str, value: float, unit: str) -> None:
        """A device says a number of its own."""
        self._push(Reading(BED, "OXI-1", name, value, unit, self.t_ns + 1))

    def pause(self, name: str, seconds: int) -> None:
        """An audio pause of `seconds` was pressed at this moment, and ran to its end."""
        self.act(Act(id=name, bed=BED, verb="audio_pause", values={"seconds": str(seconds)}))
        self.run(seconds)

    def act(self, act: Act) -> str:
        """Carry out what a page asked for, now; the refusal in words, or ""."""
        self._push(Command(act.id, self.t_ns + 1, act.bed, "AK", act.verb, tuple(act.values.items())))
        self.run(TICK / S)
        refused = [c for c in self._changes if c.command == act.id and c.kind is ChangeKind.REFUSED]
        return (
            say(
                refused[0].text,
                **{k: f"{v:g}" if isinstance(v, int | float) else v for k, v in refused[0].values},
            )
            if refused
            else ""
        )

    def _push(self, item: Item, findings: Sequence[Finding] = ()) -> None:
        changes = self.watch.step(item, findings)
        self._changes += changes
        self.hub.publish(BED, item, findings, changes)
        if self.keep is not None:
            self.keep(BED, item, findings, changes)

    def _findings(self) -> list[Finding]:
        found: list[Finding] = []
        if self.rate is not None and self.t_ns - self._beat_ns >= 60 * S / self.rate:
            rr_ms, self._beat_ns = (self.t_ns - self._beat_ns) / 1e6, self.t_ns
            evidence = self._evidence("qrs/1")
            found.append(Beat(self.t_ns, self.t_ns, evidence.first, BeatClass.NORMAL, rr_ms, evidence))
        if self.rate is not None and self.t_ns // S > self._said:
            self._said = self.t_ns // S
            evidence = self._evidence("rate/1")
            found.append(
                Metric(self.t_ns, self.t_ns, "heart_rate", self.rate, "bpm", None, "II", 1.0, evidence)
            )
        return found

    def _evidence(self, rule: str) -> Evidence:
        at = round(self.t_ns / S * 500)
        return Evidence("segment", at, at, rule)


def _fail(error: Exception) -> None:
    raise error
