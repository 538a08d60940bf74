from __future__ import annotations

import sqlite3

import pytest

from daemon.model.findings import Metric, Why
from daemon.model.signals import Gap, GapCause
from daemon.store import ranges
from daemon.store.reader import ask

S = 1_000_000_000


@pytest.fixture
def ends(make_writer, clock):
    """Run a writer over what `during` offers; at `at_ns` it stops, or dies without a word."""

    async def run(how, at_ns, during, **options):
        writer = make_writer(**options)
        await writer.start()
        during(writer)
        await writer._write_everything()
        clock.now_ns = at_ns
        if how == "stop":
            await writer.stop()
        else:
            writer._task.cancel()
            await writer._close()
            writer._unlock()

    return run


def missing(path, t0_ns, t1_ns, boot="boot-1"):
    found = ask(path, lambda r: ranges.missing(r, boot, t0_ns, t1_ns))
    return [(m.t0_ns / S, m.t1_ns / S, str(m.cause)) for m in found]


def two_seconds(line):
    return lambda writer: writer.offer("1", line.block(0, line.samples(1000)))


@pytest.mark.parametrize("how", ["stop", "crash"])
async def test_while_the_daemon_was_away_the_cause_is_restart(ends, path, make_line, how):
    await ends(how, 2_100_000_000, two_seconds(make_line()))
    await ends("stop", 7 * S, two_seconds(make_line(connection=2, began_ns=5 * S)))
    assert missing(path, 0, 7 * S) == [(2, 5, "restart")]
    assert missing(path, 3 * S, 7 * S) == [(3, 5, "restart")]  # what was before the span says why
    assert missing(path, 1 * S, 4 * S) == [(2, 4, "restart")]
    assert missing(path, 5 * S, 7 * S) == []
    assert missing(path, 3 * S, 4 * S) == []  # no segment in it: not answered for
    first, second = ask(path, lambda r: r.segments("boot-1", 0, 9 * S))
    assert (first.ended_by, first.stored_until_ns) == (how, 2 * S)
    assert second.daemon_until_ns == 7 * S


@pytest.mark.parametrize("how", ["stop", "crash"])
async def test_a_cable_that_was_out_before_the_daemon_went_is_not_blamed_on_it(ends, path, make_line, how):
    def pulled_out(writer):
        two_seconds(make_line())(writer)
        for t_ns in range(3 * S, 10 * S, S):
            none = Metric(t_ns, t_ns, "heart_rate", None, "/min", Why.NO_SIGNAL, "II", 0.0, None)
            writer.offer("1", Gap(make_line().segment, 1000, 0, t_ns, t_ns, GapCause.CABLE), [none])

    await ends(how, 9 * S, pulled_out)
    await ends("stop", 14 * S, two_seconds(make_line(connection=2, began_ns=12 * S)))
    assert missing(path, 0, 14 * S) == [(2, 9, "cable"), (9, 12, "restart")]


async def test_a_cable_that_was_out_while_the_daemon_ran_is_said_between_and_after(ends, path, make_line):
    def twice(writer):
        two_seconds(make_line())(writer)
        two_seconds(make_line(connection=2, began_ns=5 * S))(writer)

    await ends("stop", 20 * S, twice)
    assert missing(path, 0, 30 * S) == [(2, 5, "cable"), (7, 20, "cable"), (20, 30, "restart")]


async def test_each_boot_answers_for_itself(ends, path, make_line):
    """Times begin anew with a boot; the second start ends what the first boot left open."""
    second = make_line(connection=2, began_ns=1 * S)
    await ends("crash", 2 * S, two_seconds(make_line()))
    await ends("crash", 3 * S, two_seconds(second), boot="boot-2")
    await ends("stop", 0, lambda writer: None, boot="boot-3")
    assert missing(path, 0, 6 * S) == [(2, 6, "restart")]
    assert missing(path, 0, 6 * S, "boot-2") == [(0, 1, "cable"), (3, 6, "restart")]
    assert missing(path, 0, 6 * S, "boot-3") == []
    assert [b.boot for b in ask(path, lambda r: r.boots())] == ["boot-1", "boot-2", "boot-3"]
    for boot in ("boot-1", "boot-2"):
        (segment,) = ask(path, lambda r, boot=boot: r.segments(boot, 0, 9 * S))
        assert segment.ended_by == "crash"
        assert ask(path, lambda r, segment=segment: ranges.unexplained(r, segment)) == []


async def test_gaps_are_clipped_to_the_span_and_in_order(ends, path, line):
    counts = line.samples(3000)

    def with_gaps(writer):
        writer.offer("1", line.block(0, counts[:, :500]))
        writer.offer("1", Gap(line.segment, 500, 1000, 1 * S, 3 * S, GapCause.NOISE))
        writer.offer("1", line.block(1500, counts[:, 1500:2000]))
        writer.offer("1", line.block(2500, counts[:, 2500:]))

    await ends("stop", 6 * S, with_gaps)
    assert missing(path, 0, 6 * S) == [(1, 3, "noise"), (4, 5, "unknown")]
    assert missing(path, 2 * S, 4_500_000_000) == [(2, 3, "noise"), (4, 4.5, "unknown")]
    assert missing(path, 3 * S, 4 * S) == []


async def test_a_damaged_chunk_is_found_and_a_lost_one_unexplained(ends, path, line):
    await ends("stop", 4 * S, lambda writer: writer.offer("1", line.block(0, line.samples(2000))))
    (segment,) = ask(path, lambda r: r.segments("boot-1", 0, 4 * S))
    assert ask(path, lambda r: ranges.damaged(r, segment)) == []
    assert ask(path, lambda r: ranges.unexplained(r, segment)) == []

    db = sqlite3.connect(path)
    db.execute("UPDATE chunks SET data = zeroblob(40) WHERE place % 1099511627776 = 500")
    db.execute("DELETE FROM chunks WHERE place % 1099511627776 = 1000")
    db.commit()
    db.close()
    (harm,) = ask(path, lambda r: ranges.damaged(r, segment))
    assert (harm.first, harm.count, harm.cause, harm.received) == (500, 500, "damaged", True)
    assert ask(path, lambda r: ranges.unexplained(r, segment)) == [(1000, 1499)]
