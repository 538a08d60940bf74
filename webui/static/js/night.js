// The page of a bed's nights: which there are, one of them on its line of time, figures side by side, its events.

import { AlarmLines } from "./alarmline.js";
import { LivePage } from "./page.js";
import { NightChart } from "./nightchart.js";
import { ask } from "./asking.js";
import { dayText, timeText } from "./times.js";
import { facts, say } from "./words.js";
import { make } from "./elements.js";
import { set } from "./tiles.js";
import { valueText } from "./numbers.js";

const COMPARED = 3; // nights that stand side by side at first
const MOST_COMPARED = 5;
const POINTS = 1200;
const POINTS_NARROW = 500;
const MOST_EVENTS = 300;
const LEAST_MS = 10_000;

const byId = (id) => document.getElementById(id);
const idOf = ({ day, device }) => `${day} ${device}`;
const clockText = (ms) => timeText(new Date(ms)).slice(0, 5);
const hoursText = (hours) => `${Math.floor(hours)}:${String(Math.round((hours % 1) * 60) % 60).padStart(2, "0")} h`;

class NightView extends AlarmLines {
  constructor() {
    super();
    this.nights = [];
    this.night = null;
    this.figures = new Map(); // id -> figures, or null while they are asked for
    this.asked = 0;
    this.zoom = 0;
    this.stretch = [0, 0];
    this.chart = new NightChart(byId("chart"), (from, to) => this.#look(from, to));
    byId("night").addEventListener("change", (event) => this.#choose(this.nights.find((one) => idOf(one) === event.target.value)));
    for (const key of document.querySelectorAll("[data-zoom]")) key.addEventListener("click", () => this.#zoomTo(Number(key.dataset.zoom)));
    for (const key of document.querySelectorAll("[data-move]")) key.addEventListener("click", () => this.#move(Number(key.dataset.move)));
    this.#load();
  }

  async #load() {
    const { answer, reason } = await ask(`/api/nights?${new URLSearchParams({ bed: facts.bed })}`);
    this.nights = answer?.nights ?? [];
    document.documentElement.dataset.nights = answer ? this.nights.length : "silent";
    byId("chart").dataset.state = "empty";
    if (this.nights.length === 0) {
      set(byId("summary"), answer ? say("night.none") : reason);
      return;
    }
    byId("night").replaceChildren(...this.nights.map((night) => this.#option(night)));
    byId("night").disabled = false;
    for (const key of document.querySelectorAll(".zooms .key")) key.disabled = false;
    const boxes = this.nights.slice(0, 30).map((night, i) => this.#box(night, i < COMPARED));
    document.querySelector(".compare").append(...boxes);
    this.#choose(this.nights[0]);
  }

  #option(night) {
    const option = make("option", this.#name(night));
    option.value = idOf(night);
    return option;
  }

  #name({ day, device, imported, recorded_h: hours }) {
    return say(imported ? "night.name_imported" : "night.name", { day, device, hours: hoursText(hours) });
  }

  #box(night, checked) {
    const label = make("label", "");
    const input = document.createElement("input");
    input.type = "checkbox";
    input.checked = checked;
    input.value = idOf(night);
    input.addEventListener("change", () => {
      if (this.#compared().length > MOST_COMPARED) input.checked = false;
      this.#compare();
    });
    label.append(input, make("span", night.day));
    return label;
  }

  #choose(night) {
    this.night = night;
    byId("night").value = idOf(night);
    this.zoom = 0;
    this.#look(0, 0);
    this.#compare();
  }

  // Ask for a stretch of the chosen night and draw it.
  async #look(from, to) {
    const asked = ++this.asked;
    const { night } = this;
    const narrow = window.matchMedia("(max-width: 700px)").matches;
    const wanted = to - from >= LEAST_MS ? [from, to] : [0, 0];
    const query = { bed: facts.bed, day: night.day, device: night.device, from_ms: wanted[0], to_ms: wanted[1], points: narrow ? POINTS_NARROW : POINTS };
    const { answer, reason } = await ask(`/api/night?${new URLSearchParams(query)}`);
    if (asked !== this.asked) return;
    if (!answer) {
      set(byId("summary"), reason);
      return;
    }
    this.stretch = wanted[1] ? wanted : [night.begin_ms, night.end_ms];
    this.#mark(wanted[1] ? Math.round((to - from) / 1000) : 0);
    this.chart.show(answer);
    this.#events(answer);
    const [begin, end] = [new Date(night.begin_ms), new Date(night.end_ms)];
    const span = { day: dayText(begin), begin: clockText(begin), end: clockText(end), hours: hoursText(night.recorded_h), device: night.device };
    set(byId("summary"), say("night.summary", span));
    set(document.querySelector(".stretch"), `${timeText(new Date(this.stretch[0]))} – ${timeText(new Date(this.stretch[1]))}`);
    document.documentElement.dataset.drawn = `${Math.round(this.stretch[0])} ${Math.round(this.stretch[1])}`;
  }

  #mark(seconds) {
    for (const key of document.querySelectorAll("[data-zoom]")) key.setAttribute("aria-pressed", String(Number(key.dataset.zoom) === seconds));
  }

  // So many seconds around the middle of what is shown; 0 = all.
  #zoomTo(seconds) {
    if (seconds === 0) this.#look(0, 0);
    else this.#around((this.stretch[0] + this.stretch[1]) / 2, seconds * 1000);
  }

  #move(by) {
    const length = this.stretch[1] - this.stretch[0];
    this.#around((this.stretch[0] + this.stretch[1]) / 2 + (by * length) / 2, length);
  }

  #around(middle, length) {
    const { begin_ms: begin, end_ms: end } = this.night;
    const from = Math.max(begin, Math.min(end - length, middle - length / 2));
    this.#look(from, Math.min(end, from + length));
  }

  #events(told) {
    const shown = told.flags.slice(0, MOST_EVENTS);
    const counts = facts.flags.map((flag) => [flag, told.flags.filter((one) => one.flag === flag).length]).filter(([, count]) => count > 0);
    const words = counts.map(([flag, count]) => say("night.count", { count, event: say(`night.flag.${flag}`) }));
    set(byId("events-summary"), words.length > 0 ? words.join(" · ") : say("night.no_events"));
    byId("events").tBodies[0].replaceChildren(...shown.map((one) => this.#event(one)));
  }

  #event({ flag, t_ms: t, seconds }) {
    const row = document.createElement("tr");
    const head = make("th", timeText(new Date(t)));
    head.scope = "row";
    const key = make("button", say("night.show"), "key");
    key.type = "button";
    key.setAttribute("aria-label", `${say("night.show")}: ${say(`night.flag.${flag}`)} ${timeText(new Date(t))}`);
    key.addEventListener("click", () => {
      this.#around(t + seconds * 500, 120_000);
      byId("chart").scrollIntoView({ block: "center" });
    });
    const cell = make("td", "");
    cell.append(key);
    row.append(head, make("td", say(`night.flag.${flag}`)), make("td", seconds > 0 ? `${Math.round(seconds)} s` : say("tile.none")), cell);
    return row;
  }

  #compared() {
    const checked = [...document.querySelectorAll(".compare input:checked")].map(({ value }) => value);
    return this.nights.filter((night) => checked.includes(idOf(night)));
  }

  // The figures of the nights that are compared, the chosen one among them, the newest first.
  #compare() {
    const nights = this.nights.filter((night) => night === this.night || this.#compared().includes(night));
    for (const night of nights) if (!this.figures.has(idOf(night))) this.#ask(night);
    const [head] = byId("figures").tHead.rows;
    head.replaceChildren(column(say("night.figure"), ""), ...nights.map((night) => this.#head(night)));
    byId("figures").tBodies[0].replaceChildren(...facts.night_figures.map((figure) => this.#row(figure, nights)).filter(Boolean));
  }

  #head(night) {
    const head = column(night.day, night.device);
    head.dataset.chosen = String(night === this.night);
    return head;
  }

  #row([name, unit, decimals], nights) {
    const values = nights.map((night) => this.figures.get(idOf(night))?.[name] ?? null);
    const isCount = name.startsWith("count_");
    if (values.every((value) => value === null || (isCount && value === 0))) return null;
    const row = document.createElement("tr");
    row.dataset.figure = name;
    const label = isCount ? say(`night.flag.${name.slice(6)}`) : say(`night.figure.${name}`);
    const head = make("th", unit ? `${label}, ${unit}` : label);
    head.scope = "row";
    row.append(head);
    nights.forEach((night, i) => {
      const cell = make("td", values[i] === null ? say("tile.none") : valueText(values[i], unit, decimals));
      cell.dataset.chosen = String(night === this.night);
      row.append(cell);
    });
    return row;
  }

  async #ask(night) {
    this.figures.set(idOf(night), null);
    const { answer } = await ask(`/api/night?${new URLSearchParams({ bed: facts.bed, day: night.day, device: night.device, points: 0 })}`);
    if (answer) this.figures.set(idOf(night), answer.figures);
    else this.figures.delete(idOf(night));
    if (answer) this.#compare();
  }
}

function column(text, small) {
  const head = make("th", text);
  head.scope = "col";
  if (small) head.append(make("small", small));
  return head;
}

new LivePage("/live", new NightView());
