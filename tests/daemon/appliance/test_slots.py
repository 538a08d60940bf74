"""Slots: their states on the boot partition, and which one is started."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.appliance import slots
from daemon.appliance.slots import Slot, States

slot_states = st.builds(Slot, st.sampled_from(["good", "new", "bad"]), st.integers(0, 3))
any_states = st.builds(States, st.sampled_from([("A", "B"), ("B", "A")]), slot_states, slot_states)


@given(any_states)
def test_a_block_is_one_sector_and_says_what_was_written(states):
    data = slots.block(states)
    assert len(data) == 512
    assert data.startswith(b"# GRUB Environment Block\n")
    assert slots.parsed(data) == states


@given(any_states)
def test_something_is_always_started_and_nothing_bad_while_there_is_another(states):
    chosen = states.primary()
    assert chosen in {"A", "B"}
    if states[chosen].state == "bad":
        assert states.a.state == states.b.state == "bad"
    if not states[chosen].left:
        assert not any(states[name].starts for name in "AB")


@given(any_states)
def test_an_update_that_is_broken_off_at_any_step_leaves_the_slot_that_runs(states):
    """RAUC's order: the other slot is bad while it is written, and first only when it is whole."""
    good = states.marked("A", "good").preferred("A")
    writing = good.marked("B", "bad")
    assert writing.primary() == "A"
    whole = writing.preferred("B")
    assert whole.primary() == "B"
    assert whole["B"] == Slot("new", 1)
    assert whole["A"] == Slot("good", 3)


def test_a_power_cut_within_one_copy_leaves_the_other(tmp_path):
    before, after = States(), States().preferred("B")
    slots.write(before, tmp_path)
    for cut in range(0, 513, 7):
        (tmp_path / "slots.0").write_bytes((slots.block(after)[:cut] + b"\0" * 512)[:512])
        assert slots.read(tmp_path) in {before, after}
    slots.write(after, tmp_path)
    (tmp_path / "slots.1").write_bytes(b"\xff" * 512)
    assert slots.read(tmp_path) == after
    (tmp_path / "slots.0").unlink()
    with pytest.raises(slots.Unreadable):
        slots.read(tmp_path)


def test_a_file_is_overwritten_in_place_and_never_cut_off(tmp_path, monkeypatch):
    slots.write(States(), tmp_path)
    inode = (tmp_path / "slots.0").stat().st_ino
    monkeypatch.setattr(slots.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(5, "cut")))
    with pytest.raises(OSError, match="cut"):
        slots.write(States().preferred("B"), tmp_path)
    assert (tmp_path / "slots.0").stat().st_ino == inode
    assert (tmp_path / "slots.0").stat().st_size == 512
    assert slots.parsed((tmp_path / "slots.1").read_bytes()) == States(), (
        "the second is begun when the first is safe"
    )


@pytest.mark.parametrize(
    "text",
    ["", "VALID=0\n", "VALID=1\nORDER=A\n", "VALID=1\nORDER=A B\nA=good\nA_LEFT=3\nB=worse\nB_LEFT=0\n"],
)
def test_what_is_not_whole_is_not_read(text):
    with pytest.raises(ValueError, match=r"."):
        slots.parsed(b"# GRUB Environment Block\n" + text.encode())


def test_rauc_is_answered(tmp_path, capsys):
    slots.write(States(), tmp_path)

    def ask(*words):
        return slots.answered(words, tmp_path)

    assert ask("get-primary") == "A"
    assert (ask("get-state", "A"), ask("get-state", "B")) == ("good", "bad")
    ask("set-state", "B", "bad")
    ask("set-primary", "B")
    assert ask("get-primary") == "B"
    assert slots.read(tmp_path).b == Slot("new", 1), "a new slot has one try"
    ask("set-state", "B", "good")
    assert slots.read(tmp_path).b == Slot("good", 3)
    with pytest.raises(ValueError, match="not known"):
        ask("set-primary", "C")
    assert slots.main(["set-state", "A", "worse"]) in {1, 2}
    assert capsys.readouterr().err


def test_a_raspberry_pi_starts_by_itself_only_what_was_good():
    assert b"[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n" in slots.autoboot(
        States().preferred("B")
    )
    kept = States().preferred("B").marked("B", "good")
    assert b"[all]\ntryboot_a_b=1\nboot_partition=3\n" in slots.autoboot(kept)
    assert len(slots.autoboot(kept)) == 512


def test_the_command_line_says_which_slot_runs_and_how():
    said = "BOOT_IMAGE=x root=PARTLABEL=rootB ro rauc.slot=B vitald.state=new panic=5"
    assert slots.started(said) == slots.Started("B", new=True, spent=False)
    assert slots.started("ro rauc.slot=A vitald.state=spent") == slots.Started("A", new=False, spent=True)
    assert slots.started("root=/dev/sda1 ro") is None
    assert slots.started("rauc.slot=A", tryboot=True) == slots.Started("A", new=True, spent=False)
