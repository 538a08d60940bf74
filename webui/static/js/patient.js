// The patient of a bed on the page of its sessions: who it is, discharge with a second touch, or the form of an admission.

import { make } from "./elements.js";
import { patientText } from "./patienttext.js";
import { say } from "./words.js";
import { set } from "./tiles.js";
import { whenText } from "./times.js";

const ABOUT = ["gender", "birth_date", "phone", "address"];

export class Patient {
  // `act(verb, patient)` resolves to whether it was done.
  constructor(act) {
    this.act = act;
    this.part = document.getElementById("patient");
    this.form = document.getElementById("admission");
    this.leave = this.part.querySelector(".discharge");
    this.open = document.getElementById("discharge");
    this.ask = document.getElementById("discharge-ask");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#admit();
    });
    this.open.addEventListener("click", () => this.#askFirst(this.ask.hidden));
    document.getElementById("discharge-no").addEventListener("click", () => this.#askFirst(false));
    document.getElementById("discharge-yes").addEventListener("click", () => this.#discharge());
  }

  // `patient` null: nobody is here.
  show(patient, utcNow) {
    this.part.dataset.state = patient ? "here" : "nobody";
    set(this.part.querySelector(".who"), patient ? patientText(patient) : say("patient.none"));
    this.form.hidden = patient !== null;
    this.leave.hidden = patient === null;
    if (!patient) this.#askFirst(false);
    else set(this.ask.querySelector("p"), say("patient.discharge_ask", { name: patient.full_name }));
    const told = patient ? ABOUT.filter((name) => patient[name]).map((name) => [say(`patient.${name}`), patient[name]]) : [];
    if (patient?.admitted_at) told.unshift([say("patient.admitted"), whenText(Date.parse(patient.admitted_at), utcNow)]);
    const drawn = JSON.stringify(told);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.part.querySelector(".about").replaceChildren(...told.map(pair));
  }

  // The box does not say.
  unknown() {
    this.part.dataset.state = "unknown";
    set(this.part.querySelector(".who"), say("patient.unknown"));
    this.form.hidden = true;
    this.leave.hidden = true;
    this.#askFirst(false);
    this.part.querySelector(".about").replaceChildren();
    this.drawn = "";
  }

  #askFirst(asked) {
    if (this.ask.hidden === !asked) return;
    this.ask.hidden = !asked;
    this.open.setAttribute("aria-expanded", String(asked));
    if (asked) document.getElementById("discharge-yes").focus();
    else if (!this.leave.hidden) this.open.focus();
  }

  async #admit() {
    const given = [...new FormData(this.form)].map(([name, value]) => [name, value.trim()]);
    if (await this.act("admit", Object.fromEntries(given.filter(([, value]) => value)))) this.form.reset();
  }

  async #discharge() {
    if (await this.act("discharge")) this.#askFirst(false);
  }
}

function pair([name, value]) {
  const element = make("div", "");
  element.append(make("dt", name), make("dd", value));
  return element;
}
