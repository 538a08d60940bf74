"""Every state has its sentence, every sentence that pages ask for exists, and none is left over."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

import daemon
import webui
from daemon import words
from daemon.model.findings import Grade, Trouble, Why
from daemon.model.signals import LinkState
from daemon.units import OBSERVABLES
from webui.pages import numbers

ROOT = Path(webui.__file__).parent
ECG = Path(daemon.__file__).parent / "dsp" / "ecg"
SOURCES = [*ROOT.rglob("*.js"), *ROOT.rglob("*.html"), *ROOT.rglob("*.py")]
OTHERS = [path for path in Path(daemon.__file__).parent.rglob("*.py") if path.parent.name != "words"]
# Keys that scripts put together from a state.
BUILT = (
    "why.",
    "trouble.",
    "grade.",
    "link.",
    "line.",
    "fact.",
    "wave.group.",
    "alarm.",
    "rhythm.",
    "event.",
    "detail.",
    "statement.",
    "number.",
    "unit.",
    "point.",
    "ecg.",
    "tile.",
    "alarms.priority.",
    "limit.",
    "sound.",
    "alarms.alarm_paused",
    "power.",
    "done.",
    "load.hours.",
    "load.column.",
    "rehearse.column.",
    "arrhythmia.",
    "clouds.state.",
    "crash.",
    "assistant.",
    "scan.",
    "identity.",
    "update.slot.",
    "clouds.lane.",
    "clouds.figure.",
    "clouds.column.",
    "patient.gender.",
    "sessions.column.",
    "sessions.ended.",
    "sessions.done.",
    "export.",
    "exchange.",
    "import.",
    "wish.",
    "setting.",
    "row.",
    "panel.",
    "figure.",
    "status.",
    "device.",
    "night.",
    "trust.way.",
    "cert.",
    "settable.",
    "trends.",
    "gaps.column.",
    "history.",
    "review.",
    "because.",
    "beat.",
    "act.name.",
    "settings.",
    "proposals.done.",
    "doctor.",
    "role.",
    "people.state.",
    "audit.",
    "technician.",
    "report.",
    "reports.by.",
    "reports.upload.",
    "proof.",
    "tokens.",
    "scope.",
    "ownership.",
)


def test_every_state_has_a_sentence() -> None:
    table = words.table()
    wanted = [f"why.{why}" for why in Why]
    wanted += [f"trouble.{trouble}" for trouble in Trouble if trouble]
    wanted += [f"grade.{grade}" for grade in Grade]
    wanted += [f"link.{state}" for state in LinkState]
    wanted += [f"line.{state}" for state in LinkState if state is not LinkState.STREAMING]

    assert [key for key in wanted if key not in table] == []


def named_by(*callees: str, place: int = 0) -> set[str]:
    """The names that the analysis gives: constants passed to these calls, anywhere in its sources."""
    found = set()
    for path in ECG.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or len(node.args) <= place:
                continue
            callee = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given = node.args[place]
            if callee in callees and isinstance(given, ast.Constant) and isinstance(given.value, str):
                found.add(given.value)
    return found


def test_everything_that_the_analysis_names_has_words() -> None:
    """A name without words would be shown as it is: readable, but not as people speak."""
    said = {
        "rhythm": named_by("begin"),
        "event": named_by("EventSaid", "_event"),
        "statement": named_by("Statement"),
        "number": named_by("fact", "above", "below", "at_least", "at_most", "Criterion") | set(OBSERVABLES),
    }
    table = words.table()

    assert all(len(names) >= 4 for names in said.values()), said
    assert {f"{kind}.{name}" for kind, names in said.items() for name in names} - set(table) == set()


def test_every_number_has_a_place_and_outlives_how_often_it_is_said() -> None:
    placed = [name for names in numbers.groups().values() for name in names]

    assert sorted([*placed, *numbers.ST, *numbers.AMPLITUDES, "heart_rate"]) == sorted(OBSERVABLES)
    assert numbers.lives_s("heart_rate") == 3
    assert numbers.lives_s("qtc_hodges") == 15
    assert numbers.lives_s("st_j") > 65  # said once a minute when it does not move, and measured every 5 s
    assert (numbers.label("heart_rate"), numbers.label("not_heard_of")) == ("Heart rate", "not heard of")
    assert [numbers.unit(name) for name in ("st", "p_axis", "lf_hf", "qt_interval")] == ["mV", "°", "", "ms"]


def test_every_sentence_that_pages_ask_for_exists_and_none_is_left_over() -> None:
    table = words.table()
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    asked = set(re.findall(r"(?<!_)say\(\s*['\"]([\w.]+)['\"]\s*[,)]", text))

    assert {key for key in asked if key not in table} == set()

    others = "\n".join(path.read_text(encoding="utf-8") for path in OTHERS)

    def is_used(key: str) -> bool:
        return (
            key in text
            or f'"{key}"' in others
            or f"'{key}'" in others
            or key.startswith(BUILT)
            or re.search(rf"['\"]{key.split('.')[1]}['\"]", text) is not None
        )

    assert {key for key in table if not is_used(key.removesuffix(".help"))} == set()


@pytest.mark.parametrize("language", ["en", "de_"])
def test_no_sentence_is_written_twice(language: str) -> None:
    names = sorted(path.stem for path in Path(words.__file__).parent.glob(f"{language}*.py"))
    keys = [key for name in names for key in import_module(f"daemon.words.{name}").WORDS]

    assert sorted(keys) == sorted(set(keys))


def test_every_help_line_belongs_to_a_sentence() -> None:
    table = words.table()

    assert {key for key in table if key.endswith(".help") and key.removesuffix(".help") not in table} == {
        "calipers.help"
    }


def test_a_key_without_a_sentence_is_shown_as_it_is() -> None:
    assert words.say("why.never_heard_of") == "why.never_heard_of"
    assert words.say("trouble.electrode_off", electrodes="V4") == "ELECTRODE OFF V4"
