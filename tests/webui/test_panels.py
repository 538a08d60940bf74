"""The tables that pages go by name what there is: rows of the alarm table, flags of the nights, figures with words."""

from __future__ import annotations

from daemon import words
from daemon.alarms.table import ROWS
from daemon.model.alarms import About
from daemon.review import night
from webui.pages import alarms, nights, panels


def test_every_alarm_of_the_table_is_known_to_the_page_and_no_other() -> None:
    technical = {name for name, row in ROWS.items() if row.about is About.TECHNICAL}

    assert set(alarms.TECHNICAL) == technical
    assert {row for rows in alarms.ROWS.values() for row in rows} - set(ROWS) == set()
    assert {name for name in ROWS if name not in technical} - {
        r for rows in alarms.ROWS.values() for r in rows
    } == set()


def test_a_limit_beside_a_number_is_one_of_its_rows() -> None:
    for tile, limits in alarms.LIMITS.items():
        for limit in limits:
            if limit is not None:
                row, key = limit
                assert row in alarms.ROWS[tile]
                assert key in {one.key for one in ROWS[row].limits}


def test_figures_and_flags_have_their_words_and_a_source() -> None:
    table, figures = words.table(), panels.figures()
    lines = {f"figure.{one.name}.line" for panel in panels.PANELS for one in panel.settings}

    assert {f"figure.{name}" for name in figures} | lines <= set(table)
    assert set(panels.CARD) <= set(figures)
    assert tuple(night.FLAGS) == nights.FLAGS
    assert tuple(night.CURVES) == nights.CURVES
    assert {f"night.flag.{flag}" for flag in nights.FLAGS} <= set(table)
    assert {f"night.curve.{name}" for name in nights.CURVES} <= set(table)
    shown = {name for name, _, _ in nights.FIGURES if not name.startswith("count_")}
    assert {f"night.figure.{name}" for name in shown} <= set(table)
