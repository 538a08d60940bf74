// Two identifiers before something is done to a patient's record: taken from the patient or the wristband, never from the screen.
//
//   import { twoIdentifiers } from "./identifiers.js";
//   const used = await twoIdentifiers({ full_name, birth_date, patient_id });   // null: cancelled
//
// `used` names the two that fitted (["patient_id", "birth_date"]); hand it to the box with the act, for the audit. Needs
// css/patient.css; a scanner may be used while it is open.

import { Scanner } from "./scanner.js";
import { make } from "./elements.js";
import { post } from "./asking.js";
import { say } from "./words.js";
import { set } from "./tiles.js";

const KINDS = ["patient_id", "birth_date", "full_name"];
const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().split(/[\s,]+/u).filter(Boolean).sort().join(" ");
const same = { patient_id: (a, b) => a.trim() === b, birth_date: (a, b) => a === b, full_name: (a, b) => plain(a) === plain(b) };

let scanned = null; // hears of a code while a dialog is open
let scanner = null;

export function twoIdentifiers(patient) {
  scanner ??= new Scanner((text) => scanned?.(text));
  const dialog = make("dialog", "", "identity");
  dialog.setAttribute("aria-labelledby", "identity-title");
  const title = make("h2", say("identity.title"));
  title.id = "identity-title";
  const form = make("form", "");
  const fields = Object.fromEntries(KINDS.filter((kind) => patient[kind]).map((kind) => [kind, field(kind)]));
  const note = make("p", "", "note");
  note.setAttribute("role", "alert");
  const check = make("button", say("identity.check"), "key");
  const cancel = make("button", say("identity.cancel"), "key");
  cancel.type = "button";
  const row = make("div", "", "row");
  row.append(check, cancel);
  form.append(...Object.values(fields).map(({ label }) => label), note, row);
  dialog.append(title, make("p", say("identity.about")), form);
  document.querySelector("main").append(dialog);
  return new Promise((resolve) => {
    const done = (used) => {
      scanned = null;
      dialog.remove();
      resolve(used);
    };
    scanned = async (text) => {
      const { answer, reason } = await post("/api/scan", { text });
      if (answer?.patient_id && fields.patient_id) fields.patient_id.input.value = answer.patient_id;
      set(note, reason ?? answer.refused);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const given = Object.keys(fields).filter((kind) => fields[kind].input.value.trim());
      const wrong = given.filter((kind) => !same[kind](fields[kind].input.value, patient[kind]));
      if (wrong.length > 0) set(note, say("identity.wrong", { which: say(`identity.${wrong[0]}`) }));
      else if (given.length < 2) set(note, say("identity.few"));
      else done(given);
    });
    cancel.addEventListener("click", () => done(null));
    dialog.addEventListener("cancel", () => done(null));
    dialog.showModal();
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
