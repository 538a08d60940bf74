"""Letters for formats that do not have all of them, and the names of numbers."""

from __future__ import annotations

import unicodedata

from daemon.words import say


def ascii_of(text: str) -> str:
    """ASCII without control characters: accents fall off, other letters become question marks."""
    parts = [letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter)]
    bare = "".join(parts).encode("ascii", "replace").decode()
    return "".join(letter for letter in bare if " " <= letter <= "~")


def latin_of(text: str) -> bytes:
    """ISO 8859-1: a letter that it does not have loses its accents, or becomes a question mark."""
    return b"".join(_latin(letter) for letter in unicodedata.normalize("NFC", text))


def _latin(letter: str) -> bytes:
    try:
        return letter.encode("latin-1")
    except UnicodeEncodeError:
        return ascii_of(letter).encode()


def title(name: str) -> str:
    """What a metric or a device's own number is called; its name where nothing better is known."""
    told = say(f"number.{name}")
    return name if told == f"number.{name}" else told
