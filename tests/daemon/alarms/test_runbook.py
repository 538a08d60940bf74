"""docs/runbook.md: current, complete, and every finding, command and key in it exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from daemon.alarms.table import TABLE
from daemon.appliance.findings import FINDINGS
from daemon.cli import VERBS
from daemon.model.alarms import About
from tests.daemon.alarms import runbook
from tests.daemon.alarms.runbook_words import TECHNICAL

ROOT = Path(__file__).parents[3]
TEXT = runbook.page()


def test_the_page_is_up_to_date():
    """If not: python -m tests.daemon.alarms.runbook"""
    assert runbook.PAGE.read_text(encoding="utf-8") == TEXT


def test_every_technical_alarm_has_its_care_and_nothing_else_has():
    assert set(TECHNICAL) == {row.name for row in TABLE if row.about is About.TECHNICAL}


def test_every_finding_that_is_named_is_one():
    assert {one for care in TECHNICAL.values() for one in care.findings} <= set(FINDINGS)


@pytest.mark.parametrize("finding", FINDINGS)
def test_every_finding_is_on_the_page_with_its_remedy(finding):
    assert f"| `{finding}` |" in TEXT


def test_every_command_is_a_verb_of_ours():
    assert set(re.findall(r"`vitald ([a-z][a-z-]*)", TEXT)) <= set(VERBS)


def test_the_options_of_a_command_are_there():
    for verb, option in sorted(set(re.findall(r"`vitald ([a-z-]+)[^`]*? (--[a-z]+)", TEXT))):
        source = (ROOT / "daemon/cli" / f"{verb.replace('-', '_')}.py").read_text(encoding="utf-8")
        assert f'"{option}"' in source, f"{verb} {option}"
