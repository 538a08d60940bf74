// Confirming a report: two identifiers are compared by the box, then whose it is stands large before the statements.

import { facts, say } from "./words.js";
import { make } from "./elements.js";
import { post } from "./asking.js";
import { set } from "./tiles.js";
import { twoIdentifiers } from "./identifiers.js";

const byId = (id) => document.getElementById(id);

export class Confirm {
  // `confirmed(report, lines)`: lines null = as they were made.
  constructor(dialog, confirmed) {
    this.dialog = dialog;
    this.confirmed = confirmed;
    this.lines = byId("confirm-lines");
    byId("confirm-yes").addEventListener("click", () => this.#confirm());
    byId("confirm-no").addEventListener("click", () => dialog.close());
    dialog.addEventListener("keydown", ({ key }) => { if (key === "Escape") dialog.close(); });
  }

  // Why it cannot be, in words; "" = the dialogs had their say.
  async open(report) {
    if (!report.full_name || !report.patient_id) return say("report.not_identified");
    this.dialog.close();
    const compared = await twoIdentifiers(report, async (identifiers) => {
      const { answer, reason } = await post(`/api/reports/${report.id}/identifiers`, { identifiers });
      return reason ?? answer.refused;
    });
    if (compared !== null) this.#show(report, compared);
    return "";
  }

  #show(report, compared) {
    this.report = report;
    const rows = [["report.patient", report.full_name], ["report.patient_id", report.patient_id], ["report.born", report.birth_date]];
    this.dialog.querySelector(".whose").replaceChildren(...rows.flatMap(([key, text]) => [make("dt", say(key)), make("dd", text || say("reports.not_known"))]));
    this.was = (report.edited ?? report.made.map(({ text }) => text)).join("\n");
    this.lines.value = this.was;
    set(byId("confirm-hint"), say("reports.confirm.compared", { kinds: compared.map((kind) => say(`identity.${kind}`)).join(", ") }));
    this.dialog.show(); // not modal: the keys of the alarms stay in reach
    this.lines.focus();
  }

  #confirm() {
    const text = this.lines.value;
    const lines = text.split("\n").map((line) => line.trim().slice(0, facts.longest_line)).filter(Boolean);
    const asMade = this.report.edited === null && text === this.was;
    this.dialog.close();
    this.confirmed(this.report, asMade ? null : lines);
  }
}
