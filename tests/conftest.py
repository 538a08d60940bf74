"""Fixtures that every folder of tests shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("same", derandomize=True)
settings.load_profile("same")  # the same examples on every run: a red test is a change, not a draw


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings (VITALD_DATA). Set but unreadable fails; unset skips."""
    value = os.environ.get("VITALD_DATA")
    if not value:
        pytest.skip("VITALD_DATA is not set: real recordings were not read")
    folder = Path(value)
    assert (folder / "mitdb" / "RECORDS").is_file() or any((folder / "mitdb").glob("*.hea")), (
        f"VITALD_DATA={value} holds no mitdb"
    )
    return folder
