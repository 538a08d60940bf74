// The page of settings: a choice is handed to the box as it is made; limits of the ward together; all of it as one file.

import { AlarmLines } from "./alarmline.js";
import { LivePage } from "./page.js";
import { ask, post } from "./asking.js";
import { facts, has, say } from "./words.js";
import { make } from "./elements.js";
import { newId } from "./acts.js";
import { set } from "./tiles.js";
import { unitText } from "./numbers.js";

const SAID_MS = 8000;

const byId = (id) => document.getElementById(id);
const kindOf = (level) => level.split(":")[0];

class SettingsView extends AlarmLines {
  constructor() {
    super();
    this.levels = null;
    this.level = byId("level");
    this.fields = [...document.querySelectorAll("#settings [data-name]")];
    this.level.addEventListener("change", () => this.#show());
    for (const field of this.fields) {
      field.querySelector("select").addEventListener("change", ({ target }) => this.#choose(target.name, target.value));
    }
    byId("save-limits").addEventListener("click", () => this.#saveLimits());
    byId("file").addEventListener("change", () => this.#chosen());
    byId("take").addEventListener("click", () => this.#sure(true));
    byId("take-no").addEventListener("click", () => this.#sure(false));
    byId("take-yes").addEventListener("click", () => this.#take());
    this.#read();
  }

  async #read() {
    const { answer, reason } = await ask("/api/settings");
    this.levels = answer?.levels ?? null;
    if (!answer) this.#say(reason);
    const limits = await ask("/api/settings/limits");
    this.#showLimits(limits.answer?.limits ?? []);
    this.#show();
    document.documentElement.dataset.settings = this.levels ? "known" : "unknown";
  }

  #show() {
    const level = this.level.value;
    const held = this.levels?.[level] ?? {};
    for (const field of this.fields) {
      const select = field.querySelector("select");
      const { name } = select;
      field.hidden = !facts.levels[name].includes(kindOf(level));
      select.disabled = this.levels === null;
      select.value = held[name] ?? "";
      field.dataset.set = String(name in held);
    }
    for (const part of document.querySelectorAll("#settings [data-group]")) {
      part.hidden = ![...part.querySelectorAll("[data-name]")].some((field) => !field.hidden);
    }
    byId("ward-limits").hidden = level !== "ward";
  }

  async #choose(name, value) {
    const levels = { [this.level.value]: { [name]: value || null } };
    if (await this.#act("/api/settings", { levels })) {
      if (name === "language") location.reload();
    }
    await this.#read();
  }

  #showLimits(limits) {
    const rows = limits.map((limit) => limitRow(limit, () => this.#differ()));
    this.limits = limits;
    document.querySelector("#ward-limits tbody").replaceChildren(...rows);
    this.#differ();
  }

  #differ() {
    byId("save-limits").disabled = Object.keys(this.#changes()).length === 0;
  }

  // Row -> key -> what was entered, null where that is the factory's.
  #changes() {
    const changes = {};
    const rows = document.querySelectorAll("#ward-limits tbody tr");
    this.limits.forEach((limit, i) => {
      const input = rows[i].querySelector("input");
      const value = input.type === "checkbox" ? input.checked : Number(input.value);
      if (value === limit.value || (input.type !== "checkbox" && input.value === "")) return;
      changes[limit.row] = { ...changes[limit.row], [limit.key]: value === limit.factory ? null : value };
    });
    return changes;
  }

  async #saveLimits() {
    if (await this.#act("/api/settings", { limits: this.#changes() })) await this.#read();
  }

  async #chosen() {
    const [file] = byId("file").files;
    this.document = null;
    try {
      if (file && file.size <= facts.largest_file) this.document = JSON.parse(await file.text());
    } catch {
      this.document = null;
    }
    if (file && this.document === null) this.#say(say("act.failed", { reason: say("settings.refused.no_file") }));
    byId("take").disabled = this.document === null;
    this.#sure(false);
  }

  #sure(asked) {
    byId("sure").hidden = !asked;
    if (asked) byId("take-yes").focus();
  }

  async #take() {
    this.#sure(false);
    if (await this.#act("/api/settings/file", { document: this.document })) location.reload();
  }

  async #act(path, body) {
    this.#say(say("act.pending"));
    const { answer, reason } = await post(path, { id: newId(), ...body });
    const refused = reason ?? (answer.acted ? undefined : answer.error);
    this.#say(refused === undefined ? say("settings.saved") : say("act.failed", { reason: refused }));
    return refused === undefined;
  }

  #say(text) {
    set(byId("said"), text);
    clearTimeout(this.silence);
    this.silence = setTimeout(() => set(byId("said"), ""), SAID_MS);
  }
}

function limitRow(limit, changed) {
  const row = make("tr", "");
  row.dataset.limit = `${limit.row}.${limit.key}`;
  row.dataset.differs = String(limit.value !== limit.factory);
  const kind = { delay_s: say("settings.limits.delay"), on: say("settings.limits.on") }[limit.key] ?? "";
  const name = [say(`alarm.${limit.row}`, { instance: "" }).trim(), kind].filter(Boolean).join(", ");
  const head = make("th", name);
  head.scope = "row";
  const input = make("input", "");
  const unit = limit.unit && has(`unit.${limit.unit}`) ? unitText(limit.unit) : limit.unit;
  input.setAttribute("aria-label", [name, unit].filter(Boolean).join(", "));
  if (typeof limit.value === "boolean") {
    input.type = "checkbox";
    input.checked = limit.value;
  } else {
    Object.assign(input, { type: "number", min: limit.low, max: limit.high, step: limit.step, value: limit.value });
  }
  input.addEventListener("input", changed);
  const cell = make("td", "");
  cell.append(input);
  const factory = typeof limit.factory === "boolean" ? say(limit.factory ? "setting.on" : "setting.off") : String(limit.factory);
  const range = limit.low === null ? "" : `${limit.low}–${limit.high} ${unit}`;
  row.append(head, cell, make("td", factory), make("td", range.trim()));
  return row;
}

new LivePage("/live", new SettingsView());
