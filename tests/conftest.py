"""Fixtures that every folder of tests shares."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from benchmarks.forward_full_disk import small_disk as mounted

settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")  # the same examples on every run, as long as they take: a red test is a change


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


@pytest.fixture
def small_disk() -> Iterator[Callable[..., Path]]:
    """Mounts a small file system (benchmarks/forward_full_disk.py: `small_disk`). Skips where nobody may; not in CI."""
    with ExitStack() as held:

        def made(*asked: object, **more: object) -> Path:
            try:
                return held.enter_context(mounted(*asked, **more))  # type: ignore[arg-type]
            except PermissionError as error:
                if os.environ.get("CI") == "true":
                    raise
                pytest.skip(f"no file system can be mounted here: {error}")

        yield made
