"""The signal half of one 12-lead bed: its share of a core, and the speed of an analysis.

A minute of the DM board's eight channels at 500 samples/s, in blocks of 50 ms as a bed gives them: CPU time of the
process over the minute's length. Stages are measured by themselves on the same signal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import numpy as np

from benchmarks import Row
from daemon.dsp.display import Chain, DisplaySettings
from daemon.dsp.ecg.detect import QrsDetector
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.interpret import Tables
from daemon.dsp.leads import Montage
from daemon.dsp.pipeline import Pipeline
from daemon.dsp.quality import PIECES, Indices, Quality
from daemon.model.signals import Channel, Quantity, SampleBlock, Segment, Stream

RATE_HZ, SECONDS, HOP = 500.0, 60, 25
LEADS = ("II", "I", "V1", "V2", "V3", "V4", "V5", "V6")


def rows() -> Iterable[Row]:
    table, classes = load_qrs_table(), load_class_table()
    further = Tables(load_waves_table(), load_rhythm_table())
    counts = _counts(RATE_HZ, SECONDS, len(LEADS))
    segment = _segment(RATE_HZ, LEADS)
    blocks = [_block(segment, counts, first, HOP) for first in range(0, counts.shape[1], HOP)]
    montage = Montage.of(segment.stream)
    assert montage is not None
    millivolts = montage.millivolts(counts)

    for name, settings in (
        ("monitor, notch", DisplaySettings()),
        ("diagnostic, notch", DisplaySettings("diagnostic")),
        ("monitor, notch, cleaning", DisplaySettings(cleaning=True)),
    ):
        chain = Chain(settings, RATE_HZ, HOP, len(LEADS))
        share = _share(lambda chain=chain: _in_hops(chain, millivolts))
        yield Row(
            f"dsp: display chain, {name}",
            share,
            "% of a core",
            note=f"delay {1e3 * chain.delay / RATE_HZ:.0f} ms",
        )
    yield Row("dsp: signal quality", _share(lambda: _quality(montage, millivolts)), "% of a core")
    detector = QrsDetector(RATE_HZ, LEADS, table, classes)
    yield Row(
        "dsp: QRS detector and classes, 8 leads",
        _share(lambda: _detector(detector, millivolts)),
        "% of a core",
    )

    def bed(settings: DisplaySettings | None) -> None:
        pipeline = Pipeline(table, settings, classes, further)
        for block in blocks:
            pipeline.push(block)

    yield Row(
        "dsp: all of a 12-lead bed, 50 ms blocks", _share(lambda: bed(DisplaySettings())), "% of a core"
    )
    share = _share(lambda: bed(None))
    yield Row("dsp: its analysis, without the screen", share, "% of a core", "< 2 %", share < 2)

    half_hour = _segment(360.0, ("II", "V5"))
    whole = _block(half_hour, _counts(360.0, 1800, 2), 0, 650_000)
    begun = time.process_time()
    Pipeline(table, None, classes, further).push(whole)
    took_s = time.process_time() - begun
    yield Row(
        "dsp: analysis of 30 minutes, 2 leads, 360 samples/s",
        took_s,
        "s",
        "< 4 s",
        took_s < 4.0,
        "without reading the recording",
    )


def _share(run: Callable[[], None]) -> float:
    begun = time.process_time()
    run()
    return 100.0 * (time.process_time() - begun) / SECONDS


def _in_hops(chain: Chain, millivolts: np.ndarray) -> None:
    restart = np.ones(len(millivolts), dtype=np.bool_)
    for at in range(0, millivolts.shape[1], HOP):
        chain.step(np.ascontiguousarray(millivolts[:, at : at + HOP].T), restart if at == 0 else None)


def _quality(montage: Montage, millivolts: np.ndarray) -> None:
    hop = HOP * PIECES
    indices, quality = Indices(montage, RATE_HZ, hop), Quality(montage)
    good = np.ones((1, hop, len(millivolts)), dtype=np.bool_)
    for at in range(0, millivolts.shape[1], hop):
        found = indices.push(np.ascontiguousarray(millivolts[:, at : at + hop].T)[None], ~good, good)
        quality.step(found.severity[0], found.flat[0], found.railed[0], frozenset())


def _detector(detector: QrsDetector, millivolts: np.ndarray) -> None:
    mv = millivolts.astype(np.float32)
    usable = np.ones(mv.shape, dtype=np.bool_)
    for at in range(0, mv.shape[1], HOP):
        detector.push(mv[:, at : at + HOP], usable[:, at : at + HOP])


def _segment(rate_hz: float, leads: tuple[str, ...]) -> Segment:
    channels = tuple(Channel(name, Quantity.ECG, "mV", 1 / 1423, 2048, 0, 4095) for name in leads)
    return Segment("bench", "1", Stream("bench", "ecg", rate_hz, channels), "boot", 1, 0)


def _block(segment: Segment, counts: np.ndarray, first: int, n: int) -> SampleBlock:
    period = 1e9 / segment.stream.rate_hz
    part = np.ascontiguousarray(counts[:, first : first + n])
    return SampleBlock(segment, first, round(first * period), period, part, round((first + n) * period))


def _counts(rate_hz: float, seconds: int, channels: int) -> np.ndarray:
    """A heart at 72 bpm with muscle noise of 10 uV."""
    t = np.arange(round(rate_hz * seconds)) / rate_hz % (60 / 72)
    beat = sum(
        size * np.exp(-0.5 * ((t - at) / width) ** 2)
        for size, at, width in ((0.1, 0.14, 0.02), (1.0, 0.3, 0.011), (0.25, 0.55, 0.045))
    )
    noise = np.random.default_rng(1).normal(0, 0.01, (channels, len(t)))
    return np.rint(2048 + 1423 * (np.linspace(0.6, 1.1, channels)[:, None] * beat + noise)).astype(np.int32)
