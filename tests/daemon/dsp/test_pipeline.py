"""The signal half as a whole: the same findings for any cut, and the truth about silence."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.dsp.display import DisplaySettings
from daemon.dsp.pipeline import Pipeline
from daemon.model.findings import Beat, BeatClass, DisplayBlock, Grade, Metric, Quality, Trouble, Why
from daemon.model.signals import (
    Channel,
    Command,
    Gap,
    GapCause,
    LeadState,
    Quantity,
    SampleBlock,
    Segment,
    Stream,
    Tick,
)

EIGHT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
S = 1_000_000_000


def segment(names=EIGHT, rate=500.0, name="ecg", number=1, device="dev", low=0, high=4095):
    channels = tuple(Channel(n, Quantity.ECG, "mV", 1 / 1423, 2048, low, high) for n in names)
    return Segment(
        f"{device}-{name}-{number}", "1", Stream(device, name, rate, channels), "boot", number, 7 * S
    )


def counts_of(of, seconds, bpm=72.0, seed=1):
    """Beats with P and T on every channel, a little different on each, in counts of the DM board."""
    rate, channels = of.stream.rate_hz, len(of.stream.channels)
    t = np.arange(round(rate * seconds)) / rate % (60 / bpm)
    waves = sum(
        a * np.exp(-0.5 * ((t - at) / w) ** 2)
        for a, at, w in ((0.1, 0.14, 0.02), (1.0, 0.3, 0.011), (0.25, 0.55, 0.045))
    )
    size = np.linspace(0.6, 1.1, channels)[:, None]
    noise = np.random.default_rng(seed).normal(0, 0.01, (channels, len(t)))
    return np.rint(2048 + 1423 * (size * waves + noise)).astype(np.int32)


def block(of, counts, first=0):
    period = 1e9 / of.stream.rate_hz
    t0 = of.began_ns + round(first * period)
    return SampleBlock(of, first, t0, period, counts, t0 + round(counts.shape[1] * period))


def cut(items, rng, longest):
    """The same items with every block cut at random."""
    for item in items:
        if not isinstance(item, SampleBlock):
            yield item
            continue
        at = 0
        while at < item.n:
            n = int(rng.integers(1, longest + 1))
            part = np.ascontiguousarray(item.counts[:, at : at + n])
            yield replace(item, first=item.first + at, t0_ns=item.time_of(item.first + at), counts=part)
            at += n


def said(pipeline, items):
    return [finding for item in items for finding in pipeline.push(item)]


def bits(finding):
    """A finding in a form in which every bit counts."""
    if not isinstance(finding, DisplayBlock):
        return repr(finding)
    return (
        finding.first,
        finding.t0_ns,
        finding.due_ns,
        finding.chain,
        finding.leads,
        finding.values.tobytes(),
    )


def eventful(of, seconds):
    """A stream with everything in it: gaps short and long, electrodes off, a rail, new filters."""
    counts = counts_of(of, seconds)
    n, rate = counts.shape[1], int(of.stream.rate_hz)
    counts[1, 9 * rate : 11 * rate] = 4095
    a, b, c = n // 5 + 3, n // 2 + 7, 3 * n // 4 + 1
    short, long = 4, rate + rate // 3
    return [
        block(of, counts[:, :a]),
        Gap(of, a, short, 0, 0, GapCause.NOISE),
        block(of, counts[:, a + short : b], a + short),
        LeadState(of, b, 0, (("LA", False), ("RA", True))),
        block(of, counts[:, b:c], b),
        LeadState(of, c, 0, (("LA", True),)),
        Command("command-1", 0, "1", "nurse", "display", (("mode", "st"), ("mains_hz", "60"))),
        block(of, counts[:, c + long :], c + long),
    ]


@pytest.mark.parametrize(
    ("rate", "cleaning"), [(128.0, True), (250.0, True), (360.0, False), (500.0, False), (500.0, True)]
)
def test_no_cut_of_the_stream_changes_a_bit_of_what_is_said(table, rate, cleaning):
    of = segment(rate=rate)
    items = eventful(of, 20)
    rng = np.random.default_rng(9)
    display = DisplaySettings(cleaning=cleaning)

    whole = said(Pipeline(table, display), items)

    assert {type(f) for f in whole} == {Beat, Metric, Quality, DisplayBlock}
    for longest in (1.2 * rate, 0.08 * rate):
        pieces = said(Pipeline(table, display), cut(items, rng, int(longest)))
        assert [bits(f) for f in pieces] == [bits(f) for f in whole]


@pytest.fixture(scope="module")
def uncut(table):
    """An eventful stream of two leads, and what is said of it when it comes in one piece."""
    items = eventful(segment(("II", "V5"), rate=250.0), 13)
    return items, said(Pipeline(table, DisplaySettings()), items)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 900))
def test_any_cut_says_the_same(table, uncut, seed, longest):
    items, whole = uncut

    pieces = said(Pipeline(table, DisplaySettings()), cut(items, np.random.default_rng(seed), longest))

    assert [bits(f) for f in pieces] == [bits(f) for f in whole]


def test_what_is_measured_does_not_depend_on_what_is_shown(table):
    items = eventful(segment(), 15)

    with_waves, without = (
        said(Pipeline(table, shown), items) for shown in (DisplaySettings(cleaning=True), None)
    )

    assert [bits(f) for f in with_waves if not isinstance(f, DisplayBlock)] == [bits(f) for f in without]


def test_findings_come_in_the_order_in_which_they_are_due_on_the_live_step(table):
    findings = said(Pipeline(table, DisplaySettings()), eventful(segment(), 20))

    due = [f.due_ns for f in findings]
    assert due == sorted(due)
    assert all(d % 50_000_000 == 0 for d in due)
    assert all(f.due_ns >= (f.t0_ns if isinstance(f, DisplayBlock) else f.t_ns) for f in findings)


@pytest.mark.parametrize("bpm", [40, 72, 150])
def test_a_steady_heart_is_counted_once_a_second_and_at_every_beat(table, bpm):
    of = segment()
    findings = said(Pipeline(table, None), [block(of, counts_of(of, 30, bpm))])

    beats = [f for f in findings if isinstance(f, Beat)]
    rates = [f for f in findings if isinstance(f, Metric) and f.name == "heart_rate"]
    late = [f for f in rates if f.t_ns > of.began_ns + 12 * S]
    assert len(beats) == pytest.approx(30 * bpm / 60, abs=2)
    assert {b.label for b in beats} == {BeatClass.UNKNOWN}
    assert all(b.due_ns - b.t_ns <= S // 2 for b in beats if not b.late)
    assert all(f.value == pytest.approx(bpm, abs=1) and f.unit == "bpm" for f in late)
    assert {f.due_ns // S for f in late} >= set(range(20, 37))
    assert rates[0].why is Why.LEARNING
    assert [f.value for f in findings if isinstance(f, Metric) and f.name == "rr_interval" and f.value][
        4
    ] == pytest.approx(60_000 / bpm, abs=8)


def test_a_pulled_cable_blanks_the_rate_within_three_seconds_and_says_why(table):
    of = segment()
    pipeline = Pipeline(table, None)
    findings = said(pipeline, [block(of, counts_of(of, 15))])
    assert findings[-1].value is not None
    ticks = [Tick(of.began_ns + 15 * S + k * 100_000_000) for k in range(50)]

    blank = said(pipeline, ticks)

    assert {f.name for f in blank} == {"heart_rate", "rr_interval"}
    assert all(f.value is None and f.why is Why.NO_SIGNAL for f in blank)
    assert blank[0].t_ns - (of.began_ns + 15 * S) <= 2.2 * S
    assert [f.due_ns for f in blank if f.name == "heart_rate"][1:] == [of.began_ns + k * S for k in (18, 19)]


def test_after_a_replug_everything_begins_anew_and_the_rate_comes_back(table):
    first, second = segment(), replace(segment(number=2), began_ns=40 * S)
    pipeline = Pipeline(table, DisplaySettings())
    said(pipeline, [block(first, counts_of(first, 10)), Tick(30 * S)])

    findings = said(pipeline, [block(second, counts_of(second, 15))])

    waves = [f for f in findings if isinstance(f, DisplayBlock)]
    rates = [f for f in findings if isinstance(f, Metric) and f.name == "heart_rate"]
    assert waves[0].segment == second
    assert waves[0].first == 0
    assert waves[0].due_ns <= 40 * S + 100_000_000
    assert rates[0].why is Why.LEARNING
    assert rates[-1].value == pytest.approx(72, abs=1)


def test_without_a_device_the_rate_is_absent_and_that_is_said_once(table):
    findings = said(Pipeline(table, None), [Tick(k * 100_000_000) for k in range(30)])

    assert [(f.name, f.value, f.why) for f in findings] == [("heart_rate", None, Why.NO_DEVICE)]


def test_an_electrode_that_comes_off_blanks_its_leads_at_once_and_is_named(table):
    of = segment()
    counts = counts_of(of, 10)
    items = [
        block(of, counts[:, :2500]),
        LeadState(of, 2500, 0, (("LA", False),)),
        block(of, counts[:, 2500:], 2500),
    ]

    findings = said(Pipeline(table, DisplaySettings()), items)

    waves = np.concatenate([f.values for f in findings if isinstance(f, DisplayBlock)], axis=1)
    leads = next(f.leads for f in findings if isinstance(f, DisplayBlock))
    drawn = dict(zip(leads, ~np.isnan(waves), strict=True))
    assert drawn["II"].all()
    assert all(drawn[lead][:2500].all() and not drawn[lead][2500:].any() for lead in leads if lead != "II")
    off = [f for f in findings if isinstance(f, Quality) and f.grade is Grade.OFF]
    assert {f.lead for f in off} == set(leads) - {"II"}
    assert all(f.electrodes == ("LA",) and f.trouble is Trouble.OFF for f in off)
    assert all(0 <= f.t_ns - (of.began_ns + 5 * S) <= 0.5 * S for f in off)
    assert [f for f in findings if isinstance(f, Metric) and f.name == "heart_rate"][-1].value is not None


def test_all_electrodes_off_blanks_the_rate_with_that_reason(table):
    of = segment()
    counts = counts_of(of, 20)
    items = [
        block(of, counts[:, :6000]),
        LeadState(of, 6000, 0, (("RA", False),)),
        block(of, counts[:, 6000:], 6000),
    ]

    findings = said(Pipeline(table, None), items)

    rates = [f for f in findings if isinstance(f, Metric) and f.name == "heart_rate"]
    blank = next(f for f in rates if f.why is Why.LEADS_OFF)
    assert blank.due_ns - (of.began_ns + 12 * S) <= 1.5 * S
    assert rates[-1].why is Why.LEADS_OFF
    assert not [f for f in findings if isinstance(f, Beat) and f.t_ns > of.began_ns + 12.1 * S]


def test_missing_samples_are_never_drawn_and_all_others_are_in_their_place(table):
    of = segment(("II",))
    counts = counts_of(of, 8)
    items = [
        block(of, counts[:, :1000]),
        block(of, counts[:, 1010:2000], 1010),
        block(of, counts[:, 3013:], 3013),
    ]

    blocks = [f for f in said(Pipeline(table, DisplaySettings()), items) if isinstance(f, DisplayBlock)]

    seen = np.zeros(4000, dtype=bool)
    for b in blocks:
        assert b.t0_ns == of.began_ns + b.first * 2_000_000
        seen[b.first : b.first + b.values.shape[1]] = ~np.isnan(b.values[0])
    delay = 25 + 8
    there = np.ones(4000, dtype=bool)
    there[1000:1010] = there[2000:3013] = False
    assert not seen[~there].any()
    assert (seen == there)[: 2000 - delay].all()
    assert (seen == there)[3013 : 4000 - delay].all()


def test_a_large_offset_shows_a_trace_at_once_after_a_long_gap(table):
    of = segment(("II",), low=-(2**31), high=2**31 - 1)
    counts = counts_of(of, 10) + 1423 * 300
    items = [block(of, counts[:, :2000]), block(of, counts[:, 4000:] + 1423 * 50, 4000)]

    blocks = [f for f in said(Pipeline(table, DisplaySettings()), items) if isinstance(f, DisplayBlock)]

    assert max(np.nanmax(np.abs(b.values)) for b in blocks) < 3.0


def test_a_command_changes_the_screen_and_nonsense_changes_nothing(table):
    of = segment(("II",))
    counts = counts_of(of, 4)
    pipeline = Pipeline(table, DisplaySettings())
    act = Command("command-1", 0, "1", "nurse", "display", (("mode", "diagnostic"), ("mains_hz", "0")))
    nonsense = replace(act, values=(("mode", "loud"),))

    before = said(pipeline, [block(of, counts[:, :1000]), nonsense])
    after = said(pipeline, [act, block(of, counts[:, 1000:], 1000)])

    assert {f.chain for f in before if isinstance(f, DisplayBlock)} == {("0.5-40 Hz", "notch 50 Hz")}
    assert {f.chain for f in after if isinstance(f, DisplayBlock)} == {("0.05-150 Hz",)}


def test_the_stream_with_the_most_leads_is_followed_and_another_only_in_its_silence(table):
    one, twelve = segment(("II",), device="one"), segment(device="twelve")
    pipeline = Pipeline(table, DisplaySettings())

    assert said(pipeline, [block(one, counts_of(one, 1))])
    assert said(pipeline, [block(twelve, counts_of(twelve, 1))])
    assert not said(pipeline, [block(one, counts_of(one, 1), 500)])
    said(pipeline, [Tick(twelve.began_ns + 4 * S)])
    assert said(pipeline, [block(one, counts_of(one, 1), 1000)])


def test_samples_seen_before_are_ignored(table):
    of = segment(("II",))
    counts = counts_of(of, 12)

    once = said(Pipeline(table, None), [block(of, counts)])
    twice = said(Pipeline(table, None), [block(of, counts[:, :3000]), block(of, counts[:, 2000:], 2000)])

    assert [bits(f) for f in once] == [bits(f) for f in twice]


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([50.0, 125.0, 257.0, 500.0]),
    st.lists(st.tuples(st.integers(0, 900), st.integers(1, 900), st.integers(0, 3)), min_size=1, max_size=8),
)
def test_no_finite_input_breaks_it_or_makes_a_number_that_is_none(table, rate, pieces):
    of = segment(("I", "II", "V1"), rate=rate, low=-(2**31), high=2**31 - 1)
    rng = np.random.default_rng(10)
    pipeline, first, findings = Pipeline(table, DisplaySettings(cleaning=True)), 0, []
    for skipped, n, kind in pieces:
        first += skipped
        extreme = rng.choice(np.array([-(2**31), 2**31 - 1, 0], dtype=np.int64), (3, n))
        counts = (
            extreme,
            np.zeros((3, n)),
            rng.integers(-(2**31), 2**31, (3, n)),
            rng.integers(-9, 9, (3, n)),
        )[kind]
        findings += pipeline.push(block(of, counts.astype(np.int32), first))
        first += n

    assert all(np.isfinite(f.value) for f in findings if isinstance(f, Metric) and f.value is not None)
    assert not any(np.isinf(f.values).any() for f in findings if isinstance(f, DisplayBlock))


@pytest.mark.recordings
@pytest.mark.filterwarnings("ignore:The inplace keyword")  # wfdb asks pandas in the old way
def test_a_real_record_is_counted_beat_by_beat(table, recordings):
    wfdb = pytest.importorskip("wfdb")
    record = wfdb.rdrecord(str(recordings / "mitdb" / "100"), physical=False, sampto=360 * 300)
    marks = wfdb.rdann(str(recordings / "mitdb" / "100"), "atr", sampto=360 * 300)
    beats = np.array([s for s, symbol in zip(marks.sample, marks.symbol, strict=True) if symbol in "NAV"])
    channels = tuple(
        Channel(n, Quantity.ECG, "mV", 1 / g, float(b))
        for n, g, b in zip(record.sig_name, record.adc_gain, record.baseline, strict=True)
    )
    of = Segment("s", "1", Stream("mitdb", "ecg", 360.0, channels), "b", 1, 0)

    findings = said(
        Pipeline(table, None), [block(of, np.ascontiguousarray(record.d_signal.T.astype(np.int32)))]
    )

    found = np.array([f.sample for f in findings if isinstance(f, Beat)])
    rates = [f for f in findings if isinstance(f, Metric) and f.name == "heart_rate" and f.t_ns > 15 * S]
    near = np.abs(found[:, None] - beats[None, :]).min(axis=0) <= 54
    assert near[:-1].mean() > 0.99
    assert abs(len(found) - len(beats)) <= 3
    assert all(60 < f.value < 90 for f in rates)


def test_a_stall_that_a_tick_has_told_of_does_not_make_later_findings_due_before_it(table):
    of = segment(("II",))
    counts = counts_of(of, 12)
    items = [block(of, counts[:, :4000]), Tick(of.began_ns + 11 * S), block(of, counts[:, 4000:], 4000)]

    findings = said(Pipeline(table, DisplaySettings()), items)

    due = [f.due_ns for f in findings]
    assert due == sorted(due)
    assert [f for f in findings if isinstance(f, Metric) and f.name == "heart_rate"][
        -1
    ].value == pytest.approx(72, abs=1)


def test_below_the_detectors_rate_there_are_waves_and_no_rate(table):
    of = segment(("II",), rate=80.0)

    findings = said(Pipeline(table, DisplaySettings()), [block(of, counts_of(of, 5))])

    assert any(isinstance(f, DisplayBlock) for f in findings)
    assert {f.why for f in findings if isinstance(f, Metric)} == {Why.ANALYSIS_FAILED}
