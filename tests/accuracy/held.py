"""What the figures are held to: `reached.json` has what was reached, and the margins that it may fall by."""

from __future__ import annotations

import json
from pathlib import Path

from tests.accuracy import figures

REACHED = json.loads((Path(__file__).parent / "reached.json").read_text())


def fallen(case: str, now: figures.Figures, of: str = "sampled") -> dict[str, tuple[float, float]]:
    """The figures of a case that have fallen: name, (reached before, now). `of`: "sampled", or "figures" of all recordings."""
    return figures.fallen(case, now, REACHED, of)


def beats_are_in_time(case: str, now: figures.Figures) -> None:
    """Whatever was reached before: a beat is said within half a second, and its mark stands on the R wave."""
    assert now["said_within_s"] <= figures.SAID_WITHIN_S
    assert now["late_a_record"] <= 10  # beats of the start alone
    assert abs(now["timing_mean_ms"]) < 5
    assert now["timing_sd_ms"] < (30 if case.startswith("nstdb") else 8)
