// Who is at a bed and what is recorded there: admission and discharge, sessions and their summaries.

import { AlarmLines } from "./alarmline.js";
import { LivePage } from "./page.js";
import { Patient } from "./patient.js";
import { ask, post } from "./asking.js";
import { elapsed, facts, say } from "./words.js";
import { newId, screenName } from "./acts.js";
import { sessionRow } from "./sessionrow.js";
import { set } from "./tiles.js";
import { whenText } from "./times.js";

const AGAIN_MS = 10_000;
const NOTE_MS = 8000;

const byId = (id) => document.getElementById(id);

class SessionsView extends AlarmLines {
  constructor() {
    super();
    this.patient = new Patient((verb, patient, more) => this.#act(verb, patient, more));
    this.keys = [...document.querySelectorAll("#now [data-verb]")];
    for (const key of this.keys) key.addEventListener("click", () => this.#act(key.dataset.verb));
    this.due = 0;
    this.reads = 0;
    this.current = null;
    this.drawn = "";
  }

  refresh(now, link, page) {
    super.refresh(now, link, page);
    this.utcNow = page.box.utc(now) ?? Date.now();
    if (now >= this.due) this.#read();
    this.#now();
  }

  async #read() {
    this.due = performance.now() + 2 * AGAIN_MS; // not twice at once
    const read = ++this.reads;
    const { answer } = await ask(`/api/sessions?${new URLSearchParams({ bed: facts.bed })}`);
    if (read !== this.reads) return;
    this.due = performance.now() + AGAIN_MS;
    if (answer) this.#show(answer);
    else this.#silent();
    document.documentElement.dataset.sessions = answer ? String(answer.sessions.sessions.length) : "silent";
  }

  #show({ patients: { patients }, sessions: { sessions } }) {
    this.patient.show(patients[0] ?? null, this.utcNow);
    this.current = sessions.find((one) => one.ended_at === null) ?? null;
    for (const key of this.keys) key.disabled = key.dataset.verb === "end" && this.current === null;
    this.#now();
    const first = sessions.length === facts.most ? say("sessions.first", { count: facts.most }) : "";
    set(byId("list-summary"), sessions.length > 0 ? first : say("sessions.empty"));
    const drawn = JSON.stringify(sessions);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    byId("list").tBodies[0].replaceChildren(...sessions.map((session) => sessionRow(session)));
  }

  #silent() {
    this.patient.unknown();
    this.current = undefined;
    this.drawn = "";
    for (const key of this.keys) key.disabled = true;
    byId("list").tBodies[0].replaceChildren();
    set(byId("list-summary"), say("sessions.unavailable"));
    this.#now();
  }

  // The session that goes on; its length runs.
  #now() {
    if (this.reads === 0) return;
    const { current } = this;
    let text = current === null ? say("sessions.none_now") : "";
    if (current) {
      const began = Date.parse(current.started_at);
      text = say("sessions.goes_on", { name: current.session_id, time: whenText(began, this.utcNow), length: elapsed(this.utcNow - began) });
    }
    set(document.querySelector("#now .goes"), text);
  }

  // Whether it was done.
  async #act(verb, patient = {}, more = {}) {
    set(byId("note"), say("act.pending"));
    const act = { id: newId(), bed: facts.bed, verb, patient, actor: "", screen: screenName(), ...more };
    const { answer, reason } = await post("/api/sessions", act);
    const refused = reason ?? (answer.acted ? undefined : answer.error);
    this.#say(refused !== undefined ? say("act.failed", { reason: refused }) : answer.saved ? say(`sessions.done.${verb}`) : say("sessions.unsaved"));
    this.#read();
    return refused === undefined;
  }

  #say(text) {
    set(byId("note"), text);
    clearTimeout(this.silence);
    this.silence = setTimeout(() => set(byId("note"), ""), NOTE_MS);
  }
}

new LivePage("/live", new SessionsView());
