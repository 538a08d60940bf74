"""A session as DICOM: an ECG waveform (PS3.3 A.34.3 to A.34.5, and the 32-bit one), or a PDF in an Encapsulated PDF object.

Which kind of waveform it becomes is said by rate, length and width: twelve-lead (200 to 1000 Hz, up to 16384 samples, 16 bits),
general (longer), ambulatory (50 to 200 Hz), and general 32-bit for what has more bits or another rate. Counts are the device's
own; a missing sample is the waveform padding value. It is made whole in memory: a long session goes in parts.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from daemon.exchange import waves as samples
from daemon.exchange.stretch import MARK, NotExportable, Stretch
from daemon.model.codes import BEATS, LEADS
from daemon.model.signals import Channel

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

TWELVE_LEAD = "1.2.840.10008.5.1.4.1.1.9.1.1"
GENERAL = "1.2.840.10008.5.1.4.1.1.9.1.2"
AMBULATORY = "1.2.840.10008.5.1.4.1.1.9.1.3"
GENERAL_32 = "1.2.840.10008.5.1.4.1.1.9.1.4"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"

MOST_TWELVE_LEAD = 16384
MOST_CHANNELS = {TWELVE_LEAD: 13, GENERAL: 24, AMBULATORY: 12, GENERAL_32: 24}
MOST_BEATS = 5000
LARGEST_PDF = 200_000_000


def write_dicom(stretch: Stretch, to: Path) -> int:
    """Write the ECG of the stretch; the number of samples of all leads. Raises `NotExportable`, OSError."""
    waves = samples.ecg(stretch)
    index = samples.leads(waves.line)
    piece = waves.whole()
    counts = piece.counts[index]
    channels = [waves.line.channels[i] for i in index]
    there = counts[:, piece.present]
    wide = bool(there.size) and bool(there.min() <= -(2**15) or there.max() >= 2**15)
    kind = kind_of(waves.line.rate_hz, counts.shape[1], channels, wide=wide)
    if len(channels) > MOST_CHANNELS[kind]:
        raise NotExportable(
            f"this DICOM object holds {MOST_CHANNELS[kind]} channels, and there are {len(channels)}"
        )
    padding = -(2**31) if kind == GENERAL_32 else -(2**15)
    counts[:, ~piece.present] = padding
    data = _common(stretch, kind, "ECG")
    data.AcquisitionDateTime = _datetime(stretch.at(stretch.t0_ns))
    data.AcquisitionContextSequence = []
    if stretch.session.device:
        data.DeviceSerialNumber = stretch.session.device[:64]
    word, bits, sign = ("<i4", 32, "SL") if kind == GENERAL_32 else ("<i2", 16, "SS")
    group = _dataset()
    group.WaveformOriginality = "ORIGINAL"
    group.NumberOfWaveformChannels = len(channels)
    group.NumberOfWaveformSamples = counts.shape[1]
    group.SamplingFrequency = _decimal(waves.line.rate_hz)
    group.ChannelDefinitionSequence = [_channel(channel, bits) for channel in channels]
    group.WaveformBitsAllocated = bits
    group.WaveformSampleInterpretation = sign
    group.add_new(0x5400100A, "OB" if bits == 8 else "OW", np.array([padding], word).tobytes())
    group.add_new(0x54001010, "OW", np.ascontiguousarray(counts.T).astype(word).tobytes())
    data.WaveformSequence = [group]
    marks = _annotations(stretch, waves, counts.shape[1])
    if marks:
        data.WaveformAnnotationSequence = marks
    _save(data, to)
    return int(piece.present.sum()) * len(channels)


def write_pdf(stretch: Stretch, pdf: Path, to: Path, title: str = "Report") -> int:
    """Write a PDF as a DICOM object; its number of bytes. Raises `NotExportable`, OSError."""
    content = pdf.read_bytes()
    if not content.startswith(b"%PDF-"):
        raise NotExportable(f"{pdf}: not a PDF file")
    if len(content) > LARGEST_PDF:
        raise NotExportable(f"{pdf}: too large for a DICOM object")
    data = _common(stretch, PDF, "DOC")
    data.ConversionType = "WSD"
    data.BurnedInAnnotation = "YES"
    data.AcquisitionDateTime = _datetime(stretch.at(stretch.t0_ns))
    data.DocumentTitle = title
    data.ConceptNameCodeSequence = []
    data.MIMETypeOfEncapsulatedDocument = "application/pdf"
    data.EncapsulatedDocumentLength = len(content)
    data.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    _save(data, to)
    return len(content)


def kind_of(rate_hz: float, n: int, channels: list[Channel], *, wide: bool) -> str:
    """The SOP class that may hold it."""
    if wide or rate_hz > 1000 or rate_hz < 50:
        return GENERAL_32
    if rate_hz < 200:
        return AMBULATORY
    known = all(channel.name in LEADS for channel in channels)
    return TWELVE_LEAD if n <= MOST_TWELVE_LEAD and known and len(channels) > 1 else GENERAL


def _common(stretch: Stretch, kind: str, modality: str) -> Dataset:
    """Patient, study, series, equipment and SOP common modules. Empty is unknown."""
    subject, session = stretch.subject, stretch.session
    began, now = stretch.at(session.began_ns), stretch.at(stretch.t0_ns)
    data = _dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID = kind
    span = f"{stretch.t0_ns - session.began_ns} {stretch.t1_ns - session.began_ns}"
    data.SOPInstanceUID = _uid(f"{session.uuid} {kind} {span}")
    data.StudyInstanceUID = _uid(f"{session.uuid} study")
    data.SeriesInstanceUID = _uid(f"{session.uuid} {modality} series")
    data.PatientName = _name(subject.name if subject else "", demo=stretch.demo)
    data.PatientID = (subject.id if subject else f"TEMP-{session.name}")[:64]
    data.PatientBirthDate = f"{subject.born:%Y%m%d}" if subject and subject.born else ""
    data.PatientSex = subject.sex if subject else ""
    if subject and subject.age is not None:
        data.PatientAge = f"{min(subject.age, 999):03d}Y"
    elif subject and subject.age_text:
        data.PatientAge = "090Y"
    data.StudyDate, data.StudyTime = f"{began:%Y%m%d}", f"{began:%H%M%S}"
    data.StudyID, data.AccessionNumber, data.ReferringPhysicianName = session.name[-16:], "", ""
    data.StudyDescription = f"{MARK}" if stretch.demo else "Bedside recording"
    data.Modality, data.SeriesNumber, data.InstanceNumber = modality, "1", "1"
    data.ContentDate, data.ContentTime = f"{now:%Y%m%d}", f"{now:%H%M%S.%f}"
    data.TimezoneOffsetFromUTC = f"{now:%z}"
    data.Manufacturer, data.ManufacturerModelName = "vitald", "vitald"
    data.SoftwareVersions = stretch.version or "0"
    if stretch.pseudonyms is not None:
        data.PatientIdentityRemoved = "YES"
        data.DeidentificationMethod = "vitald: keyed ids, dates moved"
    comments = ([MARK] if stretch.demo else []) + (
        [] if session.clock_is_set else ["The clock of the box was never set: dates are a guess."]
    )
    if comments:
        data.add_new(0x00104000, "LT", " ".join(comments))  # patient comments
    return data


def _channel(channel: Channel, bits: int) -> Dataset:
    """Sensitivity is a count's worth in its unit: 1 with the gain as correction factor, and where zero is."""
    made = _dataset()
    lead = LEADS.get(channel.name)
    source = (lead.dotted, "MDC", lead.text) if lead else (channel.name[:16], "99VITALD", channel.name[:64])
    made.ChannelSourceSequence = [_code(*source)]
    micro = {"mV": 1000.0, "uV": 1.0, "V": 1e6}.get(channel.unit)
    made.ChannelSensitivity = "1"
    made.ChannelSensitivityUnitsSequence = [
        _code("uV", "UCUM", "microvolt") if micro else _code("1", "UCUM", "no units")
    ]
    made.ChannelSensitivityCorrectionFactor = _decimal(channel.gain * (micro or 1.0))
    made.ChannelBaseline = _decimal(-channel.offset * channel.gain * (micro or 1.0))
    made.ChannelSampleSkew = "0"
    made.ChannelLabel = channel.name[:16]
    made.WaveformBitsStored = bits
    return made


def _annotations(stretch: Stretch, waves: samples.Waves, n: int) -> list[Dataset]:
    """Beats that have a code, and the edges of what is missing."""
    found: list[Dataset] = []
    for beat in stretch.beats()[:MOST_BEATS]:
        at, code = waves.sample(beat.segment, beat.sample), BEATS.get(beat.label)
        if code is not None and at is not None and 0 <= at < n:
            found.append(_mark(at + 1, code=_code(code.dotted, "MDC", code.text)))
    for begin_ns, _, cause in waves.gaps:
        at = round((begin_ns - stretch.t0_ns) / 1e9 * waves.line.rate_hz) + 1
        found.append(_mark(min(max(at, 1), n), text=f"missing: {cause}"))
    return found


def _mark(sample: int, *, code: Dataset | None = None, text: str = "") -> Dataset:
    mark = _dataset()
    mark.ReferencedWaveformChannels = [1, 0]
    mark.TemporalRangeType = "POINT"
    mark.ReferencedSamplePositions = sample
    if code is not None:
        mark.ConceptNameCodeSequence = [code]
    else:
        mark.UnformattedTextValue = text
    mark.AnnotationGroupNumber = 1 if code is not None else 2
    return mark


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = _dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _dataset() -> Dataset:
    from pydicom.dataset import Dataset

    return Dataset()


def _name(full: str, *, demo: bool) -> str:
    """Family^Given; "TEST" for demo data, so that it passes for nobody."""
    given, _, family = full.replace("^", " ").replace("=", " ").strip().rpartition(" ")
    name = f"{family}^{given}" if given else family
    return f"TEST^{name.replace('^', ' ')}".strip() if demo else name


def _decimal(value: float) -> str:
    """DS: at most 16 characters."""
    for digits in range(16, 3, -1):
        text = f"{value:.{digits}g}"
        if len(text) <= 16:
            return text
    return f"{value:.4g}"


def _datetime(moment: datetime) -> str:
    return f"{moment:%Y%m%d%H%M%S.%f%z}"


def _uid(name: str) -> str:
    """A UID from a UUID (PS3.5 B.2), the same for the same thing."""
    return f"2.25.{uuid.UUID(bytes=hashlib.sha256(name.encode()).digest()[:16], version=4).int}"


def _save(data: Dataset, to: Path) -> None:
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(data.SOPClassUID)
    meta.MediaStorageSOPInstanceUID = UID(data.SOPInstanceUID)
    meta.TransferSyntaxUID = UID(EXPLICIT_LITTLE)
    meta.ImplementationClassUID = UID(_uid("vitald implementation"))
    meta.ImplementationVersionName = "VITALD"
    data.file_meta = meta
    data.save_as(to, enforce_file_format=True)
