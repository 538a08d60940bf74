// Lengths and times as the pages of the past say and ask them.

import { dayText, timeText } from "./times.js";
import { say } from "./words.js";

const DAY_MS = 86_400_000;

// A moment: with its day where the span that it stands in is longer than one, or `always`.
export function momentText(ms, spanMs = 0, always = false) {
  const date = new Date(ms);
  return always || spanMs > DAY_MS || Date.now() - ms > DAY_MS ? `${dayText(date)} ${timeText(date)}` : timeText(date);
}

// A length: "12 s", "5 min", "2 h", "3.5 s".
export function lengthText(ms) {
  const seconds = ms / 1000;
  if (seconds < 120) return say("trends.seconds", { count: seconds < 10 ? seconds.toFixed(1) : Math.round(seconds) });
  if (seconds < 7200) return say("trends.minutes", { count: Math.round(seconds / 60) });
  return `${Math.floor(seconds / 3600)}:${String(Math.round((seconds % 3600) / 60)).padStart(2, "0")} h`;
}

// What a field of date and time holds: local time, and back.
export const fieldText = (ms) => `${dayText(new Date(ms))}T${timeText(new Date(ms))}`;
export const fieldMs = (text) => new Date(text).getTime();

export const causeText = (cause) => say(`review.cause.${cause}`, {}, cause);

// Where "why?" is answered.
export const whyHref = (bed, query) => `/bed/${encodeURIComponent(bed)}/why?${new URLSearchParams(query)}`;
