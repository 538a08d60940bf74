// A session out of the box as a file: what is asked for, how far it is, and the file itself.

import { AlarmLines } from "./alarmline.js";
import { LivePage } from "./page.js";
import { ask, post } from "./asking.js";
import { facts, say } from "./words.js";
import { make } from "./elements.js";
import { set } from "./tiles.js";
import { whenText } from "./times.js";

const AGAIN_MS = 1000;
const MEGA = 1e6;

const byId = (id) => document.getElementById(id);
const seconds = (text) => (text === "" ? null : Number(text));
const sizeText = (bytes) => (bytes < MEGA ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / MEGA).toFixed(1)} MB`);

class ExportView extends AlarmLines {
  constructor() {
    super();
    this.due = 0;
    this.refused = "";
    this.mine = ""; // the id of the export that was begun from this page
    byId("export").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin(new FormData(event.target));
    });
    byId("cancel").addEventListener("click", () => this.#cancel());
    this.#sessions();
  }

  refresh(now, link, page) {
    super.refresh(now, link, page);
    if (now >= this.due) this.#read();
  }

  async #sessions() {
    const { answer } = await ask(`/api/sessions?${new URLSearchParams({ bed: facts.bed })}`);
    const sessions = answer?.sessions.sessions ?? [];
    const choice = byId("export").elements.session;
    for (const { session_id: id, started_at: began, full_name: who } of sessions) {
      const option = make("option", [whenText(Date.parse(began), Date.now()), who ?? "", id].filter(Boolean).join(" · "));
      option.value = id;
      option.selected = id === facts.session;
      choice.append(option);
    }
    byId("begin").disabled = sessions.length === 0;
    if (sessions.length === 0) set(byId("state"), say(answer ? "export.none" : "export.unreachable"));
    document.documentElement.dataset.sessions = String(sessions.length);
  }

  async #begin(form) {
    this.refused = "";
    this.mine = "";
    byId("download").hidden = true;
    set(byId("state"), say("act.pending"));
    const asked = {
      bed: facts.bed,
      session: form.get("session"),
      form: form.get("form"),
      who: form.get("who"),
      start_s: seconds(form.get("start_s")) ?? 0,
      end_s: seconds(form.get("end_s")),
      demo: form.get("demo") !== null,
    };
    const { answer, reason } = await post("/api/export", asked);
    if (reason !== undefined) return this.#refuse(reason);
    if (answer.state === "failed") return this.#refuse(answer.refused);
    this.mine = answer.asked.id;
    this.due = 0;
    return this.#show(answer);
  }

  #refuse(reason) {
    this.refused = reason;
    this.#busy(false);
    set(byId("state"), say("export.failed", { reason }));
    document.documentElement.dataset.export = "failed";
  }

  async #read() {
    this.due = performance.now() + 10 * AGAIN_MS; // not twice at once
    const { answer } = await ask("/api/export");
    this.due = performance.now() + AGAIN_MS;
    if (this.refused === "") this.#show(answer ?? null);
  }

  #show(state) {
    if (state === null) return set(byId("state"), say("export.unreachable"));
    const running = state.state === "running";
    const own = state.asked?.id === this.mine;
    this.#busy(running);
    if (running || own) {
      const filled = { session: state.asked.session, format: state.asked.form, name: state.name, size: sizeText(state.size), reason: state.refused };
      set(byId("state"), say(`export.${state.state}`, filled));
    }
    byId("download").hidden = !(own && state.state === "done");
    if (own && state.state === "done") byId("download").href = `/api/export/${encodeURIComponent(state.asked.id)}`;
    document.documentElement.dataset.export = own ? state.state : running ? "busy" : "none";
    return undefined;
  }

  #busy(busy) {
    byId("begin").disabled = busy || byId("export").elements.session.length === 0;
    byId("cancel").hidden = !busy;
  }

  async #cancel() {
    await ask("/api/export", { method: "DELETE" });
    this.due = 0;
  }
}

new LivePage("/live", new ExportView());
