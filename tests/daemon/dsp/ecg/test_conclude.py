"""Every statement of the interpretation fires on what it describes, with its numbers, and on nothing less."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.dsp.ecg.amplitudes import Levels
from daemon.dsp.ecg.conclude import conclude, not_assessable
from daemon.dsp.ecg.measures.measurement import Measurement
from daemon.dsp.ecg.statements.recording import TWELVE, Recording
from daemon.dsp.ecg.statements.rhythm import _NAMED, FIRST_SAID
from daemon.model.findings import Why
from daemon.units import OBSERVABLES
from daemon.words import table


def levels(**changed):
    usual = Levels(
        p_mv=0.1,
        q_mv=None,
        r_mv=0.8,
        s_mv=-0.2,
        t_mv=0.25,
        st_mv=(0.0, 0.0, 0.01),
        st_slope_mv_s=0.1,
        qrs_area_mv_s=0.02,
        p_area_mv_s=0.003,
        t_area_mv_s=0.02,
        r_ms=50.0,
        s_ms=25.0,
        r_peak_ms=40.0,
        qrs_span_mv=1.0,
    )
    return replace(usual, **changed)


def normal(**leads):
    """A normal heart of twelve leads, with some of them changed."""
    every = {name: levels() for name in TWELVE}
    upside_down = {"p_mv": -0.1, "r_mv": 0.1, "s_mv": -0.7, "t_mv": -0.2, "qrs_area_mv_s": -0.02}
    every["aVR"] = levels(**upside_down)
    every["V1"] = levels(r_mv=0.2, s_mv=-0.9, qrs_span_mv=1.1, qrs_area_mv_s=-0.02)
    every["V2"] = levels(r_mv=0.4, s_mv=-1.1, qrs_span_mv=1.5)
    for name, changed in leads.items():
        every[name] = replace(every[name], **changed)
    return Measurement(
        first=0,
        last=5000,
        beats=10,
        paced=False,
        rate_bpm=70.0,
        rr_ms=857.0,
        rr_spread=0.02,
        p_share=1.0,
        p_ms=100.0,
        pr_ms=160.0,
        qrs_ms=100.0,
        qt_ms=390.0,
        qtc_ms=410.0,
        p_axis_deg=50.0,
        qrs_axis_deg=45.0,
        t_axis_deg=40.0,
        leads=every,
    )


def keys(measured, **more):
    return [one.key for one in conclude(Recording(measured, beats=10, **more))]


def changed(_leads=None, **values):
    return replace(normal(**(_leads or {})), **values)


def test_a_normal_heart_is_called_normal_and_nothing_else():
    assert keys(normal()) == ["sinus_rhythm", "normal_ecg"]


@pytest.mark.parametrize(
    ("measured", "more", "key"),
    [
        (changed(rate_bpm=52.0), {}, "sinus_bradycardia"),
        (changed(rate_bpm=112.0), {}, "sinus_tachycardia"),
        (changed(rr_spread=0.15), {}, "sinus_arrhythmia"),
        (changed({"II": {"p_mv": -0.1}}), {}, "atrial_rhythm"),
        (changed(p_share=0.0, rr_spread=0.2, pr_ms=None), {}, "atrial_fibrillation_possible"),
        (changed(p_share=0.0, rr_spread=0.2, pr_ms=None), {"rhythm": "AFIB"}, "atrial_fibrillation"),
        *((changed(), {"rhythm": label}, _NAMED[label]) for label in FIRST_SAID),
        (changed(p_share=0.0, pr_ms=None, qrs_ms=170.0), {}, "paced_or_ventricular_rhythm_possible"),
        (changed(p_share=None, pr_ms=None), {}, "rhythm_undetermined"),
        (changed(paced=True), {}, "paced_rhythm"),
        (changed(), {"ventricular": 2}, "ventricular_ectopy"),
        (changed(), {"supraventricular": 1}, "supraventricular_ectopy"),
        (changed(pr_ms=230.0), {}, "first_degree_av_block"),
        (changed(pr_ms=110.0), {}, "short_pr"),
        (changed(pr_ms=110.0, qrs_ms=126.0), {}, "preexcitation_possible"),
        (changed(qrs_ms=140.0), {}, "conduction_delay"),
        (
            changed({"V1": {"r2_mv": 0.6, "r2_ms": 60.0}, "V6": {"s_ms": 60.0}}, qrs_ms=140.0),
            {},
            "right_bundle_branch_block",
        ),
        (
            changed({"V1": {"r2_mv": 0.3, "r2_ms": 40.0}}, qrs_ms=112.0),
            {},
            "incomplete_right_bundle_branch_block",
        ),
        (changed({"V6": {"r_peak_ms": 75.0}}, qrs_ms=150.0), {}, "left_bundle_branch_block"),
        (changed({"V6": {"r_peak_ms": 65.0}}, qrs_ms=114.0), {}, "incomplete_left_bundle_branch_block"),
        (
            changed({"aVL": {"q_mv": -0.1, "r_peak_ms": 50.0}}, qrs_axis_deg=-55.0),
            {},
            "left_anterior_fascicular_block",
        ),
        (
            changed(
                {
                    "I": {"r_mv": 0.2, "s_mv": -0.6},
                    "aVL": {"r_mv": 0.2, "s_mv": -0.6},
                    "III": {"q_mv": -0.1},
                    "aVF": {"q_mv": -0.1},
                },
                qrs_axis_deg=110.0,
            ),
            {},
            "left_posterior_fascicular_block",
        ),
        (changed(qrs_axis_deg=-35.0), {}, "left_axis_deviation"),
        (changed(qrs_axis_deg=105.0), {}, "right_axis_deviation"),
        (changed(qrs_axis_deg=-120.0), {}, "extreme_axis_deviation"),
        (changed({"V5": {"r_mv": 2.7}}), {}, "left_ventricular_hypertrophy"),
        (changed({"aVL": {"r_mv": 1.2}}), {}, "left_ventricular_hypertrophy"),
        (
            changed({"aVL": {"r_mv": 0.9}, "V3": {"s_mv": -1.4}}),
            {"female": True},
            "left_ventricular_hypertrophy",
        ),
        (
            changed({"V1": {"r_mv": 0.9, "s_mv": -0.3}}, qrs_axis_deg=120.0),
            {},
            "right_ventricular_hypertrophy",
        ),
        (
            changed({n: {"qrs_span_mv": 0.4} for n in ("I", "II", "III", "aVR", "aVL", "aVF")}),
            {},
            "low_voltage",
        ),
        (changed({f"V{k}": {"qrs_span_mv": 0.9} for k in range(1, 7)}), {}, "low_voltage"),
        (changed(qtc_ms=475.0), {}, "qt_prolonged"),
        (changed(qtc_ms=455.0), {"female": False}, "qt_prolonged"),
        (changed(qtc_ms=505.0), {}, "qt_very_long"),
        (changed(qtc_ms=340.0), {}, "qt_short"),
        (changed({n: {"st_mv": (0.12, 0.15, 0.16)} for n in ("III", "aVF")}), {}, "st_elevation_inferior"),
        (changed({n: {"st_mv": (0.21, 0.3, 0.3)} for n in ("V2", "V3")}), {}, "st_elevation_anterior"),
        (changed({n: {"st_mv": (-0.08, -0.1, -0.1)} for n in ("V5", "V6")}), {}, "st_depression_lateral"),
        (changed({n: {"t_mv": -0.2} for n in ("V5", "V6")}), {}, "t_inversion_lateral"),
        (
            changed({n: {"q_mv": -0.3, "q_ms": 42.0} for n in ("III", "aVF")}),
            {},
            "q_wave_infarction_inferior",
        ),
        (changed({n: {"q_mv": -0.8, "q_ms": 60.0} for n in ("V2", "V3")}), {}, "q_wave_infarction_anterior"),
        (changed({"II": {"qrs_span_mv": 0.06}}), {}, "limb_lead_reversal_ra_rl"),
        (changed({"III": {"qrs_span_mv": 0.06}}), {}, "limb_lead_reversal_la_rl"),
    ],
)
def test_a_statement_fires_on_what_it_describes(measured, more, key):
    found = conclude(Recording(measured, beats=10, **more))
    mine = next(one for one in found if one.key == key)

    assert all(one.unconfirmed for one in found)
    assert "normal_ecg" not in [one.key for one in found]
    assert mine.criteria
    for c in mine.criteria:
        assert (
            c.limit is None
            or {
                ">": c.value > c.limit,
                ">=": c.value >= c.limit,
                "<": c.value < c.limit,
                "<=": c.value <= c.limit,
            }[c.relation]
        ), c


@pytest.mark.parametrize(
    ("measured", "more", "never"),
    [
        (changed({"III": {"st_mv": (0.3, 0.3, 0.3)}}), {}, "st_elevation_inferior"),  # one lead alone
        (changed({n: {"st_mv": (0.15, 0.2, 0.2)} for n in ("V2", "V3")}), {}, "st_elevation_anterior"),
        (
            changed({n: {"st_mv": (-0.1, 0.0, 0.05)} for n in ("V5", "V6")}),
            {},
            "st_depression_lateral",
        ),  # upsloping
        (
            changed({n: {"st_mv": (0.3, 0.3, 0.3)} for n in ("III", "aVF")}, qrs_ms=160.0),
            {},
            "st_elevation_inferior",
        ),
        (changed({"V5": {"r_mv": 2.7}}, paced=True), {}, "left_ventricular_hypertrophy"),
        (changed(qtc_ms=475.0, qrs_ms=140.0), {}, "qt_prolonged"),  # 435 ms without what QRS is too wide
        (changed(qtc_ms=475.0, rr_spread=0.25, beats=6), {}, "qt_prolonged"),
        (changed(qtc_ms=455.0), {}, "qt_prolonged"),  # sex not known: the wider limit
        (changed(p_share=0.2, pr_ms=230.0), {}, "first_degree_av_block"),
    ],
)
def test_a_statement_does_not_fire_on_less(measured, more, never):
    assert never not in keys(measured, **more)


def test_exchanged_arms_are_said_and_take_the_limb_leads_statements_with_them():
    upside_down = {"p_mv": -0.1, "t_mv": -0.2, "qrs_area_mv_s": -0.02}
    measured = changed({"I": upside_down}, qrs_axis_deg=130.0)

    assert keys(measured)[0] == "limb_lead_reversal_ra_la"
    assert "right_axis_deviation" not in keys(measured)


@pytest.mark.parametrize("v6", [{"p_mv": -0.05}, {"qrs_area_mv_s": -0.01}])
def test_a_heart_that_is_turned_itself_is_no_exchange(v6):
    measured = changed({"I": {"p_mv": -0.1, "qrs_area_mv_s": -0.02}, "V6": v6}, qrs_axis_deg=130.0)

    assert "limb_lead_reversal_ra_la" not in keys(measured)
    assert "right_axis_deviation" in keys(measured)


def test_limb_leads_that_do_not_add_up_say_nothing_of_voltages():
    measured = changed({n: {"qrs_span_mv": 0.4} for n in TWELVE}, consistent=False, qrs_axis_deg=None)
    found = conclude(Recording(measured))

    assert [one.key for one in found] == ["sinus_rhythm", "not_all_measured"]
    assert ("limb_leads", Why.INCONSISTENT) in found[-1].absent


def test_what_could_not_be_measured_is_said_with_its_reason_and_is_never_normal():
    measured = normal()
    leads = {name: one for name, one in measured.leads.items() if name != "V2"}
    found = conclude(Recording(replace(measured, leads=leads, absent={"V2": Why.LEADS_OFF})))

    assert [one.key for one in found] == ["sinus_rhythm", "not_all_measured"]
    assert found[-1].absent == (("V2", Why.LEADS_OFF),)
    assert not_assessable(Why.NOISE)[0].absent == (("median_beat", Why.NOISE),)


def test_every_statement_reason_and_number_has_its_words():
    words = table()
    cases = next(mark.args[1] for mark in test_a_statement_fires_on_what_it_describes.pytestmark)
    said = [one for measured, more, _ in cases for one in conclude(Recording(measured, beats=10, **more))]

    assert {f"statement.{one.key}" for one in said} <= set(words)
    assert {f"number.{c.name}" for one in said for c in one.criteria} <= set(words)
    assert {f"number.{name}" for name in OBSERVABLES} <= set(words)
    assert {f"why.{why.value}" for why in Why} <= set(words)
    assert {"statement.not_all_measured", "statement.not_assessable", "number.limb_leads"} <= set(words)
