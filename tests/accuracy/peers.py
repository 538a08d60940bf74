"""Other open programs on the same recordings, by the same scorer: writes peers.json beside it.

    python3 -m venv PEERS && PEERS/bin/pip install -r tests/accuracy/peers.txt
    VITALD_DATA=... OPENBLAS_NUM_THREADS=1 PEERS/bin/python tests/accuracy/peers.py
    OPENBLAS_NUM_THREADS=1 PEERS/bin/python tests/accuracy/peers.py --time RECORD      only seconds, to stdout

Each gets the first signal of a record in mV (gqrs: 200 units/mV) with missing samples replaced by the median, its own cleaning
step of the same name where it has one, and its defaults. Seconds are CPU for two leads of half an hour, one after the other, for
none of them takes two; the first minute is a warm-up that is not timed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import neurokit2
import numpy as np
import sleepecg
import wfdb
from biosppy.signals import ecg as biosppy_ecg
from ecgdetectors import Detectors
from wfdb import processing

HERE = Path(__file__).parent
PACKAGES = ("wfdb", "neurokit2", "sleepecg", "py-ecg-detectors", "biosppy")
WAVES = ("dwt", "prominence")
CLEANING = {"pantompkins1985", "elgendi2010", "engzeemod2012", "hamilton2002", "kalidas2017", "emrich2023"}


def neurokit(method: str) -> Callable[[np.ndarray, float], np.ndarray]:
    def found(x: np.ndarray, rate_hz: float) -> np.ndarray:
        cleaning = method if method in CLEANING - {"kalidas2017"} else "neurokit"
        if method == "emrich2023":
            cleaning = "vg"
        cleaned = neurokit2.ecg_clean(x, sampling_rate=int(rate_hz), method=cleaning)
        _, info = neurokit2.ecg_peaks(cleaned, sampling_rate=int(rate_hz), method=method)
        return np.asarray(info["ECG_R_Peaks"])

    return found


def gqrs(x: np.ndarray, rate_hz: float) -> np.ndarray:
    counts = np.round(200 * x).astype(int)
    return np.asarray(processing.gqrs_detect(fs=rate_hz, d_sig=counts, adc_gain=200, adc_zero=0))


def xqrs(x: np.ndarray, rate_hz: float) -> np.ndarray:
    return np.asarray(processing.xqrs_detect(sig=x, fs=rate_hz, verbose=False))


def hamilton(x: np.ndarray, rate_hz: float) -> np.ndarray:
    filtered, _, _ = biosppy_ecg.st.filter_signal(
        signal=x,
        ftype="FIR",
        band="bandpass",
        order=int(0.3 * rate_hz),
        frequency=[0.67, 45.0],
        sampling_rate=rate_hz,
    )
    (peaks,) = biosppy_ecg.hamilton_segmenter(signal=filtered, sampling_rate=rate_hz)
    (peaks,) = biosppy_ecg.correct_rpeaks(signal=filtered, rpeaks=peaks, sampling_rate=rate_hz, tol=0.05)
    return np.asarray(peaks)


def swt(x: np.ndarray, rate_hz: float) -> np.ndarray:
    return np.asarray(Detectors(rate_hz).swt_detector(x))


PROGRAMS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "wfdb gqrs": gqrs,
    "wfdb xqrs": xqrs,
    "neurokit2 emrich2023": neurokit("emrich2023"),
    "neurokit2 kalidas2017": neurokit("kalidas2017"),
    "neurokit2 pantompkins1985": neurokit("pantompkins1985"),
    "biosppy hamilton": hamilton,
    "sleepecg": lambda x, rate_hz: np.asarray(sleepecg.detect_heartbeats(x, rate_hz)),
    "py-ecg-detectors SWT": swt,
}


def scorer():
    spec = importlib.util.spec_from_file_location("ec57", HERE / "ec57.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def signal_of(record: Path, row: int) -> tuple[np.ndarray, float]:
    read = wfdb.rdrecord(str(record))
    x = read.p_signal[:, row]
    return np.where(np.isfinite(x), x, np.nanmedian(x)), read.fs


def beats(program: str, database: Path, skip: int) -> dict[str, object]:
    """Figures of a program on the first lead of a folder's records."""
    records = sorted(path.with_suffix("") for path in database.glob("*.atr"))
    detect = PROGRAMS[program]
    with tempfile.TemporaryDirectory() as made:
        for record in records:
            x, rate_hz = signal_of(record, 0)
            marks = detect(x, rate_hz)
            lines = [{"type": "beat", "t": float(m / rate_hz), "class": "N"} for m in marks if np.isfinite(m)]
            (Path(made) / f"{record.name}.jsonl").write_text(
                "".join(json.dumps(line) + "\n" for line in lines)
            )
        _, scored = scorer().main(["beats", str(database), made, "--skip", str(skip), "--json"], quiet=True)
    gross = scored["gross"]
    qrs, mark = gross["qrs"], gross["timing_ms"]
    worst = min(figures["qrs"]["f1"] for figures in scored["records"].values())
    return {
        "program": program,
        **{name: round(100 * qrs[name], 3) for name in ("se", "ppv", "f1")},
        "missed": qrs["fn"],
        "extra": qrs["fp"],
        "worst_record_f1": round(100 * worst, 2),
        "mark_ms": f"{mark['mean']:+.0f} ± {mark['sd']:.0f}",
    }


def waves(method: str, database: Path) -> dict[str, object]:
    """Figures of neurokit2's delineation of lead II, and its seconds for ten minutes."""
    spent = 0.0
    names = sorted(path.stem for path in database.glob("*.hea"))
    with tempfile.TemporaryDirectory() as made:
        for name in names:
            read = wfdb.rdrecord(str(database / name))
            x = read.p_signal[:, [s.lower() for s in read.sig_name].index("ii")]
            begin = time.process_time()
            lines = delineated(x, int(read.fs), method)
            spent += time.process_time() - begin
            (Path(made) / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        _, scored = scorer().main(
            ["waves", str(database), made, "--records", ",".join(names), "--leads", "ii", "--json"],
            quiet=True,
        )
    marks = {
        mark: {"se": round(100 * (f["se"] or 0), 1), "ppv": round(100 * (f["ppv"] or 0), 1)}
        | {name: None if f[name] is None else round(f[name], 1) for name in ("bias_ms", "sd_ms")}
        for mark, f in scored["fiducials"].items()
    }
    return {"program": f"neurokit2 {method}", "marks": marks, "seconds": round(spent, 2)}


def delineated(x: np.ndarray, rate_hz: int, method: str) -> list[dict[str, object]]:
    names = {
        "p_on": "ECG_P_Onsets",
        "p_peak": "ECG_P_Peaks",
        "p_off": "ECG_P_Offsets",
        "qrs_on": "ECG_R_Onsets",
        "qrs_off": "ECG_R_Offsets",
        "t_on": "ECG_T_Onsets",
        "t_peak": "ECG_T_Peaks",
        "t_off": "ECG_T_Offsets",
    }
    try:
        cleaned = neurokit2.ecg_clean(x, sampling_rate=rate_hz)
        _, info = neurokit2.ecg_peaks(cleaned, sampling_rate=rate_hz)
        peaks = info["ECG_R_Peaks"]
        _, marks = neurokit2.ecg_delineate(cleaned, peaks, sampling_rate=rate_hz, method=method)
    except Exception as error:  # noqa: BLE001 - a program that fails on a record has found nothing in it
        print(f"{method}: {error}")
        return []
    lines = []
    for k, peak in enumerate(peaks):
        line: dict[str, object] = {"type": "waves", "t": peak / rate_hz, "lead": "ii"}
        for ours, theirs in names.items():
            at = marks.get(theirs, [])
            value = at[k] if k < len(at) else np.nan
            line[ours] = None if value is None or not np.isfinite(value) else float(value) / rate_hz
        lines.append(line)
    return lines


def timed(record: Path) -> None:
    """Print the CPU seconds of every program for the two leads of a record, one after the other."""
    for program, detect in PROGRAMS.items():
        signals = [signal_of(record, row) for row in (0, 1)]
        x, rate_hz = signals[0]
        detect(x[: int(60 * rate_hz)], rate_hz)
        begin = time.process_time()
        for x, rate_hz in signals:
            detect(x, rate_hz)
        print(json.dumps({"program": program, "seconds": time.process_time() - begin}), flush=True)


def main() -> None:
    warnings.simplefilter("ignore")
    if sys.argv[1:2] == ["--time"]:
        timed(Path(sys.argv[2]))
        return
    data = Path(os.environ["VITALD_DATA"])
    page = json.loads((HERE / "peers.json").read_text())
    page["versions"] = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    page["day"] = datetime.now(UTC).date().isoformat()
    page["beats"] = {"mitdb, first lead": [], "nstdb after 5 min, first lead": []}
    for program in PROGRAMS:
        for case, folder, skip in (
            ("mitdb, first lead", "mitdb", 0),
            ("nstdb after 5 min, first lead", "nstdb", 300),
        ):
            found = beats(program, data / folder, skip)
            page["beats"][case].append(found)
            print(case, found, flush=True)
    page["waves"] = [waves(method, data / "ludb") for method in WAVES]
    (HERE / "peers.json").write_text(json.dumps(page, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
