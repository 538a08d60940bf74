"""Wave frames: what is encoded is decoded, on literal bytes too; nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.control.waves import NO_SIGNAL, decode_waves, encode_waves
from daemon.model.findings import DisplayBlock
from daemon.model.signals import Channel, Quantity, Segment, Stream

SEGMENT = Segment("s", "1", Stream("D", "ecg", 500.0, ()), "b", 7, 0)


def block(values, first=0, t0_ns=0, period_ns=2e6):
    leads = tuple(f"L{k}" for k in range(len(values)))
    return DisplayBlock(
        SEGMENT, first, t0_ns, period_ns, 0, leads, np.array(values, dtype=np.float32), ("0.5-40 Hz",)
    )


def test_literal_frame():
    frame = encode_waves(2, block([[0.001, -1.0, np.nan]], first=258, t0_ns=1))

    assert frame == bytes.fromhex(
        "01010200 07000000 0201000000000000 0100000000000000 0000fa43 0100 0300 0000803f00000000 0100 18fc 0080".replace(
            " ", ""
        )
    )


@given(st.integers(1, 12), st.integers(1, 60), st.integers(0, 2**40), st.data())
def test_what_is_encoded_is_decoded(leads, n, first, data):
    counts = data.draw(st.lists(st.integers(-32767, 32767), min_size=leads * n, max_size=leads * n))
    values = np.array(counts, dtype=np.int16).reshape(leads, n)
    waves = decode_waves(encode_waves(3, block(values / 1000.0, first=first, t0_ns=2**50)))

    assert (waves.index, waves.connection, waves.first, waves.t0_ns, waves.rate_hz) == (
        3,
        7,
        first,
        2**50,
        500.0,
    )
    assert np.array_equal(values, waves.values)
    assert np.all(waves.scale == 1.0)


def test_off_scale_is_clipped_and_nan_is_no_signal():
    waves = decode_waves(encode_waves(0, block([[50.0, -50.0, np.nan, np.inf]])))
    assert waves.values.tolist() == [[32767, -32767, NO_SIGNAL, 32767]]


def test_other_waves_go_in_their_own_units_and_fit_their_converters():
    channels = (
        Channel("flow", Quantity.FLOW, "L/s", 0.001),
        Channel("pleth", Quantity.PLETH, "1", 1.0, 0.0, 0, 255),
        Channel("light", Quantity.PPG_INFRARED, "1", 1.0),
    )
    segment = Segment("s", "1", Stream("D", "flow", 25.0, channels), "b", 7, 0)
    values = np.array([[-60.0, 327.0], [0.0, 255.0], [-1000.0, 200_000.0]], dtype=np.float32)
    sent = DisplayBlock(segment, 0, 0, 4e7, 0, ("flow", "pleth", "light"), values, (), ("L/min", "1", "1"))
    waves = decode_waves(encode_waves(5, sent))
    step = waves.scale[:, None] / 1000

    assert np.all(np.abs(waves.values * step - values) <= step / 2 + 1e-6 * np.abs(values))
    assert step[:, 0] == pytest.approx([0.01, 255 / 32767, 262_140 / 32767])


@given(st.binary(max_size=80))
def test_other_bytes_are_refused(data):
    if data[:2] != b"\x01\x01":
        with pytest.raises(ValueError):
            decode_waves(data)
