"""Which fonts a report is set in: one that comes with vitald, and for other scripts what the box has installed.

DejaVu Sans Condensed (fonts/LICENSE) covers Latin, Greek and Cyrillic. A letter that it has not is looked for in the fonts of
`FOLDERS`; what no font has is printed as a box, and counted.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).parent / "fonts"
REGULAR, BOLD = HERE / "DejaVuSansCondensed.ttf", HERE / "DejaVuSansCondensed-Bold.ttf"

FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
PREFERRED = (
    "NotoNaskhArabic-Regular",
    "NotoSansArabic-Regular",
    "NotoSansHebrew-Regular",
    "NotoSansDevanagari-Regular",
    "NotoSansBengali-Regular",
    "NotoSansGurmukhi-Regular",
    "NotoSansGujarati-Regular",
    "NotoSansTamil-Regular",
    "NotoSansTelugu-Regular",
    "NotoSansKannada-Regular",
    "NotoSansMalayalam-Regular",
    "NotoSansSinhala-Regular",
    "NotoSansThai-Regular",
    "NotoSansLao-Regular",
    "NotoSansKhmer-Regular",
    "NotoSansMyanmar-Regular",
    "NotoSansTibetan-Regular",
    "NotoSansEthiopic-Regular",
    "NotoSansGeorgian-Regular",
    "NotoSansArmenian-Regular",
    "NotoSansSymbols2-Regular",
    "NotoEmoji-Regular",
    "DroidSansFallbackFull",
    "NotoSans-Regular",
)
"""Tried in this order, as far as they are installed; the first that has the letter is taken."""

BOX = "□"
_PLAIN_UNTIL = 0x0530
"""Scripts up to here are set letter by letter, from left to right; the others need shaping."""


def plain(text: str) -> bool:
    """Whether the letters of `text` stand side by side as they come, and the font of the house has all of them."""
    known = coverage(REGULAR)
    return all(
        ord(c) in known
        and (ord(c) < _PLAIN_UNTIL or 0x2000 <= ord(c) < 0x2C00)
        and not unicodedata.combining(c)
        for c in text
    )


def printable(text: str, missing: list[str]) -> tuple[str, tuple[Path, ...]]:
    """The text as it can be printed, and the further fonts that it needs. Letters that no font has are added to `missing`.

    Composed (NFC) first; control characters become spaces.
    """
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    text = "".join(" " if unicodedata.category(c) in {"Cc", "Cs"} else c for c in text)
    further: list[Path] = []
    out = []
    for letter in text:
        font = _font_of(letter)
        if font is None:
            missing.append(f"U+{ord(letter):04X}")
            out.append(BOX)
            continue
        out.append(letter)
        if font != REGULAR and font not in further:
            further.append(font)
    return "".join(out), tuple(further)


def _font_of(letter: str) -> Path | None:
    if ord(letter) in coverage(REGULAR) or unicodedata.category(letter) == "Cf":
        return REGULAR
    return next((font for font in installed() if ord(letter) in coverage(font)), None)


@lru_cache(1)
def installed() -> tuple[Path, ...]:
    """The fonts of `PREFERRED` that the box has."""
    found: dict[str, Path] = {}
    for path in _files(FOLDERS):
        found.setdefault(path.stem, path)
    return tuple(found[name] for name in PREFERRED if name in found)


def _files(folders: Iterable[Path]) -> Iterable[Path]:
    for folder in folders:
        if folder.is_dir():
            yield from sorted([*folder.rglob("*.ttf"), *folder.rglob("*.otf")])


@lru_cache(64)
def coverage(font: Path) -> frozenset[int]:
    """The code points that a font has glyphs for."""
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    with TTFont(font, lazy=True) as opened:
        return frozenset(opened.getBestCmap())
