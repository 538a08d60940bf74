"""Short forms of the bars (a) and (b), with their controls; the long ones are benchmarks/forward_kills.py and forward_powercut.py."""

from __future__ import annotations

import os
import shutil
from random import Random

import pytest

from benchmarks import forward_powercut
from benchmarks._powercut import File, Op, cuts
from benchmarks.forward_kills import killed


@pytest.mark.slow
def test_what_was_acknowledged_outlives_a_kill_and_what_was_not_may_not():
    kept = killed(5, early=False)
    # A kill that comes right after a commit costs even the control nothing: it has as many as it needs, within reason.
    controls = (killed(1, early=True, seed=seed) for seed in range(20))

    assert kept.acknowledged > 50
    assert (kept.missing, kept.orphans) == (0, 0)
    assert any(control.missing > 0 for control in controls)


@pytest.mark.slow
def test_what_was_acknowledged_outlives_a_power_cut():
    if shutil.which("cc") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no C compiler")
        pytest.skip("no C compiler")
    rows = {row.claim: row for row in forward_powercut.measured(30, 20, 15)}

    assert len(rows) == 7
    assert [claim for claim, row in rows.items() if row.met is False] == []


def test_a_write_that_no_sync_covers_is_whole_torn_or_gone_and_others_are_there():
    """The model itself: without a sync every fate comes, with one none."""
    old, new = b"o" * 2048, b"n" * 2048
    ops = [
        Op(0, "o", 3, 0, b"/d/f"),
        Op(1, "w", 3, 0, old),
        Op(2, "s", 3, 2, b""),
        Op(3, "w", 3, 0, new),
        Op(4, "s", 3, 4, b""),
        Op(5, "t", 3, 512, b""),
    ]
    seen = {bytes(files["/d/f"]) for seed in range(200) for _, files in cuts(ops, [4], Random(seed))}
    assert {old, new} < seen
    assert all(len(image) == 2048 and set(image) <= {*b"on"} for image in seen)
    assert all(
        image[at : at + 512] in {b"o" * 512, b"n" * 512} for image in seen for at in range(0, 2048, 512)
    )
    assert {bytes(files["/d/f"]) for s in range(20) for _, files in cuts(ops, [5], Random(s))} == {new}
    after = {bytes(files["/d/f"]) for s in range(50) for _, files in cuts(ops, [6], Random(s))}
    assert after == {new, new[:512]}


def test_what_is_written_while_a_sync_goes_on_is_not_covered_by_it():
    file = File()
    file.pending = [(1, 0, b"before"), (5, 6, b"during")]
    file.sync(began=5)

    assert bytes(file.durable) == b"before"
    assert file.pending == [(5, 6, b"during")]
