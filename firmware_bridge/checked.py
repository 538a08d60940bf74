"""Cutting frames that can be judged one by one, by a check sum or by bits that only a first byte has.

Slow lines only: every frame is looked at by itself. Boards without a check use `framing`, which also weighs the order of
frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

SizeAt = Callable[[bytes, int], int | None]
"""Bytes of the whole frame at a place; 0 = there is none; None = more bytes must tell. It must ask for no more than the
longest frame has."""


class CheckedFrames:
    """Cuts frames out of a line. Less than one frame is kept between feeds."""

    def __init__(self, size_at: SizeAt) -> None:
        self._size_at = size_at
        self._rest = b""

    def cut(self, data: bytes) -> Iterator[bytes | int]:
        """Frames, and numbers of bytes that belong to none, in the order of the line. Exhaust it."""
        buffer = self._rest + data
        at = good = 0
        while at < len(buffer):
            size = self._size_at(buffer, at)
            if size is None:
                break
            if size:
                if good < at:
                    yield at - good
                yield buffer[at : at + size]
                at = good = at + size
            else:
                at += 1
        if good < at:
            yield at - good
        self._rest = buffer[at:]


def longest_row(data: bytes, size_at: SizeAt, counts: Callable[[bytes], bool]) -> int:
    """The most frames that `counts` holds for, back to back in `data`."""
    longest = row = 0
    for piece in CheckedFrames(size_at).cut(data):
        row = row + 1 if isinstance(piece, bytes) and counts(piece) else 0
        longest = max(longest, row)
    return longest
