"""The log of alarms and the state that a restart goes on from: append-only, on the disk at once, read back as it was."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from daemon.model.alarms import Change, ChangeKind, Priority
from daemon.model.findings import Evidence
from daemon.model.signals import Tick
from daemon.store.entries import AlarmsKept
from daemon.store.reader import ask

S = 1_000_000_000
ALWAYS = ("boot-1", -(2**62), 2**62)


def change(kind=ChangeKind.BEGAN, t_s=1, number=1, priority=Priority.HIGH, **fields):
    return Change(
        kind, t_s * S - S, t_s * S, "asystole", "", f"boot-1:{number}", priority, "alarm.asystole", **fields
    )


def history(path, **narrowed):
    return ask(path, lambda r: r.events(*ALWAYS, kinds=["alarm"], **narrowed))


async def test_an_alarm_is_stored_with_its_evidence_and_the_limits_in_force(running, path, line, saved):
    began = change(
        value=4.2,
        limit=4.0,
        unit="s",
        evidence=(Evidence(line.segment.id, 100, 600, "asystole/1"),),
        values=(("pulse", 61.0),),
        limits=(("gap_s", 4.0), ("delay_s", 0.0)),
    )
    acknowledged = change(ChangeKind.ACKNOWLEDGED, 3, command="act-1", actor="AK", screen="bedside screen")
    async with running(on_saved=saved) as writer:
        writer.offer("1", line.block(0, line.samples(500)))
        writer.offer("1", Tick(S), (), [began])
        await saved.up_to(writer.offer("1", Tick(3 * S), (), [acknowledged]))

    first, second = history(path)
    assert (first.t_ns, first.bed, first.segment, first.first) == (S, "1", line.segment.id, 100)
    assert first.body["kind"] == "began"
    assert (first.body["value"], first.body["limit"], first.body["unit"]) == (4.2, 4.0, "s")
    assert first.body["limits"] == {"gap_s": 4.0, "delay_s": 0.0}
    assert first.body["values"] == {"pulse": 61.0}
    assert first.body["evidence"][0]["rule"] == "asystole/1"
    assert (second.body["kind"], second.body["actor"], second.body["screen"], second.body["command"]) == (
        "acknowledged", "AK", "bedside screen", "act-1",
    )  # fmt: skip


async def test_the_log_only_grows_and_is_asked_by_time_priority_and_number(running, path, saved):
    kinds = [
        (ChangeKind.BEGAN, Priority.HIGH),
        (ChangeKind.BEGAN, Priority.LOW),
        (ChangeKind.ENDED, Priority.HIGH),
    ]
    async with running(on_saved=saved) as writer:
        for k, (kind, priority) in enumerate(kinds, 1):
            before = history(path) if k > 1 else []
            await saved.up_to(writer.offer("1", Tick(k * S), (), [change(kind, k, k, priority)]))
            assert history(path)[: len(before)] == before
        await saved.up_to(writer.offer("2", Tick(4 * S), (), [change(t_s=4, number=4)]))

    assert [e.t_ns for e in history(path)] == [S, 2 * S, 3 * S, 4 * S]
    assert [e.t_ns for e in history(path, priorities=["high"])] == [S, 3 * S, 4 * S]
    assert [e.t_ns for e in history(path, bed="1", newest=2)] == [2 * S, 3 * S]
    assert ask(path, lambda r: r.events("boot-1", 2 * S, 3 * S, kinds=["alarm"])) == [history(path)[1]]


async def test_an_alarm_does_not_wait_for_the_next_commit(running, path, saved):
    async with running(on_saved=saved, commit_every_s=3600.0) as writer:
        await saved.up_to(writer.offer("1", Tick(S), (), [change()]))
        assert len(history(path)) == 1


async def test_what_is_kept_replaces_what_was_kept_before_and_each_bed_has_its_own(running, path):
    async with running() as writer:
        for t_s, value in ((1, 60.0), (2, 55.0)):
            writer.keep("1", AlarmsKept(t_s * S, {"hr_low": {"below": value}}, {"number": t_s}))
        writer.keep("2", AlarmsKept(S, {}, {"number": 7}))

    kept = ask(path, lambda r: r.alarm_states())
    assert kept["1"].t_ns == 2 * S
    assert (kept["1"].limits, kept["1"].state) == ({"hr_low": {"below": 55.0}}, {"number": 2})
    assert kept["2"].state == {"number": 7}


ALARMING = """
import asyncio, sys
from pathlib import Path
from daemon.model.alarms import Change, ChangeKind, Priority
from daemon.model.signals import Tick
from daemon.store.entries import AlarmsKept
from daemon.store.writer import Writer

async def main():
    told = 0
    def saved(news):
        nonlocal told
        while told < news.seq // 2:  # every alarm takes two offers
            told += 1
            print(told, flush=True)
    writer = Writer(Path(sys.argv[1]), boot="boot-1", now=lambda: 0, utc_offset_ns=0, on_saved=saved, commit_every_s=3600.0)
    await writer.start()
    for k in range(1, 10_000):
        change = Change(ChangeKind.BEGAN, k, k, "asystole", "", f"boot-1:{k}", Priority.HIGH)
        writer.offer("1", Tick(k), (), [change])
        writer.keep("1", AlarmsKept(k, {}, {"number": k + 1}))
        await asyncio.sleep(0.002)
asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("alarms", [1, 17, 60])
async def test_an_alarm_that_is_saved_survives_a_kill_with_the_state_that_goes_with_it(path, running, alarms):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ALARMING, str(path), stdout=asyncio.subprocess.PIPE
    )
    for _ in range(alarms):
        async with asyncio.timeout(20):
            told = int(await process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = await process.stdout.read()
    await process.wait()
    told = int(rest.split()[-1]) if rest.split() else told

    async with running():
        pass
    numbers = [int(e.body["occurrence"].split(":")[1]) for e in history(path)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= told >= alarms
    assert ask(path, lambda r: r.alarm_states())["1"].state["number"] >= told + 1
