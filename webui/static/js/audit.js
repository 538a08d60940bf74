// Who did what: rows that fit, newest first, and whether the chain that binds them is whole.

import { asked, byId, given, live, note, onSubmit } from "./desk.js";
import { facts, has, say } from "./words.js";
import { make } from "./elements.js";
import { set } from "./tiles.js";

const DAY_MS = 86_400_000;
const COLUMNS = ["time", "actor", "role", "origin", "act", "bed", "subject", "body"];
let before = null;

const textOf = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));

function cells(row) {
  const time = new Date(row.utc_ms).toISOString().slice(0, 19).replace("T", " ");
  return {
    ...row,
    time: row.clock === "set" ? time : `${time} (${say("audit.unset")})`,
    role: has(`role.${row.role}`) ? say(`role.${row.role}`) : row.role,
    bed: facts.beds[row.bed] ?? row.bed,
    body: Object.entries(row.body).filter(([, value]) => value !== "").map(([name, value]) => `${name}: ${textOf(value)}`).join(", "),
  };
}

function line(row) {
  const texts = cells(row);
  const element = make("tr", "");
  element.dataset.act = row.act;
  for (const name of COLUMNS) {
    const cell = make("td", texts[name]);
    cell.dataset.label = say(`audit.${name}`);
    element.append(cell);
  }
  return element;
}

function query() {
  const { from, to, ...asks } = given(byId("filter"));
  if (from) asks.from = Date.parse(from);
  if (to) asks.to = Date.parse(to) + DAY_MS;
  if (before !== null) asks.before = before;
  return new URLSearchParams(Object.entries(asks).filter(([, value]) => value !== ""));
}

async function show(goesOn) {
  if (!goesOn) before = null;
  const { answer, reason } = await asked(`/api/audit?${query()}`);
  if (reason !== undefined) return note(reason);
  const body = byId("rows").tBodies[0];
  if (!goesOn) body.replaceChildren();
  body.append(...answer.rows.map(line));
  before = answer.before;
  byId("older").hidden = before === null;
  note(body.rows.length === 0 ? say("audit.none") : "");
  document.documentElement.dataset.rows = body.rows.length;
}

async function chain() {
  const { answer, reason } = await asked("/api/audit/chain");
  const element = byId("chain");
  if (reason !== undefined) return set(element, reason);
  element.dataset.state = answer.whole ? "whole" : "broken";
  set(element, answer.whole ? say("audit.whole", { rows: answer.rows }) : say("audit.broken", { row: answer.broken_at }));
}

onSubmit(byId("filter"), () => show(false));
byId("older").addEventListener("click", () => show(true));
live();
show(false);
chain();
