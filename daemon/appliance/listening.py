"""Bytes of a port that the daemon does not hold: read raw for some seconds, without a word sent."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator

from daemon.acquisition.line import CannotOpen, open_line
from firmware_bridge.boards import BOARDS
from firmware_bridge.frames import PortSettings
from firmware_bridge.probe import Probe, Verdict

SLICE_S = 0.1
PIECE = 4096

__all__ = ["CannotOpen", "Nobody", "listen", "recognise"]


class Nobody(Exception):
    """The port went away while it was read."""


def listen(port: str, seconds: float, settings: PortSettings) -> Iterator[tuple[int, bytes]]:
    """What arrives, with ns since the beginning. Raises `CannotOpen`, `Nobody`."""
    line = open_line(port, settings)
    try:
        began_ns = time.monotonic_ns()
        until_ns = began_ns + round(seconds * 1e9)
        while (now_ns := time.monotonic_ns()) < until_ns:
            left_s = min((until_ns - now_ns) / 1e9, SLICE_S)
            if not select.select([line.fd], [], [], left_s)[0]:
                continue
            try:
                data = line.read(PIECE)
            except OSError as error:
                raise Nobody(str(error)) from None
            if data:
                yield time.monotonic_ns() - began_ns, data
    finally:
        line.close()


def recognise(port: str, seconds: float) -> tuple[Verdict, int]:
    """Whose bytes come in at a port that nobody holds, at the line settings of the most boards; and how many came."""
    settings = [kind.FACTS.port for kind in BOARDS.values()]
    speeds = list(dict.fromkeys((one.baud, one.parity) for one in settings))
    heard = 0
    for baud, parity in speeds:
        probe = Probe(BOARDS, ask=False)
        plain = PortSettings(baud, parity, dtr=None, rts=None)
        for t_ns, data in listen(port, seconds / len(speeds), plain):
            heard += len(data)
            probe.feed(data, t_ns)
            verdict = probe.verdict(t_ns)
            if verdict is not None and verdict.kind:
                return verdict, heard
    return Verdict("", 0.0, "unrecognised" if heard else "silent"), heard
