from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from daemon.model.findings import Beat, BeatClass, Evidence
from daemon.model.signals import Gap, GapCause
from daemon.store import ranges
from daemon.store.places import PLACES
from daemon.store.reader import History, Reader, ask

ALWAYS = ("boot-1", -(2**62), 2**62)
STRANGER = 65534  # nobody, nogroup

# Asks as the web does: a user that is in the group of the files and may write nothing. At every try it says so and waits.
READ = """
import os, sqlite3, sys
from pathlib import Path
from daemon.store.reader import ask
path = Path(sys.argv[1])
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
for place in (path, path.parent):
    assert not os.access(place, os.W_OK), place
def question(reader):
    print("asked", flush=True)
    sys.stdin.readline()
    traces = reader.read("boot-1", -2**62, 2**62)
    return traces[0].counts.shape[1] if traces else 0
try:
    print("answer", ask(path, question), flush=True)
except sqlite3.OperationalError as error:
    print("refused", error, flush=True)
"""


@pytest.fixture
def shelf() -> Iterator[Path]:
    """A folder that a stranger reaches; our temporary ones are for their owner only."""
    folder = Path(tempfile.mkdtemp(prefix="vitald-store-"))
    try:
        give(folder)
        yield folder
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


@pytest.fixture
def path(shelf: Path) -> Path:
    return shelf / "vitald.db"


def give(folder: Path) -> None:
    """To the stranger's group, to be read by it. Without root there is no stranger: then nobody may write."""
    root = os.geteuid() == 0
    folder.chmod(0o750 if root else 0o550 if any(folder.iterdir()) else 0o750)
    for part in (folder, *folder.iterdir()):
        if root:
            os.chown(part, 0, STRANGER)
        elif part.is_file():
            part.chmod(0o440)


def take_back(folder: Path) -> None:
    """The writer may write again."""
    folder.chmod(0o750)
    for part in folder.iterdir():
        part.chmod(0o640)


class Stranger:
    """The reading process; `go` lets it read."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> str:
        return (await asyncio.wait_for(self._process.stdout.readline(), 30)).decode().strip()

    def go(self) -> None:
        self._process.stdin.write(b"\n")

    async def answer(self) -> str:
        """What it says in the end, however often it asks."""
        while (said := await self.line()) == "asked":
            self.go()
        await self._process.wait()
        return said


async def stranger(path: Path) -> Stranger:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READ, str(path), str(STRANGER), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    return Stranger(process)


@pytest.mark.slow
async def test_who_may_only_read_reads_what_a_running_daemon_has_committed(running, path, shelf, line, saved):
    async with running(on_saved=saved) as writer:
        await saved.up_to(writer.offer("1", line.block(0, line.samples(1000))))
        give(shelf)
        assert await (await stranger(path)).answer() == "answer 1000"
        take_back(shelf)


@pytest.mark.slow
@pytest.mark.parametrize("left", ["-wal and -shm", "-wal only"])
async def test_after_a_crash_the_wal_is_read_or_the_question_refused(running, path, shelf, line, saved, left):
    """Never immutable then: the newest commits are in the -wal only."""
    async with running(on_saved=saved) as writer:
        await saved.up_to(writer.offer("1", line.block(0, line.samples(500))))
        await writer._db.run(lambda db: db.execute("PRAGMA wal_checkpoint").fetchall())
        await saved.up_to(writer.offer("1", line.block(500, line.samples(500))))
        files = {part.name: part.read_bytes() for part in shelf.iterdir()}
    for part in shelf.iterdir():
        part.unlink()
    for name, content in files.items():
        if left == "-wal and -shm" or not name.endswith("-shm"):
            (shelf / name).write_bytes(content)
            (shelf / name).chmod(0o640)
    give(shelf)
    answer = await (await stranger(path)).answer()
    if left == "-wal and -shm":
        assert answer == "answer 1000"
    else:
        assert answer == "refused unable to open database file"


@pytest.mark.slow
async def test_after_a_clean_stop_the_file_is_read_by_itself(running, path, shelf, line):
    async with running() as writer:
        writer.offer("1", line.block(0, line.samples(1000)))
    assert not path.with_name("vitald.db-wal").exists()
    give(shelf)
    assert await (await stranger(path)).answer() == "answer 1000"
    assert {part.name for part in shelf.iterdir()} == {"vitald.db", "vitald.db.lock"}


@pytest.mark.slow
@pytest.mark.parametrize("meanwhile", ["runs", "has come and gone"])
async def test_an_answer_is_thrown_away_when_a_writer_comes_meanwhile(
    running, path, shelf, line, make_line, saved, meanwhile
):
    async with running() as writer:
        writer.offer("1", line.block(0, line.samples(1000)))
    give(shelf)
    reader = await stranger(path)
    assert await reader.line() == "asked"
    take_back(shelf)
    second = make_line(connection=2, began_ns=10**10)
    async with running(on_saved=saved) as writer:
        await saved.up_to(writer.offer("1", second.block(0, second.samples(500))))
        if meanwhile == "runs":
            reader.go()
            assert await reader.line() == "asked"
            reader.go()
            assert await reader.line() == "answer 1000"
    if meanwhile != "runs":
        reader.go()
        assert await reader.line() == "asked"
        reader.go()
        assert await reader.line() == "answer 1000"
    await reader.answer()


async def test_where_there_is_no_store_the_question_is_refused_and_nothing_is_made(path, shelf):
    with pytest.raises(sqlite3.OperationalError):
        ask(path, lambda r: r.boots())
    with pytest.raises(sqlite3.OperationalError):
        await History(path).ask(lambda r: r.boots())
    assert list(shelf.iterdir()) == []


@pytest.mark.slow
async def test_readers_without_pause_neither_stop_the_writer_nor_see_half_of_a_transaction(
    running, path, line, saved
):
    counts = line.samples(25 * 500)
    stop = Event()

    def read_on() -> int:
        questions, most = 0, 0
        while not stop.is_set() or not questions:
            traces = ask(path, lambda r: r.read(*ALWAYS))
            n = traces[0].counts.shape[1] if traces else 0
            assert n >= most
            assert n % 500 == 0
            if traces:
                np.testing.assert_array_equal(traces[0].counts, counts[:, :n])
                assert traces[0].missing == ()
            questions, most = questions + 1, n
        return questions

    facts: list[object] = []
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(4) as pool:
        async with running(on_saved=saved, on_fact=facts.append) as writer:
            history = History(path)
            reading = [loop.run_in_executor(pool, read_on) for _ in range(3)]
            try:
                for first in range(0, counts.shape[1], 500):
                    await saved.up_to(writer.offer("1", line.block(first, counts[:, first : first + 500])))
                    (trace,) = await history.ask(lambda r: r.read(*ALWAYS))
                    assert trace.counts.shape[1] == first + 500  # what is acknowledged is seen
            finally:
                stop.set()
            questions = await asyncio.gather(*reading)
    assert min(questions) > 1
    assert (facts, writer.samples_lost, writer.rows_lost) == ([], 0, 0)


async def test_a_failing_question_costs_itself_only(running, path, line):
    async with running() as writer:
        writer.offer("1", line.block(0, line.samples(500)))
    history = History(path)
    for _ in range(6):  # more than there are places
        with pytest.raises(ZeroDivisionError):
            await history.ask(lambda r: 1 // len(r.gaps(*ALWAYS)))
    assert len(await history.ask(lambda r: r.boots())) == 1


async def test_a_span_costs_what_it_returns_and_not_what_is_stored(running, path, make_line, saved):
    """Counted in SQLite's own steps: one span asked of ten segments and of four hundred, early and late."""

    def cost(at_ns: int) -> int:
        db = sqlite3.connect(path)
        steps = 0

        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        db.set_progress_handler(step, 1)
        reader, edges = Reader(db), ("boot-1", at_ns, at_ns + 4 * 10**9)
        assert len(reader.segments(*edges)) == 2
        assert len(reader.read(*edges)) == 2
        assert len(reader.gaps(*edges)) == 2
        assert len(reader.beats(*edges)) == 2
        assert len(ranges.missing(reader, *edges)) == 4
        db.close()
        return steps

    costs = []
    async with running(on_saved=saved) as writer:
        for number in range(400):
            line = make_line(("I",), number, began_ns=number * 2 * 10**9)
            line.segment = type(line.segment)(f"s{number}", "1", line.stream, "boot-1", number, line.began_ns)
            t_ns = line.began_ns
            beat = Beat(t_ns, t_ns, 10, BeatClass.NORMAL, None, Evidence(f"s{number}", 0, 1, "qrs/1"))
            writer.offer("1", line.block(0, line.samples(250)), [beat])
            writer.offer(
                "1", Gap(line.segment, 250, 50, t_ns + 500_000_000, t_ns + 600_000_000, GapCause.NOISE)
            )
            seq = writer.offer("1", line.block(300, line.samples(200)))
            if number == 10:
                await saved.up_to(seq)
                costs.append(cost(8 * 10**9))
        await saved.up_to(seq)
    costs += [cost(8 * 10**9), cost(400 * 10**9), cost(780 * 10**9)]
    assert max(costs) < 1.5 * costs[0]


async def test_the_tail_of_one_segment_is_found_beside_a_short_one_after_it(running, path, make_line):
    """Two fits of a clock may cross by a sample: an earlier segment may end after the one that follows it."""
    one, two = make_line(connection=1), make_line(connection=2, began_ns=1_999_000_000)
    three = make_line(connection=3, began_ns=9_000_000_000)
    async with running() as writer:
        writer.offer("1", one.block(0, one.samples(1001)))  # until 2.002 s
        writer.offer("1", two.block(0, two.samples(1)))  # until 2.001 s
        writer.offer("1", three.block(0, three.samples(1)))
    found = ask(path, lambda r: r.segments("boot-1", 2_001_500_000, 3_000_000_000))
    assert [s.connection for s in found] == [1]


def test_a_place_has_room_for_every_segment_and_sample():
    assert PLACES * 2**23 <= 2**63
