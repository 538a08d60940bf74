"""Samples in the seeds' form: printed numbers give every count back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.contracts.ecg.v1 import ChannelOf, Waveform
from daemon.contracts.envelope import compact, wrap
from daemon.contracts.faults import BadMessage
from daemon.contracts.registry import said
from daemon.contracts.seeds import Chunk, Sender, body_of, rest, waves

EIGHT = ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"]
SENDER = Sender("u", "BOX-1")
GAINS = [0.001, 0.005, 0.00286, 1 / 200, 1 / 1000, 1 / 24, 2.4 / 2**23 * 1000, 4.88e-5, 1.44 / 2048, 1.0, 3.7]


def chunk(counts, names, gain, *, unit="mV", offset=0.0, first=0, stream="ecg"):
    counts = np.asarray(counts, np.int32)
    body = {
        "segment": "s",
        "stream": stream,
        "first": first,
        "n": counts.shape[1],
        "rate_hz": 500,
        "period_ns": 2e6,
        "channels": [{"name": n, "unit": unit, "gain": gain, "offset": offset} for n in names],
        "codec": 1,
        "crc32": 1,
        "data": "AA==",
    }
    key = "00000000-0000-7000-8000-000000000001"
    return Chunk(
        wrap("ecg.waveform/1", said("ecg.waveform/1", body), key=key, seq=1, device="E-1", session="s",
             utc_ns=0, synced=True, sent_at="2025-01-08T12:34:56.789Z"),
        counts,
    )  # fmt: skip


@given(
    gain=st.sampled_from(GAINS) | st.floats(1e-6, 10),
    offset=st.sampled_from([0.0, 1024.0, -7.0, 0.5]),
    unit=st.sampled_from(["mV", "uV", "V"]),
    values=st.lists(st.integers(-(2**23), 2**23 - 1), min_size=1, max_size=50),
)
def test_every_count_comes_back_from_the_printed_number(gain, offset, unit, values):
    piece = chunk([values, values], ["I", "II"], gain, unit=unit, offset=offset)

    printed = json.loads(compact(waves.leads([piece])))

    channel = ChannelOf(name="I", unit=unit, gain=gain, offset=offset)
    assert values == waves.counts_of(printed["I"], channel).tolist()
    assert values == waves.counts_of(printed["II"], channel).tolist()


@pytest.mark.parametrize("gain", GAINS)
def test_no_more_decimals_are_printed_than_a_count_is_worth(gain):
    values = waves.leads([chunk([range(-500, 500)], ["V1"], gain)])["V1"]

    most = max(len(repr(value).partition(".")[2].rstrip("0")) for value in values if "e" not in repr(value))
    assert 10.0**-most > gain / 10.0 * 0.99


def test_limb_leads_are_derived_from_two():
    counts = np.zeros((8, 3), np.int32)
    counts[0] = [100, -50, 3]
    counts[1] = [300, 20, 4]

    told = waves.leads([chunk(counts, EIGHT, 0.001)])

    assert list(waves.TWELVE) == list(told)
    assert told["III"] == [0.2, 0.07, 0.001]
    assert told["aVR"] == [-0.2, 0.015, -0.0035]
    assert told["aVL"] == [-0.05, -0.06, 0.001]
    assert told["aVF"] == [0.25, 0.045, 0.0025]


def test_a_measured_lead_is_never_derived():
    told = waves.leads([chunk([[1], [2], [77]], ["I", "II", "III"], 0.001)])

    assert told["III"] == [0.077]


def test_one_lead_is_one_lead():
    assert waves.leads([chunk([[5]], ["V2"], 0.001)]) == {"V2": [0.005]}


def test_there_is_no_minus_zero():
    assert "-0.0" not in compact(waves.leads([chunk([[0], [0]], ["I", "II"], -0.001)])).decode()


def test_chunks_are_joined_only_where_they_touch():
    before, after = chunk([[1, 2]], ["I"], 1), chunk([[3]], ["I"], 1, first=2)
    apart, other = chunk([[3]], ["I"], 1, first=3), chunk([[3]], ["I"], 2, first=2)

    bodies = [body_of(piece.envelope, Waveform) for piece in (before, after, apart, other)]

    assert waves.contiguous(bodies[0], bodies[1])
    assert not waves.contiguous(bodies[0], bodies[2])
    assert not waves.contiguous(bodies[0], bodies[3])
    assert waves.leads([before, after])["I"] == [1.0, 2.0, 3.0]


def test_what_is_no_voltage_goes_coded():
    piece = chunk([[1]], ["x"], 1, unit="g", stream="acceleration")

    request = rest.waveform([piece], SENDER)

    assert [piece.envelope.as_dict()] == request.body["coded"]
    with pytest.raises(BadMessage, match="cannot be said in mV"):
        waves.leads([piece])


def test_coded_carries_the_samples_once():
    pieces = [chunk([[1, 2]], ["I"], 1), chunk([[3]], ["I"], 1, first=2)]

    request = rest.waveform(pieces, SENDER, coded=True)

    assert list(request.body) == ["timestamp", "sampling_rate", "coded"]
    assert [one["body"]["first"] for one in request.body["coded"]] == [0, 2]


def test_beside_the_seeds_arrays_is_what_gives_the_counts_back():
    label = rest.waveform([chunk([[1, 2]], ["I"], 1)], SENDER).body["vitald"][0]

    assert {"codec", "data"}.isdisjoint(label["body"])
    assert tuple(label["body"][name] for name in ("segment", "first", "n", "crc32")) == ("s", 0, 2, 1)
