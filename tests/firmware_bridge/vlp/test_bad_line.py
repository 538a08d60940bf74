"""A line that changes 1 % of bytes and delays by up to 20 ms, and a crystal 200 ppm off: the short form of benchmarks/vlp_link.py."""

from __future__ import annotations

import random

import pytest

from benchmarks._vlp import BEGIN_NS, lossy
from benchmarks.vlp_link import hostile
from firmware_bridge.boards import vlp
from firmware_bridge.vlp.clock import LinkClock
from tests.firmware_bridge.boards.test_conformance import deep_size

MS = 1_000_000


@pytest.mark.parametrize("seed", [1])
def test_every_sample_comes_once_or_is_told_as_lost_and_is_dated_within_2_ms(seed, capsys):
    figures = lossy(120.0, seed=seed)

    assert figures.wrong == 0
    assert 0 <= figures.unsettled <= 75  # at most what waits for its turn, and what is on the line
    assert (
        figures.delivered + figures.lost + figures.unsettled >= 2950
    )  # the rest was before the first dictionary
    assert figures.delivered > 0.8 * 3000
    assert figures.lost > 0
    stamps, served = figures.worst_ms("stamps", 20.0), figures.worst_ms("served", 20.0)
    assert stamps < 2.0
    assert served < 2.0
    with capsys.disabled():
        print(
            f"\n  bad line, seed {seed}: {figures.delivered} samples delivered, {figures.lost} told as lost, 0 wrong;"
            f" clock within {stamps:.2f} ms, served within {served:.2f} ms"
        )


def test_a_good_line_loses_nothing():
    figures = lossy(30.0, corrupt=0.0, jitter_s=0.0, ppm=-200.0)

    assert (figures.wrong, figures.lost, figures.damaged) == (0, 0, 0)
    assert figures.delivered + figures.unsettled == 749  # the crystal is slow
    assert figures.worst_ms("stamps", 0.0) < 0.5


def test_hostile_bytes_are_never_raised_at_and_never_kept():
    """Frames whose check is right, and noise; the long form is 10 million bytes."""
    draw = random.Random(2)
    board = vlp.board({})
    board.opened(0)
    now_ns, sizes = 0, []
    for round_ in range(400):
        now_ns += draw.randrange(200 * MS)
        board.feed(hostile(draw) if draw.random() < 0.7 else draw.randbytes(500), now_ns)
        board.due(now_ns)
        board.lapsed(now_ns)
        if round_ % 20 == 0:
            sizes.append(deep_size(board))

    assert max(sizes) < 400_000


def paired(clock: LinkClock, seconds: float, ppm: float, ways: tuple[float, float]) -> float:
    """Run the clock with constant ways there and back; its error in ms at the end."""
    pace = 1 + ppm * 1e-6
    now = BEGIN_NS
    while now < BEGIN_NS + seconds * 1e9:
        if (t1 := clock.due(now)) is not None:
            heard = now + round(ways[0] * 1e9)
            us = round((heard - BEGIN_NS) * pace / 1000)
            clock.answered(t1, us, us, heard + round(ways[1] * 1e9))
        now += 20 * MS
    us = round((now - BEGIN_NS) * pace / 1000)
    told = clock.host_ns(us)
    assert told is not None
    return (told - now) * 1e-6


@pytest.mark.parametrize("ppm", [-200.0, 0.0, 200.0])
def test_the_clock_finds_the_crystals_rate(ppm):
    clock = LinkClock()

    assert abs(paired(clock, 60.0, ppm, (0.003, 0.003))) < 0.05
    assert clock.drift_ppm == pytest.approx(ppm, abs=1)


def test_half_of_a_difference_of_the_ways_cannot_be_seen():
    assert paired(LinkClock(), 30.0, 0.0, (0.002, 0.006)) == pytest.approx(2.0, abs=0.05)


def test_answers_that_nobody_asked_for_set_no_clock():
    clock = LinkClock()
    t1 = clock.due(BEGIN_NS)
    assert t1 is not None
    clock.answered(t1 + 1, 5, 5, BEGIN_NS + MS)
    clock.answered(t1, 5, 4, BEGIN_NS + MS)
    assert not clock.known
    clock.answered(t1, 5, 6, BEGIN_NS + MS)
    known = clock.host_ns(100)
    clock.answered(t1, 50_000, 50_000, BEGIN_NS + 2 * MS)  # the same again

    assert clock.host_ns(100) == known


def test_a_clock_that_jumps_is_found_again():
    clock = LinkClock()
    paired(clock, 10.0, 0.0, (0.001, 0.001))
    now = BEGIN_NS + 11_000 * MS
    t1 = clock.due(now)
    assert t1 is not None
    clock.answered(t1, 900_000_000, 900_000_000, now + 2 * MS)

    assert clock.host_ns(900_000_000) == pytest.approx(now + MS, abs=0.1 * MS)
