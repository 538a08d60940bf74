// The waves of a bed that are no ECG, below it or in its place: one row each, in fixed order, with a scale of its own.
// Every group has its own samples and its own clock, since devices send in steps of their own.

import { PlayoutClock } from "./clock.js";
import { Sweep } from "./sweep.js";
import { Traces } from "./traces.js";
import { fit } from "./stage.js";
import { has, say } from "./words.js";
import { isPrinted, rangeOf } from "./ranges.js";
import { make } from "./elements.js";
import { set } from "./tiles.js";
import { unitText } from "./numbers.js";

const ORDER = ["pleth", "ppg_infrared", "flow", "airway_pressure", "respiration", "tank_pressure"];
const FAST = new Set(["pleth", "ppg_infrared"]); // drawn at the speed of the ECG
export const COLOURS = {
  pleth: "#00e5ff",
  ppg_infrared: "#00e5ff",
  flow: "#f2f5f7",
  airway_pressure: "#f2f5f7",
  respiration: "#ffe14d",
  tank_pressure: "#9fd0ff",
};
const EMPTY_MS = 3000;
const SECOND_MS = 1000;

// The rows of one device's stream.
class Group {
  constructor(settings) {
    this.settings = settings;
    this.traces = new Traces();
    this.element = make("div", "", "waves row-group");
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.overlay = make("div", "", "lanes");
    this.element.append(this.canvas, this.overlay);
    this.sweep = new Sweep(this.canvas);
    this.dirty = true;
    this.observer = new ResizeObserver(() => this.invalidate());
    this.observer.observe(this.element);
  }

  get rank() {
    return Math.min(...this.state.quantities.map((quantity) => ORDER.indexOf(quantity)));
  }

  get fast() {
    return this.state.quantities.every((quantity) => FAST.has(quantity));
  }

  // What its frames hold (WaveState).
  hold(state) {
    const is = JSON.stringify([state.leads, state.quantities, state.units, state.chain]);
    const changed = this.is !== is;
    this.is = is;
    this.state = state;
    if (!changed) return;
    this.playout = new PlayoutClock(state.rate_hz);
    this.ranges = state.quantities.map(rangeOf);
    this.element.style.setProperty("--rows", state.leads.length);
    this.overlay.replaceChildren(...state.leads.map((lead, i) => rowOf(lead, state, i)));
    this.invalidate();
  }

  take(frame, now) {
    if (frame.scale.length !== this.state.leads.length) return;
    if (this.traces.push(frame, this.state.leads)) {
      this.playout.restart();
      this.invalidate();
    }
    this.playout.arrived(this.traces.end, now);
  }

  invalidate() {
    this.dirty = true;
  }

  frame(now) {
    const step = this.playout.advance(now);
    if (step === null && !this.dirty) return;
    if (this.dirty) this.#lay();
    if (step === null) this.sweep.repaint(0, null);
    else if (this.dirty || step.jumped) this.sweep.repaint(step.pen, this.traces);
    else this.sweep.draw(step.pen, this.traces);
    this.dirty = false;
  }

  // Once a second: the ranges, from the second that has just been received.
  second() {
    if (this.traces.rate === 0) return;
    const to = this.traces.high;
    const from = Math.floor(to - (SECOND_MS * this.traces.rate) / 1000);
    const changed = this.ranges.map((range, i) => range.step(...this.traces.extremes(i, from, to)));
    if (changed.some(Boolean)) this.invalidate();
  }

  isStalled(now, link) {
    return link !== "live" || this.playout.end === null || this.playout.isStalled(now);
  }

  // Says in each row why nothing is drawn there. `why`: what its device says, or is.
  explain(now, link, why) {
    const stalled = this.isStalled(now, link);
    this.element.dataset.stalled = String(stalled);
    [...this.overlay.children].forEach((row, i) => {
      const empty = stalled || this.traces.isEmpty(i, EMPTY_MS);
      row.dataset.empty = String(empty);
      set(row.querySelector(".trouble"), empty ? why || say("page.no_signal") : "");
    });
  }

  remove() {
    this.observer.disconnect();
    this.element.remove();
  }

  #lay() {
    const { speed, slow } = this.settings;
    const scale = { ...fit(this.canvas), speed: Number(this.fast ? speed : slow), origin: 0 };
    const { width, height } = this.canvas;
    const { leads, quantities, units, chain } = this.state;
    const filterOf = (lead) => chain.find((one) => one.startsWith(`${lead} `))?.slice(lead.length + 1) ?? "";
    const edge = (i) => Math.round((i * height) / leads.length);
    const lanes = leads.map((lead, i) => ({
      lead,
      inverted: false,
      column: 0,
      x0: scale.gutter,
      w: Math.max(1, width - scale.gutter),
      y0: edge(i),
      h: edge(i + 1) - edge(i),
      marks: false,
      range: this.ranges[i].range,
      colour: COLOURS[quantities[i]],
    }));
    this.sweep.arrange(lanes, scale);
    lanes.forEach((lane, i) => this.#label(this.overlay.children[i], lane, scale, { quantity: quantities[i], unit: units[i], filter: filterOf(lane.lead) }));
  }

  #label(row, lane, { ratio, speed }, { quantity, unit, filter }) {
    row.style.setProperty("top", `${lane.y0 / ratio}px`);
    row.style.setProperty("height", `${lane.h / ratio}px`);
    const [low, high] = lane.range;
    const symbol = unitText(unit);
    set(row.querySelector(".about"), [symbol === "1" ? "" : symbol, say("wave.speed", { speed }), filter].filter(Boolean).join(" · "));
    set(row.querySelector(".high"), isPrinted(quantity) ? String(high) : "");
    set(row.querySelector(".low"), isPrinted(quantity) ? String(low).replace("-", "−") : "");
    row.dataset.high = high;
    row.dataset.low = low;
  }
}

// The words over one row. Its name is that of its quantity, the device's own where a stream has two of one kind.
function rowOf(lead, { quantities }, i) {
  const quantity = quantities[i];
  const only = quantities.filter((one) => one === quantity).length === 1;
  const row = make("div", "", "lane row");
  row.dataset.lead = lead;
  row.dataset.quantity = quantity;
  const key = `row.${only ? quantity : lead}`;
  row.append(make("span", has(key) ? say(key) : lead, "name"));
  for (const part of ["about", "high", "low", "trouble"]) row.append(make("span", "", part));
  return row;
}

export class Rows {
  constructor(element, settings) {
    this.element = element;
    this.list = element.querySelector(".list");
    this.settings = settings;
    this.groups = new Map(); // index of their frames -> Group
  }

  // `traces` of the bed's state.
  show(traces) {
    const told = new Set(traces.map(({ index }) => index));
    for (const [index, group] of this.groups) {
      if (told.has(index)) continue;
      group.remove();
      this.groups.delete(index);
    }
    for (const state of traces) {
      if (!this.groups.has(state.index)) this.groups.set(state.index, new Group(this.settings));
      this.groups.get(state.index).hold(state);
    }
    const sorted = [...this.groups.values()].sort((a, b) => a.rank - b.rank || a.state.index - b.state.index);
    const placed = sorted.map(({ element }) => element);
    if (placed.some((element, i) => this.list.children[i] !== element)) this.list.replaceChildren(...placed);
    this.element.hidden = placed.length === 0;
    this.element.style.setProperty("--rows", sorted.reduce((sum, { state }) => sum + state.leads.length, 0));
  }

  // Whether the frame was one of its own.
  take(frame, now) {
    const group = this.groups.get(frame.index);
    group?.take(frame, now);
    return group !== undefined;
  }

  invalidate() {
    for (const group of this.groups.values()) group.invalidate();
  }

  restart() {
    for (const group of this.groups.values()) group.playout.restart();
  }

  frame(now) {
    for (const group of this.groups.values()) group.frame(now);
  }

  second() {
    for (const group of this.groups.values()) group.second();
  }

  // `whyOf(device)`: why there may be nothing of a device now, in words; "" = nothing is known.
  explain(now, link, whyOf) {
    for (const group of this.groups.values()) group.explain(now, link, whyOf(group.state.device));
  }

  // For the page's report and for whoever tests it.
  get drawn() {
    return [...this.groups.values()].reduce((sum, { sweep }) => sum + sweep.samplesDrawn, 0);
  }

  get last() {
    return [...this.groups.values()].map(({ traces }) => traces.high).join(":");
  }

  stalled(now, link) {
    return [...this.groups.values()].every((group) => group.isStalled(now, link));
  }
}
