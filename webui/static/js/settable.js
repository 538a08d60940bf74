// What a device lets be set, on its card: choose a value within its range, look at it once more, confirm. The device itself
// answers; nothing is said to be set before it has. A device that offers nothing is read-only, and says so.

import { facts, has, say } from "./words.js";
import { make } from "./elements.js";
import { newId, screenName, send } from "./acts.js";
import { quantity } from "./numbers.js";
import { set } from "./tiles.js";

const SHOWN_MS = 20_000; // how long the answer stands

const nameOf = (name) => (has(`setting.${name}`) ? say(`setting.${name}`) : name.replaceAll("_", " "));
const isSwitch = ({ low, high, step }) => low === 0 && high === 1 && step === 1;
const placesOf = (step) => (String(step).split(".")[1] ?? "").length;

function valueText(setting, value) {
  if (isSwitch(setting)) return say(value === 1 ? "setting.on" : "setting.off");
  return quantity(value, setting.unit === "1" ? "" : setting.unit, placesOf(setting.step));
}

// One setting: its value, the keys around it, and what becomes of it.
class SettingRow {
  // `ask(value)` hands it to the box: null when the device confirmed, else the reason.
  constructor(setting, ask) {
    this.setting = setting;
    this.ask = ask;
    this.value = null; // chosen, not yet set
    this.present = null;
    this.state = "";
    this.element = make("div", "", "settable");
    this.element.dataset.setting = setting.name;
    this.now = make("span", "", "now");
    this.chosen = make("output", "", "chosen");
    this.less = this.#key("−", say("settable.less", { name: nameOf(setting.name) }), () => this.#step(-1));
    this.more = this.#key("+", say("settable.more", { name: nameOf(setting.name) }), () => this.#step(1));
    this.go = this.#key(say("settable.set"), "", () => this.#look());
    this.ask_line = make("div", "", "confirm");
    this.question = make("p", "");
    this.yes = this.#key(say("settable.confirm"), "", () => this.#send());
    this.no = this.#key(say("settable.cancel"), "", () => this.#cancel());
    this.ask_line.append(this.question, this.yes, this.no);
    this.note = make("p", "", "note");
    this.note.setAttribute("role", "status");
    const { low, high, step } = setting;
    const range = isSwitch(setting) ? "" : say("settable.range", { low: valueText(setting, low), high: valueText(setting, high), step });
    const head = make("div", "", "head");
    head.append(make("b", nameOf(setting.name)), this.now, make("small", range));
    const keys = make("div", "", "choose");
    keys.append(this.less, this.chosen, this.more, this.go);
    this.element.append(head, keys, this.ask_line, this.note);
    this.#draw();
  }

  // `present`: the value that the device itself shows, null = not known; `open`: whether the device can be reached.
  show(present, open) {
    this.present = present;
    this.open = open;
    this.#draw();
  }

  #key(text, label, act) {
    const key = make("button", text, "key");
    key.type = "button";
    if (label) key.setAttribute("aria-label", label);
    key.addEventListener("click", act);
    return key;
  }

  #step(by) {
    const { low, high, step } = this.setting;
    const from = this.value ?? this.present ?? low;
    const next = low + Math.round((from - low) / step + by) * step;
    this.value = Number(Math.min(high, Math.max(low, next)).toFixed(6));
    this.state = "chosen";
    this.#draw();
  }

  #look() {
    this.state = "looking";
    this.#draw();
    this.yes.focus();
  }

  #cancel() {
    this.value = null;
    this.state = "";
    this.#draw();
    this.go.focus();
  }

  async #send() {
    const { value } = this;
    this.state = "asked";
    this.#draw();
    const reason = await this.ask(value);
    this.state = reason === null ? "confirmed" : "refused";
    this.reason = reason;
    this.value = null;
    this.answered = { value, at: performance.now() };
    this.#draw();
  }

  #draw() {
    const { state, setting } = this;
    if (this.answered && performance.now() - this.answered.at > SHOWN_MS && ["confirmed", "refused"].includes(state)) this.state = "";
    const known = this.present !== null && this.present !== undefined;
    set(this.now, known ? say("settable.now", { value: valueText(setting, this.present) }) : say("settable.unknown"));
    set(this.chosen, this.value !== null ? valueText(setting, this.value) : known ? valueText(setting, this.present) : say("tile.none"));
    this.element.dataset.state = this.state;
    const busy = this.state === "asked" || !this.open;
    this.less.disabled = busy || (this.value ?? this.present) === setting.low;
    this.more.disabled = busy || (this.value ?? this.present) === setting.high;
    this.go.disabled = busy || this.value === null || this.value === this.present;
    this.ask_line.hidden = this.state !== "looking";
    const name = nameOf(setting.name);
    if (this.value !== null) set(this.question, say("settable.question", { name, value: valueText(setting, this.value) }));
    set(this.note, this.#noteText(name));
    this.note.dataset.state = { asked: "pending", refused: "failed" }[this.state] ?? "";
  }

  #noteText(name) {
    const values = { name, value: this.answered ? valueText(this.setting, this.answered.value) : "", reason: this.reason ?? "" };
    if (["asked", "confirmed", "refused"].includes(this.state)) return say(`settable.${this.state}`, values);
    return this.open ? "" : say("settable.away");
  }
}

export class DeviceSettings {
  constructor(bed) {
    this.bed = bed;
    this.element = make("section", "", "device-settings");
    this.rows = [];
    this.is = null;
  }

  show(device, metrics) {
    const is = JSON.stringify([device.device, device.settable]);
    if (is !== this.is) {
      this.is = is;
      this.rows = device.settable.map((setting) => new SettingRow(setting, (value) => this.#ask(device.device, setting, value)));
      this.element.setAttribute("aria-label", say("settable.title", { device: device.label }));
      const title = make("h4", say(this.rows.length > 0 ? "settable.heading" : "settable.read_only"));
      this.element.replaceChildren(title, ...this.rows.map(({ element }) => element));
    }
    for (const row of this.rows) {
      const metric = metrics[facts.shown_by[row.setting.name] ?? row.setting.name];
      row.show(metric?.lead === device.device ? metric.value : null, device.state === "streaming");
    }
  }

  #ask(device, setting, value) {
    const values = { device, name: setting.name, value: value.toFixed(placesOf(setting.step)), screen: screenName() };
    return send({ id: newId(), bed: this.bed, verb: "set_device", values });
  }
}
