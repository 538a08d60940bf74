// The rhythm in plain words, and since when. The gravest first, and alone; a block stands beside the rhythm it goes with.

import { reasonOf, set } from "./tiles.js";
import { say } from "./words.js";
import { whenText } from "./times.js";

const GRAVE = ["VFL", "VF", "ASYS", "VT"];
const RANKS = [...GRAVE, "IVR"];
const BESIDE = ["BI", "BII", "BIII"];

// Rhythms that go on, the one that matters most first.
export function ranked(rhythms) {
  const rank = ({ label }) =>
    RANKS.includes(label) ? RANKS.indexOf(label) : RANKS.length + (BESIDE.includes(label) ? 1 : 0);
  return [...rhythms].sort((a, b) => rank(a) - rank(b));
}

export const rhythmText = (label) => say(`rhythm.${label}`, {}, label);

export class RhythmTile {
  constructor(element) {
    this.element = element;
    this.part = Object.fromEntries(
      ["name", "beside", "why", "since"].map((name) => [name, element.querySelector(`.${name}`)]),
    );
  }

  // `rhythms` of the bed's state, `rate` its heart rate; `utcOf(ns)` and `utcNow` for people.
  show(rhythms, rate, sight, utcOf, utcNow) {
    const [first, ...others] = sight.lost || sight.gone ? [] : ranked(rhythms);
    this.element.dataset.state = first ? "live" : "blank";
    this.element.dataset.label = first?.label ?? "";
    const grave = GRAVE.includes(first?.label);
    this.element.dataset.grave = String(grave);
    set(this.part.name, first ? rhythmText(first.label) : say("rhythm.unknown"));
    set(this.part.beside, grave ? "" : others.map(({ label }) => rhythmText(label)).join(" · "));
    set(this.part.since, first ? say("rhythm.since", { time: whenText(utcOf(first.since_ns), utcNow) }) : "");
    set(this.part.why, first ? "" : whyUnknown(rate, sight));
  }
}

// Why no rhythm is named: for the same reason as there is no heart rate; with one, it takes some more beats.
function whyUnknown(rate, sight) {
  const absent = sight.lost || sight.gone || (rate && rate.value === null);
  return absent ? reasonOf(rate, sight) : say("why.learning");
}
