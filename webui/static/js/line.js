// The message line: what a person should know now and what to do about it, worst first. Each is { key, text, help }.
// It shows what concerns the whole box and this bed, never another one.

import { elapsed, facts, has, say } from "./words.js";

const SHOWN = 3;
const SHOWN_NARROW = 1;
const FEW = 3; // more electrodes than this are not named one by one
const LINK_TROUBLE = new Set(["searching", "silent", "stalled", "lost", "busy", "denied"]);

// Messages of a bed's state at box time `now` (ms), but for those that one of `alarms` says already: the alarm line owns them.
export function messagesOf(state, bed, now, alarms = []) {
  const messages = [...factMessages(state, bed), ...beatMessages(bed), ...deviceMessages(bed, now), ...leadMessages(bed)];
  return messages.filter(({ says, device }) => !alarms.some((alarm) => says.includes(alarm.row) && isOf(alarm, device)));
}

// An alarm that names a device is of that one.
function isOf(alarm, device) {
  const named = alarm.row === "no_data_device" ? alarm.instance : Object.fromEntries(alarm.values).device;
  return device === undefined || named === undefined || named === device;
}

function factMessages(state, bed) {
  return state.facts
    .filter((fact) => fact.state === "failed" && ["", bed.bed].includes(fact.bed))
    .map((fact) => {
      const key = has(`fact.${fact.source}`) ? `fact.${fact.source}` : "fact.other";
      const says = facts.speaks_for[`fact.${fact.source}`] ?? facts.speaks_for.fact;
      return { ...message(key, { source: fact.source.toUpperCase() }), says };
    });
}

// A good signal without a beat in it: nothing on this screen matters more.
function beatMessages(bed) {
  return bed.metrics.heart_rate?.why === "no_beats" ? [{ ...message("line.no_beats", {}), says: facts.speaks_for["line.no_beats"] }] : [];
}

function deviceMessages(bed, now) {
  return bed.devices
    .filter((device) => LINK_TROUBLE.has(device.state))
    .map((device) => {
      const values = { device: device.label.toUpperCase(), since: elapsed(now - device.since_ns / 1e6) };
      const says = facts.speaks_for["line.device"];
      return { ...message(`line.${device.state}`, values), key: `line.${device.state}.${device.label}`, says, device: device.label };
    });
}

function leadMessages(bed) {
  const leads = Object.entries(bed.quality).filter(([lead]) => lead !== "global");
  const off = [...new Set(leads.flatMap(([, quality]) => quality.electrodes))];
  const allOff = leads.length > 0 && leads.every(([, quality]) => quality.grade === "off");
  if (allOff) return [message(off.length > FEW || off.length === 0 ? "trouble.leads_off" : "trouble.electrode_off", { electrodes: off.join(" ") })];
  const messages = off.length > 0 ? [message("trouble.electrode_off", { electrodes: off.join(" ") })] : [];
  const noisy = leads.filter(([, quality]) => quality.grade === "poor").map(([lead]) => lead);
  if (noisy.length === leads.length && leads.length > FEW) messages.push(message("trouble.all_noisy", {}));
  else if (noisy.length > 0) messages.push(message("trouble.noisy", { leads: noisy.join(" ") }));
  return messages;
}

function message(key, values) {
  const says = facts.speaks_for[key.replace("trouble.all_", "trouble.")] ?? [];
  return { says, key: `${key} ${values.electrodes ?? values.leads ?? ""}`, text: say(key, values), help: say(`${key}.help`, values, "") };
}

export class MessageLine {
  // `element` shows the messages, `spoken` is read out, only when a message comes or goes.
  constructor(element, spoken) {
    this.element = element;
    this.spoken = spoken;
    this.narrow = window.matchMedia("(max-width: 700px)");
    this.keys = "";
    this.drawn = "";
  }

  show(messages) {
    const shown = messages.slice(0, this.narrow.matches ? SHOWN_NARROW : SHOWN);
    const more = messages.length - shown.length;
    const drawn = JSON.stringify([shown, more]);
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      const rest = shown.length === 0 ? say("page.quiet") : more > 0 ? say("page.more", { count: more }) : "";
      this.element.replaceChildren(...shown.map(chip), note(rest));
      this.element.dataset.count = messages.length;
    }
    const keys = messages.map(({ key }) => key).join("|");
    if (keys !== this.keys) {
      this.keys = keys;
      this.spoken.textContent = shown.map(({ text, help }) => `${text}. ${help}`).join(" ");
    }
  }
}

function chip({ text, help }) {
  const element = note(text, "message");
  if (help) element.append(note(help, "help"));
  return element;
}

function note(text, name = "more") {
  const element = document.createElement("span");
  element.className = name;
  element.textContent = text;
  return element;
}
