"""Destinations that take alarms alone: what every destination must keep, with alarms in place of numbers and samples."""

import numpy as np
import pytest

from daemon.forward.destinations import DONE, Verdict
from tests.daemon.forward.destinations import conformance, records
from tests.daemon.forward.destinations.conformance import *  # noqa: F403 - the tests
from tests.daemon.forward.destinations.conformance import every, numbers, opened, over, sealed_of

CASES = ("webhook", "sns")

del test_a_report_arrives_with_its_file  # noqa: F821 - they take no reports, nor samples, nor files of them
del test_a_report_whose_file_is_gone_or_another_is_refused  # noqa: F821
del test_a_large_report_is_never_in_memory_as_a_whole  # noqa: F821
del test_a_file_holds_the_envelopes_of_its_records  # noqa: F821
del test_a_name_goes_only_where_it_may  # noqa: F821 - an alarm holds no patient: below


@pytest.fixture(autouse=True)
def alarms_alone(monkeypatch):
    monkeypatch.setattr(conformance, "one", lambda: [records.alarm(next(numbers))])
    monkeypatch.setattr(conformance, "large", lambda case: [_long(case.size * 3 // 4)])
    monkeypatch.setattr(conformance.records, "session_start", records.alarm)


def _long(size):
    record = records.alarm(next(numbers))
    noise = np.random.default_rng(record.seq).integers(97, 123, size, dtype=np.uint8).tobytes().decode()
    record.body["text"] = noise
    return record


@every
async def test_what_is_sent_arrives_bit_for_bit(case, place):
    async with opened(case, place) as destination:
        for _ in range(5):
            sealed = sealed_of(destination, [records.alarm(next(numbers))])

            assert await destination.send(sealed) == DONE
            assert case.arrived(sealed) == [sealed.data]


@every
def test_sealing_is_pure(case, place, tmp_path):
    case.credentials(place.credentials)
    (tmp_path / "other").mkdir()
    one, two = case.destination(place), case.destination(records.place(tmp_path / "other"))
    some = [records.alarm(n) for n in (1, 2)]

    assert one.gather(some) == two.gather(some) == 1
    assert one.seal(records.key(7), some[:1]) == two.seal(records.key(7), some[:1])


@every
def test_nothing_but_alarms_is_taken(case, place):
    destination = case.destination(place)
    others = [records.metrics(1), records.oxygen(2), records.waveform(3), records.session_end(4)]
    others.append(records.report(5, place)[0])

    assert not any(destination.takes(record) for record in others)
    assert destination.takes(records.alarm(6))


@every
def test_only_the_alarms_that_are_wanted(case, place):
    high, low = records.alarm(1), records.alarm(2)
    low.body["priority"] = "low"
    pause = records.alarm(3)
    pause.body.update(priority=None, change="audio_paused")
    important = case.destination(place, least="medium")
    onsets = case.destination(place, changes=["onset"])

    assert [important.takes(r) for r in (high, low, pause)] == [True, False, False]
    assert [onsets.takes(r) for r in (high, low, pause)] == [True, True, False]


@over(without={"sns"})
async def test_too_large_is_split(case, place):
    async with opened(case, place) as destination:
        sealed = sealed_of(destination, [_long(250_000)])

        assert (await destination.send(sealed)).verdict is Verdict.SPLIT
        assert case.arrived(sealed) == []


@over(without={"webhook"})
async def test_what_the_topic_takes_not_is_refused(case, place):
    async with opened(case, place) as destination:
        sealed = sealed_of(destination, [_long(300_000)])

        assert (await destination.send(sealed)).verdict is Verdict.REFUSED
        assert case.arrived(sealed) == []
