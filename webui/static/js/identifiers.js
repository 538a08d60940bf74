// Two identifiers before something is done to a patient's record: taken from the patient or the wristband, never from the screen.
//
//   const kinds = await twoIdentifiers(patient, async (given) => "why they do not fit, or empty");   // null: cancelled
//
// `patient` says which kinds the record has; what was typed goes to the box, which compares. `kinds` are those that fitted. Needs
// css/patient.css; a scanner may be used while it is open.

import { Scanner } from "./scanner.js";
import { make } from "./elements.js";
import { post } from "./asking.js";
import { say } from "./words.js";
import { set } from "./tiles.js";

const KINDS = ["patient_id", "birth_date", "full_name"];

let cancel = null; // ends the dialog that is open
let scanned = null; // hears of a code while one is
let scanner = null;

export function twoIdentifiers(patient, check) {
  cancel?.();
  scanner ??= new Scanner((text) => scanned?.(text));
  const dialog = make("dialog", "", "identity");
  dialog.setAttribute("aria-labelledby", "identity-title");
  const title = make("h2", say("identity.title"));
  title.id = "identity-title";
  const form = make("form", "");
  const fields = Object.fromEntries(KINDS.filter((kind) => patient[kind]).map((kind) => [kind, field(kind)]));
  const note = make("p", "", "note");
  note.setAttribute("role", "alert");
  const yes = make("button", say("identity.check"), "key");
  const no = make("button", say("identity.cancel"), "key");
  no.type = "button";
  const row = make("div", "", "row");
  row.append(yes, no);
  form.append(...Object.values(fields).map(({ label }) => label), note, row);
  dialog.append(title, make("p", say("identity.about")), form);
  document.querySelector("main").append(dialog);
  return new Promise((resolve) => {
    const done = (kinds) => {
      scanned = cancel = null;
      dialog.close();
      dialog.remove();
      resolve(kinds);
    };
    cancel = () => done(null);
    scanned = async (text) => {
      const { answer, reason } = await post("/api/scan", { text });
      if (answer?.patient_id && fields.patient_id) fields.patient_id.input.value = answer.patient_id;
      set(note, reason ?? answer.refused);
    };
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const kinds = Object.keys(fields).filter((kind) => fields[kind].input.value.trim());
      if (kinds.length < 2) {
        set(note, say("identity.few"));
        return;
      }
      yes.disabled = true;
      const wrong = await check(Object.fromEntries(kinds.map((kind) => [kind, fields[kind].input.value.trim()])));
      yes.disabled = false;
      if (!dialog.open) return;
      if (wrong) set(note, wrong);
      else done(kinds);
    });
    no.addEventListener("click", cancel);
    dialog.addEventListener("keydown", ({ key }) => { if (key === "Escape") cancel?.(); });
    dialog.show(); // not modal: the keys of the alarms stay in reach
    Object.values(fields)[0].input.focus();
  });
}

function field(kind) {
  const label = make("label", "", "field");
  const input = make("input", "");
  input.type = kind === "birth_date" ? "date" : "text";
  input.autocomplete = "off";
  input.name = kind;
  label.append(make("span", say(`identity.${kind}`)), input);
  return { label, input };
}
