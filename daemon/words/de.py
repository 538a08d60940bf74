"""German: careful clinical German, mirrored room by room (de_*.py). A key without a sentence here is said in English."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

WORDS: dict[str, str] = {}
for _room in sorted(iter_modules([str(Path(__file__).parent)]), key=lambda room: room.name):
    if _room.name.startswith("de_"):
        WORDS |= import_module(f"daemon.words.{_room.name}").WORDS
