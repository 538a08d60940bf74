// The sweep: a fixed trace with a gap running across it that erases ahead. Only what is new is drawn; x is the time of
// the sample and nothing else, so a trace is the same however its frames arrived, and what comes late is drawn where
// it belongs unless the gap has come round.

import { preferred } from "./preferred.js";

const GAP_MM = 7;
const TRACES = { blue: "#8ab8ff", white: "#f2f5f7", violet: "#c9a6ff" }; // base.css has the same
const LINE = 1.5; // CSS px
export const MARK_MM = 1.6; // size of a beat's mark, at the top of its lane
const BAR = 6; // CSS px from the sweep to the calibration bar left of it
const SERIF = 3.5;
export const PLAIN = new Set(["N", "Q"]);
export const LETTERS = { "/": "P" }; // of classes that WFDB has no letter for

const modulo = (a, b) => ((a % b) + b) % b;

export const COLOURS = {
  ground: "#000000",
  trace: TRACES[preferred.ecg_colour] ?? "#35e27f",
  calibration: "#b9c4cf",
  beat: "#f2f5f7",
  clipped: "#ffb454",
};

export class Sweep {
  // `background(context, x, y, w, h)` repaints a rectangle of what lies under the trace; plain ground if absent.
  constructor(canvas, background = null) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.background = background ?? ((context, x, y, w, h) => this.#ground(context, x, y, w, h));
    this.lanes = [];
    this.samplesDrawn = 0;
    this.turn = 0;
  }

  // Set up: `lanes` of layout.js with `gain` (mm/mV) and `marks` (whether beats are marked), or with `range` (what fills the
  // lane: [low, high] in its unit) and `colour`; `scale` { pxPerMm, speed (mm/s), ratio, origin (a box time that falls on the
  // left edge) } with device pixels per mm; `gapMm` wide is the gap. The canvas must have its size. `repaint` follows.
  arrange(lanes, scale, gapMm = GAP_MM) {
    this.scale = scale;
    this.pxPerMs = (scale.speed * scale.pxPerMm) / 1000;
    const gap = Math.round(gapMm * scale.pxPerMm);
    this.line = Math.max(1, LINE * scale.ratio);
    this.markSize = MARK_MM * scale.pxPerMm;
    this.columns = Math.max(0, ...lanes.map((lane) => lane.column)) + 1;
    this.lanes = lanes.map((lane) => ({
      ...lane,
      gap: Math.min(gap, Math.floor(lane.w / 4)),
      pxPerUnit: lane.range ? (lane.h - 4 * this.line) / (lane.range[1] - lane.range[0]) : lane.gain * scale.pxPerMm,
      middle: lane.range ? (lane.range[0] + lane.range[1]) / 2 : 0,
      next: 0, // number of the next sample to draw
      erased: 0, // phase up to which the lane is clear
      marked: -Infinity, // time of the last beat marked
    }));
  }

  // x of a box time in a lane.
  x(lane, t) {
    return lane.x0 + modulo(this.#phase(t), lane.w);
  }

  // y of a value in a lane, kept inside it.
  y(lane, value) {
    const y = lane.y0 + lane.h / 2 - (value - lane.middle) * lane.pxPerUnit;
    return Math.min(this.bottom(lane), Math.max(this.top(lane), y));
  }

  // Where beats are marked, the wave stays below the marks.
  top(lane) {
    return lane.y0 + this.line + (lane.marks ? this.markSize + 1 : 0);
  }

  bottom(lane) {
    return lane.y0 + lane.h - this.line;
  }

  // Draw up to box time `pen`. Where there are many columns at a high pixel ratio, one of them a frame in turn:
  // what costs is the union of the damaged rectangles.
  draw(pen, traces) {
    const inTurn = this.scale.ratio >= 2 && this.columns > 2;
    this.turn = (this.turn + 1) % this.columns;
    for (const lane of this.lanes) {
      if (inTurn && lane.column !== this.turn) continue;
      this.#erase(lane, pen);
      this.#stroke(lane, pen, traces);
      if (lane.marks) this.#mark(lane, pen, traces);
    }
  }

  // Draw everything anew: after a resize, another layout or gain, a jump in time.
  repaint(pen, traces) {
    this.background(this.context, 0, 0, this.canvas.width, this.canvas.height);
    for (const lane of this.lanes) {
      if (lane.range) this.#rule(lane);
      else this.#calibrate(lane);
      // The oldest sample's round end reaches back into the gap: the next erasure takes it along.
      lane.erased = Math.floor(this.#phase(pen)) + lane.gap - Math.ceil(this.line);
      lane.next = traces ? Math.ceil(traces.sampleAt(this.#oldest(lane, pen))) : 0;
      lane.marked = -Infinity;
      if (!traces) continue;
      this.#stroke(lane, pen, traces);
      if (lane.marks) this.#mark(lane, pen, traces);
    }
  }

  // Box time of the oldest sample still on the screen.
  #oldest(lane, pen) {
    return pen - (lane.w - lane.gap) / this.pxPerMs;
  }

  // Pixels the pen has run since the origin of time.
  #phase(t) {
    return (t - this.scale.origin) * this.pxPerMs;
  }

  #ground(context, x, y, w, h) {
    context.fillStyle = COLOURS.ground;
    context.fillRect(x, y, w, h);
  }

  #erase(lane, pen) {
    const head = Math.floor(this.#phase(pen)) + lane.gap;
    let from = Math.max(lane.erased, head - lane.w);
    while (from < head) {
      const at = modulo(from, lane.w);
      const width = Math.min(head - from, lane.w - at);
      // A round line end reaches over the edges of its lane: clean there too.
      const left = at === 0 ? this.line : 0;
      const right = at + width === lane.w ? this.line : 0;
      this.background(this.context, lane.x0 + at - left, lane.y0, width + left + right, lane.h);
      from += width;
    }
    lane.erased = Math.max(lane.erased, head);
  }

  #stroke(lane, pen, traces) {
    const index = traces.indexOf(lane.lead);
    if (index < 0) return;
    const { context } = this;
    const oldest = Math.ceil(traces.sampleAt(this.#oldest(lane, pen)));
    const last = Math.min(traces.high - 1, Math.floor(traces.sampleAt(pen)));
    const start = Math.max(lane.next, oldest, traces.low);
    if (start > last) return;
    const clipped = [];
    let down = false;
    let before = Infinity;
    context.strokeStyle = lane.colour ?? COLOURS.trace;
    context.lineWidth = this.line;
    context.lineCap = "round";
    context.lineJoin = "round";
    context.beginPath();
    // From the sample before, so that pieces join; never over a gap, never back over the wrap.
    for (let k = Math.max(start - 1, oldest, traces.low); k <= last; k += 1) {
      const mv = traces.value(index, k);
      if (Number.isNaN(mv)) {
        down = false;
        continue;
      }
      const x = this.x(lane, traces.timeOf(k));
      const y = this.y(lane, lane.inverted ? -mv : mv);
      if (y === this.top(lane) || y === this.bottom(lane)) clipped.push(x, y);
      if (down && x >= before) context.lineTo(x, y);
      else context.moveTo(x, y);
      down = true;
      before = x;
      if (k >= start) this.samplesDrawn += 1;
    }
    context.stroke();
    lane.next = last + 1;
    this.#markClipped(lane, clipped);
  }

  #markClipped(lane, clipped) {
    if (clipped.length === 0) return;
    const size = 2 * this.line;
    this.context.fillStyle = COLOURS.clipped;
    for (let i = 0; i < clipped.length; i += 2) {
      const y = clipped[i + 1] === this.top(lane) ? this.top(lane) - this.line : lane.y0 + lane.h - size;
      const x = Math.min(clipped[i], lane.x0 + lane.w - this.line);
      this.context.fillRect(x, y, this.line, size);
    }
  }

  // A tick over each beat that was counted; its class beside it where it is known and not normal.
  #mark(lane, pen, traces) {
    const oldest = this.#oldest(lane, pen);
    const { context } = this;
    const size = this.markSize;
    for (const { t, label } of traces.marks) {
      if (t <= Math.max(lane.marked, oldest) || t > pen) continue;
      const x = Math.min(lane.x0 + lane.w - size / 2, Math.max(lane.x0 + size / 2, this.x(lane, t)));
      context.fillStyle = COLOURS.beat;
      context.beginPath();
      context.moveTo(x - size / 2, lane.y0 + 1);
      context.lineTo(x + size / 2, lane.y0 + 1);
      context.lineTo(x, lane.y0 + 1 + size);
      context.fill();
      if (label === "/") context.fillRect(x - 1.5 * size, lane.y0 + 1, this.line, 2 * size); // the pacemaker's pulse
      if (!PLAIN.has(label) && x + 3 * size < lane.x0 + lane.w) {
        context.font = `600 ${Math.round(2 * size)}px sans-serif`;
        context.textBaseline = "top";
        context.fillText(LETTERS[label] ?? label, x + size, lane.y0 + 1);
      }
      lane.marked = t;
    }
  }

  // The ruler of a range in the lane's gutter: its ends, and its zero where that lies between them.
  #rule(lane) {
    const { context } = this;
    const [low, high] = lane.range;
    const x = lane.x0 - BAR * this.scale.ratio;
    const tick = SERIF * this.scale.ratio;
    context.strokeStyle = COLOURS.calibration;
    context.lineWidth = Math.max(1, this.scale.ratio);
    context.lineCap = "butt";
    context.beginPath();
    context.moveTo(x, this.y(lane, low));
    context.lineTo(x, this.y(lane, high));
    for (const value of [low, high, ...(low < 0 && high > 0 ? [0] : [])]) {
      context.moveTo(x - tick, this.y(lane, value));
      context.lineTo(x + tick, this.y(lane, value));
    }
    context.stroke();
  }

  // The 1 mV bar in the lane's gutter.
  #calibrate(lane) {
    const { context } = this;
    const half = Math.min(lane.pxPerUnit, lane.h - 2 * this.line) / 2;
    const mid = lane.y0 + lane.h / 2;
    const x = lane.x0 - BAR * this.scale.ratio;
    const serif = SERIF * this.scale.ratio;
    context.strokeStyle = COLOURS.calibration;
    context.lineWidth = Math.max(1, this.scale.ratio);
    context.lineCap = "butt";
    context.beginPath();
    context.moveTo(x - serif, mid - half);
    context.lineTo(x + serif, mid - half);
    context.moveTo(x, mid - half);
    context.lineTo(x, mid + half);
    context.moveTo(x - serif, mid + half);
    context.lineTo(x + serif, mid + half);
    context.stroke();
  }
}
