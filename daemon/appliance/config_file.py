"""The configuration as a file that a person keeps: where it is wrong, what of it is not the default, and setting one value of it.

Comments and order stay as they are. What is written is checked first, appears whole or not at all, and leaves a copy of what was.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from daemon.appliance.whole_file import replace_whole
from daemon.config import Config
from daemon.config_devices import wrong_devices

COPY = ".before"
"""Added to the name of the file for the copy of what was."""

MASKED = "***"
_SECRET = re.compile(
    r"(?i)(password|passwd|secret|token|api_?key|private|credential|sas_key|(^|_)(pin|code)$)"
)
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_HEADER = re.compile(r"^\s*(\[{1,2})\s*([^\]]+?)\s*\]{1,2}\s*(#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\-.\"']+)\s*=")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, at which line (from 1 on; 0: it cannot be told), of which key."""

    line: int
    key: str
    text: str


class CannotSet(Exception):
    """The value cannot be set; the text says why."""


def faults(path: Path) -> list[Fault]:
    """Everything that is wrong with a file; empty where it can be used. Raises OSError."""
    return faults_of(path.read_text(encoding="utf-8"))


def faults_of(text: str) -> list[Fault]:
    """Of a file with this text."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        return [Fault(int(at[1]) if at else text.count("\n") + 1, "", str(error))]
    try:
        config = Config(**table)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        return [Fault(line_of(text, one["loc"]), ".".join(map(str, one["loc"])), one["msg"]) for one in found]
    return [
        Fault(line_of(text, place), ".".join(map(str, place)), why) for place, why in wrong_devices(config)
    ]


def line_of(text: str, where: tuple[int | str, ...]) -> int:
    """The line of a key, or of the nearest table above it; 0 where there is neither."""
    wanted = tuple(str(part) for part in where)
    best, best_length = 0, 0
    for number, at in _keys(text):
        shared = 0
        while shared < min(len(at), len(wanted)) and at[shared] == wanted[shared]:
            shared += 1
        if shared > best_length and shared == len(at):
            best, best_length = number, shared
    return best


def masked(values: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration's tables without what is secret in them: values of keys that sound so (but names of files), names in addresses."""
    return {key: _masked(key, value) for key, value in values.items()}


def flat(values: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every value by its dotted key, in order."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from flat(value, f"{before}.{key}" if before else str(key))
    elif isinstance(values, list | tuple) and any(isinstance(one, Mapping) for one in values):
        for at, value in enumerate(values):
            yield from flat(value, f"{before}.{at}")
    else:
        yield before, values


def differences(config: Config) -> list[tuple[str, Any, Any]]:
    """Key, default and value of everything that is not the default; secrets masked."""
    usual = dict(flat(masked(Config.model_construct().model_dump(mode="json"))))
    return [
        (key, usual.get(key), value)
        for key, value in flat(masked(config.model_dump(mode="json")))
        if usual.get(key) != value
    ]


def with_value(text: str, key: str, value: str) -> str:
    """The text of a file with `key` (dotted) set. Raises `CannotSet`."""
    parts = key.split(".")
    if len(parts) < 2 or not all(re.fullmatch(r"[A-Za-z0-9_\-]+", part) for part in parts):
        raise CannotSet(f"{key}: a key is table.name, as in web.port")
    table, name = tuple(parts[:-1]), parts[-1]
    shown, lines = _toml(value), text.splitlines()
    for number, at in _keys(text):
        if at == (*table, name) and not _HEADER.match(lines[number - 1]):
            line = lines[number - 1]
            lines[number - 1] = f"{line[: line.index('=') + 1]} {shown}{_comment(line)}"
            return "\n".join(lines) + "\n"
    header = next((n for n, at in _keys(text) if at == table and _HEADER.match(lines[n - 1])), 0)
    if header:
        lines.insert(header, f"{name} = {shown}")
    else:
        lines += ["", f"[{'.'.join(table)}]", f"{name} = {shown}"]
    return "\n".join(lines) + "\n"


def write(path: Path, text: str) -> Path:
    """Put a checked text in the place of the file, with its owner and rights; the path of the copy. Raises `CannotSet`, OSError."""
    wrong = faults_of(text)
    if wrong:
        raise CannotSet(f"{wrong[0].key}: {wrong[0].text}" if wrong[0].key else wrong[0].text)
    copy = path.with_name(path.name + COPY)
    before = path.read_bytes() if path.exists() else b""
    known = path.stat() if path.exists() else None
    mode = 0o640 if known is None else known.st_mode & 0o7777
    for target, data in ((copy, before), (path, text.encode())):
        replace_whole(target, data, mode, known)
    return copy


def _keys(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line and path of every table and key. Places in an array of tables are counted."""
    table: tuple[str, ...] = ()
    counts: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            named = tuple(part.strip().strip("\"'") for part in header[2].split("."))
            if header[1] == "[[":
                counts[named] = counts.get(named, -1) + 1
            table = _placed(named, counts)
            yield number, table
        elif key := _KEY.match(line):
            yield number, (*table, *(part.strip("\"'") for part in key[1].split(".")))


def _placed(named: tuple[str, ...], counts: Mapping[tuple[str, ...], int]) -> tuple[str, ...]:
    out: tuple[str, ...] = ()
    for length in range(1, len(named) + 1):
        out = (*out, named[length - 1])
        if named[:length] in counts:
            out = (*out, str(counts[named[:length]]))
    return out


def _comment(line: str) -> str:
    """What stands behind a value on its line, where the value has no # of its own."""
    value = line[line.index("=") + 1 :]
    at = value.find(" #")
    return f" {value[at:].strip()}" if at >= 0 and value[:at].count('"') % 2 == 0 else ""


def _toml(value: str) -> str:
    """A value as TOML: as it stands where it is some, else as text."""
    try:
        tomllib.loads(f"x = {value}")
    except tomllib.TOMLDecodeError:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        if any(ord(letter) < 0x20 for letter in value):
            raise CannotSet("a value has one line") from None
        return f'"{escaped}"'
    if "\n" in value:
        raise CannotSet("a value has one line")
    return value


def _masked(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return masked({str(k): v for k, v in value.items()})
    if isinstance(value, list | tuple):
        return [_masked(key, one) for one in value]
    if isinstance(value, str):
        if _SECRET.search(key) and not key.endswith(("_file", "credentials")):
            return MASKED if value else value
        return _USERINFO.sub(f"{MASKED}@", value)
    return value
