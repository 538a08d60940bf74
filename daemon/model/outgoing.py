"""What leaves the house: messages for the clouds, in the order in which they were said.

The daemon appends them to its outbox in the transaction of what they tell of; the forwarder reads them there. A message is
named after its contract, `<service>.<name>/<version>` ("ecg.metrics/1"); its body is that contract's, as JSON holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from daemon.model.signals import Nanos


class Lane(IntEnum):
    """Classes of what is sent, the most urgent first: a full link carries each its share, alarms before all."""

    ALARMS = 0
    EVENTS = 1
    METRICS = 2
    WAVEFORM = 3
    REPORTS = 4


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message about a bed, measured at `t_ns` by `device` (its serial number; "" = the box itself).

    Waveforms are none of these: every stored chunk is in the outbox by its place.
    """

    t_ns: Nanos
    lane: Lane
    message: str
    device: str
    body: Mapping[str, Any]
