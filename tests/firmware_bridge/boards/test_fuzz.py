"""The short form of `./dev bench fuzz`: what nobody meant raises nothing, breaks no promise and is not kept."""

from __future__ import annotations

import pytest

from benchmarks.decode import MAKERS
from benchmarks.fuzz import MOST_KEPT, pieces, through
from firmware_bridge.boards import BOARDS


def test_every_board_is_fuzzed():
    assert sorted(MAKERS) == sorted(BOARDS)


@pytest.mark.parametrize("kind", sorted(BOARDS))
def test_a_short_fuzz_breaks_nothing(kind):
    _, wrong, kept = through(kind, 100_000)

    assert wrong == 0
    assert kept < MOST_KEPT


def test_the_fuzz_is_of_the_size_asked_for_and_the_same_again():
    once, again = b"".join(pieces("nonin", 50_000)), b"".join(pieces("nonin", 50_000))
    assert len(once) == 50_000
    assert once == again
