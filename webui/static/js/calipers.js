// Two time lines and two voltage lines over an enlarged lead. Each is a slider: dragged, moved by a tap once chosen, or by
// the arrow keys one sample at a time (voltage: a tenth of a millimetre).

import { say } from "./words.js";
import { set } from "./tiles.js";

const STEP_MM = 0.1;
const LARGE_STEP = 10;

export class Calipers {
  // `element` covers the wave; it has four .caliper (data-axis "x" or "y") and the outputs are in `readout`.
  constructor(element, readout) {
    this.element = element;
    this.readout = readout;
    this.lines = [...element.querySelectorAll(".caliper")];
    this.chosen = this.lines[0];
    for (const line of this.lines) {
      line.addEventListener("pointerdown", (event) => this.#grab(line, event));
      line.addEventListener("focus", () => this.#choose(line));
      line.addEventListener("keydown", (event) => this.#key(line, event));
    }
    element.addEventListener("pointerup", (event) => {
      if (event.target === element) this.#move(this.chosen, this.#at(this.chosen, event));
    });
  }

  // `scale`: { width, height (CSS px), pxPerMs, pxPerMv, pxPerMm (CSS px), sampleMs }. Lines keep their places.
  show(scale) {
    const first = !this.scale;
    this.scale = scale;
    for (const line of this.lines) {
      const size = this.#size(line);
      this.#move(line, first ? Number(line.dataset.start) * size : Number(line.dataset.at));
    }
    this.#choose(this.chosen);
  }

  #size(line) {
    return line.dataset.axis === "x" ? this.scale.width : this.scale.height;
  }

  #at(line, event) {
    const box = this.element.getBoundingClientRect();
    return line.dataset.axis === "x" ? event.clientX - box.left : event.clientY - box.top;
  }

  #choose(line) {
    this.chosen = line;
    for (const other of this.lines) other.dataset.chosen = String(other === line);
  }

  #grab(line, event) {
    this.#choose(line);
    line.setPointerCapture(event.pointerId);
    const grip = this.#at(line, event) - Number(line.dataset.at);
    const drag = (move) => this.#move(line, this.#at(line, move) - grip);
    line.addEventListener("pointermove", drag);
    line.addEventListener("lostpointercapture", () => line.removeEventListener("pointermove", drag), { once: true });
  }

  #key(line, event) {
    const back = ["ArrowLeft", "ArrowDown"].includes(event.key);
    if (!back && !["ArrowRight", "ArrowUp"].includes(event.key)) return;
    event.preventDefault();
    const { pxPerMs, sampleMs, pxPerMm } = this.scale;
    const step = (line.dataset.axis === "x" ? sampleMs * pxPerMs : STEP_MM * pxPerMm) * (event.shiftKey ? LARGE_STEP : 1);
    // Up is more millivolts, that is a smaller y.
    const sign = (back ? -1 : 1) * (line.dataset.axis === "x" ? 1 : -1);
    this.#move(line, Number(line.dataset.at) + sign * step);
  }

  #move(line, to) {
    const size = this.#size(line);
    const at = Math.min(size, Math.max(0, to));
    line.dataset.at = at;
    line.style.setProperty("--at", `${at}px`);
    const value = line.dataset.axis === "x" ? at / this.scale.pxPerMs : (this.scale.height / 2 - at) / this.scale.pxPerMv;
    line.setAttribute("aria-valuemin", line.dataset.axis === "x" ? 0 : (-size / 2 / this.scale.pxPerMv).toFixed(2));
    line.setAttribute("aria-valuemax", (line.dataset.axis === "x" ? size / this.scale.pxPerMs : size / 2 / this.scale.pxPerMv).toFixed(2));
    line.setAttribute("aria-valuenow", value.toFixed(2));
    line.setAttribute("aria-valuetext", line.dataset.axis === "x" ? `${value.toFixed(0)} ms` : `${value.toFixed(2)} mV`);
    this.#read();
  }

  #read() {
    const [a, b, c, d] = this.lines.map((line) => Number(line.dataset.at));
    const ms = Math.abs(b - a) / this.scale.pxPerMs;
    const mv = Math.abs(d - c) / this.scale.pxPerMv;
    set(this.readout.querySelector(".interval"), say("calipers.interval", { ms: ms.toFixed(0) }));
    set(this.readout.querySelector(".rate"), say("calipers.rate", { bpm: ms > 0 ? (60_000 / ms).toFixed(0) : "--" }));
    set(this.readout.querySelector(".amplitude"), say("calipers.amplitude", { mv: mv.toFixed(2) }));
  }
}
