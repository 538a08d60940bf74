"""One kit, every board: the hard cases of a damaged line, a torn read and a hostile byte stream."""

from __future__ import annotations

import gc
import random
import sys
from collections import Counter, deque
from types import FunctionType, ModuleType

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firmware_bridge.boards import BOARDS, Board
from firmware_bridge.frames import Damage, Frame, Leads, Samples, Settings, joined
from tests.firmware_bridge.boards.packets import CASES

NS = 1_000_000_000
FRAMES = 300


every_board = pytest.mark.parametrize("kind", sorted(BOARDS))
counting_boards = pytest.mark.parametrize("kind", [kind for kind, case in CASES.items() if case.counted])


def packets(kind: str, count: int = FRAMES) -> list[bytes]:
    draw = random.Random(7)
    return [CASES[kind].packet(n, [draw.randrange(-9000, 9000) for _ in range(8)]) for n in range(count)]


def new(kind: str) -> Board:
    return BOARDS[kind].board(CASES[kind].options)


def fed(kind: str, stream: bytes, cuts: list[int], board: Board | None = None) -> list[Frame]:
    """What a new board makes of the stream cut at these places, each piece arriving when the line has carried it."""
    board = board or new(kind)
    frames: list[Frame] = []
    edges = [0, *sorted(cut for cut in cuts if 0 < cut < len(stream)), len(stream)]
    for begin, end in zip(edges, edges[1:], strict=False):
        now_ns = end * NS // BOARDS[kind].FACTS.line_bytes_per_second
        frames += board.feed(stream[begin:end], now_ns)
        assert board.due(now_ns) is None  # a port that was never opened is not written to
    return frames


def normal(frames: list[Frame]) -> list[object]:
    """Frames in normal form and comparable; arrival depends on the cut by nature."""
    return [
        (f.stream, f.counts.shape, f.counts.tobytes(), f.lost) if isinstance(f, Samples) else f
        for f in joined(frames)
    ]


def main_stream(frames: list[Frame], board: Board) -> tuple[list[tuple[int, ...]], int]:
    """The samples of the first stream as tuples, and how many are said to be lost."""
    # A device that says by itself what it measures has no streams before it has.
    streams = [stream.name for stream in board.facts.streams]
    name = next(iter(streams or [frame.stream for frame in frames if isinstance(frame, Samples)]), "")
    if not name:  # nothing is sampled: what it says of its settings is the stream
        return [frame.values for frame in frames if isinstance(frame, Settings)], 0
    blocks = [frame for frame in frames if isinstance(frame, Samples) and frame.stream == name]
    return [tuple(row) for b in blocks for row in b.counts.T.tolist()], sum(b.lost for b in blocks)


def mutated(stream: bytes, seed: int, hits: int) -> bytes:
    draw = random.Random(seed)
    data = bytearray(stream)
    for _ in range(hits):
        if not data:
            break
        at = draw.randrange(len(data))
        match draw.randrange(6):
            case 0:
                del data[at]
            case 1:
                data.insert(at, draw.randrange(256))
            case 2:
                data[at] ^= 1 << draw.randrange(8)
            case 3:
                del data[at : at + draw.randrange(200)]
            case 4:
                data[at:at] = draw.randbytes(draw.randrange(100))
            case _:
                data[at:at] = data[at : at + draw.randrange(100)]
    return bytes(data)


def check(frames: list[Frame], board: Board) -> None:
    """Every frame keeps the promises of frames.py."""
    streams = {stream.name: stream for stream in board.facts.streams}
    for frame in frames:
        if isinstance(frame, Samples) and frame.stream in streams:
            channels = streams[frame.stream].channels
            assert frame.counts.dtype == np.int32
            assert frame.counts.flags.c_contiguous
            assert frame.counts.shape[0] == len(channels)
            assert frame.counts.shape[1] >= 1
            assert frame.lost >= 0
        if isinstance(frame, Damage):
            assert frame.byte_count > 0


def deep_size(root: object) -> int:
    """Bytes reachable from an object, without code."""
    seen: set[int] = set()
    todo, total = [root], 0
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, type | ModuleType | FunctionType):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        todo += gc.get_referents(thing)
    return total


def test_every_board_of_the_registry_has_a_case():
    assert sorted(CASES) == sorted(BOARDS)


@every_board
def test_facts_are_sound(kind):
    facts = BOARDS[kind].FACTS

    assert facts.kind == kind
    assert len({stream.name for stream in facts.streams}) == len(facts.streams)
    for stream in facts.streams:
        assert stream.rate_hz > 0
        assert all(channel.low < channel.high for channel in stream.channels)


@every_board
def test_a_whole_stream_gives_every_sample_and_says_electrodes_first(kind):
    board = new(kind)
    frames = fed(kind, b"".join(packets(kind)), [], board)
    check(frames, board)
    samples, lost = main_stream(frames, board)

    # The first line of text may be torn, so it is never believed.
    assert len(samples) == FRAMES - (kind == "dm_ecg_ascii")
    assert lost == 0
    kinds = [type(frame) for frame in frames]
    assert kinds.index(Leads) < kinds.index(Samples if Samples in kinds else Settings)


@every_board
def test_one_byte_at_a_time_gives_the_same_frames(kind):
    stream = b"".join(packets(kind))

    assert normal(fed(kind, stream, list(range(len(stream))))) == normal(fed(kind, stream, []))


@every_board
@settings(max_examples=60)
@given(
    cuts=st.lists(st.integers(0, 12_000), max_size=40), seed=st.integers(0, 10_000), hits=st.integers(0, 12)
)
@example(cuts=list(range(0, 12_000, 7)), seed=0, hits=0)
@example(cuts=[], seed=766, hits=5)  # a line that is too long ends exactly where a read does
def test_any_split_of_a_damaged_stream_gives_the_same_frames(kind, cuts, seed, hits):
    # Fewer than 64 frames are lost between two reads here, so the clock has no say in how many were.
    stream = mutated(b"".join(packets(kind, 40)), seed, hits) + b"".join(packets(kind, 50)[40:])

    whole, cut = fed(kind, stream, list(range(0, len(stream), 64))), fed(kind, stream, cuts)

    assert normal(cut) == normal(whole)


@every_board
@pytest.mark.parametrize("harm", ["dropped", "inserted", "changed"])
def test_one_harmed_byte_costs_only_its_own_packet(kind, harm):
    ideal = packets(kind, 16)
    undamaged, _ = main_stream(fed(kind, b"".join(ideal), []), new(kind))
    first = len(b"".join(ideal[:8]))
    stride = 1 if len(ideal[8]) < 60 else 3  # of long lines of text two thirds of all places
    for at in range(first, first + 2 * len(ideal[8]), stride):
        # Each place gets a third or a half of the values, in turn: all of them come at every third or second place.
        values = {"dropped": [0], "inserted": [0x00, 0x0A, 0x8E, 0xA0, 0xE8, 0xFF][at % 3 :: 3]}
        for value in values.get(harm, [1 << bit for bit in range(at % 2, 8, 2)]):
            data = bytearray(b"".join(ideal))
            if harm == "dropped":
                del data[at]
            elif harm == "inserted":
                data.insert(at, value)
            else:
                data[at] ^= value
            board = new(kind)
            samples, lost = main_stream(fed(kind, bytes(data), list(range(0, len(data), 50)), board), board)
            missing = Counter(undamaged) - Counter(samples)
            invented = Counter(samples) - Counter(undamaged)

            where = f"{harm} {value:#x} at {at - first} of two packets"
            assert missing.total() <= 1, where
            # Without a check sum a hit sample may pass; it stands in its own place, and nothing else does.
            assert invented.total() <= missing.total(), where
            if CASES[kind].counted:
                assert len(samples) + lost == len(undamaged), where


@every_board
@settings(max_examples=60)
@given(data=st.data())
def test_many_dropped_bytes_cost_only_the_packets_they_hit(kind, data):
    ideal = packets(kind, 40)
    # From the third packet on, and with no more than three hit in a row: then every counter is near the last one.
    hits = sorted(data.draw(st.sets(st.integers(3, 38).filter(lambda n: n % 4), max_size=25)))
    harmed = list(ideal)
    for n in hits:
        at = data.draw(st.integers(0, len(ideal[n]) - 1))
        harmed[n] = ideal[n][:at] + ideal[n][at + 1 :]
    undamaged, _ = main_stream(fed(kind, b"".join(ideal), []), new(kind))
    board = new(kind)
    samples, lost = main_stream(fed(kind, b"".join(harmed), list(range(0, 4000, 50)), board), board)

    assert (Counter(undamaged) - Counter(samples)).total() <= len(hits)
    if CASES[kind].counted:
        assert len(samples) + lost == len(undamaged)


@counting_boards
def test_lost_packets_are_counted_by_boards_that_can(kind):
    ideal = packets(kind, 60)
    for count in range(1, 20):
        board = new(kind)
        frames = fed(kind, b"".join(ideal[:20] + ideal[20 + count :]), [], board)
        samples, lost = main_stream(frames, board)

        assert lost == count
        assert len(samples) == 60 - count
        assert not any(isinstance(frame, Damage) for frame in frames)


@counting_boards
def test_a_repeated_packet_is_a_duplicate_and_no_loss(kind):
    ideal = packets(kind, 30)
    board = new(kind)
    samples, lost = main_stream(fed(kind, b"".join([*ideal[:20], ideal[19], *ideal[20:]]), [], board), board)

    assert lost == 0
    assert len(samples) == 30


@every_board
@pytest.mark.parametrize("seed", range(40))
def test_a_mutated_stream_never_raises_and_is_bounded(kind, seed):
    stream = mutated(b"".join(packets(kind)), seed, hits=60)
    board = new(kind)
    frames = fed(kind, stream, list(range(0, len(stream), 1 + seed * 13)), board)
    check(frames, board)

    assert sum(len(s) for s in main_stream(frames, board)[:1]) <= 2 * FRAMES + 1


@every_board
@settings(max_examples=100)
@given(chunks=st.lists(st.tuples(st.binary(max_size=200), st.integers(0, 3 * NS)), max_size=20))
def test_an_open_board_survives_any_bytes_at_any_time(kind, chunks):
    board = BOARDS[kind].board({})
    board.opened(0)
    now_ns = 0
    for data, later_ns in chunks:
        now_ns += later_ns
        check(board.feed(data, now_ns), board)
        assert board.due(now_ns) is None or board.due(now_ns) != b""
    assert isinstance(board.closing(), bytes)


@every_board
@pytest.mark.parametrize("noise", ["random", "ascii", "starts", "heads"])
def test_memory_stays_bounded_whatever_comes(kind, noise):
    packet = packets(kind, 1)[0]
    source = {
        "random": random.Random(3).randbytes(4096),
        "ascii": bytes(random.Random(4).choices(range(0x20, 0x7F), k=4096)),
        "starts": packet[:1] * 4096,
        "heads": packet[: len(packet) // 2] * (8192 // len(packet)),
    }[noise]
    board = BOARDS[kind].board({})
    board.opened(0)
    sizes = deque(maxlen=2)
    for round_ in range(16):
        board.feed(source, round_ * NS // 10)
        board.due(round_ * NS // 10)
        if round_ in {3, 15}:
            sizes.append(deep_size(board))

    assert sizes[1] - sizes[0] < 16_384


@every_board
def test_a_wrong_option_is_named(kind):
    with pytest.raises(ValueError, match=f"{kind}.*tpyo"):
        BOARDS[kind].board({"tpyo": "1"})


@every_board
def test_its_own_stream_is_recognised_and_no_others(kind):
    stream = b"".join(packets(kind))[17:]
    line = BOARDS[kind].FACTS.line_bytes_per_second
    heard = stream[: round(line * CASES[kind].known_s)]
    sure = {other: BOARDS[other].recognise(heard) for other in BOARDS}

    if kind == "dm_ecg_ascii":
        assert 0 < sure.pop(kind) < 0.5
    else:
        assert sure.pop(kind) == 1.0
    assert max(sure.values()) < 0.5
