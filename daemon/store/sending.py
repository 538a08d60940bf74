"""A message into the outbox, within the transaction of what it tells of."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

import numpy as np

from daemon.model.outgoing import Lane
from daemon.model.signals import Nanos

_INSERT = "INSERT INTO outbox (lane, message, boot, t_ns, device, session, place, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def send(
    db: sqlite3.Connection,
    boot: int,
    lane: Lane,
    message: str,
    t_ns: Nanos,
    device: str,
    session: str,
    body: Mapping[str, object],
) -> int:
    """Append a message; `boot` is the boot's row, `session` a session's name. Gives the length of the body."""
    text = as_json(body)
    db.execute(_INSERT, (int(lane), message, boot, int(t_ns), device, session, None, text))
    return len(text)


def send_chunk(
    db: sqlite3.Connection, boot: int, stream: str, t_ns: Nanos, device: str, session: str, place: int
) -> None:
    """Append the message of a stored chunk: its samples are read where they are stored."""
    db.execute(
        _INSERT, (int(Lane.WAVEFORM), f"{stream}.waveform/1", boot, t_ns, device, session, place, None)
    )


def as_json(body: object) -> str:
    """Compact JSON; numbers may be numpy's, as analysis makes them."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False, default=plain)


def plain(value: object) -> object:
    """A numpy scalar as Python's; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value
