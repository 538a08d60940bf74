// The two keys everybody looks for: ACKNOWLEDGE and AUDIO PAUSE. Always in the same place, one tap, or F1 and F2 wherever the
// focus is. What they show is what the box has confirmed; its countdown is the box's.

import { GIVE_UP_MS, LATE_MS, alarmAct } from "./acts.js";
import { left } from "./alarmwords.js";
import { say } from "./words.js";
import { set } from "./tiles.js";

const AGAIN_MS = 300; // a second touch within this is the same one
const NOTE_MS = 8000;
const PAUSE = "audio_paused";

export class AlarmKeys {
  // `own()` acknowledges what the page alarms by itself, and says whether there was any; `shortcuts`: F1 and F2 are theirs.
  constructor(bed, acknowledge, pause, own, { shortcuts = true } = {}) {
    this.bed = bed;
    this.own = own;
    this.acknowledge = acknowledge;
    this.pause = pause;
    this.picture = null;
    this.asked = null; // { at } of an act under way
    this.problem = null; // { text, at }
    this.pressedAt = new Map();
    acknowledge.addEventListener("click", () => this.#press(acknowledge));
    pause.addEventListener("click", () => this.#press(pause));
    if (!shortcuts) return;
    document.addEventListener("keydown", (event) => {
      const key = { F1: acknowledge, F2: pause }[event.key];
      if (!key || event.repeat) return;
      event.preventDefault();
      this.#press(key);
    });
  }

  get note() {
    if (this.problem) return this.problem.text;
    return this.asked && performance.now() - this.asked.at > LATE_MS ? say("act.late") : "";
  }

  show(picture, boxNow, now) {
    this.picture = picture;
    if (this.problem && now - this.problem.at > NOTE_MS) this.problem = null;
    if (this.asked && now - this.asked.at > 2 * GIVE_UP_MS) this.asked = null;
    const unseen = picture?.alarms.some(({ phase }) => phase === "active" || phase === "latched") ?? false;
    this.acknowledge.dataset.wanted = String(unseen);
    const paused = this.#paused();
    this.pause.setAttribute("aria-pressed", String(Boolean(paused)));
    set(this.pause.querySelector(".name"), say(paused ? "alarms.audio_paused" : "key.audio_pause"));
    set(this.pause.querySelector(".time"), paused && boxNow !== null ? left(paused.until_ns, boxNow) : "2:00");
    set(this.pause.querySelector(".hint"), paused ? say("key.audio_pause.end") : "");
  }

  #paused() {
    return this.picture?.pauses.find(({ kind, row }) => kind === PAUSE && row === "");
  }

  #press(key) {
    const now = performance.now();
    if (now - (this.pressedAt.get(key) ?? -Infinity) < AGAIN_MS) return;
    this.pressedAt.set(key, now);
    if (key === this.pause) this.#ask(this.#paused() ? "audio_pause_cancel" : "audio_pause");
    else this.#acknowledge();
  }

  // Only what this screen shows: an alarm that comes at the same moment is not taken with it.
  #acknowledge() {
    if (this.own()) return;
    const shown = (this.picture?.alarms ?? []).map(({ occurrence }) => occurrence).filter(Boolean);
    if (shown.length > 0) this.#ask("acknowledge", { occurrences: shown.join(",") });
    else this.#say(say("alarms.nothing"));
  }

  async #ask(verb, values) {
    const asked = { at: performance.now() };
    this.asked = asked;
    this.problem = null;
    const reason = await alarmAct(this.bed, verb, values);
    if (this.asked === asked) this.asked = null;
    if (reason !== null) this.#say(say("act.failed", { reason }));
  }

  #say(text) {
    this.problem = { text, at: performance.now() };
  }
}
