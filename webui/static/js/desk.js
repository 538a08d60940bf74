// What the pages on people share: alarm lines above them, a note of what has become of an act, acts and questions.

import { AlarmLines } from "./alarmline.js";
import { LivePage } from "./page.js";
import { say } from "./words.js";
import { set } from "./tiles.js";

const GIVE_UP_MS = 25_000; // hashing a password takes a moment, on a busy box some seconds

export const byId = (id) => document.getElementById(id);
export const live = () => new LivePage("/live", new AlarmLines());
export const note = (text) => set(byId("note"), text);

// { answer } or { reason } in words.
export async function asked(path, body) {
  const posted = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  try {
    const response = await fetch(path, { signal: AbortSignal.timeout(GIVE_UP_MS), ...(body === undefined ? {} : posted) });
    const answer = await response.json();
    if (response.ok && !answer.error) return { answer };
    return { answer, reason: response.status === 503 ? say("act.unreachable") : answer.error };
  } catch {
    return { reason: say("act.unreachable") };
  }
}

// The fields of a form by name, without those that are files.
export const given = (form) => Object.fromEntries([...new FormData(form)].filter(([, value]) => typeof value === "string"));

// `act(values)` on submit; the form's keys rest until it is done.
export function onSubmit(form, act) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const keys = [...form.querySelectorAll("button")];
    for (const key of keys) key.disabled = true;
    await act(given(form)).finally(() => {
      for (const key of keys) key.disabled = false;
    });
  });
}

// A box to tick shows every password of a form.
export function showsPasswords(tick, form) {
  const inputs = [...form.querySelectorAll("input[type=password]")];
  tick.addEventListener("change", () => {
    for (const input of inputs) input.type = tick.checked ? "text" : "password";
  });
}
