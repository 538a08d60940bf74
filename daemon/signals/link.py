"""The daemon's end of the sound process: says what shall be heard, and judges whether it is. Never waits on the sample path."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from daemon.model.alarms import Priority
from daemon.model.signals import Fact, FactState, Nanos
from daemon.signals.messages import (
    HEARTBEAT_NS,
    LARGEST_LINE,
    SILENT_AFTER_NS,
    Heard,
    Playing,
    SpeakerState,
    Wanted,
)

SOUND = "sound"
OUTPUTS = "outputs"
"""Sources of the Facts: whether alarms are heard, and whether lamp and nurse call work."""

STARTS_WITHIN_NS: Nanos = 15_000_000_000
"""Both processes start together; until then only a good state is said."""

HOLD_NS: Nanos = 3_000_000_000
"""A fault is said when it has lasted so long: a player program that ended is back before."""

HEARD_WITHIN_NS: Nanos = 5_000_000_000
"""An alarm that is wanted must be played by then; the longest lawful wait is that for the end of a burst, 2.5 s after it."""

FIRST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 1.0
ANSWER_BUFFER = 16 * LARGEST_LINE

_AUDIBLE = {Playing.LOW: 1, Playing.MEDIUM: 2, Playing.HIGH: 3}

log = logging.getLogger(__name__)


class Loudspeaker:
    """Tells the sound process what is wanted. `said` hears of Facts, on the loop that calls `want`.

    The heartbeat is made of the calls of `want`: who stops judging alarms stops it, whatever else of the daemon still lives.
    """

    def __init__(self, socket: Path, now: Callable[[], Nanos], said: Callable[[Fact], None]) -> None:
        self.heard: Heard | None = None
        self._socket = socket
        self._now = now
        self._said = said
        self._wanted = Wanted()
        self._n = 0
        self._sent_ns: Nanos | None = None
        self._writer: asyncio.StreamWriter | None = None
        began_ns = now()
        self._answered_ns = began_ns
        self._unheard_ns: Nanos | None = None
        self._judges = {SOUND: _Judge(SOUND, began_ns), OUTPUTS: _Judge(OUTPUTS, began_ns)}

    def want(self, wanted: Wanted) -> None:
        """What shall be heard now. Called at every Tick; sends changes at once and a heartbeat a second."""
        now_ns = self._now()
        changed = wanted != self._wanted
        self._wanted = wanted
        if changed or self._sent_ns is None or now_ns - self._sent_ns >= HEARTBEAT_NS:
            self._send(now_ns)
        self._judge(now_ns)

    async def run(self) -> None:
        """Keep a connection until cancelled."""
        backoff_s = FIRST_BACKOFF_S
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._socket, limit=ANSWER_BUFFER)
            except OSError as error:
                log.debug("sound process: %s", error)
            else:
                backoff_s = FIRST_BACKOFF_S
                await self._listen(reader, writer)
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer, self._sent_ns = writer, None
        understood = True
        try:
            while line := await reader.readline():
                try:
                    self.heard = Heard.model_validate_json(line)
                except ValidationError as error:
                    if understood:
                        log.warning("the sound process said something unknown: %s", error)
                    understood = False
                    continue
                understood = True
                self._answered_ns = self._now()
        except (OSError, ValueError) as error:
            log.warning("sound process: connection lost: %s", error)
        finally:
            self._writer = None
            writer.close()

    def _send(self, now_ns: Nanos) -> None:
        writer = self._writer
        if writer is None or writer.is_closing():
            return
        if writer.transport.get_write_buffer_size() > LARGEST_LINE:
            writer.transport.abort()  # it does not read: it is silent, and a new connection may find it better
            return
        self._n += 1
        self._sent_ns = now_ns
        writer.write(self._wanted.model_copy(update={"n": self._n}).model_dump_json().encode() + b"\n")

    def _judge(self, now_ns: Nanos) -> None:
        outputs = "" if self.heard is None else self.heard.output_fault
        for source, why in ((SOUND, self._why(now_ns)), (OUTPUTS, outputs)):
            fact = self._judges[source].judge(why, now_ns)
            if fact is not None:
                self._said(fact)

    def _why(self, now_ns: Nanos) -> str:
        """Why alarms are not heard now: a code (words: `fact.sound.CODE`), then what is known; "" = they are."""
        heard = self.heard
        if heard is None or now_ns - self._answered_ns > SILENT_AFTER_NS:
            return "silent"
        if heard.speaker.state is not SpeakerState.WELL:
            return f"{heard.speaker.state} {heard.speaker.detail}".strip()
        if heard.self_test is not None and not heard.self_test.passed:
            return f"self_test {heard.self_test.why}"
        wanted = self._wanted.sound
        if wanted in {None, Priority.LOW} or _AUDIBLE.get(heard.playing, 0) >= (wanted.rank if wanted else 0):
            self._unheard_ns = None
        elif self._unheard_ns is None:
            self._unheard_ns = now_ns
        elif now_ns - self._unheard_ns > HEARD_WITHIN_NS:
            return f"not_played {wanted}, but {heard.playing}"
        return ""


class _Judge:
    """When a fault becomes a Fact, and when it is over."""

    def __init__(self, source: str, began_ns: Nanos) -> None:
        self._source = source
        self._fault_ns: Nanos | None = None
        self._said: tuple[FactState, str] | None = None
        self._since_ns = began_ns

    def judge(self, why: str, now_ns: Nanos) -> Fact | None:
        if not why:
            self._fault_ns = None
            return self._say(FactState.OK, "", now_ns)
        self._fault_ns = now_ns if self._fault_ns is None else self._fault_ns
        hold_ns = STARTS_WITHIN_NS if self._said is None else HOLD_NS
        if now_ns - self._fault_ns < hold_ns:
            return None
        return self._say(FactState.FAILED, why, now_ns)

    def _say(self, state: FactState, detail: str, now_ns: Nanos) -> Fact | None:
        if self._said == (state, detail):
            return None
        if self._said is None or self._said[0] is not state:
            self._since_ns = now_ns if state is FactState.OK else (self._fault_ns or now_ns)
        self._said = (state, detail)
        return Fact(self._source, state, since_ns=self._since_ns, t_ns=now_ns, detail=detail)
