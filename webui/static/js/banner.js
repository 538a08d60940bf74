// The alarm line: the worst alarm first, in the colour, with the mark and the flashing of its priority; what takes signals
// away stands beside it. Nothing to say is said as well.

import { RANK, checkOf, flagOf, isThere, left, markOf, rowText, shownOf, textOf, valueOf } from "./alarmwords.js";
import { elapsed, say } from "./words.js";
import { set } from "./tiles.js";

const SHOWN = 3;
const SHOWN_NARROW = 1;
const NAMED = 2; // rows that are off are named up to so many

export class Banner {
  // `element` has .list (the key that opens the list), .states; `assertive` and `polite` are read out.
  // `shown`: chips at most (narrow screens show one); `note`: where what became of a key is said.
  constructor(element, assertive, polite, flash, { shown = SHOWN, note = element.querySelector(".alarm-note") } = {}) {
    this.element = element;
    this.list = element.querySelector(".list");
    this.states = element.querySelector(".states");
    this.note = note;
    this.shown = shown;
    this.assertive = assertive;
    this.polite = polite;
    this.flash = flash;
    this.narrow = window.matchMedia("(max-width: 700px), (max-height: 560px)");
    this.drawn = "";
    this.spoken = "";
    new ResizeObserver(() => (this.drawn = "")).observe(this.list); // what stands beside it comes and goes
    this.tests = []; // occurrences of alarm tests that stand here: the box asks every screen (docs/sound.md)
  }

  // `picture` null: nothing has been heard of alarms. `note`: what became of a key that was pressed.
  show(picture, boxNow, note) {
    const state = picture === null ? "unknown" : lineOf(picture).length > 0 ? "alarms" : "none";
    this.element.dataset.state = state;
    this.element.dataset.worst = picture?.worst ?? "";
    set(this.note, note);
    this.#chips(picture, state);
    this.#count(picture, boxNow);
    this.#states(picture, boxNow);
    if (picture !== null) this.#speak(picture.alarms);
  }

  #chips(picture, state) {
    const alarms = lineOf(picture);
    const most = Math.min(alarms.length, this.narrow.matches ? SHOWN_NARROW : this.shown);
    const drawn = JSON.stringify([state, most, alarms.slice(0, most).map(shownOf), alarms.length]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    let count = most;
    this.#draw(alarms, count, state);
    while (count > 1 && this.#cuts()) this.#draw(alarms, --count, state);
  }

  #draw(alarms, count, state) {
    const shown = alarms.slice(0, count);
    this.tests = shown.filter(({ row }) => row.startsWith("test_")).map(({ occurrence }) => occurrence);
    const more = alarms.length - count;
    const rest = state !== "alarms" ? [part("quiet", say(`alarms.${state}`))] : more > 0 ? [part("more", say("page.more", { count: more }))] : [];
    this.list.replaceChildren(...shown.map((alarm, i) => this.#chip(alarm, i === 0)), ...rest);
  }

  // Whether the name of an alarm does not stand there whole: it is better counted than half read.
  #cuts() {
    return [...this.list.querySelectorAll(".alarm")].some((chip) => chip.scrollWidth > chip.clientWidth + 1);
  }

  #chip(alarm, first) {
    const chip = part("alarm", "");
    Object.assign(chip.dataset, { priority: alarm.priority, phase: alarm.phase, row: alarm.row, updating: alarm.updating });
    this.flash.set(chip, alarm.flashes && isThere(alarm) ? alarm.priority : "");
    const line = part("line-1", "");
    line.append(part("mark", markOf(alarm)), part("unseen", say(`alarms.priority.${alarm.priority}`)), part("text", textOf(alarm)));
    line.append(part("value", valueOf(alarm, alarm.value)));
    const flag = flagOf(alarm);
    const short = part("flag", flag.short);
    short.setAttribute("aria-hidden", "true");
    line.append(short);
    chip.append(line, ...(first ? [] : [part("unseen", flag.text)]));
    if (first) {
      const help = part("line-2", "");
      help.append(part("flag", flag.text), part("since", ""), part("help", checkOf(alarm)));
      chip.append(help);
    }
    return chip;
  }

  #count(picture, boxNow) {
    const since = this.list.querySelector(".since");
    if (since === null || boxNow === null) return;
    const [first] = lineOf(picture);
    set(since, say("alarms.since", { time: elapsed(boxNow - first.t_ns / 1e6) }));
  }

  #states(picture, boxNow) {
    const states = [];
    for (const { kind, row, until_ns: until } of picture?.pauses ?? []) {
      const time = boxNow === null ? "" : left(until, boxNow);
      states.push([kind, [say(`alarms.${kind}`), row && rowText(row), time].filter(Boolean).join(" ")]);
    }
    const off = picture?.off ?? [];
    if (off.length > NAMED) states.push(["off", say("alarms.off_several", { count: off.length })]);
    else for (const { row } of off) states.push(["off", say("alarms.off", { alarm: rowText(row) })]);
    while (this.states.children.length > states.length) this.states.lastElementChild.remove();
    states.forEach(([kind, text], i) => {
      const element = this.states.children[i] ?? this.states.appendChild(part("state", ""));
      element.dataset.kind = kind;
      set(element, text);
    });
  }

  // High priority interrupts whoever listens to the page; the rest waits its turn. Said once, when it comes.
  #speak(alarms) {
    const said = alarms.filter((alarm) => alarm.phase === "active" && !alarm.covered_by);
    const key = said.map(({ occurrence, priority }) => `${occurrence} ${priority}`).join("|");
    if (key === this.spoken) return;
    this.spoken = key;
    const sentence = (alarm) => `${say(`alarms.priority.${alarm.priority}`)}: ${textOf(alarm)}. ${checkOf(alarm)}`;
    const high = said.filter(({ priority }) => RANK[priority] === RANK.high);
    set(this.assertive, high.map(sentence).join(" "));
    set(this.polite, said.filter((alarm) => !high.includes(alarm)).map(sentence).join(" "));
  }
}

// What a worse alarm of the same event speaks for stands in the list alone.
const lineOf = (picture) => (picture?.alarms ?? []).filter((alarm) => !alarm.covered_by);

function part(name, text) {
  const element = document.createElement("span");
  element.className = name;
  element.textContent = text;
  return element;
}
