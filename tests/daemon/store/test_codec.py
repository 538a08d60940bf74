from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daemon.store import codec

anything = hnp.arrays(np.int32, st.tuples(st.integers(1, 5), st.integers(1, 60)))
quiet = hnp.arrays(np.int32, st.tuples(st.integers(1, 5), st.integers(1, 60)), elements=st.integers(-3, 3))


def there_and_back(counts: np.ndarray) -> np.ndarray:
    return codec.decode(codec.encode(counts), *counts.shape, codec.checksum(counts))


@given(anything | quiet)
def test_any_int32_comes_back_bit_for_bit(counts):
    back = there_and_back(counts)
    assert back.dtype == np.int32
    assert back.flags.c_contiguous
    np.testing.assert_array_equal(back, counts)


def test_the_widest_jumps_come_back():
    ends = np.array([-(2**31), 2**31 - 1], np.int32)
    counts = np.ascontiguousarray(np.tile(ends, (2, 30)))
    np.testing.assert_array_equal(there_and_back(counts), counts)


def test_a_view_that_is_not_contiguous_comes_back():
    counts = np.arange(60, dtype=np.int32).reshape(20, 3).T[:, ::2]
    np.testing.assert_array_equal(there_and_back(counts), counts)


def test_a_flat_line_costs_its_head_only():
    assert len(codec.encode(np.full((8, 500), 77, np.int32))) == 2 + 8 * 4


@given(anything, st.data())
def test_a_changed_byte_is_damage_or_harmless_and_never_other_samples(counts, data):
    blob = bytearray(codec.encode(counts))
    at = data.draw(st.integers(0, len(blob) - 1))
    blob[at] ^= data.draw(st.integers(1, 255))
    try:
        back = codec.decode(bytes(blob), *counts.shape, codec.checksum(counts))
    except codec.Damaged:
        return
    np.testing.assert_array_equal(back, counts)


@given(st.binary(max_size=200), st.integers(1, 4), st.integers(1, 50))
def test_any_bytes_are_damage(blob, channels, n):
    expected = codec.checksum(np.arange(channels * n, dtype=np.int32).reshape(channels, n))
    with pytest.raises(codec.Damaged):
        codec.decode(blob, channels, n, expected)


def test_an_unknown_coding_is_damage():
    counts = np.zeros((1, 5), np.int32)
    with pytest.raises(codec.Damaged, match="coding 9"):
        codec.decode(codec.encode(counts), 1, 5, codec.checksum(counts), codec=9)


@pytest.mark.slow
@pytest.mark.recordings
@pytest.mark.filterwarnings("ignore:The inplace keyword")  # within wfdb 4.3.1
def test_a_real_recording_comes_back_and_is_small(recordings: Path):
    import wfdb

    record = wfdb.rdrecord(str(recordings / "mitdb" / "100"), physical=False, sampto=360 * 60)
    counts = np.ascontiguousarray(record.d_signal.T.astype(np.int32))
    size = 0
    for first in range(0, counts.shape[1], 360):
        chunk = counts[:, first : first + 360]
        blob = codec.encode(chunk)
        size += len(blob)
        np.testing.assert_array_equal(codec.decode(blob, *chunk.shape, codec.checksum(chunk)), chunk)
    assert size / counts.size < 0.70
