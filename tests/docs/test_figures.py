"""docs/figures.md: each command exists, each page that is named exists, and no line is without a figure or the word that there is none."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/figures.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| what |")
]
COMMANDS = sorted({command for row in ROWS for command in re.findall(r"`([^`]+)`", row[2])})
NONE = ("not measured", "no figure written down")


def there(module):
    return importlib.util.find_spec(module) is not None


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_exists(command):
    match command.split():
        case ["./dev", "bench", *names]:
            assert names
            assert all(there(f"benchmarks.{name}") for name in names)
        case ["./dev", "soak", *names]:
            assert names
            assert all(there(f"tests.soak.{name}") for name in names)
        case ["./dev", "image"]:
            assert (ROOT / "image/build").exists()
        case ["./dev", "image-test", name]:
            assert there(f"tests.image.{name}")
        case ["./dev", "test", *paths]:
            assert all((ROOT / path).exists() for path in paths)
        case ["python", "-m", module]:
            assert there(module)
        case _:
            pytest.fail(f"what is {command}?")


def test_each_line_says_what_how_much_by_what_and_where_it_stands():
    for row in ROWS:
        assert len(row) == 4
        assert row[0]
        assert row[1]
        if row[1].startswith(NONE):
            continue
        assert row[2], row
        assert row[3], row


def test_each_long_test_and_each_claim_of_the_cloud_has_a_line():
    soaks = {p.stem for p in (ROOT / "tests/soak").glob("[a-z]*.py")} - {"accuracy"}
    claims = {p.stem for p in (ROOT / "benchmarks").glob("forward_*.py")}

    assert all(f"`./dev soak {name}`" in PAGE for name in soaks)
    assert all(re.search(rf"`./dev bench [^`]*\b{name}\b", PAGE) for name in claims)


def test_each_page_that_is_named_exists():
    assert all((ROOT / "docs" / page).exists() for page in re.findall(r"`([a-z]+\.md)`", PAGE))


def test_the_page_has_its_date():
    assert re.search(r"State of \*\*\d{4}-\d\d-\d\d\*\*", PAGE)
