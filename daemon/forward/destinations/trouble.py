"""What ordinary trouble on a network means, in words for a person: one place, so that every destination says the same.

Texts of libraries and servers are never passed on: they may hold an address with a secret in it, or a patient's data.
"""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from daemon.forward.destinations import DONE, Outcome, Verdict
from daemon.forward.destinations.place import Ended

Known = Callable[[Exception], Outcome | None]

_UNKNOWN_CA: Final = {18, 19, 20, 21}  # X509_V_ERR_*: self-signed, or no authority that is believed
_EXPIRED: Final = 10
_NOT_YET: Final = 9
_WRONG_NAME: Final = {62, 64}  # host name, IP address

# Alerts with which a server turns the box's own certificate down (RFC 8446 6.2).
_TURNED_DOWN: Final = re.compile(r"ALERT_(.*CERTIFICATE.*|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)")

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN: Final = {errno.EACCES, errno.EPERM, errno.EROFS}

LONGEST_WAIT_S: Final = 3600.0
"""A server that asks for more patience than this is asked again after it."""


async def tried(work: Awaitable[str | None], timeout_s: float, known: Known) -> Outcome:
    """The outcome of `work`, given so many seconds; what it gives is the name of a file there. `known` says what the library's own errors mean.

    What neither knows is a bug of ours and is raised.
    """
    try:
        async with asyncio.timeout(timeout_s):
            remote = await work
    except Ended as ended:
        return ended.outcome
    except Exception as error:
        outcome = meaning(error) or known(error)
        if outcome is None:
            raise
        return outcome
    return Outcome(Verdict.DONE, remote=remote) if remote else DONE


def meaning(error: BaseException) -> Outcome | None:
    """What an error, or one that it came from, means; None for what is no trouble of a network or a disk."""
    links = list(_chain(error))
    for link in links:
        # aiohttp's errors are of these classes and have none of their fields; what they came from has.
        if isinstance(link, ssl.SSLCertVerificationError) and hasattr(link, "verify_code"):
            return _untrusted(link.verify_code)
        if isinstance(link, ssl.SSLError) and _TURNED_DOWN.search(getattr(link, "reason", "") or ""):
            return Outcome(Verdict.PARKED, "the server does not accept the box's certificate")
    for link in reversed(links):  # what it came from says more than what it was wrapped in
        if (outcome := _of_one(link)) is not None:
            return outcome
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _untrusted(code: int) -> Outcome:
    if code == _EXPIRED:
        return Outcome(Verdict.PARKED, "the server's certificate has expired (or the box's clock is wrong)")
    if code == _NOT_YET:
        return Outcome(
            Verdict.PARKED, "the server's certificate is not valid yet (is the box's clock right?)"
        )
    if code in _WRONG_NAME:
        return Outcome(Verdict.PARKED, "the server's certificate is for another name")
    if code in _UNKNOWN_CA:
        return Outcome(Verdict.PARKED, "the server's certificate is from nobody the box believes")
    return Outcome(Verdict.PARKED, f"the server's certificate is not good (code {code})")


def _of_one(error: BaseException) -> Outcome | None:
    if isinstance(error, TimeoutError):
        return Outcome(Verdict.AGAIN, "no answer in time")
    if isinstance(error, ConnectionRefusedError):
        return Outcome(Verdict.AGAIN, "the server refused the connection")
    if isinstance(error, socket.gaierror):
        return Outcome(Verdict.AGAIN, "the server's name is not known: no network, or no name service")
    if isinstance(error, ConnectionError | EOFError | ssl.SSLError):
        return Outcome(Verdict.AGAIN, "the connection was lost")
    if isinstance(error, OSError) and error.errno is not None:  # without a number it is a library's own
        if error.errno in _FULL:
            return Outcome(Verdict.WAIT, "no space left there", 60.0)
        if error.errno in _FORBIDDEN:
            return Outcome(Verdict.PARKED, "not allowed to write there")
        return Outcome(Verdict.AGAIN, f"no way there ({errno.errorcode.get(error.errno, 'unknown')})")
    return None


def patience(value: str | None, now: datetime | None = None) -> float:
    """Seconds that a `Retry-After` header asks for, as a number or as a date (RFC 9110 10.2.3); 0 for none or nonsense."""
    text = (value or "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return min(float(text), LONGEST_WAIT_S)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    wait = (until - (now or datetime.now(UTC))).total_seconds()
    return min(max(wait, 0.0), LONGEST_WAIT_S)


def of_status(status: int, retry_after: str | None = None) -> Outcome | None:
    """What a status of HTTP means where the destination knows nothing better; None for success."""
    if 200 <= status < 300:
        return None
    if status in {401, 403}:
        return Outcome(Verdict.PARKED, f"the server does not accept the box's credentials ({status})")
    if status == 404:
        return Outcome(Verdict.PARKED, "the server knows no such place (404): is the address right?")
    if status in {408, 425, 429}:
        return Outcome(Verdict.WAIT, f"the server asks for patience ({status})", patience(retry_after))
    if status == 413:
        return Outcome(Verdict.SPLIT, "too large for the server (413)")
    if status in {400, 422}:
        return Outcome(Verdict.REFUSED, f"the server finds a fault in the data ({status})")
    if status == 507:
        return Outcome(Verdict.WAIT, "no space left there (507)", patience(retry_after) or 60.0)
    if status >= 500:
        return Outcome(Verdict.AGAIN, f"trouble at the server ({status})", patience(retry_after))
    if 300 <= status < 400:
        return Outcome(Verdict.PARKED, f"the server sends us elsewhere ({status}): is the address right?")
    return Outcome(Verdict.REFUSED, f"the server does not take this ({status})")
