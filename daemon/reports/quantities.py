"""Numbers in words, as on the pages: names, units, criteria."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daemon.reports.whose import number
from daemon.words import say

_RELATIONS = {">=": "≥", "<=": "≤"}
_DECIMALS = {"mV": 2, "mV/s": 1, "s": 2, "L/min": 1, "cmH2O": 1, "/h": 1, "h": 1, "degC": 1}


def name_of(name: str, lead: str = "") -> str:
    """What a number is called; "st_j.V2" is that of a lead."""
    own, _, of = name.partition(".")
    of = of or (lead if lead != "global" else "")
    keys = (f"number.{own}", f"report.number.{own}")
    text = next((said for key in keys if (said := say(key)) != key), own.replace("_", " "))
    return say("number.in_lead", name=text, lead=of) if of else text


def unit_of(unit: str) -> str:
    """The symbol of a unit as people write it."""
    key = f"unit.{unit}"
    text = say(key)
    return unit if text == key else text


def quantity(value: float | None, unit: str, digits: int | None = None) -> str:
    """A number with its unit."""
    if value is None:
        return number(None)
    plain = 2 if unit in {"", "1"} and value != round(value) else 0
    symbol = unit_of(unit)
    return (
        number(value, _DECIMALS.get(unit, plain) if digits is None else digits)
        + (" " if symbol and symbol != "°" else "")
        + symbol
    )


def criterion(one: Mapping[str, Any]) -> str:
    """What was measured against what, as the pages say it."""
    name, value = name_of(one["name"], one["lead"]), quantity(one["value"], one["unit"])
    if one["limit"] is None:
        return say("ecg.criterion", name=name, value=value)
    relation = _RELATIONS.get(one["relation"], one["relation"])
    return say(
        "ecg.criterion_limit",
        name=name,
        value=value,
        relation=relation,
        limit=quantity(one["limit"], one["unit"]),
    )


def reason(why: str) -> str:
    """Why a number is absent."""
    return say(f"why.{why}")
