// The interpretation of twelve leads: statements in words, each with the criteria that fired. Unconfirmed, always said so.

import { nameOf, quantity, reasonText } from "./numbers.js";
import { say } from "./words.js";
import { set } from "./tiles.js";
import { whenText } from "./times.js";

const RELATIONS = { ">=": "≥", "<=": "≤", ">": ">", "<": "<" };

export class Conclusions {
  // `element` has .as-of and a <ul>.
  constructor(element) {
    this.element = element;
    this.list = element.querySelector("ul");
    this.asOf = element.querySelector(".as-of");
    this.drawn = "";
  }

  show(conclusions, utcOf, utcNow) {
    set(this.asOf, conclusions ? say("ecg.as_of", { time: whenText(utcOf(conclusions.t_ns), utcNow) }) : "");
    const drawn = JSON.stringify(conclusions);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const statements = conclusions?.statements.map(statement) ?? [make("li", say("ecg.no_conclusions"))];
    this.list.replaceChildren(...statements);
  }
}

function statement({ key, criteria, absent }) {
  const item = make("li", "");
  item.dataset.key = key;
  const list = make("ul", "", "criteria");
  list.append(
    ...criteria.map((one) => make("li", criterionText(one))),
    ...absent.map(([name, why]) => make("li", say("ecg.absent", { name: nameOf(name), why: reasonText(why) }))),
  );
  item.append(make("b", say(`statement.${key}`, {}, key.replaceAll("_", " "))), list);
  return item;
}

export function criterionText({ name, lead, value, unit, relation, limit }) {
  const values = { name: nameOf(name, lead), value: quantity(value, unit) };
  if (limit === null) return say("ecg.criterion", values);
  return say("ecg.criterion_limit", { ...values, relation: RELATIONS[relation] ?? relation, limit: quantity(limit, unit) });
}

function make(tag, text, name = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (name) element.className = name;
  return element;
}
