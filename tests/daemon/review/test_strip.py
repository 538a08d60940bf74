"""The strip around an alarm: what was drawn live, from the stored samples, ten seconds before to twenty after."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from daemon.control.waves import decode_waves
from daemon.dsp.display import DisplaySettings
from daemon.dsp.ecg.tables import load_qrs_table
from daemon.dsp.pipeline import Pipeline
from daemon.model.findings import DisplayBlock
from daemon.model.signals import SampleBlock
from daemon.review.strip import strip
from daemon.store.reader import ask

S = 1_000_000_000
TABLE = load_qrs_table()


def drawn(past, t_ns):
    settings = DisplaySettings()
    return ask(past.path, lambda reader: strip(reader, "boot-1", "1", t_ns, settings, TABLE))


@pytest.fixture(scope="module")
def minute(past_in, tmp_path_factory):
    past = past_in(tmp_path_factory.mktemp("minute"))
    past.run(70, 75)
    past.store()
    return past


def test_a_strip_is_what_the_screen_showed(minute):
    began_ns = minute.segment.began_ns
    told = drawn(minute, began_ns + 40 * S)
    live = Pipeline(TABLE, DisplaySettings())
    blocks = [item for item, _, _ in minute._said if isinstance(item, SampleBlock)]
    shown = [b for item in blocks for b in live.push(item) if isinstance(b, DisplayBlock)]
    whole = np.concatenate([b.values for b in shown], axis=1)
    first = shown[0].first + 30 * 250

    assert told.leads == shown[0].leads == ("I", "II", "III", "aVR", "aVL", "aVF", "V1")
    assert told.values.shape == (7, 30 * 250)
    assert told.chain == shown[0].chain
    assert np.abs(told.values - whole[:, first : first + 7500]).max() < 0.01  # mV; filters began elsewhere
    assert len(told.beats) == pytest.approx(30 * 75 / 60, abs=1)


def test_what_is_not_stored_is_not_drawn(minute):
    told = drawn(minute, minute.segment.began_ns + 3 * S)
    assert np.isnan(told.values[:, : 7 * 250 - 10]).all()
    assert not np.isnan(told.values[:, 7 * 250 + 60 :]).any()
    assert drawn(minute, 10**15).leads == ()


def test_it_travels_as_wave_frames_of_the_live_kind(minute):
    t_ns = minute.segment.began_ns + 40 * S
    body = drawn(minute, t_ns).encoded()
    parts = []
    while body:
        (length,) = struct.unpack_from("<I", body)
        parts.append(body[4 : 4 + length])
        body = body[4 + length :]
    facts = json.loads(parts[0])
    [waves] = [decode_waves(part) for part in parts[1:]]
    assert (facts["t_ns"], facts["t0_ns"], facts["t1_ns"]) == (t_ns, t_ns - 10 * S, t_ns + 20 * S)
    assert waves.values.shape == (7, 7500)
    assert waves.t0_ns == facts["t0_ns"]
    assert waves.rate_hz == pytest.approx(250)


def test_two_connections_of_a_device_stand_on_one_line_of_time(past):
    from dataclasses import replace

    past.run(30, 75)
    lost_ns = past.now_ns
    past.now_ns += 2 * S
    past.segment = replace(past.segment, id="segment-2", connection=2, began_ns=past.now_ns)
    past.run(30, 75)
    past.store()
    told = drawn(past, lost_ns)
    gap = np.isnan(told.values[0])
    assert gap.any()
    at = np.flatnonzero(gap) / 250 - 10
    assert (at.min(), at.max()) == (pytest.approx(0, abs=0.3), pytest.approx(2, abs=0.3))
