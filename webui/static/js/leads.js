// The numbers of each lead: which of them is on the ST tile, and the tables of all.

import { facts } from "./words.js";
import { isFresh, reasonOf, set } from "./tiles.js";
import { livesOf, valueText } from "./numbers.js";
import { say } from "./words.js";

const FAST_BPM = 120; // above it ST is watched at J + 60 ms, below at J + 80 (daemon/dsp/ecg/measures/measurement.py)

// The ST level that is farthest from zero: { lead, name, metric }; without any fresh one, some lead's own absent one.
export function farthest(byLead, rate, sight) {
  const name = rate?.value > FAST_BPM ? "st_j60" : "st_j80";
  const all = Object.entries(byLead).map(([lead, numbers]) => ({ lead, name, metric: numbers[name] }));
  const fresh = all.filter(({ metric }) => isFresh(metric, sight, livesOf(name)));
  if (fresh.length === 0) return all.find(({ metric }) => metric) ?? { lead: "", name, metric: undefined };
  return fresh.reduce((most, one) => (Math.abs(one.metric.value) > Math.abs(most.metric.value) ? one : most));
}

export class LeadTables {
  // `tables` of the page, each with its columns in facts by data-group.
  constructor(tables) {
    this.tables = [...tables].map((element) => ({ element, body: element.tBodies[0], names: facts[element.dataset.group] }));
  }

  // `leads` in the order in which they are shown.
  show(leads, byLead, sight) {
    for (const { element, body, names } of this.tables) {
      if (element.dataset.leads !== leads.join()) {
        element.dataset.leads = leads.join();
        body.replaceChildren(...leads.map((lead) => row(lead, names.length)));
      }
      leads.forEach((lead, i) => this.#row(body.rows[i], byLead[lead] ?? {}, names, sight));
    }
  }

  // A lead's numbers, or once over all of them the reason why it has none.
  #row(line, numbers, names, sight) {
    const there = names.map((name) => isFresh(numbers[name], sight, livesOf(name)));
    const why = there.some(Boolean) ? "" : reasonOf(numbers[names[0]], sight);
    names.forEach((name, i) => {
      const metric = numbers[name];
      const cell = line.cells[i + 1];
      cell.hidden = why !== "" && i > 0;
      cell.colSpan = why !== "" ? names.length : 1;
      set(cell, why || (there[i] ? valueText(metric.value, metric.unit) : say("tile.none")));
    });
    line.dataset.state = why ? "blank" : "live";
  }
}

function row(lead, columns) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = lead;
  line.append(head, ...Array.from({ length: columns }, () => document.createElement("td")));
  return line;
}
