"""The daemon's end, over a real socket, with a sound process of the test's own. Its clock is the test's."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress

import pytest

from daemon import words
from daemon.model.alarms import Priority
from daemon.model.signals import FactState
from daemon.signals.link import HEARD_WITHIN_NS, HOLD_NS, STARTS_WITHIN_NS, Loudspeaker
from daemon.signals.messages import Heard, Playing, SelfTest, Speaker, SpeakerState, Wanted
from tests.daemon.signals._device import until

S = 1_000_000_000
WELL = Speaker(state=SpeakerState.WELL)


class Other:
    """A sound process that says what the test tells it to."""

    def __init__(self):
        self.lines = []
        self.writer = None
        self.writers = []
        self.serving = 0

    async def serve(self, reader, writer):
        self.writer = writer
        self.writers.append(writer)
        self.serving += 1
        with suppress(ConnectionError):
            while line := await reader.readline():
                self.lines.append(json.loads(line))
        writer.close()
        self.serving -= 1

    def heard(self, n):
        return n == (self.lines[-1]["n"] if self.lines else 0)

    def answer(self, **more):
        more = {"speaker": WELL, "t_ns": 1, **more}
        self.writer.write(Heard(**more).model_dump_json().encode() + b"\n")


class Bench:
    def __init__(self, loudspeaker, other, facts, clock):
        self.loudspeaker, self.other, self.facts, self.clock = loudspeaker, other, facts, clock
        self.wanted = Wanted()

    async def tick(self, seconds=0.1, times=1, **answer):
        """Ticks, each followed by an answer where one is given; every message has arrived afterwards."""
        for _ in range(times):
            self.clock[0] += round(seconds * S)
            self.loudspeaker.want(self.wanted)
            if answer:
                before = self.loudspeaker.heard
                self.other.answer(**answer)
                assert await until(lambda before=before: self.loudspeaker.heard is not before, 2, 0)
        await until(lambda: self.other.heard(self.loudspeaker._n), 2, 0)
        return [(f.state, f.detail) for f in self.facts if f.source == "sound"]


@asynccontextmanager
async def bench(tmp_path):
    other, facts, clock = Other(), [], [1000 * S]
    socket = tmp_path / "sound.sock"
    server = await asyncio.start_unix_server(other.serve, socket)
    loudspeaker = Loudspeaker(socket, lambda: clock[0], facts.append)
    task = asyncio.create_task(loudspeaker.run())
    assert await until(lambda: other.writer is not None and loudspeaker._writer is not None, 2)
    yield Bench(loudspeaker, other, facts, clock)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    for writer in other.writers:
        writer.transport.abort()
    assert await until(lambda: other.serving == 0, 2)
    server.close()


async def test_changes_are_said_at_once_and_else_a_heartbeat_a_second(tmp_path):
    async with bench(tmp_path) as b:
        await b.tick(times=31)
        assert len(b.other.lines) == 4
        b.wanted = Wanted(sound=Priority.HIGH)
        await b.tick()
        assert len(b.other.lines) == 5
        assert b.other.lines[-1]["sound"] == "high"
        assert [line["n"] for line in b.other.lines] == [1, 2, 3, 4, 5]


async def test_who_stops_calling_stops_the_heartbeat(tmp_path):
    async with bench(tmp_path) as b:
        await b.tick(times=5)
        said = len(b.other.lines)
        b.clock[0] += 60 * S
        await asyncio.sleep(0.05)  # the loop lives, the alarms do not
        assert len(b.other.lines) == said


async def test_a_sound_process_that_is_well_is_said_once(tmp_path):
    async with bench(tmp_path) as b:
        assert await b.tick(times=40, t_ns=1) == [(FactState.OK, "")]


async def test_no_sound_process_is_a_fact_and_its_return_too(tmp_path):
    async with bench(tmp_path) as b:
        await b.tick(times=5, t_ns=1)
        facts = await b.tick(1.0, times=8)
        assert facts[1:] == [(FactState.FAILED, "silent")]
        assert (await b.tick(times=2, t_ns=1))[2:] == [(FactState.OK, "")]


async def test_from_the_start_a_missing_sound_process_is_said_after_its_time_to_start(tmp_path):
    async with bench(tmp_path) as b:
        assert await b.tick(STARTS_WITHIN_NS / S / 10, times=10) == []
        assert await b.tick(1.0, times=2) == [(FactState.FAILED, "silent")]


async def test_a_connection_that_ends_is_made_again(tmp_path):
    async with bench(tmp_path) as b:
        await b.tick(times=2, t_ns=1)
        first, b.other.writer = b.other.writer, None
        first.close()
        assert await until(lambda: b.other.writer is not None and b.loudspeaker._writer is not None, 3)
        said = len(b.other.lines)
        await b.tick()
        assert len(b.other.lines) == said + 1  # at once, and all of it


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (
            {"speaker": Speaker(state=SpeakerState.NO_DEVICE, detail="audio open error")},
            "no_device audio open error",
        ),
        ({"self_test": SelfTest(id="x", t_ns=1, passed=False, why="stalled")}, "self_test stalled"),
    ],
)
async def test_a_fault_is_a_fact_when_it_lasts(tmp_path, answer, detail):
    async with bench(tmp_path) as b:
        await b.tick(times=2, t_ns=1)
        held = round(HOLD_NS / S * 10)
        assert len(await b.tick(times=held, **answer)) == 1
        since = b.clock[0] - HOLD_NS + S // 10
        assert (await b.tick(times=3, **answer))[1:] == [(FactState.FAILED, detail)]
        assert b.facts[-1].since_ns == pytest.approx(since, abs=S // 5)


async def test_a_short_fault_is_none(tmp_path):
    async with bench(tmp_path) as b:
        await b.tick(times=2, t_ns=1)
        await b.tick(times=20, speaker=Speaker(state=SpeakerState.ENDED))
        assert await b.tick(times=20, t_ns=1) == [(FactState.OK, "")]


@pytest.mark.parametrize("playing", [Playing.NOTHING, Playing.LOW, Playing.FAILURE])
async def test_an_alarm_that_is_not_played_is_a_fact(tmp_path, playing):
    async with bench(tmp_path) as b:
        await b.tick(times=2, t_ns=1)
        b.wanted = Wanted(sound=Priority.HIGH)
        long = round((HEARD_WITHIN_NS + HOLD_NS) / S * 10) + 5
        facts = await b.tick(times=long, playing=playing)
        assert facts[1:] == [(FactState.FAILED, f"not_played high, but {playing}")]


async def test_an_alarm_that_is_played_is_none(tmp_path):
    async with bench(tmp_path) as b:
        b.wanted = Wanted(sound=Priority.MEDIUM)
        assert await b.tick(times=100, playing=Playing.MEDIUM) == [(FactState.OK, "")]


async def test_outputs_have_a_fact_of_their_own(tmp_path):
    async with bench(tmp_path) as b:
        await b.tick(times=2, t_ns=1)
        await b.tick(times=40, output_fault="relay: No such device")
        told = [(f.state, f.detail) for f in b.facts if f.source == "outputs"]
        assert told == [(FactState.OK, ""), (FactState.FAILED, "relay: No such device")]


async def test_a_sound_process_that_does_not_read_costs_no_memory_and_no_time(tmp_path):
    async with bench(tmp_path) as b:
        b.other.writer.transport.pause_reading()
        first = b.other.writer
        for i in range(20_000):
            b.wanted = Wanted(newest_ns=i)
            b.loudspeaker.want(b.wanted)
            writer = b.loudspeaker._writer
            if writer is None or writer.is_closing():
                break
            assert writer.transport.get_write_buffer_size() < 32_768
        else:
            pytest.fail("it was never let go")
        assert await until(lambda: b.other.writer is not first, 3)


async def test_what_is_not_understood_is_no_sign_of_life(tmp_path):
    async with bench(tmp_path) as b:
        await b.tick(times=2, t_ns=1)
        for _ in range(8):
            b.other.writer.write(b'{"v": 2}\nnonsense\n')
            await b.tick(1.0)
        assert b.facts[-1].detail == "silent"


def test_every_fault_has_its_words():
    codes = [state for state in SpeakerState if state is not SpeakerState.WELL]
    for code in [*codes, "silent", "self_test", "not_played"]:
        assert f"fact.sound.{code}" in words.table()
