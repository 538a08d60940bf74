"""The formats of an export, a line each, and the export itself: what is asked, checked, made, and put in its place.

Formats of several files become a folder, or a zip file where the place's name ends in ".zip". Nothing is there under the
asked name before all of it is.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from pathlib import Path
from typing import Final

from daemon.exchange.deidentify import Pseudonyms, key_in
from daemon.exchange.edf_file import Form as EdfForm
from daemon.exchange.session_aecg import write_aecg
from daemon.exchange.session_csv import write_csv
from daemon.exchange.session_dicom import write_dicom, write_pdf
from daemon.exchange.session_edf import write_stretch
from daemon.exchange.session_fhir import write_fhir
from daemon.exchange.session_hl7 import write_hl7
from daemon.exchange.session_jsonl import write_jsonl
from daemon.exchange.session_scp import write_scp
from daemon.exchange.session_wfdb import write_wfdb
from daemon.exchange.stretch import NotExportable, Stretch, bounds, found_session, is_demo


@dataclass(frozen=True, slots=True)
class Asked:
    """An export. `start_s`, `end_s`: seconds of the session. `pdf`: a report that goes with it, or that is what is exported.

    `anonymous`: without name, address and phone. `deidentify`: ids, dates and ages changed too (deidentify.py). `demo`: also
    where the session is a simulator's; it is then marked. `stopped` is asked now and then: `Stopped` is raised where it says so.
    """

    session: str
    form: str
    start_s: float = 0.0
    end_s: float = math.inf
    anonymous: bool = False
    deidentify: bool = False
    demo: bool = False
    pdf: Path | None = None
    zone: tzinfo | None = None
    stopped: Callable[[], bool] = field(default=lambda: False, repr=False)


@dataclass(frozen=True, slots=True)
class Source:
    """Where sessions come from: the store, the folder with the key for pseudonyms, and what the box says of itself."""

    database: Path
    keys: Path
    box: str = ""
    version: str = ""
    demo: bool = False


Write = Callable[[Stretch, Path, Asked], int]


@dataclass(frozen=True, slots=True)
class Format:
    """One format: the ending and type of its file (`folder`: of the zip file), and what writes it. `spans`: parts are possible.

    `pdf`: "none" = a report has no place in it, "may" go with it, or "must" be given.
    """

    ending: str
    media: str
    write: Write
    counted: str = "samples"
    folder: bool = False
    spans: bool = True
    pdf: str = "none"


def _edf(form: EdfForm) -> Write:
    def write(stretch: Stretch, to: Path, asked: Asked) -> int:  # noqa: ARG001 - one shape for all
        if stretch.demo:
            session = replace(
                stretch.session, patient={"patient_id": "TEST", "full_name": "TEST"}, device="TEST"
            )
            stretch = replace(stretch, session=session, named=True)
        return write_stretch(stretch, to, form)

    return write


def _jsonl(stretch: Stretch, to: Path, asked: Asked) -> int:
    session = found_session(stretch.database, asked.session)
    assert session is not None
    if session.source == "import":
        raise NotExportable(
            "nobody was told of an imported session, so it has no messages: take edf, bdf or csv"
        )
    with to.open("wb") as out:
        return write_jsonl(
            stretch.database, session, out, box_serial=stretch.box, told=stretch.told, named=stretch.named
        )


def _pdf(stretch: Stretch, to: Path, asked: Asked) -> int:
    assert asked.pdf is not None
    return write_pdf(stretch, asked.pdf, to)


FORMATS: Final[dict[str, Format]] = {
    "edf": Format(".edf", "application/octet-stream", _edf("edf")),
    "bdf": Format(".bdf", "application/octet-stream", _edf("bdf")),
    "wfdb": Format(".zip", "application/zip", lambda s, to, _: write_wfdb(s, to), folder=True),
    "csv": Format(".zip", "application/zip", lambda s, to, _: write_csv(s, to), "rows", folder=True),
    "jsonl": Format(".jsonl", "application/x-ndjson", _jsonl, "lines", spans=False),
    "dicom": Format(".dcm", "application/dicom", lambda s, to, _: write_dicom(s, to)),
    "dicom-pdf": Format(".dcm", "application/dicom", _pdf, "bytes", pdf="must"),
    "aecg": Format(".xml", "application/xml", lambda s, to, _: write_aecg(s, to)),
    "scp": Format(".scp", "application/octet-stream", lambda s, to, _: write_scp(s, to)),
    "fhir": Format(
        ".json", "application/fhir+json", lambda s, to, a: write_fhir(s, to, a.pdf), "entries", pdf="may"
    ),
    "hl7": Format(
        ".hl7", "application/hl7-v2", lambda s, to, a: write_hl7(s, to, a.pdf), "messages", pdf="may"
    ),
}


@dataclass(frozen=True, slots=True)
class Made:
    """What came of it: `name` is a file name that may be shown to whoever gets the file."""

    name: str
    media: str
    count: int
    counted: str


def stretch_of(source: Source, asked: Asked) -> Stretch:
    """The stretch that is asked for, as it may be told. Raises `NotExportable`, `NoKey`, sqlite3.Error, OSError."""
    session = found_session(source.database, asked.session)
    if session is None:
        raise NotExportable(f"there is no session {asked.session}")
    demo = source.demo or is_demo(source.database, session)
    if demo and not asked.demo:
        raise NotExportable(
            "the session is a simulator's: it is exported only where that is said to be wanted (--demo)"
        )
    t0_ns, t1_ns = bounds(source.database, session, asked.start_s, asked.end_s)
    stretch = Stretch(
        source.database,
        session,
        t0_ns,
        t1_ns,
        demo=demo,
        named=not (asked.anonymous or asked.deidentify),
        zone=asked.zone,
        box=source.box,
        version=source.version,
        stopped=asked.stopped,
    )
    if not asked.deidentify:
        return stretch
    pseudonyms = Pseudonyms(key_in(source.keys, make=True))
    as_told, told = pseudonyms.told(session, source.box)
    box = told.serial(source.box) if source.box else ""
    return replace(stretch, session=as_told, pseudonyms=pseudonyms, told=told, box=box)


def export(source: Source, asked: Asked, to: Path) -> Made:
    """Make the export at `to`. Raises `NotExportable`, `NoKey`, sqlite3.Error, OSError."""
    form = FORMATS.get(asked.form)
    if form is None:
        raise NotExportable(f"there is no format {asked.form}: {', '.join(FORMATS)}")
    _possible(form, asked)
    stretch = stretch_of(source, asked)
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=".export-") as folder:
        fresh = Path(folder) / ("made" if form.folder else f"made{form.ending}")
        if form.folder:
            fresh.mkdir()
        count = form.write(stretch, fresh, asked)
        if form.folder and to.suffix == ".zip":
            fresh = _zipped(fresh)
        if fresh.is_dir() and to.is_dir():
            for file in fresh.iterdir():
                shutil.move(file, to / file.name)
        else:
            fresh.replace(to)
    return Made(f"{stretch.session.name}{form.ending}", form.media, count, form.counted)


def _possible(form: Format, asked: Asked) -> None:
    if asked.pdf is None and form.pdf == "must":
        raise NotExportable(f"{asked.form} is made of a report: name its file (--pdf)")
    if asked.pdf is not None and form.pdf == "none":
        raise NotExportable(f"{asked.form} has no place for a report")
    if asked.pdf is not None and asked.deidentify:
        raise NotExportable("a report cannot be de-identified: its words are drawn on its pages")
    if not form.spans and (asked.start_s > 0 or math.isfinite(asked.end_s)):
        raise NotExportable(f"{asked.form} is of the whole session: it has no --from and --to")


def _zipped(folder: Path) -> Path:
    to = folder.with_suffix(".zip")
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
            file.unlink()
    return to
