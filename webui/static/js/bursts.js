// The alarm bursts of IEC 60601-1-8, synthesised as the box does (daemon/signals/bursts.py): 10, 3 or 2 pulses. Pure.
// A pulse's effective length `td` is measured between the 90 % points of its envelope, spaces from 90 % of a fall to 90 %
// of the next rise. All in seconds.

const EDGE = 0.15; // rise time, 10 to 90 %, over td
const LEVELS = [1.0, 0.85, 0.7, 0.6, 0.5, 0.4, 0.4]; // of the fundamental and its harmonics
const C4 = 261.63;
const E4 = 329.63;

function high(td, x, betweenGroups) {
  const group = [x, x, 2 * x + td, x];
  return { td, spaces: [...group, betweenGroups, ...group], notes: Array(10).fill(C4) };
}

export const PATTERNS = {
  high: high(0.15, 0.1, 0.7),
  medium: { td: 0.18, spaces: [0.2, 0.2], notes: [C4, C4, C4] },
  low: { td: 0.18, spaces: [0.2], notes: [E4, C4] },
};

export const REPEAT_S = { high: 8, medium: 20, low: 30 }; // from the end of a burst to the next
export const LOW_REPEATS = 3; // then the picture alone goes on, until a newer alarm

// A raised cosine passes 10 % and 90 % at these shares of its length.
const TO_10 = Math.acos(1 - 2 * 0.1) / Math.PI;
const TO_90 = Math.acos(1 - 2 * 0.9) / Math.PI;

// Float32Array of a priority's burst at `rate` samples a second, peak 1.
export function burst(priority, rate) {
  const { td, spaces, notes } = PATTERNS[priority];
  const edge = (EDGE * td) / (TO_90 - TO_10);
  const length = td + 2 * TO_90 * edge;
  const total = notes.length * td + spaces.reduce((sum, space) => sum + space, 0) + 2 * TO_90 * edge;
  const out = new Float64Array(Math.ceil(total * rate) + 1);
  let at = 0;
  notes.forEach((note, i) => {
    addPulse(out, Math.round(at * rate), note, length, edge, rate);
    at += td + (spaces[i] ?? 0);
  });
  const peak = out.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return Float32Array.from(out, (value) => value / peak);
}

function addPulse(out, first, hz, length, edge, rate) {
  for (let i = 0; i < Math.round(length * rate); i += 1) {
    const t = i / rate;
    const fromEdge = Math.min(t / edge, (length - t) / edge, 1);
    out[first + i] += tone(hz, t) * (0.5 - 0.5 * Math.cos(Math.PI * fromEdge));
  }
}

// A note with its harmonics; the phases (Schroeder 1970) keep its peaks low, so that it may be loud.
function tone(hz, t) {
  let value = 0;
  LEVELS.forEach((level, i) => {
    const k = i + 1;
    value += level * Math.sin(2 * Math.PI * k * hz * t - (Math.PI * k * i) / LEVELS.length);
  });
  return value;
}
