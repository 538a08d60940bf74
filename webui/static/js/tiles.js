// Numbers. A number is shown only while it is fresh: it greys when it grows old, and then it goes, by the page's own
// watch, whether or not a message comes. Unknown is `--` with its reason.

import { reasonText, valueText } from "./numbers.js";
import { inChosenUnit } from "./preferred.js";
import { say } from "./words.js";

const OLD_SHARE = 2 / 3; // of its life, then a number greys
const PARTS = ["value", "why", "source", "quality", "age"];

export class Tile {
  // `element` has the parts .value and .why, and may have .source, .quality, .age; `lives` is how long a number stands
  // without being said again, ms.
  constructor(element, lives) {
    this.element = element;
    this.lives = lives;
    this.part = Object.fromEntries(PARTS.map((name) => [name, element.querySelector(`.${name}`)]));
  }

  // `metric` of the state (or undefined); `sight`: what the page knows of its source (see sightOf); `grade` of its lead.
  show(metric, sight, { grade = "", source = null, decimals = undefined } = {}) {
    const age = ageOf(metric, sight);
    const present = isFresh(metric, sight, this.lives);
    const state = !present ? "blank" : age > OLD_SHARE * this.lives ? "old" : "live";
    const text = present ? chosenText(metric.value, metric.unit, decimals) : say("tile.none");
    this.element.dataset.state = state;
    this.element.dataset.value = present ? text : "";
    set(this.part.value, text);
    set(this.part.why, present ? "" : reasonOf(metric, sight));
    if (source !== null) set(this.part.source, present ? source : "");
    if (this.part.age) set(this.part.age, state === "old" ? say("page.old", { seconds: Math.floor(age / 1000) }) : "");
    if (this.part.quality) {
      set(this.part.quality, present && grade ? say(`grade.${grade}`) : "");
      this.part.quality.dataset.grade = present ? grade : "";
    }
  }

  pulse() {
    this.element.querySelector(".heart")?.animate([{ opacity: 1 }, { opacity: 0.2 }], { duration: 350 });
  }
}

// A value as text, in the unit that is chosen for its kind.
export function chosenText(value, unit, decimals = undefined) {
  const [shown, as, further] = inChosenUnit(value, unit);
  return valueText(shown, as, decimals === undefined ? undefined : decimals + further);
}

// No number of the ECG holds while there is no ECG: reasons of the heart rate that are reasons of all.
const GONE = new Set(["no_device", "no_signal", "leads_off", "analysis_failed"]);

// What the page knows of a bed's signal: `boxNow` ms of the box's clock, `link`, `stalled` (no samples come), `lost` (nothing
// has come for 3 s), `gone` the reason for which there is no ECG at all, `why` that for which there is no heart rate.
export function sightOf({ boxNow, link, stalled, lost, rate }) {
  const gone = rate && rate.value === null && GONE.has(rate.why) ? rate.why : null;
  return { boxNow, link, stalled, lost, gone, why: rate?.why ?? null };
}

const ageOf = (metric, { boxNow }) => (metric && boxNow !== null ? boxNow - metric.t_ns / 1e6 : Infinity);

// Whether a number is there and may be shown.
export function isFresh(metric, sight, lives) {
  return Boolean(metric) && metric.value !== null && !sight.lost && !sight.gone && ageOf(metric, sight) <= lives;
}

// Why a number is not there.
export function reasonOf(metric, sight) {
  if (sight.link !== "live") return say("why.lost");
  if (sight.gone) return reasonText(sight.gone);
  if (metric && metric.value === null) return reasonText(metric.why);
  if (sight.stalled) return reasonText("no_signal");
  return reasonText(sight.why ?? (metric ? "old" : "learning"));
}

// Sets a text only when it differs: styles and layout stay untouched otherwise.
export function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
