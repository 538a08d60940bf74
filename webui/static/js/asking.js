// Questions to the web process and acts through it, each with an end: what comes back, or why not in words.

import { say } from "./words.js";

const GIVE_UP_MS = 12_000; // counting what waits, or a disk, may take some seconds

// { answer } or { reason }.
export async function ask(path, options = {}) {
  try {
    const response = await fetch(path, { signal: AbortSignal.timeout(GIVE_UP_MS), ...options });
    const answer = await response.json();
    if (response.ok) return { answer };
    return { reason: [400, 401, 403].includes(response.status) ? answer.error : say(response.status === 409 ? "clouds.not_running" : "act.unreachable") };
  } catch {
    return { reason: say("act.unreachable") };
  }
}

export const post = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
