// The assistant: what goes is ticked, shown as it goes, sent once, and answered as plain text.

import { AlarmLines } from "./alarmline.js";
import { LivePage } from "./page.js";
import { facts, has, say } from "./words.js";
import { isFresh, set } from "./tiles.js";
import { livesOf, nameOf, quantity } from "./numbers.js";
import { make } from "./elements.js";
import { post } from "./asking.js";

const ASKED_WITHIN_MS = 45_000;
const BANDS = [[18, "0-17"], [40, "18-39"], [60, "40-59"], [80, "60-79"], [Infinity, "80+"]];

const byId = (id) => document.getElementById(id);

class AssistantView extends AlarmLines {
  constructor() {
    super();
    this.conclusions = [];
    if (!byId("choose")) return;
    byId("choose").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#preview();
    });
    byId("choose").addEventListener("change", () => this.#withdraw());
    byId("send").addEventListener("click", () => this.#send());
  }

  measured(message) {
    if (message.bed === facts.bed) this.conclusions = (message.conclusions?.statements ?? []).map(({ key }) => `statement.${key}`);
  }

  refresh(now, link, page) {
    super.refresh(now, link, page);
    const bed = page.state?.beds.find(({ bed: key }) => key === facts.bed);
    if (!bed || !byId("choose")) return;
    const sight = { lost: link !== "live", gone: null, boxNow: page.box.now(now) };
    const fresh = Object.entries(bed.metrics).filter(([name, metric]) => facts.numbers[name] && isFresh(metric, sight, livesOf(name)));
    this.values = Object.fromEntries(fresh);
    this.#offer(byId("numbers"), fresh.map(([name, { value, unit }]) => [name, `${nameOf(name)} ${quantity(value, unit)}`]));
    const said = [...bed.rhythms.map(({ label }) => `rhythm.${label}`), ...this.conclusions].filter(has);
    this.#offer(byId("statements"), [...new Set(said)].map((key) => [key, say(key)]));
    this.#age(bed.patient?.age ?? null);
  }

  // What can be ticked: what was is ticked still, and what is gone is gone.
  #offer(element, choices) {
    const held = new Map([...element.querySelectorAll("label")].map((label) => [label.firstChild.value, label]));
    const keys = choices.map(([key]) => key);
    for (const [key, label] of held) if (!keys.includes(key)) label.remove();
    for (const [key, text] of choices) {
      let label = held.get(key);
      if (!label) {
        label = make("label", "", "tick");
        const input = make("input", "");
        Object.assign(input, { type: "checkbox", value: key });
        label.append(input, make("span", ""));
        element.append(label);
      }
      set(label.lastChild, text);
    }
  }

  #age(age) {
    this.band = age === null ? "" : BANDS.find(([below]) => age < below)[1];
    byId("age").disabled = this.band === "";
    if (this.band === "") byId("age").checked = false;
    set(byId("age").nextElementSibling, this.band ? say("assistant.age", { band: this.band }) : say("assistant.age_unknown"));
  }

  #withdraw() {
    byId("shown").hidden = true;
    this.prepared = null;
  }

  async #preview() {
    const ticked = (id) => [...byId(id).querySelectorAll("input:checked")].map(({ value }) => value);
    const numbers = ticked("numbers").map((name) => ({ name, value: Number(this.values[name].value.toFixed(3)), unit: this.values[name].unit }));
    const payload = { age_band: byId("age").checked ? this.band : "", numbers, statements: ticked("statements") };
    if (numbers.length + payload.statements.length === 0) {
      set(byId("said"), say("assistant.nothing"));
      return;
    }
    const question = byId("choose").elements.question.value;
    const { answer, reason } = await post("/api/assistant", { question, payload, language: facts.language });
    this.prepared = answer && !answer.problem ? answer : null;
    set(byId("said"), this.prepared ? "" : (reason ?? say(`assistant.problem.${answer.problem}`)));
    byId("shown").hidden = this.prepared === null;
    if (!this.prepared) return;
    set(byId("to"), say("assistant.to", { host: answer.to }));
    set(byId("shown").querySelector("pre"), answer.body);
    byId("send").disabled = false;
    byId("shown-name").focus();
  }

  async #send() {
    const { id } = this.prepared;
    this.prepared = null;
    byId("send").disabled = true;
    set(byId("to"), "");
    const text = byId("answer").querySelector(".text");
    set(text, "");
    byId("answer").hidden = false;
    set(byId("said"), say("assistant.waiting"));
    byId("answer-name").focus();
    const problem = await this.#stream(id, (piece) => text.append(piece));
    set(byId("said"), problem ? say(`assistant.problem.${problem}`) : say("assistant.done"));
    document.documentElement.dataset.answered = problem || "done";
  }

  // Pieces of the answer as they come; the problem at its end, "" for none.
  async #stream(id, onText) {
    try {
      const path = `/api/assistant/${id}?${new URLSearchParams({ bed: facts.bed })}`;
      const response = await fetch(path, { method: "POST", signal: AbortSignal.timeout(ASKED_WITHIN_MS) });
      if (!response.ok) return response.status === 404 ? "gone" : "unreachable";
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return "cut";
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        for (const line of lines.filter(Boolean)) {
          const piece = JSON.parse(line);
          if (piece.text) onText(piece.text);
          if (piece.end) return piece.problem;
        }
      }
    } catch {
      return "unreachable";
    }
  }
}

new LivePage(`/live?bed=${encodeURIComponent(facts.bed)}`, new AssistantView());
