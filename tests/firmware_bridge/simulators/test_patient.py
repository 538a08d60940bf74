"""One body: leads that agree, rhythms that keep their rate, and the same samples however they are taken."""

from __future__ import annotations

import math

import numpy as np
import pytest

from firmware_bridge.simulators import heart
from firmware_bridge.simulators.patient import LEAD_IN_S, Patient
from firmware_bridge.simulators.rhythm import EC13, Rhythm, Timing, Wish
from firmware_bridge.simulators.source import COLUMNS, ELECTRODES, LEADS

RATE_HZ = 500


def quiet(seed=1, rate_hz=RATE_HZ):
    """A patient without any noise."""
    patient = Patient(rate_hz, seed)
    patient.muscle_mv = patient.wander_mv = 0.0
    return patient


def mean_bpm(patient):
    times = [b.r_s for b in patient.beats]
    return 60 * (len(times) - 1) / (times[-1] - times[0])


def test_projection_through_electrodes_is_the_lead_matrix():
    assert np.allclose(heart.FROM_ELECTRODES @ heart.TO_ELECTRODES, heart.DOWER, atol=1e-15)
    assert np.allclose(heart.TO_ELECTRODES[:3].sum(axis=0), 0, atol=1e-15)


def test_limb_leads_agree_whichever_way_they_are_made():
    rng = np.random.default_rng(0)
    potentials = rng.standard_normal((100, 9))
    i, ii = (potentials @ heart.FROM_ELECTRODES.T)[:, :2].T
    ra, la, ll = potentials[:, :3].T

    assert np.allclose(ll - la, ii - i, atol=1e-14)
    assert np.allclose(ra - (la + ll) / 2, -(i + ii) / 2, atol=1e-14)
    assert np.allclose((ra - (la + ll) / 2) + (la - (ra + ll) / 2) + (ll - (ra + la) / 2), 0, atol=1e-14)


def test_normal_beat_looks_like_one():
    patient = quiet()
    leads = patient.next(RATE_HZ * 10)
    beat = patient.beats[4]
    around = slice(round(beat.qrs_on_s * RATE_HZ), round(beat.qrs_off_s * RATE_HZ))
    size = {lead: leads[around, k] for k, lead in enumerate(LEADS)}

    assert 0.8 < size["II"].max() < 1.4
    assert size["V1"].max() < 0.4 < -size["V1"].min()
    assert size["V6"].max() > 3 * -size["V6"].min()
    transition = [np.abs(size[v].max()) > np.abs(size[v].min()) for v in LEADS[2:]]
    assert transition == sorted(transition), "R grows from V1 to V6"
    assert 0.07 < beat.qrs_off_s - beat.qrs_on_s < 0.11
    assert 0.12 < beat.qrs_on_s - beat.p_on_s < 0.20


def test_r_peak_stands_where_the_truth_says():
    patient = quiet()
    leads = patient.next(RATE_HZ * 20)
    for beat in list(patient.beats)[2:15]:
        near = slice(round((beat.r_s - 0.06) * RATE_HZ), round((beat.r_s + 0.06) * RATE_HZ))
        peak = near.start + int(np.argmax(leads[near, 1]))
        assert abs(peak / RATE_HZ - beat.r_s) <= 0.004


@pytest.mark.parametrize("bpm", [30, 72, 220])
@pytest.mark.parametrize(
    "rhythm",
    [
        Rhythm.SINUS,
        Rhythm.SINUS_ARRHYTHMIA,
        Rhythm.BIGEMINY,
        Rhythm.ALTERNATING,
        Rhythm.BIDIRECTIONAL,
        Rhythm.PACED,
    ],
)
def test_mean_rate_is_what_was_asked_for(rhythm, bpm):
    patient = Patient(100, seed=3)
    patient.rhythm, patient.rate_bpm = rhythm, bpm
    patient.next(100 * 100)
    assert mean_bpm(patient) == pytest.approx(bpm, rel=0.01)


def test_af_keeps_its_mean_rate_and_has_no_p():
    timing, wish = Timing(np.random.default_rng(3)), Wish(Rhythm.AF, 90, 180, 0, 15)
    beats = [timing.plan(wish, 0.0) for _ in range(10_000)]
    rr = np.array([b.after_s for b in beats])

    assert 60 / rr.mean() == pytest.approx(90, rel=0.01)
    assert 0.15 < rr.std() / rr.mean() < 0.30
    assert abs(np.corrcoef(rr[1:], rr[:-1])[0, 1]) < 0.05
    assert not any(b.has_p for b in beats)


@pytest.mark.parametrize("record", EC13)
def test_ec13_rhythms_have_their_rates(record):
    patient = Patient(100, seed=5)
    patient.ec13(record)
    patient.next(100 * 60)
    assert mean_bpm(patient) == pytest.approx(EC13[record][1], rel=0.01)
    assert "V" in {b.label for b in patient.beats}


def test_bigeminy_alternates_normal_and_ventricular():
    patient = Patient(100)
    patient.rhythm = "bigeminy"
    patient.next(100 * 60)
    labels = "".join(b.label for b in patient.beats)
    assert "NVNVNVNV" in labels
    assert "NN" not in labels
    assert "VV" not in labels


def test_isolated_pvcs_come_at_their_rate_early_and_wide():
    patient = Patient(100)
    patient.pvc_per_minute = 6
    patient.next(100 * 120)
    beats = list(patient.beats)
    pvcs = [k for k, b in enumerate(beats) if b.label == "V"]

    assert len(pvcs) == pytest.approx(12, abs=1)
    assert "VV" not in "".join(b.label for b in beats)
    for k in pvcs[1:-1]:
        before, after = beats[k].r_s - beats[k - 1].r_s, beats[k + 1].r_s - beats[k].r_s
        assert before < 0.7 * 60 / 72
        assert before + after == pytest.approx(2 * 60 / 72, rel=0.03)  # the sinus beat behind comes in time
        assert beats[k].qrs_off_s - beats[k].qrs_on_s > 0.12
    assert mean_bpm(patient) == pytest.approx(72, rel=0.01)


@pytest.mark.parametrize("bpm", [40, 60, 100, 150, 220])
def test_qt_follows_the_rate_and_waves_stay_in_order(bpm):
    patient = Patient(100)
    patient.rate_bpm = bpm
    patient.next(100 * 30)
    beat = patient.beats[-5]
    rr = 60 / bpm
    assert beat.t_off_s - beat.qrs_on_s == pytest.approx(min(0.4 * rr ** (1 / 3), 0.76 * rr), rel=0.01)
    assert beat.p_on_s < beat.qrs_on_s < beat.r_s < beat.qrs_off_s < beat.t_off_s
    assert beat.qrs_off_s - 0.02 < beat.t_on_s


@pytest.mark.parametrize("lead", LEADS)
def test_st_shift_has_its_height_in_its_lead(lead):
    changed, plain = quiet(), quiet()
    changed.st_lead, changed.st_mv = lead, 0.3
    difference = (
        changed.next(RATE_HZ * 10)[:, LEADS.index(lead)] - plain.next(RATE_HZ * 10)[:, LEADS.index(lead)]
    )
    beat = changed.beats[5]
    j60 = round((beat.qrs_off_s + 0.06) * RATE_HZ)
    assert difference[j60] == pytest.approx(0.3, rel=0.02)
    before_p = round((beat.p_on_s - 0.02) * RATE_HZ)
    assert difference[before_p] == pytest.approx(0, abs=0.003)


def test_tall_t_has_its_height_in_lead_ii():
    patient = quiet()
    patient.t_mv = 1.2
    leads = patient.next(RATE_HZ * 5)
    beat = patient.beats[3]
    t = leads[round(beat.t_on_s * RATE_HZ) : round(beat.t_off_s * RATE_HZ), 1]
    assert t.max() == pytest.approx(1.2, rel=0.03)


def test_rate_change_shows_from_the_next_beat():
    patient = Patient(RATE_HZ)
    patient.rate_bpm = 40
    patient.next(RATE_HZ * 20)
    changed_s = patient.time_s
    patient.rate_bpm = 120
    patient.next(RATE_HZ * 10)
    after = [b.r_s for b in patient.beats if b.r_s > changed_s]
    assert after[0] - changed_s < 0.6
    assert np.diff(after) == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("rhythm", [Rhythm.VF, Rhythm.ASYSTOLE])
def test_beats_stop_at_once_and_come_back(rhythm):
    patient = quiet()
    patient.next(RATE_HZ * 10)
    patient.rhythm, stopped_s = rhythm, patient.time_s
    during = patient.next(RATE_HZ * 10)[RATE_HZ:]
    assert max(b.r_s for b in patient.beats) <= stopped_s + LEAD_IN_S + 0.05
    if rhythm is Rhythm.VF:
        assert 0.2 < np.ptp(during[:, 1]) < 3.0
        spectrum = np.abs(np.fft.rfft(during[:, 1]))
        assert 3 < np.argmax(spectrum) / (len(during) / RATE_HZ) < 8
    else:
        assert np.abs(during).max() < 1e-6
    patient.rhythm, resumed_s = "sinus", patient.time_s
    patient.next(RATE_HZ * 5)
    assert min(b.r_s for b in patient.beats if b.r_s > resumed_s) < resumed_s + 0.5


def test_pause_holds_back_one_beat():
    patient = Patient(RATE_HZ)
    patient.next(RATE_HZ * 10)
    patient.pause(3.0)
    patient.next(RATE_HZ * 20)
    rr = np.diff([b.r_s for b in patient.beats])
    assert (rr > 3).sum() == 1
    assert rr.max() == pytest.approx(3 + 60 / 72, rel=0.02)


def test_same_seed_gives_the_same_samples_however_they_are_taken():
    whole, pieces, other = Patient(RATE_HZ, 7), Patient(RATE_HZ, 7), Patient(RATE_HZ, 8)
    for patient in (whole, pieces, other):
        patient.rhythm, patient.muscle_mv, patient.mains_mv, patient.loose = "af", 0.1, 0.05, "noise"
        for name in ("LA", "V3", "RL"):
            patient.electrode(name, attached=False)
    expected = whole.take(5000)
    rng, parts, left = np.random.default_rng(1), [], 5000
    while left:
        n = min(int(rng.integers(0, 90)), left)
        parts.append(pieces.take(n))
        left -= n

    assert np.array_equal(np.concatenate(parts), expected)
    assert not np.allclose(other.take(5000), expected)


def test_mains_and_muscle_have_their_size_in_lead_ii():
    patient = Patient(RATE_HZ)
    patient.rhythm, patient.wander_mv = "asystole", 0.0
    patient.muscle_mv = 0.1
    noise = patient.next(RATE_HZ * 20)[RATE_HZ:, 1]
    assert noise.std() == pytest.approx(0.1, rel=0.05)

    patient.muscle_mv, patient.mains_mv, patient.mains_hz = 0.0, 0.2, 60.0
    patient.next(RATE_HZ)
    mains = patient.next(RATE_HZ * 10)[:, 1]
    spectrum = np.abs(np.fft.rfft(mains)) / len(mains) * 2
    assert np.argmax(spectrum) / 10 == pytest.approx(60)
    assert spectrum.max() == pytest.approx(0.2, rel=0.01)


AFFECTED = {
    "RA": set(LEADS),
    "LA": {"I", *LEADS[2:]},
    "LL": {"II", *LEADS[2:]},
    "RL": set(LEADS),
    **{v: {v} for v in LEADS[2:]},
}


@pytest.mark.parametrize("electrode", ELECTRODES)
@pytest.mark.parametrize("kind", ["rail", "noise"])
def test_loose_electrode_spoils_its_leads_only_and_at_once(electrode, kind):
    loose, whole = Patient(RATE_HZ, 2), Patient(RATE_HZ, 2)
    loose.loose = kind
    loose.next(777), whole.next(777)
    loose.electrode(electrode, attached=False)
    difference = np.abs(loose.next(500) - whole.next(500))

    spoiled = {lead for k, lead in enumerate(LEADS) if difference[:, k].max() > 0.1}
    assert spoiled == AFFECTED[electrode]
    assert all(difference[:, k].max() < 1e-9 for k, lead in enumerate(LEADS) if lead not in spoiled)
    loose.electrode(electrode, attached=True)
    assert np.array_equal(loose.next(500), whole.next(500))


def test_lungs_breathe_and_blood_pulses_with_the_heart():
    patient = Patient(100)
    patient.breaths_per_minute, patient.spo2_pct = 20, 85
    rows = patient.take(100 * 60)
    breath, infrared, red = rows[:, 8], rows[:, 9], rows[:, 10]

    assert np.sum((breath[:-1] < 0) & (breath[1:] >= 0)) == 20
    spectrum = np.abs(np.fft.rfft(infrared - infrared.mean()))
    assert np.argmax(spectrum) == pytest.approx(72, abs=1)
    ratio = np.ptp(red) / np.ptp(infrared)
    assert 110 - 25 * ratio == pytest.approx(85)
    assert rows.shape[1] == len(COLUMNS)


def test_numbers_are_those_of_the_beats():
    patient = Patient(125)
    patient.rate_bpm = 90
    patient.next(125 * 30)
    assert patient.numbers.heart_rate_bpm == pytest.approx(90, abs=1)
    patient.rhythm = "asystole"
    patient.next(125 * 10)
    assert patient.numbers.heart_rate_bpm is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p: setattr(p, "rate_bpm", 500), "rate_bpm must be 15 to 300 bpm"),
        (lambda p: setattr(p, "rate_bpm", math.nan), "rate_bpm must be"),
        (lambda p: setattr(p, "rhythm", "waltz"), "no rhythm 'waltz': one of sinus"),
        (lambda p: setattr(p, "st_lead", "V9"), "no lead 'V9'"),
        (lambda p: p.electrode("V9", attached=False), "no electrode 'V9'"),
        (lambda p: p.pause(-1), "a pause must be"),
        (lambda p: p.ec13("9z"), "no EC13 rhythm"),
    ],
)
def test_wrong_settings_are_refused_in_words(change, says):
    with pytest.raises(ValueError, match=says):
        change(Patient(100))


def test_a_touched_electrode_jumps_and_settles_and_the_others_stay():
    quiet, popping = Patient(250, seed=3), Patient(250, seed=3)
    popping.pops_per_hour, popping.pop_mv = 600.0, 5.0
    pops = popping.next(120 * 250) - quiet.next(120 * 250)

    of_v = np.abs(pops[:, 2:]).max(axis=1)
    jumps = np.flatnonzero(np.diff(np.abs(pops).max(axis=1)) > 0.3)
    assert 5 <= len(jumps) <= 40  # 20 in two minutes, some of them small
    assert np.abs(pops).max() <= 5.0 * 3
    assert (of_v < 0.001).any()
    assert np.median(np.abs(pops)) < 0.01  # most of the time there is nothing
