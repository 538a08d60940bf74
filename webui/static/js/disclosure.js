// Full disclosure: rows of every stored minute, turned page by page while live goes on; a place in a row opens its strip.

import { AlarmLines } from "./alarmline.js";
import { LivePage } from "./page.js";
import { Strip } from "./strip.js";
import { amplitude, drawRow, markText, marksOf, readMinutes, within } from "./minutes.js";
import { causeText, fieldMs, fieldText, momentText } from "./spans.js";
import { facts, say } from "./words.js";
import { load } from "./settings.js";
import { make } from "./elements.js";
import { set } from "./tiles.js";
import { timeText } from "./times.js";

const GIVE_UP_MS = 20_000;
const AGAIN_MS = 10_000;
const STEP_MS = 1000; // of the mark in a row
const WIDE = { rowS: 60, one: 12, all: 2, px: 50, lanePx: 26 };
const NARROW = { rowS: 20, one: 12, all: 2, px: 52, lanePx: 24 };
const HEAD_PX = 15;
const FIRST_LEAD = "II";
const MOST_WIDTH = 2000;
const MONITOR = { mode: "monitor", mains_hz: 50, cleaning: false };

const byId = (id) => document.getElementById(id);

class DisclosureView extends AlarmLines {
  constructor() {
    super();
    const query = new URLSearchParams(location.search);
    this.from = Number(query.get("from")) || 0; // 0: the newest page
    this.lead = query.get("lead") ?? FIRST_LEAD;
    this.cursor = this.from || null;
    this.minutes = null;
    this.asked = 0;
    this.due = 0;
    this.display = MONITOR;
    this.strip = new Strip(byId("strip"), load(), { display: () => this.display, onClose: () => this.#back() });
    this.narrow = window.matchMedia("(max-width: 700px)");
    for (const key of document.querySelectorAll("[data-page]")) key.addEventListener("click", () => this.#turn(Number(key.dataset.page)));
    byId("now").addEventListener("click", () => this.#go(0));
    byId("place").addEventListener("submit", (event) => {
      event.preventDefault();
      const at = fieldMs(byId("from").value);
      if (at) this.#go(at);
    });
    byId("lead").addEventListener("change", () => {
      this.lead = byId("lead").value;
      this.#read();
    });
    byId("rows").addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#draw()).observe(byId("rows"));
  }

  state(state) {
    super.state(state);
    this.display = state.beds.find(({ bed }) => bed === facts.bed)?.display ?? this.display;
  }

  refresh(now, link, page) {
    super.refresh(now, link, page);
    this.utcNow = page.box.utc(now) ?? Date.now();
    if (now < this.due) return;
    this.due = now + AGAIN_MS;
    if (this.from === 0 || this.minutes === null) this.#read();
  }

  get look() {
    return this.narrow.matches ? NARROW : WIDE;
  }

  get rows() {
    return this.lead === "" ? this.look.all : this.look.one;
  }

  // The beginning of the first row: rows begin at whole minutes (of the box's UTC).
  get begin() {
    const rowMs = this.look.rowS * 1000;
    const first = this.from || this.utcNow - (this.rows - 1) * rowMs;
    return Math.floor(first / rowMs) * rowMs;
  }

  #go(from) {
    this.from = from;
    this.cursor = from || null;
    this.#read();
  }

  #turn(pages) {
    const page = this.rows * this.look.rowS * 1000;
    const from = this.begin + pages * page;
    this.#go(from + page > this.utcNow ? 0 : from);
  }

  async #read() {
    const asked = ++this.asked;
    const width = Math.min(MOST_WIDTH, Math.max(50, Math.round(byId("rows").clientWidth)));
    const query = new URLSearchParams({ bed: facts.bed, from_ms: this.begin, rows: this.rows, row_s: this.look.rowS, width, leads: this.lead });
    try {
      const response = await fetch(`/api/disclosure?${query}`, { signal: AbortSignal.timeout(GIVE_UP_MS) });
      if (!response.ok) throw new Error(response.status);
      const minutes = readMinutes(await response.arrayBuffer());
      if (asked === this.asked) this.#show(minutes);
    } catch {
      if (asked !== this.asked) return;
      set(byId("summary"), say("act.unreachable"));
      document.documentElement.dataset.disclosure = "silent";
    }
  }

  #show(minutes) {
    const { told } = minutes;
    this.minutes = minutes;
    this.most = amplitude(minutes);
    const end = told.from_ms + told.rows * told.row_ms;
    const ends = { oldest: momentText(told.oldest_ms ?? 0, 0, true), newest: momentText(told.newest_ms ?? 0, 0, true) };
    const empty = told.leads.length === 0;
    set(byId("summary"), empty ? say("disclosure.none") : say("disclosure.shown", { begin: momentText(told.from_ms, 0, true), end: momentText(end, 0, true), ...ends }));
    const people = told.stays.length > 1 ? told.stays.map((stay) => say("trends.border", { name: stay.full_name || say("trends.nobody"), time: momentText(stay.from_ms, 0, true) })) : [];
    set(byId("hint"), [...people, told.clock === "unset" ? say("trends.unset") : ""].filter(Boolean).join(" · "));
    if (document.activeElement !== byId("from")) byId("from").value = fieldText(told.from_ms);
    this.#leads(told.available);
    this.#fill(told);
    this.#draw();
    Object.assign(document.documentElement.dataset, { disclosure: empty ? "empty" : "shown", from: Math.round(told.from_ms), rows: told.rows });
  }

  #leads(available) {
    const select = byId("lead");
    const known = [...select.options].slice(1).map(({ value }) => value);
    if (known.join() !== available.join()) {
      select.replaceChildren(select.options[0], ...available.map((lead) => Object.assign(make("option", lead), { value: lead })));
    }
    select.value = available.includes(this.lead) ? this.lead : "";
  }

  // As many rows as there are, kept where they are: focus stays.
  #fill(told) {
    const list = byId("rows");
    while (list.children.length > told.rows) list.lastChild.remove();
    while (list.children.length < told.rows) list.append(this.#item());
    const height = HEAD_PX + (told.leads.length > 1 ? told.leads.length * this.look.lanePx : this.look.px);
    for (const [row, item] of [...list.children].entries()) {
      const from = told.from_ms + row * told.row_ms;
      const marks = marksOf(told, row).map(markText);
      const gaps = within(told.gaps, from, told.row_ms).map((gap) => {
        const seconds = (Math.min(gap.to_ms, from + told.row_ms) - Math.max(gap.from_ms, from)) / 1000;
        return say("disclosure.row.gap", { seconds: seconds.toFixed(1), cause: causeText(gap.cause) });
      });
      const about = [...marks, ...gaps].join(", ") || say("disclosure.row.quiet");
      const key = item.querySelector("button");
      set(item.querySelector("time"), timeText(new Date(from)));
      key.setAttribute("aria-label", say("disclosure.row", { time: timeText(new Date(from)), about }));
      key.style.setProperty("height", `${height}px`);
    }
  }

  #item() {
    const item = document.createElement("li");
    const key = make("button", "");
    key.type = "button";
    key.append(make("time", ""), document.createElement("canvas"));
    key.addEventListener("click", (event) => this.#press(item, event));
    item.append(key);
    return item;
  }

  #rowOf(item) {
    return [...byId("rows").children].indexOf(item);
  }

  #press(item, event) {
    const { told } = this.minutes;
    const from = told.from_ms + this.#rowOf(item) * told.row_ms;
    const box = item.querySelector("canvas").getBoundingClientRect();
    const byKey = event.detail === 0;
    if (!byKey) this.cursor = from + (Math.min(box.width, Math.max(0, event.clientX - box.left)) / box.width) * told.row_ms;
    else if (!(this.cursor >= from && this.cursor < from + told.row_ms)) this.cursor = from + told.row_ms / 2;
    this.#draw();
    this.#open(item);
  }

  #key(event) {
    const item = event.target.closest("li");
    const { told } = this.minutes ?? {};
    if (!item || !told) return;
    const row = this.#rowOf(item);
    const from = told.from_ms + row * told.row_ms;
    const inRow = this.cursor >= from && this.cursor < from + told.row_ms ? this.cursor - from : told.row_ms / 2;
    const step = STEP_MS * (event.shiftKey ? 10 : 1);
    const moves = { ArrowLeft: [0, -step], ArrowRight: [0, step], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -inRow], End: [0, told.row_ms - 1 - inRow] };
    if (event.key === "PageUp" || event.key === "PageDown") this.#turn(event.key === "PageUp" ? -1 : 1);
    else if (event.key in moves) {
      const [rows, ms] = moves[event.key];
      const at = Math.min(told.row_ms - 1, Math.max(0, inRow + ms));
      const next = Math.min(told.rows - 1, Math.max(0, row + rows));
      this.cursor = told.from_ms + next * told.row_ms + at;
      byId("rows").children[next].querySelector("button").focus();
      this.#draw();
    } else return;
    event.preventDefault();
  }

  #open(item) {
    const boot = this.minutes.told.boots.find(([, from, to]) => this.cursor >= from && this.cursor <= to);
    if (!boot) return;
    this.opened = item;
    this.from ||= this.begin; // the page stays where it is
    const [name, , , offset] = boot;
    const t_ns = Math.round((this.cursor - offset) * 1e6);
    document.querySelector("main").inert = true;
    this.strip.show({ boot: name, t_ns, onset_utc: this.cursor, text: "disclosure.strip", values: [], mark: "disclosure.mark" });
  }

  #back() {
    document.querySelector("main").inert = false;
    this.opened?.querySelector("button").focus();
  }

  #draw() {
    if (this.minutes === null) return;
    const ratio = window.devicePixelRatio;
    for (const [row, item] of [...byId("rows").children].entries()) {
      const canvas = item.querySelector("canvas");
      const box = canvas.getBoundingClientRect();
      const [width, height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      drawRow(canvas, this.minutes, row, this.most, this.cursor, ratio);
    }
  }
}

new LivePage("/live", new DisclosureView());
