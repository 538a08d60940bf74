"""Desired settings from a cloud, in the seeds' names or ours, and back.

The roadmap's names have no units (`target_pressure`, `rr_low`); ours do. Either is read; both at once must agree.
"""

from __future__ import annotations

import hashlib
import json
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
    config = _config(document)
    try:
        settings = heard(f"{service}.config/1", _renamed(config, _OURS))
    except BadMessage as bad:
        raise BadMessage(_as_sent(bad.field, config), bad.reason, bad.more) from None
    assert isinstance(settings, cpap.Config | oxygen.Config)
    return settings


def unknown(service: str, document: Mapping[str, Any]) -> tuple[str, ...]:
    """What the document asks for that no such device has, as the sender named it."""
    sent = _config(document)
    if service == "cpap":
        known = {*cpap.Config.model_fields, *(f"alerts.{name}" for name in cpap.Alerts.model_fields)}
    else:
        known = set(oxygen.Config.model_fields)
    names = zip(flat(sent), flat(_renamed(sent, _OURS)), strict=True)
    return tuple(as_sent for as_sent, ours in names if ours not in known)


def flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted name ("alerts.rr_low_per_min"); what is null is left out."""
    out: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            out |= {f"{name}.{inner}": v for inner, v in flat(value).items()}
        elif value is not None:
            out[name] = value
    return out


def as_seeds(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted name of ours, as the roadmap's document has them."""
    out: dict[str, Any] = {}
    for name, value in settings.items():
        *groups, last = name.split(".")
        inner = out
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[_SEEDS.get(last, last)] = value
    return out


def seeds_name(name: str) -> str:
    """The roadmap's name of a setting, dotted."""
    return ".".join(_SEEDS.get(part, part) for part in name.split("."))


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of what is asked for: JSON of the settings in our names, keys sorted, without spaces or nulls."""
    told = flat(_renamed(_config(document), _OURS))
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def document(serial: str, settings: Settings) -> dict[str, Any]:
    """The roadmap's message for these settings; what is not set is left out."""
    return {"serial": serial, "config": state(settings)}


def state(settings: Settings) -> dict[str, Any]:
    """The same as a shadow's state, in the roadmap's names."""
    return _renamed(settings.model_dump(exclude_none=True), _SEEDS)


def _config(document: Mapping[str, Any]) -> Mapping[str, Any]:
    config = document.get("config", document)
    if not isinstance(config, Mapping):
        raise BadMessage("config", "Input should be an object")
    return config


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
