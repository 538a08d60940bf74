"""Stored nights: twelve minutes at bed 1, told to the second, a minute of the night after it at bed 2, and one of a card."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from daemon.model.findings import Event, Evidence
from daemon.model.signals import Channel, Quantity, Reading, SampleBlock, Segment, Stream
from daemon.store import codec
from daemon.store.imports import (
    Coded,
    Figure,
    Imported,
    Mark,
    Owner,
    Stretch,
    write_day,
    write_samples,
    write_session,
)
from daemon.store.writer import Writer

S = 1_000_000_000
BEGAN_UTC_S = int(datetime(2026, 3, 1, 22, 0, tzinfo=UTC).timestamp())
MINUTES = 12
FLOW = (
    Channel("flow", Quantity.FLOW, "L/s", 0.001),
    Channel("pressure", Quantity.AIRWAY_PRESSURE, "cmH2O", 0.01),
)
STREAM = Stream("CPAP-1", "flow", 25.0, FLOW)
EVENTS = (
    ("apnoea_obstructive", 60, 14.0),
    ("hypopnoea", 200, 20.0),
    ("apnoea_clear_airway", 300, 11.0),
    ("desaturation", 320, 30.0),
    ("snore_of_something_else", 330, 5.0),
)


def _block(segment, minute):
    n = 25 * 60
    k = np.arange(n) + minute * n
    flow = np.rint(500 * np.sin(2 * np.pi * 0.25 * k / 25)).astype(np.int32)
    # The machine blows 9 cmH2O for ten minutes, then it is stopped.
    pressure = np.full(n, 900 if minute < 10 else 20, np.int32)
    t0_ns = segment.began_ns + minute * 60 * S
    return SampleBlock(segment, minute * n, t0_ns, 4e7, np.stack([flow, pressure]), t0_ns + 60 * S)


def write_card(db: sqlite3.Connection) -> None:
    """A minute of a night before that, of a machine's card, with one event of its own and its statistics of the day."""
    began_ns = (BEGAN_UTC_S - 10 * 24 * 3600) * S
    owner = Owner("CARD-1", "resmed_card", "AirSense", "1", "1")
    counts = _block(Segment("card-1", "1", STREAM, "-", 1, 0), 0).counts
    whole = Coded(0, counts.shape[1], began_ns, 4e7, S, codec.checksum(counts), codec.encode(counts))
    device = Stream("CARD-1", "flow", 25.0, FLOW)
    ends_ns = began_ns + 60 * S
    stretch = Stretch("card-1", device, began_ns, ends_ns, 1500, began_ns, ends_ns)
    write_samples(db, owner, stretch, [whole], [])
    marks = (Mark(began_ns + 20 * S, "hypopnoea", "Hypopnea", 12.0),)
    write_session(db, owner, Imported("session-1", "card-1", began_ns, ends_ns, "nurse", None, marks, {}), {})
    figures = [Figure("cpap_ahi", "/h", 58.8), Figure("cpap_hours", "h", 0.02)]
    write_day(db, owner, ends_ns, "2026-02-19", {}, figures)


async def write_night(file: Path) -> None:
    """Into a new store."""
    now = [0]
    writer = Writer(
        file, boot="boot-1", now=lambda: now[0], utc_offset_ns=BEGAN_UTC_S * S, commit_every_s=0.05
    )
    await writer.start()
    segment = Segment("night-1", "1", STREAM, "boot-1", 1, 0)
    for minute in range(MINUTES):
        found = [
            Event(at * S, at * S, name, (("duration", length, "s"),), Evidence("night-1", 0, 1, "r/1"))
            for name, at, length in EVENTS
            if at // 60 == minute
        ]
        now[0] = (minute + 1) * 60 * S
        writer.offer("1", _block(segment, minute), found, ())
        for second in range(minute * 60, minute * 60 + 60):
            low = 87.0 if 320 <= second < 350 else 96.0
            writer.offer("1", Reading("1", "OXI-1", "spo2", low, "%", second * S), (), ())
            leak = 30.0 if second % 10 == 0 else 12.0
            writer.offer("1", Reading("1", "CPAP-1", "cpap_leak", leak, "L/min", second * S), (), ())
    other = Segment("night-2", "2", STREAM, "boot-1", 2, 24 * 3600 * S)
    writer.offer("2", _block(other, 0), (), ())
    await writer.aside(write_card)
    await writer.stop()
