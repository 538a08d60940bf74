// The strip around an alarm that was: ten seconds before its onset to twenty after, every lead, from the samples that are
// stored, drawn as the live waves are, at the same millimetres. It covers the waves and never the alarm line.

import { arrange, isInverted, titleOf } from "./layout.js";
import { COLOURS, LETTERS, PLAIN, Sweep } from "./sweep.js";
import { Traces } from "./traces.js";
import { caption } from "./caption.js";
import { facts, say } from "./words.js";
import { cssPxPerMm } from "./millimetres.js";
import { fit } from "./stage.js";
import { groupOf, largestThatFits } from "./gain.js";
import { readWaves } from "./wire.js";
import { make } from "./elements.js";
import { set } from "./tiles.js";
import { textOf } from "./alarmwords.js";
import { timeText } from "./times.js";
import { whyHref } from "./spans.js";

const ONE_COLUMN = "12x1";
const GIVE_UP_MS = 15_000;
const LEAST_MV = 0.5; // a flat line is not blown up
const BESIDE_MS = 3000; // shown left of the onset at first, at least
const SCALE_PX = 32; // CSS px above the lanes: seconds, beats
const LABELS_PX = 8;
const TICKS_PX = 17;
const BEATS_PX = 22;
const BEAT_PX = 8;
const EDGE_MS = 1e-6; // the last sample of a lane is not the first of the next round
const BEATS_BESIDE_MS = 6000; // of the moment: those whose reasons are offered
const SPAN_FILL = "rgba(127, 214, 255, 0.16)";
const LANE_MM = 14; // less does not show a wave; where the screen has no room for it, the strip is scrolled

export class Strip {
  // `onClose()` after it was closed; `display()`: the bed's display filters.
  constructor(element, settings, { display, onClose }) {
    this.element = element;
    this.settings = settings;
    this.display = display;
    this.onClose = onClose;
    this.canvas = element.querySelector("canvas");
    this.reel = element.querySelector(".reel");
    this.length = element.querySelector(".length");
    this.sweep = new Sweep(this.canvas);
    this.held = null; // { t, t0, t1, traces, chain, utc }
    this.asked = null;
    this.drawing = false;
    element.querySelector(".back").addEventListener("click", () => this.close());
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
    this.reel.addEventListener("scroll", () => this.invalidate());
    new ResizeObserver(() => this.invalidate()).observe(this.reel);
  }

  get open() {
    return !this.element.hidden;
  }

  // An entry of the log, or another moment: `mark` says what stands there, `span` is shaded (ms of UTC); `here`: within its page,
  // where the focus stays.
  async show(entry) {
    const asked = new AbortController();
    this.asked?.abort();
    this.asked = asked;
    this.held = null;
    this.element.hidden = false;
    this.element.dataset.state = "reading";
    set(this.element.querySelector("h2"), `${textOf(entry)} ${timeText(new Date(entry.onset_utc))}`);
    this.#say(say("alarms.loading"));
    if (!entry.here) this.element.querySelector(".back").focus();
    this.#offer(entry);
    try {
      const parts = await this.#read(entry, asked);
      if (this.asked === asked) this.#take(parts, entry);
    } catch {
      if (this.asked === asked) this.#say(say("strip.unavailable"), "failed");
    }
  }

  close() {
    this.asked?.abort();
    this.asked = null;
    this.held = null;
    this.element.hidden = true;
    this.onClose();
  }

  invalidate() {
    if (this.held === null || this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      if (this.held !== null) this.#draw();
    });
  }

  async #read(entry, asked) {
    const { mode, mains_hz: mains, cleaning } = this.display();
    const query = new URLSearchParams({ bed: facts.bed, boot: entry.boot, t_ns: entry.t_ns, mode, mains_hz: mains, cleaning });
    const late = setTimeout(() => asked.abort(), GIVE_UP_MS);
    try {
      const response = await fetch(`/api/strip?${query}`, { signal: asked.signal });
      if (!response.ok) throw new Error(response.status);
      return split(await response.arrayBuffer());
    } finally {
      clearTimeout(late);
    }
  }

  #take([told, ...frames], entry) {
    const { t_ns: t, t0_ns: t0, t1_ns: t1, leads, chain, beats } = JSON.parse(new TextDecoder().decode(told));
    const traces = new Traces();
    for (const frame of frames) traces.push(readWaves(frame), leads);
    for (const [at, label] of beats) traces.mark(at / 1e6, label);
    const span = entry.span?.map((utc) => t / 1e6 + utc - entry.onset_utc) ?? null;
    this.held = { t: t / 1e6, t0: t0 / 1e6, t1: t1 / 1e6, leads, traces, chain, utc: entry.onset_utc, mark: entry.mark ?? "strip.onset", span };
    this.#reasons(beats.filter(([at]) => Math.abs(at - t) / 1e6 <= BEATS_BESIDE_MS), t, entry);
    const empty = leads.length === 0;
    this.element.dataset.leads = leads.join(" ");
    this.#say(empty ? say("strip.none") : "", empty ? "none" : "shown");
    if (empty) return;
    const least = SCALE_PX + leads.length * LANE_MM * cssPxPerMm();
    this.length.style.setProperty("height", `max(100%, ${least}px)`);
    const scale = this.#scale();
    this.length.style.setProperty("width", `${((this.held.t1 - this.held.t0) * scale.pxPerMs + scale.gutter) / scale.ratio}px`);
    const first = (this.held.t - this.held.t0) * scale.pxPerMs - Math.max(BESIDE_MS * scale.pxPerMs, (this.canvas.width - scale.gutter) / 2.5);
    this.reel.scrollLeft = Math.max(0, first / scale.ratio);
    this.invalidate();
  }

  #scale() {
    const { ratio, pxPerMm, gutter } = fit(this.canvas);
    const speed = Number(this.settings.speed);
    return { ratio, pxPerMm, gutter, speed, pxPerMs: (speed * pxPerMm) / 1000 };
  }

  #draw() {
    const { held, canvas } = this;
    if (held.leads.length === 0) return;
    const scale = this.#scale();
    const left = held.t0 + (this.reel.scrollLeft * scale.ratio) / scale.pxPerMs;
    const top = Math.round(SCALE_PX * scale.ratio);
    const lanes = this.#lanes(scale, top);
    this.sweep.arrange(lanes, { ...scale, origin: left }, 0);
    const pen = left + lanes[0].w / scale.pxPerMs - EDGE_MS;
    this.sweep.repaint(pen, held.traces);
    this.#span(lanes[0], scale, left);
    this.#names(lanes, scale);
    this.#seconds(lanes[0], scale, left);
    const gains = [...new Set(lanes.map(({ gain }) => gain))].sort((a, b) => a - b).map(String).join(", ");
    const inverted = lanes.some((lane) => lane.inverted);
    set(this.element.querySelector(".scale"), caption(scale.speed, say("wave.gain", { gain: gains }), held.chain, inverted));
    Object.assign(this.element.dataset, { left: Math.round(left - held.t0), onset: Math.round(this.sweep.x(lanes[0], held.t) / scale.ratio), pxPerS: (1000 * scale.pxPerMs) / scale.ratio, width: canvas.width });
  }

  // All leads below each other, under the scale of seconds; each group at the gain of the screen, or the largest at which it fits.
  #lanes(scale, top) {
    const { leads, traces } = this.held;
    const { width, height } = this.canvas;
    const places = arrange(ONE_COLUMN, leads, width, height - top, scale.gutter, this.settings.order);
    const halfMm = places[0].h / 2 / scale.pxPerMm;
    const peaks = new Map();
    for (const [i, lead] of leads.entries()) {
      const peak = traces.peak(i, traces.low, traces.high);
      peaks.set(groupOf(lead), Math.max(peaks.get(groupOf(lead)) ?? LEAST_MV, peak || 0));
    }
    const most = this.settings.gain === "auto" ? Infinity : Number(this.settings.gain);
    const gainOf = (lead) => Math.min(most, largestThatFits(peaks.get(groupOf(lead)), halfMm));
    return places.map((lane) => ({ ...lane, y0: lane.y0 + top, inverted: isInverted(lane.lead, this.settings.order), gain: gainOf(lane.lead), marks: false }));
  }

  #names(lanes, { ratio }) {
    const { context } = this.sweep;
    context.fillStyle = COLOURS.beat;
    context.font = `700 ${Math.round(13 * ratio)}px sans-serif`;
    context.textBaseline = "middle";
    context.textAlign = "left";
    for (const lane of lanes) context.fillText(titleOf(lane.lead, this.settings.order), 2 * ratio, lane.y0 + lane.h / 2);
  }

  // A mark every second, a number every five, a line over all lanes at the onset.
  #seconds(lane, { ratio, pxPerMs }, left) {
    const { held } = this;
    const { context } = this.sweep;
    context.fillStyle = COLOURS.calibration;
    context.font = `${Math.round(12 * ratio)}px sans-serif`;
    context.textBaseline = "middle";
    context.textAlign = "center";
    for (let t = Math.ceil((left - held.t) / 1000); held.t + t * 1000 < left + lane.w / pxPerMs; t += 1) {
      const x = Math.round(lane.x0 + (held.t + t * 1000 - left) * pxPerMs);
      const whole = t % 5 === 0;
      context.fillRect(x, (TICKS_PX - (whole ? 2 : 0)) * ratio, ratio, (whole ? 6 : 4) * ratio);
      if (whole && t !== 0) context.fillText(`${t > 0 ? "+" : "−"}${Math.abs(t)} s`, x, LABELS_PX * ratio);
    }
    this.#beats(lane, { ratio, pxPerMs }, left);
    const x = lane.x0 + (held.t - left) * pxPerMs;
    if (x < lane.x0 || x > lane.x0 + lane.w) return;
    context.strokeStyle = COLOURS.beat;
    context.lineWidth = 1.5 * ratio;
    context.setLineDash([6 * ratio, 4 * ratio]);
    context.beginPath();
    context.moveTo(x, TICKS_PX * ratio);
    context.lineTo(x, this.canvas.height);
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = COLOURS.beat;
    context.font = `700 ${Math.round(13 * ratio)}px sans-serif`;
    context.fillText(say(held.mark, { time: timeText(new Date(held.utc)) }), x, LABELS_PX * ratio);
  }

  // A mark over each beat that was counted, its class beside it where it is known and not normal.
  #beats(lane, { ratio, pxPerMs }, left) {
    const { context } = this.sweep;
    const size = BEAT_PX * ratio;
    const y = BEATS_PX * ratio;
    context.fillStyle = COLOURS.beat;
    context.textAlign = "left";
    for (const { t, label } of this.held.traces.marks) {
      const x = lane.x0 + (t - left) * pxPerMs;
      if (x < lane.x0 || x > lane.x0 + lane.w) continue;
      context.beginPath();
      context.moveTo(x - size / 2, y);
      context.lineTo(x + size / 2, y);
      context.lineTo(x, y + size);
      context.fill();
      if (!PLAIN.has(label)) context.fillText(LETTERS[label] ?? label, x + size / 2 + ratio, y + size / 2);
    }
    context.textAlign = "center";
  }

  // The samples that something was decided from.
  #span(lane, { pxPerMs }, left) {
    if (this.held.span === null) return;
    const [from, to] = this.held.span.map((t) => Math.min(lane.x0 + lane.w, Math.max(lane.x0, lane.x0 + (t - left) * pxPerMs)));
    const { context } = this.sweep;
    context.fillStyle = SPAN_FILL;
    context.fillRect(from, 0, Math.max(0, to - from), this.canvas.height);
  }

  // Why this alarm?
  #offer({ occurrence = "" }) {
    const link = this.element.querySelector(".toolbar .because");
    link.hidden = occurrence === "";
    link.href = whyHref(facts.bed, { kind: "alarm", occurrence });
    this.element.querySelector(".strip-beats").replaceChildren();
  }

  // The beats beside the moment, each with its reason.
  #reasons(beats, t, entry) {
    const links = beats.map(([at, label, segment, sample]) => {
      const link = make("a", `${timeText(new Date(entry.onset_utc + (at - t) / 1e6))} ${LETTERS[label] ?? label}`);
      link.href = whyHref(facts.bed, { kind: "beat", segment, sample });
      return link;
    });
    this.element.querySelector(".strip-beats").replaceChildren(...links);
  }

  #say(text, state = "reading") {
    this.element.dataset.state = state;
    set(this.element.querySelector(".said"), text);
  }
}

// Parts with their lengths before them (u32, little-endian), each a buffer of its own.
function split(buffer) {
  const view = new DataView(buffer);
  const parts = [];
  for (let at = 0; at < buffer.byteLength; ) {
    const length = view.getUint32(at, true);
    parts.push(buffer.slice(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return parts;
}
