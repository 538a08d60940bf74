"""What the analysis says, as a nurse sees it: rhythm, intervals, ST, events, interpretation; absent and old ones too."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from daemon.control.messages import (
    ConclusionsState,
    CriterionState,
    EventsSeen,
    EventState,
    MeasuredSeen,
    MetricState,
    RhythmState,
    StatementState,
)
from daemon.words import say

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

SECOND_NS = 1_000_000_000
EVIDENCE = {"rule": "ectopy/2", "segment": "s", "first": 1000, "last": 1499}


@pytest.fixture
def number(boot_clock):
    def made(value, unit="ms", *, lead="global", why=None, old_s=0):
        t_ns = boot_clock() - old_s * SECOND_NS
        return MetricState(value=value, unit=unit, t_ns=t_ns, why=why, lead=lead)

    return made


def tile(page: Page, name: str):
    return page.locator(f"#{name.replace('_', '-')}")


async def opened(page: Page, sheet: str):
    await page.click(f".keys [aria-controls=sheet-{sheet}]")
    return page.locator(f"#sheet-{sheet}")


async def test_the_rhythm_is_named_in_words_and_since_when_and_a_block_beside_it(
    live: Page, feeder, boot_clock
) -> None:
    since = boot_clock() - 3600 * SECOND_NS
    feeder.rhythms = (RhythmState(label="BI", since_ns=since), RhythmState(label="AFIB", since_ns=since))
    await feeder.say()
    rhythm = live.locator("#rhythm")
    await expect(rhythm.locator(".name")).to_have_text("Atrial fibrillation")
    await expect(rhythm.locator(".beside")).to_have_text(say("rhythm.BI"))
    shown = await live.evaluate("document.querySelector('#rhythm .since').textContent")
    expected = await live.evaluate("new Date(Date.now() - 3600e3).toTimeString().slice(0, 5)")
    before = await live.evaluate("new Date(Date.now() - 3605e3).toTimeString().slice(0, 5)")
    assert shown.removesuffix(shown[-3:]) in {f"since {expected}", f"since {before}"}


@pytest.mark.parametrize("label", ["VFL", "VT", "ASYS"])
async def test_a_lethal_rhythm_comes_first_and_stands_in_capitals(live: Page, feeder, label: str) -> None:
    feeder.rhythms = (RhythmState(label="N", since_ns=0), RhythmState(label=label, since_ns=0))
    feeder.heart_rate, feeder.why = None, "no_beats"
    await feeder.say()
    name = live.locator("#rhythm .name")
    await expect(name).to_have_text(say(f"rhythm.{label}"))
    assert (await name.inner_text()) == say(f"rhythm.{label}").upper()
    assert await name.evaluate("(e) => e.parentElement.scrollHeight <= e.parentElement.clientHeight")


@pytest.mark.parametrize(
    ("why", "reason"), [("learning", "Learning"), ("leads_off", "ECG leads off"), (None, "Learning")]
)
async def test_a_rhythm_that_is_not_known_says_so_with_the_reason(live: Page, feeder, why, reason) -> None:
    feeder.heart_rate, feeder.why = (75.0, None) if why is None else (None, why)
    await feeder.say()
    await expect(live.locator("#rhythm .name")).to_have_text("Rhythm not known")
    await expect(live.locator("#rhythm .why")).to_have_text(reason)


async def test_a_rhythm_without_words_is_shown_by_its_label(live: Page, feeder) -> None:
    feeder.rhythms = (RhythmState(label="NOD", since_ns=0),)
    await feeder.say()
    await expect(live.locator("#rhythm .name")).to_have_text("NOD")


async def test_intervals_stand_on_their_tiles_with_formula_and_source(live: Page, feeder, number) -> None:
    feeder.numbers = {
        "pr_interval": number(161.6),
        "qrs_duration": number(94.2),
        "qt_interval": number(388.0),
        "qtc_fridericia": number(418.4),
        "respiration_rate": number(15.2, "/min", lead="ecg"),
    }
    await feeder.say()
    shown = {"pr_interval": "162", "qrs_duration": "94", "qt_interval": "388", "qtc_fridericia": "418"}
    for name, text in {**shown, "respiration_rate": "15"}.items():
        await expect(tile(live, name).locator(".value")).to_have_text(text)
    await expect(tile(live, "qtc_fridericia").locator(".source")).to_have_text("Fridericia")
    await expect(tile(live, "respiration_rate").locator(".source")).to_have_text("from ECG")


async def test_an_absent_interval_says_why_and_an_old_one_goes(live: Page, feeder, number) -> None:
    feeder.numbers = {
        "pr_interval": number(None, why="no_wave"),
        "qtc_fridericia": number(None, why="irregular"),
        "qt_interval": number(400.0, old_s=16),
        "qrs_duration": number(90.0, old_s=12),
        "respiration_rate": number(15.0, "/min", old_s=80),
    }
    await feeder.say()
    for name, why in {"pr_interval": "no_wave", "qtc_fridericia": "irregular", "qt_interval": "old"}.items():
        await expect(tile(live, name).locator(".value")).to_have_text("--")
        await expect(tile(live, name).locator(".why")).to_have_text(say(f"why.{why}"))
        assert await tile(live, name).locator(".why").evaluate("(e) => e.scrollHeight <= e.clientHeight")
    await expect(tile(live, "qrs_duration")).to_have_attribute("data-state", "old")
    await expect(tile(live, "respiration_rate").locator(".value")).to_have_text("15")


async def test_without_an_ecg_no_number_of_it_stands(live: Page, feeder, number) -> None:
    feeder.numbers = {"pr_interval": number(160.0), "qt_interval": number(380.0)}
    feeder.rhythms = (RhythmState(label="N", since_ns=0),)
    feeder.heart_rate, feeder.why = None, "leads_off"
    await feeder.say()
    for name in ("pr_interval", "qt_interval", "st"):
        await expect(tile(live, name).locator(".value")).to_have_text("--")
        await expect(tile(live, name).locator(".why")).to_have_text("ECG leads off")
    await expect(live.locator("#rhythm .name")).to_have_text("Rhythm not known")


async def test_all_other_numbers_are_in_the_ecg_sheet_with_their_reasons(live: Page, feeder, number) -> None:
    feeder.numbers = {
        "qtc_bazett": number(431.0),
        "qrs_axis": number(-12.0, "deg"),
        "rmssd": number(None, why="ectopic"),
        "lf_hf": number(1.25, "1"),
    }
    await feeder.say()
    sheet = await opened(live, "ecg")
    for name, text in {
        "qtc_bazett": "431 ms",
        "qrs_axis": "−12°",
        "rmssd": f"-- {say('why.ectopic')}",
        "lf_hf": "1.25",
        "sdnn": "-- Learning",
    }.items():
        await expect(sheet.locator(f'[data-number="{name}"] dd')).to_have_text(text)
    await expect(sheet.locator('[data-group="other"]')).to_be_hidden()
    await live.keyboard.press("Escape")


async def test_st_shows_the_lead_farthest_from_zero_and_its_table_opens_on_tap(
    live: Page, feeder, number
) -> None:
    levels = {"I": 0.03, "V2": -0.21, "V3": 0.18}
    leads = {
        lead: {name: number(mv, "mV", lead=lead) for name in ("st_j", "st_j60", "st_j80")}
        for lead, mv in levels.items()
    }
    leads["V4"] = {"st_j": number(None, "mV", lead="V4", why="noise")}
    feeder.long = (MeasuredSeen(bed="1", leads=leads),)
    await feeder.say()
    st = tile(live, "st")
    await expect(st.locator(".value")).to_have_text("−0.21")
    await expect(st.locator(".source")).to_have_text("V2 J+80")
    await st.locator(".open").click()
    rows = live.locator('#sheet-ecg table[data-group="st"] tbody tr')
    await expect(rows).to_have_count(12)
    await expect(rows.nth(8)).to_contain_text("V3+0.18+0.18+0.18")
    await expect(rows.nth(9)).to_contain_text("Noisy ECG")
    await expect(rows.nth(0)).to_be_in_viewport()
    await live.keyboard.press("Escape")
    assert await live.evaluate("document.activeElement.closest('.tile').id") == "st"
    feeder.heart_rate = 140.0
    await feeder.say()
    await expect(st.locator(".source")).to_have_text("V2 J+60")


async def test_events_are_listed_newest_first_and_each_opens_to_its_rule_and_numbers(
    live: Page, feeder, boot_clock
) -> None:
    now = boot_clock()
    run = EventState(
        id=1,
        kind="event",
        name="ventricular_run",
        t_ns=now - 60 * SECOND_NS,
        numbers=(("beats", 4.0, ""), ("rate", 141.3, "bpm")),
        **EVIDENCE,
    )
    st = EventState(
        id=2,
        kind="event",
        name="st_elevation",
        t_ns=now - 40 * SECOND_NS,
        detail="inferior",
        numbers=(("st_j.II", 0.14, "mV"),),
        **EVIDENCE,
    )
    af = EventState(id=3, kind="rhythm", name="AFIB", t_ns=now - 32 * SECOND_NS, on=True, **EVIDENCE)
    feeder.long = (EventsSeen(bed="1", events=(run, st, af)),)
    await feeder.say()
    sheet = await opened(live, "events")
    await expect(sheet.locator("summary .what")).to_have_text(
        ["Atrial fibrillation", "ST elevation: inferior", say("event.ventricular_run")]
    )
    await expect(sheet.locator("summary .numbers")).to_have_text(
        ["now", "ST at J in II +0.14 mV", "Beats 4, Rate 141 bpm"]
    )
    last = sheet.locator("li").nth(2)
    await last.locator("summary").focus()
    await live.keyboard.press("Enter")
    await expect(last.locator("dl")).to_be_visible()
    await expect(last.locator("dl div")).to_have_text(
        ["Beats4", "Rate141 bpm", "Ruleectopy/2", "Samples1000 – 1499"]
    )
    over = af.model_copy(update={"on": False, "end_ns": now})
    feeder.long = (EventsSeen(bed="1", events=(run, st, over)),)
    await feeder.say()
    await expect(sheet.locator("summary .numbers").first).to_have_text("for 0:32")
    await expect(last.locator("dl")).to_be_visible()  # what was opened stays open
    await live.click("#sheet-events .close")


async def test_conclusions_are_unconfirmed_and_show_the_criteria_that_fired(
    live: Page, feeder, boot_clock
) -> None:
    wide = CriterionState(name="qrs_duration", lead="", value=142, unit="ms", relation=">=", limit=120)
    late = CriterionState(name="r_peak_time", lead="V6", value=66, unit="ms", relation=">", limit=60)
    statements = (
        StatementState(key="left_bundle_branch_block", criteria=(wide, late)),
        StatementState(key="not_all_measured", absent=(("V4", "leads_off"),)),
    )
    concluded = ConclusionsState(t_ns=boot_clock(), statements=statements)
    feeder.long = (MeasuredSeen(bed="1", conclusions=concluded),)
    await feeder.say()
    sheet = await opened(live, "ecg")
    conclusions = sheet.locator(".conclusions")
    await expect(conclusions.locator("h3")).to_contain_text("UNCONFIRMED")
    await expect(conclusions.locator("[data-key] > b")).to_have_text(
        ["Left bundle branch block", "Not everything could be measured"]
    )
    await expect(conclusions.locator(".criteria li")).to_have_text(
        ["QRS duration: 142 ms ≥ 120 ms", "R peak time in V6: 66 ms > 60 ms", "V4: ECG leads off"]
    )
    await expect(conclusions.locator(".as-of")).to_contain_text("As of ")
    await live.keyboard.press("Escape")


async def test_limb_leads_in_cabrera_s_order_with_avr_upside_down_kept_for_the_bed(
    page: Page, site: str, shown
) -> None:
    names = "[...document.querySelectorAll('.lane')].map((e) => e.querySelector('.name').textContent)"
    await shown(page, site)
    await page.click("[aria-controls=sheet-display]")
    await page.locator("input[name=order][value=cabrera]").click()
    await expect(page.locator("#caption")).to_contain_text("aVR inverted")
    await shown(page, site)
    assert (await page.evaluate(names))[:6] == ["aVL", "I", "−aVR", "II", "aVF", "III"]
    await page.click('.lane[data-lead="aVR"]')
    await expect(page.locator("#enlarged h2")).to_have_text("−aVR")
    await page.keyboard.press("Escape")
    assert await page.evaluate("Object.keys(localStorage)") == ["vitald.display.1"]


FITS = """() => {
  const bad = [];
  const boxes = [...document.querySelectorAll(".tile")].map((e) => [e.id || e.className, e.getBoundingClientRect()]);
  const overlap = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  boxes.forEach(([name, a], i) => {
    for (const [other, b] of boxes.slice(i + 1)) if (overlap(a, b)) bad.push(`${name} over ${other}`);
    if (a.right > innerWidth || a.bottom > document.querySelector(".keys").getBoundingClientRect().top + 1) bad.push(`${name} out of view`);
  });
  for (const e of document.querySelectorAll(".tile .value, .tile .why, .tile h2, .tile .name, .keys .key")) {
    if (e.checkVisibility() && e.scrollWidth > e.clientWidth + 1) bad.push(`${e.closest(".tile")?.id} ${e.className}: ${e.textContent}`);
  }
  return bad;
}"""


@pytest.mark.parametrize("font", ["Liberation Sans", "DejaVu Sans", "DejaVu Sans Mono"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844), (844, 390)])
async def test_every_number_fits_its_tile_in_any_font(
    page: Page, site: str, feeder, shown, number, font: str, size: tuple[int, int]
) -> None:
    """The widest of each: a heart rate of 288, an RR of four digits, signed ST, the longest reasons and rhythm."""
    feeder.heart_rate = 288.0
    feeder.numbers = {
        "rr_interval": number(1888.0),
        "pr_interval": number(None, why="no_rhythm"),
        "qtc_fridericia": number(None, why="irregular"),
        "respiration_rate": number(None, "/min", why="ectopic"),
        "qrs_duration": number(188.0),
    }
    feeder.rhythms = (RhythmState(label="SVTA", since_ns=0), RhythmState(label="BIII", since_ns=0))
    leads = {"aVR": {"st_j60": number(-0.88, "mV", lead="aVR")}}
    feeder.long = (MeasuredSeen(bed="1", leads=leads),)
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    await shown(page, site)
    await page.evaluate(
        """(font) => { const sheet = new CSSStyleSheet();
          sheet.replaceSync(`* { font-family: "${font}" !important; }`); document.adoptedStyleSheets = [sheet]; }""",
        font,
    )
    await expect(page.locator("#heart-rate .value")).to_have_text("288")
    await expect(tile(page, "st").locator(".value")).to_have_text("−0.88")

    assert await page.evaluate(FITS) == []
    if size[0] == 1280:  # the same on a 10.1 inch panel that knows its millimetre: larger keys
        await page.evaluate("document.documentElement.style.setProperty('--mm', '5.88px')")
        assert await page.evaluate(FITS) == []
