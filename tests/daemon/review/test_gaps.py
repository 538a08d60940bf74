"""The gap certificate finds exactly what is missing from the samples that there were, and says what it looked at."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.control.review import GapsAsked
from daemon.model.outgoing import Lane
from daemon.model.signals import Channel, Gap, GapCause, Quantity, SampleBlock, Segment, Stream
from daemon.review.gaps import SETTLED_NS, Box, Cloud, certificate, covered_s, digest
from daemon.store.reader import ask
from daemon.store.writer import Writer

S = 1_000_000_000
RATE = 100
PERIOD_NS = S // RATE
UTC_NS = 1_700_000_000 * S
BOX = Box("Box", "SN-1")
STREAM = Stream("ECG-1", "ecg", float(RATE), (Channel("II", Quantity.ECG, "mV", 0.005),))


def segment_of(connection: int, began_ns: int) -> Segment:
    return Segment(f"s-{connection}", "1", STREAM, "boot-1", connection, began_ns)


def block(segment: Segment, first: int, n: int) -> SampleBlock:
    counts = np.arange(first, first + n, dtype=np.int32).reshape(1, n)
    t0_ns = segment.began_ns + first * PERIOD_NS
    return SampleBlock(segment, first, t0_ns, float(PERIOD_NS), counts, t0_ns + n * PERIOD_NS, 0.0)


def store(path: Path, items: list[SampleBlock | Gap], end_ns: int) -> None:
    async def run() -> None:
        writer = Writer(path, boot="boot-1", now=lambda: end_ns, utc_offset_ns=UTC_NS)
        await writer.start()
        for item in items:
            writer.offer("1", item, ())
        await writer.stop()

    asyncio.run(run())


def certify(
    path: Path, from_ns: int, to_ns: int, *, check: bool = False, clouds=(), now_ns: int | None = None
):
    asked = GapsAsked(bed="1", from_ms=(UTC_NS + from_ns) / 1e6, to_ms=(UTC_NS + to_ns) / 1e6, check=check)
    now = UTC_NS + to_ns + SETTLED_NS if now_ns is None else UTC_NS + now_ns
    return ask(path, lambda reader: certificate(reader, asked, BOX, clouds, now))


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.booleans(), min_size=4, max_size=40).filter(lambda kept: kept[0] and kept[-1]), st.booleans()
)
def test_the_certificate_finds_just_the_ranges_that_were_dropped(kept: list[bool], check: bool):
    """Of tenths of a second any are dropped; the union of what is reported is what is not in the samples."""
    piece = RATE // 10
    segment = segment_of(1, 10 * S)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vitald.db"
        end_ns = 10 * S + len(kept) * S // 10
        store(path, [block(segment, k * piece, piece) for k, keep in enumerate(kept) if keep], end_ns)
        told = certify(path, 10 * S, end_ns, check=check)
    lost = np.ones(len(kept) * piece, np.bool_)
    for k, keep in enumerate(kept):
        lost[k * piece : (k + 1) * piece] = not keep
    found = np.zeros_like(lost)
    for one in told.missing:
        begin = round((one.from_ms - (UTC_NS + 10 * S) / 1e6) * RATE / 1000)
        found[begin : begin + round(one.seconds * RATE)] = True
    assert (found == lost).all()
    assert told.complete == (not lost.any())
    assert covered_s(told.missing) == pytest.approx(np.count_nonzero(lost) / RATE, abs=1e-3)


@pytest.fixture
def two(tmp_path):
    """Ten seconds, a pause of three, ten more with a hole of half a second of which the cause is known."""
    path = tmp_path / "vitald.db"
    first, second = segment_of(1, 10 * S), segment_of(2, 23 * S)
    hole = Gap(second, 400, 50, 27 * S, 28 * S, GapCause.NOISE)
    store(path, [block(first, 0, 1000), block(second, 0, 400), hole, block(second, 450, 550)], 33 * S)
    return path


def test_each_gap_has_its_stream_its_seconds_and_its_cause(two):
    told = certify(two, 10 * S, 33 * S)
    assert [(one.stream, one.cause, round(one.seconds, 3)) for one in told.missing] == [
        ("ECG-1/ecg", "cable", 3.0),
        ("ECG-1/ecg", "noise", 0.5),
    ]
    assert (told.missing[1].first, told.missing[1].count) == (400, 50)
    assert not told.complete
    [stream] = told.streams
    assert (stream.stored_s, stream.missing_s) == (pytest.approx(19.5), pytest.approx(3.5))
    for line in (
        "MISSING: 3.500 s in 2 gaps, all streams together.",
        "noise on the line",
        told.digest,
        "SN-1",
        "samples 400 to 449",
    ):
        assert line in told.text


def test_within_a_whole_stretch_nothing_is_missing(two):
    told = certify(two, 11 * S, 19 * S, check=True)
    assert told.complete
    assert told.missing == ()
    assert "NOTHING IS MISSING." in told.text


def test_before_the_box_recorded_it_was_off_and_where_nothing_ran_nothing_is_certified(two):
    told = certify(two, 5 * S, 12 * S)
    assert [(one.cause, one.seconds) for one in told.missing] == [("off", 5.0)]
    nothing = certify(two, 1 * S, 4 * S)
    assert not nothing.complete
    assert [one.cause for one in nothing.missing] == ["off"]
    assert "NOTHING WAS RECORDED." in nothing.text


def test_what_is_not_settled_yet_is_not_certified(two):
    told = certify(two, 10 * S, 33 * S, now_ns=25 * S)
    assert told.to_ms == (UTC_NS + 20 * S) / 1e6
    assert told.asked_to_ms > told.to_ms
    assert told.complete


def test_the_same_rows_give_the_same_digest_and_others_another(two):
    one, again = certify(two, 10 * S, 33 * S), certify(two, 10 * S, 33 * S, now_ns=99 * S)
    assert one.digest == again.digest
    assert one.rows == again.rows > 3
    db = sqlite3.connect(two)
    db.execute("UPDATE gaps SET cause = 'stall'")
    db.commit()
    db.close()
    assert certify(two, 10 * S, 33 * S).digest != one.digest
    assert digest([("a", 1)]) != digest([("a", 2)])


def test_a_stored_second_that_was_altered_or_taken_is_found_when_every_second_is_read(two):
    assert certify(two, 10 * S, 33 * S).digest != certify(two, 10 * S, 33 * S, check=True).digest
    db = sqlite3.connect(two)
    db.execute("UPDATE chunks SET crc32 = crc32 + 1 WHERE t0_ns = ?", (15 * S,))
    db.execute("DELETE FROM chunks WHERE t0_ns = ?", (17 * S,))
    db.commit()
    db.close()
    assert certify(two, 11 * S, 20 * S).complete  # the ledger alone cannot know
    told = certify(two, 11 * S, 20 * S, check=True)
    assert [(one.cause, round(one.seconds, 3)) for one in told.missing] == [
        ("damaged", 1.0),
        ("unexplained", 1.0),
    ]


def test_each_cloud_says_up_to_when_it_has_the_samples(two):
    db = sqlite3.connect(two)
    rows = db.execute(
        "SELECT seq, t_ns FROM outbox WHERE lane = ? ORDER BY seq", (int(Lane.WAVEFORM),)
    ).fetchall()
    db.close()
    clouds = (Cloud("all", "idle", rows[-1][0]), Cloud("some", "waiting", rows[4][0]))
    told = certify(two, 10 * S, 33 * S, clouds=clouds)
    assert told.clouds is not None
    assert [(one.everything, one.until_ms) for one in told.clouds] == [
        (True, None),
        (False, (rows[5][1] + UTC_NS) / 1e6),
    ]
    assert "all: done with everything that is stored." in told.text
    assert certify(two, 10 * S, 33 * S, clouds=None).clouds is None


def test_a_device_that_came_later_was_missing_before_and_one_of_another_bed_is_not_ours(tmp_path):
    path = tmp_path / "vitald.db"
    own = segment_of(1, 10 * S)
    late = replace(own, id="s-9", began_ns=14 * S, stream=replace(STREAM, device="OXI-1", name="pleth"))
    store(path, [block(own, 0, 400), block(late, 0, 200), block(own, 400, 200)], 16 * S)
    told = certify(path, 10 * S, 16 * S)
    assert [(one.stream, one.cause, one.seconds) for one in told.missing] == [("OXI-1/pleth", "cable", 4.0)]
