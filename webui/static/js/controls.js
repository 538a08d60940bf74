// Keys, sheets and choices. A choice of the screen acts at once; a choice of the box shows what the box has, and what
// was asked only as asked until the box confirms it.

import { GIVE_UP_MS, LATE_MS, newId, send } from "./acts.js";
import { say } from "./words.js";

const SHOWN_MS = 8000;

// Opens and closes the sheets that keys point to (aria-controls); one at a time. Esc closes, and the focus goes back to the
// key that opened it. A key may name the part of its sheet that it is about (data-part).
export function connectSheets(keys, onChange) {
  const idOf = (key) => key.getAttribute("aria-controls");
  const sheets = new Map(keys.map((key) => [idOf(key), document.getElementById(idOf(key))]));
  let opener = null;
  const show = (key) => {
    opener = key;
    for (const [id, sheet] of sheets) sheet.hidden = key === null || id !== idOf(key);
    for (const each of keys) each.setAttribute("aria-expanded", String(key !== null && idOf(each) === idOf(key)));
    onChange();
    if (key?.dataset.part) sheets.get(idOf(key)).querySelector(`[data-group="${key.dataset.part}"]`).scrollIntoView();
  };
  const close = () => {
    if (opener === null) return false;
    const key = opener;
    show(null);
    key.focus();
    return true;
  };
  for (const key of keys) {
    key.addEventListener("click", () => show(key.getAttribute("aria-expanded") === "true" ? null : key));
  }
  for (const sheet of sheets.values()) sheet.querySelector(".close").addEventListener("click", close);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && close()) event.preventDefault();
  });
}

// The screen's own choices: radio groups named as the settings.
export function connectSettings(form, settings, onChange) {
  for (const input of form.querySelectorAll("input")) {
    input.checked = settings[input.name] === input.value;
    input.addEventListener("change", () => {
      settings[input.name] = input.value;
      onChange(settings);
    });
  }
}

// The box's choices: `display` of the bed's state, changed by acts.
export class BoxChoices {
  constructor(form, note, bed) {
    this.form = form;
    this.note = note;
    this.bed = bed;
    this.asked = null; // { name, value, at, id }
    this.problem = null; // { text, at }
    this.display = null;
    for (const input of form.querySelectorAll("input")) {
      input.addEventListener("change", () => this.#ask(input.name, input.value));
    }
  }

  show(display, now) {
    this.display = display;
    if (this.asked && String(display[this.asked.name]) === this.asked.value) this.asked = null;
    this.refresh(now);
  }

  // Called now and then, so that a late answer is told as late.
  refresh(now) {
    if (this.asked && now - this.asked.at > GIVE_UP_MS) this.#fail(say("act.unreachable"), now);
    if (this.problem && now - this.problem.at > SHOWN_MS) this.problem = null;
    for (const input of this.form.querySelectorAll("input")) {
      input.disabled = this.display === null;
      input.checked = this.display !== null && String(this.display[input.name]) === input.value;
      const pending = this.asked?.name === input.name && this.asked.value === input.value;
      input.parentElement.classList.toggle("pending", pending);
    }
    const late = this.asked && now - this.asked.at > LATE_MS;
    const asked = this.asked ? say(late ? "act.late" : "act.pending") : say("choice.note");
    this.note.textContent = this.problem?.text ?? asked;
    this.note.dataset.state = this.problem ? "failed" : this.asked ? "pending" : "";
  }

  async #ask(name, value) {
    const id = newId();
    this.asked = { name, value, at: performance.now(), id };
    this.problem = null;
    this.refresh(performance.now());
    const reason = await send({ id, bed: this.bed, verb: "display", values: { [name]: value } });
    if (reason !== null && this.asked?.id === id) this.#fail(reason, performance.now());
    this.refresh(performance.now());
  }

  #fail(reason, now) {
    this.asked = null;
    this.problem = { text: say("act.failed", { reason }), at: now };
  }
}
