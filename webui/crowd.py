"""How many may be here at once: connections and live sockets of one address, and of all.

The box's own screen is never counted and never sent away: whoever fills the pages from the network leaves it its place.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from webui import signed

MOST_OF_ONE = 64
"""Connections of one address: a browser holds up to seven for a page that it shows."""

MOST = 1024
"""Connections in all; the process may have four times as many files open (LimitNOFILE)."""

MOST_LIVE_OF_ONE = 24
"""Live sockets of one address, each a screen that shows a bed."""

MOST_LIVE = 96

log = logging.getLogger(__name__)


def counted_as(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: a machine has as many as it wants in there."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = getattr(found, "ipv4_mapped", None) or found
    if mapped.version == 6:
        return str(ipaddress.ip_network((mapped, 64), strict=False))
    return str(mapped)


class Crowd:
    """Counts who is here. A connection is here until its socket is closed."""

    def __init__(self) -> None:
        self._connections: dict[str, list[socket.socket]] = {}
        self._live: Counter[str] = Counter()
        self._full = False

    def lets_in(self, address: str, connection: socket.socket) -> bool:
        """Whether this one more may be here; it is counted then."""
        if signed.at_bedside(address):
            return True
        whose = counted_as(address)
        here = self._open(whose)
        if len(here) >= MOST_OF_ONE or self._count() >= MOST:
            if not self._full:
                log.warning("%s has %d connections: more are refused", address, len(here))
            self._full = True
            return False
        self._full = False
        self._connections[whose] = [*here, connection]
        return True

    @contextmanager
    def watches(self, address: str) -> Iterator[bool]:
        """While a live socket is open; False: there are too many."""
        if signed.at_bedside(address):
            yield True
            return
        whose = counted_as(address)
        if self._live[whose] >= MOST_LIVE_OF_ONE or self._live.total() >= MOST_LIVE:
            log.warning("%s has %d live sockets: one more is refused", address, self._live[whose])
            yield False
            return
        self._live[whose] += 1
        try:
            yield True
        finally:
            self._live[whose] -= 1
            if not self._live[whose]:
                del self._live[whose]

    def _open(self, whose: str) -> list[socket.socket]:
        return [one for one in self._connections.get(whose, ()) if one.fileno() >= 0]

    def _count(self) -> int:
        """Of all; those that have gone are forgotten on the way, once there may be too many."""
        if sum(map(len, self._connections.values())) >= MOST:
            kept = {whose: self._open(whose) for whose in self._connections}
            self._connections = {whose: here for whose, here in kept.items() if here}
        return sum(map(len, self._connections.values()))
