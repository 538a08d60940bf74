// The first set-up: the first administrator, what the box is, and what comes next.

import { asked, byId, live, note, onSubmit, showsPasswords } from "./desk.js";
import { say } from "./words.js";

const ASK_EVERY_MS = 2_000;
const MOST_BEDS = 32;
const form = byId("setup-form");
const beds = () => [...byId("beds").querySelectorAll("input")];

const words = (text) => text.split(/[\s,;]+/).filter(Boolean);

// What the form says of the box: fields are called box.NAME and bed.KEY.
function boxOf(values) {
  const box = { beds: {} };
  for (const [name, value] of Object.entries(values)) {
    if (name.startsWith("box.")) box[name.slice(4)] = value.trim();
    if (name.startsWith("bed.")) box.beds[name.slice(4)] = value.trim();
  }
  return { ...box, servers: words(box.servers) };
}

// Waits for the box to go and to come back.
async function comeBack() {
  let gone = false;
  for (;;) {
    await new Promise((done) => setTimeout(done, ASK_EVERY_MS));
    const { answer } = await asked("/api/who");
    const there = answer !== undefined && answer.known !== false;
    if (gone && there) return;
    gone = gone || !there;
  }
}

function showNext(next) {
  form.hidden = true;
  note("");
  byId("next").hidden = false;
  byId("next-title").focus();
  if (!next) return;
  const told = byId("next-note");
  told.hidden = false;
  told.textContent = say(`setup.page.${next}`);
  if (next === "wait") comeBack().then(() => { told.textContent = say("setup.page.again"); });
}

byId("bed-add").addEventListener("click", () => {
  const known = beds();
  if (known.length >= MOST_BEDS) return;
  const keys = new Set(known.map((input) => input.name.slice(4)));
  let key = 1;
  while (keys.has(String(key))) key += 1;
  const field = known.at(-1).closest(".field").cloneNode(true);
  field.querySelector("span").textContent = say("setup.page.bed", { bed: key });
  const input = field.querySelector("input");
  input.name = `bed.${key}`;
  input.value = "";
  known.at(-1).closest(".field").after(field);
  input.focus();
});

onSubmit(form, async ({ code = "", password, full_name, machine_serial_id, ...rest }) => {
  const { answer, reason } = await asked("/api/setup", { code, password, person: { full_name, machine_serial_id }, box: boxOf(rest) });
  if (reason === undefined) showNext(answer.next);
  else {
    note(reason);
    byId("note").focus();
  }
});
showsPasswords(byId("show-password"), form);
live();
