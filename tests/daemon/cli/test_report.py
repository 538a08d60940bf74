"""`vitald report` without a box that runs: straight from the database, or a line that says why not."""

from __future__ import annotations

import shutil

import pytest

from daemon.cli import main
from tests.daemon.reports.conftest import plain  # noqa: F401 - a fixture


@pytest.fixture
def config(plain, tmp_path):  # noqa: F811
    (tmp_path / "data").mkdir()
    for file in plain[0].parent.glob("vitald.db*"):
        shutil.copy(file, tmp_path / "data" / file.name)
    file = tmp_path / "vitald.toml"
    file.write_text(f'[box]\ndata = "{tmp_path}/data"\nrun = "{tmp_path}/run"\n')
    return str(file), plain[1]


def test_a_report_without_the_box(config, tmp_path, capsys):
    to = tmp_path / "out.pdf"
    assert (
        main(["report", config[1], "--kind", "ecg", "-o", str(to), "--config", config[0], "--layout", "12x1"])
        == 0
    )
    assert to.read_bytes().startswith(b"%PDF-")
    said = capsys.readouterr()
    assert "1 pages" in said.out
    assert "not listed and not uploaded" in said.err


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (["session_19990101_000000"], "there is no session"),
        (["SESSION", "--kind", "night"], "no night"),
        (["SESSION", "--kind", "ecg", "--at", "yesterday"], "--at"),
    ],
)
def test_what_cannot_be_made_is_one_line(config, capsys, asked, why):
    arguments = [config[1] if one == "SESSION" else one for one in asked]
    assert main(["report", *arguments, "--here", "--config", config[0]]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert said.count("\n") == 1
