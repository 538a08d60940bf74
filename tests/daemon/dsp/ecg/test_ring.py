"""Stretches of samples that overlap, and the ring that they are taken from."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.ring import Ring, overlapping


@pytest.mark.parametrize("width", [1, 5, 12])
def test_every_stretch_is_there_once_in_order(width):
    ring = Ring(3, 64)
    ring.append(np.arange(60.0).reshape(3, 20))

    for x in (ring.view(4, 16), np.arange(24.0).reshape(2, 12), np.arange(48.0).reshape(2, 2, 12)):
        wanted = np.lib.stride_tricks.sliding_window_view(x, width, axis=-1)

        np.testing.assert_array_equal(overlapping(x, width), wanted)


def test_what_overlaps_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        overlapping(np.zeros((2, 9)), 3)[0, 0, 0] = 1.0


def test_a_width_beyond_the_samples_is_an_error():
    with pytest.raises(ValueError, match="shape"):
        overlapping(np.zeros((2, 3)), 5)
