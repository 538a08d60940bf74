// The log of alarms as it is stored, newest first, page by page. What has come since is read again when alarms change.

import { facts } from "./words.js";

const GIVE_UP_MS = 6000;
const AGAIN_MS = 10_000; // limits and the box's own entries change no alarm
const SETTLE_MS = 400; // the log is on the disk a moment after the screen has it

export class History {
  constructor() {
    this.entries = null; // newest first; null: not read yet
    this.rows = []; // names of alarms that ever were
    this.next = null; // where the page before begins
    this.failed = false;
    this.reading = null; // AbortController
    this.wanted = { priority: "", row: "" };
    this.due = 0;
    this.key = "";
  }

  // While the list is in view: `key` changes with the alarms.
  watch(wanted, key, now) {
    if (JSON.stringify(wanted) !== JSON.stringify(this.wanted)) {
      this.wanted = wanted;
      this.entries = null;
      this.reading?.abort();
      this.reading = null;
      this.due = now;
    } else if (key !== this.key) {
      this.due = Math.min(this.due, now + SETTLE_MS);
    }
    this.key = key;
    if (now >= this.due && this.reading === null) {
      this.due = now + AGAIN_MS;
      this.#read(null);
    }
  }

  // The page before.
  more() {
    if (this.next !== null && this.reading === null) this.#read(this.next);
  }

  async #read(before) {
    const reading = new AbortController();
    this.reading = reading;
    const asked = new URLSearchParams({ bed: facts.bed, ...this.wanted, ...(before ? { before } : {}) });
    const late = setTimeout(() => reading.abort(), GIVE_UP_MS);
    try {
      const response = await fetch(`/api/alarms?${asked}`, { signal: reading.signal });
      if (!response.ok) throw new Error(response.status);
      const page = await response.json();
      if (this.reading === reading) this.#take(page, before);
    } catch {
      if (this.reading === reading) this.failed = true;
    } finally {
      clearTimeout(late);
      if (this.reading === reading) this.reading = null;
    }
  }

  #take({ entries, rows, next }, before) {
    this.failed = false;
    this.rows = rows;
    const known = this.entries ?? [];
    if (before !== null) {
      this.entries = [...known, ...entries];
      this.next = next;
      return;
    }
    // The newest page anew; what had been read behind it stays.
    const last = known.findIndex(({ id }) => id === entries.at(-1)?.id);
    const behind = last < 0 ? [] : known.slice(last + 1);
    this.entries = [...entries, ...behind];
    if (behind.length === 0) this.next = next;
  }
}
