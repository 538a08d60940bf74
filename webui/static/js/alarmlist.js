// The list of alarms: those that stand, each with what to check, and those that were, from the log. One that was opens to its
// strip.

import { checkOf, flagOf, markOf, rowText, shownOf, textOf, valueOf } from "./alarmwords.js";
import { elapsed, facts, say } from "./words.js";
import { History } from "./history.js";
import { set } from "./tiles.js";
import { valueText } from "./numbers.js";
import { whenText } from "./times.js";

const TECHNICAL = new Set(facts.technical_rows);

export class AlarmList {
  // `sheet` has ol.standing, ol.past, .trouble, .unarmed, the radio buttons `priority` and the select `row`;
  // `onOpen(entry)`: a past alarm was chosen.
  constructor(sheet, onOpen) {
    this.sheet = sheet;
    this.onOpen = onOpen;
    this.history = new History();
    this.part = Object.fromEntries(
      ["standing", "past", "trouble", "unarmed"].map((name) => [name, sheet.querySelector(`.${name}`)]),
    );
    this.drawn = { standing: "", past: "", rows: "" };
    this.row = sheet.querySelector("select[name=row]");
    this.row.value = "";
    sheet.querySelector("input[name=priority]").checked = true; // the first: all
  }

  get wanted() {
    return { priority: this.sheet.querySelector("input[name=priority]:checked").value, row: this.row.value };
  }

  // `time`: { utcOf(ns), utcNow, boxNow } for people.
  show(picture, now, time) {
    const alarms = picture?.alarms ?? [];
    this.#fill("standing", alarms.map(shownOf), standing, say(picture === null ? "alarms.unknown" : "alarms.none"), time);
    for (const [i, alarm] of alarms.entries()) {
      const since = say("alarms.since", { time: elapsed(time.boxNow - alarm.t_ns / 1e6) });
      set(this.part.standing.children[i].querySelector(".since"), since);
    }
    const unarmed = (picture?.unarmed ?? []).map(rowText).join(", ");
    set(this.part.unarmed, unarmed && say("alarms.unarmed", { alarms: unarmed }));
    const held = [...(picture?.pauses ?? []), ...(picture?.off ?? [])].map(({ row, since_ns: since }) => [row, since]);
    const key = JSON.stringify([alarms.map(({ occurrence, phase, priority }) => [occurrence, phase, priority]), held]);
    this.history.watch(this.wanted, key, now);
    this.#past(new Set(alarms.map(({ occurrence }) => occurrence)), time);
  }

  #past(listed, time) {
    const { entries, failed, next, rows } = this.history;
    set(this.part.trouble, failed ? say("alarms.unreadable") : "");
    this.#rows(rows);
    const items = (entries ?? []).map((entry) => ({ ...entry, on: entry.over_utc === null && listed.has(entry.occurrence) }));
    const none = say(entries === null ? "alarms.loading" : "alarms.past_none");
    const make = { alarm: (entry) => past(entry, time, this.onOpen), done: (entry) => done(entry, time), power: (entry) => power(entry, time) };
    const more = next === null ? [] : [{ kind: "more" }];
    make.more = () => earlier(() => this.history.more());
    this.#fill("past", [...items, ...more], (entry) => make[entry.kind](entry), none, time);
  }

  #rows(rows) {
    const drawn = rows.join();
    if (drawn === this.drawn.rows) return;
    this.drawn.rows = drawn;
    const chosen = this.row.value;
    const options = rows.map((row) => [row, rowText(row)]).sort((a, b) => (a[1] < b[1] ? -1 : 1));
    this.row.replaceChildren(...[["", say("alarms.filter.every")], ...options].map(([value, text]) => new Option(text, value)));
    this.row.value = rows.includes(chosen) ? chosen : "";
  }

  #fill(name, items, make, none, time) {
    const drawn = JSON.stringify([items, none, Math.floor(time.utcNow / 86_400_000)]);
    if (drawn === this.drawn[name]) return;
    this.drawn[name] = drawn;
    const list = this.part[name];
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    list.replaceChildren(...(items.length > 0 ? items.map((item) => make(item, time)) : [element("li", none, "none")]));
    if (focused) list.querySelector(`[data-id="${focused}"]`)?.focus();
  }
}

function standing(alarm, time) {
  const item = element("li", "");
  Object.assign(item.dataset, { row: alarm.row, priority: alarm.priority, phase: alarm.phase });
  item.append(...words(alarm, alarm.priority, valueOf(alarm, alarm.worst)));
  const more = element("p", "", "more");
  const seen = alarm.acknowledged_ns === null ? "" : acknowledged(time.utcOf(alarm.acknowledged_ns), alarm.acknowledged_by, time);
  for (const [name, text] of [["since", ""], ["flag", flagOf(alarm).text], ["seen", seen], ["covered", covered(alarm)], ["help", checkOf(alarm)]]) {
    more.append(element("span", text, name));
  }
  item.append(more);
  return item;
}

// An alarm of the log: { id, on, utc, over_utc, acknowledged_utc, ... }; times in ms of UTC, null where unknown.
function past(entry, time, onOpen) {
  const item = element("li", "");
  Object.assign(item.dataset, { row: entry.row, priority: entry.priority });
  const alarm = { ...entry, about: TECHNICAL.has(entry.row) ? "technical" : "patient" };
  const key = element("button", "", "strip-key");
  key.type = "button";
  key.dataset.id = entry.id;
  key.append(element("time", whenText(entry.utc, time.utcNow)), ...words(alarm, entry.priority, valueOf(alarm, alarm.value)));
  const length = entry.on ? say("events.going_on") : entry.over_utc === null ? say("alarms.end_unknown") : say("events.went_on", { time: elapsed(entry.over_utc - entry.utc) });
  const more = [["length", length], ["seen", entry.acknowledged_utc === null ? "" : acknowledged(entry.acknowledged_utc, entry.acknowledged_by, time)], ["covered", covered(alarm)], ["unsure", entry.time_sure ? "" : say("alarms.time_unsure")]];
  key.append(...more.map(([name, text]) => element("span", text, name)), element("span", say("alarms.open_strip"), "unseen"));
  key.addEventListener("click", () => onOpen(alarm));
  item.append(key);
  return item;
}

// What a person did, or a pause that ran out.
function done(entry, time) {
  const item = element("li", "", "done");
  const values = Object.fromEntries(entry.values);
  const what = {
    alarm: entry.row ? rowText(entry.row) : "",
    time: entry.seconds === null ? "" : elapsed(entry.seconds * 1000),
    name: values.key ? say(`limit.${values.key}`) : "",
    old: values.key === "on" ? switched(values.old) : number(values.old),
    new: values.key === "on" ? switched(values.new) : number(values.new),
  };
  item.append(element("time", whenText(entry.utc, time.utcNow)), element("span", say(`done.${entry.done}`, what).replace(/ +/g, " ").trim(), "text"));
  item.append(element("span", entry.actor, "seen"));
  return item;
}

const switched = (value) => say(value ? "limits.on" : "limits.off");
const number = (value) => (typeof value === "number" ? valueText(value, "") : "");

function power(entry, time) {
  const item = element("li", "", "power");
  item.append(element("time", whenText(entry.utc, time.utcNow)), element("b", say(`power.${entry.power}`), "text"));
  return item;
}

function earlier(act) {
  const item = element("li", "", "earlier");
  const key = element("button", say("alarms.earlier"), "key");
  key.type = "button";
  key.dataset.id = "earlier";
  key.addEventListener("click", act);
  item.append(key);
  return item;
}

const words = (alarm, priority, value) => [
  element("span", markOf({ ...alarm, priority }), "mark"),
  element("span", say(`alarms.priority.${priority}`), "unseen"),
  element("b", textOf(alarm), "text"),
  element("span", value, "value"),
];

const acknowledged = (utc, who, time) => say("alarms.seen", { time: whenText(utc, time.utcNow), who }).trim();

const covered = (alarm) => (alarm.covered_by ? say("alarms.covered", { alarm: rowText(alarm.covered_by) }) : "");

function element(tag, text, name = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (name) made.className = name;
  return made;
}
