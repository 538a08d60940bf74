"""Log lines for a stranger's eyes: only what our own sources say, never what they say it about.

A line is kept where it fits a message that stands in the sources of the installed program (an allow-list that keeps itself up to
date); what was filled in is kept where it is a number, a state, a board, a device file or the name of an error, and is else left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import daemon
from daemon.model.signals import FactState, LinkState
from firmware_bridge.boards import BOARDS

LEFT_OUT = "(…)"
_CALLS = {"debug", "info", "warning", "error", "exception", "critical"}
_PLACE = re.compile(r"%(?:%|[-+ #0]*\d*(?:\.\d+)?[sdfgrixX])")
_LINE = re.compile(
    r"^(?P<head>.*?)\b(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) (?P<logger>(?:daemon|webui|firmware_bridge)[\w.]*): (?P<text>.*)$"
)
_WHEN = re.compile(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[+\-:\d.Z]*")
_FRAME = re.compile(r'^\s*File "(?P<path>[^"]+)", line (?P<line>\d+), in (?P<function>[\w<>]+)')
_ERROR = re.compile(r"^(?P<kind>[A-Za-z_][\w.]*(?:Error|Exception|Warning|Exit|Interrupt|Timeout)): ?")
_NUMBER = re.compile(r"^[-+]?\d+(\.\d+)?$")
_DEVICE = re.compile(r"^/dev/[A-Za-z]+\d*$")
_CLASS = re.compile(r"^[A-Z][A-Za-z]*(Error|Exception)$")


@cache
def _words() -> frozenset[str]:
    """What may be filled in as it stands."""
    states = [one.value for kind in (LinkState, FactState) for one in kind]
    return frozenset({*states, *BOARDS, "", "well", "passed", "goes on", "is judged anew"})


@cache
def templates() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Every message of our sources as a pattern, the longest first, with its text."""
    root = Path(daemon.__file__).parents[1]
    texts = set[str]()
    for package in ("daemon", "webui", "firmware_bridge"):
        for path in (root / package).rglob("*.py"):
            source = path.read_text(encoding="utf-8")
            if "log" in source:
                texts |= set(_messages(ast.parse(source)))
    useful = [text for text in texts if len(_PLACE.sub("", text).strip(" :%")) >= 2]
    return tuple((_pattern(text), text) for text in sorted(useful, key=len, reverse=True))


def _messages(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            at = 1 if called == "log" and isinstance(node.func, ast.Attribute) else 0
            if (called in _CALLS or called == "log") and len(node.args) > at:
                said = node.args[at]
                if isinstance(said, ast.Constant) and isinstance(said.value, str):
                    yield said.value


def _pattern(text: str) -> re.Pattern[str]:
    parts, at = [], 0
    for place in _PLACE.finditer(text):
        parts.append(re.escape(text[at : place.start()]))
        parts.append("%" if place[0] == "%%" else "(.*)")
        at = place.end()
    parts.append(re.escape(text[at:]))
    return re.compile("".join(parts))


def told(lines: Iterable[str]) -> Iterator[str]:
    """The lines as they may be shown."""
    for line in lines:
        if match := _LINE.match(line):
            when = _WHEN.match(match["head"])
            head = f"{when[0]} " if when else ""
            yield f"{head}{match['level']} {match['logger']}: {_text(match['text'])}"
        elif match := _FRAME.match(line):
            yield f'  File "{_place(match["path"])}", line {match["line"]}, in {match["function"]}'
        elif match := _ERROR.match(line):
            yield f"{match['kind']}: {LEFT_OUT}"
        elif line.strip():
            yield LEFT_OUT


def _text(text: str) -> str:
    for pattern, template in templates():
        match = pattern.fullmatch(text)
        if match:
            return _filled(template, iter(match.groups()))
    return LEFT_OUT


def _filled(template: str, values: Iterator[str]) -> str:
    return _PLACE.sub(lambda place: "%" if place[0] == "%%" else _safe(next(values)), template)


def _safe(value: str) -> str:
    plain = value.strip()
    ok = plain in _words() or any(pattern.match(plain) for pattern in (_NUMBER, _DEVICE, _CLASS))
    return value if ok else LEFT_OUT


def _place(path: str) -> str:
    """A file of a traceback: ours, or a library's, from its package on."""
    parts = Path(path).parts
    for root in ("site-packages", "daemon", "webui", "firmware_bridge"):
        if root in parts:
            at = parts.index(root)
            return "/".join(parts[at + (root == "site-packages") :])
    return Path(path).name if path.startswith("/usr/lib/python") else LEFT_OUT
