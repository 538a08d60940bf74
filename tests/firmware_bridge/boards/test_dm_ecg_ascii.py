"""The old ASCII firmware: golden lines, strictness, and that it is never recognised."""

from __future__ import annotations

import pytest

from firmware_bridge.boards import dm_ecg_ascii
from firmware_bridge.frames import Damage, Samples, Settings

MS = 1_000_000
A1 = bytes.fromhex(
    "32 31 30 30 20 32 30 35 30 20 32 31 35 30 20 32 32 30 30 20 "
    "32 30 35 30 20 32 31 30 30 20 32 31 35 30 20 32 32 30 30 0D 0A"
)
A2 = b"2048,2048,2048,2048,2048,2048,2048,2048\r\n"
A3 = b"2048 2048\r\n"


def counts(data: bytes) -> list[list[int]]:
    board = dm_ecg_ascii.board({})
    frames = board.feed(b"torn\r\n" + data, 0)
    return [row for f in frames if isinstance(f, Samples) for row in f.counts.T.tolist()]


def test_golden_lines():
    # Wire order is I, V4, V5, II, V3, V6, V1, V2.
    assert counts(A1) == [[2100, 2200, 2150, 2200, 2050, 2050, 2150, 2100]]
    assert counts(A2) == [[2048] * 8]
    assert counts(A3) == []


@pytest.mark.parametrize(
    "line",
    [
        b"1 2 3 4 5 6 7 8 9",
        b"1 2 3 4 5 6 7 4096",
        b"1 2 3 4 5 6 7 -8",
        b"1 2 3 4 5 6 7 8.5",
        b"1,,2,3,4,5,6,7,8",
    ],
)
def test_what_is_not_eight_integers_in_range_is_damage(line):
    frames = dm_ecg_ascii.board({}).feed(b"\n" + line + b"\r\n", 0)

    assert [f.byte_count for f in frames if isinstance(f, Damage)] == [len(line)]
    assert not any(isinstance(f, Samples) for f in frames)


def test_the_first_line_may_be_torn_and_is_not_believed():
    frames = dm_ecg_ascii.board({}).feed(A2, 0)

    assert not any(isinstance(f, Samples) for f in frames)


def test_it_says_that_it_is_uncalibrated_until_it_is_told():
    bare, told = dm_ecg_ascii.board({}), dm_ecg_ascii.board({"counts_per_mv": "1400", "rate_hz": "200"})
    (bare_settings,) = [f for f in bare.feed(b"", 0) if isinstance(f, Settings)]
    (told_settings,) = [f for f in told.feed(b"", 0) if isinstance(f, Settings)]

    assert {"calibration": "none", "rate": "assumed"}.items() <= dict(bare_settings.values).items()
    assert {"calibration": "configured", "rate": "configured"}.items() <= dict(told_settings.values).items()
    assert told.facts.streams[0].rate_hz == 200


def test_it_is_started_after_listening_and_again_when_silent():
    board = dm_ecg_ascii.board({})
    board.opened(0)

    assert board.due(299 * MS) is None
    assert board.due(300 * MS) == bytes.fromhex("31 0D 0A")
    assert board.due(310 * MS) is None
    board.feed(b"\n" + A2, 1000 * MS)
    assert board.due(1300 * MS) is None
    assert board.due(2000 * MS) == b"1\r\n"
    assert board.closing() == bytes.fromhex("30 0D 0A")


def test_its_lines_prove_nothing():
    assert 0 < dm_ecg_ascii.recognise(A1 * 20) < 0.5
    assert dm_ecg_ascii.questions() == ()
