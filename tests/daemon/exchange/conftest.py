"""A session of twelve seconds, whole and with gaps."""

from __future__ import annotations

import pytest

from tests.daemon.exchange.recorded_house import record


@pytest.fixture
async def whole(tmp_path):
    return await record(tmp_path)


@pytest.fixture
async def torn(tmp_path):
    return await record(tmp_path, gaps=True)
