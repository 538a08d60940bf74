// Hands an operator's act to the box.

import { say } from "./words.js";

export const LATE_MS = 1000; // an act that is not confirmed by then is told as late
export const GIVE_UP_MS = 4000;
const DEVICE_GIVE_UP_MS = 14_000; // a device answers for itself, in two steps

const KEY = "vitald.screen";

// What this screen is called in the log of who did what: kept for the browser.
export function screenName() {
  const held = localStorage.getItem(KEY);
  if (held) return held;
  const name = `screen-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
  localStorage.setItem(KEY, name);
  return name;
}

export const newId = () => crypto.getRandomValues(new Uint32Array(3)).join("-");

// An act on the alarms of a bed.
export const alarmAct = (bed, verb, values = {}) =>
  send({ id: newId(), bed, verb, values: { ...values, screen: screenName() } });

// Null when the act was done, else the reason in words.
export async function send(act) {
  try {
    const response = await fetch("/api/command", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(act),
      signal: AbortSignal.timeout(act.verb === "set_device" ? DEVICE_GIVE_UP_MS : GIVE_UP_MS),
    });
    const answer = await response.json();
    if (response.ok && answer.acted) return null;
    return response.status === 503 ? say("act.unreachable") : answer.error;
  } catch {
    return say("act.unreachable");
  }
}
