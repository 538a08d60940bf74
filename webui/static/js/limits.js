// The limits editor. A row is changed here first, shown as changed, and set by its key: nothing is in force before the box has
// said so. What the box refuses it refuses in words.

import { GIVE_UP_MS, alarmAct } from "./acts.js";
import { markOf, rowText } from "./alarmwords.js";
import { facts, say } from "./words.js";
import { set } from "./tiles.js";
import { nameOf, quantity, unitText } from "./numbers.js";

const SEVERAL = 3;

// What can be set of a row, in one shape: { key, value, default, low, high, step, unit }; the switch has no range.
const settingsOf = (row) => [
  ...row.limits,
  ...(row.delay ? [row.delay] : []),
  ...(row.may_be_off ? [{ key: "on", value: row.on, default: row.on_default }] : []),
];

export const differs = (row) => settingsOf(row).some((one) => one.value !== one.default);

export class LimitsEditor {
  // `list` takes the rows, `note` says what became of the last key. `keys` has .propose (limits from the present values, as
  // drafts), .set-all (sets every draft) and .all-default (puts every row back).
  constructor(list, note, keys) {
    this.list = list;
    this.note = note;
    this.part = Object.fromEntries(["propose", "set-all", "all-default"].map((name) => [name, keys.querySelector(`.${name}`)]));
    this.rows = new Map(); // by name: { row, element, drawn, drafts: Map(key -> text), proposed: Map(key -> proposal) }
    this.part.propose.addEventListener("click", () => this.#propose());
    this.part["set-all"].addEventListener("click", () => this.#setAll());
    this.part["all-default"].addEventListener("click", () => this.#allToDefault());
  }

  show(limits) {
    const told = limits.filter((row) => settingsOf(row).length > 0);
    const order = [...told.filter(({ limits: own }) => own.length > 0), ...told.filter(({ limits: own }) => own.length === 0)];
    for (const row of order) this.#row(row);
    this.part["all-default"].disabled = !told.some(differs);
    this.part["set-all"].disabled = [...this.rows.values()].every(({ drafts }) => drafts.size === 0);
    set(this.note.previousElementSibling, told.length === 0 ? say("limits.unknown") : "");
  }

  #row(row) {
    const drawn = JSON.stringify(row);
    if (!this.rows.has(row.row)) this.rows.set(row.row, { element: this.list.appendChild(make("li", "")), drafts: new Map(), proposed: new Map() });
    const own = this.rows.get(row.row);
    if (own.drawn === drawn) return;
    Object.assign(own, { row, drawn });
    for (const one of settingsOf(row)) if (isSet(one, own.drafts.get(one.key))) own.drafts.delete(one.key);
    this.#draw(own);
  }

  #draw(own) {
    const { row, element, drafts } = own;
    const focused = element.contains(document.activeElement) ? document.activeElement.dataset.part : null;
    Object.assign(element.dataset, { row: row.row, on: row.on, differs: differs(row), changed: drafts.size > 0 });
    const head = make("p", "", "name");
    head.append(make("span", markOf({ about: "patient", priority: row.priority }), "mark"), make("b", rowText(row.row)));
    head.append(make("span", say(`alarms.priority.${row.priority}`), "unseen"));
    if (!row.on) head.append(make("span", say("alarms.off_short"), "off"));
    const keys = make("p", "", "row-keys");
    keys.append(key("set", say("limits.set"), () => this.#set(own), drafts.size === 0));
    keys.append(key("undo", say("limits.undo"), () => this.#undo(own), drafts.size === 0));
    keys.append(key("default", say("limits.default"), () => this.#toDefault(own), !differs(row)));
    for (const button of keys.children) button.setAttribute("aria-label", `${button.textContent}, ${rowText(row.row)}`);
    element.replaceChildren(head, ...settingsOf(row).map((one) => this.#setting(own, one)), keys);
    if (focused) element.querySelector(`[data-part="${focused}"]`)?.focus();
  }

  #setting(own, one) {
    const group = make("div", "", "setting");
    const label = `${rowText(own.row.row)}, ${say(`limit.${one.key}`)}`;
    Object.assign(group.dataset, { key: one.key, differs: one.value !== one.default });
    group.append(make("span", say(`limit.${one.key}`), "label"));
    group.append(...(one.key === "on" ? this.#switch(own, one, label) : this.#stepper(own, one, label)));
    const usual = one.key === "on" ? say(one.default ? "limits.on" : "limits.off") : plain(one.default, one.step);
    const marks = [one.value === one.default ? "" : say("limits.differs", { value: usual }), follows(own.row, one)];
    group.append(make("small", marks.filter(Boolean).join(" "), "differs"));
    const proposal = own.drafts.has(one.key) ? own.proposed.get(one.key) : undefined;
    if (proposal) group.append(make("small", ruleOf(proposal, one.step), "proposed"));
    return group;
  }

  #stepper(own, one, label) {
    const shown = own.drafts.get(one.key) ?? plain(one.value, one.step);
    const input = make("input", "");
    Object.assign(input, { type: "text", inputMode: "decimal", value: shown, autocomplete: "off" });
    input.dataset.part = one.key;
    input.setAttribute("aria-label", `${label}, ${unitText(one.unit)}`);
    input.addEventListener("change", () => this.#draft(own, one, input.value.trim().replace(",", ".")));
    const move = (by) => {
      const at = Number(own.drafts.get(one.key) ?? one.value);
      const next = Math.min(one.high, Math.max(one.low, (Number.isFinite(at) ? at : one.value) + by * one.step));
      this.#draft(own, one, plain(next, one.step));
    };
    const less = key(`${one.key}-less`, "−", () => move(-1));
    const more = key(`${one.key}-more`, "+", () => move(1));
    less.setAttribute("aria-label", say("limits.less", { name: label }));
    more.setAttribute("aria-label", say("limits.more", { name: label }));
    const [low, high, step] = [one.low, one.high, one.step].map((value) => plain(value, one.step));
    const unit = one.unit ? ` ${unitText(one.unit)}` : "";
    return [less, input, more, make("small", say("limits.range", { low, high, unit, step }), "range")];
  }

  #switch(own, one, label) {
    const on = (own.drafts.get("on") ?? String(one.value)) === "true";
    const button = key("on", say(on ? "limits.on" : "limits.off"), () => this.#draft(own, one, String(!on)));
    button.setAttribute("aria-pressed", String(on));
    button.setAttribute("aria-label", `${label}: ${button.textContent}`);
    return [button];
  }

  #draft(own, one, text) {
    own.proposed.delete(one.key);
    if (isSet(one, text)) own.drafts.delete(one.key);
    else own.drafts.set(one.key, text);
    this.#draw(own);
  }

  #undo(own) {
    own.drafts.clear();
    this.#draw(own);
  }

  async #set(own) {
    const values = Object.fromEntries([...own.drafts].map(([name, text]) => [`${own.row.row}.${name}`, text]));
    if (await this.#ask(values)) own.drafts.clear();
    this.#draw(own);
  }

  async #toDefault(own) {
    own.drafts.clear();
    await this.#ask(defaults(own.row));
    this.#draw(own);
  }

  async #allToDefault() {
    const rows = [...this.rows.values()].map(({ row }) => row).filter(differs);
    await this.#ask(Object.assign({}, ...rows.map(defaults)));
  }

  // Limits from what is measured now, each as a draft with the rule that made it: shown, and in force when a person sets them.
  async #propose() {
    this.#tell("pending", say("act.pending"));
    let proposed = null;
    try {
      const response = await fetch(`/api/limits?${new URLSearchParams({ bed: facts.bed })}`, { signal: AbortSignal.timeout(GIVE_UP_MS) });
      if (response.ok) ({ proposed } = await response.json());
    } catch {
      // told below
    }
    if (proposed === null) {
      this.#tell("failed", say("act.failed", { reason: say("act.unreachable") }));
      return;
    }
    const changed = new Set();
    for (const proposal of proposed) {
      const own = this.rows.get(proposal.row);
      const one = own && settingsOf(own.row).find(({ key: name }) => name === proposal.key);
      if (!one || proposal.limit === one.value) continue;
      own.drafts.set(one.key, plain(proposal.limit, one.step));
      own.proposed.set(one.key, proposal);
      changed.add(own);
    }
    for (const own of changed) this.#draw(own);
    if (changed.size > 0) this.#reveal([...changed][0].element);
    const none = say(proposed.length > 0 ? "limits.proposed_same" : "limits.proposed_none");
    this.#tell("", changed.size > 0 ? say("limits.proposed", { count: changed.size }) : none);
  }

  // Scrolls the list, or the sheet where that is what scrolls, and nothing around them.
  #reveal(element) {
    const box = this.list.scrollHeight > this.list.clientHeight ? this.list : this.list.parentElement;
    box.scrollTop += element.getBoundingClientRect().top - box.getBoundingClientRect().top;
  }

  async #setAll() {
    const changed = [...this.rows.values()].filter(({ drafts }) => drafts.size > 0);
    const values = changed.flatMap(({ row, drafts }) => [...drafts].map(([name, text]) => [`${row.row}.${name}`, text]));
    if (!(await this.#ask(Object.fromEntries(values)))) return;
    for (const own of changed) {
      own.drafts.clear();
      this.#draw(own);
    }
  }

  async #ask(values) {
    this.#tell("pending", say("act.pending"));
    const reason = await alarmAct(facts.bed, "limits", values);
    const names = [...new Set(Object.keys(values).map((name) => name.split(".")[0]))];
    const what = names.length > SEVERAL ? say("limits.several", { count: names.length }) : names.map(rowText).join(", ");
    if (reason === null) this.#tell("", say("limits.done", { alarm: what }));
    else this.#tell("failed", say("act.failed", { reason }));
    return reason === null;
  }

  #tell(state, text) {
    this.note.dataset.state = state;
    set(this.note, text);
  }
}

const defaults = (row) => {
  const changed = settingsOf(row).filter((one) => one.value !== one.default);
  return Object.fromEntries(changed.map((one) => [`${row.row}.${one.key}`, "default"]));
};

// What is judged by, where another limit has moved it.
function follows(row, one) {
  const force = row.in_force[one.key];
  return force === undefined || force === one.value ? "" : say("limits.in_force", { value: plain(force, one.step) });
}

// How a limit was proposed: "from 75 bpm: 25 % up, between 90 and 160".
function ruleOf({ metric, value, unit, times, plus, least, most }, step) {
  const by = times === 1 ? `${plus > 0 ? "+" : "−"}${Math.abs(plus)}` : `${times > 1 ? "+" : "−"}${Math.round(100 * Math.abs(times - 1))} %`;
  const [low, high] = [least, most].map((edge) => plain(edge, step));
  return say("limits.rule", { name: nameOf(metric), value: quantity(value, unit), by, low, high });
}

const isSet = (one, text) => text === String(one.value) || Number(text) === one.value;

// A number with as many decimals as its step has.
function plain(value, step) {
  const decimals = String(step).split(".")[1]?.length ?? 0;
  return value.toFixed(decimals);
}

function key(name, text, act, disabled = false) {
  const button = make("button", text, "key");
  button.type = "button";
  button.disabled = disabled;
  button.dataset.part = name;
  button.addEventListener("click", act);
  return button;
}

function make(tag, text, name = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (name) element.className = name;
  return element;
}
