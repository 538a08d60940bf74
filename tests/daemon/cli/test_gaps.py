"""`vitald gaps`: exit code 0 when nothing is missing, 1 when something is, 2 for what is no time."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest

from daemon.cli import main
from daemon.cli.gaps import moment
from tests.daemon._minutes import GAP_S, write_minutes


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """A configuration of a box with three stored minutes, and UTC (s) of their beginning."""
    folder = tmp_path_factory.mktemp("gaps")
    began_ms = asyncio.run(write_minutes(folder / "vitald.db"))
    config = folder / "vitald.toml"
    config.write_text(
        f'[box]\ndata = "{folder}"\nrun = "{folder}/run"\nserial = "SN-7"\n[forward]\nenabled = false\n'
    )
    return config, began_ms / 1000


def at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def test_exit_code_and_sheet_say_whether_anything_is_missing(box, capsys):
    config, began_s = box
    given = ["gaps", "--config", str(config)]
    assert main([*given, "--from", at(began_s + 5), "--to", at(began_s + GAP_S[0] - 5), "--check"]) == 0
    assert "NOTHING IS MISSING." in capsys.readouterr().out
    assert main([*given, "--from", at(began_s + 5), "--to", at(began_s + 100), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [(one["cause"], one["to_ms"] - one["from_ms"]) for one in told["missing"]] == [
        ("noise", 1000 * (GAP_S[1] - GAP_S[0]))
    ]
    assert (told["serial"], told["clouds"]) == ("SN-7", [])


@pytest.mark.parametrize("span", [("soon", "now"), ("now", "4h"), ("99d", "now")])
def test_what_is_no_span_is_bad_input(box, span, capsys):
    assert main(["gaps", "--config", str(box[0]), "--from", span[0], "--to", span[1]]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_times_are_taken_as_people_write_them():
    assert moment("now", 1000.0) == 1000.0
    assert moment("2h", 10_000.0) == 2800.0
    assert moment("-30m", 10_000.0) == 8200.0
    assert moment("2026-01-08T14:00:00Z", 0.0) == datetime(2026, 1, 8, 14, tzinfo=UTC).timestamp()
