// What a cloud refuses for good: each message with the cloud's reason, to be sent again one by one or all at once.

import { ask, post } from "./asking.js";
import { countText } from "./amounts.js";
import { make } from "./elements.js";
import { say } from "./words.js";
import { screenName } from "./acts.js";
import { set } from "./tiles.js";
import { whenText } from "./times.js";

const SHOWN = 100;

export class Quarantine {
  // `key` opens the list that it controls; `tell(text)` says what became of an act; `asked()`: the state may be another.
  constructor(name, key, tell, asked) {
    this.path = `/api/clouds/${encodeURIComponent(name)}/quarantine`;
    this.key = key;
    this.list = document.getElementById(key.getAttribute("aria-controls"));
    this.tell = tell;
    this.asked = asked;
    this.count = 0;
    this.drawn = "";
    key.addEventListener("click", () => this.#open(this.list.hidden));
    this.list.querySelector(".release-all").addEventListener("click", () => this.#release(null));
  }

  show(count, utcNow) {
    this.utcNow = utcNow;
    const changed = count !== this.count;
    this.count = count;
    this.key.hidden = count === 0;
    this.list.querySelector(".release-all").hidden = count < 2;
    set(this.key, say("clouds.quarantine", { count: countText(count) }));
    if (count === 0) this.#open(false);
    else if (changed && !this.list.hidden) this.#read();
  }

  #open(open) {
    if (open === !this.list.hidden) return;
    this.list.hidden = !open;
    this.key.setAttribute("aria-expanded", String(open));
    if (open) this.#read();
  }

  async #read() {
    const { answer, reason } = await ask(this.path);
    if (reason !== undefined) {
      this.tell(say("act.failed", { reason }));
      return;
    }
    const drawn = JSON.stringify(answer.records);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const shown = answer.records.slice(0, SHOWN);
    set(this.list.querySelector(".first"), answer.records.length > SHOWN ? say("clouds.quarantine.first", { count: SHOWN }) : "");
    this.list.querySelector("ul").replaceChildren(...shown.map((record) => this.#line(record)));
  }

  #line({ seq, message, device, measured_ms: measured, reply, refused_ms: at, times }) {
    const line = make("li", "");
    line.dataset.seq = seq;
    const when = whenText(measured, this.utcNow);
    const what = make("p", say(device ? "clouds.refused" : "clouds.refused_box", { message, device, time: when }), "what");
    const last = { times, time: whenText(at, this.utcNow), reply };
    const why = make("p", say(times > 1 ? "clouds.refused_times" : "clouds.refused_once", last), "why");
    const key = make("button", say("clouds.release"), "key");
    key.type = "button";
    key.append(make("span", ` ${message} ${seq}`, "unseen"));
    key.addEventListener("click", () => this.#release([seq]));
    line.append(what, why, key);
    return line;
  }

  async #release(seqs) {
    const { answer, reason } = await post(this.path, { actor: screenName(), seqs });
    if (reason === undefined) this.tell(say("clouds.released", { count: countText(answer.records) }));
    else this.tell(say("act.failed", { reason }));
    this.key.focus();
    this.asked();
    if (!this.list.hidden) this.#read();
  }
}
