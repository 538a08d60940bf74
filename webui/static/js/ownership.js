// Whose devices are: what stands of each, and the next steps for whoever may take them (the form to claim is there then).

import { asked, byId, given, onSubmit } from "./desk.js";
import { make } from "./elements.js";
import { newId } from "./acts.js";
import { say } from "./words.js";
import { set } from "./tiles.js";

const A_PAGE = 20;
const AGAIN_MS = 10_000;
const acts = byId("ownership-claim") !== null;
let told = { claims: [], here: [] };
let shown = A_PAGE;
let drawn = "";

async function step(verb, device, owner = "") {
  const { reason } = await asked("/api/ownership", { id: newId(), verb, device, owner });
  set(byId("ownership-note"), reason ?? say("ownership.done"));
  await ask();
  return reason === undefined;
}

function key(element, word, device, does) {
  const button = make("button", say(word), "key");
  button.type = "button";
  button.append(make("span", `, ${device}`, "unseen"));
  button.addEventListener("click", does);
  element.append(button);
}

function ownedText(owned) {
  const proof = say(`ownership.owned.${owned.proof}`, { by: owned.confirmed_by });
  return `${say("ownership.owned", owned)} (${proof})`;
}

function row(device, owned, claimed) {
  const element = byId("owner").content.firstElementChild.cloneNode(true);
  const here = told.here.includes(device);
  const hint = claimed && acts ? say(here ? "ownership.claimed.here" : "ownership.claimed.away") : "";
  const texts = [owned && ownedText(owned), claimed && say("ownership.claimed", claimed), hint];
  set(element.querySelector("h3"), device);
  set(element.querySelector(".facts"), texts.filter((text) => text).join(" · "));
  const keys = element.querySelector(".choose");
  const form = element.querySelector("form");
  if (!acts) {
    form.remove();
    return element;
  }
  if (claimed) {
    key(keys, here ? "ownership.confirm" : "ownership.confirm.person", device, () => step("confirm", device));
    key(keys, "ownership.withdraw", device, () => step("withdraw", device));
  }
  if (owned) {
    key(keys, "ownership.transfer", device, () => {
      form.hidden = !form.hidden;
      if (!form.hidden) form.elements.owner.focus();
    });
    key(keys, "ownership.release", device, () => step("release", device));
  }
  onSubmit(form, ({ owner }) => step("transfer", device, owner));
  return element;
}

function draw() {
  const find = given(byId("ownership-filter")).find.toLowerCase();
  const devices = [...new Set(told.claims.map((claim) => claim.device))].filter((device) =>
    told.claims.some((claim) => claim.device === device && `${device} ${claim.owner}`.toLowerCase().includes(find)),
  );
  const of = (device, state) => told.claims.find((claim) => claim.device === device && claim.state === state);
  const picture = JSON.stringify([told, find, shown]);
  if (picture === drawn) return; // a form that somebody fills in stays
  drawn = picture;
  const rows = devices.slice(0, shown).map((device) => row(device, of(device, "owned"), of(device, "claimed")));
  byId("owners").replaceChildren(...(rows.length ? rows : [make("li", say("ownership.none"), "note")]));
  byId("owners-more").hidden = devices.length <= shown;
  document.documentElement.dataset.owners = devices.length;
}

async function ask() {
  const { answer, reason } = await asked("/api/ownership");
  if (reason !== undefined) return set(byId("ownership-note"), reason);
  told = answer;
  draw();
}

byId("ownership-filter").addEventListener("submit", (event) => event.preventDefault());
byId("ownership-filter").addEventListener("input", draw);
byId("owners-more").addEventListener("click", () => {
  shown += A_PAGE;
  draw();
});
if (acts) {
  onSubmit(byId("ownership-claim"), async ({ device, owner }) => {
    if (await step("claim", device.trim(), owner)) byId("ownership-claim").reset();
  });
}
setInterval(ask, AGAIN_MS);
ask();
