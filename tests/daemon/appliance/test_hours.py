"""How long a box can be without its clouds: from what it has really stored, its quotas and its disk."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from daemon.appliance import hours, machine
from daemon.appliance.hours import Kind, hours_left, next_to_go
from daemon.config import Config
from daemon.store import schema
from daemon.store.connection import open_writing
from daemon.store.reader import ask

S = 1_000_000_000
HOUR = 3600 * S
CHUNK = 1000
"""Coded bytes of a second of samples."""


@pytest.fixture
def store(tmp_path):
    """Two hours of one stream, with a number a second."""
    path = tmp_path / "data" / "vitald.db"
    path.parent.mkdir()
    db = open_writing(path)
    schema.apply(db)
    db.executescript(
        f"""
        INSERT INTO boots VALUES (1, 'b', 0);
        INSERT INTO bedsides VALUES (1, '1');
        INSERT INTO devices (id, device) VALUES (1, 'ECG-1');
        INSERT INTO streams VALUES (1, 1, 'ecg', 500, '[]');
        INSERT INTO series VALUES (1, 1, '', 'heart_rate', '', 'bpm');
        INSERT INTO runs (id, bed, boot, began_ns) VALUES (1, 1, 1, 0);
        INSERT INTO segments (id, uuid, stream, bed, boot, run, connection, began_ns, chunk_n)
            VALUES (1, 's', 1, 1, 1, 1, 1, 0, 500);
        WITH RECURSIVE second(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM second WHERE n < 7199)
        INSERT INTO chunks SELECT (1 << 40) + n * 500, 500, n * {S}, 2e6, 0, n * {S}, 0, 1, zeroblob({CHUNK}) FROM second;
        INSERT INTO metrics (boot, t_ns, series, value, quality)
            SELECT 1, t0_ns, 1, 72.0, 1.0 FROM chunks;
        INSERT INTO outbox (seq, lane, message, boot, t_ns, device, session, place)
            SELECT rowid, 3, 'ecg.waveform/1', 1, 0, '', '', place FROM (SELECT place, row_number() OVER () AS rowid FROM chunks);
        UPDATE usage SET bytes = {7200 * (CHUNK + 90)} WHERE class = 'waveform';
        """
    )
    db.close()
    return path


@pytest.fixture
def disk(monkeypatch):
    """A disk with as much free as a test says."""

    def set_free(free):
        made = machine.Disk(10**12, free, 10**6, 10**6, read_only=False)
        monkeypatch.setattr(hours.machine, "disk", lambda _folder: made)

    return set_free


def left(store, **quotas):
    config = Config.model_validate({"box": {"data": str(store.parent)}, "store": quotas})
    told = ask(store, lambda reader: hours_left(reader, config, "b", 2 * HOUR))
    return {one.kind: one for one in told}, next_to_go(told)


def test_a_quota_lasts_as_long_as_the_rate_says(store, disk):
    disk(10**12)
    told, first = left(store, waveform_mb=40, numbers_mb=1000, keep_free_mb=0)

    wave = told[Kind.WAVEFORM]
    assert wave.rate_bytes_h == pytest.approx(3600 * (CHUNK + 90), rel=0.01)
    assert wave.reach_hours == pytest.approx(40e6 / wave.rate_bytes_h, rel=0.01)
    # Nothing was confirmed: what is stored already stands before what comes.
    assert wave.hours == pytest.approx((40e6 - wave.used_bytes) / wave.rate_bytes_h, rel=0.01)
    assert (wave.bounded_by, first) == ("quota", Kind.WAVEFORM)


def test_what_every_cloud_has_makes_room_for_what_none_has(store, disk):
    disk(10**12)
    db = sqlite3.connect(store)
    db.execute("INSERT INTO confirmed VALUES (3, 7200)")
    db.commit()
    db.close()
    told, _ = left(store, waveform_mb=40, numbers_mb=1000, keep_free_mb=0)

    assert told[Kind.WAVEFORM].hours == pytest.approx(told[Kind.WAVEFORM].reach_hours, rel=0.01)


def test_a_disk_that_is_nearly_full_is_what_counts(store, disk):
    disk(300_000_000)
    told, _ = left(store, waveform_mb=20_000, numbers_mb=20_000, keep_free_mb=256)

    wave = told[Kind.WAVEFORM]
    assert wave.bounded_by == "disk"
    rates = sum(one.rate_bytes_h for one in told.values())
    assert wave.hours == pytest.approx(44e6 / rates, rel=0.02)


def test_what_does_not_grow_lasts_for_ever(store, disk):
    disk(10**12)
    told, _ = left(store)
    assert told[Kind.ALARMS].rate_bytes_h == 0
    assert told[Kind.ALARMS].hours is None
    assert next_to_go([replace(told[Kind.ALARMS])]) is None
