"""A real recording on paper: who, what was measured and concluded, what was printed; and what a confirmation changes."""

from __future__ import annotations

import hashlib
import time

import numpy as np
import pytest
from pypdf import PdfReader

from daemon.reports import fonts
from daemon.reports.job import NotMakeable, Signed
from daemon.store.reader import ask
from daemon.words import say
from firmware_bridge.recordings import open_recording
from tests.daemon.reports import _pdf, _recorded

pytestmark = pytest.mark.recordings


def fonts_of(file):
    found = {}
    for page in PdfReader(file).pages:
        for font in page["/Resources"]["/Font"].values():
            font = font.get_object()
            inner = font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
            found[str(font["/BaseFont"])] = "/FontFile2" in inner and "/ToUnicode" in font
    return found


def test_a_real_record_is_printed_with_all_that_is_known_of_it(ptb, report, recordings):
    given, drawn, file = report(ptb)
    text = _pdf.whole_text(file)

    patient = _recorded.PATIENT
    for needed in (
        patient["full_name"], patient["patient_id"], patient["birth_date"], "71 years", "female", "ECG-1", ptb[1],
        "25 mm/s", "10 mm/mV", "0.05-150 Hz", "notch 50+100 Hz", "1000 Hz", "UTC+00:00", "page 1 of 1", given.id, "BOX-1",
        "UNCONFIRMED", "QTc, Bazett", "QTc, Fridericia", say("report.axes"), "ST at J, mV", given.samples_sha256,
    ):  # fmt: skip
        assert needed in text, needed
    for one in given.made:
        assert one.text in text
        assert one.criteria
        assert one.criteria[0] in text
    assert f"{given.metrics['heart_rate_bpm']:.0f} bpm" in text
    assert f"{given.metrics['qrs_ms']:.0f} ms" in text
    assert say("report.demo") not in text
    assert drawn.missing == ()

    # The waves are those of the recording: the long strip is lead II of the ten seconds that the page names.
    (strip,) = [w for w in _pdf.traces(file) if len(w.points) > 5000]
    assert len(strip.points) == 10_000
    recording = open_recording(recordings / "ptbdb" / "s0010_re")
    first = round((given.about_utc_ns - _recorded.UTC_NS - _recorded.BEGAN_NS) / 1e6)
    raw = recording.counts(first, first + 10_000)[1] * recording.channels[1].gain
    shown = -strip.y / 10
    shown, raw = (one - np.convolve(one, np.full(1001, 1 / 1001), "same") for one in (shown, raw))
    assert np.corrcoef(shown[600:-600], raw[600:-600])[0, 1] > 0.98


def test_the_hash_is_that_of_the_stored_samples(ptb, report):
    given, _, file = report(ptb)
    begin = given.about_utc_ns - _recorded.UTC_NS
    (trace,) = ask(ptb[0], lambda r: r.read(_recorded.BOOT, begin, begin + 10 * _recorded.S, bed="1"))
    assert given.samples_sha256 == hashlib.sha256(trace.counts.astype("<i4").tobytes()).hexdigest()
    assert f"{trace.first}–{trace.first + trace.counts.shape[1] - 1}" in _pdf.whole_text(file)
    assert given.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert given.size == file.stat().st_size


def test_the_file_is_for_archives_and_says_nothing_of_the_patient_beside_its_pages(ptb, report):
    given, _, file = report(ptb)
    reader = PdfReader(file)
    known = fonts_of(file)
    assert known
    assert all(known.values()), known
    root = reader.trailer["/Root"]
    assert root["/ViewerPreferences"]["/PrintScaling"] == "/None"
    assert root["/OutputIntents"]
    xmp = root["/Metadata"].get_object().get_data().decode()
    assert "pdfaid:part>2<" in xmp.replace(" ", "")
    assert "pdfaid:conformance>U<" in xmp.replace(" ", "")
    assert "12-lead ECG" in xmp
    outside = f"{given.file} {dict(reader.metadata or {})} {xmp}"
    for word in (*_recorded.PATIENT["full_name"].split(), _recorded.PATIENT["patient_id"]):
        assert word not in outside
    assert not reader.is_encrypted
    assert "/JavaScript" not in str(root.get("/Names", ""))


def test_a_clinicians_words_stand_with_the_boxs_own_below(ptb, report):
    given, _, _ = report(ptb)
    utc_ns = time.time_ns()
    lines = ("Sinus rhythm, old inferior infarction", "Compare with the last one")
    signed = Signed(of=given.id, made=given.made, lines=lines, by="Dr. Grey", utc_ns=utc_ns, amends=False)
    again, _, file = report(ptb, signed=signed, at_ms=given.options["at_ms"])
    text = _pdf.whole_text(file)
    assert (again.state, again.confirmed_by, again.amends) == ("confirmed", "Dr. Grey", given.id)
    assert again.edited == lines
    assert again.made == given.made
    assert again.conclusion == "; ".join(lines)
    assert again.samples_sha256 == given.samples_sha256
    for needed in (*lines, "Confirmed by Dr. Grey", "As made by the box", given.made[0].text):
        assert needed in text
    assert "UNCONFIRMED" not in text


def test_what_is_asked_for_is_what_is_printed(ptb, report):
    _, _, file = report(
        ptb, layout="6x2", speed_mm_s="50", gain_mm_mv="20", mode="monitor", mains_hz=0, cabrera=True, paper="Letter",
        box={"demo": True},
    )  # fmt: skip
    reader = PdfReader(file)
    text = _pdf.whole_text(file)
    assert len(reader.pages) == 2  # ten seconds at 50 mm/s
    assert [round(float(v) * _pdf.MM, 1) for v in reader.pages[0].mediabox[2:]] == [279.4, 215.9]
    for needed in (
        "50 mm/s",
        "20 mm/mV",
        "0.5-40 Hz",
        "mains notch off",
        say("report.monitor"),
        say("report.cabrera"),
        "DEMO",
        "page 2 of 2",
    ):
        assert needed in text, needed
    assert "−aVR" in text
    assert len(_pdf.traces(file)) == 12


def test_names_in_any_script_and_of_any_length(plain, report):
    given, drawn, file = report(plain)
    assert drawn.missing == ()
    assert all(fonts_of(file).values())
    assert "W" * 5 in _pdf.whole_text(file)
    assert "slow sampling: nothing above 125 Hz" in _pdf.whole_text(file)
    assert "0.05-125 Hz" in _pdf.whole_text(file)  # what a rate of 250 Hz can hold, not what was asked for
    assert given.made == ()
    assert say("report.no_statements") in _pdf.whole_text(file)


@pytest.mark.parametrize("text", ["Żółć", "Ελένη", "Кирилл", "Đặng Thị Hương", "ñ ø ß"])
def test_the_font_of_the_house_has_the_letters_of_europe(text):
    missing: list[str] = []
    assert fonts.printable(text, missing) == (fonts.unicodedata.normalize("NFC", text), ())
    assert missing == []


def test_a_letter_that_no_font_has_is_a_box_and_is_counted():
    missing: list[str] = []
    assert fonts.printable("A\ue000\U000e0fffB", missing)[0] == "A□□B"
    assert missing == ["U+E000", "U+E0FFF"]


def test_what_cannot_be_made_says_why(ptb, report):
    with pytest.raises(NotMakeable, match="no session"):
        report((ptb[0], "session_19990101_000000"))
    with pytest.raises(NotMakeable, match="not within"):
        report(ptb, at_ms=1.0)
    with pytest.raises(NotMakeable, match="no night"):
        report(ptb, kind="night")
    with pytest.raises(NotMakeable, match="no concentrator"):
        report(ptb, kind="oxygen")
