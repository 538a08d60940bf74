"""A house of beds in simulated time for the proof of the alarm chain: real engines, a real sound desk, screens; and an analysis that is real or was."""

from __future__ import annotations

import asyncio

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.appliance.proof import Proof
from daemon.config import Proof as Wanted
from daemon.control.messages import ScreensSeen, ScreenState
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.interpret import Tables
from daemon.dsp.pipeline import Pipeline
from daemon.model.signals import Fact, FactState, Tick
from daemon.signals.bursts import RATE
from daemon.signals.loudspeaker import Desk
from daemon.signals.messages import Speaker, SpeakerState
from daemon.signals.wanting import Wanting

S = 1_000_000_000
TICK = S // 10
UTC_S = 1_790_000_000


async def at_once(_seconds):
    await asyncio.sleep(0)


class Recorded:
    """The real analysis, or what it has found before of the same items."""

    def __init__(self, found=None):
        self.found = [] if found is None else found
        self.pipeline = None
        if found is None:
            further = Tables(load_waves_table(), load_rhythm_table())
            self.pipeline = Pipeline(load_qrs_table(), None, load_class_table(), further)
        self.at = -1

    def push(self, item):
        self.at += 1
        if self.pipeline is not None:
            self.found.append(self.pipeline.push(item))
        return self.found[self.at] if self.at < len(self.found) else []


class House:
    """Beds with real engines, a real sound desk and screens, in simulated time. `break_` names what does not work."""

    def __init__(self, found, *, speaker=True, screens=("1", ""), beds=("1", "2")):
        self.now = 1000 * S
        self.found = found
        self.engines = {bed: AlarmEngine(Limits(), boot="b", first=1 + 100 * i) for i, bed in enumerate(beds)}
        self.wanting = Wanting(70)
        self.desk = Desk(self.now)
        self.state = SpeakerState.WELL
        self.deaf = False
        self.open = list(screens)
        self.blind = set()
        self.facts, self.entries = [], []
        self.waits = []
        self.proof = Proof(
            Wanted(),
            self,
            speaker=speaker,
            heard=lambda: self.desk.heard(self.now),
            obey=self.obey,
            tell=self.facts.append,
            trail=self,
            now=lambda: self.now,
            utc=lambda: (UTC_S * S + self.now, True),
            rest=at_once,
        )
        self.began = []
        for _ in range(100):  # the self-test at the start is over
            self.tick()

    def pictures(self):
        return {bed: engine.picture() for bed, engine in self.engines.items()}

    def fresh_analysis(self):
        return Recorded(list(self.found))

    def fresh_engines(self):
        return {bed: AlarmEngine(Limits()) for bed in self.engines}

    def offer(self, entry):
        self.entries.append(entry)

    def obey(self, command):
        self.engines[command.bed].step(command)

    def say(self, source, state=FactState.FAILED, bed=""):
        for key in [bed] if bed else self.engines:
            self.engines[key].step(Fact(source, state, self.now, self.now, bed=bed))

    def tick(self):
        self.now += TICK
        for bed, engine in self.engines.items():
            changes = engine.step(Tick(self.now))
            self.wanting.take(bed, engine.picture(), changes)
        if not self.deaf:
            self.desk.heartbeat(self.wanting.wanted, self.now)
        self.desk.speaker = Speaker(state=self.state)
        self.desk.look(self.now)
        self.desk.render(RATE // 10)
        self.proof.ticked()
        if self.now % S == 0:
            self.proof.hear(ScreensSeen(screens=tuple(self.screen(i) for i in range(len(self.open)))))

    def screen(self, i):
        bed = self.open[i]
        shown = [a for key, p in self.pictures().items() if bed in {key, ""} for a in p.alarms]
        tests = () if i in self.blind else tuple(a.occurrence for a in shown if a.row.startswith("test_"))
        return ScreenState(bed=bed, visible=True, draws=True, sound="off", tests=tests)

    async def prove(self, meanwhile=None):
        task = asyncio.create_task(self.proof.prove("technician"))
        for n in range(3000):
            if task.done():
                break
            for _ in range(400 if self.proof._live is None else 3):
                await asyncio.sleep(0)
            if meanwhile is not None and self.proof._live is not None:
                meanwhile, act = None, meanwhile
                act()
            if not task.done():
                self.tick()
            assert n < 2999
        told = await task
        for _ in range(3):
            self.tick()
        return told
