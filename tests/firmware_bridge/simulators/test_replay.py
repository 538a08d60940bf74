"""A recording played on a board arrives as the board's converter would have it."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.frames import Channel, Quantity
from firmware_bridge.recordings import Recording, open_recording
from firmware_bridge.simulators.dm_ecg import DmEcg, frame
from firmware_bridge.simulators.replay import MISSING_MV, Player
from firmware_bridge.simulators.source import COLUMNS, LEADS

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
    source, _ = recording(["PLETH"], quantity=Quantity.PPG_INFRARED)
    with pytest.raises(ValueError, match="r has no ECG channel to play"):
        Player(source)


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
