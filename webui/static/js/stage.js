// The waves of a bed: canvas, lanes over it with their words, gains. Knows nothing of sockets.

import { arrange, columnsOf, titleOf } from "./layout.js";
import { AutoGain } from "./gain.js";
import { gainText } from "./caption.js";
import { cssPxPerMm } from "./millimetres.js";
import { MARK_MM, Sweep } from "./sweep.js";
import { say } from "./words.js";
import { set } from "./tiles.js";

const MAX_RATIO = 2;
const EMPTY_MS = 1000;
const RECENT_MS = 1000;

// Gives a canvas its backing store for its size on the page; the ratio and, in pixels of that store, a mm and the gutter
// that the style sheet wants left of each lane.
export function fit(canvas) {
  const ratio = Math.min(window.devicePixelRatio, MAX_RATIO);
  const box = canvas.parentElement.getBoundingClientRect();
  canvas.width = Math.max(1, Math.round(box.width * ratio));
  canvas.height = Math.max(1, Math.round(box.height * ratio));
  canvas.style.setProperty("width", `${canvas.width / ratio}px`);
  canvas.style.setProperty("height", `${canvas.height / ratio}px`);
  const gutter = Number.parseFloat(getComputedStyle(canvas).getPropertyValue("--gutter"));
  return { ratio, pxPerMm: cssPxPerMm() * ratio, gutter: Math.round(gutter * ratio) };
}

export class Stage {
  // `onTap(lead)`: a lane was chosen; `onGain()`: the automatic gain has changed.
  constructor(element, traces, settings, { onTap, onGain }) {
    this.element = element;
    this.traces = traces;
    this.settings = settings;
    this.onTap = onTap;
    this.onGain = onGain;
    this.auto = new AutoGain();
    this.canvas = element.querySelector("canvas");
    this.overlay = element.querySelector(".lanes");
    this.sweep = new Sweep(this.canvas);
    this.leads = [];
    this.beatLead = null;
    this.dirty = true;
    new ResizeObserver(() => this.invalidate()).observe(element);
  }

  // The next frame draws everything anew.
  invalidate() {
    this.dirty = true;
  }

  showLeads(leads) {
    this.leads = leads;
    this.invalidate();
  }

  // Beats are marked over this lead.
  markBeatsOn(lead) {
    if (lead === this.beatLead) return;
    this.beatLead = lead;
    this.invalidate();
  }

  frame({ pen, jumped }) {
    if (this.dirty) this.#lay();
    if (this.dirty || jumped) this.sweep.repaint(pen, this.traces);
    else this.sweep.draw(pen, this.traces);
    this.dirty = false;
  }

  // Nothing has come yet: lanes without waves.
  idle() {
    if (!this.dirty) return;
    this.#lay();
    this.sweep.repaint(0, null);
    this.dirty = false;
  }

  // Once a second: the automatic gain, from the second that has just been received.
  second() {
    if (this.traces.rate === 0 || this.sweep.lanes.length === 0) return;
    const to = this.traces.high;
    const from = Math.floor(to - (RECENT_MS * this.traces.rate) / 1000);
    const peaks = this.traces.leads.map((lead, i) => [lead, this.traces.peak(i, from, to)]);
    if (!this.auto.step(peaks, this.halfMm) || this.settings.gain !== "auto") return;
    this.invalidate();
    this.onGain();
  }

  // The gains in use, as words.
  get gains() {
    return gainText(this.settings.gain, this.auto.groupsOf(this.leads));
  }

  // Says in each lane why nothing is drawn there, or what is wrong with it. `quality` by lead; `stalled`: no samples come.
  explain(quality, stalled) {
    this.element.dataset.stalled = String(stalled);
    for (const button of this.overlay.children) {
      const index = this.traces.indexOf(button.dataset.lead);
      const empty = index < 0 || stalled || this.traces.isEmpty(index, EMPTY_MS);
      const held = quality[button.dataset.lead];
      const electrodes = (held?.electrodes ?? []).join(" ");
      const trouble = held?.trouble ? say(`trouble.${held.trouble}`, { electrodes: electrodes || button.dataset.lead }) : "";
      button.dataset.empty = String(empty);
      set(button.querySelector(".trouble"), empty && (stalled || !trouble) ? say("page.no_signal") : trouble);
    }
  }

  #lay() {
    const { settings } = this;
    const scale = { ...fit(this.canvas), speed: Number(settings.speed), origin: 0 };
    const { width, height } = this.canvas;
    const places = arrange(settings.layout, this.leads, width, height, scale.gutter, settings.order);
    const rhythm = places.some((lane) => lane.rhythm && lane.lead === this.beatLead);
    this.#refit(places, scale.pxPerMm);
    const lanes = places.map((lane) => ({
      ...lane,
      gain: settings.gain === "auto" ? this.auto.of(lane.lead) : Number(settings.gain),
      marks: lane.lead === this.beatLead && lane.rhythm === rhythm,
    }));
    this.sweep.arrange(lanes, scale);
    this.element.dataset.columns = this.leads.length > 0 ? columnsOf(settings.layout, this.leads).columns.length : 0;
    this.#label(lanes, scale.ratio);
  }

  #refit(places, pxPerMm) {
    const halfMm = places.length > 0 ? Math.max(1, places[0].h / 2 / pxPerMm - MARK_MM) : 0;
    if (this.halfMm && Math.abs(halfMm - this.halfMm) > 1) {
      this.auto.refit(halfMm);
      this.onGain();
    }
    this.halfMm = halfMm;
  }

  #label(lanes, ratio) {
    const names = JSON.stringify(lanes.map((lane) => [lane.lead, lane.inverted, lane.rhythm]));
    if (this.overlay.dataset.names !== names) {
      this.overlay.dataset.names = names;
      this.overlay.replaceChildren(...lanes.map((lane) => this.#lane(lane)));
    }
    lanes.forEach((lane, i) => {
      const button = this.overlay.children[i];
      const place = { left: lane.left, top: lane.y0, width: lane.x0 + lane.w - lane.left, height: lane.h };
      for (const [side, px] of Object.entries(place)) button.style.setProperty(side, `${px / ratio}px`);
      button.dataset.gain = lane.gain;
    });
  }

  #lane({ lead, rhythm }) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "lane";
    button.dataset.lead = lead;
    button.dataset.rhythm = String(rhythm);
    for (const [name, text] of [["unseen", say("key.expand")], ["name", titleOf(lead, this.settings.order)], ["trouble", ""]]) {
      const part = document.createElement("span");
      part.className = name;
      part.textContent = text;
      button.append(part);
    }
    button.addEventListener("click", () => this.onTap(lead));
    return button;
  }
}
