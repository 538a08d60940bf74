"""The figures of accuracy, from what was said: beats and their classes, waves, rhythm. In %, ms and s.

VITALD_DATA=... python -m tests.accuracy.figures [CASE ...]     prints today's in the form of reached.json
(SAMPLED=1: of the recordings that the suite analyses)
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from tests.accuracy import ec57
from tests.accuracy.analysed import ALL, SAMPLED, analyse_all, analysed, lines_of

BEATS = {  # name: folder, lead, learning period left out
    "mitdb, first lead": ("mitdb", "1", 0),
    "mitdb, all leads": ("mitdb", ALL, 0),
    "nstdb after 5 min, first lead": ("nstdb", "1", 300),
    "nstdb after 5 min, all leads": ("nstdb", ALL, 300),
}
WAVES = {"ludb, lead II alone": ("ii", "ii"), "ludb, all leads": (ALL, ",".join(ec57.LEADS))}
RHYTHMS = {  # name: folder, kind, how atrial flutter counts, records left out
    "AF, cpsc2021": ("cpsc2021", "AF", "yes", ()),
    "AF, mitdb": ("mitdb", "AF", "ignore", ()),
    "VF and VT, vfdb": ("vfdb", "VFVT", "ignore", ()),
    "VF and VT, vfdb without 419": ("vfdb", "VFVT", "ignore", ("419",)),
    "VF, vfdb": ("vfdb", "VF", "ignore", ()),
    "VT, vfdb": ("vfdb", "VT", "ignore", ()),
    "VF and VT, cudb": ("cudb", "VFVT", "ignore", ()),
    "VF and VT, mitdb": ("mitdb", "VFVT", "ignore", ()),
}
CASES = (*BEATS, *WAVES, *RHYTHMS)
SAID_WITHIN_S = 0.5

Figures = dict[str, float]


def of(case: str, recordings: Path, said: Path) -> Figures:
    """The figures of a case; those of a wave are called "p_on sd_ms" and so on."""
    if case in BEATS:
        return beats(case, recordings, said)
    return waves(case, recordings, said) if case in WAVES else rhythm(case, recordings, said)


def beats(case: str, recordings: Path, said: Path) -> Figures:
    name, lead, skip = BEATS[case]
    names = ",".join(analysed(said / name / lead))
    command = ("beats", str(recordings / name), str(said / name / lead), "--skip", str(skip))
    scored = _scored(*command, "--records", names)
    gross, records = scored["gross"], scored["records"].values()
    found = {key: 100 * gross["qrs"][key] for key in ("se", "ppv", "f1")}
    found["worst_record_f1"] = 100 * min(record["qrs"]["f1"] for record in records)
    found["timing_mean_ms"], found["timing_sd_ms"] = gross["timing_ms"]["mean"], gross["timing_ms"]["sd"]
    found["missed"], found["extra"] = gross["qrs"]["fn"], gross["qrs"]["fp"]
    for kind in "VS":
        for key in ("se", "ppv"):
            found[f"{kind.lower()}_{key}"] = 100 * (gross[kind][key] or 0.0)
    lines = lines_of(said / name / lead, "beat")
    found["said_within_s"] = max(b["reported_at"] - b["t"] for b in lines if not b.get("late"))
    found["late_a_record"] = sum(b.get("late", False) for b in lines) / len(records)
    return found


def waves(case: str, recordings: Path, said: Path) -> Figures:
    lead, scored_leads = WAVES[case]
    names = ",".join(analysed(said / "ludb" / lead))
    scored = _scored(
        "waves",
        str(recordings / "ludb"),
        str(said / "ludb" / lead),
        "--records",
        names,
        "--leads",
        scored_leads,
    )
    found: Figures = {}
    for mark, f in scored["fiducials"].items():
        found |= {f"{mark} {key}": 100 * (f[key] or 0.0) for key in ("se", "ppv")}
        if mark != "qrs_peak":
            found |= {f"{mark} {key}": f[key] for key in ("bias_ms", "sd_ms")}
    return found


def rhythm(case: str, recordings: Path, said: Path) -> Figures:
    name, kind, flutter, without = RHYTHMS[case]
    names = ",".join(r for r in analysed(said / name / ALL) if r not in without)
    command = ("rhythm", str(recordings / name), str(said / name / ALL), "--kind", kind, "--afl", flutter)
    gross = _scored(*command, "--records", names)["gross"]
    return {
        "se": 100 * gross["time"]["se"],
        "sp": 100 * gross["time"]["sp"],
        "episode_se": 100 * gross["episode"]["se"],
        "delay_p50_s": (gross["delay_s"] or {"p50": 0.0})["p50"],
    }


def _scored(*command: str) -> dict:
    code, scored = ec57.main([*command, "--json"], quiet=True)
    assert code == 0, command
    return scored


def fallen(case: str, now: Figures, reached: dict, of: str = "sampled") -> dict[str, tuple[float, float]]:
    """What is worse than was reached by more than its margin: name, reached, now. `of`: what was analysed."""
    kind = "beats" if case in BEATS else "waves" if case in WAVES else "rhythm"
    margins = reached["margins"]["beats in noise" if case.startswith("nstdb") else kind]
    before = reached[of][case]
    return {
        name: (value, now[name])
        for name, value in before.items()
        if (margin := margins.get(name.split()[-1])) is not None and _loss(name, value, now[name]) > margin
    }


def _loss(name: str, before: float, now: float) -> float:
    if name.endswith("bias_ms"):
        return abs(now - before)
    return now - before if name.endswith(("sd_ms", "_s", "_record")) else before - now


if __name__ == "__main__":
    data = Path(os.environ["VITALD_DATA"])
    with tempfile.TemporaryDirectory() as made:
        analyse_all(data, Path(made), sampled=SAMPLED if os.environ.get("SAMPLED") else {})
        found = {case: of(case, data, Path(made)) for case in sys.argv[1:] or CASES}
        print(json.dumps({c: {k: round(v, 3) for k, v in f.items()} for c, f in found.items()}, indent=2))
