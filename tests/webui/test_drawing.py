"""The drawing modules by themselves, read back from the canvas. Time is passed in: a minute of sweep takes a second."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from webui.assets import Assets, foreign

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

BENCH = (Path(__file__).parent / "drawing.js").read_text(encoding="utf-8").split("\n", 2)[2]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bench(browser: Browser, served: str) -> AsyncIterator[Page]:
    """A page with the test bench of drawing.js as `drawing`."""
    import webui

    assets = Assets(Path(webui.__file__).parent / "static", foreign())
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{served}calibrate")
    folder = assets.url("js/sweep.js").removesuffix("sweep.js")
    await page.evaluate(f"({BENCH.strip()})({folder!r})")
    yield page
    await context.close()


@pytest.mark.parametrize("speed", [12.5, 25, 50])
async def test_the_pen_runs_at_its_speed_over_a_minute(bench: Page, speed: float) -> None:
    """Positions of the gap, read from the canvas, unwrapped over 60 s."""
    positions = await bench.evaluate(
        """(speed) => {
          const { sweep, traces, canvas, lanes } = drawing.bench({ leads: ["II"], speed, width: 1200, height: 80 });
          traces.push(drawing.frame(["II"], 0, 30, () => 0), ["II"]);
          sweep.repaint(0, traces);
          const seen = [];
          for (let t = 50; t <= 66000; t += 50) {
            traces.push(drawing.frame(["II"], traces.high, 25, () => 0), ["II"]);
            sweep.draw(t, traces);
            if (t >= 6000 && t % 500 === 0) {
              const image = drawing.pixels(canvas);
              const runs = drawing.darkRuns(image, lanes[0]);
              // The pen is where the trace ends and the gap begins; a gap over the wrap has two runs.
              const wrapped = runs.length > 1 && runs[0][0] === lanes[0].x0;
              seen.push((wrapped ? runs.at(-1)[0] : runs[0][0]) - lanes[0].x0);
            }
          }
          return { seen, w: lanes[0].w };
        }""",
        speed,
    )
    seen, width = positions["seen"], positions["w"]
    travelled = sum((b - a) % width for a, b in zip(seen, seen[1:], strict=False))
    seconds = 0.5 * (len(seen) - 1)

    assert seconds == 60
    assert travelled / seconds / 5 == pytest.approx(speed, rel=0.02)


@pytest.mark.parametrize("gain", [2.5, 5, 10, 20])
@pytest.mark.parametrize("px_per_mm", [3.78, 5.88])
async def test_a_millivolt_is_as_high_as_the_gain_says(bench: Page, gain: float, px_per_mm: float) -> None:
    height = await bench.evaluate(
        """([gainMm, pxPerMm]) => {
          const { sweep, traces, canvas, lanes } = drawing.bench({ leads: ["II"], gainMm, pxPerMm, height: 300 });
          traces.push(drawing.frame(["II"], 0, 2000, (_, k) => (k % 500 < 250 ? 0.5 : -0.5)), ["II"]);
          sweep.repaint(2000, traces);
          const image = drawing.pixels(canvas);
          const at = (t) => drawing.centroid(image, Math.round(sweep.x(lanes[0], t)), 0, canvas.height);
          return at(1750) - at(1250);
        }""",
        [gain, px_per_mm],
    )

    assert height == pytest.approx(gain * px_per_mm, abs=0.5)


async def test_a_second_is_as_wide_as_the_speed_says(bench: Page) -> None:
    edges = await bench.evaluate(
        """() => {
          const { sweep, traces, canvas, lanes } = drawing.bench({ leads: ["II"], pxPerMm: 5.88, height: 300 });
          traces.push(drawing.frame(["II"], 0, 2400, (_, k) => (k % 500 < 250 ? 0.5 : -0.5)), ["II"]);
          sweep.repaint(4700, traces);
          const image = drawing.pixels(canvas);
          const found = [];
          for (let x = lanes[0].x0; x < lanes[0].x0 + 600; x += 1) {
            const y = drawing.centroid(image, x, 0, canvas.height);
            const before = drawing.centroid(image, x - 1, 0, canvas.height);
            if (y !== null && before !== null && before < 150 && y >= 150) found.push(x);
          }
          return found;
        }"""
    )
    widths = [b - a for a, b in zip(edges, edges[1:], strict=False)]

    assert len(widths) >= 2
    assert widths == pytest.approx([25 * 5.88] * len(widths), abs=1)


async def test_the_calibration_bar_is_one_millivolt_high(bench: Page) -> None:
    heights = await bench.evaluate(
        """() => [5, 10, 20].map((gainMm) => {
          const { sweep, canvas, lanes } = drawing.bench({ leads: ["II"], gainMm, height: 300 });
          sweep.repaint(0, null);
          const image = drawing.pixels(canvas);
          const x = lanes[0].x0 - 6;
          const rows = [];
          for (let y = 0; y < canvas.height; y += 1) if (image.lit(x, y)) rows.push(y);
          return rows.at(-1) - rows[0];
        })"""
    )

    assert heights == pytest.approx([25, 50, 100], abs=1)


async def test_the_gap_stays_seven_millimetres_and_nothing_old_shows_in_it(bench: Page) -> None:
    gaps = await bench.evaluate(
        """() => {
          const { sweep, traces, canvas, lanes } = drawing.bench({ leads: ["II"], height: 80 });
          traces.push(drawing.frame(["II"], 0, 5000, () => 0), ["II"]);
          sweep.repaint(9000, traces);
          const found = [];
          for (let t = 9017; t < 20000; t += 17) {
            while (traces.end < t) traces.push(drawing.frame(["II"], traces.high, 25, () => 0), ["II"]);
            sweep.draw(t, traces);
            const dark = drawing.darkRuns(drawing.pixels(canvas), lanes[0]).reduce((sum, [a, b]) => sum + b - a, 0);
            found.push(dark);
          }
          return found;
        }"""
    )

    # 7 mm at 5 px/mm, less the round ends of both lines, more or less a pixel.
    assert min(gaps) >= 35 - 4
    assert max(gaps) <= 35 + 2


async def test_bursts_give_the_same_picture_as_a_steady_stream(bench: Page) -> None:
    """No column twice, none missing: however the frames came, the trace is one of the same samples."""
    differences = await bench.evaluate(
        """() => {
          const beat = (_, k) => Math.sin(k / 9) * (k % 300 < 40 ? 1 : 0.1);
          const run = (chunk) => {
            const b = drawing.bench({ leads: ["II"], height: 200 });
            b.traces.push(drawing.frame(["II"], 0, chunk, beat), ["II"]);
            b.sweep.repaint(0, b.traces);
            for (let t = 10; t <= 7000; t += 10) {
              while (b.traces.end + (chunk * 1000) / drawing.RATE <= t) {
                b.traces.push(drawing.frame(["II"], b.traces.high, chunk, beat), ["II"]);
              }
              b.sweep.draw(t, b.traces);
            }
            return { image: drawing.pixels(b.canvas), drawn: b.sweep.samplesDrawn };
          };
          const steady = run(25);
          const bursts = run(250);
          let lit = 0;
          let different = 0;
          for (let y = 0; y < 200; y += 1) for (let x = 0; x < 1000; x += 1) {
            lit += steady.image.lit(x, y);
            different += Math.abs(steady.image.green(x, y) - bursts.image.green(x, y)) > 64;
          }
          return { lit, different, steady: steady.drawn, bursts: bursts.drawn };
        }"""
    )

    assert differences["steady"] == differences["bursts"] == 3500
    assert differences["lit"] > 1000
    assert differences["different"] < 0.005 * differences["lit"]


async def test_missing_samples_leave_a_gap_and_never_a_joining_line(bench: Page) -> None:
    runs = await bench.evaluate(
        """() => {
          const { sweep, traces, canvas, lanes } = drawing.bench({ leads: ["II"], height: 200 });
          const step = (_, k) => (k < 1000 ? 0.8 : -0.8);
          traces.push(drawing.frame(["II"], 0, 1000, step), ["II"]);
          sweep.repaint(0, traces);
          sweep.draw(2000, traces);
          traces.push(drawing.frame(["II"], 1250, 750, step), ["II"]);
          for (let t = 2010; t <= 4000; t += 10) sweep.draw(t, traces);
          return drawing.darkRuns(drawing.pixels(canvas), lanes[0]).map(([a, b]) => [a - lanes[0].x0, b - lanes[0].x0]);
        }"""
    )

    # 250 samples = 0.5 s = 62.5 px are missing from 2.0 s = 250 px on; the last run is the screen not yet reached.
    assert runs[0] == pytest.approx([250, 312], abs=2)
    assert runs[-1][0] == pytest.approx(500, abs=2)


async def test_off_scale_is_cut_at_the_lane_with_a_mark_and_no_lane_is_crossed(bench: Page) -> None:
    found = await bench.evaluate(
        """() => {
          const leads = ["I", "II", "III", "aVR", "aVL", "aVF"];
          const { sweep, traces, canvas, lanes } = drawing.bench({ leads, height: 600 });
          const loud = (lead, k) => (lead === "II" ? 9 * Math.sin(k / 30) : NaN);
          traces.push(drawing.frame(leads, 0, 2000, loud), leads);
          sweep.repaint(4000, traces);
          const data = canvas.getContext("2d").getImageData(0, 0, 1000, 600).data;
          const lane = lanes[1];
          let outside = 0;
          let amber = 0;
          for (let y = 0; y < 600; y += 1) for (let x = lane.x0; x < lane.x0 + lane.w; x += 1) {
            const at = 4 * (y * 1000 + x);
            if (data[at + 1] > 20 && (y < lane.y0 || y >= lane.y0 + lane.h)) outside += 1;
            if (data[at] > 200 && data[at + 2] < 120) amber += 1;
          }
          return { outside, amber };
        }"""
    )

    assert found["outside"] == 0
    assert found["amber"] > 20


async def test_lanes_tile_the_canvas_without_overlap_in_every_layout(bench: Page) -> None:
    lanes = await bench.evaluate(
        """() => {
          const twelve = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];
          const of = (kind, leads) => drawing.layout.arrange(kind, leads, 1027, 613, 5.88);
          return { "3x4": of("3x4", twelve), "6x2": of("6x2", twelve), "12x1": of("12x1", twelve),
                   one: of("3x4", ["II"]), eight: of("3x4", twelve.slice(0, 8)) };
        }"""
    )
    assert {kind: len(found) for kind, found in lanes.items()} == {
        "3x4": 13,
        "6x2": 12,
        "12x1": 12,
        "one": 1,
        "eight": 8,
    }
    for found in lanes.values():
        area = sum((lane["x0"] + lane["w"] - lane["left"]) * lane["h"] for lane in found)
        assert area == 1027 * 613
        corners = {(lane["left"], lane["y0"]) for lane in found}
        assert len(corners) == len(found)


async def test_columns_drawn_in_turn_lose_nothing(bench: Page) -> None:
    """At a pixel ratio of 2, four columns take turns."""
    counts = await bench.evaluate(
        """() => {
          const leads = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];
          const { sweep, traces } = drawing.bench({ leads, kind: "3x4", ratio: 2, pxPerMm: 10, width: 2000, height: 1000 });
          traces.push(drawing.frame(leads, 0, 25, () => 0), leads);
          sweep.repaint(0, traces);
          const before = sweep.samplesDrawn;
          for (let t = 16; t <= 5000; t += 16) {
            while (traces.end < t) traces.push(drawing.frame(leads, traces.high, 25, () => 0), leads);
            sweep.draw(t, traces);
          }
          for (let i = 0; i < 5; i += 1) sweep.draw(5000, traces);
          return sweep.samplesDrawn - before;
        }"""
    )

    assert counts == pytest.approx(13 * 2500, abs=13)


async def test_marks_stand_over_their_beats(bench: Page) -> None:
    found = await bench.evaluate(
        """() => {
          const { sweep, traces, canvas, lanes } = drawing.bench({ leads: ["II"], height: 200 });
          lanes[0].marks = true;
          traces.push(drawing.frame(["II"], 0, 2000, () => -0.5), ["II"]);
          for (const t of [1000, 1800, 2600]) traces.mark(t, "N");
          sweep.repaint(4000, traces);
          const image = drawing.pixels(canvas);
          const columns = [];
          for (let x = lanes[0].x0; x < 1000; x += 1) if (image.lit(x, 7)) columns.push(x - lanes[0].x0);
          return columns;
        }"""
    )

    assert {round(x / 10) * 10 for x in found} <= {120, 130, 220, 230, 320, 330}
    assert min(found) == pytest.approx(125, abs=2)
    assert max(found) == pytest.approx(325, abs=2)


JITTER = """([arrivals, seconds]) => {
  // Frames of 50 ms arrive at `arrivals(i)` ms; frames are drawn every 1000 / 60 ms.
  const late = eval(arrivals);
  const clock = new drawing.PlayoutClock();
  const times = [];
  for (let i = 0; i < seconds * 20; i += 1) times.push([late(i), (i + 1) * 50]);
  times.sort((a, b) => a[0] - b[0]);
  let next = 0;
  let end = 0;
  const steps = [];
  let pen = null;
  let jumps = 0;
  let dry = 0;
  let longest = 0;
  let standing = 0;
  for (let now = 0; now < seconds * 1000; now += 1000 / 60) {
    while (next < times.length && times[next][0] <= now) {
      end = Math.max(end, times[next][1]);
      clock.arrived(end, times[next][0]);
      next += 1;
    }
    const step = clock.advance(now);
    if (step === null) continue;
    if (pen !== null && now > 40000) {
      steps.push(step.pen - pen);
      jumps += step.jumped;
      dry += step.pen > end;
      standing = step.pen - pen < 1 ? standing + 1000 / 60 : 0;
      longest = Math.max(longest, standing);
    }
    pen = step.pen;
  }
  const mean = steps.reduce((a, b) => a + b, 0) / steps.length;
  const deviation = Math.sqrt(steps.reduce((a, b) => a + (b - mean) ** 2, 0) / steps.length);
  return { mean, deviation, jumps, dry, longest, delay: clock.delay };
}"""


@pytest.mark.parametrize(
    ("arrivals", "most_delay"),
    [
        ("(i) => (i + 1) * 50 + 5", 85),
        ("(i) => (i + 1) * 50 + 5 + (i % 50 === 7 ? 50 + 40 * (i % 6) : 0)", 330),
        ("(i) => Math.ceil((i + 1) / 4) * 200 + 5", 245),
        ("(i) => Math.ceil((i + 1) / 10) * 500 + 5", 545),
        ("(i) => (i + 1) * 50 * 1.0002 + 5", 110),
    ],
    ids=["steady", "some late", "bursts of 200 ms", "bursts of 500 ms", "200 ppm fast"],
)
async def test_the_pen_runs_smoothly_under_jitter(bench: Page, arrivals: str, most_delay: float) -> None:
    run = await bench.evaluate(JITTER, [arrivals, 120])

    assert run["mean"] == pytest.approx(1000 / 60, rel=0.005)
    assert run["deviation"] < 0.2
    assert (run["jumps"], run["dry"], run["longest"]) == (0, 0, 0)
    assert run["delay"] <= most_delay


async def test_the_pen_stops_when_samples_stop_and_jumps_to_now_when_they_return(bench: Page) -> None:
    run = await bench.evaluate(
        """() => {
          const clock = new drawing.PlayoutClock();
          const trail = [];
          for (let now = 0; now < 20000; now += 10) {
            const silent = now > 10000 && now < 15000;
            if (!silent && now % 50 === 0) clock.arrived(now, now + 5);
            const step = clock.advance(now + 5);
            if (now === 14000) trail.push(step.pen, clock.isStalled(now));
            if (now === 16000) trail.push(now - step.pen, clock.delay);
          }
          return trail;
        }"""
    )
    stopped_at, stalled, behind, delay = run

    assert stopped_at <= 10000 + 700
    assert stalled
    assert behind < 200
    assert delay < 200


async def test_automatic_gain_takes_standard_steps_with_hysteresis(bench: Page) -> None:
    gains = await bench.evaluate(
        """() => {
          const auto = new drawing.gain.AutoGain();
          const seconds = (n, mv) => { for (let i = 0; i < n; i += 1) auto.step([["II", mv], ["V2", 0.4]], 10); return auto.of("II"); };
          return [seconds(1, 0.8), seconds(1, 5), seconds(4, 0.8), seconds(2, 1.6), seconds(9, 0.6), seconds(3, 0.6), seconds(30, 0.02), auto.of("V2")];
        }"""
    )

    # First a step that fits; one artefact changes nothing; two seconds off scale step down; ten roomy ones step up.
    assert gains == [10, 10, 10, 5, 5, 10, 10, 20]


async def test_a_lane_with_a_range_is_filled_by_it_in_its_own_colour(bench: Page) -> None:
    """A square wave of half the range, read back from the canvas; what is beyond the range is kept inside the lane."""
    read = await bench.evaluate(
        """() => {
          const { sweep, traces, canvas } = drawing.bench({ leads: ["flow"], width: 1000, height: 200 });
          const lane = { ...drawing.layout.single("flow", 1000, 200, 40)[0], range: [-60, 60], colour: "#ff0000", marks: false };
          sweep.arrange([lane], { pxPerMm: 5, speed: 25, ratio: 1, origin: 0 });
          traces.push(drawing.frame(["flow"], 0, 2000, (_, k) => (k % 500 < 250 ? 30 : -30)), ["flow"]);
          sweep.repaint(3999, traces);
          const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const rows = (x) => Array.from({ length: 200 }, (_, y) => y).filter((y) => data[4 * (y * width + x)] > 128 && data[4 * (y * width + x) + 1] < 60);
          const middle = (t) => { const lit = rows(Math.round(sweep.x(sweep.lanes[0], t))); return (lit[0] + lit.at(-1)) / 2; };
          return { high: middle(3250), low: middle(3750), beyond: sweep.y(sweep.lanes[0], 200) };
        }"""
    )

    assert read["low"] - read["high"] == pytest.approx(97, abs=1.5)  # half of 200 less four line widths
    assert (read["low"] + read["high"]) / 2 == pytest.approx(100, abs=1.5)
    assert 0 < read["beyond"] < 4
