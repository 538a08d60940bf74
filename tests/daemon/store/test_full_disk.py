"""A disk that is really full: a small file system of its own, and another program that takes all its room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daemon.model.alarms import Change, ChangeKind, Priority
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import Tick
from daemon.store import outbox, ranges
from daemon.store.reader import ask
from daemon.store.retention import Quota
from daemon.store.upkeep import DISK, DISK_FULL
from daemon.store.writer import STORE, Writer

S = 10**9
MB = 1 << 20
ALWAYS = ("boot-1", -(2**62), 2**62)


@pytest.fixture
def small(tmp_path, small_disk):
    """A folder on a file system of 24 MB."""
    return small_disk(tmp_path, 24, "small")


def fill(folder: Path) -> Path:
    """Take all the room there is, to the last byte."""
    greedy = folder / "greedy"
    with greedy.open("ab", buffering=0) as file:
        for size in (MB, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return greedy


@pytest.fixture
async def filling(small, clock, saved, facts):
    """A writer in that folder; stopped at the end, whatever became of the test."""
    made: list[Writer] = []

    async def start(quota: Quota, commit_every_s: float) -> Writer:
        made.append(Writer(
            small / "vitald.db", boot="boot-1", now=clock, utc_offset_ns=0, commit_every_s=commit_every_s,
            on_saved=saved, on_fact=facts, quota=quota,
        ))  # fmt: skip
        await made[0].start()
        return made[0]

    yield start
    await made[0].stop()


class Ward:
    """A bed that goes on whatever the disk does: a second of samples, one alarm and its message, second by second."""

    def __init__(self, writer: Writer, line, saved, clock) -> None:
        self.writer, self.line, self.saved, self.clock = writer, line, saved, clock
        self.second = 0
        self.alarms: list[int] = []

    def second_of(self) -> int:
        t_ns = self.second * S
        self.clock.now_ns = t_ns
        counts = self.line.samples(500)
        self.writer.offer("1", self.line.block(self.second * 500, counts))
        change = Change(
            ChangeKind.BEGAN, t_ns, t_ns, "hr_high", occurrence=f"o-{self.second}", priority=Priority.HIGH
        )
        message = Outgoing(t_ns, Lane.ALARMS, "box.alarm/1", "", {"occurrence": f"o-{self.second}"})
        self.alarms.append(t_ns)
        self.second += 1
        return self.writer.offer("1", Tick(t_ns), (), [change], [message])

    async def seconds(self, n: int) -> None:
        for _ in range(n):
            await self.saved.up_to(self.second_of())


def stored_alarms(path: Path) -> list[int]:
    return [e.t_ns for e in ask(path, lambda r: r.events(*ALWAYS, kinds=["alarm"]))]


@pytest.mark.slow
@pytest.mark.parametrize("ballast", [4 * MB, 0])
async def test_alarms_are_stored_on_a_full_disk_as_long_as_there_was_ballast(
    small, filling, clock, saved, facts, line, ballast
):
    """With ballast every alarm during ENOSPC is on the disk while it lasts; without (the control) none of the last ones is."""
    path = small / "vitald.db"
    quota = Quota(10**12, 10**12, 2 * MB, ballast)
    writer = await filling(quota, 0.02)
    ward = Ward(writer, line, saved, clock)
    await ward.seconds(20)
    if ballast:
        assert (small / "ballast").stat().st_size == ballast
    greedy = fill(small)
    assert os.statvfs(small).f_bavail == 0
    told = [ward.second_of() for _ in range(30)]
    if ballast:
        await saved.up_to(told[-1])
        assert stored_alarms(path) == ward.alarms
        assert not (small / "ballast").exists()
        await facts.until(lambda: {DISK, DISK_FULL} <= {f.source for f in facts})
    else:
        await facts.until(lambda: {STORE, DISK_FULL} <= {f.source for f in facts})
        assert len(stored_alarms(path)) < len(ward.alarms)

    greedy.unlink()  # room returns: everything is stored, without a restart
    await saved.up_to(ward.second_of())
    await ward.seconds(5)
    await facts.until(lambda: {f.source: str(f.state) for f in facts}[DISK_FULL] == "ok")
    if ballast:
        await facts.until(lambda: {f.source: str(f.state) for f in facts}[DISK] == "ok")
        assert (small / "ballast").exists()
    await writer.stop()
    assert stored_alarms(path) == ward.alarms
    messages = ask(path, lambda r: outbox.outgoing(r, Lane.ALARMS, 0, 2**62, 10**6))
    assert [m.t_ns for m in messages] == ward.alarms
    (segment,) = ask(path, lambda r: r.segments(*ALWAYS))
    assert ask(path, lambda r: ranges.unexplained(r, segment)) == []


@pytest.mark.slow
async def test_a_disk_that_fills_slowly_costs_old_waveforms_and_every_loss_is_told(
    small, filling, clock, saved, facts, make_line
):
    """More is recorded than there is room for: no write ever fails, and what is missing is in box.dropped."""
    path = small / "vitald.db"
    quota = Quota(10**12, 10**12, 13 * MB, 4 * MB)
    line = make_line(tuple(f"C{i}" for i in range(12)))
    writer = await filling(quota, 0.005)
    ward = Ward(writer, line, saved, clock)
    await ward.seconds(1200)
    await writer.stop()
    assert facts == []
    assert stored_alarms(path) == ward.alarms
    told = ask(path, lambda r: outbox.outgoing(r, Lane.EVENTS, 0, 2**62, 10**6))
    dropped = sum(m.body["records"] for m in told if m.message == "box.dropped/1")
    left = ask(path, lambda r: r.db.execute("SELECT count(*) FROM chunks").fetchone()[0])
    assert dropped >= 200
    assert dropped + left == 1200 + 3  # the first second is four chunks
    (segment,) = ask(path, lambda r: r.segments(*ALWAYS))
    assert ask(path, lambda r: ranges.unexplained(r, segment)) == []
