// One lead over the whole stage, on millimetre paper, live or frozen, with calipers.

import { Calipers } from "./calipers.js";
import { single } from "./layout.js";
import { largestThatFits } from "./gain.js";
import { paper } from "./grid.js";
import { say } from "./words.js";
import { Sweep } from "./sweep.js";
import { fit } from "./stage.js";
import { set } from "./tiles.js";

const LOOK_BACK_MS = 5000;
const LEAST_MV = 0.5; // a flat line is not blown up

export class Enlarged {
  // `onClose(lead)` after it was closed.
  constructor(element, traces, settings, onClose) {
    this.element = element;
    this.traces = traces;
    this.settings = settings;
    this.onClose = onClose;
    this.canvas = element.querySelector("canvas");
    this.calipers = new Calipers(element.querySelector(".calipers"), element.querySelector(".readout"));
    this.freezeKey = element.querySelector(".freeze");
    this.sweep = new Sweep(this.canvas, (context, x, y, w, h) => context.drawImage(this.paper, x, y, w, h, x, y, w, h));
    this.freezeKey.addEventListener("click", () => this.#freeze(!this.frozen));
    element.querySelector(".back").addEventListener("click", () => this.close());
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
    new ResizeObserver(() => this.invalidate()).observe(this.canvas.parentElement);
  }

  get open() {
    return !this.element.hidden;
  }

  show(lead) {
    this.lead = lead;
    this.element.hidden = false;
    this.element.dataset.lead = lead;
    set(this.element.querySelector("h2"), lead);
    this.#freeze(false);
    this.element.querySelector(".back").focus();
  }

  close() {
    this.element.hidden = true;
    this.onClose(this.lead);
  }

  // The next frame draws everything anew; a frozen picture goes on, since its samples may be gone.
  invalidate() {
    if (this.open) this.#freeze(false);
  }

  frame({ pen, jumped }) {
    if (this.wanted) {
      this.#lay(pen, this.wanted === "frozen");
      this.sweep.repaint(pen, this.traces);
      this.frozen = this.wanted === "frozen";
      this.wanted = null;
    } else if (!this.frozen) {
      if (jumped) this.sweep.repaint(pen, this.traces);
      else this.sweep.draw(pen, this.traces);
    }
  }

  #freeze(frozen) {
    this.wanted = frozen ? "frozen" : "live";
    this.frozen = frozen;
    this.freezeKey.setAttribute("aria-pressed", String(frozen));
    set(this.freezeKey, say(frozen ? "key.live" : "key.freeze"));
    this.element.dataset.frozen = String(frozen);
  }

  // The largest standard gain at which the last seconds fit.
  #gain(pen, halfMm) {
    const index = this.traces.indexOf(this.lead);
    const sample = (t) => Math.floor(this.traces.sampleAt(t));
    const peak = index < 0 ? NaN : this.traces.peak(index, sample(pen - LOOK_BACK_MS), sample(pen));
    return largestThatFits(Math.max(LEAST_MV, peak || 0), halfMm);
  }

  // A frozen picture runs from the oldest sample at the left to the newest at the right, without a gap.
  #lay(pen, frozen) {
    const { ratio, pxPerMm } = fit(this.canvas);
    const { width, height } = this.canvas;
    const gain = this.#gain(pen, height / 2 / pxPerMm);
    const speed = Number(this.settings.speed);
    const lanes = single(this.lead, width, height, pxPerMm).map((lane) => ({ ...lane, gain, marks: true }));
    const pxPerMs = (speed * pxPerMm) / 1000;
    const origin = frozen ? pen - lanes[0].w / pxPerMs : 0;
    this.paper = paper(width, height, lanes[0].x0, height / 2, pxPerMm);
    this.sweep.arrange(lanes, { ratio, pxPerMm, speed, origin }, frozen ? 0 : undefined);
    set(this.element.querySelector(".scale"), `${say("wave.speed", { speed })} · ${say("wave.gain", { gain: String(gain) })}`);
    this.calipers.show({
      width: width / ratio,
      height: height / ratio,
      pxPerMs: pxPerMs / ratio,
      pxPerMv: (gain * pxPerMm) / ratio,
      pxPerMm: pxPerMm / ratio,
      sampleMs: this.traces.rate > 0 ? 1000 / this.traces.rate : 1,
    });
  }
}
