"""A record of the outbox as the forwarder handles it: times resolved, samples in hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daemon.model.outgoing import Lane
from daemon.model.signals import Channel, Counts, Nanos


@dataclass(frozen=True, slots=True)
class Samples:
    """A stored chunk: samples `first` .. of a segment, counts int32 of shape (channels, n), as they came from the device.

    `coded` are the bytes as stored, by coding `codec` (daemon/store/codec.py), `crc32` that of the counts.
    """

    segment: str
    stream: str
    first: int
    rate_hz: float
    period_ns: float
    channels: tuple[Channel, ...]
    counts: Counts
    codec: int
    crc32: int
    coded: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """One message. `key` (UUID text) is the same for ever: a receiver that has seen it has seen this record.

    `t_ns` and `boot` are when it was measured, `utc_ns` the same by the latest knowledge of the box's clock; `synced` False:
    that clock was never set in this boot and utc_ns is no more than a guess. `samples` are there for waveforms, else `body`.
    """

    seq: int
    key: str
    lane: Lane
    message: str
    device: str
    session: str
    boot: str
    t_ns: Nanos
    utc_ns: int
    synced: bool
    body: Mapping[str, Any]
    samples: Samples | None = None

    @property
    def service(self) -> str:
        """The "ecg" of "ecg.metrics/1"."""
        return self.message.partition(".")[0]

    @property
    def kind(self) -> str:
        """The "metrics" of "ecg.metrics/1"."""
        return self.message.partition(".")[2].partition("/")[0]
