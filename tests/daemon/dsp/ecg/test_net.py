"""The net on a stream, against the same layers written down plainly for a whole strip."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dsp.ecg.condition import BLOCK, UNITS, Conditioner, Resampler
from daemon.dsp.ecg.net import LAG, LAYERS, WaveNet, WavesTable, probabilities
from daemon.dsp.ecg.tables import load_waves_table


@pytest.fixture(scope="module")
def table():
    return load_waves_table()


def arrays(table):
    return {f"{k}.weight": w / UNITS for k, w in table.weights.items()} | {
        f"{k}.offset": o / UNITS**2 for k, o in table.offsets.items()
    }


def plain(table, z):
    """Logits (leads, n, 4) of z (leads, n) in 1, all leads counted; in floats, without rounding between layers."""
    weights = {k: w / UNITS for k, w in table.weights.items()}
    offsets = {k: o / UNITS**2 for k, o in table.offsets.items()}

    def layer(name, x):
        s = LAYERS[name]
        reach = (s.taps - 1) * s.dilation
        left = reach if s.past else reach // 2
        padded = np.pad(x, ((0, 0), (left, reach - left), (0, 0)))
        n = x.shape[1]
        y = sum(padded[:, k * s.dilation : k * s.dilation + n] @ weights[name][k] for k in range(s.taps))
        y = (y + offsets[name])[:, :: s.stride]
        return y if name == "h" else np.maximum(y, 0)

    def with_mean(x):
        return np.concatenate([x, np.broadcast_to(x.mean(axis=0), x.shape)], axis=2)

    e0 = layer("e0", z[:, :, None])
    e1 = layer("e1", e0)
    e2 = layer("e2", e1)
    e3 = layer("e3", e2)
    x = layer("b1", with_mean(layer("e4", e3)))
    for name in ("b2", "b3", "b4"):
        x = x + layer(name, x)
    for name, skip in (("d3", e3), ("d2", with_mean(e2)), ("d1", e1), ("d0", e0)):
        x = layer(name, np.concatenate([np.repeat(x, 2, axis=1), skip], axis=2))
    return layer("h", x)


def noise(leads, blocks, seed=3):
    return np.rint(np.random.default_rng(seed).normal(0, 0.5, (leads, blocks * BLOCK)) * UNITS)


@pytest.mark.parametrize("leads", [1, 3, 12])
def test_the_stream_says_what_the_whole_strip_says(table, leads):
    z = noise(leads, 12)
    net = WaveNet(table, leads)
    everyone = np.ones((leads, 1), dtype=bool)

    said = [net.push(z[:, k : k + BLOCK], everyone) for k in range(0, z.shape[1] - BLOCK, BLOCK)]
    said.append(net.push(z[:, -BLOCK:], everyone, last=True))

    assert np.abs(np.concatenate(said, axis=1) / UNITS - plain(table, z / UNITS)).max() < 0.02


def test_what_waits_is_less_than_half_a_second(table):
    net, everyone = WaveNet(table, 2), np.ones((2, 1), dtype=bool)
    z = noise(2, 10)
    said = 0
    for k in range(10):
        said += net.push(z[:, k * BLOCK : (k + 1) * BLOCK], everyone).shape[1]

        assert said == max((k + 1) * BLOCK - LAG, 0)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=6), st.integers(0, 2**20))
def test_no_bit_depends_on_how_many_blocks_come_at_once(cuts, seed):
    table = load_waves_table()
    rng = np.random.default_rng(seed)
    blocks = sum(cuts) + 1
    z, counted = noise(3, blocks, seed), rng.random((3, blocks)) < 0.8
    single, many = WaveNet(table, 3), WaveNet(table, 3)

    one = [single.push(z[:, k * BLOCK : (k + 1) * BLOCK], counted[:, k : k + 1]) for k in range(blocks)]
    edges = [*np.cumsum([0, *cuts]).tolist(), blocks]
    several = [
        many.push(z[:, a * BLOCK : b * BLOCK], counted[:, a:b])
        for a, b in zip(edges[:-1], edges[1:], strict=True)
        if b > a
    ]

    assert np.concatenate(one, axis=1).tobytes() == np.concatenate(several, axis=1).tobytes()


def test_a_lead_that_does_not_count_is_not_seen_by_the_others(table):
    z = noise(3, 8)
    other = z.copy()
    other[2] = 0.0
    counted = np.ones((3, 8), dtype=bool)
    counted[2] = False

    assert np.array_equal(WaveNet(table, 3).push(z, counted)[:2], WaveNet(table, 3).push(other, counted)[:2])
    assert not np.array_equal(
        WaveNet(table, 3).push(z, ~counted | counted)[:2],
        WaveNet(table, 3).push(other, ~counted | counted)[:2],
    )


def test_one_lead_is_its_own_mean(table):
    z = noise(2, 8)
    alone = np.array([[True] * 8, [False] * 8])

    assert np.array_equal(
        WaveNet(table, 1).push(z[:1], np.ones((1, 8), dtype=bool))[0], WaveNet(table, 2).push(z, alone)[0]
    )


def test_sums_stay_exact_at_the_largest_input(table):
    z = np.full((2, 4 * BLOCK), 2.0**8 * UNITS)
    z[1] *= -1

    logits = WaveNet(table, 2).push(z, np.ones((2, 4), dtype=bool))

    assert np.array_equal(logits, np.rint(logits))
    assert np.isfinite(probabilities(logits)).all()


def test_probabilities_of_no_wave_and_three_waves_sum_to_one():
    logits = np.array([[[0.0, 0.0, 0.0, 0.0], [0.0, 9.0, 0.0, 0.0]]]) * UNITS

    p = probabilities(logits)

    assert p.shape == (1, 3, 2)
    assert p[0, :, 0] == pytest.approx([0.25, 0.25, 0.25], abs=1e-6)
    assert p[0, 0, 1] > 0.999


@pytest.mark.parametrize("spoil", ["missing", "shape", "size"])
def test_a_spoilt_table_is_refused(table, spoil):
    spoilt = arrays(table)
    if spoil == "missing":
        del spoilt["d1.offset"]
    elif spoil == "shape":
        spoilt["e2.weight"] = spoilt["e2.weight"][:-1]
    else:
        spoilt["b1.weight"] = spoilt["b1.weight"] * 1e6

    with pytest.raises(ValueError, match="table of waves"):
        WavesTable.from_arrays(spoilt)


def test_the_table_names_its_records_and_its_digest():
    import hashlib
    import json
    from importlib.resources import files

    path = files("daemon.dsp.ecg.tables") / "waves.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
        made = json.loads(str(held["made"]))
        weights = {k: held[k] for k in held if k != "made"}

    assert made["records"] == [str(n) for n in range(1, 201) if n % 10 in {0, 3, 6, 9}]
    digest = hashlib.sha256(b"".join(weights[k].tobytes() for k in sorted(weights))).hexdigest()
    assert made["sha256"] == digest
    assert sum(w.size for w in weights.values()) == 19_528


@pytest.mark.parametrize("rate_hz", [125.0, 200.0, 250.0, 333.3, 360.0, 500.0, 1000.0])
def test_any_rate_gives_the_same_signal_at_250_hz(rate_hz):
    t = np.arange(round(4 * rate_hz)) / rate_hz
    x = np.sin(2 * np.pi * 5 * t)[None]

    y = Resampler(rate_hz, 1).push(x)

    assert y.shape[1] >= 4 * 250 - 2 * BLOCK
    assert np.abs(y[0] - np.sin(2 * np.pi * 5 * np.arange(y.shape[1]) / 250))[2:].max() < 0.025


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([125.0, 333.3, 360.0, 500.0]), st.lists(st.integers(1, 700), min_size=1, max_size=12))
def test_resampling_and_filtering_do_not_depend_on_the_cut(rate_hz, cuts):
    x = np.random.default_rng(5).normal(0, 1, (2, sum(cuts)))
    whole_r, whole_c, cut_r, cut_c = (
        Resampler(rate_hz, 2),
        Conditioner(2),
        Resampler(rate_hz, 2),
        Conditioner(2),
    )

    def run(resampler, conditioner, part):
        r = resampler.push(part)
        return np.concatenate(conditioner.push(r, np.ones((2, r.shape[1] // BLOCK), dtype=bool)))

    edges = np.cumsum([0, *cuts]).tolist()
    parts = [run(cut_r, cut_c, x[:, a:b]) for a, b in zip(edges[:-1], edges[1:], strict=True)]

    assert run(whole_r, whole_c, x).tobytes() == np.concatenate(parts, axis=1).tobytes()


def test_the_high_pass_is_the_recursion_of_first_order_and_begins_anew_behind_what_is_unusable():
    x = np.random.default_rng(6).normal(0, 1, (1, 3 * BLOCK)) + 300.0
    share = 1 - np.exp(-2 * np.pi * 0.4 / 250)
    wanted, low = np.zeros(3 * BLOCK), x[0, 0]
    for n in range(3 * BLOCK):
        if n == 2 * BLOCK:
            low = x[0, n]
        low += share * (x[0, n] - low)
        wanted[n] = 0.0 if BLOCK <= n < 2 * BLOCK else x[0, n] - low

    y, z = Conditioner(1).push(x, np.array([[True, False, True]]))

    assert y[0] == pytest.approx(wanted, abs=1e-9)
    assert z[0] == pytest.approx(np.arcsinh(wanted / 0.1) / 2 * UNITS, abs=0.5)
