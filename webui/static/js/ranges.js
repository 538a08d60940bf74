// What range a wave is drawn in: one that holds it, and that changes seldom, so that its height can be read.

const HELD_S = 15; // a range shrinks when a smaller one has held the wave for so long
const ROOM = 1.05;
const FLOW = [15, 30, 60, 90, 120, 180, 240, 320];
const PRESSURE = [5, 10, 20, 30, 40, 60, 80, 160];
const TANK = [50, 100, 200, 300, 400, 650];

// By quantity (frames.Quantity): steps of a range from zero, or of one to both sides; the first one is where it begins.
const STEPPED = {
  flow: { steps: FLOW, begin: 60, both: true },
  airway_pressure: { steps: PRESSURE, begin: 20, both: false },
  tank_pressure: { steps: TANK, begin: 200, both: false },
};

// A range in steps: grows at once, shrinks late.
class SteppedRange {
  constructor({ steps, begin, both }) {
    this.steps = steps;
    this.both = both;
    this.high = begin;
    this.peaks = [];
  }

  get range() {
    return [this.both ? -this.high : 0, this.high];
  }

  // The extremes of another second; whether the range has changed.
  step(low, high) {
    if (Number.isNaN(high)) return false;
    this.peaks = [...this.peaks, Math.max(Math.abs(high), this.both ? Math.abs(low) : 0)].slice(-HELD_S);
    const least = (size) => this.steps.find((step) => step >= ROOM * size) ?? this.steps.at(-1);
    const grown = Math.max(this.high, least(this.peaks.at(-1)));
    const wanted = this.peaks.length < HELD_S ? grown : Math.max(least(this.peaks.at(-1)), least(Math.max(...this.peaks)));
    const changed = wanted !== this.high;
    this.high = wanted;
    return changed;
  }
}

// A range without a unit: the wave fills two thirds of its lane or more.
class FreeRange {
  constructor() {
    this.range = [0, 1];
    this.seconds = [];
  }

  step(low, high) {
    if (Number.isNaN(high)) return false;
    this.seconds = [...this.seconds, [low, high]].slice(-HELD_S);
    const lowest = Math.min(...this.seconds.map(([one]) => one));
    const highest = Math.max(...this.seconds.map(([, one]) => one));
    const span = Math.max(highest - lowest, 1e-9);
    const [bottom, top] = this.range;
    const fits = lowest >= bottom && highest <= top && span >= (top - bottom) / 2;
    if (fits) return false;
    this.range = [lowest - 0.12 * span, highest + 0.12 * span];
    return true;
  }
}

// The range of a wave of this quantity; one with a unit is stepped and its ends are printed.
export const rangeOf = (quantity) => (STEPPED[quantity] ? new SteppedRange(STEPPED[quantity]) : new FreeRange());
export const isPrinted = (quantity) => quantity in STEPPED;
