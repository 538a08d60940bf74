"""Why this number: what is stored, what it came from, and the same computed again by the analysis of the bed."""

from __future__ import annotations

import asyncio
import sqlite3

import numpy as np
import pytest

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.control.review import WhyAsked
from daemon.dsp.pipeline import Pipeline
from daemon.model.signals import TICK_NS, Channel, Quantity, Reading, SampleBlock, Segment, Stream, Tick
from daemon.review import again
from daemon.review.again import Learned
from daemon.review.why import why
from daemon.store.reader import ask
from daemon.store.writer import Writer

S = 1_000_000_000
RATE, BEGAN = 250, 1000 * S
UTC_NS = 1_700_000_000 * S
SECONDS, FASTER_S = 75, 50
CHANNELS = tuple(Channel(name, Quantity.ECG, "mV", 0.005) for name in ("I", "II", "V1"))
LEARNED = Learned.loaded()


def counts() -> np.ndarray:
    """A heart of 75 a minute, from second `FASTER_S` on of 150: beats of one shape, int32 (3, n)."""
    t = np.arange(SECONDS * RATE) / RATE
    phase = np.cumsum(np.where(t < FASTER_S, 75, 150) / 60 / RATE) % 1
    beat = np.exp(-0.5 * ((phase - 0.5) / 0.02) ** 2) + 0.25 * np.exp(-0.5 * ((phase - 0.8) / 0.05) ** 2)
    return np.round(np.outer((0.6, 1.0, -0.8), beat) / 0.005).astype(np.int32)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """What the bed would have stored of it: findings of the pipeline, alarms of the engine, a reading of a device."""
    path = tmp_path_factory.mktemp("why") / "vitald.db"
    segment = Segment("segment-1", "1", Stream("ECG-1", "ecg", float(RATE), CHANNELS), "boot-1", 1, BEGAN)
    pipeline = Pipeline(LEARNED.qrs, None, LEARNED.classes, LEARNED.further)
    engine = AlarmEngine(Limits(), boot="boot-1")
    samples = counts()
    end_ns = BEGAN + SECONDS * S

    async def run() -> None:
        writer = Writer(path, boot="boot-1", now=lambda: end_ns, utc_offset_ns=UTC_NS)
        await writer.start()
        for first in range(0, samples.shape[1], RATE // 10):
            t_ns = BEGAN + first * S // RATE
            part = np.ascontiguousarray(samples[:, first : first + RATE // 10])
            block = SampleBlock(segment, first, t_ns, S / RATE, part, t_ns + TICK_NS, 0.0)
            found = pipeline.push(block)
            writer.offer("1", block, found, engine.step(block, found))
            tick = Tick(t_ns + TICK_NS)
            writer.offer("1", tick, (), engine.step(tick))
        writer.offer("1", Reading("1", "OXI-1", "spo2", 97.0, "%", end_ns - S), ())
        await writer.stop()

    asyncio.run(run())
    return path


def told(path, **asked):
    question = WhyAsked(bed="1", **asked)
    now_ns = UTC_NS + BEGAN + SECONDS * S
    return ask(path, lambda reader: why(reader, question, LEARNED, now_ns))


def at(seconds: float) -> float:
    return (UTC_NS + BEGAN + seconds * S) / 1e6


@pytest.fixture
def altered(stored, tmp_path):
    """A copy in which something was changed by hand."""
    path = tmp_path / "vitald.db"
    for name in ("vitald.db", "vitald.db-wal"):
        if (stored.parent / name).exists():
            (tmp_path / name).write_bytes((stored.parent / name).read_bytes())

    def alter(sql: str):
        db = sqlite3.connect(path)
        db.execute(sql)
        db.commit()
        db.close()
        return path

    return alter


def test_a_heart_rate_names_its_samples_and_is_computed_again(stored):
    one = told(stored, kind="number", name="heart_rate", t_ms=at(40))
    assert one.value == pytest.approx(75, abs=1)
    [evidence] = one.evidence
    assert (evidence.stream, evidence.rate_hz, evidence.missing_s) == ("ECG-1/ecg", RATE, 0)
    assert evidence.rule.startswith("rate/")
    assert evidence.to_ms - evidence.from_ms == pytest.approx(
        1000 * (evidence.last - evidence.first) / RATE, abs=5
    )
    assert evidence.to_ms <= one.t_ms + 100
    assert (one.again.state, one.again.rule) == ("agrees", evidence.rule)
    assert one.again.value == pytest.approx(one.value, abs=0.5)
    assert len(one.beats) == pytest.approx(12, abs=1)


def test_the_newest_number_is_meant_where_no_time_is_given_and_the_nearest_value_where_one_is(
    stored, monkeypatch
):
    monkeypatch.setattr(again, "findings", lambda *_: [])  # which number, not whether it agrees
    assert told(stored, kind="number", name="heart_rate").value == pytest.approx(150, abs=4)
    wide = {"kind": "number", "name": "heart_rate", "t_ms": at(50), "within_ms": 20_000}
    assert told(stored, **wide, value=75.2).value == pytest.approx(75, abs=1)
    assert told(stored, **wide, value=149.0).value == pytest.approx(150, abs=4)
    assert told(stored, kind="number", name="heart_rate", t_ms=at(-500)) is None
    assert told(stored, kind="number", name="not_heard_of") is None


def test_a_number_that_is_not_what_the_samples_give_differs_and_says_by_how_much(altered):
    path = altered(
        "UPDATE metrics SET value = value + 9 WHERE series IN (SELECT id FROM series WHERE name = 'heart_rate')"
    )
    one = told(path, kind="number", name="heart_rate", t_ms=at(40))
    assert one.again.state == "differs"
    assert one.again.difference == pytest.approx(-9, abs=0.5)


def test_another_version_of_the_rule_is_told(altered):
    path = altered("UPDATE rules SET rule = 'rate/0' WHERE rule LIKE 'rate/%'")
    one = told(path, kind="number", name="heart_rate", t_ms=at(40))
    assert one.evidence[0].rule == "rate/0"
    assert one.again.rule != "rate/0"


def test_intervals_and_st_agree_too(stored):
    for name in ("qrs_duration", "st_j"):
        one = told(
            stored,
            kind="number",
            name=name,
            lead="II" if name == "st_j" else "",
            t_ms=at(42),
            within_ms=70_000,
        )
        assert one.again.state == "agrees", (name, one.again)


def test_what_a_device_says_is_not_computed_again(stored):
    one = told(stored, kind="number", name="spo2", device="OXI-1")
    assert (one.value, one.evidence) == (97, ())
    assert (one.again.state, one.again.reason) == ("cannot", "review.why.device_said")


def test_without_its_samples_a_number_cannot_be_computed_again(altered):
    path = altered("DELETE FROM chunks")
    one = told(path, kind="number", name="heart_rate", t_ms=at(40))
    assert one.value == pytest.approx(75, abs=1)
    assert (one.again.state, one.again.reason) == ("cannot", "review.why.not_said")


def test_a_beat_is_found_again_at_its_sample(stored, altered):
    _, label, segment, sample = told(stored, kind="number", name="heart_rate", t_ms=at(40)).beats[3]
    one = told(stored, kind="beat", segment=segment, sample=sample)
    assert (one.text, one.again.state, one.again.text) == (label, "agrees", label)
    assert abs(one.again.off_ms) <= 1000 / RATE
    assert one.evidence[0].first <= sample <= one.evidence[0].last
    assert told(stored, kind="beat", segment=segment, sample=sample + 1) is None
    path = altered(f"UPDATE beats SET label = 'V' WHERE place % 1099511627776 = {sample}")
    assert told(path, kind="beat", segment=segment, sample=sample).again.state == "differs"


def test_an_alarm_begins_again_at_the_same_time_under_its_own_limits(stored):
    db = sqlite3.connect(stored)
    rows = db.execute(
        "SELECT body ->> '$.occurrence' FROM events WHERE kind = 'alarm' AND body ->> '$.kind' = 'began'"
        " AND body ->> '$.row' IN ('hr_high', 'extreme_tachy')"
    ).fetchall()
    db.close()
    one = told(stored, kind="alarm", occurrence=rows[0][0])
    assert one.name in {"hr_high", "extreme_tachy"}
    assert one.limits
    assert (one.again.state, one.again.text) == ("agrees", one.name)
    assert abs(one.again.off_ms) <= 1000
    assert told(stored, kind="alarm", occurrence="never") is None
