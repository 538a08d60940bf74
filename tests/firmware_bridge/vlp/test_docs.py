"""docs/vlp.md says what the tables in the code say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from firmware_bridge.boards.vlp import ASK_SETTINGS_NS
from firmware_bridge.vlp import asking, channels, clock, messages, order
from firmware_bridge.vlp.wire import Status, Type

PAGE = Path("docs/vlp.md").read_text(encoding="utf-8")
HEADER = Path("firmware_bridge/firmware/vlp.h").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", list(Type))
def test_every_type_of_frame_is_described_and_is_the_firmwares(kind):
    assert f"| {kind:02X} | {kind.name} |" in PAGE
    assert f"VLP_{kind.name} = 0x{kind:02X}" in HEADER


@pytest.mark.parametrize(("name", "unit"), list(channels.NUMBERS))
def test_every_number_is_described(name, unit):
    assert f"`{name}` {unit} | `{channels.NUMBERS[name, unit]}` |" in PAGE


def test_every_sampled_channel_state_setting_and_status_is_described():
    for name in {name for name, _ in channels.SAMPLED if not re.fullmatch(r"V\d", name)}:
        assert f"`{name}`" in PAGE
    for name in (*channels.STATES, *asking.OURS, channels.ELECTRODES):
        assert f"`{name}`" in PAGE
    for name, unit in asking.OURS.items():
        assert f"| `{name}` | {unit}" in PAGE
    for status in Status:
        assert re.search(rf"status \(.*\b{int(status)} ", PAGE)


def test_the_numbers_on_the_page_are_those_of_the_code():
    for command in (messages.SAY_HELLO, messages.SAY_SETTINGS, messages.PROPOSE, messages.CONFIRM):
        assert f"| {command:04X} |" in PAGE
        assert f"0x{command:04X}" in HEADER
    assert f"(RESEND) {order.ASK_NS // order.MS} ms after it was seen" in PAGE
    assert (
        f"after {order.ASK_AGAIN_NS // order.MS} ms; after {order.GIVE_UP_NS // order.MS} ms it is given up"
        in PAGE
    )
    assert f"At most {order.MOST_HELD} frames wait" in PAGE
    assert f"more than {order.FURTHEST} is a line that was away" in PAGE
    assert f"until {clock.OFTEN_PAIRS} were answered" in PAGE
    assert f"the last {clock.WINDOW_S:g} s" in PAGE
    assert f"each {asking.REPEAT_NS // order.MS} ms under its own number" in PAGE
    assert f"given up after {asking.ANSWER_NS // 10**9} s" in PAGE
    assert f"asked for every {ASK_SETTINGS_NS // 10**9} s" in PAGE
