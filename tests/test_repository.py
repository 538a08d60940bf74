"""What must stay true of the repository as a whole."""

from __future__ import annotations

import subprocess
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = ("daemon", "webui", "firmware_bridge")


def tracked(*patterns):
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", *patterns], capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def test_no_installed_distribution_ships_a_package_of_our_name():
    others = {
        f"{distribution.name}: {file}"
        for distribution in distributions()
        if distribution.name != "vitald"
        for file in distribution.files or ()
        if file.parts[0] in OURS
    }
    assert not others


def test_requirement_files_are_hashed_and_hold_no_address():
    files = sorted((ROOT / "requirements").glob("*.txt"))
    assert [f.stem for f in files] == ["dev-3.11", "dev-3.13", "run-3.11", "run-3.13"]
    for file in files:
        text = file.read_text()
        assert "://" not in text
        assert "--index" not in text
        packages = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert packages
        assert text.count("--hash=sha256:") >= len(packages)


def test_what_runs_at_a_bed_is_pinned_alike_for_tests():
    for python in ("3.11", "3.13"):
        pins = [
            {
                line.split(" ")[0]
                for line in (ROOT / "requirements" / f"{kind}-{python}.txt").read_text().splitlines()
                if "==" in line
            }
            for kind in ("run", "dev")
        ]
        assert pins[0] <= pins[1]


def test_files_stay_small():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked("*.py", "*.js", "*.css")
        if path.name != "ec57.py" and (lines := len(path.read_text().splitlines())) > 400
    }
    assert not long


def test_no_recording_is_committed():
    assert sum(path.stat().st_size for path in tracked("*.dat", "*.edf", "*.mat")) < 200_000


def test_ci_runs_the_habit():
    assert "exec ./dev test" in (ROOT / ".ci" / "run").read_text()
