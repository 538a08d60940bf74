"""A box that forwards, configured in the test's folder."""

from __future__ import annotations

import pytest

from daemon.config import load

CONFIG = """
[box]
data = "{folder}/data"
run = "{folder}/run"
serial = "BOX-0001-0042"
[forward]
{forward}
{destinations}
"""


@pytest.fixture
def configured(tmp_path):
    def make(destinations: str, forward: str = ""):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "run").mkdir(exist_ok=True)
        path = tmp_path / "vitald.toml"
        path.write_text(CONFIG.format(folder=tmp_path, destinations=destinations, forward=forward))
        return load(path)

    return make


@pytest.fixture
def receivers():
    return {}


@pytest.fixture
def made(receivers):
    def make(name, one):
        return receivers[name]

    return make
