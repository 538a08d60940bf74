// One lead over the whole stage, on millimetre paper, live or frozen, with calipers. A frozen picture is drawn from a copy
// of its samples and stays, whatever happens to the screen or the stream.

import { Calipers } from "./calipers.js";
import { caption } from "./caption.js";
import { single, titleOf } from "./layout.js";
import { largestThatFits } from "./gain.js";
import { paper } from "./grid.js";
import { say } from "./words.js";
import { Sweep } from "./sweep.js";
import { fit } from "./stage.js";
import { set } from "./tiles.js";

const LOOK_BACK_MS = 5000;
const LEAST_MV = 0.5; // a flat line is not blown up

export class Enlarged {
  // `chain()`: the display filters now; `onClose(lead)` after it was closed.
  constructor(element, traces, settings, { chain, onClose }) {
    this.element = element;
    this.traces = traces;
    this.settings = settings;
    this.chain = chain;
    this.onClose = onClose;
    this.frozen = null; // { pen, traces, chain } of a frozen picture
    this.canvas = element.querySelector("canvas");
    this.calipers = new Calipers(element.querySelector(".calipers"), element.querySelector(".readout"), element, () => this.#beats());
    this.freezeKey = element.querySelector(".freeze");
    this.sweep = new Sweep(this.canvas, (context, x, y, w, h) => context.drawImage(this.paper, x, y, w, h, x, y, w, h));
    this.freezeKey.addEventListener("click", () => this.#freeze(this.frozen === null));
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
    this.#freeze(false);
    this.element.querySelector(".back").focus();
  }

  close() {
    this.element.hidden = true;
    this.frozen = null;
    this.onClose(this.lead);
  }

  // The next frame draws everything anew.
  invalidate() {
    this.dirty = true;
  }

  frame({ pen, jumped }) {
    const { traces } = this.frozen ?? this;
    this.pen = this.frozen?.pen ?? pen;
    if (this.dirty) this.#lay();
    if (this.dirty || (jumped && !this.frozen)) this.sweep.repaint(this.pen, traces);
    else if (!this.frozen) this.sweep.draw(this.pen, traces);
    this.dirty = false;
  }

  #freeze(frozen) {
    this.frozen = frozen ? { pen: this.pen, traces: this.traces.snapshot(this.lead), chain: this.chain() } : null;
    this.freezeKey.setAttribute("aria-pressed", String(frozen));
    set(this.freezeKey, say(frozen ? "key.live" : "key.freeze"));
    this.element.dataset.frozen = String(frozen);
    this.invalidate();
  }

  // The largest standard gain at which the last seconds fit.
  #gain(traces, halfMm) {
    const index = traces.indexOf(this.lead);
    const sample = (t) => Math.floor(traces.sampleAt(t));
    const peak = index < 0 ? NaN : traces.peak(index, sample(this.pen - LOOK_BACK_MS), sample(this.pen));
    return largestThatFits(Math.max(LEAST_MV, peak || 0), halfMm);
  }

  // A frozen picture runs from the oldest sample at the left to the newest at the right, without a gap.
  #lay() {
    const { traces } = this.frozen ?? this;
    const { ratio, pxPerMm, gutter } = fit(this.canvas);
    const { width, height } = this.canvas;
    const gain = this.#gain(traces, height / 2 / pxPerMm);
    const speed = Number(this.settings.speed);
    set(this.element.querySelector("h2"), titleOf(this.lead, this.settings.order));
    const lanes = single(this.lead, width, height, gutter, this.settings.order).map((lane) => ({ ...lane, gain, marks: true }));
    const pxPerMs = (speed * pxPerMm) / 1000;
    const origin = this.frozen ? this.pen - lanes[0].w / pxPerMs : 0;
    this.paper = paper(width, height, lanes[0].x0, height / 2, pxPerMm);
    this.sweep.arrange(lanes, { ratio, pxPerMm, speed, origin }, this.frozen ? 0 : undefined);
    const chain = this.frozen?.chain ?? this.chain();
    set(this.element.querySelector(".scale"), caption(speed, say("wave.gain", { gain: String(gain) }), chain));
    this.calipers.show({
      width: width / ratio,
      height: height / ratio,
      pxPerMs: pxPerMs / ratio,
      pxPerMv: (gain * pxPerMm) / ratio,
      pxPerMm: pxPerMm / ratio,
      sampleMs: traces.rate > 0 ? 1000 / traces.rate : 1,
    });
  }

  // Places of the beats in view, CSS px: as they will be drawn, where the next frame has yet to come.
  #beats() {
    if (this.dirty) this.frame({ pen: this.pen, jumped: false });
    const { traces } = this.frozen ?? this;
    const { lanes: [lane], scale, pxPerMs } = this.sweep;
    const oldest = this.pen - (lane.w - lane.gap) / pxPerMs;
    return traces.marks.filter(({ t }) => t > oldest && t < this.pen).map(({ t }) => this.sweep.x(lane, t) / scale.ratio);
  }
}
