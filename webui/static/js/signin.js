// Signing in: a name with a password, or a face with a PIN where the password was given this shift.

import { asked, byId, live, note, onSubmit, showsPasswords } from "./desk.js";
import { facts, say } from "./words.js";
import { make } from "./elements.js";
import { set } from "./tiles.js";

const form = byId("password-form");
const pin = byId("pin-form");
let face = null;

function entered({ answer, reason }) {
  if (reason === undefined) location.assign(answer.must_change ? "/account" : facts.next);
  else note(reason);
  return reason !== undefined;
}

// Several people answer to the name: at the bed they are listed, elsewhere the other of name and serial ID tells.
function several(which) {
  byId("other").hidden = which.length > 0;
  const list = byId("which");
  list.hidden = which.length === 0;
  for (const label of list.querySelectorAll("label")) label.remove();
  for (const one of which) {
    const label = make("label", "");
    const choice = document.createElement("input");
    Object.assign(choice, { type: "radio", name: "person", value: one.person, required: true });
    const serial = one.machine_serial_id ? ` · ${one.machine_serial_id}` : "";
    label.append(choice, make("span", `${one.full_name} · ${say(`role.${one.role}`)}${serial}`));
    list.append(label);
  }
  (list.querySelector("input") ?? form.elements.other).focus();
}

async function signIn(values) {
  const said = await asked("/api/sign-in", values);
  if (said.answer?.several) {
    note(said.reason);
    several(said.answer.which);
  } else if (entered(said)) {
    form.elements.password.value = "";
    form.elements.password.focus();
  }
}

function choose(one, key) {
  face = one;
  for (const other of byId("faces").querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === key));
  set(byId("pin-of"), say("sign_in.pin_of", { name: one.full_name }));
  pin.hidden = false;
  pin.elements.pin.value = "";
  pin.elements.pin.focus();
}

async function faces() {
  const { answer } = await asked("/api/sign-in");
  const people = answer?.people ?? [];
  byId("no-faces").hidden = people.length > 0;
  byId("faces").replaceChildren(
    ...people.map((one) => {
      const item = make("li", "");
      const key = make("button", one.full_name, "key");
      key.type = "button";
      key.append(make("small", say(`role.${one.role}`)));
      key.addEventListener("click", () => choose(one, key));
      item.append(key);
      return item;
    }),
  );
}

async function withPin({ pin: digits }) {
  const wrong = entered(await asked("/api/sign-in", { person: face.person, pin: digits }));
  pin.elements.pin.value = "";
  if (wrong) await faces();
  pin.elements.pin.focus();
}

onSubmit(form, signIn);
form.elements.identifier.addEventListener("input", () => {
  byId("which").hidden = true;
  byId("other").hidden = true;
  for (const label of byId("which").querySelectorAll("label")) label.remove();
  form.elements.other.value = "";
});
showsPasswords(byId("show-password"), form);
if (pin) {
  onSubmit(pin, withPin);
  for (const key of pin.querySelectorAll("[data-digit]")) {
    key.addEventListener("click", () => {
      const input = pin.elements.pin;
      if (input.value.length < input.maxLength) input.value += key.dataset.digit;
    });
  }
  byId("pin-back").addEventListener("click", () => {
    pin.elements.pin.value = pin.elements.pin.value.slice(0, -1);
  });
  faces();
}
live();
