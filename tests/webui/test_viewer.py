"""A late browser loses wave frames and nothing else; nothing grows."""

from __future__ import annotations

import pytest
from aiohttp import WSMsgType

from webui.viewer import LATE_AFTER_S, QUEUED_BEATS, QUEUED_FRAMES, Report, Viewer


class Wire:
    """Where a viewer's frames go: keeps them in order."""

    def __init__(self) -> None:
        self.sent: list[tuple[WSMsgType, bytes]] = []

    async def send_frame(self, message: bytes, opcode: WSMsgType) -> None:
        self.sent.append((opcode, message))


class Bench:
    def __init__(self) -> None:
        self.now = 0.0
        self.wire = Wire()
        self.viewer = Viewer(self.wire, "1", lambda: self.now)

    async def drain(self) -> list[bytes]:
        self.wire.sent.clear()
        while self.viewer.waiting:
            await self.viewer._write_one()
        return [message for _, message in self.wire.sent]

    def report(self, waves: int) -> None:
        self.viewer.hear(Report(type="report", waves=waves, drawn=0, last="", visible=True))


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_texts_go_first_and_only_the_newest_of_a_kind(bench: Bench) -> None:
    bench.viewer.offer_waves(b"wave")
    bench.viewer.offer_latest("state", b"old")
    bench.viewer.offer_latest("state", b"new")
    bench.viewer.offer_beat(b"beat")

    assert await bench.drain() == [b"new", b"beat", b"wave"]


async def test_a_full_queue_drops_its_oldest_waves_and_counts_them(bench: Bench) -> None:
    for i in range(QUEUED_FRAMES + 3):
        bench.viewer.offer_waves(b"%d" % i)

    assert bench.viewer.waves_dropped == 3
    assert (await bench.drain())[0] == b"3"


async def test_what_waits_is_bounded_for_a_reader_that_never_reads(bench: Bench) -> None:
    for i in range(100_000):
        bench.viewer.offer_waves(b"x" * 600)
        bench.viewer.offer_beat(b"beat")
        bench.viewer.offer_latest("state", b"%d" % i)

    assert bench.viewer.waiting <= QUEUED_FRAMES + QUEUED_BEATS + 2


async def test_no_waves_are_sent_to_a_page_that_stopped_reporting_and_numbers_still_are(bench: Bench) -> None:
    for _ in range(20):
        bench.viewer.offer_waves(b"wave")
    await bench.drain()
    bench.now = LATE_AFTER_S + 0.1
    bench.viewer.offer_waves(b"held back")
    bench.viewer.offer_latest("state", b"state")

    assert await bench.drain() == [b"state"]
    assert bench.viewer.waves_dropped == 1


async def test_waves_go_on_when_the_report_catches_up(bench: Bench) -> None:
    for _ in range(20):
        bench.viewer.offer_waves(b"wave")
    await bench.drain()
    bench.now = LATE_AFTER_S + 0.1
    bench.viewer.offer_waves(b"held back")
    bench.report(waves=20)
    bench.viewer.offer_waves(b"fresh")

    assert await bench.drain() == [b"fresh"]


async def test_a_report_of_more_than_was_sent_or_of_less_than_before_does_no_harm(bench: Bench) -> None:
    bench.viewer.offer_waves(b"wave")
    await bench.drain()
    bench.report(waves=1000)
    bench.report(waves=0)
    bench.now = 60.0
    bench.viewer.offer_waves(b"wave")

    assert await bench.drain() == [b"wave"]


def test_the_box_hears_which_alarm_tests_a_page_has_drawn(bench: Bench) -> None:
    assert bench.viewer.screen().tests == ()
    said = '{"type":"report","waves":0,"drawn":1,"last":"","visible":true,"tests":["b:7"]}'
    bench.viewer.hear(Report.model_validate_json(said))
    assert bench.viewer.screen().tests == ("b:7",)
