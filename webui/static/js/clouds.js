// How each cloud gets its data, asked of the forwarder again and again. What it does not say now is not shown.

import { AlarmLines } from "./alarmline.js";
import { LivePage } from "./page.js";
import { Quarantine } from "./quarantine.js";
import { ask, post } from "./asking.js";
import { bytesText, countText, spanText } from "./amounts.js";
import { say } from "./words.js";
import { screenName } from "./acts.js";
import { set } from "./tiles.js";
import { whenText } from "./times.js";

const AGAIN_MS = 5000;
const NOTE_MS = 8000;
const NEEDS_A_PERSON = new Set(["fault", "parked"]);
const RUNS = new Set(["paused", "parked", "waiting", "sending", "idle"]);

const byId = (id) => document.getElementById(id);

class Cloud {
  // `asked()`: something was asked of it, and its state may be another.
  constructor(element, asked) {
    this.element = element;
    this.name = element.dataset.name;
    this.asked = asked;
    this.part = (name) => element.querySelector(`.${name}`);
    this.note = element.querySelector(":scope > .note");
    for (const key of element.querySelectorAll("[data-verb]")) key.addEventListener("click", () => this.#steer(key.dataset.verb));
    this.quarantine = new Quarantine(this.name, element.querySelector(".refused"), (text) => this.#say(text), asked);
  }

  // `told` undefined: nothing is known.
  show(told, utcNow) {
    const state = told?.state ?? "unknown";
    const runs = RUNS.has(state);
    this.element.dataset.state = state;
    set(this.part("state"), say(`clouds.state.${state}`));
    set(this.part("reason"), told?.reason ?? "");
    const steer = this.part("steer");
    const verb = state === "paused" ? "resume" : "pause";
    steer.dataset.verb = verb;
    set(steer.querySelector(".verb"), say(`clouds.${verb}`));
    steer.disabled = !runs;
    this.part("retry").disabled = !(state === "waiting" || state === "parked");
    this.part("known").hidden = !runs;
    if (runs) this.#figures(told, utcNow);
    this.quarantine.show(runs ? told.quarantined : 0, utcNow);
  }

  #figures(told, utcNow) {
    const when = (ms) => (ms > 0 ? whenText(ms, utcNow) : "");
    const delivered = Object.values(told.lanes).reduce((sum, lane) => sum + lane.sent_records, 0); // to sign in is no delivery
    const figures = {
      oldest: told.oldest_unsent_s > 0 ? spanText(told.oldest_unsent_s) : say("clouds.nothing_waits"),
      rate: `${bytesText(told.bytes_per_s)}/s`,
      next: told.next_try_s === 0 ? "" : told.in_flight > 0 ? say("clouds.trying") : say("clouds.next_in", { time: spanText(told.next_try_s) }),
      success: when(delivered > 0 ? told.last_success_ms : 0) || say("clouds.never"),
      failing: when(told.failing_since_ms),
    };
    for (const [name, text] of Object.entries(figures)) {
      const figure = this.element.querySelector(`[data-part="${name}"]`);
      figure.hidden = text === "";
      set(figure.querySelector("dd"), text);
    }
    const { last_error: error, last_error_ms: at } = told;
    set(this.part("error"), error && error !== told.reason ? say("clouds.error", { time: when(at), error }) : "");
    for (const [lane, { waiting, waiting_bytes: bytes, sent_records: sent, sent_bytes: size, refused }] of Object.entries(told.lanes)) {
      const row = this.element.querySelector(`[data-lane="${lane}"]`);
      if (row === null) continue;
      set(row.querySelector(".waiting"), countText(waiting));
      set(row.querySelector(".size"), waiting > 0 ? say("clouds.about", { size: bytesText(bytes) }) : "");
      set(row.querySelector(".sent"), countText(sent));
      set(row.querySelector(".sent-size"), sent > 0 ? bytesText(size) : "");
      set(row.querySelector(".remark"), refused ? say("clouds.lane_refused", { reason: refused }) : "");
    }
  }

  async #steer(verb) {
    const { reason } = await post(`/api/clouds/${encodeURIComponent(this.name)}/${verb}`, { actor: screenName() });
    this.#say(reason === undefined ? say("clouds.done") : say("act.failed", { reason }));
    this.asked();
  }

  #say(text) {
    set(this.note, text);
    clearTimeout(this.silence);
    this.silence = setTimeout(() => set(this.note, ""), NOTE_MS);
  }
}

class CloudsView extends AlarmLines {
  constructor() {
    super();
    this.clouds = [...document.querySelectorAll(".cloud")].map((element) => new Cloud(element, () => this.#read()));
    this.due = 0;
    this.reads = 0;
  }

  refresh(now, link, page) {
    super.refresh(now, link, page);
    this.utcNow = page.box.utc(now) ?? Date.now();
    if (now >= this.due && this.clouds.length > 0) this.#read();
  }

  async #read() {
    this.due = performance.now() + 4 * AGAIN_MS; // not twice at once
    const read = ++this.reads;
    const { answer } = await ask("/api/clouds");
    if (read !== this.reads) return;
    this.due = performance.now() + AGAIN_MS;
    const told = new Map((answer?.destinations ?? []).map((one) => [one.name, one]));
    for (const cloud of this.clouds) cloud.show(told.get(cloud.name), this.utcNow);
    summarize(answer);
    document.documentElement.dataset.clouds = answer ? [...told.values()].map(({ state }) => state).join(" ") : "silent";
  }
}

function summarize(told) {
  if (!told) {
    set(byId("clouds-summary"), say("clouds.silent"));
    set(byId("clouds-hint"), "");
    return;
  }
  const waiting = told.destinations.flatMap(({ lanes }) => Object.values(lanes)).reduce((sum, lane) => sum + lane.waiting, 0);
  const sent = told.destinations.every(({ state }) => state === "idle");
  set(byId("clouds-summary"), waiting > 0 ? say("clouds.some_wait", { count: countText(waiting) }) : sent ? say("clouds.all_sent") : "");
  const stopped = told.destinations.filter(({ state, quarantined }) => NEEDS_A_PERSON.has(state) || quarantined > 0);
  const hints = [];
  if (stopped.length > 0) hints.push(say("clouds.trouble", { names: stopped.map(({ name }) => name).join(", ") }));
  if (told.unreadable > 0) hints.push(say("clouds.unreadable", { count: countText(told.unreadable) }));
  set(byId("clouds-hint"), hints.join(" "));
}

new LivePage("/live", new CloudsView());
