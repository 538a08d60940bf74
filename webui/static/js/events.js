// The last events and rhythms, newest first; each opens to what its rule went by.

import { elapsed, has, say } from "./words.js";
import { nameOf, quantity } from "./numbers.js";
import { rhythmText } from "./rhythm.js";
import { set } from "./tiles.js";
import { whenText } from "./times.js";

const IN_LINE = 2; // numbers that stand in the closed line

export class EventList {
  // `list` is an <ol>.
  constructor(list) {
    this.list = list;
    this.items = new Map(); // by id: { element, drawn }
  }

  // `events` oldest first; `rate`: samples per second of the segment `segment`.
  show(events, { segment, rate }, utcOf, utcNow) {
    const kept = new Set(events.map(({ id }) => id));
    for (const [id, { element }] of this.items) {
      if (kept.has(id)) continue;
      element.remove();
      this.items.delete(id);
    }
    this.list.querySelector(".none")?.remove();
    if (events.length === 0) this.list.append(make("li", say("events.none"), "none"));
    for (const event of events) {
      const seconds = event.segment === segment && rate > 0 ? (event.last - event.first + 1) / rate : null;
      this.#item(event, whenText(utcOf(event.t_ns), utcNow), seconds);
    }
  }

  #item(event, when, seconds) {
    const drawn = JSON.stringify([event, when, seconds]);
    const held = this.items.get(event.id);
    if (held?.drawn === drawn) return;
    const element = held?.element ?? this.#insert();
    this.items.set(event.id, { element, drawn });
    element.dataset.name = event.name;
    element.dataset.on = String(event.on);
    set(element.querySelector("time"), when);
    set(element.querySelector(".what"), whatText(event));
    set(element.querySelector(".numbers"), briefly(event));
    element.querySelector("dl").replaceChildren(...evidence(event, seconds));
  }

  #insert() {
    const element = make("li", "");
    const details = make("details", "");
    const summary = make("summary", "");
    summary.append(make("time", ""), make("b", "", "what"), make("span", "", "numbers"));
    details.append(summary, make("dl", ""));
    element.append(details);
    this.list.prepend(element);
    return element;
  }
}

export function whatText({ kind, name, detail }) {
  if (kind === "rhythm") return rhythmText(name);
  const text = has(`event.${name}`) ? say(`event.${name}`) : name.replaceAll("_", " ");
  return detail ? `${text}: ${say(`detail.${detail}`, {}, detail.replaceAll("_", " "))}` : text;
}

// The first numbers of an event; how long a rhythm went on.
function briefly({ kind, on, t_ns: from, end_ns: end, numbers }) {
  if (kind === "event") return numbers.slice(0, IN_LINE).map(([name, value, unit]) => `${nameOf(name)} ${quantity(value, unit)}`).join(", ");
  if (on) return say("events.going_on");
  return end === null ? say("events.lost") : say("events.went_on", { time: elapsed((end - from) / 1e6) });
}

function evidence({ kind, numbers, rule, first, last }, seconds) {
  const rows = numbers.map(([name, value, unit]) => [nameOf(name), quantity(value, unit)]);
  if (rows.length === 0 && kind === "event") rows.push([say("events.no_numbers"), ""]);
  const span = seconds === null ? "" : ` (${say("events.seconds", { seconds: seconds.toFixed(1) })})`;
  rows.push([say("events.rule"), rule], [say("events.samples"), `${first} – ${last}${span}`]);
  return rows.map(([name, value]) => {
    const row = make("div", "");
    row.append(make("dt", name), make("dd", value));
    return row;
  });
}

function make(tag, text, name = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (name) element.className = name;
  return element;
}
