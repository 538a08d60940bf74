"""Grades follow what is wrong with a lead, name it, and stand still."""

from dataclasses import astuple
from itertools import pairwise

import numpy as np
import pytest

from daemon.dsp.leads import Montage
from daemon.dsp.quality import PIECES, Indices, Quality
from daemon.model.findings import Grade, Trouble
from daemon.model.signals import Channel, Quantity, Stream


def montage(leads, rate):
    return Montage.of(
        Stream("d", "ecg", rate, tuple(Channel(f"x{k}", Quantity.ECG, "mV", 1.0) for k in range(leads)))
    )


def beats(rate, seconds):
    """QRS of 1 mV and T of 0.25 mV at 72 bpm."""
    t = np.arange(round(rate * seconds)) / rate % (60 / 72)
    return np.exp(-0.5 * ((t - 0.3) / 0.012) ** 2) + 0.25 * np.exp(-0.5 * ((t - 0.55) / 0.05) ** 2)


def judge(x, rate, saturated=None):
    """Qualities of the leads of x (n, leads), hop by hop, and the number of changes said."""
    of = montage(x.shape[1], rate)
    hop = PIECES * round(rate * 0.05)
    indices, quality, out, said = Indices(of, rate, hop), Quality(of), [], 0
    railed = np.zeros(x.shape, dtype=bool) if saturated is None else saturated
    for k in range(0, len(x) - hop + 1, hop):
        part = (slice(None), slice(k, k + hop))
        found = indices.push(x[None][part], railed[None][part], np.ones((1, hop, x.shape[1]), dtype=bool))
        said += len(quality.step(found.severity[0], found.flat[0], found.railed[0], frozenset()))
        out.append([quality.leads[lead] for lead in of.measured])
    return out, said


@pytest.mark.parametrize("rate", [125.0, 250.0, 360.0, 500.0, 1000.0])
@pytest.mark.parametrize(
    ("trouble", "add"),
    [
        (Trouble.NONE, lambda t, _: 0.0 * t),
        (Trouble.MAINS, lambda t, _: 0.3 * np.sin(2 * np.pi * 50 * t)),
        (Trouble.WANDER, lambda t, _: 1.2 * np.sin(2 * np.pi * 0.3 * t)),
        (Trouble.MUSCLE, lambda t, rng: rng.normal(0, 0.15, len(t))),
        (Trouble.FLAT, None),
    ],
)
def test_what_is_wrong_is_named(rate, trouble, add):
    x = beats(rate, 12)
    t = np.arange(len(x)) / rate
    x = 0.0 * x if add is None else x + add(t, np.random.default_rng(7))

    out, _ = judge(x[:, None], rate)

    last = out[-1][0]
    assert last.trouble is trouble
    assert last.grade is (Grade.GOOD if trouble is Trouble.NONE else Grade.POOR)


def test_an_electrode_that_shifts_is_motion():
    x = beats(500.0, 12)
    x[5500:] += 3.0

    assert judge(x[:, None], 500.0)[0][-1][0].trouble is Trouble.MOTION


def test_a_clipped_r_wave_is_acceptable_and_a_rail_is_not():
    clipped, railed = np.minimum(beats(500.0, 8), 0.8), np.full(4000, 0.8)
    x = np.stack([clipped, railed], axis=1)

    out, _ = judge(x, 500.0, x >= 0.8)

    assert [(q.grade, q.trouble) for q in out[-1]] == [
        (Grade.ACCEPTABLE, Trouble.SATURATED),
        (Grade.POOR, Trouble.SATURATED),
    ]


@pytest.mark.parametrize(("rate", "leads"), [(125.0, 1), (360.0, 2), (500.0, 8)])
def test_many_hops_at_once_say_the_same_to_the_last_bit(rate, leads):
    rng = np.random.default_rng(3)
    hop = PIECES * round(rate * 0.05)
    x = 0.02 * rng.normal(0, 1, (40, hop, leads)).cumsum(axis=1)
    x[10:20] *= 1e-3
    saturated, good = rng.random(x.shape) < 0.02, np.ones(x.shape, dtype=bool)
    saturated[25:30], good[14, 3:9, :1], good[33:36] = True, False, False

    def pushed(cuts):
        indices = Indices(montage(leads, rate), rate, hop)
        found = [indices.push(x[a:b], saturated[a:b], good[a:b]) for a, b in pairwise([0, *cuts, 40])]
        return [np.concatenate(part) for part in zip(*map(astuple, found), strict=True)]

    singly, together = pushed(range(1, 40)), pushed([17, 18, 34])

    assert all(np.array_equal(one, other) for one, other in zip(singly, together, strict=True))
    assert singly[1].any()
    assert singly[2].any()


def test_a_steady_signal_is_said_once():
    x = beats(500.0, 60) + np.random.default_rng(8).normal(0, 0.02, 30_000)

    assert judge(x[:, None], 500.0)[1] <= 4


@pytest.mark.recordings
@pytest.mark.parametrize("noise", ["bw", "em", "ma"])
def test_scores_fall_with_recorded_noise(recordings, noise):
    wfdb = pytest.importorskip("wfdb")
    ecg = wfdb.rdrecord(str(recordings / "mitdb" / "100"), sampto=43_200).p_signal
    added = wfdb.rdrecord(str(recordings / "nstdb" / f"{noise}_300s"), sampto=43_200).p_signal
    added = (added - added.mean(axis=0)) / added.std(axis=0)

    def score(snr_db):
        scale = (
            1.2 / np.sqrt(8.0) / 10 ** (snr_db / 20)
        )  # a QRS of 1.2 mV, as the noise stress test scales it
        out, _ = judge(ecg + scale * added, 360.0)
        return np.mean([[q.score for q in leads] for leads in out[8:]]), np.mean(
            [[q.grade is Grade.GOOD for q in leads] for leads in out[8:]]
        )

    scores, good = zip(*(score(snr) for snr in (24, 12, 6, 0, -6)), strict=True)
    assert list(scores) == sorted(scores, reverse=True)
    assert good[0] > 0.9
    assert good[-1] < 0.1
