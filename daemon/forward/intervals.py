"""Sets of numbers as intervals: which seqs of a lane are done. A day of them in order is one interval, however many they are."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

Span = tuple[int, int]
"""Numbers first .. last, both inclusive."""


class Intervals:
    """Numbers from 1 on, as disjoint spans in order; neighbours are one span. Costs follow the number of spans."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in spans:
            self.add(first, last)

    @property
    def spans(self) -> list[Span]:
        return list(zip(self._firsts, self._lasts, strict=True))

    @property
    def complete_to(self) -> int:
        """The highest number below which nothing is missing; 0 = 1 is missing."""
        return self._lasts[0] if self._firsts and self._firsts[0] <= 1 else 0

    @property
    def highest(self) -> int:
        return self._lasts[-1] if self._lasts else 0

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and self._lasts[at] >= number

    def __len__(self) -> int:
        """How many spans."""
        return len(self._firsts)

    def add(self, first: int, last: int) -> None:
        """Put first .. last in; nothing where last < first."""
        if last < first:
            return
        begin = bisect_left(self._lasts, first - 1)
        end = bisect_right(self._firsts, last + 1)
        if begin < end:
            first = min(first, self._firsts[begin])
            last = max(last, self._lasts[end - 1])
        self._firsts[begin:end] = [first]
        self._lasts[begin:end] = [last]

    def remove(self, first: int, last: int) -> None:
        """Take first .. last out, whether they are in or not."""
        if last < first:
            return
        begin = bisect_left(self._lasts, first)
        end = bisect_right(self._firsts, last)
        rest = []
        if begin < end:
            rest = [(self._firsts[begin], first - 1), (last + 1, self._lasts[end - 1])]
        rest = [(a, b) for a, b in rest if a <= b]
        self._firsts[begin:end] = [a for a, _ in rest]
        self._lasts[begin:end] = [b for _, b in rest]

    def gaps(self, first: int, last: int) -> list[Span]:
        """All stretches of first .. last of which nothing is in."""
        out = []
        while (gap := self.lowest_gap(first, last)) is not None:
            out.append(gap)
            first = gap[1] + 1
        return out

    def lowest_gap(self, first: int, last: int) -> Span | None:
        """The lowest stretch of first .. last of which nothing is in; None where all of it is."""
        at = bisect_right(self._firsts, first) - 1
        if at >= 0 and self._lasts[at] >= first:
            first = self._lasts[at] + 1
        if first > last:
            return None
        after = at + 1
        if after < len(self._firsts):
            last = min(last, self._firsts[after] - 1)
        return first, last

    def highest_gap(self, first: int, last: int) -> Span | None:
        """The highest stretch of first .. last of which nothing is in."""
        at = bisect_right(self._firsts, last) - 1
        if at >= 0 and self._lasts[at] >= last:
            last = self._firsts[at] - 1
            at -= 1
        if first > last:
            return None
        if at >= 0:
            first = max(first, self._lasts[at] + 1)
        return first, last
