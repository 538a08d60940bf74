"""A short day in the life; `./dev soak cloud_day` is one of 24 hours."""

from __future__ import annotations

import os

import pytest

from tests.cloud.postgres import NoPostgres, binaries, private
from tests.soak.cloud_day import CUTS, lived


@pytest.fixture
def dsn():
    try:
        binaries()
    except NoPostgres as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    with private() as address:
        yield address


@pytest.mark.slow
async def test_the_cloud_ends_with_exactly_what_the_box_recorded(tmp_path, dsn):
    """1970, an outage, three cuts, a full disk: seven minutes of bed in twenty seconds."""
    day = await lived(tmp_path, dsn, 420)

    assert day.wrong == [], day.lines
    assert day.cuts == len(CUTS)
    assert len(day.away) == 2
    assert day.away[1] - day.away[0] > 100  # there was something to lose
