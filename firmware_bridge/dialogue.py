"""A conversation of requests and answers, one at a time, driven by the time it is told: start-up sequences of boards."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from firmware_bridge.frames import Nanos, Reply

MS: Nanos = 1_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """One request. With `answered` False no answer is expected and the conversation goes on after `wait_ns`.

    `tries` requests are made, each waited for `wait_ns`, `again_ns` apart; `settle_ns` of silence follow an answer.
    """

    request: str
    send: bytes
    wait_ns: Nanos
    answered: bool = True
    tries: int = 1
    again_ns: Nanos = 0
    settle_ns: Nanos = 0


class Dialogue:
    """Goes through steps; the board tells it of answers, and learns from `due` which steps stayed without one."""

    def __init__(self) -> None:
        self._steps: deque[Step] = deque()
        self._asked: Step | None = None
        self._tries = 0
        self._at_ns: Nanos = 0  # when to go on: send the next request, or stop waiting for an answer

    @property
    def pending(self) -> Step | None:
        """The request that waits for its answer."""
        return self._asked

    @property
    def over(self) -> bool:
        return self._asked is None and not self._steps

    def begin(self, steps: Iterable[Step], at_ns: Nanos) -> None:
        """Forget what was under way and send the first of `steps` at `at_ns`."""
        self._steps = deque(steps)
        self._asked, self._tries, self._at_ns = None, 0, at_ns

    def insert(self, step: Step) -> None:
        """Make `step` the next one."""
        self._steps.appendleft(step)

    def going_on(self, now_ns: Nanos) -> None:
        """A part of the answer has come: wait anew for the rest."""
        if self._asked is not None:
            self._at_ns = now_ns + self._asked.wait_ns

    def answer(self, now_ns: Nanos, text: str = "", *, ok: bool = True) -> list[Reply]:
        """The pending request is answered. A refusal ends it too; what it means is for the board to say."""
        step = self._asked
        if step is None:
            return []
        self._asked, self._tries, self._at_ns = None, 0, now_ns + step.settle_ns
        return [Reply(step.request, ok, text)]

    def due(self, now_ns: Nanos) -> tuple[Step | None, Step | None]:
        """(the step whose request is to be sent now, the step that has just been given up)."""
        if now_ns < self._at_ns:
            return None, None
        given_up = None
        if self._asked is not None:
            step, self._asked = self._asked, None
            if step.answered and self._tries < step.tries:
                self._steps.appendleft(step)
                self._at_ns = now_ns + step.again_ns
                return None, None
            self._tries = 0
            given_up = step if step.answered else None
        if given_up is not None or not self._steps:
            return None, given_up
        self._asked = self._steps.popleft()
        self._tries += 1
        self._at_ns = now_ns + self._asked.wait_ns
        return self._asked, None
