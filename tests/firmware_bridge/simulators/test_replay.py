"""A recording played on a board arrives as the board's converter would have it."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.frames import Channel, Quantity
from firmware_bridge.recordings import Recording, open_recording
from firmware_bridge.simulators.dm_ecg import DmEcg, frame
from firmware_bridge.simulators.replay import MISSING_MV, Player
from firmware_bridge.simulators.source import (
    AIRWAY_PRESSURE,
    BED_A,
    COLUMNS,
    ELECTRODES,
    FLOW,
    LEADS,
    OXYGEN,
    PLETH,
)

SECOND = 1_000_000_000


def recording(names, n=100, rate_hz=500.0, quantity=Quantity.ECG, **options):
    counts = np.random.default_rng(0).integers(-1000, 1000, (len(names), n)).astype(np.int32)
    channels = tuple(Channel(name, quantity, "mV", 0.001, 5.0) for name in names)
    return Recording("r", rate_hz, channels, n, lambda a, b: counts[:, a:b], **options), counts


def test_leads_are_played_unchanged_and_once():
    source, counts = recording(LEADS)
    player = Player(source)
    rows = np.concatenate([player.take(30), player.take(50)])
    assert not player.done
    rows = np.concatenate([rows, player.take(50)])
    assert player.done
    assert np.array_equal(rows[:, :8], (counts.T - 5.0) * 0.001)
    assert player.electrodes_off == frozenset()
    assert len(player.take(10)) == 0


def test_loop_begins_again_without_a_seam():
    source, _ = recording(LEADS)
    player = Player(source, loop=True)
    rows = player.take(250)
    assert np.array_equal(rows[:100], rows[100:200])
    assert np.array_equal(rows[:50], rows[200:])
    assert not player.done


def test_missing_leads_are_off_not_invented():
    source, counts = recording(["MLII", "V5"])
    player = Player(source)
    rows = player.take(100)
    assert np.array_equal(rows[:, 1], (counts[0] - 5.0) * 0.001)
    assert np.array_equal(rows[:, LEADS.index("V5")], (counts[1] - 5.0) * 0.001)
    assert not rows[:, [0, 2, 3, 4, 5, 7]].any()
    assert player.electrodes_off == {"V1", "V2", "V3", "V4", "V6"}


def test_unknown_ecg_is_played_as_lead_ii_and_none_is_refused():
    source, _ = recording(["ECG", "ECG 2"])
    assert Player(source).take(5)[:, 1].any()
    source, _ = recording(["X"], quantity=Quantity.ACCELERATION)
    with pytest.raises(ValueError, match="r has no channel to play"):
        Player(source)


def test_without_an_ecg_all_electrodes_are_off_and_the_rest_is_played():
    counts = np.stack([np.arange(100), 1000 + np.arange(100), np.full(100, 24)]).astype(np.int32)
    channels = (
        Channel("Flow", Quantity.FLOW, "L/min", 0.6),
        Channel("Press", Quantity.AIRWAY_PRESSURE, "cmH2O", 0.01),
        Channel("Leak", Quantity.LEAK, "L/s", 0.02),
    )
    player = Player(Recording("r", 25, channels, 100, lambda a, b: counts[:, a:b]))
    rows = player.take(100)

    assert player.electrodes_off == frozenset(ELECTRODES)
    assert rows[:, FLOW] == pytest.approx(np.arange(100) * 0.01)
    assert rows[:, AIRWAY_PRESSURE] == pytest.approx(10 + np.arange(100) * 0.01)
    assert player.numbers.pressure_cm_h2o == pytest.approx(10.99)
    assert player.numbers.leak_lpm == pytest.approx(28.8)
    assert player.numbers.oxygen_pct is None


def test_a_pleth_is_played_up_with_each_beat_within_an_oximeters_range():
    counts = (100 * np.sin(np.arange(600) / 10)).astype(np.int32)[None, :]
    channel = Channel("Pleth", Quantity.PLETH, "1", 1.0)
    rows = Player(Recording("r", 60, (channel,), 600, lambda a, b: counts[:, a:b])).take(600)

    assert 0 <= rows[:, PLETH].min() < 0.1
    assert 0.8 < rows[:, PLETH].max() < 1
    assert np.argmax(rows[:, PLETH]) == np.argmax(counts[0])


@pytest.mark.recordings
def test_the_bench_log_of_a_concentrator_is_played_as_measured(recordings):
    player = Player(open_recording(recordings / "o2conc" / "devilbiss_psa_50hz.csv"))
    rows = player.take(10_051)

    assert player.rate_hz == 50
    oxygen = rows[:, OXYGEN]
    assert oxygen[0] == pytest.approx(21.543)
    assert np.argmax(oxygen > 82) / 50 == pytest.approx(47.4, abs=0.1)  # the file begins at 10 s
    assert rows[:, BED_A].max() == pytest.approx(357.1, abs=0.1)
    assert 60 * rows[2500:5000, FLOW].mean() == pytest.approx(10, abs=0.1)
    assert player.numbers.oxygen_flow_lpm is not None


@pytest.mark.recordings
def test_a_night_of_flow_and_pressure_is_played(recordings):
    path = min((recordings / "resmed").rglob("*_BRP.edf"))
    player = Player(open_recording(path))
    rows = player.take(25 * 60)

    assert player.rate_hz == 25
    assert 3 < rows[:, AIRWAY_PRESSURE].mean() < 20
    assert 0.1 < rows[:, FLOW].max() < 3


def test_missing_samples_rail_every_board():
    source, counts = recording(["II"], invalid=(-32768,))
    counts[0, 10:20] = -32768
    rows = Player(source).take(100)
    assert (rows[10:20, 1] == MISSING_MV).all()
    assert (rows[:10, 1] > -10).all()


def test_breath_and_pulse_are_scaled_to_a_body():
    counts = np.stack([np.arange(3000) % 500, 7000 + np.arange(3000) % 500, np.arange(3000) % 300]).astype(
        np.int32
    )
    channels = (
        Channel("II", Quantity.ECG, "mV", 0.001),
        Channel("PLETH", Quantity.PPG_INFRARED, "1", 1.0),
        Channel("RESP", Quantity.RESPIRATION, "1", 0.01),
    )
    rows = Player(Recording("r", 100, channels, 3000, lambda a, b: counts[:, a:b])).take(3000)
    breath, pulse = rows[:, COLUMNS.index("respiration")], rows[:, COLUMNS.index("ppg_infrared")]
    assert breath.min() == pytest.approx(-1, abs=0.05)
    assert breath.max() == pytest.approx(1, abs=0.05)
    assert pulse.mean() == pytest.approx(1, abs=0.001)
    assert 0.01 < np.ptp(pulse) < 0.05


@pytest.mark.recordings
def test_ptb_record_as_dm_ecg_bytes_is_decimated_quantised_and_clipped(recordings):
    pytest.importorskip("wfdb")
    original = open_recording(recordings / "ptbdb" / "s0010_re")
    board = DmEcg(Player(original))
    board.power_on(0)
    board.feed(frame(0, 0x10, b""), 0)
    sent = np.frombuffer(board.due(60 * SECOND)[22:], dtype=np.uint8).reshape(-1, 22).astype(np.int64)
    counts = ((sent[:, 5:21:2] & 0x1F) << 7) | sent[:, 6:21:2]

    places = [[c.name for c in original.channels].index(lead) for lead in LEADS]
    mv = original.counts(0, original.n)[places, ::2].T * 0.0005
    unclipped = np.rint(mv * 1423) + 2048
    assert counts.size == 153_600
    assert np.array_equal(counts, np.clip(unclipped, 0, 4095))
    assert int(((unclipped < 0) | (unclipped > 4095)).sum()) == 193
    assert list(sent[:, 1]) == [k % 64 for k in range(19_200)]
