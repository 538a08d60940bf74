// Automatic gain: standard steps only, one for the limb leads and one for the chest leads (as on paper), always printed.
// Down as soon as two of the last five seconds would be cut off, up only after ten seconds in which the larger step
// would have fitted with room to spare.

export const STEPS = [2.5, 5, 10, 20, 40];
const START = 10;
const START_LARGEST = 20;
const SECONDS = 5;
const FITS = 0.9; // of half the lane's height
const ROOM = 0.65;
const PATIENCE_S = 10;
const QUIET_MV = 0.1; // below this, enlarging would only show noise

// The largest standard gain at which `peak` mV stays inside a lane of twice `halfMm`.
export const largestThatFits = (peak, halfMm) => STEPS.findLast((gain) => peak * gain <= FITS * halfMm) ?? STEPS[0];

// The second largest: one artefact does not change a gain.
const second = (peaks) => [...peaks].sort((a, b) => b - a)[1] ?? 0;

export function groupOf(lead) {
  if (/^V[1-9]R?$/.test(lead)) return "chest";
  return /^(I|II|III|aV[RLF])$/.test(lead) ? "limb" : lead;
}

export class AutoGain {
  constructor() {
    this.groups = new Map();
  }

  of(lead) {
    return this.groups.get(groupOf(lead))?.gain ?? START;
  }

  // [name of a group, its gain] of all groups that `leads` belong to.
  groupsOf(leads) {
    return [...new Set(leads.map(groupOf))].map((group) => [group, this.groups.get(group)?.gain ?? START]);
  }

  // Lanes have another height: what fits them now, at once.
  refit(halfMm) {
    for (const held of this.groups.values()) {
      const peak = second(held.peaks);
      if (peak >= QUIET_MV) held.gain = Math.min(START_LARGEST, largestThatFits(peak, halfMm));
      held.roomy = 0;
    }
  }

  // One second has passed: `peaks` largest |mV| of it by lead (NaN: none), `halfMm` half of a lane's height in mm.
  // Returns true when a gain changed.
  step(peaks, halfMm) {
    const largest = new Map();
    for (const [lead, peak] of peaks) {
      if (Number.isNaN(peak)) continue;
      const group = groupOf(lead);
      largest.set(group, Math.max(peak, largest.get(group) ?? 0));
    }
    let changed = false;
    for (const [group, peak] of largest) changed = this.#stepGroup(group, peak, halfMm) || changed;
    return changed;
  }

  #stepGroup(group, peak, halfMm) {
    let held = this.groups.get(group);
    const before = held?.gain ?? START;
    if (!held) {
      const gain = peak < QUIET_MV ? START : Math.min(START_LARGEST, largestThatFits(peak, halfMm));
      held = { gain, peaks: [], roomy: 0 };
      this.groups.set(group, held);
    }
    held.peaks = [...held.peaks.slice(1 - SECONDS), peak];
    const next = STEPS[STEPS.indexOf(held.gain) + 1];
    if (second(held.peaks) * held.gain > halfMm) {
      held.gain = Math.min(held.gain, largestThatFits(second(held.peaks), halfMm));
      held.roomy = 0;
    } else if (next !== undefined && peak >= QUIET_MV && peak * next <= ROOM * halfMm) {
      held.roomy += 1;
      if (held.roomy >= PATIENCE_S) {
        held.gain = next;
        held.roomy = 0;
      }
    } else {
      held.roomy = 0;
    }
    return held.gain !== before;
  }
}
