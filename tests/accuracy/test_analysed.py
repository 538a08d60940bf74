"""What the figures are made of are the lines that `vitald analyse` prints."""

from __future__ import annotations

import argparse
import contextlib
import io

import pytest

from daemon.cli import analyse as command
from daemon.model.findings import Beat, Rhythm, Waves
from tests.accuracy.analysed import ALL, Job, analyse

KINDS = {Beat: "beat", Rhythm: "rhythm", Waves: "waves"}


@pytest.fixture(scope="module")
def record(recordings):
    return recordings / "cpsc2021" / "data_101_6"


@pytest.fixture(scope="module")
def printed(record):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        command.run(argparse.Namespace(record=str(record), lead=None, limits=None))
    return out.getvalue().splitlines()


@pytest.mark.recordings
@pytest.mark.parametrize("scored", [(Beat,), (Waves,), (Beat, Rhythm)])
def test_they_are_those_of_the_command(record, printed, tmp_path, scored):
    to = tmp_path / "said.jsonl"

    analyse(Job(record, ALL, scored, to))

    starts = tuple(f'{{"type": "{KINDS[kind]}"' for kind in scored)
    wanted = [line for line in printed if line.startswith(starts)]
    assert wanted
    assert to.read_text().splitlines() == wanted
