// Errors of the box's own programs, and exactly what is sent of each.

import { AlarmLines } from "./alarmline.js";
import { LivePage } from "./page.js";
import { ask } from "./asking.js";
import { has, say } from "./words.js";
import { make } from "./elements.js";
import { set } from "./tiles.js";
import { whenText } from "./times.js";

const AGAIN_MS = 10_000;

const byId = (id) => document.getElementById(id);

class CrashesView extends AlarmLines {
  constructor() {
    super();
    this.due = 0;
    this.drawn = "";
  }

  refresh(now, link, page) {
    super.refresh(now, link, page);
    this.utcNow = page.box.utc(now) ?? Date.now();
    if (now >= this.due) this.#read();
  }

  async #read() {
    this.due = performance.now() + AGAIN_MS;
    const { answer } = await ask("/api/crashes");
    document.documentElement.dataset.crashes = answer ? String(answer.crashes.length) : "silent";
    if (!answer) {
      set(byId("summary"), say("crash.unavailable"));
      return;
    }
    const { crashes, limited } = answer;
    set(byId("summary"), crashes.length > 0 ? say("crash.summary", { count: crashes.length }) : say("crash.none"));
    set(byId("limited"), limited ? say("crash.limited") : "");
    const drawn = JSON.stringify(crashes);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    byId("list").tBodies[0].replaceChildren(...crashes.map((crash) => this.#row(crash)));
  }

  #row(crash) {
    const row = make("tr", "");
    const head = make("th", whenText(Date.parse(crash.last_at), this.utcNow));
    head.scope = "row";
    const process = has(`crash.process.${crash.process}`) ? say(`crash.process.${crash.process}`) : crash.process;
    const error = make("td", [crash.error_type, crash.error_message].filter(Boolean).join(": "));
    error.append(make("small", crash.where));
    const key = make("button", say("crash.show"), "key");
    key.type = "button";
    key.append(make("span", ` ${crash.error_type}`, "unseen"));
    key.addEventListener("click", () => this.#show(crash.fingerprint));
    const cell = make("td", "");
    cell.append(key);
    row.append(head, make("td", process), error, make("td", String(crash.count)), make("td", String(crash.sent)), cell);
    return row;
  }

  async #show(fingerprint) {
    const { answer, reason } = await ask(`/api/crashes/${fingerprint}`);
    set(byId("shown").querySelector("pre"), answer ? JSON.stringify(answer.body, null, 2) : reason);
    byId("shown").hidden = false;
    byId("shown-name").focus();
  }
}

new LivePage("/live", new CrashesView());
