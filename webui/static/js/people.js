// People, for an administrator: found by name, role and page; each with what can be done.

import { asked, byId, given, live, note, onSubmit } from "./desk.js";
import { facts, say } from "./words.js";
import { make } from "./elements.js";
import { newId } from "./acts.js";
import { set } from "./tiles.js";

const FIELDS = ["full_name", "machine_serial_id", "age", "gender", "phone", "address"];
let offset = 0;

async function act(verb, values) {
  byId("once").hidden = true;
  const { answer, reason } = await asked("/api/people", { id: newId(), verb, ...values });
  note(reason ?? say("people.saved"));
  return reason === undefined ? answer : null;
}

// A password that was made up is told once, until the next act.
function once(name, password) {
  if (!password) return;
  byId("once").hidden = false;
  set(byId("once"), say("people.once", { name, password }));
}

function stateOf(one) {
  const words = [];
  if (!one.active) words.push("inactive");
  if (one.locked) words.push("locked");
  if (one.must_change) words.push("must_change");
  return words.map((word) => say(`people.state.${word}`)).join(" · ");
}

class Row {
  constructor(one) {
    this.one = one;
    this.element = byId("person").content.firstElementChild.cloneNode(true);
    this.part = (name) => this.element.querySelector(name);
    this.form = this.part("form");
    set(this.part("h2"), one.full_name);
    set(this.part(".role"), say(`role.${one.role}`));
    set(this.part(".state"), stateOf(one));
    set(this.part(".serial"), one.machine_serial_id);
    this.keys = this.part(".keys");
    this.#key("people.edit", () => this.#edit());
    this.#key("people.reset", () => this.#ask("people.reset.ask", () => this.#reset()));
    if (one.locked) this.#key("people.unlock", () => this.#do("unlock"));
    if (one.active) this.#key("people.deactivate", () => this.#ask("people.deactivate.ask", () => this.#do("deactivate")));
    else this.#key("people.activate", () => this.#do("activate"));
    this.part(".cancel").addEventListener("click", () => this.#close());
    this.part(".no").addEventListener("click", () => this.#close());
    onSubmit(this.form, (values) => this.#save(values));
  }

  #key(word, does) {
    const key = make("button", say(word), "key");
    key.type = "button";
    key.append(make("span", `, ${this.one.full_name}`, "unseen"));
    key.addEventListener("click", does);
    this.keys.append(key);
  }

  #close() {
    this.form.hidden = true;
    this.part(".ask").hidden = true;
    this.keys.querySelector("button").focus();
  }

  #edit() {
    for (const name of [...FIELDS, "role"]) this.form.elements[name].value = this.one[name] ?? "";
    this.form.hidden = false;
    this.form.elements.full_name.focus();
  }

  #ask(word, does) {
    set(this.part(".ask p"), say(word, { name: this.one.full_name }));
    this.part(".ask").hidden = false;
    this.part(".yes").onclick = does;
    this.part(".yes").focus();
  }

  async #save({ role, ...values }) {
    const changed = Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== String(this.one[name] ?? "")));
    const person = this.one.person;
    if (Object.keys(changed).length > 0 && (await act("edit", { person, values: changed })) === null) return;
    if (role !== this.one.role && (await act("role", { person, role })) === null) return;
    await show();
  }

  async #do(verb) {
    if ((await act(verb, { person: this.one.person })) !== null) await show();
  }

  async #reset() {
    const answer = await act("reset", { person: this.one.person });
    if (answer === null) return;
    once(this.one.full_name, answer.password);
    await show();
  }
}

async function show() {
  const { find, role } = given(byId("filter"));
  const { answer, reason } = await asked(`/api/people?${new URLSearchParams({ find, role, offset })}`);
  if (reason !== undefined) return set(byId("summary"), reason);
  const { people, total } = answer;
  byId("persons").replaceChildren(...people.map((one) => new Row(one).element));
  const to = offset + people.length;
  set(byId("summary"), total === 0 ? say("people.none") : say("people.count", { from: offset + 1, to, total }));
  byId("newer").disabled = offset === 0;
  byId("older").disabled = to >= total;
  document.documentElement.dataset.people = total;
}

function turn(pages) {
  offset = Math.max(0, offset + pages * facts.most);
  return show();
}

onSubmit(byId("filter"), async () => {
  offset = 0;
  await show();
});
onSubmit(byId("add"), async ({ role, ...values }) => {
  const answer = await act("add", { role, values });
  if (answer === null) return;
  note(say("people.added", { name: values.full_name }));
  once(values.full_name, answer.password);
  byId("add").reset();
  byId("adding").open = false;
  await show();
});
onSubmit(byId("import"), async ({ role }) => {
  const text = await byId("import").elements.file.files[0].text();
  const answer = await act("import", { role, text });
  if (answer === null) return;
  note([say("people.imported", { came: answer.came }), ...answer.refused].join(" "));
  byId("import").reset();
  await show();
});
byId("newer").addEventListener("click", () => turn(-1));
byId("older").addEventListener("click", () => turn(1));
live();
show();
