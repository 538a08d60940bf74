// Devices that are no ECG: a panel for each kind, shown as soon as one of its numbers is said. Which device says what is
// read from the numbers themselves (their lead is the device), so a device of any make finds its panel.

import { Tile, chosenText, isFresh, set } from "./tiles.js";
import { facts, has, say } from "./words.js";
import { inChosenUnit } from "./preferred.js";
import { unitText } from "./numbers.js";

const LOST_MS = 3000;

// The first of a figure's numbers that may be shown, else the first that was ever said.
export function metricOf(name, metrics, sight) {
  const { sources, lives } = facts.figures[name];
  const said = sources
    .map((source) => source.split("@"))
    .map(([own, lead]) => (lead === undefined || metrics[own]?.lead === lead ? metrics[own] : undefined))
    .filter(Boolean);
  return said.find((metric) => isFresh(metric, sight, lives)) ?? said[0];
}

// A figure as text with its unit, null where it may not be shown.
export function figureText(name, metrics, sight) {
  const metric = metricOf(name, metrics, sight);
  const { lives, decimals } = facts.figures[name];
  return isFresh(metric, sight, lives) ? withUnit(metric.value, metric.unit, decimals) : null;
}

function withUnit(value, unit, decimals) {
  const symbol = unitText(inChosenUnit(value, unit)[1]);
  return [chosenText(value, unit, decimals), symbol === "1" ? "" : symbol].filter(Boolean).join(" ");
}

// What a device says of itself, in words; the page's own words for what it knows.
export function statusText({ name, text }) {
  if (!text) return "";
  const key = `status.${name}.${text.toLowerCase().replaceAll(" ", "_")}`;
  if (has(key)) return say(key);
  return has(`status.${name}`) ? say(`status.${name}`, { text }) : text;
}

class Panel {
  constructor(element, name) {
    this.element = element;
    this.name = name;
    this.said = element.querySelector(".said");
    this.figures = [...element.querySelectorAll(".figure")].map((one) => {
      const figure = one.dataset.figure;
      const [, unit] = inChosenUnit(0, facts.figures[figure].unit);
      if (unit !== facts.figures[figure].unit) set(one.querySelector(".unit"), unitText(unit));
      return { name: figure, element: one, tile: new Tile(one, facts.figures[figure].lives) };
    });
    this.settings = facts.panel_settings[name];
    this.devices = new Set();
  }

  // Whether anything of it was ever said; which devices say it.
  take(bed) {
    const sight = { lost: false, gone: null, boxNow: 0 };
    const there = this.figures.filter(({ name }) => metricOf(name, bed.metrics, sight) !== undefined);
    for (const { name } of there) this.devices.add(metricOf(name, bed.metrics, sight).lead);
    for (const { name, element } of this.figures) element.hidden = !there.some((one) => one.name === name);
    this.element.hidden = there.length === 0;
    return there.length > 0;
  }

  show(bed, sight, statuses) {
    for (const { name, tile, element } of this.figures) {
      if (element.hidden) continue;
      tile.show(metricOf(name, bed.metrics, sight), sight, { decimals: facts.figures[name].decimals });
    }
    const own = statuses.filter(({ device }) => this.devices.has(device));
    const words = facts.statuses
      .flatMap((status) => own.filter(({ name }) => name === status))
      .map(statusText);
    const settings = this.settings
      .map((name) => [name, figureText(name, bed.metrics, sight)])
      .filter(([, text]) => text !== null)
      .map(([name, value]) => say(`figure.${name}.line`, { value }));
    set(this.said, sight.lost ? "" : [...words, ...settings].filter(Boolean).join(" · "));
    this.said.dataset.alarm = String(own.some(({ name, text }) => name === "alarm_code" && text !== ""));
  }
}

export class Panels {
  constructor(element) {
    this.panels = [...element.querySelectorAll(".panel")].map((one) => new Panel(one, one.dataset.panel));
    this.any = false;
    this.bed = null;
    this.live = null; // when the box was last heard
  }

  // The bed's state: which panels there are. The serial numbers of the devices that are in them.
  take(bed) {
    this.bed = bed;
    this.any = this.panels.filter((panel) => panel.take(bed)).length > 0;
    return new Set([...this.panels.flatMap(({ devices }) => [...devices]), ...bed.statuses.map(({ device }) => device)]);
  }

  show(bed, { boxNow, link, now }) {
    if (link === "live" || this.live === null) this.live = now;
    if (!bed) return;
    const sight = { boxNow, link, stalled: false, lost: now - this.live > LOST_MS, gone: null, why: null };
    for (const panel of this.panels) if (!panel.element.hidden) panel.show(bed, sight, bed.statuses);
  }

  // Why there may be nothing of a device now: what it says itself, or how its link is.
  whyOf(serial) {
    const signal = this.bed?.statuses.find(({ device, name, text }) => device === serial && name === "signal" && text !== "");
    if (signal) return statusText(signal);
    const device = this.bed?.devices.find(({ device }) => device === serial);
    return device && device.state !== "streaming" ? say(`link.${device.state}`) : "";
  }
}
