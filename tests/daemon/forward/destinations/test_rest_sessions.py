"""The REST backend of the seeds: sessions and their ids, the form of requests, reports."""

from __future__ import annotations

import asyncio
import json

import pytest

from daemon.forward.destinations import DONE, Verdict, rest
from daemon.forward.destinations.kinds import BadOptions, make
from tests.daemon.forward.destinations import records
from tests.daemon.forward.destinations.rest_kit import backend, case, clock, opened, sealed_of

__all__ = ["backend", "case", "clock"]


# -- sessions -------------------------------------------------------------------------------------------------


async def test_data_goes_to_the_session_as_the_server_named_it(case, backend, place):
    async with opened(case, place) as destination:
        await destination.send(sealed_of(destination, [records.session_start(1)], 1))
        metrics = sealed_of(destination, [records.metrics(2)], 2)
        end = sealed_of(destination, [records.session_end(3)], 3)

        assert metrics.path == f"POST /sessions/{records.SESSION}/metrics {records.ECG}"
        assert await destination.send(metrics) == await destination.send(end) == DONE
    assert [path for path, _ in backend.asked] == [
        "/sessions/start",
        "/sessions/server-1/metrics",
        "/sessions/server-1/end",
    ]


async def test_the_servers_name_survives_a_restart(case, backend, place):
    async with opened(case, place) as destination:
        await destination.send(sealed_of(destination, [records.session_start(1)], 1))
    async with opened(case, place) as destination:
        assert await destination.send(sealed_of(destination, [records.metrics(2)], 2)) == DONE

    assert backend.asked[-1][0] == "/sessions/server-1/metrics"


async def test_a_damaged_memory_of_sessions_is_made_anew(case, backend, place):
    place.state.mkdir()
    (place.state / "sessions.db").write_bytes(b"no database at all" * 100)
    async with opened(case, place) as destination:
        assert await destination.send(sealed_of(destination, [records.session_start(1)], 1)) == DONE
    async with opened(case, place) as destination:
        assert await destination.send(sealed_of(destination, [records.metrics(2)], 2)) == DONE


async def test_a_memory_of_sessions_that_cannot_be_written_costs_no_data(case, backend, place):
    """As on a full disk: known until the next start, then the session is started again under its key."""
    place.state.write_bytes(b"a file where the folder should be")
    async with opened(case, place) as destination:
        assert await destination.send(sealed_of(destination, [records.session_start(1)], 1)) == DONE
        assert await destination.send(sealed_of(destination, [records.metrics(2)], 2)) == DONE

    assert backend.asked[-1][0] == "/sessions/server-1/metrics"


async def test_data_waits_for_its_session_to_start_and_then_starts_it_itself(case, backend, place, clock):
    """A destination that is added in the middle of a session never gets the message that started it."""
    async with opened(case, place) as destination:
        sealed = sealed_of(destination, [records.metrics(1)], 1)
        first = await destination.send(sealed)
        clock.s += rest.GRACE_S - 1
        second = await destination.send(sealed)

        assert (first.verdict, second.verdict) == (Verdict.WAIT, Verdict.WAIT)
        assert not backend.asked
        clock.s += 2
        assert await destination.send(sealed) == DONE
        late = sealed_of(destination, [records.session_start(2)], 2)
        assert await destination.send(late) == DONE
        assert await destination.send(sealed_of(destination, [records.metrics(3)], 3)) == DONE
    started = json.loads(backend.stored[backend.asked[0][1]].body)
    assert started == {"device_serial": records.ECG, "device_info": {}}
    # All data of a session stays together, whatever came first.
    assert [path for path, _ in backend.asked if "metrics" in path] == ["/sessions/server-1/metrics"] * 2


async def test_a_start_whose_reply_was_lost_is_the_same_session(case, backend, place):
    async with opened(case, place) as destination:
        start = sealed_of(destination, [records.session_start(1)], 1)
        await destination.send(start)
    (place.state / "sessions.db").unlink()  # as if the box had died before it could note the answer
    async with opened(case, place) as destination:
        assert await destination.send(start) == DONE
        assert await destination.send(sealed_of(destination, [records.metrics(2)], 2)) == DONE

    assert backend.asked[-1][0] == "/sessions/server-1/metrics"


# -- the form of requests -------------------------------------------------------------------------------------


async def test_chunks_that_go_on_from_one_another_become_one_waveform(case, backend, place):
    destination = case.destination(place)
    some = [records.waveform(n) for n in range(1, 15)]
    gap = [records.waveform(1), records.waveform(2), records.waveform(3, first=1200)]
    other = [records.waveform(1), records.waveform(2, segment="seg-2")]
    sessions = [records.waveform(1), records.waveform(2, session="")]

    assert destination.gather(some) == 10
    assert (destination.gather(gap), destination.gather(other), destination.gather(sessions)) == (2, 1, 1)
    body = json.loads(destination.seal(records.key(1), some[:10]).data)
    assert list(body["leads"]) == ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    assert {len(values) for values in body["leads"].values()} == {5000}
    assert body["sampling_rate"] == 500


def test_the_plan_alone_takes_only_what_it_has_a_place_for(case, place):
    plain = case.destination(place, extensions=False)
    ours = case.destination(place)
    report, _ = records.report(1, place)
    inside = [
        records.metrics(1),
        records.waveform(1),
        records.session_start(1),
        records.session_end(1),
        report,
    ]
    outside = [records.metrics(1, session=""), records.alarm(1), records.oxygen(1)]

    assert [plain.takes(record) for record in inside] == [True] * 5
    assert [plain.takes(record) for record in outside] == [False] * 3
    assert all(ours.takes(record) for record in [*inside, *outside])


def test_the_plan_alone_is_the_plan_alone(case, place):
    destination = case.destination(place, extensions=False)
    body = json.loads(destination.seal(records.key(1), [records.metrics(1)]).data)

    assert list(body) == ["timestamp", "metrics"]


def test_a_record_that_keeps_no_contract_is_refused_before_it_is_sent(case, place):
    bad = records.record(1, records.metrics(1).lane, "ecg.metrics/1", {"heart_rate_bpm": "fast"})
    destination = case.destination(place)

    async def send():
        case.credentials(place.credentials)
        try:
            return await destination.send(destination.seal(records.key(1), [bad]))
        finally:
            await destination.close()

    outcome = asyncio.run(send())
    assert outcome.verdict is Verdict.REFUSED
    assert "heart_rate_bpm" in outcome.reason
    assert "fast" not in outcome.reason


async def test_a_report_goes_as_a_form_with_file_and_metadata(case, backend, place):
    report, data = records.report(5, place)
    async with opened(case, place) as destination:
        sealed = sealed_of(destination, [report])
        assert await destination.send(sealed) == DONE

    stored = backend.stored[sealed.key]
    assert stored.path == "/reports/upload"
    assert stored.file == data
    assert json.loads(stored.body)["report"]["filename"] == "ECG_Report_5.pdf"


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"url": "http://cloud.example.org/api/v1"}, "plain_http"),
        ({"url": "ftp://cloud.example.org"}, "https"),
        ({"url": "https://user:word@cloud.example.org"}, "password"),
        ({"url": "https://cloud.example.org", "identifier": "x"}, "password_file"),
        ({"url": "https://cloud.example.org", "pasword_file": "x"}, "pasword_file"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(place, options, key):
    with pytest.raises(BadOptions, match=key):
        make("rest", options, place)
