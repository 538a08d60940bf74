// Who is signed in at this screen, kept true: a sign-in ends elsewhere, by time, or by somebody else's act.

import { facts } from "./words.js";

const AGAIN_MS = 10_000;
const LIVE = new Set(["bed", "beds"]); // waves stay in view here: the header alone is made anew

const here = () => document.getElementById("signed");

async function signOut() {
  try {
    await fetch("/api/sign-out", { method: "POST" });
  } finally {
    if (LIVE.has(facts.page)) await renew();
    else location.reload();
  }
}

async function renew() {
  const response = await fetch(location.href);
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("signed");
  if (response.redirected || fresh === null) location.reload();
  else here().replaceWith(fresh);
}

async function look() {
  if (document.visibilityState !== "visible") return;
  try {
    const response = await fetch("/api/who", { signal: AbortSignal.timeout(AGAIN_MS / 2) });
    if (!response.ok) return;
    const told = await response.json();
    if (!told.known || told.person === here().dataset.person) return;
    if (LIVE.has(facts.page)) await renew();
    else if (facts.page !== "sign-in" && facts.page !== "setup") location.reload();
  } catch {
    // The box or its pages do not answer: the page says so by itself.
  }
}

document.addEventListener("click", (event) => {
  if (event.target.id === "sign-out") signOut();
  else if (here()?.open && !here().contains(event.target)) here().open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !here()?.open) return;
  here().open = false;
  here().querySelector("summary").focus();
});
if (here() !== null) setInterval(look, AGAIN_MS);
