"""Delays are full jitter, the breaker opens after five failures and half-opens with one, the bucket pays what it owes."""

from __future__ import annotations

import uuid
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.forward.breaker import BASE_S, LONGEST_S, OPENS_AFTER, Breaker, backoff_s
from daemon.forward.bucket import TokenBucket
from daemon.model.ids import uuid7


def test_delays_are_uniform_from_nothing_to_the_doubled_base():
    random = Random(1)
    for failures in (1, 3, 6):
        delays = [backoff_s(failures, random) for _ in range(4000)]
        most = BASE_S * 2**failures
        assert 0 <= min(delays) < 0.02 * most
        assert 0.98 * most < max(delays) <= most
        assert sum(delays) / len(delays) == pytest.approx(most / 2, rel=0.05)


@settings(deadline=None)
@given(st.integers(1, 10_000), st.floats(0, 1e5))
def test_delays_are_bounded_and_retry_after_is_a_floor(failures, floor_s):
    delay_s = backoff_s(failures, Random(2), floor_s)

    assert floor_s <= delay_s <= max(LONGEST_S, floor_s)


def test_it_opens_after_five_failures_in_a_row_and_then_lets_one_through():
    breaker = Breaker(Random(3))
    for _ in range(10):
        breaker.done()
    assert breaker.slots(0.0, 4) == 4
    for _ in range(OPENS_AFTER - 1):
        breaker.failed(0.0)
    assert not breaker.is_open
    assert breaker.slots(0.0, 4) == 1
    breaker.failed(0.0)
    assert breaker.is_open
    assert breaker.slots(breaker.until_s - 1e-6, 4) == 0
    assert breaker.slots(breaker.until_s, 4) == 1
    breaker.done()
    assert not breaker.is_open


def test_an_alarm_hastens_the_next_try_once_and_never_before_what_was_asked_for():
    breaker = Breaker(Random(7))
    for _ in range(12):
        breaker.failed(0.0)
    breaker.until_s = 300.0
    breaker.hasten(100.0)
    first_s = breaker.until_s
    assert 100.0 <= first_s <= 110.0
    breaker.hasten(100.0)
    assert breaker.until_s == first_s
    breaker.failed(110.0, 60.0)
    breaker.hasten(111.0)
    assert breaker.until_s >= 170.0


def test_a_success_between_failures_keeps_it_closed():
    breaker = Breaker(Random(4))
    for _ in range(50):
        for _ in range(OPENS_AFTER - 1):
            breaker.failed(0.0)
        breaker.done()

    assert not breaker.is_open
    assert breaker.slots(0.0, 4) > 0


def test_patience_that_is_asked_for_is_no_failure():
    breaker = Breaker(Random(5))
    for n in range(20):
        breaker.waits(float(n), 7.0)
        assert breaker.slots(n + 6.9, 4) == 0
    assert breaker.failures == 0


def test_requests_grow_one_by_one_with_success():
    breaker = Breaker(Random(6))
    slots = []
    for _ in range(6):
        slots.append(breaker.slots(0.0, 4))
        breaker.done()

    assert slots == [1, 2, 3, 4, 4, 4]


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 50_000)), max_size=50))
def test_a_bucket_never_lets_more_through_than_its_rate_and_one_request(asked):
    bucket, now_s, sent = TokenBucket(10_000.0), 0.0, 0
    for pause_s, size in asked:
        now_s = max(now_s + pause_s, bucket.ready_s(now_s + pause_s))
        bucket.take(size, now_s)
        sent += size
        assert sent <= 10_000 * (now_s + 1) + size + 1e-6


def test_a_bucket_without_a_limit_never_waits():
    bucket = TokenBucket(0)
    bucket.take(1 << 40, 1.0)

    assert bucket.ready_s(1.0) == 1.0


@settings(deadline=None)
@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_a_key_is_a_version_7_uuid_of_its_time(ms, random):
    key = uuid.UUID(uuid7(ms * 1_000_000, random))

    assert key.version == 7
    assert key.variant == uuid.RFC_4122
    assert key.int >> 80 == ms


def test_keys_sort_by_time_and_never_repeat():
    keys = [uuid7(n * 1_000_000) for n in range(1000)]

    assert keys == sorted(keys)
    assert len({uuid7(5) for _ in range(1000)}) == 1000
