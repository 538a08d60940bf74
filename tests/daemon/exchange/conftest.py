"""A session of twelve seconds, whole and with gaps."""

from __future__ import annotations

from datetime import date

import pytest

from tests.daemon.exchange.importing_house import House
from tests.daemon.exchange.recorded_house import record
from tests.firmware_bridge.recordings import card_writer


@pytest.fixture
async def whole(tmp_path):
    return await record(tmp_path)


@pytest.fixture
async def torn(tmp_path):
    return await record(tmp_path, gaps=True)


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


@pytest.fixture
def card(tmp_path):
    writer = card_writer.CardWriter(tmp_path / "card")
    writer.identify()
    writer.put(
        "STR.edf",
        card_writer.summary(
            [[[card_writer.day_number(date(2024, 3, 8))], [630], [634], [4], [1], [500], [270], [13], [42]]]
        ),
    )
    return writer
