// A session as a row: when, who, and what it came to.

import { countText } from "./amounts.js";
import { dayText, timeText } from "./times.js";
import { elapsed, facts, has, say } from "./words.js";
import { make } from "./elements.js";

const COLUMNS = ["patient", "end", "length", "beats", "rate", "arrhythmias", "quality"]; // after the start
const NOT_KNOWN = "–";

export function sessionRow(session) {
  const { session_id: name, started_at: began, ended_at: ended, ended_by: by, full_name: who, patient_id: id, summary } = session;
  const row = make("tr", "");
  row.dataset.session = name;
  const head = make("th", timed(began));
  head.scope = "row";
  if (session.clock !== "set") head.append(` (${say("alarms.time_unsure")})`);
  head.append(make("small", name));
  if (facts.may_report) {
    const link = make("a", say("key.reports"));
    link.href = `/reports?${new URLSearchParams({ bed: facts.bed, session: name })}`;
    head.append(link);
  }
  const end = ended === null ? say("sessions.goes") : timed(ended, began);
  const how = session.source === "import" ? say("sessions.imported", { device: session.device_serial }) : by && say(`sessions.ended.${by}`, {}, by);
  row.append(head, cell(who ?? NOT_KNOWN, id ?? ""), cell(end, how));
  row.append(...results(summary));
  [...row.querySelectorAll("td")].forEach((one, i) => Object.assign(one.dataset, { label: say(`sessions.column.${COLUMNS[i]}`) }));
  return row;
}

function results(summary) {
  if (!summary) return Array.from({ length: 5 }, () => cell(NOT_KNOWN));
  const { average_heart_rate_bpm: mean, min_heart_rate_bpm: low, max_heart_rate_bpm: high, signal_quality: grade } = summary;
  const found = summary.arrhythmias_detected ?? [];
  const named = found.map((code) => say(`arrhythmia.${code}`, {}, code)).join(", ");
  const arrhythmias = cell(found.length > 0 ? named : say("sessions.no_arrhythmia"));
  const bounds = low != null && high != null ? say("sessions.range", { low: Math.round(low), high: Math.round(high) }) : "";
  return [
    cell(elapsed(1000 * summary.duration_seconds)),
    cell(summary.total_heartbeats == null ? NOT_KNOWN : countText(summary.total_heartbeats)),
    cell(mean == null ? NOT_KNOWN : String(Math.round(mean)), bounds),
    arrhythmias,
    cell(has(`grade.${grade}`) ? say(`grade.${grade}`) : NOT_KNOWN),
  ];
}

// An instant; without its date on the day of `beside`.
function timed(text, beside = null) {
  const date = new Date(text);
  const sameDay = beside !== null && dayText(date) === dayText(new Date(beside));
  return sameDay ? timeText(date) : `${dayText(date)} ${timeText(date)}`;
}

function cell(text, below = "") {
  const element = make("td", text);
  if (below) element.append(make("small", below));
  return element;
}
