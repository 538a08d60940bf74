// Tokens of machines, for an administrator: found by name and state, made (told once), revoked.

import { asked, byId, given, live, note, onSubmit } from "./desk.js";
import { facts, say } from "./words.js";
import { make } from "./elements.js";
import { newId } from "./acts.js";
import { set } from "./tiles.js";

let offset = 0;

const when = (ms) => new Date(ms).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

async function act(verb, values) {
  byId("once").hidden = true;
  const { answer, reason } = await asked("/api/tokens", { id: newId(), verb, ...values });
  note(reason ?? "");
  return reason === undefined ? answer : null;
}

function times(one) {
  return [
    say("tokens.made", { when: when(one.made_ms), by: one.made_by }),
    one.expires_ms === null ? say("tokens.never_expires") : say("tokens.expires", { when: when(one.expires_ms) }),
    one.used_ms === null ? say("tokens.never_used") : say("tokens.used", { when: when(one.used_ms) }),
    one.state === "revoked" ? say("tokens.revoked", { when: when(one.revoked_ms), by: one.revoked_by }) : "",
  ].filter((text) => text).join(" · ");
}

function row(one) {
  const element = byId("token").content.firstElementChild.cloneNode(true);
  const part = (name) => element.querySelector(name);
  set(part("h2"), one.name);
  set(part(".state"), say(`tokens.state.${one.state}`));
  set(part(".scopes"), one.scopes.map((scope) => say(`scope.${scope}`)).join(" · "));
  set(part(".times"), times(one));
  if (one.state !== "good") return element;
  const key = make("button", say("tokens.revoke"), "key");
  key.type = "button";
  key.append(make("span", `, ${one.name}`, "unseen"));
  part(".keys").append(key);
  key.addEventListener("click", () => {
    set(part(".ask p"), say("tokens.revoke.sure", { name: one.name }));
    part(".ask").hidden = false;
    part(".yes").focus();
  });
  part(".no").addEventListener("click", () => {
    part(".ask").hidden = true;
    key.focus();
  });
  part(".yes").addEventListener("click", async () => {
    if ((await act("revoke", { token: one.id })) !== null) await show();
  });
  return element;
}

async function show() {
  const { find, state } = given(byId("filter"));
  const { answer, reason } = await asked(`/api/tokens?${new URLSearchParams({ find, state, offset })}`);
  if (reason !== undefined) return set(byId("summary"), reason);
  const { tokens, total } = answer;
  byId("tokens").replaceChildren(...tokens.map(row));
  const to = offset + tokens.length;
  set(byId("summary"), total === 0 ? say("tokens.none") : say("people.count", { from: offset + 1, to, total }));
  byId("newer").disabled = offset === 0;
  byId("older").disabled = to >= total;
  document.documentElement.dataset.tokens = total;
}

function turn(pages) {
  offset = Math.max(0, offset + pages * facts.most);
  return show();
}

onSubmit(byId("filter"), async () => {
  offset = 0;
  await show();
});
onSubmit(byId("make"), async ({ name, days }) => {
  const scopes = [...byId("make").querySelectorAll("input[type=checkbox]:checked")].map((box) => box.name);
  const answer = await act("create", { name, days: Number(days), scopes });
  if (answer === null) return;
  byId("make").reset();
  byId("making").open = false;
  await show();
  byId("once").hidden = false;
  byId("once").replaceChildren(make("span", `${say("tokens.once")} `), make("code", answer.secret));
});
byId("newer").addEventListener("click", () => turn(-1));
byId("older").addEventListener("click", () => turn(1));
live();
show();
