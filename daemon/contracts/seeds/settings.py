"""Desired settings from a cloud, in the seeds' names or ours, and back.

The roadmap's names have no units (`target_pressure`, `rr_low`); ours do. Either is read; both at once must agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from daemon.contracts.cpap import v1 as cpap
from daemon.contracts.faults import BadMessage
from daemon.contracts.oxygen import v1 as oxygen
from daemon.contracts.registry import heard

Settings = cpap.Config | oxygen.Config

_OURS: Final = {
    "target_pressure": "target_pressure_cm_h2o",
    "leak_threshold": "leak_threshold_lpm",
    "rr_low": "rr_low_per_min",
    "rr_high": "rr_high_per_min",
}
_SEEDS: Final = {ours: seeds for seeds, ours in _OURS.items()}


def desired(service: str, document: Mapping[str, Any]) -> Settings:
    """What is asked of a device of `service` ("cpap", "oxygen"): the roadmap's message, its `config` alone, or a shadow's state.

    Raises `BadMessage` whose field is named as the sender named it. What is absent is not asked for.
    """
    config = document.get("config", document)
    if not isinstance(config, Mapping):
        raise BadMessage("config", "Input should be an object")
    try:
        settings = heard(f"{service}.config/1", _renamed(config, _OURS))
    except BadMessage as bad:
        raise BadMessage(_as_sent(bad.field, config), bad.reason, bad.more) from None
    assert isinstance(settings, cpap.Config | oxygen.Config)
    return settings


def document(serial: str, settings: Settings) -> dict[str, Any]:
    """The roadmap's message for these settings; what is not set is left out."""
    return {"serial": serial, "config": state(settings)}


def state(settings: Settings) -> dict[str, Any]:
    """The same as a shadow's state, in the roadmap's names."""
    return _renamed(settings.model_dump(exclude_none=True), _SEEDS)


def _renamed(config: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for name, value in config.items():
        new = names.get(name, name)
        if new in renamed and renamed[new] != value:
            raise BadMessage(name, f"differs from {new}")
        renamed[new] = _renamed(value, names) if isinstance(value, Mapping) else value
    return renamed


def _as_sent(field: str, config: Mapping[str, Any]) -> str:
    parts = []
    inner: Any = config
    for part in field.split("."):
        name = part
        if isinstance(inner, Mapping):
            name = part if part in inner else _SEEDS.get(part, part)
            inner = inner.get(name)
        parts.append(name)
    return ".".join(parts)
