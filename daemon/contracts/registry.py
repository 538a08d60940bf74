"""Which message is which model, and the two ways through it: what we say, and what we hear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from daemon.contracts.box import v1 as box
from daemon.contracts.cpap import v1 as cpap
from daemon.contracts.ecg import v1 as ecg
from daemon.contracts.faults import BadMessage
from daemon.contracts.fields import SENDING, Body
from daemon.contracts.oximeter import v1 as oximeter
from daemon.contracts.oxygen import v1 as oxygen


@dataclass(frozen=True, slots=True)
class Contract:
    """A message's model. `minor` grows with every optional field or word; another meaning is another major version."""

    model: type[Body]
    minor: int = 0
    down: bool = False  # it comes to the box


CONTRACTS: Final[Mapping[str, Contract]] = {
    "ecg.metrics/1": Contract(ecg.Metrics),
    "ecg.waveform/1": Contract(ecg.Waveform),
    "ecg.arrhythmia/1": Contract(ecg.Arrhythmia),
    "cpap.metrics/1": Contract(cpap.Metrics),
    "cpap.config/1": Contract(cpap.Config, down=True),
    "oxygen.metrics/1": Contract(oxygen.Metrics),
    "oxygen.config/1": Contract(oxygen.Config, down=True),
    "oximeter.metrics/1": Contract(oximeter.Metrics),
    "box.session_start/1": Contract(box.SessionStart),
    "box.session_end/1": Contract(box.SessionEnd),
    "box.alarm/1": Contract(box.Alarm),
    "box.event/1": Contract(box.Event),
    "box.fact/1": Contract(box.Fact),
    "box.dropped/1": Contract(box.Dropped),
    "box.error/1": Contract(box.Error),
    "box.report/1": Contract(box.Report),
    "box.ownership/1": Contract(box.Ownership),
    "box.receipt/1": Contract(box.Receipt, down=True),
    "box.firmware/1": Contract(box.Firmware, down=True),
}

_WAVEFORM = CONTRACTS["ecg.waveform/1"]


def contract(message: str) -> Contract:
    """The contract of a message. Waveforms of every stream ("flow.waveform/1") keep that of the ECG. Raises `BadMessage`."""
    known = CONTRACTS.get(message)
    if known is None and message.endswith(".waveform/1"):
        known = _WAVEFORM
    if known is None:
        raise BadMessage("schema", f"{message} is not a message of ours")
    return known


def said(message: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A body that we say ourselves, as it goes into the outbox: every field known, every word known. Raises `BadMessage`.

    Fields keep the contract's order; those left out are given their default.
    """
    try:
        model = contract(message).model.model_validate(dict(body), extra="forbid", context=SENDING)
    except ValidationError as error:
        raise BadMessage.of(error) from None
    return model.model_dump()


def heard(message: str, body: Mapping[str, Any]) -> Body:
    """A body as read: unknown fields ignored, unknown words kept as text. Raises `BadMessage`."""
    try:
        return contract(message).model.model_validate(dict(body))
    except ValidationError as error:
        raise BadMessage.of(error) from None
