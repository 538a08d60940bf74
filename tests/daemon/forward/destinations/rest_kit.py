"""The seeds' REST backend for its two files of tests: a server as new, a clock moved by hand, a destination that is open."""

from __future__ import annotations

from contextlib import ExitStack, asynccontextmanager
from types import SimpleNamespace

import pytest

from daemon.forward.destinations import DONE, account, rest
from tests.daemon.forward.destinations import records
from tests.daemon.forward.destinations.cases import RestCase
from tests.daemon.forward.destinations.rest_server import Backend


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    with ExitStack() as stack:
        yield RestCase(tmp_path_factory.mktemp("rest"), stack)


@pytest.fixture
def backend(case):
    """The server as new."""
    fresh = Backend()
    vars(case.backend).update(vars(fresh))
    return case.backend


@pytest.fixture
def clock(monkeypatch):
    """The monotonic clock of the account and of waiting sessions, moved by hand."""
    now = SimpleNamespace(s=1000.0)
    for module in (account, rest):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now.s))
    return now


@asynccontextmanager
async def opened(case, place, **more):
    case.credentials(place.credentials)
    destination = case.destination(place, **more)
    try:
        assert await destination.open() == DONE
        yield destination
    finally:
        await destination.close()


def sealed_of(destination, some, number=1):
    return destination.seal(records.key(number), some[: destination.gather(some)])


def outside(seq=1):
    return [records.metrics(seq, session="")]
