// Confirming a report: whose it is stands large before the statements, and is agreed to before the key can be used.

import { facts, say } from "./words.js";
import { make } from "./elements.js";
import { set } from "./tiles.js";

const byId = (id) => document.getElementById(id);

export class Confirm {
  // `confirmed(report, lines)`: lines null = as they were made.
  constructor(dialog, confirmed) {
    this.dialog = dialog;
    this.confirmed = confirmed;
    this.whose = byId("confirm-whose");
    this.lines = byId("confirm-lines");
    this.yes = byId("confirm-yes");
    this.whose.addEventListener("change", () => this.#judge());
    this.yes.addEventListener("click", () => this.#confirm());
    byId("confirm-no").addEventListener("click", () => dialog.close());
  }

  open(report) {
    this.report = report;
    const rows = [["report.patient", report.full_name], ["report.patient_id", report.patient_id], ["report.born", report.birth_date || say("reports.not_known")]];
    this.dialog.querySelector(".whose").replaceChildren(...rows.flatMap(([key, text]) => [make("dt", say(key)), make("dd", text || say("reports.not_known"))]));
    this.was = (report.edited ?? report.made.map(({ text }) => text)).join("\n");
    this.lines.value = this.was;
    this.whose.checked = false;
    const known = report.full_name && report.patient_id;
    this.whose.disabled = !known;
    set(byId("confirm-hint"), known ? "" : say("report.not_identified"));
    this.#judge();
    this.dialog.show(); // not modal: the keys of the alarms stay in reach
  }

  #judge() {
    this.yes.disabled = !this.whose.checked;
  }

  #confirm() {
    const text = this.lines.value;
    const lines = text.split("\n").map((line) => line.trim().slice(0, facts.longest_line)).filter(Boolean);
    const asMade = this.report.edited === null && text === this.was;
    this.dialog.close();
    this.confirmed(this.report, asMade ? null : lines);
  }
}
