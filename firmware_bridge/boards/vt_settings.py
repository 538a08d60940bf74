"""Deckmount VT-30 (CPAP) and VT-60 (BiPAP) controllers: a record of all settings, as one line of text now and then.

The record is a snapshot of settings; nothing in it is measured. It has no check sum, so it is believed only if its form
is right to the letter: section letters in order, the right count of numbers behind each. Numbers that are right in form
but wrong in order (a highest pressure below the lowest) are kept as they came, and named in the setting `doubt`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from firmware_bridge.boards.vt_record import (
    LONGEST,
    Record,
    composed,
    doubts,
    parsed,
    settings,
)
from firmware_bridge.frames import (
    Damage,
    Facts,
    Frame,
    Identity,
    Leads,
    Nanos,
    Number,
    PortSettings,
    Settings,
    Status,
)
from firmware_bridge.options import Options

# --- facts -----------------------------------------------------------------------------------------------

FACTS = Facts(
    kind="vt_settings",
    title="Deckmount VT-30 / VT-60 settings record",
    port=PortSettings(baud=115200),
    line_bytes_per_second=256,  # a long record each second; usually it is one in 30 s
    streams=(),
    silent_after_s=130.0,  # four records at the slowest rate of which anything is known, and some
)

MODELS = {"C": "VT-30", "B": "VT-60"}
FIXED = {"MANUALMODE": ("G", 0), "CPAPMODE": ("A", 0)}  # where the one pressure of a mode stands

# --- frames ----------------------------------------------------------------------------------------------


class Lines:
    """Cuts records out of the line: from `*` to `#`. At most `LONGEST` bytes are kept."""

    def __init__(self) -> None:
        self._rest = b""

    def cut(self, data: bytes) -> Iterator[str | int]:
        """Texts between `*` and `#`, and numbers of bytes that belong to none, in the order of the line."""
        buffer = self._rest + data
        at = 0
        while at < len(buffer):
            begin = buffer.find(b"*", at)
            begin = len(buffer) if begin < 0 else begin
            if noise := len(buffer[at:begin].translate(None, b"\r\n")):
                yield noise
            end = buffer.find(b"#", begin, begin + LONGEST)
            again = buffer.find(b"*", begin + 1, end if end >= 0 else begin + LONGEST)
            if again >= 0:  # the record was cut short: the next one begins
                yield again - begin
                at = again
            elif end >= 0:
                yield buffer[begin : end + 1].decode("latin-1")
                at = end + 1
            elif len(buffer) - begin >= LONGEST:
                yield 1
                at = begin + 1
            else:
                at = begin
                break
        self._rest = buffer[at:]


# --- decoder ---------------------------------------------------------------------------------------------


class VtSettings:
    """The controller; it is only listened to."""

    def __init__(self, options: Mapping[str, str]) -> None:
        read = Options("vt_settings", options)
        self._may_compose = read.choice("compose", "no", ("no", "yes")) == "yes"
        read.done()
        self._lines = Lines()
        self._first: list[Frame] = [Identity("vt_settings"), Leads(())]
        self._last: Record | None = None

    @property
    def facts(self) -> Facts:
        return FACTS

    def opened(self, now_ns: Nanos) -> None:
        """Nothing is sent to this board."""

    def feed(self, data: bytes, now_ns: Nanos) -> list[Frame]:  # noqa: ARG002 - a snapshot has no moment of its own
        frames, self._first = self._first, []
        for piece in self._lines.cut(data):
            if isinstance(piece, int):
                frames.append(Damage(piece))
                continue
            record = parsed(piece)
            if isinstance(record, Record):
                frames += self._said(record)
            else:
                frames.append(Damage(len(piece), record))
        return frames

    def _said(self, record: Record) -> list[Frame]:
        last, self._last = self._last, record
        frames: list[Frame] = []
        if last is None or (last.serial, last.suffix) != (record.serial, record.suffix):
            model = MODELS.get(record.suffix) or ("VT-60" if "F" in record.sections else "VT-30")
            frames.append(Identity("vt_settings", serial=record.serial + record.suffix, model=model))
        values = settings(record)
        if wrong := doubts(record):
            values.append(("doubt", "; ".join(wrong)))
        frames += [Status("mode", record.mode), Settings(tuple(values))]
        common = record.sections.get("F") or record.sections.get("I")
        place = FIXED.get(record.mode)
        fixed = record.sections.get(place[0]) if place else None
        frames.append(Number("cpap_set_pressure", fixed[0] if fixed else None, "cmH2O"))
        if common:
            frames.append(Number("cpap_humidity", common[1], "1"))
        return frames

    def composed(self, changes: Mapping[str, float], date: str, time: str) -> str:
        """The last record heard with these settings changed, as the app would send it. Nothing in vitald sends it.

        `changes` by the names of `vt_record.NAMES`, in the units there. PermissionError unless the option `compose` is
        "yes"; ValueError where no record has been heard yet, a name is unknown, or a value is out of range.
        """
        if not self._may_compose:
            raise PermissionError("vt_settings: composing records is not switched on (option compose)")
        if self._last is None:
            raise ValueError("vt_settings: no record of this machine has been heard yet")
        return composed(self._last, changes, date, time)

    # --- commands ----------------------------------------------------------------------------------------

    def due(self, now_ns: Nanos) -> bytes | None:  # noqa: ARG002 - the interface gives the time
        return None

    def closing(self) -> bytes:
        return b""


def board(options: Mapping[str, str]) -> VtSettings:
    """Options: `compose` (no, yes; default no): whether a technician's tool may compose a record from the last one heard."""
    return VtSettings(options)


# --- probe -----------------------------------------------------------------------------------------------


def recognise(data: bytes) -> float:
    """1.0 for two records; 0.95 for one with all its sections, since the next may be 30 s away."""
    records = [parsed(piece) for piece in Lines().cut(data) if isinstance(piece, str)]
    whole = [record for record in records if isinstance(record, Record) and record.complete]
    return 1.0 if len(whole) >= 2 else 0.95 * len(whole)


def questions() -> Sequence[tuple[bytes, int]]:
    """None: it is a therapy device, and says what it says by itself."""
    return ()
