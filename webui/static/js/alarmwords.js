// An alarm in words and marks: *** ** * about the patient, !!! !! ! about the equipment. Colour is never the only sign.

import { elapsed, say } from "./words.js";
import { quantity, valueText } from "./numbers.js";

const COUNT = { high: 3, medium: 2, low: 1 };

export const RANK = COUNT;
export const markOf = ({ about, priority }) => (about === "technical" ? "!" : "*").repeat(COUNT[priority]);
export const isThere = ({ phase }) => phase === "active" || phase === "acknowledged";

// What is shown of an alarm: its evidence moves with every beat, and is not.
export const shownOf = ({ evidence: _, ...shown }) => shown;

const filled = (key, { values }) => say(key, Object.fromEntries(values)).trim();
export const textOf = (alarm) => filled(alarm.text, alarm);
export const checkOf = (alarm) => filled(`${alarm.text}.check`, alarm);

// The name of a row of the table, without an instance.
export const rowText = (row) => say(`alarm.${row}`, {}).trim();

// The value with the limit that it broke.
export function valueOf({ limit, unit }, value) {
  if (value === null) return "";
  return limit === null ? quantity(value, unit) : say("alarms.value_limit", { value: quantity(value, unit), limit: valueText(limit, unit) });
}

// Minutes and seconds that are left until a time of the box, never less than none; counted up to the whole second.
export const left = (untilNs, boxNow) => elapsed(Math.ceil(Math.max(0, untilNs / 1e6 - boxNow) / 1000) * 1000);

// What is worth saying of the alarm beside its text: over, not updating, acknowledged and by whom; in a word, and shortly.
export function flagOf(alarm) {
  if (!isThere(alarm)) return { text: say("alarms.over"), short: say("alarms.over") };
  if (!alarm.updating) return { text: say("alarms.not_updating"), short: say("alarms.unknown_short") };
  if (alarm.phase !== "acknowledged") return { text: "", short: "" };
  return { text: `${say("alarms.acknowledged")} ${alarm.acknowledged_by}`.trim(), short: "✓" };
}
