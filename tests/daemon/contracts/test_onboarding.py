"""docs/onboarding.md: current, whole, and its bytes and programs do what they say."""

from __future__ import annotations

import ast
import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from daemon.cli import VERBS
from daemon.contracts.registry import CONTRACTS
from daemon.control.waves import decode_waves
from firmware_bridge.boards import vlp
from firmware_bridge.frames import Identity, Settings
from tests.daemon.contracts import onboarding

HERE = Path(__file__).parent
TEXT = onboarding.page()
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_page_is_up_to_date():
    """If not: python -m tests.daemon.contracts.onboarding"""
    assert onboarding.PAGE.read_text(encoding="utf-8") == TEXT


def test_every_message_has_its_lane_and_an_example():
    lanes = onboarding.lanes()
    for name, contract in CONTRACTS.items():
        section = TEXT.split(f"### `{name}`\n", 1)[1].split("\n### ", 1)[0]
        assert "```json" in section
        assert ("To the box" in section) == contract.down
        assert contract.down or f"lane `{lanes[name]}`" in section


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_field_of_every_model_is_in_its_table(name):
    section = TEXT.split(f"### `{name}`\n", 1)[1].split("\n### ", 1)[0]

    assert all(
        f"| `{field.alias or field_name}` |" in section
        for field_name, field in CONTRACTS[name].model.model_fields.items()
    )


def test_every_example_of_the_seeds_is_shown_once():
    kept = {path.stem for path in (HERE / "seeds").glob("*.json")}
    told = [seed for seeds in onboarding.SEEDS.values() for seed in seeds]

    assert sorted(told) == sorted(kept)


def test_every_example_is_json():
    examples = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)

    assert len(examples) == len(CONTRACTS) + len(
        [seed for seeds in onboarding.SEEDS.values() for seed in seeds]
    )
    assert all(isinstance(json.loads(example), dict) for example in examples)


def test_the_first_frames_of_a_device_are_understood():
    told = [
        bytes.fromhex(line) for line in re.findall(r"^\| [A-Z]+ \| `([0-9A-F ]+)` \|", TEXT, re.MULTILINE)
    ]
    identity, _leads, samples, log = vlp.board({}).feed(b"".join(told), 1_000_000_000)

    assert identity == Identity("vlp", "00112233445566778899aabbccddeeff", "1.0", "vsim")
    assert samples.counts[0].tolist() == [0, -150, 250, 500]
    assert log == Settings((("log", "2 probe ok"),))


@pytest.mark.parametrize("leads", [1, 2, 8])
def test_the_program_that_reads_waves_reads_them(leads):
    (program,) = [text for text in PYTHON if "def waves" in text]
    made = {}
    exec(program, made)
    values = np.arange(leads * 5, dtype="<i2").reshape(leads, 5)
    values[0, 2] = -32768
    scale = np.zeros(leads + leads % 2, "<f4")
    scale[:leads] = np.arange(1, leads + 1) / 4
    header = struct.pack("<BBHIqqfHH", 1, 1, 7, 3, 4000, 10**12, 500.0, leads, 5)
    frame = header + scale.tobytes() + values.tobytes()
    ours = decode_waves(frame)

    index, first, rate_hz, rows = made["waves"](frame)

    assert (index, first, rate_hz) == (ours.index, ours.first, ours.rate_hz)
    wanted = ours.values * ours.scale[:, None].astype(float) / 1000
    assert rows[0][2] is None
    rows[0][2] = wanted[0, 2]
    assert np.allclose(rows, wanted)
    with pytest.raises(ValueError, match="version"):
        made["waves"](b"\x02" + frame[1:])


def test_the_programs_are_python():
    assert len(PYTHON) == 2
    assert all(ast.parse(text).body for text in PYTHON)


def test_commands_are_verbs_of_ours():
    assert set(re.findall(r"`vitald ([a-z][a-z-]*)", TEXT)) <= set(VERBS)
