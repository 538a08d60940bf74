// Other limits over what is recorded: chosen here, run by the box's worker, one at a time; the counts stand side by side.

import { elapsed, facts, say } from "./words.js";
import { make } from "./elements.js";
import { rowText } from "./alarmwords.js";
import { set } from "./tiles.js";
import { unitText } from "./numbers.js";

const LONGEST_H = 24;
const ASK_MS = 1000;
const GIVE_UP_MS = 6000;

const byId = (id) => document.getElementById(id);

export class Rehearsal {
  // `hours()`: the span that is looked at.
  constructor(hours) {
    this.hours = hours;
    this.limits = new Map(); // row -> what can be set of it
    this.drafts = new Map(); // "row.key" -> number or switch
    this.due = 0;
    this.busy = false;
    this.running = false;
    this.form = byId("rehearse-choices");
    this.select = this.form.querySelector("select");
    this.select.addEventListener("change", () => this.#settings());
    byId("rehearse").addEventListener("click", () => this.#begin());
    byId("rehearse-cancel").addEventListener("click", () => this.#send("DELETE"));
    this.#limits();
  }

  refresh(now) {
    if (now < this.due || this.busy) return;
    this.due = now + (this.running ? ASK_MS : 10 * ASK_MS);
    this.#send("GET");
  }

  async #limits() {
    try {
      const response = await fetch(`/api/limits?${new URLSearchParams({ bed: facts.bed })}`, { signal: AbortSignal.timeout(GIVE_UP_MS) });
      const { limits } = await response.json();
      this.limits = new Map(limits.map((row) => [row.row, row]));
    } catch {
      this.#say(say("act.failed", { reason: say("act.unreachable") }), true);
      return;
    }
    const rows = [...this.limits.values()].filter((row) => settingsOf(row).length > 0);
    this.select.replaceChildren(...rows.map(({ row }) => new Option(rowText(row), row)));
    this.#settings();
  }

  #settings() {
    const row = this.limits.get(this.select.value);
    this.form.querySelector(".settings").replaceChildren(...settingsOf(row).map((one) => this.#setting(row.row, one)));
  }

  #setting(row, one) {
    const field = make("label", "", "field");
    field.append(make("span", `${say(`limit.${one.key}`)}${one.unit ? `, ${unitText(one.unit)}` : ""}`));
    const held = this.drafts.get(`${row}.${one.key}`) ?? one.value;
    let input;
    if (one.key === "on") {
      input = make("select", "");
      input.append(new Option(say("limits.on"), "true"), new Option(say("limits.off"), "false"));
      input.value = String(held);
    } else {
      input = make("input", "");
      Object.assign(input, { type: "text", inputMode: "decimal", value: String(held), autocomplete: "off" });
    }
    input.dataset.part = one.key;
    input.addEventListener("change", () => this.#draft(row, one, input.value.trim().replace(",", ".")));
    field.append(input);
    return field;
  }

  #draft(row, one, text) {
    const value = one.key === "on" ? text === "true" : Number(text);
    if (Number.isNaN(value) || value === one.value) this.drafts.delete(`${row}.${one.key}`);
    else this.drafts.set(`${row}.${one.key}`, value);
    this.#asked();
  }

  #asked() {
    const chips = [...this.drafts].map(([name, value]) => {
      const [row, key] = name.split(".");
      const one = settingsOf(this.limits.get(row)).find((each) => each.key === key);
      const text = (shown) => (key === "on" ? say(shown ? "limits.on" : "limits.off") : String(shown));
      const item = make("li", say("rehearse.change", { alarm: rowText(row), name: say(`limit.${key}`), old: text(one.value), new: text(value) }));
      const remove = make("button", "×", "key");
      remove.type = "button";
      remove.setAttribute("aria-label", say("rehearse.remove", { what: item.textContent }));
      remove.addEventListener("click", () => {
        this.drafts.delete(name);
        this.#asked();
        this.#settings();
      });
      item.append(remove);
      return item;
    });
    this.form.querySelector(".asked ul").replaceChildren(...chips);
    byId("rehearse").disabled = this.drafts.size === 0 || this.running;
  }

  #begin() {
    const present = {};
    for (const row of this.limits.values()) {
      for (const one of settingsOf(row)) if (one.value !== one.default) (present[row.row] ??= {})[one.key] = one.value;
    }
    const other = structuredClone(present);
    for (const [name, value] of this.drafts) {
      const [row, key] = name.split(".");
      (other[row] ??= {})[key] = value;
    }
    this.#send("POST", { bed: facts.bed, hours: Math.min(this.hours(), LONGEST_H), present, other });
  }

  async #send(method, body) {
    this.busy = true;
    try {
      const response = await fetch("/api/rehearsal", {
        method,
        headers: { "Content-Type": "application/json" },
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(GIVE_UP_MS),
      });
      if (!response.ok) throw new Error(response.status);
      this.#show(await response.json());
    } catch {
      if (method !== "GET" || this.running) this.#say(say("rehearse.unavailable"), true);
    } finally {
      this.busy = false;
      this.due = performance.now() + (this.running ? ASK_MS : 10 * ASK_MS);
    }
  }

  #show({ state, asked, progress, rows, refused, recorded_s: recorded }) {
    this.running = state === "running";
    document.documentElement.dataset.rehearsal = state;
    byId("rehearse").disabled = this.drafts.size === 0 || this.running;
    byId("rehearse-cancel").hidden = !this.running;
    byId("rehearse-progress").hidden = !this.running;
    byId("rehearse-progress").value = progress;
    const ours = asked?.bed === facts.bed;
    const table = byId("rehearse-table");
    table.hidden = state !== "done" || !ours;
    if (refused) this.#say(refused === "busy" ? say("rehearse.busy") : say("act.failed", { reason: refused }), true);
    else if (state === "done" && ours) this.#say(say("rehearse.done", { hours: elapsed(recorded * 1000), limits: changes(asked) }));
    else if (state === "cancelled" && ours) this.#say(say("rehearse.cancelled"));
    else this.#say(this.running ? say(ours ? "rehearse.running" : "rehearse.busy") : "");
    if (!table.hidden) table.tBodies[0].replaceChildren(...rows.map(line), total(rows));
  }

  #say(text, failed = false) {
    byId("rehearse-note").dataset.state = failed ? "failed" : "";
    set(byId("rehearse-note"), text);
  }
}

// What can be set of a row, in one shape; the switch has no range.
function settingsOf(row) {
  if (!row) return [];
  const on = row.may_be_off ? [{ key: "on", value: row.on, default: row.on_default, unit: "" }] : [];
  return [...row.limits, ...(row.delay ? [row.delay] : []), ...on];
}

function changes({ present, other }) {
  const said = [];
  for (const [row, values] of Object.entries(other)) {
    for (const [key, value] of Object.entries(values)) {
      if (present[row]?.[key] === value) continue;
      const text = key === "on" ? say(value ? "limits.on" : "limits.off") : String(value);
      said.push(`${rowText(row)} ${say(`limit.${key}`)} ${text}`);
    }
  }
  return said.join(", ");
}

function line({ row, happened, present, other }) {
  const element = make("tr", "");
  element.dataset.row = row;
  const name = make("th", row ? rowText(row) : say("load.total"));
  name.scope = "row";
  element.append(name, make("td", String(happened)), make("td", String(present)));
  element.append(make("td", String(other), other < present ? "fewer" : other > present ? "more-often" : ""));
  return element;
}

function total(rows) {
  const sum = (name) => rows.reduce((all, row) => all + row[name], 0);
  const element = line({ row: "", happened: sum("happened"), present: sum("present"), other: sum("other") });
  element.className = "total";
  return element;
}
