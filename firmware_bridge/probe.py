"""Whose bytes are these? Listens first; asks only a silent port, and only where configuration allows it.

A port that has said anything is never asked: what speaks by itself and is not recognised is some other device, perhaps
one that treats a patient. An answer that nobody recognises ends the asking for the same reason. START is no question.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from firmware_bridge.boards import BoardKind
from firmware_bridge.dialogue import MS
from firmware_bridge.frames import Nanos

PROVED = 0.9  # certainty from which a kind is taken
LISTEN_NS: Nanos = 1_000 * MS  # a port silent for so long is asked, or called silent
SPEAKING_NS: Nanos = 6_000 * MS  # a board may talk of its start for 4 s before it streams
GLANCE_NS: Nanos = 2_500 * MS  # where other line settings are to be tried too
JUDGE_NS: Nanos = 50 * MS  # bytes are judged at most so often
HEARD_BYTES = 8_192  # kept for judging and for the board's decoder: 0.7 s of the fullest line


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the probe found. `kind` is "" where it is none of ours: then `why` is "silent" or "unrecognised"."""

    kind: str
    certainty: float
    why: str = ""


class Probe:
    """One port, from its opening until it is known who is there.

    `ask` names the kinds whose questions may be asked (True: all). A probe that is not `patient` gives a port that speaks
    2.5 s, not 6. Give it every byte (`feed`), write what `due` returns, ask for the `verdict`. It takes at most 6 s from the first
    byte, or 1 s of silence and the time of the questions. Times are those of one monotonic clock; none of the calls raises, and at most `HEARD_BYTES` are kept.
    """

    def __init__(
        self, kinds: Mapping[str, BoardKind], *, ask: bool | Collection[str], patient: bool = True
    ) -> None:
        self._kinds = kinds
        asked = ask if isinstance(ask, Collection) else (kinds if ask else ())
        self._questions = deque(
            question for name, kind in kinds.items() if name in asked for question in kind.questions()
        )
        self._speaking_ns = SPEAKING_NS if patient else GLANCE_NS
        self._heard = b""
        self._judged_bytes = 0
        self._bytes = 0
        self._judge_ns: Nanos = 0
        self._until_ns: Nanos | None = None  # end of the silence that is being waited for
        self._first_byte_ns: Nanos | None = None
        self._verdict: Verdict | None = None

    @property
    def heard(self) -> bytes:
        """The bytes heard so far (the last `HEARD_BYTES` of them): the recognised board's decoder wants them too."""
        return self._heard

    def feed(self, data: bytes, now_ns: Nanos) -> None:
        """Bytes that arrived."""
        if not data or self._verdict is not None:
            return
        if self._first_byte_ns is None:
            self._first_byte_ns = now_ns
        self._heard = (self._heard + data)[-HEARD_BYTES:]
        self._bytes += len(data)
        if now_ns >= self._judge_ns:
            self._judge(now_ns)

    def due(self, now_ns: Nanos) -> bytes | None:
        """A question to send now, or None. Call it at least every 50 ms."""
        if self._verdict is not None:
            return None
        if self._until_ns is None:
            self._until_ns = now_ns + LISTEN_NS
        if self._first_byte_ns is not None:
            if self.verdict(now_ns) is None and now_ns - self._first_byte_ns >= self._speaking_ns:
                self._verdict = Verdict("", 0.0, "unrecognised")
            return None
        if now_ns < self._until_ns:
            return None
        if not self._questions:
            self._verdict = Verdict("", 0.0, "silent")
            return None
        question, wait_ms = self._questions.popleft()
        self._until_ns = now_ns + wait_ms * MS
        return question

    def verdict(self, now_ns: Nanos) -> Verdict | None:
        """What was found; None while it is not known. Final once given."""
        if self._verdict is None and self._bytes > self._judged_bytes and now_ns >= self._judge_ns:
            self._judge(now_ns)
        return self._verdict

    def _judge(self, now_ns: Nanos) -> None:
        if self._bytes == self._judged_bytes:
            return
        self._judged_bytes = self._bytes
        self._judge_ns = now_ns + JUDGE_NS
        certainty, kind = max(
            ((kind.recognise(self._heard), name) for name, kind in self._kinds.items()), default=(0.0, "")
        )
        if certainty >= PROVED:
            self._verdict = Verdict(kind, certainty)
