"""A decoder and a simulated device on one wire."""

from __future__ import annotations

NS = 1_000_000_000


def talk(simulator, board, seconds, from_s=0.0, deaf_s=(0.0, 0.0), step_ms=20):
    """All frames of so many seconds, and what the decoder sent; within `deaf_s` the device's words are lost."""
    frames, sent = [], []
    if from_s == 0:
        simulator.power_on(0)
        board.opened(0)
    for step in range(round(seconds * 1000 / step_ms)):
        now_ns = round(from_s * NS) + (step + 1) * step_ms * 1_000_000
        said = board.due(now_ns)
        if said:
            sent.append(said)
            simulator.feed(said, now_ns)
        heard = simulator.due(now_ns)
        if heard and not deaf_s[0] <= now_ns / NS < deaf_s[1]:
            frames += board.feed(heard, now_ns)
    return frames, sent


def numbers(frames):
    """The last value of each number."""
    return {frame.name: frame.value for frame in frames if type(frame).__name__ == "Number"}


def words(frames, name):
    """What a status said, in order."""
    return [frame.text for frame in frames if type(frame).__name__ == "Status" and frame.name == name]


def samples(frames, stream, row=0):
    """One channel's counts."""
    return [
        value
        for frame in frames
        if type(frame).__name__ == "Samples" and frame.stream == stream
        for value in frame.counts[row].tolist()
    ]
