// The page of the gap certificate: a span is chosen, the worker says what is missing in it, the sheet can be printed.

import { AlarmLines } from "./alarmline.js";
import { LivePage } from "./page.js";
import { causeText, fieldMs, fieldText, momentText } from "./spans.js";
import { facts, say } from "./words.js";
import { make } from "./elements.js";
import { set } from "./tiles.js";

const HOUR_MS = 3_600_000;
const GIVE_UP_MS = 90_000;
const LONGEST_MS = 31 * 24 * HOUR_MS;
const LONGEST_CHECKED_MS = 48 * HOUR_MS;
const MOST_ROWS = 500;

const byId = (id) => document.getElementById(id);

class GapsView extends AlarmLines {
  constructor() {
    super();
    const now = Date.now();
    byId("to").value = fieldText(now);
    byId("from").value = fieldText(now - HOUR_MS);
    byId("span").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#make();
    });
    for (const key of document.querySelectorAll("[data-hours]")) key.addEventListener("click", () => this.#last(Number(key.dataset.hours)));
    byId("print").addEventListener("click", () => window.print());
  }

  #last(hours) {
    const now = Date.now();
    byId("to").value = fieldText(now + 1000);
    byId("from").value = fieldText(now - hours * HOUR_MS);
    this.#make();
  }

  async #make() {
    const [from, to] = [fieldMs(byId("from").value), fieldMs(byId("to").value)];
    const check = byId("check").checked;
    if (!(to > from) || to - from > (check ? LONGEST_CHECKED_MS : LONGEST_MS) + 2000) {
      this.#failed(say("gaps.bad_span"));
      return;
    }
    set(byId("verdict"), say("gaps.working"));
    byId("verdict").dataset.state = "working";
    document.documentElement.dataset.gaps = "working";
    try {
      const longest = check ? LONGEST_CHECKED_MS : LONGEST_MS;
      const query = new URLSearchParams({ bed: facts.bed, from_ms: Math.max(from, to - longest), to_ms: to, check });
      const response = await fetch(`/api/gaps?${query}`, { signal: AbortSignal.timeout(GIVE_UP_MS) });
      if (!response.ok) throw new Error(response.status);
      this.#show(await response.json());
    } catch {
      this.#failed(say("act.unreachable"));
    }
  }

  #failed(reason) {
    set(byId("verdict"), say("gaps.failed", { reason }));
    byId("verdict").dataset.state = "failed";
    byId("made").hidden = true;
    document.documentElement.dataset.gaps = "failed";
  }

  #show(told) {
    const seconds = told.streams.reduce((sum, { missing_s: missing }) => sum + missing, 0).toFixed(3);
    const count = told.missing.length + told.left_out;
    const verdict = told.complete ? "complete" : told.streams.length === 0 ? "nothing" : "missing";
    set(byId("verdict"), say(`review.verdict.${verdict}`, { seconds, count }));
    byId("verdict").dataset.state = verdict;
    byId("clouds").replaceChildren(...clouds(told).map((text) => make("li", text)));
    fill("streams", told.streams.map((one) => [one.stream, one.channels.join(" "), one.stored_s.toFixed(3), one.missing_s.toFixed(3)]));
    const missing = told.missing.slice(0, MOST_ROWS);
    fill("missing", missing.map((one) => [one.stream, momentText(one.from_ms, 0, true), momentText(one.to_ms, 0, true), ((one.to_ms - one.from_ms) / 1000).toFixed(3), causeText(one.cause)]));
    byId("paper").textContent = told.text;
    byId("made").hidden = false;
    document.documentElement.dataset.gaps = verdict;
  }
}

function clouds({ clouds: told }) {
  if (told === null) return [say("review.cloud.silent")];
  if (told.length === 0) return [say("review.cloud.none")];
  return told.map((one) => (one.everything ? say("review.cloud.everything", { cloud: one.name }) : say("review.cloud.until", { cloud: one.name, time: momentText(one.until_ms, 0, true) })));
}

function fill(id, lines) {
  const rows = lines.map(([head, ...cells]) => {
    const row = document.createElement("tr");
    const first = make("th", head);
    first.scope = "row";
    row.append(first, ...cells.map((text) => make("td", text)));
    return row;
  });
  byId(id).tBodies[0].replaceChildren(...rows);
}

new LivePage("/live", new GapsView());
