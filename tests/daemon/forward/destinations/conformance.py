"""What every destination must keep, each against its real server. Names say what holds; `cases.py` and `servers.py` are the servers.

The modules test_conformance_*.py take these tests and say for which cases; `over` says which of them a test is about.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import logging
import time
import tracemalloc

import pytest

from daemon.contracts.envelope import read_lines
from daemon.forward.destinations import DONE, Verdict
from tests.daemon.forward.destinations import records
from tests.daemon.forward.faults_proxy import Faults, FaultsProxy, unanswering_port

numbers = itertools.count(1)


def over(*, without=()):
    """For all cases but these (by name)."""

    def mark(test):
        test.without = frozenset(without)
        return test

    return mark


LOCAL = {"folder", "stick"}
every = over()
remote = over(without={*LOCAL, "gcs-emulator"})


@contextlib.asynccontextmanager
async def opened(case, place, port=None, **more):
    """A destination of the case, signed in where it has to be."""
    case.credentials(place.credentials)
    destination = case.destination(place, port, **more)
    try:
        assert await destination.open() == DONE
        yield destination
    finally:
        await destination.close()


def sealed_of(destination, some):
    """As much as goes into one request, under a key of its own."""
    assert all(destination.takes(record) for record in some)
    return destination.seal(records.key(next(numbers)), some[: destination.gather(some)])


def one():
    """A record that waits for no session to start (test_rest.py has those)."""
    return [records.metrics(next(numbers), session="")]


def large(case):
    """A waveform that fills `case.size` bytes after coding, or hardly less."""
    seconds = case.size / (500 * 8 * 4) * 0.9
    return [records.waveform(next(numbers), seconds, noisy=True, session="")]


@every
async def test_what_is_sent_arrives_bit_for_bit(case, place):
    async with opened(case, place) as destination:
        for some in (
            [records.session_start(1)],
            [records.metrics(n) for n in range(2, 6)],
            [records.waveform(n) for n in range(1, 8)],
            [records.alarm(9)],
        ):
            sealed = sealed_of(destination, some)

            assert await destination.send(sealed) == DONE
            assert case.arrived(sealed) == [sealed.data]


@over(without={"mqtt"})
async def test_a_report_arrives_with_its_file(case, place):
    record, data = records.report(next(numbers), place, 6_000_000 if case.kind == "s3" else 30_000)
    async with opened(case, place) as destination:
        sealed = sealed_of(destination, [record])

        assert (await destination.send(sealed)).verdict is Verdict.DONE
        assert (await destination.send(sealed)).verdict is Verdict.DONE
        assert case.arrived(sealed) == [sealed.data]
        assert case.arrived_file(sealed) == [data]


@over(without={"mqtt"})
async def test_a_report_whose_file_is_gone_or_another_is_refused(case, place):
    record, data = records.report(next(numbers), place)
    file = place.reports / record.body["filename"]
    async with opened(case, place) as destination:
        sealed = sealed_of(destination, [record])
        file.write_bytes(data[:-1] + b"X")
        another = await destination.send(sealed)
        file.unlink()
        gone = await destination.send(sealed)

    assert (another.verdict, gone.verdict) == (Verdict.REFUSED, Verdict.REFUSED)
    assert case.arrived(sealed) == []


@over(without={"rest", "batch", "dropbox", "mqtt", "azure", "gcs", "gcs-emulator"})
async def test_a_large_report_is_never_in_memory_as_a_whole(case, place):
    """Of those whose servers are other processes; azure and gcs hold it, and say so (docs/destinations.md)."""
    record, _ = records.report(next(numbers), place, 20_000_000)
    async with opened(case, place) as destination:
        sealed = sealed_of(destination, [record])
        del record, _
        await destination.send(sealed_of(destination, one()))  # what libraries load is not counted
        tracemalloc.start()
        try:
            outcome = await destination.send(sealed)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert outcome.verdict is Verdict.DONE
        assert peak < 15_000_000


@every
async def test_the_same_bytes_twice_are_stored_once_and_done_both_times(case, place):
    async with opened(case, place) as destination:
        sealed = sealed_of(destination, one())
        outcomes = [await destination.send(sealed) for _ in range(3)]

        assert outcomes == [DONE] * 3
        assert case.arrived(sealed) == [sealed.data]


@every
async def test_as_many_at_once_as_it_says(case, place):
    async with opened(case, place) as destination:
        some = [sealed_of(destination, one()) for _ in range(2 * destination.bounds.at_once)]
        outcomes = await asyncio.gather(*(destination.send(sealed) for sealed in some))

        assert outcomes == [DONE] * len(some)
        assert all(case.arrived(sealed) == [sealed.data] for sealed in some)


@every
async def test_it_can_be_closed_and_opened_again(case, place):
    async with opened(case, place) as destination:
        for _ in range(3):
            sealed = sealed_of(destination, one())
            assert await destination.send(sealed) == DONE
            assert case.arrived(sealed) == [sealed.data]
            await destination.close()
            assert await destination.open() == DONE
        await destination.close()
        await destination.close()  # twice does no harm


@every
async def test_send_needs_no_open(case, place):
    case.credentials(place.credentials)
    destination = case.destination(place)
    sealed = sealed_of(destination, one())
    try:
        assert await destination.send(sealed) == DONE
    finally:
        await destination.close()


@every
def test_sealing_is_pure(case, place, tmp_path):
    case.credentials(place.credentials)
    (tmp_path / "other").mkdir()
    one = case.destination(place)
    two = case.destination(records.place(tmp_path / "other"))
    for some in (
        [records.metrics(1), records.oxygen(2), records.metrics(3)],
        [records.waveform(1), records.waveform(2)],
        [records.session_start(4)],
        [records.alarm(5)],
    ):
        n = one.gather(some)
        key = records.key(77)

        assert 1 <= n <= len(some)
        assert n == two.gather(some)
        assert one.seal(key, some[:n]) == one.seal(key, some[:n]) == two.seal(key, some[:n])
        assert one.seal(key, some[:n]).data != one.seal(
            records.key(78, ms=1_736_339_799_000), some[:n]
        ).data or (case.kind == "rest")


@over(without={"rest"})
async def test_a_name_goes_only_where_it_may(case, place):
    case.credentials(place.credentials)
    for named in (False, True):
        destination = case.destination(place, named_patients=named)
        sealed = destination.seal(records.key(next(numbers)), [records.session_start(1)])
        data = gzip.decompress(sealed.data) if sealed.coding else sealed.data

        assert (records.PATIENT.encode() in data) == named
        assert b"p-17" in data


@over(without={"rest", "mqtt"})
def test_a_file_holds_the_envelopes_of_its_records(case, place):
    case.credentials(place.credentials)
    destination = case.destination(place)
    some = [records.metrics(1), records.metrics(2), records.metrics(3)]
    sealed = destination.seal(records.key(3), some[: destination.gather(some)])
    envelopes = read_lines(gzip.decompress(sealed.data))

    assert [e.key for e in envelopes] == [r.key for r in some]
    assert [e.body for e in envelopes] == [r.body for r in some]
    assert envelopes[0].measured_at == "2025-01-08T12:34:57.789Z"
    assert envelopes[0].sent_at == "2025-01-08T12:35:00.000Z"


@remote
async def test_cut_in_the_middle_and_sent_again_it_is_whole(case, place):
    async with FaultsProxy("127.0.0.1", case.port) as proxy, opened(case, place, proxy.port) as destination:
        sealed = sealed_of(destination, large(case))
        assert len(sealed.data) > case.halfway
        assert await destination.send(sealed_of(destination, one())) == DONE
        await destination.close()
        async with case.cutting(proxy):
            cut = await destination.send(sealed)

        assert cut.verdict is Verdict.AGAIN
        assert case.arrived(sealed) == []
        proxy.faults = Faults()
        assert await destination.send(sealed) == DONE
        assert case.arrived(sealed) == [sealed.data]


@over(without={*LOCAL, "gcs-emulator", "mqtt", "sftp", "ftp"})
async def test_a_lost_reply_is_again_and_then_done_once(case, place):
    async with FaultsProxy("127.0.0.1", case.port) as proxy, opened(case, place, proxy.port) as destination:
        assert await destination.send(sealed_of(destination, one())) == DONE
        sealed = sealed_of(destination, one())
        proxy.faults = Faults(drop_reply=True)

        assert (await destination.send(sealed)).verdict is Verdict.AGAIN
        proxy.faults = Faults()
        assert await destination.send(sealed) == DONE
        assert case.arrived(sealed) == [sealed.data]


@remote
async def test_server_down_is_again_and_up_again_done(case, place):
    async with FaultsProxy("127.0.0.1", case.port) as proxy, opened(case, place, proxy.port) as destination:
        sealed = sealed_of(destination, one())
        await proxy.stop()
        outcomes = [await destination.send(sealed) for _ in range(2)]

        assert [o.verdict for o in outcomes] == [Verdict.AGAIN] * 2
        assert all(o.reason for o in outcomes)
        await proxy.start()
        assert await destination.send(sealed) == DONE
        assert case.arrived(sealed) == [sealed.data]


@remote
@pytest.mark.slow
@pytest.mark.parametrize(
    "faults", [Faults(blackhole=True), Faults(byte_a_second=True)], ids=["silent", "slow"]
)
async def test_a_server_that_does_not_answer_is_again_within_the_timeout(case, place, faults):
    case.credentials(place.credentials)
    async with FaultsProxy("127.0.0.1", case.port, faults) as proxy:
        destination = case.destination(place, proxy.port, timeout_s=1)
        sealed = sealed_of(destination, one())
        began = time.monotonic()
        outcome = await destination.send(sealed)
        took = time.monotonic() - began

        assert outcome.verdict is Verdict.AGAIN
        assert took < 5
        proxy.faults = Faults()
        proxy.sever()
        await _until_done(destination, sealed)
        assert case.arrived(sealed) == [sealed.data]
        await destination.close()


@remote
async def test_a_server_that_cannot_be_reached_is_again_within_the_timeout(case, place):
    """Its first packet is dropped, as a firewall does."""
    case.credentials(place.credentials)
    with unanswering_port() as port:
        destination = case.destination(place, port, timeout_s=0.5)
        began = time.monotonic()
        outcome = await destination.send(sealed_of(destination, one()))
        took = time.monotonic() - began
        await destination.close()

    assert outcome.verdict is Verdict.AGAIN
    assert took < 5


async def _until_done(destination, sealed):
    """A try that is still dying may take the next one with it; not the one after."""
    async with asyncio.timeout(30):
        while (await destination.send(sealed)) != DONE:
            await asyncio.sleep(0.05)


@remote
async def test_a_wrong_credential_parks_and_a_right_one_resumes(case, place):
    case.credentials(place.credentials)
    destination = case.destination(place)
    sealed = sealed_of(destination, one())
    case.credentials(place.credentials, wrong=True)
    try:
        opening = await destination.open()
        outcome = opening if opening.verdict is Verdict.PARKED else await destination.send(sealed)

        assert outcome.verdict is Verdict.PARKED
        assert case.arrived(sealed) == []
        case.credentials(place.credentials)
        assert await destination.open() == DONE
        assert await destination.send(sealed) == DONE
        assert case.arrived(sealed) == [sealed.data]
    finally:
        await destination.close()


@remote
async def test_a_missing_credential_parks(case, place):
    destination = case.destination(place)
    sealed = sealed_of(destination, one())
    for file in place.credentials.iterdir():
        file.unlink()
    try:
        outcome = await destination.send(sealed)
    finally:
        await destination.close()

    assert outcome.verdict is Verdict.PARKED
    assert "credential" in outcome.reason or "cannot be read" in outcome.reason


@every
async def test_too_large_is_split(case, place):
    if case.kind == "rest":
        case.backend.largest = 1500
        more = {}
    else:
        more = {"largest_bytes": 1024}
    async with opened(case, place, **more) as destination:
        sealed = sealed_of(destination, [records.waveform(next(numbers), session="")])
        outcome = await destination.send(sealed)
        if case.kind == "rest":
            case.backend.largest = 1 << 20

        assert outcome.verdict is Verdict.SPLIT
        assert case.arrived(sealed) == []


@remote
async def test_no_secret_is_ever_said(case, place, caplog):
    """In a reason, a representation or a line of the log, its own or its library's, while everything goes wrong."""
    caplog.set_level(logging.DEBUG)
    secret = [
        *case.credentials(place.credentials),
        *case.credentials(place.credentials, wrong=True),
        records.PATIENT,
    ]
    told = []
    async with FaultsProxy("127.0.0.1", case.port) as proxy:
        destination = case.destination(place, proxy.port, timeout_s=0.6)
        for wrong, faults in ((True, Faults()), (False, Faults()), (False, Faults(blackhole=True))):
            case.credentials(place.credentials, wrong=wrong)
            proxy.faults = faults
            proxy.sever()
            sealed = sealed_of(destination, [records.session_start(next(numbers))])
            told += [await destination.open(), await destination.send(sealed)]
            told += [repr(destination), repr(vars(destination))]
        await destination.close()
    said = "\n".join([*map(str, told), *(record.getMessage() for record in caplog.records)])

    assert not [word for word in secret if word in said]
