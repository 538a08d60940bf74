// A barcode scanner types: keys much faster than fingers, then one that ends the code. What it typed is taken out of the field
// that had the focus. GS (0x1D) comes as Ctrl+].

import { facts } from "./words.js";

const FAST_MS = 50; // between keys; a scanner needs about 10, fingers 80 and more
const LEAST = 4;

export class Scanner {
  // `onScan(text)` hears of a code, without prefix and the key that ends it.
  constructor(onScan, { prefix = "", suffix = "Enter" } = facts.scanner ?? {}) {
    this.onScan = onScan;
    this.prefix = prefix;
    this.suffix = suffix;
    this.#forget();
    document.addEventListener("keydown", (event) => this.#key(event), true);
  }

  #forget() {
    this.text = "";
    this.at = -Infinity;
    this.field = null;
  }

  #key(event) {
    const group = event.ctrlKey && event.key === "]";
    if (event.isComposing || event.altKey || event.metaKey || (event.ctrlKey && !group)) return;
    const now = event.timeStamp;
    if (event.key === this.suffix && now - this.at < FAST_MS && this.text.length >= LEAST + this.prefix.length) {
      this.#scanned(event);
      return;
    }
    if (event.key.length !== 1) {
      if (event.key !== "Shift") this.#forget();
      return;
    }
    if (now - this.at >= FAST_MS) {
      this.text = "";
      const field = document.activeElement;
      this.field = field && "value" in field && field.type !== "button" ? { element: field, value: field.value } : null;
    }
    if (group) event.preventDefault();
    this.text += group ? "\x1d" : event.key;
    this.at = now;
  }

  #scanned(event) {
    const { text, field } = this;
    this.#forget();
    if (!text.startsWith(this.prefix)) return;
    event.preventDefault();
    event.stopPropagation();
    if (field) field.element.value = field.value;
    this.onScan(text.slice(this.prefix.length));
  }
}
