"""A person's or a test's way into running simulators: one line of text in, one line out, over a Unix socket.

    ecg rate 120          -> ok
    ecg rhythm vg         -> error: no rhythm 'vg': one of sinus, ...

The first word names the outlet. `COMMANDS` is the one table of the second.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware_bridge.simulators.patient import LOOSE_KINDS, Patient
from firmware_bridge.simulators.pty import Outlet

LONGEST_LINE = 1000
NOISES = ("muscle", "mains", "wander")


class Refused(ValueError):
    """A command that cannot be carried out, with the reason in plain words."""


Act = Callable[[Outlet, list[str]], str | None]


@dataclass(frozen=True, slots=True)
class Command:
    """`act` gets the words after the command; it returns text to add to "ok", or raises ValueError."""

    usage: str
    help: str
    act: Act


def _body(outlet: Outlet) -> Patient:
    if not isinstance(outlet.board.body, Patient):
        raise Refused("this board plays a recording, there is no patient to change")
    return outlet.board.body


def _number(words: list[str], place: int = 0) -> float:
    if len(words) <= place:
        raise Refused("a number is missing")
    try:
        return float(words[place])
    except ValueError:
        raise Refused(f"{words[place]!r} is not a number") from None


def _whole(words: list[str]) -> int:
    number = _number(words)
    if not number.is_integer():
        raise Refused(f"{words[0]!r} is not a whole number")
    return int(number)


def _word(words: list[str], place: int, choices: tuple[str, ...]) -> str:
    if len(words) <= place or words[place] not in choices:
        raise Refused(f"one of {', '.join(choices)} is missing")
    return words[place]


def _set(attribute: str) -> Act:
    """Set a number of the patient."""

    def act(outlet: Outlet, words: list[str]) -> None:
        setattr(_body(outlet), attribute, _number(words))

    return act


def _fault(name: str) -> Act:
    def act(outlet: Outlet, words: list[str]) -> None:
        outlet.faults.set(name, _number(words))

    return act


def _rhythm(outlet: Outlet, words: list[str]) -> None:
    _body(outlet).rhythm = words[0] if words else ""


def _electrode(outlet: Outlet, words: list[str]) -> None:
    state = _word(words, 1, ("on", "off"))
    _body(outlet).electrode(words[0], attached=state == "on")


def _loose(outlet: Outlet, words: list[str]) -> None:
    _body(outlet).loose = _word(words, 0, LOOSE_KINDS)


def _noise(outlet: Outlet, words: list[str]) -> None:
    setattr(_body(outlet), f"{_word(words, 0, NOISES)}_mv", _number(words, 1))


def _mains(outlet: Outlet, words: list[str]) -> None:
    _body(outlet).mains_hz = float(_word(words, 0, ("50", "60")))


def _st(outlet: Outlet, words: list[str]) -> None:
    body, mv = _body(outlet), _number(words)
    if len(words) > 1:
        body.st_lead = words[1]
    body.st_mv = mv


def _plug(outlet: Outlet, words: list[str]) -> None:
    outlet.plug(words[0] if words else None)


def _unplug(outlet: Outlet, _words: list[str]) -> None:
    outlet.unplug()


def _garbage(outlet: Outlet, words: list[str]) -> None:
    outlet.faults.garbage(_whole(words))


def _drop_byte(outlet: Outlet, words: list[str]) -> None:
    outlet.faults.drop_byte(_whole(words))


def _state(outlet: Outlet, _words: list[str]) -> str:
    board, faults = outlet.board, outlet.faults.counts
    words = [
        board.kind,
        str(outlet.path) if outlet.plugged else "unplugged",
        "streaming" if board.streaming else "idle",
        f"lost={outlet.lost_bytes}",
        f"unheard={outlet.unheard_bytes}",
        *(
            f"{name}={getattr(faults, name)}"
            for name in ("dropped", "duplicated", "corrupted", "garbage", "stalled")
        ),
    ]
    if isinstance(board.body, Patient):
        body = board.body
        words += [f"rhythm={body.rhythm}", f"rate={body.rate_bpm:g}", f"t={body.time_s:.3f}"]
    return " ".join(words)


COMMANDS: dict[str, Command] = {
    "rate": Command("rate BPM", "mean heart rate", _set("rate_bpm")),
    "rhythm": Command("rhythm NAME", "sinus, af, vt, vf, asystole ...", _rhythm),
    "ec13": Command("ec13 3a..4b", "an irregular rhythm of EC13", lambda o, w: _body(o).ec13(" ".join(w))),
    "vt": Command("vt BPM", "rate of VT", _set("vt_bpm")),
    "pvc": Command("pvc PER_MINUTE", "isolated ventricular beats", _set("pvc_per_minute")),
    "pause": Command("pause SECONDS", "hold the next beat back", lambda o, w: _body(o).pause(_number(w))),
    "st": Command("st MV [LEAD]", "ST level in a lead (II)", _st),
    "t": Command("t MV", "height of T in lead II", _set("t_mv")),
    "amplitude": Command("amplitude TIMES", "size of the whole ECG", _set("amplitude")),
    "breaths": Command("breaths PER_MINUTE", "respiration", _set("breaths_per_minute")),
    "spo2": Command("spo2 PERCENT", "oxygen saturation", _set("spo2_pct")),
    "electrode": Command("electrode NAME on|off", "RA LA LL RL V1..V6", _electrode),
    "loose": Command("loose rail|noise", "what an electrode that is off does", _loose),
    "noise": Command("noise muscle|mains|wander MV", "disturbance in lead II", _noise),
    "pops": Command("pops PER_HOUR", "electrodes that are touched", _set("pops_per_hour")),
    "mains": Command("mains 50|60", "mains frequency", _mains),
    "unplug": Command("unplug", "pull the cable", _unplug),
    "plug": Command("plug [NAME]", "plug in, under another name if given", _plug),
    "stall": Command("stall SECONDS", "a silent line", lambda o, w: o.stall(_number(w))),
    "drop": Command("drop PROBABILITY", "lose bytes", _fault("drop")),
    "dropbyte": Command("dropbyte K", "lose the k-th byte from now", _drop_byte),
    "duplicate": Command("duplicate PROBABILITY", "double bytes", _fault("duplicate")),
    "corrupt": Command("corrupt PROBABILITY", "change bytes", _fault("corrupt")),
    "garbage": Command("garbage COUNT", "a burst of random bytes", _garbage),
    "state": Command("state", "what the simulator is doing", _state),
}


def obey(outlets: Mapping[str, Outlet], line: str) -> str:
    """Carry out one line; the answer is one line too: "ok", "ok TEXT" or "error: REASON"."""
    words = line.split()
    try:
        if words in (["help"], ["?"]):
            outlets_named = ", ".join(sorted(outlets))
            return f"ok OUTLET ({outlets_named}) then: " + "; ".join(
                f"{c.usage} ({c.help})" for c in COMMANDS.values()
            )
        if len(words) < 2:
            raise Refused("say an outlet and a command, or help")
        if words[0] not in outlets:
            raise Refused(f"no outlet {words[0]!r}: one of {', '.join(sorted(outlets))}")
        if words[1] not in COMMANDS:
            raise Refused(f"no command {words[1]!r}: one of {', '.join(COMMANDS)}")
        said = COMMANDS[words[1]].act(outlets[words[0]], words[2:])
    except (ValueError, OSError) as error:
        return f"error: {error}".replace("\n", " ")
    return f"ok {said}" if said else "ok"


class Control:
    """Listens on the Unix socket `path` for as long as `run` runs."""

    def __init__(self, path: Path, outlets: Mapping[str, Outlet]) -> None:
        self.path = path
        self._outlets = outlets
        self._closed = asyncio.Event()
        self.listening = asyncio.Event()

    def close(self) -> None:
        """Let `run` return."""
        self._closed.set()

    async def run(self) -> None:
        """Serve until closed or cancelled; open connections are closed with it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        connections: set[asyncio.StreamWriter] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.add(writer)
            try:
                if not self._closed.is_set():  # accepted just as we were closing
                    await self._converse(reader, writer)
            finally:
                connections.discard(writer)
                writer.close()

        server = await asyncio.start_unix_server(connected, self.path, limit=LONGEST_LINE)
        try:
            self.listening.set()
            await self._closed.wait()
        finally:
            server.close()
            for writer in list(connections):
                writer.close()
            await server.wait_closed()
            self.path.unlink(missing_ok=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                try:
                    line = await reader.readline()
                except ValueError:
                    writer.write(b"error: the line is too long\n")
                    return
                if not line:
                    return
                answer = obey(self._outlets, line.decode("utf-8", "replace"))
                writer.write(answer.encode() + b"\n")
                await writer.drain()


def ask(path: Path, line: str, timeout_s: float = 5.0) -> str:
    """Say one line to the simulators listening at `path` and return their answer. Blocks; OSError when nobody is there."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(path))
        connection.sendall(line.strip().encode() + b"\n")
        with connection.makefile(encoding="utf-8") as answers:
            return answers.readline().rstrip("\n")
