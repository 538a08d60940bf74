// Numbers as people read them, and how long each may stand without being said again.

import { facts, has, say } from "./words.js";

const SELDOM_MS = 90000;
const SIGNED = new Set(["mV", "mV/s"]);

// How long a number lives without being said again, ms.
export const livesOf = (name) => facts.numbers[name]?.lives ?? SELDOM_MS;

// A value of a unit: "0.12"; with a sign where up and down mean something. `decimals` where they are not those of the unit.
export function valueText(value, unit, decimals = undefined) {
  const plain = ["", "1"].includes(unit) && !Number.isInteger(value) ? 2 : 0;
  const text = Math.abs(value).toFixed(decimals ?? facts.decimals[unit] ?? plain);
  const zero = Number(text) === 0;
  const sign = value < 0 && !zero ? "−" : SIGNED.has(unit) && !zero ? "+" : "";
  return sign + text;
}

export const unitText = (unit) => say(`unit.${unit}`, {}, unit);

// A value with its unit: "−0.12 mV", "12°".
export function quantity(value, unit, decimals = undefined) {
  const symbol = unitText(unit);
  return valueText(value, unit, decimals) + (symbol && symbol !== "°" ? " " : "") + symbol;
}

// What a number is called; "st_j.V2" is that of a lead. Without words the name itself, readable.
export function nameOf(name, lead = "") {
  const [own, of = lead] = name.split(".");
  const key = `number.${own}`;
  const text = has(key) ? say(key) : own.replaceAll("_", " ");
  return of ? say("number.in_lead", { name: text, lead: of }) : text;
}

// Why there is no number: the word of its reason.
export const reasonText = (why) => (has(`why.${why}`) ? say(`why.${why}`) : say("why.no_signal"));
