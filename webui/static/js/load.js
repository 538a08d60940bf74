// How alarms load a bed: what alarmed how often, for how long, how soon it was acknowledged; and what other limits would have done.

import { AlarmKeys } from "./alarmkeys.js";
import { AlarmState } from "./alarmstate.js";
import { Banner } from "./banner.js";
import { Flash } from "./flash.js";
import { LivePage } from "./page.js";
import { Loss } from "./loss.js";
import { Rehearsal } from "./rehearsal.js";
import { elapsed, facts, say } from "./words.js";
import { make } from "./elements.js";
import { markOf, rowText } from "./alarmwords.js";
import { set } from "./tiles.js";

const AGAIN_MS = 60_000;
const GIVE_UP_MS = 20_000;
const HOURS = "24";
const TECHNICAL = new Set(facts.technical_rows);
const HOUR_S = 3600; // less is too short for a rate
const MANY = 3; // of one alarm, and half of them soon over: worth a hint

const byId = (id) => document.getElementById(id);

class LoadView {
  constructor() {
    this.flash = new Flash();
    this.state = new AlarmState();
    this.loss = new Loss(byId("loss"), this.flash);
    this.banner = new Banner(byId("alarms"), byId("alarms-assertive"), byId("alarms-polite"), this.flash);
    this.keys = new AlarmKeys(facts.bed, byId("acknowledge"), byId("audio-pause"), () => this.loss.acknowledge() || this.state.acknowledge());
    this.rehearsal = new Rehearsal(() => this.hours);
    this.due = 0;
    this.reading = null;
    for (const input of byId("load-choices").querySelectorAll("input")) {
      input.checked = input.value === HOURS;
      input.addEventListener("change", () => this.#read());
    }
  }

  get hours() {
    return Number(byId("load-choices").querySelector("input:checked").value);
  }

  told(state) {
    if (this.boot !== undefined && this.boot !== state.boot) this.state.restarted();
    this.boot = state.boot;
  }

  alarms(message) {
    if (message.bed === facts.bed) this.state.take(message);
  }

  frame(now) {
    this.flash.frame(now);
  }

  refresh(now, link, page) {
    const boxNow = page.box.now(now);
    const picture = this.state.picture(link, boxNow, now);
    this.loss.judge(link);
    this.keys.show(picture, boxNow, now);
    this.banner.show(picture, boxNow, this.keys.note);
    if (now >= this.due) this.#read();
    this.rehearsal.refresh(now);
  }

  async #read() {
    this.due = performance.now() + AGAIN_MS;
    this.reading?.abort();
    const reading = new AbortController();
    this.reading = reading;
    const late = setTimeout(() => reading.abort(), GIVE_UP_MS);
    try {
      const query = new URLSearchParams({ bed: facts.bed, hours: this.hours });
      const response = await fetch(`/api/load?${query}`, { signal: reading.signal });
      if (!response.ok) throw new Error(response.status);
      show(await response.json());
    } catch {
      if (this.reading === reading) set(byId("load-summary"), say("load.unavailable"));
    } finally {
      clearTimeout(late);
    }
  }
}

function show({ hours, recorded_s: recorded, share_in_alarm: share, total, rows }) {
  const count = (priority) => rows.filter((row) => row.priority === priority).reduce((sum, row) => sum + row.count, 0);
  const perDay = recorded > 0 ? Math.round((total.count * 86400) / recorded) : 0;
  const values = { count: total.count, hours: elapsed(recorded * 1000), day: perDay, share: (100 * share).toFixed(share < 0.1 ? 1 : 0) };
  const each = { high: count("high"), medium: count("medium"), low: count("low") };
  const rate = recorded >= HOUR_S ? say("load.rate", values) : "";
  set(byId("load-summary"), total.count > 0 ? say("load.summary", { ...values, ...each, rate }) : say("load.none", values));
  const nuisance = rows.find((row) => row.count >= MANY && 2 * row.short >= row.count);
  set(byId("load-hint"), nuisance ? say("load.hint", { of: nuisance.count, all: total.count, alarm: rowText(nuisance.row), short: nuisance.short }) : "");
  const body = byId("load-table").tBodies[0];
  body.replaceChildren(...rows.map((row) => line(row, hours)), ...(rows.length > 1 ? [line(total, hours, true)] : []));
  document.documentElement.dataset.loaded = String(total.count);
}

function line(row, hours, total = false) {
  const element = make("tr", "");
  if (total) element.className = "total";
  else Object.assign(element.dataset, { row: row.row, priority: row.priority });
  const name = make("th", "");
  name.scope = "row";
  if (total) name.textContent = say("load.total");
  else name.append(make("span", markOf({ about: TECHNICAL.has(row.row) ? "technical" : "patient", priority: row.priority }), "mark"), rowText(row.row));
  const bars = make("td", "", "hours");
  bars.append(hourly(row.hours, hours));
  const seconds = (value) => (value === null ? "–" : elapsed(value * 1000));
  const share = row.count > 0 ? `${row.short} (${Math.round((100 * row.short) / row.count)} %)` : "0";
  element.append(name, make("td", String(row.count)), bars, make("td", share), make("td", seconds(row.in_alarm_s)));
  element.append(make("td", `${row.acknowledged} / ${row.count}`), make("td", seconds(row.median_to_acknowledge_s)), make("td", seconds(row.worst_to_acknowledge_s)));
  return element;
}

// A bar an hour, the newest right.
function hourly(counts, hours) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", `0 0 ${hours} 10`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const most = Math.max(1, ...counts);
  const busiest = counts.indexOf(Math.max(...counts));
  svg.setAttribute("aria-label", say("load.hourly", { most: Math.max(...counts), ago: hours - busiest }));
  counts.forEach((count, i) => {
    const bar = document.createElementNS(space, "rect");
    const height = count === 0 ? 0.4 : Math.max(1, (10 * count) / most);
    for (const [key, value] of Object.entries({ x: i + 0.1, y: 10 - height, width: 0.8, height })) bar.setAttribute(key, value);
    if (count === 0) bar.setAttribute("class", "none");
    svg.append(bar);
  });
  return svg;
}

const view = new LoadView();
new LivePage("/live", {
  state: (message) => view.told(message),
  alarms: (message) => view.alarms(message),
  frame: (now) => view.frame(now),
  refresh: (now, link, page) => view.refresh(now, link, page),
});
