"""Accuracy on every recording: no figure falls by more than its margin. The suite measures a stated part of them only."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from tests.accuracy import challenge, figures, held
from tests.accuracy.analysed import analyse_all


def run() -> list[str]:
    """What has fallen."""
    if "VITALD_DATA" not in os.environ:
        return ["accuracy was not measured: VITALD_DATA is not set"]
    data = Path(os.environ["VITALD_DATA"])
    with tempfile.TemporaryDirectory() as made:
        analyse_all(data, Path(made))
        found = {
            case: held.fallen(case, figures.of(case, data, Path(made)), "figures") for case in figures.CASES
        }
    wrong = [
        f"{case}: {name} {was:g} -> {now:g}" for case, of in found.items() for name, (was, now) in of.items()
    ]
    counts, cells = challenge.judged(data / "cinc2015")
    print(challenge.printed(counts, cells))
    reached = json.loads((Path(challenge.__file__).parent / "challenge.json").read_text())["figures"]
    for limits, kinds in challenge.figures(counts).items():
        wrong += [
            f"{kind}, {limits} limits: {reached[limits][kind]} -> {now}"
            for kind, now in kinds.items()
            if kind != challenge.ALL and challenge.fallen(reached[limits][kind], now)
        ]
    return wrong
