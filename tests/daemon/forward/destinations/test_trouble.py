"""What trouble means, where no server is needed to say so."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.forward.destinations import Verdict
from daemon.forward.destinations.place import Ended
from daemon.forward.destinations.trouble import LONGEST_WAIT_S, meaning, of_status, patience, tried
from tests.daemon.forward.destinations import records

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("-5", 0),
        ("1e3", 0),
        ("99999", LONGEST_WAIT_S),
        ("Thu, 01 Jan 2026 12:01:40 GMT", 100),
        ("Thursday, 01-Jan-26 12:01:40 GMT", 100),  # RFC 850
        ("Thu Jan  1 12:01:40 2026", 100),  # asctime
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("Thu, 01 Jan 2099 11:00:00 GMT", LONGEST_WAIT_S),
        ("tomorrow", 0),
    ],
)
def test_patience(value, seconds):
    assert patience(value, NOW) == seconds


@given(st.text(max_size=40))
def test_patience_takes_whatever_a_server_says(value):
    assert 0 <= patience(value, NOW) <= LONGEST_WAIT_S


@given(st.integers(100, 999))
def test_every_status_means_something(status):
    outcome = of_status(status)

    assert (outcome is None) == (200 <= status < 300)
    assert outcome is None or (outcome.reason and outcome.verdict is not Verdict.DONE)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (TimeoutError(), Verdict.AGAIN),
        (ConnectionRefusedError(), Verdict.AGAIN),
        (ConnectionResetError(), Verdict.AGAIN),
        (socket.gaierror(-2, "x"), Verdict.AGAIN),
        (OSError(113, "no route"), Verdict.AGAIN),
        (OSError(28, "full"), Verdict.WAIT),
        (PermissionError(13, "no"), Verdict.PARKED),
        (ssl.SSLEOFError(8, "eof"), Verdict.AGAIN),
        (EOFError(), Verdict.AGAIN),
        (KeyError("a bug"), None),
    ],
)
def test_meaning(error, verdict):
    outcome = meaning(error)

    assert (outcome and outcome.verdict) == verdict


def test_what_an_error_came_from_says_more_than_what_it_was_wrapped_in():
    error = OSError(99, "wrapped")
    error.__cause__ = ConnectionRefusedError()

    assert meaning(error).reason == "the server refused the connection"


async def test_a_bug_is_raised_and_not_called_trouble():
    async def work():
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await tried(work(), 1.0, lambda _error: None)


async def test_the_words_of_others_are_not_passed_on():
    async def work():
        raise OSError(5, "token=hunter2")

    outcome = await tried(work(), 1.0, lambda _error: None)
    assert "hunter2" not in outcome.reason


def test_secrets_are_not_shown(tmp_path):
    place = records.place(tmp_path)
    (place.credentials / "word").write_text("hunter2\n")

    assert place.secret("word").get_secret_value() == "hunter2"
    assert "hunter2" not in repr(place.secret("word")) + str(place.secret("word"))
    with pytest.raises(Ended) as ended:
        place.secret("other")
    assert ended.value.outcome.verdict is Verdict.PARKED
    (place.credentials / "none").write_text("\n")
    with pytest.raises(Ended):
        place.secret("none")
