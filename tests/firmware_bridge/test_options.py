"""Options of a device: every mistake is named."""

from __future__ import annotations

import pytest

from firmware_bridge.options import Options


def test_defaults_and_given_values():
    options = Options("board", {"gain": "6", "rate": "2.5"})

    assert options.choice("gain", "24", ("6", "24")) == "6"
    assert options.choice("leads", "8", ("8", "12")) == "8"
    assert options.number("rate", 1.0, 0.0, 10.0) == 2.5
    options.done()


@pytest.mark.parametrize("text", ["", "high", "nan", "inf", "11", "-1"])
def test_a_number_out_of_range_is_named(text):
    with pytest.raises(ValueError, match="board: rate is .* from 0 to 10"):
        Options("board", {"rate": text}).number("rate", 1.0, 0.0, 10.0)


def test_a_wrong_choice_is_named():
    with pytest.raises(ValueError, match="board: gain is '5', must be one of 6, 24"):
        Options("board", {"gain": "5"}).choice("gain", "24", ("6", "24"))


def test_an_option_nobody_reads_is_named():
    options = Options("board", {"gian": "6"})
    options.choice("gain", "24", ("6", "24"))
    with pytest.raises(ValueError, match="unknown option 'gian' \\(options: gain\\)"):
        options.done()
