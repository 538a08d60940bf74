"""docs/threat-model.md and docs/asvs.md: each test that they name is there, each boundary has threats, each requirement its answer."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
PAGES = ("threat-model.md", "asvs.md", "security.md")
MET, NOT_MET, NOT_APPLICABLE = "met", "not met", "n/a"


def text(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def rows(page: str) -> list[list[str]]:
    """Cells of every row of every table that is no heading of one."""
    lines = [line for line in text(page).splitlines() if line.startswith("| ") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


@pytest.mark.parametrize("page", PAGES)
def test_each_test_that_is_named_is_there(page):
    named = NAMED.findall(text(page))

    assert named
    missing = [(path, name) for path, name in named if not (ROOT / path).exists()]
    missing += [
        (path, name)
        for path, name in named
        if (ROOT / path).exists() and name and name not in functions(path)
    ]
    assert missing == []


def test_each_boundary_has_its_threats_and_each_threat_what_holds_it():
    sections = text("threat-model.md").split("\n## ")[1:]

    assert len(sections) >= 10
    for section in sections:
        found = [line for line in section.splitlines() if re.match(r"\| [STRIDE](, [STRIDE])* \|", line)]
        assert found, section.splitlines()[0]
    for kind, _, held, shown in (row for row in rows("threat-model.md") if row[0] in {*"STRIDE"}):
        given_away = "not held" in held or "the house" in held
        assert NAMED.search(shown) or given_away, (kind, held)
    assert {kind for row in rows("threat-model.md") for kind in row[0].split(", ") if kind} == {*"STRIDE"}


def test_each_requirement_is_answered_once_with_a_test_or_a_reason():
    answered = [row for row in rows("asvs.md") if re.fullmatch(r"\d+\.\d+\.\d+", row[0])]
    numbers = [row[0] for row in answered]

    assert len(numbers) == len(set(numbers)) >= 150
    assert numbers == sorted(numbers, key=lambda number: [int(part) for part in number.split(".")])
    for row in answered:
        assert len(row) == 4, row
        assert row[2] in {MET, NOT_MET, NOT_APPLICABLE}, row
        assert len(row[3]) >= 8, row


def test_the_sums_are_right():
    answered = [row[2] for row in rows("asvs.md") if re.fullmatch(r"\d+\.\d+\.\d+", row[0])]
    told = re.search(r"\*\*(\d+) met, (\d+) not met, (\d+) not applicable\*\*", text("asvs.md"))

    assert told is not None
    assert [int(one) for one in told.groups()] == [
        answered.count(one) for one in (MET, NOT_MET, NOT_APPLICABLE)
    ]
