// The page of a bed's trends: which measurements there are, the chosen ones on one line of time, the same as a table.

import { AlarmLines } from "./alarmline.js";
import { LivePage } from "./page.js";
import { TrendChart, seriesName } from "./trendchart.js";
import { ask } from "./asking.js";
import { causeText, lengthText, momentText, whyHref } from "./spans.js";
import { facts, say } from "./words.js";
import { make } from "./elements.js";
import { markOf } from "./alarmwords.js";
import { set } from "./tiles.js";
import { unitText, valueText } from "./numbers.js";

const HOUR_MS = 3_600_000;
const POINTS = 1000;
const POINTS_NARROW = 350;
const LEAST_MS = 60_000;
const MOST_MS = 720 * HOUR_MS;
const AGAIN_MS = 30_000;
const TABLE_ROWS = 24;
const FIRST = ["heart_rate", "pvc_rate", "spo2", "respiration_rate", "st_j.II", "qtc_fridericia", "cpap_pressure", "leak", "o2_purity"];
const FIRST_SHOWN = 5;
const TECHNICAL = new Set(facts.technical_rows);

const byId = (id) => document.getElementById(id);
const keyOf = ({ name, lead, device }) => [name, lead, device].join("|");

class TrendsView extends AlarmLines {
  constructor() {
    super();
    const query = new URLSearchParams(location.search);
    this.hours = Number(query.get("hours")) || 4;
    this.to = Number(query.get("to")) || 0; // 0: now
    this.from = Number(query.get("from")) || 0; // 0: as long before its end as was chosen
    this.chosen = (query.get("series") ?? "").split(",").filter(Boolean);
    this.known = null;
    this.asked = 0;
    this.due = 0;
    this.chart = new TrendChart(byId("chart"), {
      onRange: (from, to) => this.#look(from, to),
      onPoint: (series, t, value) => this.#why(series, t, value),
      onMark: (mark) => mark?.occurrence && location.assign(whyHref(facts.bed, { kind: "alarm", occurrence: mark.occurrence })),
    });
    for (const key of document.querySelectorAll("[data-hours]")) key.addEventListener("click", () => this.#choose(Number(key.dataset.hours)));
    for (const key of document.querySelectorAll("[data-move]")) key.addEventListener("click", () => this.#move(Number(key.dataset.move)));
    byId("now").addEventListener("click", () => this.#choose(this.hours));
    byId("patients").addEventListener("change", () => this.#read());
    byId("chart").dataset.state = "empty";
  }

  refresh(now, link, page) {
    super.refresh(now, link, page);
    this.utcNow = page.box.utc(now) ?? Date.now();
    if (now < this.due) return;
    this.due = now + AGAIN_MS;
    if (this.to === 0 || this.known === null) this.#read();
  }

  get span() {
    const to = this.to || this.utcNow;
    return [this.from || to - this.hours * HOUR_MS, to];
  }

  #choose(hours) {
    this.hours = hours;
    this.#look(0, 0);
  }

  // A stretch of UTC; both 0: up to now.
  #look(from, to) {
    if (to && to - from < LEAST_MS) return;
    [this.from, this.to] = to ? [Math.max(from, to - MOST_MS), to] : [0, 0];
    this.#read();
  }

  // Half a stretch further.
  #move(by) {
    const [from, to] = this.span;
    const step = ((to - from) / 2) * by;
    if (to + step >= this.utcNow) this.#look(0, 0);
    else this.#look(from + step, to + step);
  }

  async #read() {
    const asked = ++this.asked;
    const [from, to] = this.span;
    for (const key of document.querySelectorAll("[data-hours]")) key.setAttribute("aria-pressed", String(this.from === 0 && Number(key.dataset.hours) === this.hours));
    const narrow = window.matchMedia("(max-width: 700px)").matches;
    const series = (this.known ?? []).filter((one) => this.chosen.includes(keyOf(one)));
    const query = { bed: facts.bed, from_ms: from, to_ms: to, points: narrow ? POINTS_NARROW : POINTS, series: series.map(({ id }) => id).join(","), patients: byId("patients").value };
    const { answer, reason } = await ask(`/api/trends?${new URLSearchParams(query)}`);
    if (asked !== this.asked) return;
    if (!answer) {
      set(byId("summary"), reason);
      document.documentElement.dataset.trends = "silent";
      return;
    }
    if (this.known === null || answer.series.length !== this.known.length) {
      this.#offer(answer.series);
      if (this.chosen.length > 0) {
        this.#read();
        return;
      }
    }
    this.#show(answer);
  }

  // The measurements that there are; at first those that most people look for.
  #offer(series) {
    if (this.known === null && this.chosen.length === 0) {
      const first = FIRST.map((name) => series.find((one) => [one.name, `${one.name}.${one.lead}`].includes(name))).filter(Boolean);
      this.chosen = (first.length > 0 ? first : series).slice(0, FIRST_SHOWN).map(keyOf);
    }
    this.known = series;
    const boxes = series.map((one) => {
      const label = make("label", "", "tick");
      const input = document.createElement("input");
      input.type = "checkbox";
      input.value = keyOf(one);
      input.checked = this.chosen.includes(input.value);
      input.addEventListener("change", () => this.#tick(input));
      label.append(input, make("span", seriesName(one)));
      return label;
    });
    byId("series").replaceChildren(byId("series").querySelector("legend"), ...boxes);
  }

  #tick(input) {
    const chosen = this.chosen.filter((key) => key !== input.value);
    if (input.checked && chosen.length < facts.most_series) chosen.push(input.value);
    else input.checked = false;
    this.chosen = chosen;
    this.#read();
  }

  #show(told) {
    const shown = this.chosen.map((key) => told.series.find((one) => keyOf(one) === key)).filter(Boolean);
    const span = told.to_ms - told.from_ms;
    const any = told.bands.some(({ mid }) => mid.some((value) => value !== null));
    const about = { begin: momentText(told.from_ms, span, true), end: momentText(told.to_ms, span, true), step: lengthText(told.step_ms) };
    set(byId("summary"), shown.length === 0 ? say("trends.choose") : any ? say("trends.summary", about) : say("trends.none"));
    const hints = [told.read < 0.999 && any ? say("trends.sampled", { share: (100 * told.read).toPrecision(2) }) : "", told.clock === "unset" ? say("trends.unset") : ""];
    const names = told.stays.slice(byId("patients").value === "all" ? 0 : -1).map((stay) => say("trends.border", { name: stay.full_name || say("trends.nobody"), time: momentText(stay.from_ms, span, true) }));
    set(byId("hint"), [...names, ...hints].filter(Boolean).join(" · "));
    this.chart.show(told, shown);
    this.#table(told, shown, span);
    this.#marks(told, span);
    this.#gaps(told, span);
    const query = new URLSearchParams({ hours: this.hours, ...(this.to ? { from: Math.round(this.from), to: Math.round(this.to) } : {}), series: this.chosen.join(",") });
    history.replaceState(null, "", `?${query}`);
    Object.assign(document.documentElement.dataset, { trends: String(shown.length), from: Math.round(told.from_ms), to: Math.round(told.to_ms) });
  }

  // The chart in numbers: some rows of buckets taken together, the newest first.
  #table(told, shown, span) {
    const [head] = byId("numbers").tHead.rows;
    head.replaceChildren(column(say("trends.time")), ...shown.map((one) => column([seriesName(one), unitText(one.unit)].filter(Boolean).join(", "))));
    const each = Math.ceil(told.points / TABLE_ROWS);
    const rows = [];
    for (let begin = 0; begin < told.points; begin += each) {
      const row = document.createElement("tr");
      const from = told.from_ms + begin * told.step_ms;
      const time = make("th", momentText(from, span));
      time.scope = "row";
      row.append(time, ...shown.map((one) => this.#cell(told, one, begin, begin + each)));
      if (row.querySelector("a")) rows.unshift(row);
    }
    byId("numbers").tBodies[0].replaceChildren(...rows);
  }

  #cell(told, series, begin, end) {
    const band = told.bands.find(({ id }) => id === series.id);
    const mids = (band?.mid.slice(begin, end) ?? []).filter((value) => value !== null).sort((a, b) => a - b);
    const cell = make("td", mids.length > 0 ? "" : say("tile.none"));
    if (mids.length === 0) return cell;
    const text = (value) => valueText(value, series.unit);
    const extremes = [Math.min, Math.max].map((of, k) => of(...band[k === 0 ? "low" : "high"].slice(begin, end).filter((value) => value !== null)));
    const median = mids[Math.floor(mids.length / 2)];
    const at = told.from_ms + ((begin + end) / 2) * told.step_ms;
    const link = make("a", `${text(median)} (${text(extremes[0])} – ${text(extremes[1])})`);
    link.href = this.#href(series, at, median, ((end - begin) / 2) * told.step_ms);
    cell.append(link);
    return cell;
  }

  #href(series, t, value, within) {
    const query = { kind: "number", name: series.name, lead: series.lead, device: series.device, t_ms: Math.round(t), within_ms: Math.max(2000, Math.round(within)), value };
    if (series.name !== "pvc_rate") return whyHref(facts.bed, query);
    return `/bed/${encodeURIComponent(facts.bed)}/disclosure?from=${Math.round(t)}`;
  }

  #why(series, t, value) {
    location.assign(this.#href(series, t, value, this.chart.told.step_ms / 2));
  }

  #marks(told, span) {
    set(byId("marks-note"), told.left_out > 0 ? say("trends.marks.left_out", { count: told.left_out }) : "");
    const rows = [...told.marks].reverse().map((mark) => {
      const row = document.createElement("tr");
      const time = make("th", momentText(mark.t_ms, span));
      time.scope = "row";
      const open = make("td", "");
      if (mark.kind === "alarm") {
        row.dataset.priority = mark.priority;
        const link = make("a", say("trends.open"));
        link.href = whyHref(facts.bed, { kind: "alarm", occurrence: mark.occurrence });
        link.setAttribute("aria-label", `${say("trends.open")}: ${markText(mark)} ${momentText(mark.t_ms, span)}`);
        open.append(link);
      }
      row.append(time, make("td", markText(mark)), make("td", mark.to_ms === null ? "" : lengthText(mark.to_ms - mark.t_ms)), make("td", mark.who), open);
      return row;
    });
    byId("marks").tBodies[0].replaceChildren(...rows);
  }

  #gaps(told, span) {
    const rows = [...told.gaps].reverse().map((gap) => {
      const row = document.createElement("tr");
      const time = make("th", momentText(gap.from_ms, span));
      time.scope = "row";
      row.append(time, make("td", lengthText(gap.to_ms - gap.from_ms)), make("td", causeText(gap.cause)), make("td", gap.stream));
      return row;
    });
    byId("gaps").tBodies[0].replaceChildren(...rows);
  }
}

function markText({ kind, name, priority, detail }) {
  if (kind === "alarm") return `${markOf({ about: TECHNICAL.has(name) ? "technical" : "patient", priority })} ${say(`alarm.${name}`, { instance: detail }).trim()}`;
  return [say(`act.name.${name}`, {}, name), detail && say(`alarm.${detail}`, {}, detail).trim()].filter(Boolean).join(": ");
}

function column(text) {
  const head = make("th", text);
  head.scope = "col";
  return head;
}

new LivePage("/live", new TrendsView());
