"""VLP devices: whatever speaks our own link says by its dictionary what it measures, and by its settings what it can do.

Frames are put into the device's order, asked for again where they are missing, and given up after 0.7 s; channels are
woven into streams by the device's own times; and these are told in ours by a clock that both ends keep together, so that
the line's jitter does not show in `Samples.arrived_ns`: it is our time of the last sample, never later than its arrival.

A new boot of the device resets numbers, dictionary and clock. A dictionary that changes streams after samples were given
waits for the next `feed`, so that `facts` always describes the samples that were given last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from firmware_bridge.frames import (
    Counts,
    Damage,
    Facts,
    Frame,
    Identity,
    Leads,
    Nanos,
    Number,
    PortSettings,
    Reply,
    Setting,
    Settings,
    Status,
)
from firmware_bridge.options import Options
from firmware_bridge.vlp import channels, messages
from firmware_bridge.vlp.asking import Asking
from firmware_bridge.vlp.channels import Meaning, understood
from firmware_bridge.vlp.clock import LinkClock
from firmware_bridge.vlp.messages import (
    BITS,
    CAP_FIRMWARE,
    CAP_SETTINGS,
    CODE,
    SAY_HELLO,
    SAY_SETTINGS,
    Entry,
    Hello,
    Run,
)
from firmware_bridge.vlp.order import MS, Order, Taken
from firmware_bridge.vlp.updating import Updating
from firmware_bridge.vlp.weave import Weave
from firmware_bridge.vlp.wire import ACK_WANTED, AGAIN, Letter, Opener, Spoilt, Type, sealed
from firmware_bridge.vlp.wire import Status as Answer

# --- facts -----------------------------------------------------------------------------------------------

FACTS = Facts(
    kind="vlp",
    title="VLP device",
    port=PortSettings(baud=115200),
    line_bytes_per_second=11_520,
    streams=(),  # the device says
    silent_after_s=2.0,  # frames that are asked for again come up to 0.7 s late
)

ASK_WHO_NS: Nanos = 1_000 * MS
ASK_SETTINGS_NS: Nanos = 30_000 * MS  # somebody may turn a knob, and its word be lost
KEEP_EARLY_NS: Nanos = 2_000 * MS
"""Samples that come before their dictionary are kept for so long."""
MOST_EARLY = 256
LONGEST_LOG = 200

# --- decoder ---------------------------------------------------------------------------------------------

_SAMPLED = {Type.SAMPLES, Type.ROWS}


class Vlp:
    """The board: asks who is there, keeps the clock, asks for what is missing, and takes settings in two steps."""

    def __init__(self, options: Mapping[str, str]) -> None:
        Options("vlp", options).done()
        self._facts = FACTS
        self._opener = Opener()
        self._order = Order()
        self._clock = LinkClock()
        self._asking = Asking()
        self._updating = Updating()
        self._hello: Hello | None = None
        self._dictionary: int | None = None
        self._entries: tuple[Entry, ...] = ()
        self._parts: tuple[int, dict[int, Entry]] = (-1, {})  # of a dictionary that comes in parts
        self._meaning = Meaning({}, {}, (), {}, ())
        self._weaves: dict[str, Weave] = {}
        self._early: deque[tuple[Letter, Nanos]] = deque()
        self._given = False  # samples were given in this `feed`
        self._queued: deque[Frame] = deque(maxlen=32)
        self._answers: deque[bytes] = deque(maxlen=32)
        self._sequence = 0
        self._opened = self._flushed = False
        self._who_ns: Nanos = 0
        self._settings_ns: Nanos = 0

    @property
    def facts(self) -> Facts:
        return self._facts

    @property
    def clock(self) -> LinkClock:
        """The device's clock against ours, as far as it is known."""
        return self._clock

    def opened(self, now_ns: Nanos) -> None:
        self._opened = self._order.asks = True
        self._who_ns = now_ns

    def feed(self, data: bytes, now_ns: Nanos) -> list[Frame]:
        frames = list(self._queued)
        self._queued.clear()
        self._given = False
        self._order.expire(now_ns)
        frames += self._deliver(now_ns)
        for piece in self._opener.cut(data):
            if isinstance(piece, Letter):
                frames += self._arrived(piece, now_ns)
                frames += self._deliver(now_ns)
                continue
            frames.append(Damage(piece.size, piece.reason))
            if piece.foreign is not None:
                self._answers.append(messages.ack(piece.foreign, Answer.VERSION))
        return frames

    def _arrived(self, letter: Letter, now_ns: Nanos) -> list[Frame]:
        """What cannot wait for its turn: who speaks, answers, stamps of the clock. The rest goes into its order."""
        try:
            if letter.type == Type.HELLO:
                frames, placed = self._said_hello(letter, now_ns)
                if placed:
                    return frames
            else:
                frames = []
            taken = self._order.take(letter, now_ns)
            if taken is not Taken.KEPT:
                return [*frames, Damage(letter.size, "duplicate" if taken is Taken.OLD else "restart")]
            if letter.flags & ACK_WANTED:
                known = letter.type in set(Type)
                answer = messages.ack(letter.sequence, Answer.OK if known else Answer.UNKNOWN)
                self._answers.append(answer)
            if letter.type == Type.PONG and not letter.flags & AGAIN:
                self._clock.answered(*messages.read_pong(letter.payload), now_ns)
            elif letter.type == Type.ACK:
                said = messages.read_ack(letter.payload)
                reply = self._asking.answered(*said, now_ns)
                frames += [] if reply is None else [reply]
                frames += self._updating.answered(*said, now_ns)
        except ValueError:
            return [Damage(letter.size, "malformed")]
        return frames

    def _said_hello(self, letter: Letter, now_ns: Nanos) -> tuple[list[Frame], bool]:
        """(frames, whether the letter has its place already)."""
        said = messages.read_hello(letter.payload)
        if letter.flags & AGAIN and self._hello is not None:
            return [], False  # an old one, asked for by its number
        before, self._hello = self._hello, said
        frames: list[Frame] = []
        anew = self._order.estranged or (before is not None and before.boot != said.boot)
        if anew:
            self._order.restart(letter.sequence)
            frames += self._deliver(now_ns)
            frames += [*self._asking.restarted(), *self._updating.restarted()]
            self._clock = LinkClock()
            self._dictionary = None
            self._early.clear()
            self._parts = (-1, {})
            for weave in self._weaves.values():
                weave.restart()
        self._opener.mtu = said.mtu
        if before != said:
            frames.append(Identity("vlp", said.serial, said.firmware, said.name))
        return frames, anew

    def _deliver(self, now_ns: Nanos) -> list[Frame]:
        """Read what has its turn."""
        frames: list[Frame] = []
        ready = self._order.ready
        while ready:
            letter, at_ns = ready[0]
            try:
                if letter.type in {Type.DICT, Type.PART}:
                    number, entries = self._dictionary_of(letter)
                    if self._given and entries and understood(entries).streams != self._meaning.streams:
                        break
                    frames += self._adopt(number, entries, now_ns) if entries is not None else []
                else:
                    frames += self._read(letter, at_ns)
            except ValueError:
                frames.append(Damage(letter.size, "malformed"))
            ready.popleft()
        return frames

    def _dictionary_of(self, letter: Letter) -> tuple[int, tuple[Entry, ...] | None]:
        """(id, the whole dictionary that this frame says or completes)."""
        if letter.type == Type.DICT:
            return messages.read_dictionary(letter.payload)
        number, first, total, entries = messages.read_part(letter.payload)
        if self._parts[0] != number:
            self._parts = (number, {})
        self._parts[1].update(enumerate(entries, first))
        return number, messages.whole(self._parts[1], total)

    def _read(self, letter: Letter, at_ns: Nanos) -> list[Frame]:
        match letter.type:
            case Type.SAMPLES | Type.ROWS:
                return self._sampled(letter, at_ns)
            case Type.SETTINGS:
                self._asking.offered(*messages.read_settings(letter.payload))
                return [Settings(self._asking.values)] if self._asking.values else []
            case Type.LOG:
                level, _, text = messages.read_log(letter.payload)
                return [Settings((("log", f"{level} {text}"[:LONGEST_LOG]),))]
            case _:
                return []

    # --- dictionary and samples --------------------------------------------------------------------------

    def _adopt(self, number: int, entries: tuple[Entry, ...], now_ns: Nanos) -> list[Frame]:
        """Take a dictionary, and what came before it."""
        self._dictionary = number
        frames: list[Frame] = []
        if entries != self._entries:
            before, self._entries, self._meaning = self._meaning, entries, understood(entries)
            if self._meaning.streams != before.streams:
                self._facts = replace(FACTS, streams=self._meaning.streams)
                self._weaves = {
                    s.name: Weave(s.name, s.rate_hz, len(s.channels), self._host_ns)
                    for s in self._meaning.streams
                }
            if self._meaning.ignored:
                frames.append(Settings((("ignored", ", ".join(self._meaning.ignored)),)))
            if self._meaning.streams:
                frames.append(Leads(()))
        early, self._early = self._early, deque()
        for one, at_ns in early:
            if now_ns - at_ns <= KEEP_EARLY_NS:
                frames += self._sampled(one, at_ns)
            else:
                frames.append(Damage(one.size, "no dictionary"))
        return frames

    def _sampled(self, letter: Letter, at_ns: Nanos) -> list[Frame]:
        run = messages.read_run(letter.payload, several=letter.type == Type.ROWS)
        if run.dictionary != self._dictionary:
            self._early.append((letter, at_ns))
            if len(self._early) > MOST_EARLY:
                return [Damage(self._early.popleft()[0].size, "no dictionary")]
            return []
        entries = [self._meaning.entries.get(run.ch + k) for k in range(run.channels)]
        first = entries[0]
        if first is None or any(e is None or e.type != first.type for e in entries):
            return [Damage(letter.size, "unknown channel")]
        if channels.is_event(first):
            return self._event(first, run.raw, run.n)
        counts = channels.counts_of(first, run.raw, run.n, run.channels)
        return self._woven(run, entries, counts, at_ns)

    def _woven(self, run: Run, entries: list[Entry | None], counts: Counts, at_ns: Nanos) -> list[Frame]:
        """Put the samples of a frame into their streams; the rows that have become whole."""
        frames: list[Frame] = []
        woven: dict[str, Weave] = {}
        whole = self._meaning.blocks.get((run.ch, run.channels))
        if whole is not None:
            # What is nearly always so: all channels of one stream in one frame.
            stream, delay_us = whole
            given = self._weaves[stream].whole(run.us - delay_us, counts, at_ns)
            if given is not None:
                self._given = self._given or bool(given)
                return [*given]
        for entry, values in zip(entries, counts, strict=True):
            place = self._meaning.places.get(entry.ch) if entry else None
            if entry is not None and place is not None:
                weave = woven.setdefault(place.stream, self._weaves[place.stream])
                weave.add(place.lane, run.us - round(entry.delay_s * 1e6), values, at_ns)
        for weave in woven.values():
            frames += weave.take(at_ns)
        self._given = self._given or bool(frames)
        return frames

    def _event(self, entry: Entry, raw: bytes, n: int) -> list[Frame]:
        """A number, a state or the electrodes."""
        value = channels.value_of(entry, raw, n)
        if entry.flags & BITS and entry.name == channels.ELECTRODES:
            # Electrodes belong to samples: a device that has none has no use for them.
            known = value is not None and self._meaning.streams
            return [Leads(channels.electrodes_of(entry, int(value or 0)))] if known else []
        if entry.flags & CODE and entry.name in channels.STATES:
            return [Status(entry.name, "" if value is None else channels.words_of(entry, int(value)))]
        name = channels.NUMBERS.get((entry.name, entry.unit))
        if name is None or entry.flags & (CODE | BITS):
            return []
        return [Number(name, value, entry.unit)]

    def _host_ns(self, us: int) -> float | None:
        return self._clock.host_ns(us)

    # --- commands ----------------------------------------------------------------------------------------

    @property
    def settable(self) -> Sequence[Setting]:
        return self._asking.settable

    def command(self, request: str, name: str, value: float, now_ns: Nanos) -> str:
        return self._asking.begin(request, name, value, now_ns)

    @property
    def takes_firmware(self) -> bool:
        """Whether the device says that it takes new firmware over the link."""
        return self._hello is not None and bool(self._hello.caps & CAP_FIRMWARE)

    def update(self, request: str, image: bytes, version: str, now_ns: Nanos) -> str:
        return self._updating.begin(request, image, version, now_ns) if self.takes_firmware else "read_only"

    def told(self, request: str, verb: str, now_ns: Nanos) -> str:
        return self._updating.say(request, verb, now_ns) if self.takes_firmware else "read_only"

    def lapsed(self, now_ns: Nanos) -> list[Reply]:
        return [*self._asking.lapsed(now_ns), *self._updating.lapsed(now_ns)]

    def due(self, now_ns: Nanos) -> bytes | None:
        if not self._opened:
            return None
        out = [] if self._flushed else [b"\0"]
        self._flushed = True
        unknown = self._hello is None or self._dictionary is None or self._order.estranged or self._early
        if unknown and now_ns >= self._who_ns:
            self._who_ns = now_ns + ASK_WHO_NS
            out.append(self._seal(Type.COMMAND, messages.command(SAY_HELLO, 0)))
        if self._hello is not None and self._hello.caps & CAP_SETTINGS and now_ns >= self._settings_ns:
            self._settings_ns = now_ns + (ASK_SETTINGS_NS if self._asking.told else ASK_WHO_NS)
            out.append(self._seal(Type.COMMAND, messages.command(SAY_SETTINGS, 0)))
        out += [self._seal(Type.RESEND, messages.resend(*run)) for run in self._order.due(now_ns)]
        if self._hello is not None and (t1_us := self._clock.due(now_ns)) is not None:
            out.append(self._seal(Type.PING, messages.ping(t1_us)))
        out += self._wanted(Type.COMMAND, self._asking, now_ns)
        out += self._wanted(Type.FIRMWARE, self._updating, now_ns)
        while self._answers:
            out.append(self._seal(Type.ACK, self._answers.popleft()))
        return b"".join(out) or None

    def _wanted(self, kind: Type, of: Asking | Updating, now_ns: Nanos) -> list[bytes]:
        """What wants an answer: again under the number it had."""
        if (asked := of.due(now_ns)) is None:
            return []
        payload, sequence = asked
        if sequence is not None:
            of.sent(sequence, now_ns)
            return [sealed(kind, sequence, payload, ACK_WANTED | AGAIN)]
        of.sent(self._sequence, now_ns)
        return [self._seal(kind, payload, ACK_WANTED)]

    def closing(self) -> bytes:
        """Nothing: it streams whether anybody listens or not."""
        return b""

    def _seal(self, kind: Type, payload: bytes, flags: int = 0) -> bytes:
        sequence, self._sequence = self._sequence, (self._sequence + 1) & 0xFFFFFFFF
        return sealed(kind, sequence, payload, flags)


def board(options: Mapping[str, str]) -> Vlp:
    """It has no options: the device says everything."""
    return Vlp(options)


# --- probe -----------------------------------------------------------------------------------------------


def recognise(data: bytes) -> float:
    """1.0 for two frames whose check is right; one alone could be a loop-back's echo of our own question."""
    opener = Opener()
    opener.mtu = 1024
    found = sum(not isinstance(piece, Spoilt) for piece in opener.cut(data))
    return min(1.0, found / 2)


def questions() -> Sequence[tuple[bytes, int]]:
    """None: a VLP device speaks by itself."""
    return ()
