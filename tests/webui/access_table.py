"""The tables of docs/security.md on who may do what, from the tables in the code: `python -m tests.webui.access_table` writes them.

`tests/webui/test_routes.py` tries every row on the running application, and fails where the page is out of date.
"""

from __future__ import annotations

from pathlib import Path

from daemon.model.permissions import PERMITTED, VERBS, May, Role
from webui.access import ROUTES

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
BEGIN, END = "<!-- made by tests.webui.access_table: {} -->", "<!-- end of {} -->"


def roles() -> str:
    """What each role may do."""
    head = ["what", *Role, "meaning"]
    lines = [[f"`{what}`", *(_mark(role, what) for role in Role), _meaning(what)] for what in May]
    return _table(head, lines)


def routes() -> str:
    """Every route of the pages, in the order of its address."""
    head = ["route", "needs", *Role]
    ordered = sorted(ROUTES.items(), key=lambda row: (row[0][1], row[0][0]))
    lines = [
        [f"`{method} {path}`", f"`{what}`", *(_mark(role, what) for role in Role)]
        for (method, path), what in ordered
    ]
    return _table(head, lines)


def verbs() -> str:
    """Every verb of an act."""
    lines = [
        [f"`{verb}`", f"`{what}`", *(_mark(role, what) for role in Role)] for verb, what in VERBS.items()
    ]
    return _table(["verb", "needs", *Role], lines)


TABLES = {"roles": roles, "routes": routes, "verbs": verbs}


def renewed(text: str) -> str:
    """The page with its tables as they are now. Raises ValueError where a place for one is missing."""
    for name, table in TABLES.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, rest = text[: text.index(begin) + len(begin)], text[text.index(end) :]
        text = f"{before}\n{table()}\n{rest}"
    return text


def _mark(role: Role, what: May) -> str:
    return "yes" if what in PERMITTED[role] else "-"


def _meaning(what: May) -> str:
    """The sentence under a member of `May` in model/permissions.py."""
    source = (Path(__file__).parents[2] / "daemon" / "model" / "permissions.py").read_text(encoding="utf-8")
    after = source[source.index(f'{what.name} = "{what.value}"') :]
    return after.split('"""')[1]


def _table(head: list[str], lines: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
