// What is heard from this page: the box's sound again, one at a time, the highest priority first. The box's own speaker is
// the first path; this is the second, and it says aloud when the browser does not let it.

import { LOW_REPEATS, REPEAT_S, burst } from "./bursts.js";

const KEY = "vitald.sound";
const RANK = { low: 1, medium: 2, high: 3 };
const APART_S = 2.5; // between a burst and another one that does not outrank it
const BREATH_S = 0.1;
const FADE_S = 0.01;
const VOLUME = 0.5;

export class AlarmSound {
  constructor() {
    this.on = localStorage.getItem(KEY) !== "off";
    this.context = window.AudioContext ? new AudioContext() : null;
    this.buffers = new Map();
    this.wanted = { priority: null, newest: 0, silenced: 0 };
    this.playing = null; // { source, gain, priority, ends, silenced }
    this.last = null;
    this.fresh = true;
    this.bursts = 0;
    this.endedAt = -Infinity;
    this.played = 0;
    for (const kind of ["pointerdown", "pointerup", "keydown"]) {
      document.addEventListener(kind, () => this.unlock(), { capture: true });
    }
  }

  // "on", "off" (by a person at this screen), "blocked" (by the browser, until the page is touched), "none" (no audio here).
  get state() {
    if (this.context === null) return "none";
    if (!this.on) return "off";
    return this.context.state === "running" ? "on" : "blocked";
  }

  unlock() {
    if (this.on && this.context !== null && this.context.state !== "running") this.context.resume().catch(() => {});
  }

  turn(on) {
    this.on = on;
    localStorage.setItem(KEY, on ? "on" : "off");
    if (on) this.unlock();
    else this.#cut();
  }

  // From now on this shall be heard: the `priority` (or null); `newest`: when the newest alarm began; `silenced` changes
  // with every act of a person after which a burst that is not wanted any more is cut. Called at least every second.
  want(wanted) {
    const before = this.wanted;
    if (wanted.priority !== before.priority || wanted.newest > before.newest) {
      this.fresh = true;
      this.bursts = 0;
    }
    this.wanted = wanted;
    if (this.state === "on") this.#step(this.context.currentTime);
  }

  #step(now) {
    if (this.playing !== null && now >= this.playing.ends) this.#ended(this.playing.ends);
    const { priority, silenced } = this.wanted;
    if (this.playing !== null) {
      const rises = RANK[priority] > RANK[this.playing.priority];
      const lower = !(RANK[priority] >= RANK[this.playing.priority]);
      if (!rises && !(lower && silenced !== this.playing.silenced)) return;
      this.#cut();
    }
    if (priority !== null && now >= this.#due(priority)) this.#begin(priority, now);
  }

  #due(priority) {
    if (this.last === null) return -Infinity;
    if (priority === this.last && !this.fresh) {
      return priority === "low" && this.bursts > LOW_REPEATS ? Infinity : this.endedAt + REPEAT_S[priority];
    }
    return this.endedAt + (RANK[priority] > RANK[this.last] ? 0 : APART_S);
  }

  // Nothing is started unless the context runs: it would sound on unlock, however late.
  #begin(priority, now) {
    const source = this.context.createBufferSource();
    const gain = this.context.createGain();
    source.buffer = this.#buffer(priority);
    gain.gain.value = VOLUME;
    source.connect(gain).connect(this.context.destination);
    const at = now + (this.endedAt === -Infinity ? 0 : BREATH_S);
    source.start(at);
    this.playing = { source, gain, priority, ends: at + source.buffer.duration, silenced: this.wanted.silenced };
    this.last = priority;
    this.fresh = false;
    this.bursts += 1;
    this.played += 1;
  }

  #cut() {
    if (this.playing === null) return;
    const now = this.context.currentTime;
    const { source, gain } = this.playing;
    gain.gain.setValueAtTime(VOLUME, now);
    gain.gain.linearRampToValueAtTime(0, now + FADE_S);
    source.stop(now + FADE_S);
    this.#ended(now + FADE_S);
  }

  #ended(at) {
    this.endedAt = at;
    this.playing = null;
  }

  #buffer(priority) {
    if (!this.buffers.has(priority)) {
      const { sampleRate } = this.context;
      const samples = burst(priority, sampleRate);
      const buffer = this.context.createBuffer(1, samples.length, sampleRate);
      buffer.copyToChannel(samples, 0);
      this.buffers.set(priority, buffer);
    }
    return this.buffers.get(priority);
  }
}
