"""Reading a device's configured options: text in, typed values out, every mistake named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


class Options:
    """The options of one device. Every read names what is known; `done` refuses the rest. All raise ValueError."""

    def __init__(self, kind: str, given: Mapping[str, str]) -> None:
        self._kind = kind
        self._given = given
        self._known: list[str] = []

    def has(self, name: str) -> bool:
        return name in self._given

    def choice(self, name: str, default: str, choices: Sequence[str]) -> str:
        """One of `choices`."""
        self._known.append(name)
        text = self._given.get(name, default)
        if text not in choices:
            raise ValueError(f"{self._kind}: {name} is {text!r}, must be one of {', '.join(choices)}")
        return text

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        self._known.append(name)
        text = self._given.get(name, str(default))
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise ValueError(f"{self._kind}: {name} is {text!r}, must be a number from {low:g} to {high:g}")
        return value

    def done(self) -> None:
        """No option is left that nobody read: it would be a typing mistake."""
        unknown = sorted(set(self._given) - set(self._known))
        if unknown:
            known = ", ".join(self._known) or "it has none"
            raise ValueError(f"{self._kind}: unknown option {unknown[0]!r} (options: {known})")
