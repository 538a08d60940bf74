"""VLP over a bad line (1 % of bytes changed, 20 ms of jitter each way, a crystal 200 ppm off), and against hostile bytes."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Iterator

import numpy as np

from benchmarks import Row
from benchmarks._vlp import lossy
from firmware_bridge.boards import vlp
from firmware_bridge.vlp import messages
from firmware_bridge.vlp.wire import Type, sealed

MINUTES = 20
SETTLED_S = 20.0
FUZZED = 10_000_000


def rows() -> Iterator[Row]:
    figures = [lossy(60.0 * MINUTES / 4, seed=seed) for seed in range(1, 5)]
    made = sum(f.delivered + f.lost for f in figures)
    worst = max(f.worst_ms("stamps", SETTLED_S) for f in figures)
    served = max(f.worst_ms("served", SETTLED_S) for f in figures)
    stamps = np.array([e for f in figures for t, e in f.stamps if t >= SETTLED_S])
    late = np.array([late for f in figures for late in f.late])
    wrong = sum(f.wrong for f in figures)
    note = f"of {made:,} in 4 x {MINUTES // 4} min; 99 % of what came was {np.percentile(late, 99):.0f} ms old or newer"
    yield Row(
        "VLP bad line: samples told wrong, twice or not at all", wrong, "samples", "0", wrong == 0, note
    )
    share = 100 * sum(f.delivered for f in figures) / made
    yield Row("VLP bad line: samples delivered, the rest told as gaps", share, "%", "", None)
    rms = float(np.sqrt((stamps**2).mean()))
    yield Row(
        "VLP bad line: clock, worst error after 20 s", worst, "ms", "< 2", worst < 2, f"RMS {rms:.2f} ms"
    )
    yield Row("VLP bad line: times served, worst error after 20 s", served, "ms", "< 2", served < 2)
    yield from _fuzzed()


def _fuzzed() -> Iterator[Row]:
    board = vlp.board({})
    board.opened(0)
    draw = random.Random(1)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    fed = now_ns = 0
    while fed < FUZZED:
        chunk = hostile(draw) if draw.random() < 0.5 else draw.randbytes(draw.randrange(1, 4096))
        fed += len(chunk)
        now_ns += draw.randrange(200_000_000)
        board.feed(chunk, now_ns)
        board.due(now_ns)
    spent = time.process_time() - begin
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    note = f"{fed / spent / 11_520:,.0f} x line rate; half of it frames with a right check and any content"
    yield Row(
        "VLP fuzz: memory grown over 10 million bytes", grown / 1024, "MiB", "< 16", grown < 16 * 1024, note
    )


def hostile(draw: random.Random) -> bytes:
    """A few frames whose check is right: of any type, number and content, often nearly what is meant."""
    out = []
    for _ in range(draw.randrange(1, 6)):
        kind = draw.choice([*Type, draw.randrange(256)])
        payload = draw.randbytes(draw.randrange(0, 80))
        if draw.random() < 0.5:
            number = draw.choice((1, 2))
            entry = messages.Entry(
                draw.randrange(3), draw.randrange(4), draw.randrange(8), draw.choice((0, 1, 25, 500)),
                draw.choice((1.0, 0.002, -1e-3)), draw.choice((0.0, 5.0)), draw.choice((0.0, 0.1)),
                draw.choice(("I", "flow", "mode", "electrodes", "spo2")), draw.choice(("mV", "L/s", "%", "a|b")),
            )  # fmt: skip
            us = draw.choice((draw.randrange(10**7), draw.randrange(2**64)))
            values = np.frombuffer(draw.randbytes(2 * draw.randrange(1, 9)), "<i2")
            kind, payload = draw.choice(
                [
                    (Type.DICT, messages.dictionary(number, (entry,))),
                    (Type.PART, messages.part(number, draw.randrange(2), 2, (entry,))),
                    (Type.SAMPLES, messages.samples(number, draw.randrange(3), us, values)),
                    (Type.ROWS, messages.rows(number, 0, us, values.reshape(-1, 1))),
                    (
                        Type.HELLO,
                        messages.hello(messages.Hello(512, 7, bytes(16), draw.randrange(2), "x", "")),
                    ),
                ]
            )
        out.append(
            sealed(kind, draw.choice((draw.randrange(50), draw.randrange(2**32))), payload, draw.randrange(4))
        )
    return b"".join(out)
