"""Runs of fast wide waves: found without their beats, told from noise, from short runs and from fast narrow rhythms."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.dsp.ecg.rhythm.inner import RATE_HZ
from daemon.dsp.ecg.rhythm.runs import FEATURES, ON, WIDTH, RunScore, fast_run, waves_in
from daemon.dsp.ecg.rhythm.said import RunSaid
from tests.daemon.dsp.ecg.rhythm.test_watch import RATE, lead, sinus

OWN = lead(2.0, [(1.0, "N")], RATE_HZ, noise_mv=0.0)[:, 112 : 112 + WIDTH].astype(float)


def stretch(beats, seconds=4.6, noise_mv=0.01):
    return lead(seconds, beats, RATE_HZ, noise_mv).astype(float)


def wide(first, n, rr):
    return [(first + rr * k, "V") for k in range(n)]


def test_waves_are_found_where_the_beats_are():
    beats = wide(0.5, 8, 0.45)

    at = waves_in(stretch(beats, seconds=4.0), np.ones(2))

    expected = np.array([t for t, _ in beats]) * RATE_HZ
    assert len(at) == 8
    assert np.abs(at - expected).max() < 0.1 * RATE_HZ


@pytest.mark.parametrize("bpm", [110, 150, 200])
def test_a_run_is_found_without_its_beats(rhythm_table, bpm):
    run = fast_run(stretch(wide(0.5, int(3.4 * bpm / 60), 60 / bpm)), OWN, [])

    assert run.bpm == pytest.approx(bpm, rel=0.05)
    assert run.beats >= 5
    assert dict(zip(FEATURES, run.measures, strict=True))["ventricular"] == 0


def test_a_run_whose_beats_were_named_is_tachycardia(rhythm_table):
    beats = wide(0.5, 8, 0.4)
    named = [(round(t * RATE_HZ), True) for t, _ in beats]

    run = fast_run(stretch(beats), OWN, named)

    assert rhythm_table.run.of(run.measures) > ON


@pytest.mark.parametrize(
    "beats",
    [
        sinus(0.4, 4.4, 75),
        sinus(0.4, 4.4, 150),
        [*sinus(0.4, 1.5, 75), *wide(1.9, 3, 0.4), *sinus(3.5, 4.4, 75)],
        wide(0.4, 5, 0.9),
    ],
    ids=["sinus", "fast", "three", "slow"],
)
def test_what_is_no_run_of_five_fast_wide_waves_is_none(beats):
    assert fast_run(stretch(beats), OWN, []) is None


def test_noise_is_no_tachycardia(rhythm_table):
    rng = np.random.default_rng(1)
    scores = []
    for _ in range(40):
        slow = np.stack([np.convolve(row, np.ones(9) / 9, "same") for row in rng.normal(0, 2.0, (2, 575))])
        run = fast_run(stretch(sinus(0.4, 4.4)) + slow, OWN, [])
        if run is not None:
            scores.append(rhythm_table.run.of(run.measures))

    assert sum(score > ON for score in scores) <= 2


def tachycardia(missed):
    """A minute of sinus rhythm with seven wide beats from 40 s on, of which some were not found, one taken for a normal one."""
    v = [40 + 0.4 * k for k in range(7)]
    true = sorted([b for b in sinus(0.6, 59) if not 39.5 < b[0] < 43.2] + [(t, "V") for t in v])
    found = [(t, "N" if t == v[4] else label) for t, label in true]
    return lead(60, true), [beat for k, beat in enumerate(found) if beat[0] not in {v[m] for m in missed}]


def test_a_run_is_counted_though_beats_were_missed(watched):
    x, found = tachycardia(missed={2})

    counted = [one for one in watched(RATE, x, found) if isinstance(one, RunSaid)]

    assert all(abs(one.onset / RATE - 40.0) < 0.3 for one in counted)
    assert counted[0].due / RATE < 40 + 5
    assert counted[0].beats in {5, 6}
    assert [one.beats for one in counted] == sorted(one.beats for one in counted)
    assert counted[-1].beats in {7, 8}
    assert all(one.bpm == pytest.approx(150, rel=0.1) for one in counted)


def test_it_does_not_matter_how_the_stream_is_cut(watched):
    x, found = tachycardia(missed={2})

    assert watched(RATE, x, found, cuts=(37,) * 400) == watched(RATE, x, found)


def test_a_score_fits_its_features():
    n = len(FEATURES)
    good = {f"run_{name}": np.ones(n) for name in ("mean", "deviation", "weight")} | {
        "run_base": np.float64(1)
    }

    assert RunScore.from_arrays(good).of(np.ones(n) * 3) == pytest.approx(2 * n + 1)
    with pytest.raises(ValueError, match="run_base"):
        RunScore.from_arrays({k: v for k, v in good.items() if k != "run_base"})
    with pytest.raises(ValueError, match="needs"):
        RunScore.from_arrays(good | {"run_mean": np.ones(n - 1)})
