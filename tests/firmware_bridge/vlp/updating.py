"""A device of either kind (simulated, or the reference firmware in C) that takes new firmware over two wires."""

from __future__ import annotations

import random

from firmware_bridge.boards import vlp
from firmware_bridge.frames import Frame, Identity, Progress, Reply, Samples
from firmware_bridge.simulators.faults import Faults
from firmware_bridge.simulators.wire import Conversation, Wire

SECOND = 1_000_000_000


def _line(corrupt: float, seed: int) -> Faults:
    faults = Faults(seed=seed)
    faults.set("corrupt", corrupt)
    return faults


class Bench:
    """A board and a device; `run` lets time pass with what the daemon does each round."""

    def __init__(self, device, *, corrupt: float = 0.0, begin_ns: int = 1_000 * SECOND) -> None:
        self.device = device
        self.frames: list[Frame] = []
        self.corrupt = corrupt
        self.begin_ns = begin_ns
        self.plug(begin_ns)

    def plug(self, begin_ns: int) -> None:
        """A cable is plugged: another board object, as after a lost link."""
        self.board = vlp.board({})
        self.talk = Conversation(
            self.board,
            self.device,
            there=Wire(faults=_line(self.corrupt, 1)),
            back=Wire(faults=_line(self.corrupt, 2)),
            heard=lambda new, _now: self.frames.extend(new),
            begin_ns=begin_ns,
        )

    def run(self, seconds: float) -> None:
        until = self.talk.now_ns + round(seconds * SECOND)
        while self.talk.now_ns < until:
            self.talk.run(0.1)
            self.frames += self.board.lapsed(self.talk.now_ns)

    def until_replied(self, request: str, seconds: float = 120.0) -> Reply:
        for _ in range(round(seconds)):
            self.run(1.0)
            for frame in self.frames:
                if isinstance(frame, Reply) and frame.request == request:
                    return frame
        raise AssertionError(f"no reply to {request}")

    def send(self, image: bytes, version: str, request: str = "r1") -> Reply:
        """Send, and start it where the device has found it right."""
        assert self.board.update(request, image, version, self.talk.now_ns) == ""
        sent = self.until_replied(request)
        return self.say("start", f"{request}-start") if sent.ok else sent

    def say(self, verb: str, request: str = "said") -> Reply:
        assert self.board.told(request, verb, self.talk.now_ns) == ""
        return self.until_replied(request)

    @property
    def versions(self) -> list[str]:
        """Every version that the device has said, in order."""
        return [frame.firmware for frame in self.frames if isinstance(frame, Identity)]

    @property
    def progress(self) -> list[int]:
        return [frame.done for frame in self.frames if isinstance(frame, Progress)]

    def samples_in(self, seconds: float) -> int:
        before = len(self.frames)
        self.run(seconds)
        return sum(isinstance(frame, Samples) for frame in self.frames[before:])


def damaged(image: bytes, seed: int = 1) -> bytes:
    """The image with one byte changed."""
    at = random.Random(seed).randrange(64, len(image))
    return image[:at] + bytes([image[at] ^ 0x55]) + image[at + 1 :]


def check_taken_and_kept(bench: Bench, image: bytes) -> None:
    """What every device must do with firmware that is good."""
    bench.run(3.0)
    assert bench.board.takes_firmware
    assert bench.versions[-1] == "1.0"
    assert bench.send(image, "2.0").ok
    assert bench.progress == sorted(bench.progress)
    assert bench.progress[-1] == len(image)
    bench.run(3.0)
    assert bench.versions[-1] == "2.0"
    assert bench.samples_in(3.0) > 0
    assert bench.say("keep").ok
    bench.run(70.0)
    assert bench.versions[-1] == "2.0", "it was kept"


def check_gone_back_by_itself(bench: Bench, image: bytes) -> None:
    """And with firmware that is not: on trial it says no samples, nobody keeps it, and it goes back."""
    bench.run(3.0)
    assert bench.send(image, "bad-1").ok
    bench.run(5.0)
    assert bench.versions[-1] == "bad-1"
    assert bench.samples_in(3.0) == 0
    bench.run(60.0)
    assert bench.versions[-1] == "1.0"
    assert bench.samples_in(3.0) > 0


def check_told_to_go_back(bench: Bench, image: bytes) -> None:
    bench.run(3.0)
    assert bench.send(image, "2.0").ok
    bench.run(3.0)
    assert bench.say("back").ok
    bench.run(3.0)
    assert bench.versions[-1] == "1.0"


def check_goes_on_after_a_broken_link(bench: Bench, image: bytes) -> None:
    """The cable goes in the middle: with a new link the same image is not sent from its beginning."""
    bench.run(3.0)
    assert bench.board.update("r1", image, "2.0", bench.talk.now_ns) == ""
    while not bench.progress or bench.progress[-1] < len(image) // 2:
        bench.run(0.2)
    had = bench.progress[-1]
    bench.frames.clear()
    bench.plug(bench.talk.now_ns)
    bench.run(3.0)
    assert bench.send(image, "2.0", "r2").ok
    assert bench.progress[0] >= had
    bench.run(3.0)
    assert bench.versions[-1] == "2.0"
