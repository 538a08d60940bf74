"""Every state has its sentence, every sentence that pages ask for exists, and none is left over."""

from __future__ import annotations

import re
from pathlib import Path

import webui
from daemon import words
from daemon.model.findings import Grade, Trouble, Why
from daemon.model.signals import LinkState

ROOT = Path(webui.__file__).parent
SOURCES = [*ROOT.rglob("*.js"), *ROOT.rglob("*.html"), *ROOT.rglob("*.py")]
# Keys that scripts put together from a state.
BUILT = ("why.", "trouble.", "grade.", "link.", "line.", "fact.", "wave.group.")


def test_every_state_has_a_sentence() -> None:
    table = words.table()
    wanted = [f"why.{why}" for why in Why]
    wanted += [f"trouble.{trouble}" for trouble in Trouble if trouble]
    wanted += [f"grade.{grade}" for grade in Grade]
    wanted += [f"link.{state}" for state in LinkState]
    wanted += [f"line.{state}" for state in LinkState if state is not LinkState.STREAMING]

    assert [key for key in wanted if key not in table] == []


def test_every_sentence_that_pages_ask_for_exists_and_none_is_left_over() -> None:
    table = words.table()
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    asked = set(re.findall(r"say\(\s*['\"]([\w.]+)['\"]\s*[,)]", text))

    assert {key for key in asked if key not in table} == set()

    def is_used(key: str) -> bool:
        return (
            key in text
            or key.startswith(BUILT)
            or re.search(rf"['\"]{key.split('.')[1]}['\"]", text) is not None
        )

    assert {key for key in table if not is_used(key.removesuffix(".help"))} == set()


def test_every_help_line_belongs_to_a_sentence() -> None:
    table = words.table()

    assert {key for key in table if key.endswith(".help") and key.removesuffix(".help") not in table} == {
        "calipers.help"
    }


def test_a_key_without_a_sentence_is_shown_as_it_is() -> None:
    assert words.say("why.never_heard_of") == "why.never_heard_of"
    assert words.say("trouble.electrode_off", electrodes="V4") == "ELECTRODE OFF V4"
