// One's own password and PIN.

import { asked, byId, live, note, onSubmit, showsPasswords } from "./desk.js";
import { say } from "./words.js";
import { set } from "./tiles.js";

const password = byId("password-form");
const pin = byId("pin-form");

async function act(form, verb, values, done) {
  const { reason } = await asked("/api/account", { verb, ...values });
  form.reset();
  if (reason === undefined) done();
  else note(reason);
}

onSubmit(password, (values) =>
  act(password, "password", values, () => {
    if (byId("must")) location.assign("/");
    else note(say("account.changed"));
  }),
);
showsPasswords(byId("show-password"), password);
if (pin) {
  const state = (key, said) => () => {
    set(byId("pin-state"), say(key));
    note(say(said));
  };
  onSubmit(pin, (values) => act(pin, "pin", values, state("account.pin.there", "account.pin.is_set")));
  byId("pin-remove").addEventListener("click", () => {
    if (!pin.elements.password.reportValidity()) return;
    act(pin, "pin", { password: pin.elements.password.value, new: "" }, state("account.pin.none", "account.pin.is_gone"));
  });
}
live();
