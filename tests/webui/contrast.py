"""Contrast of every pair of colours that an alarm wears: `python -m tests.webui.contrast` prints the table.

Colours are those of webui/static/css/base.css; contrast is that of WCAG 2.2 (1 to 21; text 4.5, what is not text 3). That the page
puts no other pair on the screen is what test_alarms_look.py looks at, by computed colours in a browser.
"""

from __future__ import annotations

import re
from pathlib import Path

TEXT, PARTS = 4.5, 3.0
BASE = Path(__file__).parents[2] / "webui/static/css/base.css"

PAIRS = (
    ("HIGH, lit: text", "alarm-high-text", "alarm-high", TEXT),
    ("HIGH, dark: text", "alarm-high-text", "alarm-high-dark", TEXT),
    ("HIGH: lit and dark", "alarm-high", "alarm-high-dark", PARTS),
    ("HIGH: field on the page", "alarm-high", "ground", PARTS),
    ("HIGH, over, waits to be seen: text", "text", "ground", TEXT),
    ("MEDIUM, lit: text", "alarm-ink", "alarm-medium", TEXT),
    ("MEDIUM, dark: text", "alarm-medium", "alarm-medium-dark", TEXT),
    ("MEDIUM: lit and dark", "alarm-medium", "alarm-medium-dark", PARTS),
    ("MEDIUM: field on the page", "alarm-medium", "ground", PARTS),
    ("MEDIUM, over: text", "alarm-medium", "ground", TEXT),
    ("LOW: text", "alarm-ink", "alarm-low", TEXT),
    ("LOW: field on the page", "alarm-low", "ground", PARTS),
    ("LOW, over: text", "alarm-low", "ground", TEXT),
    ("AUDIO PAUSED, ALARM OFF: text", "text", "ground", TEXT),
    ("no alarms: text", "quiet", "ground", TEXT),
    ("alarms cannot be judged: text", "notice", "ground", TEXT),
    ("SOUND BLOCKED: text", "notice", "raised", TEXT),
    ("keys: text", "text", "raised", TEXT),
    ("limits in a tile", "quiet", "panel", TEXT),
    ("numbers in a tile", "ecg", "panel", TEXT),
    ("a value that is old", "old", "panel", TEXT),
)
"""What it is, its colour, the colour behind it or beside it, and the least contrast."""


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2) of "#rgb", "#rrggbb" or a computed "rgb(...)"."""
    if colour.startswith("#"):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    else:
        parts = [float(part) / 255 for part in re.findall(r"[0-9.]+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """1 .. 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def measured() -> list[tuple[str, str, str, float, float]]:
    """Of each pair: what, colour, colour behind it, contrast, the least that it must be."""
    colours = dict(
        re.findall(r"^  --([a-z-]+): (#[0-9a-f]{3,6});", BASE.read_text(encoding="utf-8"), re.MULTILINE)
    )
    return [
        (what, colours[one], colours[other], contrast(colours[one], colours[other]), least)
        for what, one, other, least in PAIRS
    ]


if __name__ == "__main__":
    for what, one, other, found, least in measured():
        print(f"{what:<36} {one:>8} {other:>8} {found:5.1f}  (at least {least:g})")
