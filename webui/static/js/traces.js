// The last minute of every lead of a group of waves, as it came: Int16 rings addressed by sample number, so nothing is allocated
// while streaming. What never came is NO_SIGNAL.

import { NO_SIGNAL } from "./wire.js";

const SECONDS = 60;
const MARKS = 128;

export class Traces {
  constructor() {
    this.leads = [];
    this.connection = null;
    this.rate = 0;
    this.low = 0; // first sample number held
    this.high = 0; // one past the last
    this.marks = []; // beats: { t, label }
    this.newest = { first: 0, t0: 0 };
  }

  // Take a frame (wire.js) of the named leads. Returns true when it began a new segment: older samples are gone.
  push(frame, leads) {
    const began =
      frame.connection !== this.connection ||
      leads.length !== this.leads.length ||
      leads.some((lead, i) => lead !== this.leads[i]) ||
      Math.abs(frame.rate - this.rate) > 0.01 * this.rate ||
      frame.first + frame.n < this.low;
    if (began) this.#begin(frame, leads);
    this.newest = { first: frame.first, t0: frame.t0 };
    this.rate = frame.rate;
    this.scale.set(frame.scale);
    const missing = Math.min(frame.first - this.high, this.capacity);
    for (let i = 0; i < missing; i += 1) this.#blank(frame.first - 1 - i);
    for (let lead = 0; lead < leads.length; lead += 1) {
      const ring = this.rings[lead];
      for (let i = 0; i < frame.n; i += 1) {
        ring[(frame.first + i) % this.capacity] = frame.values[lead * frame.n + i];
      }
    }
    this.high = Math.max(this.high, frame.first + frame.n);
    this.low = Math.max(this.low, this.high - this.capacity);
    return began;
  }

  // A copy of one lead that stays as it is.
  snapshot(lead) {
    const held = new Traces();
    const index = this.indexOf(lead);
    const { connection, rate, low, high, capacity, newest } = this;
    Object.assign(held, { connection, rate, low, high, capacity, newest, marks: [...this.marks] });
    held.leads = index < 0 ? [] : [lead];
    held.rings = held.leads.map(() => this.rings[index].slice());
    held.scale = held.leads.map(() => this.scale[index]);
    return held;
  }

  mark(t, label) {
    this.marks.push({ t, label });
    if (this.marks.length > MARKS) this.marks.shift();
  }

  // Box time (ms) of a sample number, by the newest frame's fit.
  timeOf(sample) {
    return this.newest.t0 + ((sample - this.newest.first) * 1000) / this.rate;
  }

  // The sample number at a box time, fractional.
  sampleAt(t) {
    return this.newest.first + ((t - this.newest.t0) * this.rate) / 1000;
  }

  get end() {
    return this.timeOf(this.high);
  }

  indexOf(lead) {
    return this.leads.indexOf(lead);
  }

  // A sample in its lead's unit (mV of an ECG), NaN where there is nothing.
  value(lead, sample) {
    if (sample < this.low || sample >= this.high) return NaN;
    const count = this.rings[lead][sample % this.capacity];
    return count === NO_SIGNAL ? NaN : (count * this.scale[lead]) / 1000;
  }

  // Smallest and largest of samples [from, to); NaN when there is none.
  extremes(lead, from, to) {
    let [low, high] = [NaN, NaN];
    for (let k = Math.max(from, this.low); k < Math.min(to, this.high); k += 1) {
      const value = this.value(lead, k);
      if (Number.isNaN(value)) continue;
      if (!(value >= low)) low = value;
      if (!(value <= high)) high = value;
    }
    return [low, high];
  }

  // Largest size of samples [from, to); NaN when there is none.
  peak(lead, from, to) {
    let peak = NaN;
    for (let k = Math.max(from, this.low); k < Math.min(to, this.high); k += 1) {
      const size = Math.abs(this.value(lead, k));
      if (!(size <= peak) && !Number.isNaN(size)) peak = size;
    }
    return peak;
  }

  // Whether the last `ms` of a lead hold no sample at all.
  isEmpty(lead, ms) {
    const from = Math.floor(this.high - (ms * this.rate) / 1000);
    return Number.isNaN(this.peak(lead, from, this.high));
  }

  #begin(frame, leads) {
    this.leads = [...leads];
    this.connection = frame.connection;
    this.rate = frame.rate;
    this.low = frame.first;
    this.high = frame.first;
    this.marks = [];
    const capacity = Math.ceil(SECONDS * frame.rate);
    if (capacity !== this.capacity || this.rings.length !== leads.length) {
      this.capacity = capacity;
      this.rings = leads.map(() => new Int16Array(capacity));
    }
    this.scale = new Float32Array(leads.length);
  }

  #blank(sample) {
    for (const ring of this.rings) ring[sample % this.capacity] = NO_SIGNAL;
  }
}
