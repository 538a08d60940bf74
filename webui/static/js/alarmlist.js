// The list of alarms: those that stand, each with what to check, and those that were, by priority.

import { checkOf, flagOf, markOf, rowText, shownOf, textOf, valueOf } from "./alarmwords.js";
import { elapsed, say } from "./words.js";
import { set } from "./tiles.js";
import { whenText } from "./times.js";

export class AlarmList {
  // `sheet` has ol.standing, ol.past, .since-when, .unarmed and the radio buttons `priority`.
  constructor(sheet) {
    this.sheet = sheet;
    this.part = Object.fromEntries(
      ["standing", "past", "since-when", "unarmed"].map((name) => [name, sheet.querySelector(`.${name}`)]),
    );
    this.drawn = { standing: "", past: "" };
    sheet.querySelector("input[name=priority]").checked = true; // the first: all
  }

  get priority() {
    return this.sheet.querySelector("input[name=priority]:checked").value;
  }

  // `time`: { utcOf(ns), utcNow, boxNow } for people.
  show(picture, history, time) {
    this.#fill("standing", (picture?.alarms ?? []).map(shownOf), standing, say(picture === null ? "alarms.unknown" : "alarms.none"), time);
    for (const [i, alarm] of (picture?.alarms ?? []).entries()) {
      const since = say("alarms.since", { time: elapsed(time.boxNow - alarm.t_ns / 1e6) });
      set(this.part.standing.children[i].querySelector(".since"), since);
    }
    this.#fill("past", history.shown(this.priority), past, say("alarms.past_none"), time);
    const from = history.since === null ? "" : whenText(time.utcOf(history.since), time.utcNow);
    set(this.part["since-when"], from && say("alarms.since_opened", { time: from }));
    const unarmed = (picture?.unarmed ?? []).map(rowText).join(", ");
    set(this.part.unarmed, unarmed && say("alarms.unarmed", { alarms: unarmed }));
  }

  #fill(name, items, make, none, time) {
    const drawn = JSON.stringify([items, Math.round(time.utcOf(0) / 1000)]);
    if (drawn === this.drawn[name]) return;
    this.drawn[name] = drawn;
    const list = this.part[name];
    list.replaceChildren(...(items.length > 0 ? items.map((item) => make(item, time)) : [element("li", none, "none")]));
  }
}

function standing(alarm, time) {
  const item = line(alarm, alarm.priority, valueOf(alarm, alarm.worst));
  item.dataset.phase = alarm.phase;
  const more = element("p", "", "more");
  const seen = alarm.acknowledged_ns === null ? "" : acknowledged(alarm, time);
  for (const [name, text] of [["since", ""], ["flag", flagOf(alarm).text], ["seen", seen], ["covered", covered(alarm)], ["help", checkOf(alarm)]]) {
    more.append(element("span", text, name));
  }
  item.append(more);
  return item;
}

function past(entry, time) {
  const from = whenText(time.utcOf(entry.from), time.utcNow);
  if (entry.kind === "gap") {
    return element("li", say("alarms.gap", { from, to: whenText(time.utcOf(entry.to), time.utcNow) }), "gap");
  }
  const { alarm, priority, to } = entry;
  const item = line(alarm, priority, valueOf(alarm, alarm.worst));
  item.prepend(element("time", from));
  const length = to === null ? say("events.going_on") : say("events.went_on", { time: elapsed((to - entry.from) / 1e6) });
  item.append(element("span", length, "length"));
  if (alarm.acknowledged_ns !== null) item.append(element("span", acknowledged(alarm, time), "seen"));
  return item;
}

function line(alarm, priority, value) {
  const item = element("li", "");
  Object.assign(item.dataset, { row: alarm.row, priority });
  item.append(
    element("span", markOf({ ...alarm, priority }), "mark"),
    element("span", say(`alarms.priority.${priority}`), "unseen"),
    element("b", textOf(alarm), "text"),
    element("span", value, "value"),
  );
  return item;
}

const acknowledged = (alarm, time) =>
  say("alarms.seen", { time: whenText(time.utcOf(alarm.acknowledged_ns), time.utcNow), who: alarm.acknowledged_by }).trim();

const covered = (alarm) => (alarm.covered_by ? say("alarms.covered", { alarm: rowText(alarm.covered_by) }) : "");

function element(tag, text, name = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (name) made.className = name;
  return made;
}
