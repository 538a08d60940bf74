// Numbers. A number is shown only while it is fresh: it greys with its age, and after 3 s it goes, by the page's own
// watch, whether or not a message comes. Unknown is `--` with its reason.

import { has, say } from "./words.js";

const OLD_MS = 2000;
const BLANK_MS = 3000;

export class Tile {
  // `element` has the parts .value, .why, .source, .quality, .age.
  constructor(element, metric) {
    this.element = element;
    this.metric = metric;
    this.part = Object.fromEntries(
      ["value", "why", "source", "quality", "age"].map((name) => [name, element.querySelector(`.${name}`)]),
    );
  }

  // `metric` of the state (or undefined), `boxNow` ms of the box's clock, `grade` of its lead, `link` "live" or not,
  // `stale` the reason to give (why.*) for a number that has grown too old.
  show(metric, boxNow, grade, link, stale = "old") {
    const age = metric && boxNow !== null ? boxNow - metric.t_ns / 1e6 : Infinity;
    const fresh = age <= BLANK_MS;
    const present = fresh && metric.value !== null;
    const state = !present ? "blank" : age > OLD_MS ? "old" : "live";
    const text = present ? String(Math.round(metric.value)) : say("tile.none");
    this.element.dataset.state = state;
    this.element.dataset.value = present ? text : "";
    set(this.part.value, text);
    set(this.part.age, state === "old" ? say("page.old", { seconds: Math.floor(age / 1000) }) : "");
    set(this.part.why, present ? "" : this.#reason(metric, link, stale));
    set(this.part.source, present && metric.lead ? say("tile.source", { lead: metric.lead }) : "");
    set(this.part.quality, present && grade ? say(`grade.${grade}`) : "");
    this.part.quality.dataset.grade = present && grade ? grade : "";
  }

  pulse() {
    this.element.querySelector(".heart")?.animate([{ opacity: 1 }, { opacity: 0.2 }], { duration: 350 });
  }

  #reason(metric, link, stale) {
    if (link !== "live") return say("why.lost");
    if (!metric) return say("why.no_signal");
    if (metric.value !== null) return say(`why.${stale}`);
    const key = `why.${metric.why}`;
    return has(key) ? say(key) : say("why.no_signal");
  }
}

// Sets a text only when it differs: styles and layout stay untouched otherwise.
export function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
