// What alarms do to tiles: the limits beside the number, the crossed bell, the flashing of the tile whose alarm it is.

import { RANK, isThere } from "./alarmwords.js";
import { facts, say } from "./words.js";
import { set } from "./tiles.js";
import { valueText } from "./numbers.js";

export class AlarmTiles {
  // `tiles`: id -> { rows, limits: [[row, key] low, [row, key] high], either null, or null }.
  constructor(tiles, flash) {
    this.flash = flash;
    this.tiles = Object.entries(tiles).map(([id, tile]) => ({ element: document.getElementById(id), ...tile }));
  }

  show({ picture, limits }) {
    const rows = new Map(limits.map((row) => [row.row, row]));
    const off = new Set(picture.off.map(({ row }) => row));
    for (const tile of this.tiles) {
      this.#alarm(tile, picture.alarms.filter((alarm) => isThere(alarm) && tile.rows.includes(alarm.row)));
      this.#bell(tile, rows, off);
      if (tile.limits) this.#limits(tile, rows, picture.alarms);
    }
  }

  // The tile of the worst of its alarms: it flashes until that is seen, and then wears the colour steadily.
  #alarm({ element }, alarms) {
    const [worst] = [...alarms].sort((a, b) => RANK[b.priority] - RANK[a.priority] || b.flashes - a.flashes);
    element.dataset.alarm = worst?.priority ?? "";
    this.flash.set(element, worst?.flashes ? worst.priority : "");
  }

  // Crossed where a person has switched one of its alarms off, and where it has none that is on.
  #bell({ element, rows: names }, rows, off) {
    const none = names.some((name) => rows.has(name)) && names.every((name) => rows.get(name)?.on === false);
    const crossed = none || names.some((name) => off.has(name));
    const bell = element.querySelector(".bell");
    bell.toggleAttribute("hidden", !crossed); // an SVG has no property for it
    if (crossed) bell.setAttribute("aria-label", say("alarms.bell_off"));
  }

  #limits({ element, limits }, rows, alarms) {
    const broken = new Set(alarms.filter(isThere).map(({ row }) => row));
    for (const [i, part] of [".low", ".high"].entries()) {
      const [name, key] = limits[i] ?? [];
      const row = rows.get(name);
      const limit = row?.limits.find((one) => one.key === key);
      const text = element.querySelector(`.limits ${part}`);
      const decimals = limit && Number.isInteger(limit.step) ? 0 : facts.figures[element.dataset.figure]?.decimals;
      set(text, limit ? (row.on ? valueText(limit.value, limit.unit, decimals) : say("alarms.off_short")) : "");
      text.dataset.broken = String(broken.has(name));
      text.dataset.differs = String(Boolean(limit) && limit.value !== limit.default);
    }
    element.querySelector(".limits").hidden = rows.size === 0;
    for (const to of element.querySelectorAll(".limits .to")) to.hidden = limits.includes(null);
  }
}
