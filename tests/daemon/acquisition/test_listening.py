"""A port of which nothing is known is listened to at every speed and parity of the boards there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from daemon.acquisition.listening import Listening
from firmware_bridge.boards import BOARDS
from firmware_bridge.frames import Facts, PortSettings

S = 1_000_000_000


class Kind:
    """A kind that is recognised by its name, and asks for it."""

    def __init__(self, name: str, port: PortSettings) -> None:
        self.FACTS = Facts(name, name, port, 100, ())
        self.name = name.encode()

    def board(self, options: Mapping[str, str]):
        raise NotImplementedError

    def recognise(self, data: bytes) -> float:
        return 1.0 if self.name in data else 0.0

    def questions(self) -> Sequence[tuple[bytes, int]]:
        return [(b"who:" + self.name, 300)]


KINDS = {
    kind.FACTS.kind: kind
    for kind in (
        Kind("fast", PortSettings(115200)),
        Kind("even", PortSettings(19200, "E", dtr=False)),
        Kind("odd", PortSettings(19200, "O")),
        Kind("fast2", PortSettings(115200, dtr=None)),
    )
}


def run(listening: Listening, says, seconds: float):
    """Step through time in 20 ms; `says(settings, now_s)` is what the line brings. (kind, when, asked by settings)."""
    asked = []
    for step in range(round(seconds * 50)):
        now_ns = step * S // 50
        said = says(listening.settings, now_ns / S)
        if said:
            listening.probe.feed(said, now_ns)
        if question := listening.probe.due(now_ns):
            asked.append(((listening.settings.baud, listening.settings.parity), question))
        verdict = listening.verdict(now_ns)
        if verdict is not None:
            if verdict.kind:
                return verdict.kind, now_ns / S, asked
            listening.again(verdict)
    return "", seconds, asked


def test_a_device_is_found_at_its_own_speed_and_parity():
    def says(settings: PortSettings, now_s: float) -> bytes:
        return b"odd" if (settings.baud, settings.parity) == (19200, "O") else b"\xf8\x07"

    kind, when, asked = run(Listening(KINDS, ask=True), says, 30)

    assert kind == "odd"
    assert when < 12
    assert asked == [], "a port that speaks is not asked"


def test_a_silent_port_is_asked_at_each_setting_what_belongs_there():
    kind, _, asked = run(Listening(KINDS, ask=True), lambda settings, now_s: b"", 6)

    assert kind == ""
    assert asked[:4] == [
        ((115200, "N"), b"who:fast"),
        ((115200, "N"), b"who:fast2"),
        ((19200, "E"), b"who:even"),
        ((19200, "O"), b"who:odd"),
    ]


def test_nothing_is_asked_where_asking_is_not_allowed():
    _, _, asked = run(Listening(KINDS, ask=False), lambda settings, now_s: b"", 10)

    assert asked == []


def test_the_modem_lines_are_left_alone_while_listening():
    listening = Listening(BOARDS, ask=False)
    seen = set()
    for _ in range(20):
        seen.add(listening.settings)
        now_ns = 0
        while (verdict := listening.verdict(now_ns)) is None:
            listening.probe.due(now_ns)
            now_ns += S // 10
        listening.again(verdict)

    assert {(one.dtr, one.rts, one.close_drops_dtr) for one in seen} == {(None, None, False)}
    assert {(one.baud, one.parity) for one in seen} == {
        (kind.FACTS.port.baud, kind.FACTS.port.parity) for kind in BOARDS.values()
    }
