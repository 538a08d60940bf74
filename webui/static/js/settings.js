// How this screen draws a bed: kept on the screen for each bed, never sent to the box.

import { LAYOUTS, ORDERS } from "./layout.js";
import { facts } from "./words.js";
import { preferred } from "./preferred.js";

// What this screen chose stands until something else is set on the page of settings.
const SET = ["layout", "order", "speed", "slow", "gain"];
const basis = JSON.stringify(SET.map((name) => preferred[name] ?? ""));
const KEY = `vitald.display.${facts.bed}`;
const FIRST = JSON.stringify(["3x4", "standard", "25", "6.25", "10"]); // as it comes

export const CHOICES = {
  layout: LAYOUTS,
  order: ORDERS,
  speed: ["12.5", "25", "50"],
  slow: ["6.25", "12.5", "25"],
  gain: ["5", "10", "20", "auto"],
};

function defaults() {
  const narrow = window.matchMedia("(max-width: 700px)").matches;
  const settings = { layout: narrow ? "6x2" : "3x4", order: "standard", speed: "25", slow: "6.25", gain: narrow ? "auto" : "10" };
  const usual = { layout: "3x4", gain: "10" }; // where these are set, a narrow screen keeps its own
  for (const name of SET) if (preferred[name] && preferred[name] !== usual[name]) settings[name] = preferred[name];
  return settings;
}

// The stored settings; what is not one of the choices falls back to the default.
export function load() {
  const settings = defaults();
  let held = {};
  try {
    held = JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    localStorage.removeItem(KEY);
  }
  if ((held.basis ?? FIRST) !== basis) held = {};
  for (const [name, choices] of Object.entries(CHOICES)) {
    if (choices.includes(held[name])) settings[name] = held[name];
  }
  return settings;
}

// Whether anything was ever chosen on this screen.
export const isChosen = () => localStorage.getItem(KEY) !== null;

export function save(settings) {
  localStorage.setItem(KEY, JSON.stringify({ ...settings, basis }));
}
