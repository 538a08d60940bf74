"""Ventilators and anaesthesia machines that speak MEDIBUS or MEDIBUS.X: their curves, measured data, settings and alarms.

Two conversations share the line: slow messages that are asked for one at a time, and real-time curves that come by
themselves once they have been chosen. The device asks too: whatever it wants is answered at once, or it gives the link up.

Nothing that is sent can change a therapy: the protocol has no such command, and of its others only those of `SAYS` are
built here. Choosing curves changes what the device reports, and is taken back at the end.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Mapping, Sequence

import numpy as np

from firmware_bridge.boards.medibus_codes import (
    MODES,
    SET,
    Curve,
    alarms,
    curves_in,
    items,
    measured,
    streams_of,
    texts,
)
from firmware_bridge.boards.medibus_line import (
    NAK,
    Command,
    MedibusLine,
    Response,
    Torn,
    Unreadable,
    Values,
    command,
    response,
)
from firmware_bridge.dialogue import MS, Dialogue, Step
from firmware_bridge.frames import (
    Damage,
    Facts,
    Frame,
    Identity,
    Leads,
    Nanos,
    PortSettings,
    Reply,
    Samples,
    Settings,
    Status,
    StreamSpec,
)
from firmware_bridge.options import Options

# --- facts -----------------------------------------------------------------------------------------------

CALL_NS: Nanos = 3_000 * MS  # a device that does not answer is called again so often
ANSWER_NS: Nanos = 1_500 * MS
PAUSE_NS: Nanos = 60 * MS  # between an answer and the next question
ALIVE_NS: Nanos = 1_000 * MS
CURVES_SILENT_NS: Nanos = 2_000 * MS
REFUSALS = 3  # so often a question is refused before it is left out
UNANSWERED = 3

# What a device gives when nothing is known of it yet: the usual ranges.
_USUAL = [Curve("00", 16_000, -50, 150, 0xFFF), Curve("01", 16_000, -200, 200, 0x5FA)]


def _facts(streams: tuple[StreamSpec, ...]) -> Facts:
    return Facts(
        kind="medibus",
        title="MEDIBUS ventilator",
        port=PortSettings(baud=19200, parity="E"),
        line_bytes_per_second=1_745,
        streams=streams,
        silent_after_s=10.0,
    )


FACTS = _facts(streams_of(_USUAL)[0])

# --- frames ----------------------------------------------------------------------------------------------

ALIVE, CALL, IDENTIFY, STOP = 0x30, 0x51, 0x52, 0x55
CURVES, CHOOSE, CHANGED = 0x53, 0x54, 0x56
DATA_1, SETTINGS, TEXTS = 0x24, 0x29, 0x2A
ALARMS_1, ALARMS_2, ALARMS_3 = 0x27, 0x2E, 0x23
SAYS = frozenset(
    {ALIVE, CALL, IDENTIFY, STOP, CURVES, CHOOSE, DATA_1, SETTINGS, TEXTS, ALARMS_1, ALARMS_2, ALARMS_3}
)
"""The commands that are ever sent."""


def switched(streams: int) -> bytes:
    """Real-time streams 1 to `streams` on, the others off (0: all off)."""
    return bytes((0xD0, 0xC1, 0xC0 | (1 << streams) - 1, 0xC0, 0xC0))


# --- decoder ---------------------------------------------------------------------------------------------


class _Samples:
    """Real-time values to samples of streams."""

    def __init__(self) -> None:
        self.known = False
        self._places: list[tuple[str, int]] = []
        self._widths: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()

    def configured(self, places: list[tuple[str, int]]) -> None:
        """Stream n of the wire is channel places[n][1] of the stream named places[n][0]."""
        self.known = bool(places)
        self._places = places
        self._widths = Counter(name for name, _ in places)
        self._lost.clear()

    def torn(self, samples: int) -> None:
        for name in self._widths:
            self._lost[name] += samples

    def decode(self, values: Values, now_ns: Nanos) -> list[Frame]:
        rows: dict[str, dict[int, int]] = {}
        for stream, count in values.counts:
            if stream < len(self._places):
                name, place = self._places[stream]
                rows.setdefault(name, {})[place] = count
        frames: list[Frame] = []
        for name, row in rows.items():
            if values.corrupt or len(row) != self._widths[name]:
                self._lost[name] += 1
                continue
            counts = np.array([[row[k]] for k in range(len(row))], np.int32)
            frames.append(Samples(name, counts, now_ns, self._lost.pop(name, 0)))
        return frames


class Medibus:
    """The board: calls the device, learns what it offers, chooses curves, and then asks for everything in turns."""

    def __init__(self, options: Mapping[str, str]) -> None:
        read = Options("medibus", options)
        self._wants_curves = read.choice("curves", "yes", ("yes", "no")) == "yes"
        read.done()
        self._facts = FACTS
        self._line = MedibusLine()
        self._samples = _Samples()
        self._dialogue = Dialogue()
        first: list[Frame] = [Identity("medibus", model=FACTS.title), Leads(())]
        self._queued = deque(first, maxlen=32)
        self._answers: deque[bytes] = deque(maxlen=8)
        self._alarms: dict[int, list[str]] = {}
        self._refused: Counter[str] = Counter()
        self._unanswered = 0
        self._turn = 0
        self._opened = self._called = False
        self._curves: list[Curve] = []
        self._curves_ns: Nanos | None = None  # when real-time bytes last came; None: none are expected

    @property
    def facts(self) -> Facts:
        return self._facts

    def opened(self, now_ns: Nanos) -> None:
        self._opened = True
        self._dialogue.begin((_CALL,), now_ns)

    def feed(self, data: bytes, now_ns: Nanos) -> list[Frame]:
        frames = list(self._queued)
        self._queued.clear()
        for piece in self._line.cut(data):
            match piece:
                case Values():
                    if self._curves_ns is not None:
                        self._curves_ns = now_ns
                    if self._samples.known:
                        frames += self._samples.decode(piece, now_ns)
                    elif piece.counts:
                        frames.append(Damage(1 + 2 * len(piece.counts), "curves not yet known"))
                case Torn():
                    self._samples.torn(piece.samples)
                    frames.append(Damage(piece.byte_count))
                case Unreadable():
                    frames.append(Damage(piece.byte_count, "check sum"))
                    if piece.command and self._opened:
                        self._answers.append(response(NAK))
                case Command():
                    self._asked(piece.code, now_ns)
                case Response():
                    frames += self._answered(piece, now_ns)
        return frames

    def _asked(self, code: int, now_ns: Nanos) -> None:
        """Whatever the device wants is answered with its own code and nothing else: that is what keeps the link."""
        if not self._opened:
            return
        self._answers.append(response(code))
        if code == CALL:
            self._begin(now_ns)  # it has started anew, or speaks first
        elif code == CHANGED:
            self._ask_for_curves(now_ns)

    def _answered(self, message: Response, now_ns: Nanos) -> list[Frame]:
        frames: list[Frame] = []
        step = self._dialogue.pending
        if step is not None and (message.code == step.send[1] or message.code == NAK):
            self._unanswered = 0
            refused = "refused" if message.code == NAK else ""
            replies = self._dialogue.answer(now_ns, refused, ok=not refused)
            frames += [reply for reply in replies if step not in _TURN and (reply.ok or step is not _CALL)]
            self._refused[step.request] = self._refused[step.request] + 1 if refused else 0
            if step is _CALL and not refused:
                self._begin(now_ns)
            if step.send[1] == CHOOSE and not refused:
                self._dialogue.insert(Step("curves", switched(len(self._curves)), PAUSE_NS, answered=False))
                self._curves_ns = now_ns
        match message.code:
            case 0x52:
                frames += _identity(message.data)
            case 0x53:
                frames += self._configured(curves_in(message.data))
            case 0x24:
                frames += measured(message.data)
            case 0x29:
                frames += _settings(message.data)
            case 0x2A:
                modes = [(code, text) for code, text in texts(message.data) if code in MODES]
                frames += [Status("mode", text or MODES[code]) for code, text in modes[:1]]
            case 0x27 | 0x2E | 0x23:
                self._alarms[message.code] = alarms(message.data)
                standing = [self._alarms.get(page, []) for page in (ALARMS_1, ALARMS_2, ALARMS_3)]
                frames.append(Status("alarm_code", "; ".join(word for page in standing for word in page)))
        return frames

    def _configured(self, curves: list[Curve]) -> list[Frame]:
        self._curves = curves if self._wants_curves else []
        specs, places = streams_of(self._curves)
        self._samples.configured(places)
        if not self._curves:
            return []
        if self._opened:
            chosen = b"".join(curve.code.encode("ascii") + b"01" for curve in self._curves)
            self._dialogue.insert(Step("choose curves", command(CHOOSE, chosen), ANSWER_NS, tries=2))
        self._facts = _facts(specs)
        return [Settings((("curves", ", ".join(c.name for s in specs for c in s.channels)),))]

    # --- commands ----------------------------------------------------------------------------------------

    def due(self, now_ns: Nanos) -> bytes | None:
        if not self._opened:
            return None
        if self._answers:
            answers = b"".join(self._answers)
            self._answers.clear()
            return answers
        if self._curves_ns is not None and now_ns - self._curves_ns >= CURVES_SILENT_NS:
            self._curves_ns = now_ns
            return switched(len(self._curves))
        if self._dialogue.over:
            self._dialogue.insert(self._next())
        step, given_up = self._dialogue.due(now_ns)
        if given_up is not None:
            self._gave_up(given_up, now_ns)
        return step.send if step is not None else None

    def _begin(self, now_ns: Nanos) -> None:
        """The device is there: learn what it is and what it offers."""
        self._called = True
        self._refused.clear()
        self._unanswered = 0
        self._curves_ns = None
        curves = (_CURVES,) if self._wants_curves else ()
        self._dialogue.begin((_IDENTIFY, *curves), now_ns)

    def _ask_for_curves(self, now_ns: Nanos) -> None:
        if self._wants_curves and self._called:
            self._curves_ns = None
            self._dialogue.begin((_CURVES,), now_ns + PAUSE_NS)

    def _gave_up(self, step: Step, now_ns: Nanos) -> None:
        self._unanswered += 1
        if step is _CALL or self._unanswered >= UNANSWERED:
            self._queued.append(Reply("call", ok=False, text="no answer"))
            self._called, self._curves_ns, self._unanswered = False, None, 0
            self._dialogue.begin((_CALL,), now_ns)

    def _next(self) -> Step:
        """The next question of the turn that the device does not refuse; a sign of life where it refuses them all."""
        for _ in _TURN:
            step = _TURN[self._turn]
            self._turn = (self._turn + 1) % len(_TURN)
            if self._refused[step.request] < REFUSALS:
                return step
        return _ALIVE

    def closing(self) -> bytes:
        """Curves off, and goodbye."""
        if not self._called:
            return b""
        return (switched(0) if self._curves else b"") + command(STOP)


def _step(request: str, code: int, wait_ns: Nanos = ANSWER_NS, tries: int = 1) -> Step:
    return Step(request, command(code), wait_ns, tries=tries, settle_ns=PAUSE_NS)


_CALL = _step("call", CALL, CALL_NS)
_IDENTIFY = _step("identify", IDENTIFY, tries=2)
_CURVES = _step("curves", CURVES, tries=2)
_ALIVE = Step("alive", command(ALIVE), ANSWER_NS, settle_ns=ALIVE_NS)
_DATA, _ALARMS = _step("measured data", DATA_1), _step("alarms", ALARMS_1)
_TURN = (
    *(_DATA, _ALARMS, _step("alarms, page 2", ALARMS_2), _DATA, _ALARMS, _step("alarms, page 3", ALARMS_3)),
    *(_DATA, _ALARMS, _step("settings", SETTINGS), _DATA, _ALARMS, _step("texts", TEXTS)),
)

_NAME = re.compile(r"(.{4})'([^']*)'(.*?):(.*)", re.DOTALL)


def _identity(data: bytes) -> list[Frame]:
    match = _NAME.fullmatch(data.decode("latin-1"))
    if match is None:
        return []
    _, name, revision, version = (part.strip() for part in match.groups())
    return [Identity("medibus", firmware=revision, model=name), Settings((("MEDIBUS", version),))]


def _settings(data: bytes) -> list[Frame]:
    given = [(code, text.strip()) for code, text in items(data, 2, 5) if code in SET]
    values = tuple((SET[code][0], f"{text} {SET[code][1]}") for code, text in given if text)
    return [Settings(values)] if values else []


def board(options: Mapping[str, str]) -> Medibus:
    """Options: `curves` (yes or no; default yes): whether the device is asked for its real-time curves."""
    return Medibus(options)


# --- probe -----------------------------------------------------------------------------------------------


def recognise(data: bytes) -> float:
    """1.0 for the answer to a call, or a call of the device's own; else for good messages, the more so among samples.

    Eight bits of check sum prove little alone.
    """
    messages = samples = 0
    for piece in MedibusLine().cut(data):
        if isinstance(piece, Command | Response):
            if piece.code in {CALL, CURVES, IDENTIFY}:
                return 1.0
            messages += 1
        samples += isinstance(piece, Values) and bool(piece.counts)
    return 1.0 if messages >= 3 or (messages and samples >= 20) else messages / 3


def questions() -> Sequence[tuple[bytes, int]]:
    """The call that begins every conversation."""
    return ((_CALL.send, 1_000),)
