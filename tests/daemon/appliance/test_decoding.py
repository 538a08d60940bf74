"""What every board's bytes mean, from a capture and from mere bytes; damage is counted where it is."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.appliance import capture
from daemon.appliance.capture import Capture
from daemon.appliance.decoding import board_of, count, decode
from daemon.cli import main
from daemon.cli.outlets import board as simulated
from firmware_bridge.boards import BOARDS
from firmware_bridge.simulators import SIMULATORS

ROUND_NS = 20_000_000
SECONDS = 5
BANNER_BYTES = 100
"""Some boards greet in words of their own when they start."""
SPEAKING = [kind for kind in SIMULATORS if kind != "vt_settings"]
"""That one only answers."""


def kind_of(simulator):
    return "vlp" if simulator.startswith("vlp") else simulator


def conversation(simulator):
    """The arrivals of some seconds of a board that is spoken to as at a bed."""
    device, ours = simulated(simulator, None), BOARDS[kind_of(simulator)].board({})
    device.power_on(0)
    ours.opened(0)
    arrivals = []
    for t_ns in range(0, SECONDS * 10**9, ROUND_NS):
        if asked := ours.due(t_ns):
            device.feed(asked, t_ns)
        if data := device.due(t_ns):
            ours.feed(data, t_ns)
            arrivals.append((t_ns, data))
    return tuple(arrivals)


def decoded(captured, kind):
    counts = Counter()
    for one in decode(captured, kind):
        count(counts, one)
    return counts


@pytest.mark.parametrize("simulator", SPEAKING)
def test_every_boards_capture_is_understood_whole_and_as_mere_bytes_nearly_so(simulator):
    arrivals = conversation(simulator)
    total = sum(len(data) for _, data in arrivals)
    kind = kind_of(simulator)

    timed = decoded(Capture({"port": "x"}, arrivals), kind)
    bare = decoded(Capture(arrivals=((0, b"".join(data for _, data in arrivals)),)), kind)

    assert timed["samples_n"] + timed["number"] > 10
    assert bare["samples_n"] >= 0.95 * timed["samples_n"]
    assert timed["damaged_bytes"] <= BANNER_BYTES + 0.02 * total
    assert bare["damaged_bytes"] <= BANNER_BYTES + 0.02 * total


@pytest.mark.parametrize("simulator", [kind for kind in SPEAKING if kind != "dm_ecg_ascii"])
def test_whose_bytes_they_are_is_recognised_where_nobody_says(simulator):
    sure, kind = board_of(Capture(arrivals=conversation(simulator)))[0]
    assert (kind, sure) == (kind_of(simulator), 1.0)


def test_damage_in_the_middle_is_told_with_its_place():
    data = b"".join(data for _, data in conversation("vlp_ecg"))
    middle = len(data) // 2
    noise = bytes(range(1, 200)) * 3

    found = list(decode(Capture(arrivals=((0, data[:middle] + noise + data[middle:]),)), "vlp"))
    damage = [one for one in found if one.what == "damage"]

    assert damage
    assert all(abs(one.first - middle) < 1500 for one in damage)
    assert sum(one.values["damaged_bytes"] for one in damage) >= len(noise)


@given(
    st.dictionaries(st.sampled_from(["port", "kind"]), st.text(max_size=20)),
    st.lists(st.binary(min_size=1, max_size=50)),
)
def test_a_capture_is_read_as_it_was_written_and_one_that_was_cut_off_up_to_there(about, pieces):
    arrivals = tuple((7 * at, piece) for at, piece in enumerate(pieces))
    written = capture.head(about) + b"".join(capture.arrival(t_ns, data) for t_ns, data in arrivals)

    assert capture.read(written) == Capture(about, arrivals, cut_off=False)
    if arrivals:
        assert capture.read(written[:-1]) == Capture(about, arrivals[:-1], cut_off=True)


@settings(max_examples=20)
@given(st.binary(max_size=300))
def test_nothing_that_a_file_can_hold_breaks_it(data):
    for kind in ("dm_ecg", "vlp", "medibus"):
        list(decode(capture.read(data), kind))
    board_of(capture.read(capture.MAGIC + data))


def test_the_command_prints_frames_and_json_and_says_what_is_damaged(tmp_path, capsys):
    file = tmp_path / "x.cap"
    arrivals = conversation("dm_ecg")
    file.write_bytes(capture.head({"kind": "dm_ecg"}) + b"".join(capture.arrival(*one) for one in arrivals))

    assert main(["decode", str(file)]) == 0
    told = capsys.readouterr().out
    assert "Deckmount DM-ECG" in told
    assert "samples   ecg: 1 samples of 8 channels" in told

    assert main(["decode", str(file), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"first", "last", "t_ns", "what", "text", "values", "board"} == set(lines[0])

    file.write_bytes(b"nothing that any board would say" * 50)
    assert main(["decode", str(file)]) == 1
    assert "--board" in capsys.readouterr().out
    assert main(["decode", str(file), "--board", "dm_ecg", "--summary"]) == 1
    assert main(["decode", str(tmp_path / "missing")]) == 2
