"""Downloads the recordings that accuracy is measured on from PhysioNet, some 130 MB, for whoever has none at hand.

python -m tests.accuracy.fetch FOLDER        then: VITALD_DATA=FOLDER ./dev test tests/accuracy
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

HALF_HOURS = "100 103 105 108 111 113 115 117 119 121 123 200 202 205 207 209 212 214 219 221 223 228 231 233"
LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
SIGNAL = ("hea", "dat")
BEATS = (*SIGNAL, "atr")

FILES: dict[
    str, tuple[str, Iterable[str], tuple[str, ...]]
] = {  # folder: inside the database, records, suffixes
    "mitdb": ("", HALF_HOURS.split(), BEATS),
    "nstdb": ("", ("118e00", "119e06"), BEATS),
    "vfdb": ("", ("419", "422", "424", "425", "427", "430"), BEATS),
    "cudb": ("", ("cu07", "cu11", "cu22", "cu26"), BEATS),
    "cpsc2021": (
        "",
        (
            "Training_set_I/data_21_7",
            *(f"Training_set_II/data_{name}" for name in ("84_2", "84_3", "101_6", "101_8", "101_9")),
        ),
        BEATS,
    ),
    "ludb": ("data/", [str(k) for k in range(1, 201) if k % 10 in {1, 4, 7}], (*SIGNAL, *LEADS)),
}


def fetch(folder: Path) -> None:
    """All of FILES below `folder`; what is there in full already is not fetched again."""
    import wfdb

    for database, (inside, records, suffixes) in FILES.items():
        to = folder / database
        to.mkdir(parents=True, exist_ok=True)
        files = [f"{inside}{record}.{suffix}" for record in records for suffix in suffixes]
        wfdb.dl_files(database, str(to), files, keep_subdirs=False)


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))
