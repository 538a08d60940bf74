"""Faults to order: what a network, a busy server or a bad deployment does, so that a client can be tried against it.

`POST /_admin/faults` takes {"rules": [...]}; a rule is

    {"do": "status", "status": 503, "retry_after": "2", "match": "/metrics", "times": 3, "chance": 1.0, "skip": 0}

do: status (an error instead of an answer), reset (the connection breaks, nothing was done), lost (it breaks after all was
done), hang (no answer, nothing done), known (409 with the request's key), refuse (422 for bodies that contain `text`). match is a
regular expression for the path, times how often (0 = always), skip how many matching requests go through before, chance the share of them (drawn from
`seed`).
"""

from __future__ import annotations

import random
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Rule(BaseModel):
    model_config = ConfigDict(extra="forbid")

    do: Literal["status", "reset", "lost", "hang", "known", "refuse"]
    status: Annotated[int, Field(ge=400, le=599)] = 503
    retry_after: str = ""
    match: str = ""
    text: str = ""
    times: Annotated[int, Field(ge=0)] = 1
    skip: Annotated[int, Field(ge=0)] = 0
    chance: Annotated[float, Field(ge=0, le=1)] = 1.0


class Rules(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rules: list[Rule] = Field(default_factory=list)
    seed: int = 0


class Faults:
    """The rules in force. `done` counts what they did."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.order(Rules())

    def order(self, rules: Rules) -> None:
        """These rules from now on, in place of all others."""
        self._rules = [(rule, re.compile(rule.match)) for rule in rules.rules]
        self._passed = [0] * len(self._rules)
        self._used = [0] * len(self._rules)
        self._random = random.Random(rules.seed)

    def hit(self, path: str, body: bytes) -> Rule | None:
        """The rule that this request meets, if any; it is used up by that."""
        for number, (rule, pattern) in enumerate(self._rules):
            if rule.times and self._used[number] >= rule.times:
                continue
            if not pattern.search(path) or (rule.do == "refuse" and rule.text.encode() not in body):
                continue
            self._passed[number] += 1
            if self._passed[number] <= rule.skip or self._random.random() >= rule.chance:
                continue
            self._used[number] += 1
            self.done[rule.do] = self.done.get(rule.do, 0) + 1
            return rule
        return None
