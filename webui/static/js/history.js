// Alarms since this page was opened, kept by the page from what the box says of its alarms. Pure: no element, no clock.

import { RANK, shownOf } from "./alarmwords.js";

const KEPT = 300;
const GAP_MS = 3500; // longer without the box, and alarms may have come and gone unseen

export class History {
  constructor() {
    this.entries = []; // newest last: { kind: "alarm", alarm: shownOf(alarm), priority, worst, from, to } or { kind: "gap", from, to }
    this.open = new Map(); // by occurrence
    this.since = null; // ns of the box's clock
    this.boot = null;
  }

  // The alarms of the bed as the box says them.
  take({ now_ns: now, picture }) {
    this.since ??= now;
    const listed = new Set();
    // In the order in which they began; of those that began together, the worst is the newest.
    for (const alarm of [...picture.alarms].reverse().sort((a, b) => a.active_ns - b.active_ns)) {
      listed.add(alarm.occurrence);
      const entry = this.open.get(alarm.occurrence) ?? this.#begin(alarm);
      entry.alarm = shownOf(alarm);
      if (RANK[alarm.priority] > RANK[entry.priority]) entry.priority = alarm.priority;
      const over = alarm.phase === "latched" || alarm.phase === "latched_acknowledged";
      entry.to = over ? (entry.to ?? now) : null;
    }
    // What an ALARM PAUSED hides has not ended.
    if (picture.pauses.some(({ kind }) => kind === "alarm_paused")) return;
    for (const [occurrence, entry] of this.open) {
      if (listed.has(occurrence)) continue;
      entry.to ??= now;
      this.open.delete(occurrence);
    }
  }

  // The box was not heard between two times of its clock.
  missed(from, to) {
    if (to - from > GAP_MS * 1e6) this.#keep({ kind: "gap", from, to });
  }

  // After another start of the box its clock counts anew: what was written down before cannot be put in order with it.
  restarted() {
    this.entries = [];
    this.open.clear();
    this.since = null;
  }

  // Newest first; `priority` "" = all. Gaps are always shown: they are what is not known.
  shown(priority) {
    return this.entries.filter((entry) => entry.kind === "gap" || !priority || entry.priority === priority).reverse();
  }

  #begin(alarm) {
    const entry = { kind: "alarm", alarm: shownOf(alarm), priority: alarm.priority, from: alarm.t_ns, to: null };
    this.open.set(alarm.occurrence, entry);
    this.#keep(entry);
    return entry;
  }

  #keep(entry) {
    this.entries.push(entry);
    if (this.entries.length > KEPT) this.entries.shift();
  }
}
