"""The fit of sample numbers to arrivals: simulated crystals behind simulated cables, so that the truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.acquisition.clock import DeviceClock, Served

START_NS = 1_234_567_890_123
CHUNK = 5


@dataclass(frozen=True)
class Step:
    """One block: truth beside what was served."""

    first: int
    t_s: float
    served: Served
    true_ns: float
    arrived_ns: int
    drift_ppm: float

    @property
    def error_ms(self) -> float:
        return (self.served.t0_ns - self.true_ns) * 1e-6


def run(
    clock: DeviceClock, true_hz: float, seconds: float, *, burst_s: float = 0.0, seed: int = 1
) -> Iterator[Step]:
    """Blocks of 5 samples: each delayed by up to 16 ms (or delivered in bursts of `burst_s`), 1 in 500 by 200 ms."""
    random = np.random.default_rng(seed)
    pipe_s = 0.0
    for first in range(0, int(seconds * true_hz), CHUNK):
        t_s = (first + CHUNK - 1) / true_hz
        arrived_s = np.ceil(t_s / burst_s) * burst_s if burst_s else t_s + random.uniform(0, 0.016)
        if random.random() < 1 / 500:
            pipe_s = max(pipe_s, t_s + 0.2)
        pipe_s = max(arrived_s + random.exponential(100e-6), pipe_s) + 1e-6
        arrived_ns = START_NS + int(pipe_s * 1e9)
        clock.observe(first + CHUNK - 1, arrived_ns)
        served = clock.serve(first, CHUNK, arrived_ns)
        yield Step(first, t_s, served, START_NS + first / true_hz * 1e9, arrived_ns, clock.drift_ppm)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ppm", [-1000.0, -200.0, 0.0, 200.0])
def test_jitter_of_16_ms_leaves_2_ms_after_10_s_and_5_ppm_after_5_min(ppm: float, seed: int) -> None:
    steps = list(run(DeviceClock(500.0), 500.0 * (1 + ppm * 1e-6), 330.0, seed=seed))

    assert max(abs(s.error_ms) for s in steps if s.t_s > 10) < 2.0
    assert max(abs(s.drift_ppm - ppm) for s in steps if s.t_s > 300) < 5.0
    assert max(abs(s.served.period_ns / 2e6 / (1 - ppm * 1e-6) - 1) for s in steps if s.t_s > 30) < 0.03


@pytest.mark.parametrize("burst_s", [0.001, 0.0101, 0.0163])
def test_bursts_of_a_usb_bridge_leave_2_ms_after_10_s_and_5_ppm_after_5_min(burst_s: float) -> None:
    steps = list(run(DeviceClock(500.0), 499.5, 330.0, burst_s=burst_s))

    assert max(abs(s.error_ms) for s in steps if s.t_s > 10) < 2.0
    assert max(abs(s.drift_ppm + 1000.0) for s in steps if s.t_s > 300) < 5.0


def test_the_standard_error_is_of_the_size_of_the_error() -> None:
    steps = [s for s in run(DeviceClock(500.0), 499.9, 120.0) if s.t_s > 10]
    ratio = np.sqrt(np.mean([(s.error_ms * 1e6 / s.served.error_ns) ** 2 for s in steps]))

    assert 0.1 < ratio < 10.0
    assert steps[-1].served.error_ns < 0.3e6


def test_times_never_go_back_and_are_not_after_the_arrival() -> None:
    steps = list(run(DeviceClock(500.0), 499.5, 60.0))
    ends = [s.served.t0_ns + (CHUNK - 1) * s.served.period_ns for s in steps]

    assert all(b.served.t0_ns > a for a, b in zip(ends, steps[1:], strict=False))
    assert all(end <= s.arrived_ns + 1 for end, s in zip(ends, steps, strict=True))


def test_seconds_of_silence_with_counted_losses_change_nothing() -> None:
    clock = DeviceClock(500.0)
    list(run(clock, 500.05, 60.0))
    drift_before = clock.drift_ppm
    first = int(60 * 500.05) + 5000
    true_ns = START_NS + first / 500.05 * 1e9
    arrived_ns = int(true_ns + 10e6)
    clock.observe(first + 4, arrived_ns)
    served = clock.serve(first, 5, arrived_ns)

    assert clock.missing() == 0
    assert abs(clock.drift_ppm - drift_before) < 5.0
    assert abs(served.t0_ns - true_ns) < 2e6


def test_uncounted_losses_show_as_missing_samples_once() -> None:
    clock = DeviceClock(500.0)
    list(run(clock, 500.0, 30.0))
    told = []
    for first in range(15_000, 18_000, CHUNK):
        true_ns = START_NS + (first + 100) / 500.0 * 1e9
        clock.observe(first + CHUNK - 1 + sum(told), int(true_ns) + 8_000_000)
        if count := clock.missing():
            told.append(count)

    assert sum(told) == pytest.approx(100, abs=2)
    assert len(told) == 1


def test_a_stall_of_ours_is_forgiven() -> None:
    """Two seconds in which nothing is read, then everything at once: nothing is missing and the rate has not changed."""
    clock = DeviceClock(500.0)
    list(run(clock, 500.0, 60.0))
    for first in range(30_000, 40_000, CHUNK):
        true_ns = START_NS + int((first + CHUNK - 1) / 500.0 * 1e9)
        arrived_ns = max(true_ns + 1_000_000, START_NS + 62_000_000_000)
        clock.observe(first + CHUNK - 1, arrived_ns)
        served = clock.serve(first, CHUNK, arrived_ns)
        assert clock.missing() == 0

    assert abs(clock.drift_ppm) < 20.0
    assert abs(served.t0_ns - (START_NS + 39_995 / 500.0 * 1e9)) < 2e6


@given(
    st.lists(
        st.tuples(st.integers(1, 3000), st.integers(0, 500), st.integers(0, 3_000_000_000)),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from([25.0, 128.0, 500.0, 2000.0]),
)
def test_whatever_arrives_times_rise_and_periods_are_positive(
    blocks: list[tuple[int, int, int]], rate_hz: float
) -> None:
    clock = DeviceClock(rate_hz)
    sample, now_ns, end_ns = 0, START_NS, 0.0
    for n, lost, wait_ns in blocks:
        first, now_ns = sample + lost, now_ns + wait_ns
        sample = first + n
        clock.observe(sample - 1, now_ns)
        served = clock.serve(first, n, now_ns)
        clock.missing()

        assert served.period_ns >= 1.0
        assert served.t0_ns >= end_ns - 1
        assert served.t0_ns <= now_ns + sample
        assert np.isfinite(clock.drift_ppm)
        assert clock.error_ns > 0
        end_ns = served.t0_ns + (n - 1) * served.period_ns


def test_hours_of_samples_takes_bounded_memory() -> None:
    clock = DeviceClock(500.0)
    for second in range(7200):
        clock.observe(second * 500, START_NS + second * 1_000_000_000)

    assert len(clock._buckets) <= 600
    assert abs(clock.drift_ppm) < 0.01
