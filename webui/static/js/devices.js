// Devices of a bed: one line each on the tile, everything that is known of them on the sheet.

import { DeviceSettings } from "./settable.js";
import { elapsed, say } from "./words.js";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

const FIELDS = [
  ["state", (device) => stateText(device)],
  ["since", (device, now) => elapsed(now - device.since_ns / 1e6)],
  ["kind", (device) => device.title || device.kind],
  ["serial", (device) => device.device],
  ["port", (device) => device.port],
  ["firmware", (device) => device.firmware],
  ["rate", (device) => (device.rate_hz ? `${device.rate_hz.toFixed(1)} Hz` : "")],
  ["drift", (device) => (device.drift_ppm === null ? "" : `${device.drift_ppm.toFixed(1)} ppm`)],
  ["bytes", (device) => whole.format(device.bytes_in)],
  ["damaged", (device) => whole.format(device.bytes_damaged)],
  ["lost", (device) => whole.format(device.samples_lost)],
  ["detail", (device) => device.detail.replaceAll("_", " ")],
];

const UNKNOWN = "unknown";
const WAITING = new Set(["opening", UNKNOWN]);

const stateText = (device) => say(`link.${device.state}`);
const levelOf = (device) => (device.state === "streaming" ? "good" : WAITING.has(device.state) ? "wait" : "bad");

export class Devices {
  // `bed`: that of the acts.
  constructor(chips, sheet, bed) {
    this.chips = chips;
    this.sheet = sheet;
    this.bed = bed;
    this.drawn = "";
    this.settings = new Map(); // label -> DeviceSettings
  }

  // `heard`: whether the box is heard at all; what it last said of its devices is else no longer known. `metrics` of the bed.
  show(told, now, heard, metrics) {
    const devices = heard ? told : told.map((device) => ({ ...device, state: UNKNOWN }));
    const drawn = JSON.stringify(devices.map((device) => [device.label, device.state]));
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      this.chips.replaceChildren(...(devices.length > 0 ? devices.map(chip) : [element("li", say("device.none"))]));
    }
    if (!this.sheet.hidden) this.#list(devices, now, metrics);
  }

  #list(devices, now, metrics) {
    const list = this.sheet.querySelector(".devices");
    const labels = JSON.stringify(devices.map(({ label }) => label));
    if (list.dataset.labels !== labels) {
      list.dataset.labels = labels;
      this.settings = new Map(devices.map((device) => [device.label, new DeviceSettings(this.bed)]));
      const cards = devices.map((device) => card(device, this.settings.get(device.label)));
      list.replaceChildren(...(devices.length > 0 ? cards : [element("p", say("device.none"))]));
    }
    devices.forEach((device, i) => {
      this.settings.get(device.label).show(device, metrics);
      const values = list.children[i].querySelectorAll("dl.facts dd");
      FIELDS.forEach(([, read], j) => {
        const text = read(device, now) || say("device.unknown");
        if (values[j].textContent !== text) values[j].textContent = text;
      });
      list.children[i].dataset.level = levelOf(device);
      list.children[i].dataset.state = device.state;
    });
  }
}

function chip(device) {
  const item = element("li", "");
  item.dataset.level = levelOf(device);
  item.dataset.state = device.state;
  item.append(element("b", device.label), element("span", stateText(device)));
  return item;
}

function card(device, settings) {
  const article = element("article", "");
  const list = element("dl", "");
  list.className = "facts";
  for (const [key] of FIELDS) {
    const row = element("div", "");
    row.append(element("dt", say(`device.${key}`)), element("dd", ""));
    list.append(row);
  }
  article.append(element("h3", device.label), list, settings.element);
  return article;
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
