"""docs/hazards.md: every hazard names tests, and the tests are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/hazards.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)]
NAMED = sorted(set(re.findall(r"`(tests/[^`]+)`", "\n".join(ROWS))))


def test_every_hazard_has_a_number_of_its_own_and_names_a_test():
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in ROWS]

    assert [int(c[0]) for c in cells] == list(range(1, len(ROWS) + 1))
    assert all(len(c) == 7 and all(c) for c in cells)
    assert all(c[4] in "12345" and "tests/" in c[6] for c in cells)


@pytest.mark.parametrize("named", NAMED)
def test_what_shows_it_is_there(named):
    path, _, name = named.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    tests = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}

    assert name in tests if name else any(n.startswith("test_") for n in tests)
