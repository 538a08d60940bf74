// Flashing after IEC 60601-1-8: high 1.4 to 2.8 Hz, medium 0.4 to 0.8 Hz, lit for 20 to 60 % of the time; below three flashes
// a second. Two shades of a field, never on and off: its text can always be read. Drawn in the loop that draws the waves, so
// that whatever flashes is alive.

export const RATES = {
  high: { period: 500, lit: 250 },
  medium: { period: 1650, lit: 825 },
};

export class Flash {
  constructor() {
    this.lit = {};
  }

  // Elements say what they flash with (data-flash="high"); they are told whether they are lit now (data-lit).
  frame(now) {
    const lit = Object.fromEntries(
      Object.entries(RATES).map(([priority, rate]) => [priority, now % rate.period < rate.lit]),
    );
    for (const priority of Object.keys(RATES)) {
      if (lit[priority] === this.lit[priority]) continue;
      for (const element of document.querySelectorAll(`[data-flash="${priority}"]`)) element.dataset.lit = String(lit[priority]);
    }
    this.lit = lit;
  }

  // Let an element flash with a priority, or stand ("").
  set(element, priority) {
    const flash = priority in RATES ? priority : "";
    if ((element.dataset.flash ?? "") === flash) return;
    element.dataset.flash = flash;
    element.dataset.lit = String(flash === "" || (this.lit[flash] ?? true));
  }
}
