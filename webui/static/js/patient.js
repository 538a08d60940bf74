// The patient of a bed on the page of its sessions: who it is, discharge with a second touch, or the form of an admission.

import { Admission } from "./admission.js";
import { facts, say } from "./words.js";
import { make } from "./elements.js";
import { patientText } from "./patienttext.js";
import { set } from "./tiles.js";
import { whenText } from "./times.js";

const ABOUT = ["gender", "birth_date", "phone", "address"];

export class Patient {
  // `act(verb, patient)` resolves to whether it was done.
  constructor(act) {
    this.act = act;
    this.part = document.getElementById("patient");
    this.admission = new Admission((given, unknown) => this.act("admit", given, { unknown }));
    this.go = this.part.querySelector(".move");
    this.move = document.getElementById("move");
    this.moveAsk = document.getElementById("move-ask");
    this.leave = this.part.querySelector(".discharge");
    this.open = document.getElementById("discharge");
    this.ask = document.getElementById("discharge-ask");
    this.move.addEventListener("click", () => this.#askMove(this.moveAsk.hidden));
    document.getElementById("move-to").addEventListener("change", () => this.#askMove(true));
    document.getElementById("move-no").addEventListener("click", () => this.#askMove(false));
    document.getElementById("move-yes").addEventListener("click", () => this.#move());
    this.open.addEventListener("click", () => this.#askFirst(this.ask.hidden));
    document.getElementById("discharge-no").addEventListener("click", () => this.#askFirst(false));
    document.getElementById("discharge-yes").addEventListener("click", () => this.#discharge());
  }

  // `patient` null: nobody is here.
  show(patient, utcNow) {
    this.part.dataset.state = patient ? "here" : "nobody";
    set(this.part.querySelector(".who"), patient ? patientText(patient) : say("patient.none"));
    this.patient = patient;
    this.admission.show(patient === null);
    this.leave.hidden = patient === null;
    this.go.hidden = patient === null || Object.keys(facts.beds).length < 2;
    if (!patient) {
      this.#askFirst(false);
      this.#askMove(false);
    } else set(this.ask.querySelector("p"), say("patient.discharge_ask", { name: patient.full_name }));
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
    this.admission.show(false);
    this.leave.hidden = true;
    this.go.hidden = true;
    this.#askFirst(false);
    this.#askMove(false);
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

  #askMove(asked) {
    this.moveAsk.hidden = !asked;
    this.move.setAttribute("aria-expanded", String(asked));
    if (!asked || !this.patient) return;
    const to = document.getElementById("move-to").value;
    set(this.moveAsk.querySelector("p"), say("patient.move_ask", { name: this.patient.full_name, bed: facts.beds[to] }));
  }

  async #move() {
    const more = { to: document.getElementById("move-to").value, keep_limits: document.getElementById("move-limits").checked };
    if (await this.act("move", {}, more)) this.#askMove(false);
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
