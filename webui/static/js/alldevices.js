// The page of all devices: each with its link and its bed. It is put to another bed in two steps: its numbers and its alarms
// are then another patient's.

import { AlarmLines } from "./alarmline.js";
import { LivePage } from "./page.js";
import { elapsed, facts, say } from "./words.js";
import { make } from "./elements.js";
import { newId, screenName, send } from "./acts.js";
import { set } from "./tiles.js";

const NOTE_MS = 20_000;

class DeviceRow {
  constructor(bed, onMoved) {
    this.bed = bed;
    this.onMoved = onMoved;
    this.state = "";
    this.element = make("li", "", "one-device");
    this.name = make("h3", "");
    this.facts = make("p", "", "facts");
    this.link = make("p", "", "link");
    this.choose = make("div", "", "choose");
    this.ask = make("div", "", "ask");
    this.ask.hidden = true;
    this.question = make("p", "");
    this.yes = this.#key(say("settable.confirm"), () => this.#move());
    this.no = this.#key(say("settable.cancel"), () => this.#cancel());
    this.ask.append(this.question, this.yes, this.no);
    this.note = make("p", "", "note");
    this.note.setAttribute("role", "status");
    const head = make("div", "", "head");
    head.append(this.name, this.facts, this.link);
    this.#chooser();
    this.due = this.#dueDate();
    this.element.append(head, this.due, this.choose, this.ask, this.note);
  }

  // `due`: the day of the next maintenance as the box says it, "" = none is set.
  show(device, due, now, heard) {
    this.device = device;
    this.element.dataset.device = device.device;
    this.element.dataset.state = heard ? device.state : "unknown";
    set(this.name, device.label);
    const what = [device.title || device.kind, device.device || say("devices.no_serial"), device.port, device.firmware && say("devices.firmware", { firmware: device.firmware })];
    set(this.facts, what.filter(Boolean).join(" · "));
    set(this.link, heard ? say("devices.link", { state: say(`link.${device.state}`), since: elapsed(now - device.since_ns / 1e6) }) : say("link.unknown"));
    const busy = this.state === "asked" || !heard;
    if (due !== this.known) this.day.value = this.known = due;
    for (const key of this.element.querySelectorAll(".choose :is(button, select, input)")) key.disabled = busy || !device.device;
  }

  // Another bed of this box, where there is one.
  #chooser() {
    const others = Object.entries(facts.beds).filter(([key]) => key !== this.bed);
    if (others.length === 0) return;
    const label = make("label", "", "field");
    this.select = document.createElement("select");
    for (const [key, name] of others) {
      const option = make("option", name);
      option.value = key;
      this.select.append(option);
    }
    label.append(make("span", say("devices.other_bed")), this.select);
    this.choose.append(label, this.#key(say("devices.move"), () => this.#look()));
  }

  // The day of the next maintenance: kept by the box, whatever the device is.
  #dueDate() {
    const line = make("div", "", "choose due");
    const label = make("label", "", "field");
    this.day = document.createElement("input");
    this.day.type = "date";
    label.append(make("span", say("setting.maintenance_due_date")), this.day);
    line.append(label, this.#key(say("devices.due.save"), () => this.#setDue()));
    return line;
  }

  async #setDue() {
    this.state = "asked";
    set(this.note, say("devices.asked"));
    const value = this.day.value;
    const values = { device: this.device.device, name: "maintenance_due_date", value, screen: screenName() };
    const reason = await send({ id: newId(), bed: this.bed, verb: "set_device", values });
    this.state = "";
    const kept = value === "" ? say("devices.due.none") : say("devices.due.kept", { day: value });
    set(this.note, reason === null ? kept : say("devices.due.refused", { reason }));
  }

  #key(text, act) {
    const key = make("button", text, "key");
    key.type = "button";
    key.addEventListener("click", act);
    return key;
  }

  #look() {
    const { label, device } = this.device;
    set(this.question, say("devices.question", { label, device, to: facts.beds[this.select.value], from: facts.beds[this.bed] }));
    this.ask.hidden = false;
    this.yes.focus();
  }

  #cancel() {
    this.ask.hidden = true;
    this.choose.querySelector("button").focus();
  }

  async #move() {
    this.ask.hidden = true;
    this.state = "asked";
    set(this.note, say("devices.asked"));
    const values = { device: this.device.device, to: this.select.value, screen: screenName() };
    const reason = await send({ id: newId(), bed: this.bed, verb: "assign_device", values });
    this.state = "";
    const said = { device: this.device.label, to: facts.beds[values.to], reason };
    const text = say(reason === null ? "devices.moved" : "devices.not_moved", said);
    set(this.note, reason === null ? "" : text);
    this.onMoved(text);
  }
}

class DevicesView extends AlarmLines {
  constructor() {
    super();
    this.lists = [...document.querySelectorAll("main section[data-bed]")].map((section) => ({ bed: section.dataset.bed, list: section.querySelector("ul"), rows: new Map() }));
    this.summary = document.getElementById("summary");
    this.said = null;
  }

  refresh(now, link, page) {
    super.refresh(now, link, page);
    const boxNow = page.box.now(now);
    if (!page.state || boxNow === null) return;
    let count = 0;
    for (const place of this.lists) {
      const { devices = [], statuses = [] } = page.state.beds.find(({ bed }) => bed === place.bed) ?? {};
      count += devices.length;
      this.#list(place, devices);
      const due = new Map(statuses.filter(({ name }) => name === "maintenance_due_date").map(({ device, text }) => [device, text]));
      for (const device of devices) place.rows.get(device.label).show(device, due.get(device.device) ?? "", boxNow, link === "live");
    }
    if (this.said && now - this.said.at > NOTE_MS) this.said = null;
    set(this.summary, this.said?.text ?? say("devices.count", { count }));
    document.documentElement.dataset.devices = count;
  }

  #list(place, devices) {
    const labels = JSON.stringify(devices.map(({ label }) => label));
    if (labels === place.labels) return;
    place.labels = labels;
    place.rows = new Map(devices.map(({ label }) => [label, place.rows.get(label) ?? new DeviceRow(place.bed, (text) => this.#tell(text))]));
    const rows = [...place.rows.values()].map(({ element }) => element);
    place.list.replaceChildren(...(rows.length > 0 ? rows : [make("li", say("devices.none_here"), "note")]));
  }

  #tell(text) {
    this.said = { text, at: performance.now() };
    set(this.summary, text);
  }
}

new LivePage("/live", new DevicesView());
