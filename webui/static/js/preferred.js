// What is set for whoever looks at this page (webui/preferences.py); and values in the units that are chosen.

import { facts } from "./words.js";

export const preferred = facts.preferred ?? {};

const AIRWAY = { cmH2O: 1, mbar: 1 / 0.980665, hPa: 1 / 0.980665 }; // in cmH2O
const KPA_PER_MMHG = 0.133322;

// [value, unit, further decimals] of a quantity as it is shown; what no choice speaks of stays as it is.
export function inChosenUnit(value, unit) {
  const { airway_pressure: airway, gas_pressure: gas, temperature } = preferred;
  if (airway && AIRWAY[unit] && airway !== unit) return [(value * AIRWAY[unit]) / AIRWAY[airway], airway, 0];
  if (gas === "kPa" && unit === "mmHg") return [value * KPA_PER_MMHG, "kPa", 1];
  if (temperature === "degF" && unit === "degC") return [value * 1.8 + 32, "degF", 0];
  return [value, unit, 0];
}
