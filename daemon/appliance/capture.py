r"""Raw bytes of a port with the times at which they arrived, in a file that needs no library to be read.

    b"VITALD CAPTURE 1\n"
    one line of JSON: {"port", "kind", "baud", "began_utc"}
    then for each arrival: t_ns u64, n u32 (little-endian), n bytes

`t_ns` counts nanoseconds from the beginning of the capture. A file that was cut off is good up to its last whole arrival.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

MAGIC = b"VITALD CAPTURE 1\n"
_ARRIVAL = struct.Struct("<QI")
MOST_AN_ARRIVAL = 1 << 20


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture, or a file of mere bytes: then `about` is empty and `arrivals` is one, at 0."""

    about: dict[str, str | int] = field(default_factory=dict)
    arrivals: tuple[tuple[int, bytes], ...] = ()
    cut_off: bool = False


def head(about: dict[str, str | int]) -> bytes:
    """The beginning of a file."""
    return MAGIC + json.dumps(about, sort_keys=True).encode() + b"\n"


def arrival(t_ns: int, data: bytes) -> bytes:
    """One arrival."""
    return _ARRIVAL.pack(t_ns, len(data)) + data


def read(data: bytes) -> Capture:
    """What a file holds, whatever it is."""
    if not data.startswith(MAGIC):
        return Capture(arrivals=((0, data),) if data else ())
    line, _, rest = data[len(MAGIC) :].partition(b"\n")
    try:
        about = dict(json.loads(line))
    except ValueError:
        return Capture(cut_off=True)
    found = list(_arrivals(rest))
    whole = sum(_ARRIVAL.size + len(piece) for _, piece in found) == len(rest)
    return Capture(about, tuple(found), cut_off=not whole)


def _arrivals(rest: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ARRIVAL.size <= len(rest):
        t_ns, count = _ARRIVAL.unpack_from(rest, at)
        begin = at + _ARRIVAL.size
        if count > MOST_AN_ARRIVAL or begin + count > len(rest):
            return
        yield t_ns, rest[begin : begin + count]
        at = begin + count
