// An admission in two steps: what was entered or scanned, then name and birth date in large type with whoever is called alike.

import { Scanner } from "./scanner.js";
import { ask, post } from "./asking.js";
import { facts, say } from "./words.js";
import { make } from "./elements.js";
import { set } from "./tiles.js";

const FIELDS = ["full_name", "patient_id", "birth_date", "age", "gender", "phone", "address"];

export class Admission {
  // `admit(patient, unknown)` resolves to whether it was done.
  constructor(admit) {
    this.admit = admit;
    this.form = document.getElementById("admission");
    this.look = document.getElementById("look");
    this.said = document.getElementById("scan-said");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#review();
    });
    document.getElementById("look-yes").addEventListener("click", () => this.#yes());
    document.getElementById("look-no").addEventListener("click", () => this.#back());
    document.getElementById("admit-unknown").addEventListener("click", () => this.admit({}, true));
    this.scanner = new Scanner((text) => this.#scan(text));
  }

  // Whether the bed is free.
  show(free) {
    document.getElementById("admit-part").hidden = !free;
    if (!free) this.#back(false);
  }

  async #scan(text) {
    if (document.getElementById("admit-part").hidden || !this.look.hidden) return;
    const { answer, reason } = await post("/api/scan", { text });
    if (!answer || answer.refused) {
      this.#say(reason ?? answer.refused, true);
      return;
    }
    const { patient_id: number, patient } = answer;
    const fields = this.form.elements;
    for (const name of FIELDS) fields[name].value = "";
    fields.patient_id.value = number;
    if (patient) {
      for (const name of FIELDS) fields[name].value = patient[name] ?? "";
      const at = patient.bed ? "scan.at_bed" : "scan.known";
      this.#say(say(at, { name: patient.full_name, bed: facts.beds[patient.bed] ?? patient.bed }), patient.bed !== "");
    } else {
      this.#say(say("scan.read", { number }), false);
    }
    (patient ? this.form.querySelector("#admit") : fields.full_name).focus();
  }

  #given() {
    const given = [...new FormData(this.form)].map(([name, value]) => [name, value.trim()]);
    return Object.fromEntries(given.filter(([, value]) => value));
  }

  async #review() {
    this.given = this.#given();
    const { full_name: name, birth_date: born, patient_id: number = "", age } = this.given;
    set(this.look.querySelector(".name"), name);
    const birth = born ? say("admit.born", { date: born }) : say("admit.no_birth_date");
    set(this.look.querySelector(".birth"), birth);
    set(this.look.querySelector(".more"), [number, !born && age ? say("patient.age", { age }) : "", this.given.gender].filter(Boolean).join(" · "));
    this.look.querySelector(".alike").replaceChildren();
    this.look.hidden = false;
    this.form.hidden = true;
    document.getElementById("look-yes").focus();
    const { answer } = await ask(`/api/alike?${new URLSearchParams({ name, patient_id: number })}`);
    const lines = (answer?.patients ?? []).map(({ how, patient }) => {
      const about = [patient.birth_date, patient.patient_id, patient.bed && (facts.beds[patient.bed] ?? patient.bed)].filter(Boolean).join(" · ");
      const line = make("li", say(how === "same" ? "admit.same_name" : "admit.alike", { name: patient.full_name, about }));
      line.dataset.how = how;
      return line;
    });
    this.look.querySelector(".alike").replaceChildren(...lines);
  }

  #back(focus = true) {
    if (this.look.hidden) return;
    this.look.hidden = true;
    this.form.hidden = false;
    if (focus) this.form.elements.full_name.focus();
  }

  async #yes() {
    if (await this.admit(this.given, false)) {
      this.form.reset();
      this.#back(false);
      this.#say(say("scan.ready"), false);
    }
  }

  #say(text, refused) {
    set(this.said, text);
    this.said.dataset.state = refused ? "failed" : "";
  }
}
