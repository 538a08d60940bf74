"""What of a box's store is in a cloud: `python -m tests.cloud.compare vitald.db --postgres DSN`.

Every message of the outbox is looked for by its key, its body compared, its samples bit for bit. The answer names each
record that is missing, there more than once, other than it was said, or unknown to the box.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np

from daemon.contracts.consent import NAMED
from daemon.model.outgoing import Lane
from daemon.store import codec, outbox
from daemon.store.reader import History, Reader
from tests.cloud.database import connected

MOST = 1000
TABLES = ("metrics", "waveforms", "events")


@dataclass(frozen=True, slots=True)
class Found:
    """One record, and what is wrong with it."""

    seq: int
    lane: str
    message: str
    key: str
    what: str = ""


@dataclass
class Report:
    """`compared` records were there; `gone` are chunks that the box itself has dropped since: their samples cannot be compared.

    `strange` are keys in the cloud that no message of the box has.
    """

    messages: int = 0
    compared: int = 0
    samples: int = 0
    gone: int = 0
    missing: list[Found] = field(default_factory=list)
    double: list[Found] = field(default_factory=list)
    different: list[Found] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        return not (self.missing or self.double or self.different or self.strange)

    def lines(self) -> list[str]:
        """For people."""
        told = [
            f"{self.messages} messages: {self.compared} there, {len(self.missing)} missing, {len(self.double)} double, "
            f"{len(self.different)} different, {len(self.strange)} unknown to the box; {self.samples} samples bit for bit"
            + (f"; {self.gone} chunks are gone from the box" if self.gone else "")
        ]
        for name in ("missing", "double", "different"):
            told += [
                f"{name}: seq {f.seq} {f.lane} {f.message} {f.key} {f.what}".rstrip()
                for f in getattr(self, name)
            ]
        return told + [f"unknown: {key}" for key in self.strange]


@dataclass(frozen=True, slots=True)
class _Box:
    """What the box says of one message."""

    found: Found
    device: str
    session: str
    body: Mapping[str, Any] | None
    chunk: outbox.StoredChunk | None


async def compare(
    store: Path, dsn: str, lanes: Iterable[Lane] = tuple(Lane), *, until: Mapping[Lane, int] | None = None
) -> Report:
    """Compare a box's store with a cloud's database: all messages of these lanes, up to the seqs `until` where given."""
    report, history = Report(), History(store)
    pool = await connected(dsn)
    try:
        async with pool.acquire() as db:
            known: set[str] = set()
            heads = await history.ask(outbox.heads)
            for lane in lanes:
                after, last = 0, (until or heads).get(lane, heads[lane])
                while batch := await history.ask(lambda r, a=after, e=last, n=lane: _said(r, n, a, e)):
                    await _batch(db, batch, report)
                    known |= {one.found.key for one in batch}
                    after = batch[-1].found.seq
            if set(lanes) == set(Lane) and until is None:
                keys = await db.fetch("SELECT DISTINCT key FROM records")
                report.strange = sorted({row["key"] for row in keys} - known)
    finally:
        await pool.close()
    return report


def _said(reader: Reader, lane: Lane, after: int, until: int) -> list[_Box]:
    named = outbox.identity(reader)
    messages = outbox.outgoing(reader, lane, after, until, MOST)
    chunks = outbox.samples(reader, [row.place for row in messages if row.place is not None])
    return [
        _Box(
            Found(row.seq, lane.name.lower(), row.message, outbox.key_of(named, row.seq)),
            row.device,
            row.session,
            row.body,
            None if row.place is None else chunks.get(row.place),
        )
        for row in messages
    ]


async def _batch(db: Any, batch: list[_Box], report: Report) -> None:
    keys = [one.found.key for one in batch]
    records: dict[str, list[Any]] = {}
    for row in await db.fetch("SELECT * FROM records WHERE key = ANY($1)", keys):
        records.setdefault(row["key"], []).append(row)
    often: dict[str, int] = {}
    for table in TABLES:
        counted = await db.fetch(
            f"SELECT key, count(*) AS n FROM {table} WHERE key = ANY($1) GROUP BY key", keys
        )
        often |= {row["key"]: row["n"] for row in counted}
    waveforms = {
        row["key"]: row
        for row in await db.fetch(
            "SELECT key, segment, first, channels, counts FROM waveforms WHERE key = ANY($1)", keys
        )
    }
    for one in batch:
        report.messages += 1
        here = records.get(one.found.key, [])
        if not here:
            report.missing.append(one.found)
            continue
        report.compared += 1
        times = max(len(here), often.get(one.found.key, 0))
        if times > 1:
            report.double.append(_with(one.found, f"{times} times"))
        if what := _difference(one, here[0], waveforms.get(one.found.key), report):
            report.different.append(_with(one.found, what))


def _with(found: Found, what: str) -> Found:
    return Found(found.seq, found.lane, found.message, found.key, what)


def _difference(one: _Box, record: Any, waveform: Any, report: Report) -> str:
    """What of a record is not as the box said it; "" for nothing."""
    for name, mine in (
        ("seq", one.found.seq),
        ("schema", f"vitald.{one.found.message}"),
        ("device_serial", one.device),
        ("session", one.session),
    ):
        if record[name] != mine:
            return f"{name} is {record[name]!r}, was {mine!r}"
    if one.body is not None:
        return "" if _same(record["body"], one.body) else "the body differs"
    if one.chunk is None:
        report.gone += 1
        return ""
    return _samples(one.chunk, waveform, report)


def _same(there: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    """Also where a destination is told no more of a patient than an id."""
    if there == here:
        return True
    patient = here.get("patient")
    if not isinstance(patient, dict):
        return False
    bare = {name: value for name, value in patient.items() if name not in NAMED}
    return there == {**here, "patient": bare}


def _samples(chunk: outbox.StoredChunk, waveform: Any, report: Report) -> str:
    if waveform is None:
        return "no samples"
    if (waveform["segment"], waveform["first"]) != (chunk.segment, chunk.first):
        return f"samples of {waveform['segment']} {waveform['first']}, not {chunk.segment} {chunk.first}"
    channels = [{"name": c.name, "unit": c.unit, "gain": c.gain, "offset": c.offset} for c in chunk.channels]
    if waveform["channels"] != channels:
        return "the channels differ"
    counts = codec.decode(chunk.coded, len(chunk.channels), chunk.n, chunk.crc32, chunk.codec)
    there = np.array(waveform["counts"], np.int32)
    if there.shape != counts.shape:
        return f"{there.shape} samples, not {counts.shape}"
    if wrong := int(np.count_nonzero(there != counts)):
        return f"{wrong} samples differ"
    report.samples += counts.size
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cloud.compare", description=__doc__)
    parser.add_argument("store", type=Path, help="the box's vitald.db")
    parser.add_argument("--postgres", metavar="DSN", required=True, help="the cloud's database")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    options = parser.parse_args()
    try:
        report = asyncio.run(compare(options.store, options.postgres))
    except (OSError, asyncpg.PostgresError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    print(json.dumps(asdict(report)) if options.json else "\n".join(report.lines()))
    return 0 if report.well else 1


if __name__ == "__main__":
    sys.exit(main())
