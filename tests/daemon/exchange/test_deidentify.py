"""De-identified: nothing of the person leaves in any format, and the same person is the same pseudonym every time."""

from __future__ import annotations

import json
import zipfile
from datetime import timedelta

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.exchange.deidentify import GONE, KEY_FILE, SHIFT_DAYS, NoKey, Pseudonyms, Told, key_in
from daemon.exchange.formats import FORMATS, Asked, Source, export, stretch_of
from daemon.exchange.stretch import NotExportable
from tests.daemon.exchange.recorded_house import BOX, ERIKA, SERIAL, record

KEY = bytes(range(32))
PLANTED = ("Erika", "Müller", "Muller", "Žák", "Zak", "MRN-77", "Hauptstr", "1234567", "1950-03-01", "19500301", SERIAL, BOX, "20250108", "2025-01-08", "08/01/2025", "08.01.25")  # fmt: skip


def contents(path) -> list[tuple[str, bytes]]:
    """Names and bytes of everything that an export is made of."""
    if path.is_dir():
        return [(file.name, file.read_bytes()) for file in path.iterdir()]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return [(name, archive.read(name)) for name in archive.namelist()]
    return [(path.name, path.read_bytes())]


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "dicom-pdf"])
async def test_nothing_of_the_person_is_in_any_format(tmp_path, form):
    patient = {**ERIKA, "age": 93}
    recorded = await record(tmp_path, 4, patient=patient)
    path, made = recorded.made(form, deidentify=True)
    told = [*contents(path), (made.name, b"")]
    for name, data in told:
        for planted in PLANTED:
            for coded in {planted.encode(), planted.encode("latin-1", "replace")}:
                assert planted not in name
                assert coded not in data, f"{planted} in {name}"
    assert not any(b"\x5d\0\1" in data for _, data in told if form == "scp")  # 93 years


async def test_an_age_above_89_is_a_class_of_its_own(tmp_path):
    recorded = await record(tmp_path, 4, patient={**ERIKA, "age": 93})
    path, _ = recorded.made("dicom", deidentify=True)
    data = pydicom.dcmread(path)
    assert (data.PatientAge, data.PatientBirthDate, data.PatientIdentityRemoved) == ("090Y", "", "YES")
    folder, _ = recorded.made("csv", deidentify=True)
    assert "age,90+" in (folder / "session.csv").read_text()
    recorded.made("csv", "named.zip")


async def test_the_same_person_has_the_same_pseudonym_and_the_same_shift(tmp_path):
    found = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / KEY_FILE).write_bytes(KEY)
        recorded = await record(folder, 2)
        asked = Asked(recorded.name, "csv", deidentify=True)
        found.append(stretch_of(recorded.source, asked))
    one, two = found
    assert one.session.patient == two.session.patient
    assert one.session.utc_offset_ns == two.session.utc_offset_ns
    assert one.session.uuid != two.session.uuid
    assert one.session.name.startswith("session_")
    moved = timedelta(microseconds=(one.session.utc_offset_ns - 1_736_339_696 * 10**9) / 1000)
    assert timedelta(days=-SHIFT_DAYS) <= moved <= timedelta(days=-1)
    assert moved % timedelta(days=1) == timedelta(0)


async def test_times_within_a_day_and_intervals_stay(tmp_path):
    recorded = await record(tmp_path, 4)
    folder, _ = recorded.made("csv", deidentify=True)
    rows = (folder / "numbers.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0][10:] for row in rows] == [f"T12:34:{56 + k}.000+00:00" for k in range(4)]


async def test_without_a_name_is_not_yet_de_identified(tmp_path):
    recorded = await record(tmp_path, 2)
    path, made = recorded.made("fhir", anonymous=True)
    text = path.read_text()
    assert "MRN-77" in text
    assert not [planted for planted in ("Erika", "Hauptstr", "1234567", "1950-03-01") if planted in text]
    assert made.name == f"{recorded.name}.json"


async def test_a_report_cannot_be_de_identified(tmp_path):
    recorded = await record(tmp_path, 2)
    pdf = tmp_path / "r.pdf"
    pdf.write_bytes(b"%PDF-1.7")
    with pytest.raises(NotExportable, match="drawn on its pages"):
        recorded.made("fhir", deidentify=True, pdf=pdf)


async def test_a_session_of_nobodys_is_moved_too(tmp_path):
    recorded = await record(tmp_path, 2, patient=None)
    path, _ = recorded.made("hl7", deidentify=True)
    assert b"2025" not in path.read_bytes()[:60]


def test_the_key_is_made_once_and_kept_from_others(tmp_path):
    with pytest.raises(NoKey, match="no key"):
        key_in(tmp_path, make=False)
    key = key_in(tmp_path, make=True)
    assert (len(key), key_in(tmp_path, make=True), key_in(tmp_path, make=False)) == (32, key, key)
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o007 == 0
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(NoKey, match="is no key"):
        key_in(tmp_path, make=True)


def test_another_box_has_other_pseudonyms():
    one, two = Pseudonyms(KEY), Pseudonyms(KEY[::-1])
    assert one.id("patient", "MRN-77") != two.id("patient", "MRN-77")
    assert one.id("patient", "MRN-77") != one.id("device", "MRN-77")
    assert one.shift("MRN-77") != two.shift("MRN-77")
    assert "MRN" not in repr(one)
    assert str(KEY) not in repr(one)


def told() -> Told:
    return Told(
        Pseudonyms(KEY),
        timedelta(days=-10),
        {"MRN-77": "PSEUDO", "session_20250108_123456": "session_X"},
        ("Erika Müller-Žák", "Müller-Žák", "Erika"),
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ERIKA came at 2025-01-08T12:34:56.789Z", f"{GONE} came at 2024-12-29T12:34:56.789Z"),
        ("Patient MRN-77 (Erika Müller-Žák)", f"Patient PSEUDO ({GONE})"),
        ("call +49 30 1234567 or a.b@c.example.org", f"call {GONE} or {GONE}"),
        ("HR 131 > 120, 25 mm/s", "HR 131 > 120, 25 mm/s"),
        ("session_20250108_123456", "session_X"),
    ],
)
def test_free_text(text, shown):
    assert told().text(text) == shown


@settings(max_examples=30)
@given(
    st.recursive(
        st.text(max_size=20) | st.integers() | st.none(),
        lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(max_size=5), c, max_size=3),
    )
)
def test_names_are_gone_wherever_they_stand(value):
    planted = {"full_name": "Erika Müller-Žák", "notes": ["seen by Erika", {"deep": "MRN-77", "v": value}]}
    text = json.dumps(told().value(planted), ensure_ascii=False)
    assert "Erika" not in text.replace(json.dumps(value, ensure_ascii=False), "") or "Erika" in str(value)
    assert "MRN-77" not in text


async def test_where_no_key_can_be_made_it_is_said(tmp_path):
    recorded = await record(tmp_path, 2)
    source = Source(recorded.database, tmp_path / "nowhere")
    with pytest.raises(NoKey, match="can be made"):
        export(source, Asked(recorded.name, "csv", deidentify=True), tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()
