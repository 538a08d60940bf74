// What clouds propose for the devices at a bed: asked for again and again, accepted or refused by whoever stands there.

import { ask, post } from "./asking.js";
import { make } from "./elements.js";
import { newId, screenName } from "./acts.js";
import { say } from "./words.js";
import { set } from "./tiles.js";

const AGAIN_MS = 5000;
const NOTE_MS = 8000;

export class Proposals {
  // `element` is the card (templates/proposals.html) of `bed`.
  constructor(element, bed) {
    this.element = element;
    this.bed = bed;
    this.list = element.querySelector("ul");
    this.said = element.querySelector(".said");
    this.due = 0;
    this.reads = 0;
    this.drawn = "";
    this.acting = new Set();
    this.open = null; // proposals that wait for a person; null: not known
  }

  // Call it several times a second; `now` is performance.now().
  refresh(now) {
    if (now >= this.due) this.#read();
  }

  async #read() {
    this.due = performance.now() + 3 * AGAIN_MS; // not twice at once
    const read = ++this.reads;
    const { answer } = await ask(`/api/proposals?${new URLSearchParams({ bed: this.bed })}`);
    if (read !== this.reads) return;
    this.due = performance.now() + AGAIN_MS;
    this.open = answer?.proposals.filter(({ state }) => state === "proposed" || state === "accepted") ?? null;
    this.#draw();
  }

  #draw() {
    const drawn = JSON.stringify([this.open, [...this.acting]]);
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      this.list.replaceChildren(...(this.open ?? []).map((one) => this.#row(one)));
    }
    this.element.hidden = this.list.childElementCount === 0 && this.said.textContent === "";
  }

  #row(one) {
    const row = document.createElement("li");
    const text = document.createElement("div");
    const name = say(`setting.${one.name}`);
    const known = one.present !== null;
    const change = say(known ? "proposals.change_from" : "proposals.change", { name, value: valueText(one.value), present: valueText(one.present) });
    text.append(make("b", change), make("small", say("proposals.from", { origin: one.origin, device: one.device })));
    row.append(text);
    if (one.state === "accepted" || this.acting.has(one.id)) row.append(make("p", say("proposals.under_way"), "note"));
    else for (const verb of ["accept", "refuse"]) row.append(this.#key(one, verb, change));
    return row;
  }

  #key(one, verb, change) {
    const key = make("button", say(`proposals.${verb}`), "key");
    key.type = "button";
    key.setAttribute("aria-label", `${say(`proposals.${verb}`)}: ${change}`);
    key.addEventListener("click", () => this.#act(one, verb));
    return key;
  }

  async #act(one, verb) {
    if (this.acting.has(one.id)) return;
    this.acting.add(one.id);
    this.#draw();
    const actor = screenName();
    const { answer, reason } = await post("/api/proposals", { id: newId(), bed: this.bed, proposal: one.id, verb, actor, screen: actor });
    this.acting.delete(one.id);
    const failed = reason ?? (answer.acted ? "" : answer.error);
    this.#say(failed ? say("proposals.failed", { reason: failed }) : say(`proposals.done.${answer.state}`));
    this.#read();
  }

  #say(text) {
    set(this.said, text);
    this.element.hidden = false;
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      set(this.said, "");
      this.#draw();
    }, NOTE_MS);
  }
}

function valueText(value) {
  if (typeof value === "boolean") return say(value ? "setting.on" : "setting.off");
  return String(value ?? "");
}
