"""Fixtures of the sound's tests."""

from __future__ import annotations

import pytest

from tests.daemon.signals._device import Device


@pytest.fixture
def device(tmp_path, monkeypatch):
    running = Device(tmp_path)
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    yield running
    running.close()
