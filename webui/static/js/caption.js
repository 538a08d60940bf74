// What stands above the waves: how they are drawn and how they were filtered.

import { say } from "./words.js";

// `gains`: what `gainText` or `wave.gain` says; `chain` of the bed's state; `inverted`: aVR is drawn upside down.
export function caption(speed, gains, chain, inverted = false) {
  const filters = chain.length > 0 ? chain : [say("wave.no_filter")];
  return [say("wave.speed", { speed }), gains, ...filters, ...(inverted ? [say("wave.inverted")] : [])].join(" · ");
}

// The gains of the lanes as one phrase: a set one, the automatic one, or the automatic ones by group of leads.
// `groups`: [name, mm/mV], name "limb", "chest" or a lead.
export function gainText(setting, groups) {
  if (setting !== "auto") return say("wave.gain", { gain: setting });
  if (groups.length === 0) return say("wave.auto");
  const gains = new Set(groups.map(([, gain]) => gain));
  if (gains.size === 1) return say("wave.auto_gain", { gain: groups[0][1] });
  const each = groups.map(([name, gain]) => say("wave.auto_group", { gain, group: say(`wave.group.${name}`, {}, name) }));
  return say("wave.auto_gain", { gain: each.join(", ") });
}
