"""What a database has grown by, and what its rows come to: the rows are counted, the bytes of each are the store's own rule."""

from __future__ import annotations

import time
from dataclasses import dataclass

from daemon.model.outgoing import Lane
from daemon.store.connection import PAGE_BYTES
from daemon.store.reader import Reader
from daemon.store.usage import CHUNK_BYTES, ENVELOPE_BYTES, MESSAGE_BYTES, METRIC_BYTES

BEAT_BYTES = 60
AS_COMPUTED = 0.15
"""Pages are never quite full, and rows of a table share them with nobody else's."""

LINEAR = 0.15
"""Between the first quarter and the last: alarms come and go, and numbers that are absent say why."""

RATE = 1e-3
"""Of samples: crystals differ by less than 100 ppm, and a chunk may just have begun."""


@dataclass(frozen=True)
class Ledger:
    """One moment of a file. `computed`: bytes by table; `samples`: {(bed, stream): (samples stored, Hz, channels)}."""

    t_s: float
    pages: int
    coded: int
    computed: dict[str, int]
    samples: dict[tuple[str, str], tuple[int, float, int]]

    @property
    def bytes(self) -> int:
        """Of the file, pages that are free left out."""
        return self.pages * PAGE_BYTES


def ledger(reader: Reader) -> Ledger:
    """As of now."""
    db = reader.db

    def one(sql: str) -> int:
        return int(db.execute(sql).fetchone()[0] or 0)

    coded = one("SELECT sum(length(data)) FROM chunks")
    numbers = f"lane = {int(Lane.METRICS)}"
    others = f"lane NOT IN ({int(Lane.METRICS)}, {int(Lane.WAVEFORM)})"
    computed = {
        "chunks": coded + one(f"SELECT count(*) * {CHUNK_BYTES} FROM chunks"),
        "envelopes": one(f"SELECT sum(length(data) + {ENVELOPE_BYTES}) FROM envelopes"),
        "metrics": one(f"SELECT count(*) * {METRIC_BYTES} FROM metrics"),
        "messages of numbers": one(f"SELECT sum(length(body) + {MESSAGE_BYTES}) FROM outbox WHERE {numbers}"),  # noqa: S608 - no input
        "other messages": one(f"SELECT sum(length(body) + {MESSAGE_BYTES}) FROM outbox WHERE {others}"),  # noqa: S608 - no input
        "events": one("SELECT sum(length(body) + 60) FROM events"),
        "beats": one(f"SELECT count(*) * {BEAT_BYTES} FROM beats"),
    }
    samples = {
        (bed, name): (int(total), rate_hz, channels)
        for bed, name, total, rate_hz, channels in db.execute(
            "SELECT b.bed, s.name, sum(c.n), s.rate_hz, json_array_length(s.channels) FROM chunks c JOIN segments g ON g.id = c.place >> 40"
            " JOIN streams s ON s.id = g.stream JOIN bedsides b ON b.id = g.bed GROUP BY b.bed, s.id"
        )
    }
    pages = one("PRAGMA page_count") - one("PRAGMA freelist_count")
    return Ledger(time.monotonic(), pages, coded, computed, samples)


def lines(ledgers: list[Ledger]) -> tuple[list[str], list[str]]:
    """What to print of a file that was looked at every quarter, and what is wrong."""
    first, last = ledgers[0], ledgers[-1]
    span_s = last.t_s - first.t_s
    grown = last.bytes - first.bytes
    parts = {name: last.computed[name] - first.computed[name] for name in last.computed}
    computed = sum(parts.values())
    quarters = [(b.bytes - a.bytes) / (b.t_s - a.t_s) for a, b in zip(ledgers, ledgers[1:], strict=False)]
    counted = {key: last.samples[key][0] - first.samples.get(key, (0, 0.0, 0))[0] for key in last.samples}
    values = sum(n * last.samples[key][2] for key, n in counted.items())
    wrong = []
    for key, n in counted.items():
        due = last.samples[key][1] * span_s
        # A chunk of about a second may stand at either end.
        if abs(n - due) > RATE * due + 2 * last.samples[key][1]:
            wrong.append(f"{key}: {n} samples in {span_s:.0f} s, {due:.0f} are due")
    if abs(grown - computed) > AS_COMPUTED * computed:
        wrong.append(f"the database grew by {grown} bytes, computed were {computed}")
    if abs(quarters[-1] - quarters[0]) > LINEAR * quarters[0]:
        wrong.append(f"it grows by {quarters[0]:.0f} B/s, later by {quarters[-1]:.0f}")
    of_parts = ", ".join(f"{name} {value / 1e6:.2f}" for name, value in parts.items())
    of_quarters = ", ".join(f"{quarter / 1e3:.2f}" for quarter in quarters)
    a_value = (last.coded - first.coded) / max(1, values)
    said = [
        f"database: {grown / 1e6:.2f} MB in {span_s / 60:.0f} min ({3.6e-3 * grown / span_s:.2f} MB/h)",
        f"computed {computed / 1e6:.2f} MB (it is {100 * (grown / computed - 1):+.1f} % beside that): {of_parts}",
        f"by quarters {of_quarters} kB/s",
        f"{sum(counted.values())} samples of {len(counted)} streams, {values} values at {a_value:.3f} B each, coded",
    ]
    return said, wrong
