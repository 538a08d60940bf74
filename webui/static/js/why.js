// "Why this number?": a value as stored, the samples that it comes from, and the same computed again.

import { AlarmLines } from "./alarmline.js";
import { LivePage } from "./page.js";
import { Strip } from "./strip.js";
import { facts, say } from "./words.js";
import { load } from "./settings.js";
import { make } from "./elements.js";
import { momentText, whyHref } from "./spans.js";
import { nameOf, quantity, reasonText, valueText } from "./numbers.js";
import { set } from "./tiles.js";

const GIVE_UP_MS = 90_000;
const NOT_YET_MS = 3000; // a number is on the disk a few seconds after it was shown
const TRIES = 4;
const MONITOR = { mode: "monitor", mains_hz: 50, cleaning: false };

const byId = (id) => document.getElementById(id);

class WhyView extends AlarmLines {
  constructor() {
    super();
    this.query = new URLSearchParams(location.search);
    if (!this.query.has("kind")) this.query.set("kind", "number");
    this.display = MONITOR;
    this.strip = new Strip(byId("strip"), load(), { display: () => this.display, onClose: () => this.#closed() });
    byId("open-strip").addEventListener("click", () => this.#open());
    this.#read(TRIES);
  }

  state(state) {
    super.state(state);
    this.display = state.beds.find(({ bed }) => bed === facts.bed)?.display ?? this.display;
  }

  async #read(tries) {
    // What is shown now and alarms may be asked by whoever watches; the past by whoever may look back.
    const now = !this.query.has("t_ms") && this.query.get("kind") !== "beat";
    this.query.set("bed", facts.bed);
    try {
      const response = await fetch(`/api/why${now ? "/now" : ""}?${this.query}`, { signal: AbortSignal.timeout(GIVE_UP_MS) });
      if (response.status === 404 && now && tries > 1) {
        setTimeout(() => this.#read(tries - 1), NOT_YET_MS);
        return;
      }
      if (response.status === 404) this.#say(say("because.none"), "none");
      else if (response.ok) this.#show(await response.json());
      else this.#say(say("act.unreachable"), "silent");
    } catch {
      this.#say(say("act.unreachable"), "silent");
    }
  }

  #say(text, state) {
    set(byId("summary"), text);
    document.documentElement.dataset.why = state;
  }

  #show(told) {
    this.told = told;
    const alarm = told.kind === "alarm";
    const name = alarm ? say(`alarm.${told.name}`, { instance: told.device }).trim() : nameOf(told.name, ["", "global", "ecg"].includes(told.lead) ? "" : told.lead);
    const time = momentText(told.t_ms, 0, true);
    byId("told").hidden = false;
    set(byId("stored"), told.value === null ? (told.why ? reasonText(told.why) : name) : quantity(told.value, told.unit));
    fill("stored-facts", [
      ["name", name],
      ["class", told.kind === "beat" ? say(`beat.${told.text}`, {}, told.text) : ""],
      ["time", `${time} (${say(`review.clock.${told.clock}`)})`],
      ["lead", told.lead],
      ["quality", told.quality === null ? "" : `${Math.round(100 * told.quality)} %`],
      ["limits", told.limits.map(([key, value]) => `${key} ${value}`).join(", ")],
    ]);
    this.#evidence(told);
    this.#again(told);
    byId("beats").replaceChildren(...told.beats.map((beat) => beatLink(beat)));
    this.#say(`${say(alarm ? "because.of_alarm" : "because.of", { name })} ${say("because.at", { time })}`, told.again.state);
    this.#open();
  }

  #evidence({ evidence, device, kind }) {
    if (evidence.length === 0) {
      set(byId("samples"), device && kind === "number" ? say("because.said_by", { device }) : say("because.no_evidence"));
      return;
    }
    const [first] = evidence;
    const lines = evidence.flatMap((one) => {
      const seconds = ((one.to_ms - one.from_ms) / 1000).toFixed(3);
      const missing = one.missing_s > 0 ? `${one.missing_s.toFixed(3)} s` : "";
      return [["rule", one.rule], ["samples", say("because.samples", { first: one.first, last: one.last, rate: one.rate_hz, seconds })], ["stream", one.stream], ["missing", missing]];
    });
    set(byId("samples"), first.rule);
    fill("evidence", lines);
  }

  #again({ again, evidence, unit }) {
    set(byId("again"), say(`because.again.${again.state}`));
    byId("again").dataset.state = again.state;
    const value = again.value !== null ? quantity(again.value, unit) : again.why ? reasonText(again.why) : "";
    const apart = again.difference === null ? "" : `${valueText(again.difference, unit, 3)}${again.tolerance === null ? "" : ` (± ${valueText(again.tolerance, unit, 2)})`}`;
    fill("again-facts", [
      ["value", value],
      ["class", say(`beat.${again.text}`, {}, "")],
      ["difference", apart],
      ["off", again.off_ms === null ? "" : `${again.off_ms.toFixed(0)} ms`],
      ["rule", again.rule],
    ]);
    const stored = evidence[0]?.rule ?? "";
    const other = again.rule && stored && again.rule !== stored ? say("because.again.version", { stored, now: again.rule }) : "";
    const about = again.warm_s > 0 ? say("because.again.about", { seconds: again.warm_s }) : "";
    set(byId("again-note"), [again.reason ? say(again.reason) : "", other, about].filter(Boolean).join(" "));
  }

  #open() {
    byId("open-strip").hidden = true;
    const { boot, t_ns, t_ms, evidence } = this.told;
    const span = evidence.length > 0 ? [Math.min(...evidence.map(({ from_ms }) => from_ms)), Math.max(...evidence.map(({ to_ms }) => to_ms))] : null;
    this.strip.show({ boot, t_ns, onset_utc: t_ms, text: "disclosure.strip", values: [], mark: "because.mark", span, here: true });
  }

  #closed() {
    byId("open-strip").hidden = false;
    byId("open-strip").focus();
  }
}

function beatLink([t, label, segment, sample]) {
  const item = document.createElement("li");
  const link = make("a", `${momentText(t).slice(-8)} ${say(`beat.${label}`, {}, label)}`);
  link.href = whyHref(facts.bed, { kind: "beat", segment, sample });
  item.append(link);
  return item;
}

function fill(id, lines) {
  const rows = lines.filter(([, text]) => text).map(([key, text]) => {
    const row = document.createElement("div");
    row.append(make("dt", say(`because.field.${key}`)), make("dd", text));
    return row;
  });
  byId(id).replaceChildren(...rows);
}

new LivePage("/live", new WhyView());
