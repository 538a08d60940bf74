// Two time lines and two voltage lines over an enlarged lead. Each is a slider: dragged, moved by a tap once chosen, or by
// the arrow keys one sample at a time (voltage: a tenth of a millimetre). They stand at times and voltages, not at
// pixels, so that they stay on what they measure when the screen changes.

import { say } from "./words.js";
import { set } from "./tiles.js";

const STEP_MM = 0.1;
const LARGE_STEP = 10;
const NARROWEST_PX = 4; // repeats closer than this are a grey field

export class Calipers {
  // `element` covers the wave; it has four .caliper (data-axis "x" or "y") and a .march; the outputs are in `readout`,
  // the keys .snap and .repeat in `keys`. `beats()` gives the places of the marked beats in view, in CSS px.
  constructor(element, readout, keys, beats) {
    this.element = element;
    this.readout = readout;
    this.beats = beats;
    this.lines = [...element.querySelectorAll(".caliper")].map((line) => new Line(line));
    this.march = element.querySelector(".march");
    this.repeatKey = keys.querySelector(".repeat");
    this.chosen = this.lines[0];
    for (const line of this.lines) {
      line.element.addEventListener("pointerdown", (event) => this.#grab(line, event));
      line.element.addEventListener("focus", () => this.#choose(line));
      line.element.addEventListener("keydown", (event) => this.#key(line, event));
    }
    element.addEventListener("pointerup", (event) => {
      if (event.target !== element) return;
      this.#move(this.chosen, this.#at(this.chosen, event));
      this.chosen.element.focus();
    });
    keys.querySelector(".snap").addEventListener("click", () => this.#snap());
    this.repeatKey.addEventListener("click", () => this.#repeat(this.march.hidden));
  }

  // `scale`: { width, height (CSS px), pxPerMs, pxPerMv, pxPerMm (CSS px), sampleMs }.
  show(scale) {
    this.scale = scale;
    for (const line of this.lines) line.show(scale);
    this.#choose(this.chosen);
    this.#read();
  }

  #at(line, event) {
    const box = this.element.getBoundingClientRect();
    return line.isTime ? event.clientX - box.left : event.clientY - box.top;
  }

  #choose(line) {
    this.chosen = line;
    for (const other of this.lines) other.element.dataset.chosen = String(other === line);
  }

  #grab(line, event) {
    this.#choose(line);
    line.element.setPointerCapture(event.pointerId);
    const grip = this.#at(line, event) - line.at;
    const drag = (move) => this.#move(line, this.#at(line, move) - grip);
    line.element.addEventListener("pointermove", drag);
    line.element.addEventListener("lostpointercapture", () => line.element.removeEventListener("pointermove", drag), { once: true });
  }

  #key(line, event) {
    const back = ["ArrowLeft", "ArrowDown"].includes(event.key);
    if (!back && !["ArrowRight", "ArrowUp"].includes(event.key)) return;
    event.preventDefault();
    const { pxPerMs, sampleMs, pxPerMm } = this.scale;
    const step = (line.isTime ? sampleMs * pxPerMs : STEP_MM * pxPerMm) * (event.shiftKey ? LARGE_STEP : 1);
    // Up is more millivolts, that is a smaller y.
    this.#move(line, line.at + (back === line.isTime ? -step : step));
  }

  #move(line, to) {
    line.move(to);
    this.#read();
  }

  // Each time line goes to the beat nearest to it; two lines never to the same one.
  #snap() {
    const beats = this.beats();
    for (const line of this.lines.filter(({ isTime }) => isTime)) {
      if (beats.length === 0) return;
      const nearest = beats.reduce((best, x) => (Math.abs(x - line.at) < Math.abs(best - line.at) ? x : best));
      beats.splice(beats.indexOf(nearest), 1);
      this.#move(line, nearest);
    }
  }

  // The interval repeated over the whole width: does the rhythm march with it?
  #repeat(on) {
    this.march.hidden = !on;
    this.repeatKey.setAttribute("aria-pressed", String(on));
    this.#read();
  }

  #read() {
    const [a, b, c, d] = this.lines.map(({ at }) => at);
    const ms = Math.abs(b - a) / this.scale.pxPerMs;
    const mv = Math.abs(d - c) / this.scale.pxPerMv;
    set(this.readout.querySelector(".interval"), say("calipers.interval", { ms: ms.toFixed(0) }));
    set(this.readout.querySelector(".rate"), say("calipers.rate", { bpm: ms > 0 ? (60_000 / ms).toFixed(0) : "--" }));
    set(this.readout.querySelector(".amplitude"), say("calipers.amplitude", { mv: mv.toFixed(2) }));
    this.march.style.setProperty("--from", `${a}px`);
    this.march.style.setProperty("--step", `${Math.abs(b - a)}px`);
    this.march.style.setProperty("--shown", Math.abs(b - a) < NARROWEST_PX ? 0 : 1);
  }
}

// One line. Its value is ms before the right edge (negative) or mV from the middle, its place CSS px from left or top.
class Line {
  constructor(element) {
    this.element = element;
    this.isTime = element.dataset.axis === "x";
    this.value = null;
  }

  get #size() {
    return this.isTime ? this.scale.width : this.scale.height;
  }

  get #unit() {
    return this.isTime ? this.scale.pxPerMs : -this.scale.pxPerMv;
  }

  get #zero() {
    return this.isTime ? this.scale.width : this.scale.height / 2;
  }

  get at() {
    return Math.min(this.#size, Math.max(0, this.#zero + this.value * this.#unit));
  }

  show(scale) {
    this.scale = scale;
    this.move(this.value === null ? Number(this.element.dataset.start) * this.#size : this.at);
  }

  move(to) {
    const valueAt = (px) => (px - this.#zero) / this.#unit;
    const [low, high] = [valueAt(0), valueAt(this.#size)].sort((x, y) => x - y);
    this.value = Math.min(high, Math.max(low, valueAt(to)));
    const { element } = this;
    element.dataset.at = this.at;
    element.style.setProperty("--at", `${this.at}px`);
    element.setAttribute("aria-valuemin", low.toFixed(2));
    element.setAttribute("aria-valuemax", high.toFixed(2));
    element.setAttribute("aria-valuenow", this.value.toFixed(3));
    element.setAttribute("aria-valuetext", this.isTime ? `${this.value.toFixed(0)} ms` : `${this.value.toFixed(2)} mV`);
  }
}
