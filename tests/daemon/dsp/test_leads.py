"""Leads from channels, and what an electrode's loss makes void."""

import numpy as np
import pytest

from daemon.dsp.leads import Electrodes, Montage, lead_name
from daemon.model.signals import Channel, Quantity, Stream

TWELVE = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
EIGHT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


def montage(names, unit="mV", gain=1.0, offset=0.0, low=-(2**31), high=2**31 - 1):
    channels = tuple(Channel(name, Quantity.ECG, unit, gain, offset, low, high) for name in names)
    return Montage.of(Stream("d", "ecg", 500.0, channels))


def leads(of, counts):
    return dict(zip(of.all, of.derive @ of.millivolts(np.asarray(counts, dtype=np.int32)), strict=True))


def test_eight_channels_make_twelve_leads_that_agree():
    of = montage(EIGHT, gain=1 / 1423, offset=2048)
    counts = np.random.default_rng(4).integers(0, 4096, (8, 50))

    x = leads(of, counts)

    assert of.all == TWELVE
    np.testing.assert_allclose(x["I"], (counts[0] - 2048) / 1423)
    np.testing.assert_allclose(x["I"] + x["III"], x["II"], atol=1e-12)
    np.testing.assert_allclose(x["aVR"] + x["aVL"] + x["aVF"], 0, atol=1e-12)
    np.testing.assert_allclose(x["aVL"], (x["I"] - x["III"]) / 2, atol=1e-12)
    np.testing.assert_allclose(x["aVF"], (x["II"] + x["III"]) / 2, atol=1e-12)


def test_a_board_that_measures_against_ra_gives_the_same_leads():
    electrodes = dict(
        zip(
            ("RA", "LA", "LL", *EIGHT[2:]), np.random.default_rng(5).integers(-999, 999, (9, 20)), strict=True
        )
    )
    against_ra = [electrodes[name] - electrodes["RA"] for name in ("LA", "LL", *EIGHT[2:])]
    of = montage(("LA-RA", "LL-RA", *(f"{name}-RA" for name in EIGHT[2:])), unit="uV")

    x = leads(of, against_ra)

    centre = (electrodes["RA"] + electrodes["LA"] + electrodes["LL"]) / 3
    assert of.all == TWELVE
    np.testing.assert_allclose(x["V4"], (electrodes["V4"] - centre) / 1000, atol=1e-9)
    np.testing.assert_allclose(x["III"], (electrodes["LL"] - electrodes["LA"]) / 1000, atol=1e-9)


def test_names_are_made_standard_and_others_kept():
    assert [lead_name(n) for n in ("MLII", "avr", "ECG v1", "III", "CM5")] == [
        "II",
        "aVR",
        "V1",
        "III",
        "CM5",
    ]
    assert montage(("V5", "MLII", "CM5")).all == ("II", "V5", "CM5")
    assert Montage.of(Stream("d", "p", 100.0, (Channel("p", Quantity.PRESSURE, "1", 1.0),))) is None


@pytest.mark.parametrize(
    ("off", "standing"),
    [
        ((), TWELVE),
        (("RA",), ()),
        (("RL",), ()),
        (("LA",), ("II",)),
        (("LL",), ("I",)),
        (("LA", "LL"), ()),
        (("RA", "LA"), ()),
        (("V3",), tuple(lead for lead in TWELVE if lead != "V3")),
        (("something",), ()),
    ],
)
def test_an_electrode_that_is_off_voids_the_leads_of_the_table(off, standing):
    of = montage(EIGHT)

    mask = of.standing(dict.fromkeys(off, False) | {"V6": True})

    assert tuple(np.array(of.all)[mask]) == standing


def test_saturation_of_one_limb_lead_voids_what_is_derived_from_it_and_no_chest_lead():
    of = montage(EIGHT, low=0, high=4095)
    counts = np.full((8, 3), 2048, dtype=np.int32)
    counts[0] = (2, 2048, 4093)

    held = of.spread(~of.saturated(counts))

    assert [lead for lead, ok in zip(of.all, held[:, 0], strict=True) if not ok] == [
        "I",
        "III",
        "aVR",
        "aVL",
        "aVF",
    ]
    assert held[:, 1].all()
    assert not held[0, 2]


def test_an_electrode_counts_at_once_for_the_screen_and_settles_for_people():
    electrodes = Electrodes(montage(EIGHT), 500.0)
    electrodes.note(1000, (("LA", False), ("RA", True)))
    before, after = electrodes.standing(990, 10), electrodes.standing(1000, 125)

    assert before.all()
    assert after[:, 0].tolist() == [lead == "II" for lead in TWELVE]
    assert electrodes.settled_off(1099) == frozenset()
    assert electrodes.settled_off(1100) == {"LA"}

    electrodes.note(1200, (("LA", True),))
    assert electrodes.standing(1200, 10).all()
    assert electrodes.settled_off(1449) == {"LA"}
    assert electrodes.settled_off(1450) == frozenset()


def test_a_short_touch_does_not_stop_an_electrode_from_settling_as_off():
    electrodes = Electrodes(montage(EIGHT), 500.0)
    for first, on in ((0, False), (40, True), (60, False), (80, True), (95, False)):
        electrodes.note(first, (("V1", on),))
    electrodes.standing(0, 100)

    assert electrodes.settled_off(100) == {"V1"}
    electrodes.note(110, (("V1", True),))
    electrodes.standing(100, 20)
    assert electrodes.settled_off(120) == {"V1"}


@pytest.mark.recordings
def test_twelve_leads_recorded_and_derived_agree_on_a_real_record(recordings):
    wfdb = pytest.importorskip("wfdb")
    record = wfdb.rdrecord(str(recordings / "ptbdb" / "s0010_re"), channels=list(range(12)), sampto=20_000)
    recorded = {lead_name(name): record.p_signal[:, k] for k, name in enumerate(record.sig_name)}
    of = montage(("i", "ii"), gain=1 / 2000)

    x = leads(of, np.rint(np.stack([recorded["I"], recorded["II"]]) * 2000))

    for lead in ("III", "aVR", "aVL", "aVF"):
        assert np.abs(x[lead] - recorded[lead]).max() < 0.002
