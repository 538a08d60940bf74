"""A ResMed machine's SD card (S9, AirSense and AirCurve 10 and 11), in a folder or a zip file, read one night at a time.

    with open_card(path) as card:
        for day in card.days:
            night = card.night(day)
            for session in night.sessions: session.flow, session.therapy, session.oximetry
            for event in night.events: event.at, event.duration_s, event.kind
        card.summaries[day].values["AHI"]

All times are the machine's own local ones: a card says no time zone. A *therapy day* goes from noon to noon and has the
date of its first half; the card's folders are named so. Machines are wrong, cards are pulled out: whatever is not as it
should be is counted, named in `notes` and left out, and the rest is read.

The stamp of an apnoea is its end (measured on cards: the flow is flat before it, not after it), so `at` = stamp - duration.
Hypopnoeas and arousals come without a duration: their `at` is the stamp.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from firmware_bridge.frames import Channel, Counts
from firmware_bridge.recordings import BadRecording, distinct
from firmware_bridge.recordings.edf_records import ANNOTATIONS, CHECK, EdfFile, EdfSignal, read_edf
from firmware_bridge.recordings.resmed_days import DaySummary, Machine, machine_of, summaries_of
from firmware_bridge.recordings.resmed_files import CardFiles, card_files
from firmware_bridge.recordings.resmed_labels import (
    CSR_END,
    CSR_START,
    FILES,
    FLOW,
    OXIMETRY,
    PERIODIC_BREATHING,
    STARTS,
    THERAPY,
    event_kind,
    meaning,
    unit_of,
)

__all__ = ["Card", "CardEvent", "CardSession", "CardStream", "DaySummary", "Machine", "Night", "open_card"]

MOST_NIGHT_BYTES = 64 << 20  # a day and a night are 11 MB
SAME_SESSION_S = 60.0  # the files of one session begin within so long of each other
NAME_HOLDS_S = 5.0  # a header whose check fails counts no more than the file's name when they differ by this

_NAME = re.compile(
    r"DATALOG/(?:(?P<folder>[^/]+)/)*(?P<stamp>\d{8}_\d{6})_(?P<kind>[A-Z0-9]{3})\.edf", re.IGNORECASE
)


@dataclass(frozen=True)
class CardStream:
    """One stream of one session: `counts` int32 of shape (channels, n), the card's own values from `start` on.

    Sample k stands at start + k / rate_hz. A count below a channel's `low` is the machine's "no value". `damaged` are
    ranges (first, one past the last) whose check failed: what stands there cannot be believed.
    """

    name: str
    start: datetime
    rate_hz: float
    channels: tuple[Channel, ...]
    counts: Counts
    damaged: tuple[tuple[int, int], ...] = ()

    @property
    def n(self) -> int:
        return int(self.counts.shape[1])

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=self.n / self.rate_hz)

    def whole(self) -> list[tuple[int, int]]:
        """The ranges (first, one past the last) between the damaged ones, in order."""
        edges = [0, *(edge for piece in self.damaged for edge in piece), self.n]
        return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]

    def physical(self, channel: str) -> npt.NDArray[np.float32]:
        """A channel's values in its unit, NaN where there is none. KeyError for a channel it has not."""
        place = next((k for k, c in enumerate(self.channels) if c.name == channel), None)
        if place is None:
            raise KeyError(channel)
        scale, counts = self.channels[place], self.counts[place]
        values: npt.NDArray[np.float32] = ((counts - scale.offset) * scale.gain).astype(np.float32)
        values[counts < scale.low] = np.nan
        for first, stop in self.damaged:
            values[first:stop] = np.nan
        return values


@dataclass(frozen=True)
class CardSession:
    """From one mask-on to its mask-off. A stream that was not recorded, or has no value in it, is None."""

    start: datetime
    end: datetime
    serial: str
    flow: CardStream | None
    therapy: CardStream | None
    oximetry: CardStream | None

    @property
    def streams(self) -> tuple[CardStream, ...]:
        return tuple(s for s in (self.flow, self.therapy, self.oximetry) if s is not None)


@dataclass(frozen=True, slots=True)
class CardEvent:
    """The machine's own mark. `kind` is of resmed_labels.EVENTS, "periodic_breathing" or "other"; `text` as on the card.

    `duration_s` 0 = the machine gave none.
    """

    at: datetime
    duration_s: float
    kind: str
    text: str

    @property
    def end(self) -> datetime:
        return self.at + timedelta(seconds=self.duration_s)


@dataclass(frozen=True)
class Night:
    """One therapy day, in order of time. `empty` sessions were begun and hold nothing; `damaged_records` failed their check."""

    day: date
    sessions: tuple[CardSession, ...]
    events: tuple[CardEvent, ...]
    empty: int
    damaged_records: int
    notes: tuple[str, ...]

    @property
    def hours(self) -> float:
        """Mask-on time that is recorded, in h."""
        return sum((s.end - s.start).total_seconds() for s in self.sessions) / 3600


class Card:
    """An open card. `notes` say what is wrong with the files that are not of one night."""

    def __init__(self, files: CardFiles) -> None:
        self._files = files
        self._nights: dict[date, list[str]] = {}
        for name in files.names:
            match = _NAME.fullmatch(name)
            if match is not None and (day := _therapy_day(match["folder"], match["stamp"])) is not None:
                self._nights.setdefault(day, []).append(name)
        notes: list[str] = []
        self.machine: Machine = machine_of(files, notes)
        self.summaries: Mapping[date, DaySummary] = summaries_of(files, notes)
        self.days: tuple[date, ...] = tuple(sorted(self._nights))
        self.notes: tuple[str, ...] = tuple(notes)

    def night(self, day: date) -> Night:
        """What the card has of a therapy day: one of `days`, KeyError otherwise. Never raises for what a file holds."""
        notes: list[str] = []
        files = list(self._read_all(self._nights[day], notes))
        recorded = sorted(((k, f) for k, f in files if k in FILES), key=lambda pair: pair[1].start)
        groups = _grouped(recorded)
        made = [_session(group, self.machine.serial, notes) for group in groups]
        sessions = tuple(session for session in made if session is not None)
        events = _events([f for k, f in files if k in {"EVE", "AEV"}])
        last = max((s.end for s in sessions), default=None)
        events += _periodic([f for k, f in files if k == "CSL"], last)
        return Night(
            day=day,
            sessions=sessions,
            events=tuple(sorted(events, key=lambda event: (event.at, event.kind))),
            empty=len(made) - len(sessions),
            damaged_records=sum(int(file.damaged.sum()) for _, file in files),
            notes=tuple(notes),
        )

    def close(self) -> None:
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def _read_all(self, names: Sequence[str], notes: list[str]) -> Iterator[tuple[str, EdfFile]]:
        """Kind and file of what can be read."""
        size = 0
        for name in names:
            file = self._read(name, notes)
            if file is not None:
                size += file.records.nbytes
                if size > MOST_NIGHT_BYTES:
                    notes.append(
                        f"{name}: more than {MOST_NIGHT_BYTES >> 20} MB in one night, the rest is left out"
                    )
                    return
                yield _kind(name), file

    def _read(self, name: str, notes: list[str]) -> EdfFile | None:
        try:
            file = read_edf(name, self._files.read(name))
        except BadRecording as error:
            notes.append(str(error))
            return None
        if file.header_signals_ok is False:
            notes.append(f"{name}: the check of its header fails: left out")
            return None
        if file.header_start_ok is False:
            notes.append(f"{name}: the check of its start fails")
            stamp = _stamp(name)
            if stamp is not None and abs((file.start - stamp).total_seconds()) > NAME_HOLDS_S:
                file = EdfFile(**{**vars(file), "start": stamp})
        if file.cut_bytes:
            notes.append(f"{name}: ends within a record, whose {file.cut_bytes} bytes are left out")
        if file.promised > len(file.records):
            notes.append(f"{name}: has {len(file.records)} of {file.promised} records")
        if file.damaged.any():
            notes.append(f"{name}: {int(file.damaged.sum())} of {len(file.records)} records fail their check")
        return file


def open_card(path: str | Path) -> Card:
    """Open the card in a folder or in a zip file. Raises BadRecording where there is none."""
    return Card(card_files(Path(path)))


def _therapy_day(folder: str | None, stamp: str) -> date | None:
    """By the folder's name; of a card that is laid out otherwise, by the time."""
    try:
        if folder is not None and re.fullmatch(r"\d{8}", folder):
            return _date(folder)
        return (datetime.strptime(stamp, "%Y%m%d_%H%M%S") - timedelta(hours=12)).date()  # noqa: DTZ007
    except ValueError:
        return None


def _date(digits: str) -> date:
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))


def _kind(name: str) -> str:
    return name[-7:-4].upper()


def _stamp(name: str) -> datetime | None:
    try:
        return datetime.strptime(name[-23:-8], "%Y%m%d_%H%M%S")  # noqa: DTZ007 - a card has no time zone
    except ValueError:
        return None


def _grouped(files: Sequence[tuple[str, EdfFile]]) -> list[list[tuple[str, EdfFile]]]:
    """Files of one session each: those that begin together, at most one of a stream."""
    groups: list[list[tuple[str, EdfFile]]] = []
    for kind, file in files:
        group = groups[-1] if groups else []
        near = group and (file.start - group[0][1].start).total_seconds() <= SAME_SESSION_S
        if near and FILES[kind] not in {FILES[other] for other, _ in group}:
            group.append((kind, file))
        else:
            groups.append([(kind, file)])
    return groups


def _session(group: Sequence[tuple[str, EdfFile]], serial: str, notes: list[str]) -> CardSession | None:
    """None for a session of which nothing was recorded."""
    streams: dict[str, CardStream] = {}
    for kind, file in group:
        stream = _stream(FILES[kind], file, notes)
        if stream is not None:
            streams[stream.name] = stream
        own = file.recording_field("SRN")
        if own and serial and own != serial:
            notes.append(f"{file.name}: of another machine ({own})")
        serial = own or serial
    if FLOW not in streams and THERAPY not in streams:
        return None
    start = min(stream.start for stream in streams.values())
    end = max(stream.end for stream in streams.values())
    return CardSession(start, end, serial, streams.get(FLOW), streams.get(THERAPY), streams.get(OXIMETRY))


def _stream(name: str, file: EdfFile, notes: list[str]) -> CardStream | None:
    """The known signals of a file at its highest rate; None where it holds no value of any."""
    known = [(s, m) for s in file.signals if (m := meaning(name, s.label)) is not None and s.samples]
    known = [(s, m) for s, m in known if _has_scale(s)]
    unknown = [s.label for s in file.signals if meaning(name, s.label) is None]
    if left := [label for label in unknown if label not in {CHECK, ANNOTATIONS}]:
        notes.append(f"{file.name}: unknown signals left out: {', '.join(left)}")
    if not known or not len(file.records) or file.record_s <= 0:
        return None
    width = max(signal.samples for signal, _ in known)
    chosen = [(signal, m) for signal, m in known if signal.samples == width]
    names = distinct([m.name for _, m in chosen])
    channels = tuple(
        Channel(
            channel,
            m.quantity,
            unit_of(m, signal.unit),
            signal.gain,
            signal.zero,
            signal.digital_min,
            signal.digital_max,
        )
        for channel, (signal, m) in zip(names, chosen, strict=True)
    )
    counts = np.stack([file.counts(signal) for signal, _ in chosen])
    lows = np.array([channel.low for channel in channels])[:, None]
    damaged = _ranges(file.damaged, width)
    good = np.repeat(~file.damaged, width)
    if not ((counts >= lows) & good).any():
        return None
    return CardStream(name, file.start, width / file.record_s, channels, counts, damaged)


def _has_scale(signal: EdfSignal) -> bool:
    try:
        return signal.gain != 0
    except ValueError:
        return False


def _ranges(damaged: npt.NDArray[np.bool_], width: int) -> tuple[tuple[int, int], ...]:
    """Ranges of samples of neighbouring damaged records."""
    edges = np.flatnonzero(np.diff(damaged, prepend=False, append=False)).tolist()
    return tuple((a * width, b * width) for a, b in zip(edges[::2], edges[1::2], strict=True))


def _events(files: Sequence[EdfFile]) -> list[CardEvent]:
    events = []
    for file in files:
        for said in file.annotations():
            if said.text.casefold() == STARTS or said.duration_s < 0:
                continue
            at = file.start + timedelta(seconds=said.onset_s - said.duration_s)
            events.append(CardEvent(at, said.duration_s, event_kind(said.text), said.text))
    return events


def _periodic(files: Sequence[EdfFile], last: datetime | None) -> list[CardEvent]:
    """Stretches of periodic (Cheyne-Stokes) breathing. One that has no end goes to the end of the night."""
    events = []
    for file in files:
        marks = [
            (file.start + timedelta(seconds=said.onset_s), said.text)
            for said in file.annotations()
            if said.text.casefold() in {CSR_START, CSR_END}
        ]
        if last is not None:
            marks.append((last, CSR_END))
        for (begin, text), (end, _) in pairwise(marks):
            if text.casefold() == CSR_START and end > begin:
                events.append(CardEvent(begin, (end - begin).total_seconds(), PERIODIC_BREATHING, text))
    return events
