"""What every destination must keep, with the messages that MLLP carries in place of samples and sessions."""

import numpy as np
import pytest

from daemon.forward.destinations import DONE
from tests.daemon.forward.destinations import conformance, records
from tests.daemon.forward.destinations.conformance import *  # noqa: F403 - the tests
from tests.daemon.forward.destinations.conformance import every, numbers, opened, sealed_of

CASES = ("mllp",)

del test_a_large_report_is_never_in_memory_as_a_whole  # noqa: F821 - the server is in this process
del test_a_file_holds_the_envelopes_of_its_records  # noqa: F821 - HL7 has no envelopes
del test_a_name_goes_only_where_it_may  # noqa: F821 - no message of ours brings it: test_mllp.py
del test_a_wrong_credential_parks_and_a_right_one_resumes  # noqa: F821 - without TLS there is none: test_mllp.py
del test_a_missing_credential_parks  # noqa: F821


@pytest.fixture(autouse=True)
def messages(monkeypatch):
    monkeypatch.setattr(conformance, "large", lambda case: [_long(case.size)])
    monkeypatch.setattr(conformance.records, "session_start", records.alarm)
    monkeypatch.setattr(conformance.records, "waveform", lambda number, **more: _long(20_000))


def _long(size):
    record = records.alarm(next(numbers))
    noise = np.random.default_rng(record.seq).integers(97, 123, size, dtype=np.uint8).tobytes().decode()
    record.body["text"] = noise
    return record


@every
async def test_what_is_sent_arrives_bit_for_bit(case, place):
    async with opened(case, place) as destination:
        for kind in (records.alarm, records.metrics, records.oxygen):
            sealed = sealed_of(destination, [kind(next(numbers))])

            assert await destination.send(sealed) == DONE
            assert case.arrived(sealed) == [sealed.data]


@every
def test_sealing_is_pure(case, place, tmp_path):
    (tmp_path / "other").mkdir()
    one, two = case.destination(place), case.destination(records.place(tmp_path / "other"))
    for some in ([records.metrics(1), records.metrics(2)], [records.alarm(5)]):
        assert one.gather(some) == two.gather(some) == 1
        assert one.seal(records.key(7), some[:1]) == two.seal(records.key(7), some[:1])


@every
def test_what_has_no_place_in_a_message_is_not_taken(case, place):
    destination = case.destination(place)

    assert not any(
        destination.takes(r) for r in (records.session_end(1), records.record(2, 3, "ecg.waveform/1", {}))
    )
