"""The cutter and the loss counter, on a small layout of their own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.framing import EXACT, RUN_FRAMES, Cutter, Layout, LossCounter, Run, Skipped

S = 1_000_000_000
# 55 counter data 0F, and a reply 55 F0 .. 0F without a counter.
DATA = Layout("data", 4, {0: (EXACT, 0x55), 1: (0xF0, 0x00), 3: (EXACT, 0x0F)}, counter=(1, 16))
REPLY = Layout("reply", 5, {0: (EXACT, 0x55), 1: (EXACT, 0xF0), 4: (EXACT, 0x0F)})
PLAIN = Layout("plain", 3, {0: (EXACT, 0x55), 2: (EXACT, 0x0F)})


def data(*counters: int) -> bytes:
    return b"".join(bytes((0x55, counter % 16, 0x33, 0x0F)) for counter in counters)


reply = bytes((0x55, 0xF0, 1, 2, 0x0F))


def cut(stream: bytes, size: int = 0, *, alone: bool = False) -> tuple[list[int], int]:
    """(counters of the believed frames, with -1 for replies; bytes skipped), fed in pieces of `size`."""
    cutter = Cutter((DATA, REPLY))
    cutter.alone = alone
    counters: list[int] = []
    skipped = 0
    size = size or len(stream) or 1
    for at in range(0, len(stream), size):
        for piece in cutter.cut(stream[at : at + size]):
            if isinstance(piece, Skipped):
                skipped += len(piece.raw)
            elif piece.layout is DATA:
                counters += piece.raw[1::4]
            else:
                counters += [-1] * piece.frames
    return counters, skipped


def test_the_first_frame_needs_a_second_one_in_step():
    assert cut(data(3)) == ([], 0)  # waits
    assert cut(data(3, 4)) == ([3, 4], 0)
    assert cut(data(3, 9, 10)) == ([9, 10], 4)
    assert cut(data(3) + b"zz" + data(4, 5)) == ([4, 5], 6)


def test_a_single_frame_is_believed_while_an_answer_is_awaited():
    assert cut(reply, alone=True) == ([-1], 0)
    assert cut(data(3), alone=True) == ([3], 0)
    assert cut(reply) == ([], 0)


def test_one_byte_is_dropped_after_a_failed_candidate_not_a_frame():
    assert cut(data(1, 2) + b"\x55\x03" + data(3, 4)) == ([1, 2, 3, 4], 2)


def test_after_damage_a_near_counter_stands_alone_and_a_far_one_needs_the_next_frame():
    assert cut(data(1, 2) + b"z" + data(4) + b"z") == ([1, 2, 4], 2)
    assert cut(data(1, 2) + b"z" + data(9) + b"z") == ([1, 2], 6)
    assert cut(data(1, 2) + b"z" + data(9, 10)) == ([1, 2, 9, 10], 1)


def test_in_step_a_jump_needs_the_next_frame():
    assert cut(data(1, 2, 9)) == ([1, 2], 0)
    assert cut(data(1, 2, 9, 10)) == ([1, 2, 9, 10], 0)
    assert cut(data(1, 2, 9, 4)) == ([1, 2, 4], 4)  # the counter of the third was hit
    assert cut(data(1, 2, 9, 12, 13)) == ([1, 2, 9, 12, 13], 0)  # two losses in a row


def test_a_duplicate_is_a_run_of_its_own():
    cutter = Cutter((DATA, REPLY))
    runs = [piece for piece in cutter.cut(data(1, 2, 2, 3)) if isinstance(piece, Run)]

    assert [run.frames for run in runs] == [2, 1, 1]


def test_replies_may_stand_between_frames():
    assert cut(data(14, 15) + reply + data(0, 1)) == ([14, 15, -1, 0, 1], 0)


def test_runs_are_bounded_and_whole():
    cutter = Cutter((DATA, REPLY))
    pieces = list(cutter.cut(data(*range(1000))))

    assert all(isinstance(piece, Run) and piece.frames <= RUN_FRAMES for piece in pieces)
    assert sum(piece.frames for piece in pieces if isinstance(piece, Run)) == 1000
    assert [piece.behind for piece in pieces if isinstance(piece, Run)][-1] == 0


@settings(derandomize=True)
@given(
    parts=st.lists(
        st.one_of(
            st.integers(0, 15).map(data),
            st.integers(0, 15).map(lambda n: data(n, n + 1, n + 2)),
            st.just(reply),
            st.binary(max_size=6),
            st.sampled_from([b"\x55", b"\x55\x01", b"\x55\xf0\x0f", b"\x0f"]),
        ),
        max_size=30,
    ),
    size=st.integers(1, 9),
)
def test_any_cut_gives_the_same_frames_and_skips_the_same_bytes(parts, size):
    stream = b"".join(parts)

    assert cut(stream, size) == cut(stream)


@settings(derandomize=True)
@given(st.lists(st.binary(max_size=50), max_size=30))
def test_every_byte_is_a_frame_skipped_or_waiting(chunks):
    cutter = Cutter((PLAIN,))
    out = b"".join(piece.raw for chunk in chunks for piece in cutter.cut(chunk))

    assert b"".join(chunks).startswith(out)
    assert len(b"".join(chunks)) - len(out) < 2 * PLAIN.size


def test_a_layout_must_begin_with_a_fixed_byte():
    with pytest.raises(ValueError, match="first byte"):
        Layout("loose", 2, {0: (0xF0, 0x50)})
    with pytest.raises(ValueError, match="same byte"):
        Cutter((PLAIN, Layout("other", 2, {0: (EXACT, 0x56)})))


def run(frames: int, *, follows: bool = True, behind: int = 0) -> Run:
    return Run(DATA, bytes(4 * frames), frames, follows, behind)


def test_losses_are_told_by_the_counter_and_its_turns_by_time():
    losses = LossCounter(16, 100.0)

    assert losses.before(0, run(10), S) == 0
    assert losses.before(10, run(10), S + S // 10) == 0
    assert losses.before(7, run(1), S + 14 * S // 100) == 3
    assert losses.before(13, run(2), S + 37 * S // 100) == 5 + 16
    assert losses.before(14, run(1), S + 38 * S // 100) is None
    assert losses.before(14, run(1), S + 54 * S // 100) == 15  # not a duplicate: a whole turn is missing


def test_bytes_behind_a_run_count_as_time():
    losses = LossCounter(16, 100.0)
    losses.before(0, run(10), S)

    assert losses.before(12, run(8, behind=4 * 40), S + S // 2) == 2
    assert losses.before(4, run(40), S + S // 2) == 0


def test_after_a_restart_only_time_tells():
    losses = LossCounter(16, 100.0)
    losses.before(0, run(10), S)
    losses.restarted()

    assert losses.before(0, run(5), 2 * S) == 95
