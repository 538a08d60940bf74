// All that is shown of the analysis of one bed's ECG: tiles always, the sheets while they are open.

import { Conclusions } from "./conclusions.js";
import { EventList } from "./events.js";
import { LeadTables, farthest } from "./leads.js";
import { RhythmTile } from "./rhythm.js";
import { Tile, isFresh, reasonOf, set, sightOf } from "./tiles.js";
import { livesOf, quantity } from "./numbers.js";
import { say } from "./words.js";

const LOST_MS = 3000; // without samples or a link for so long, nothing that was measured is shown any more
const byId = (id) => document.getElementById(id);

export class Ecg {
  constructor() {
    this.rate = new Tile(byId("heart-rate"), livesOf("heart_rate"));
    this.rhythm = new RhythmTile(byId("rhythm"));
    this.tiles = [...document.querySelectorAll(".tile.number")].map((element) => {
      const name = element.dataset.number;
      return { name, tile: new Tile(element, livesOf(name)) };
    });
    this.rows = [...document.querySelectorAll("#sheet-ecg [data-number]")];
    this.tables = new LeadTables(document.querySelectorAll("#sheet-ecg table"));
    this.conclusions = new Conclusions(document.querySelector("#sheet-ecg .conclusions"));
    this.events = new EventList(document.querySelector("#sheet-events .events"));
    this.measured = { leads: {}, conclusions: null };
    this.happened = [];
    this.lastGood = null;
  }

  pulse() {
    this.rate.pulse();
  }

  // `now` is the page's clock; `box` the page's idea of the box's (BoxClock).
  show(bed, box, now, { link, stalled }) {
    if (this.lastGood === null || (link === "live" && !stalled)) this.lastGood = now;
    const rate = bed?.metrics.heart_rate;
    const lost = now - this.lastGood > LOST_MS;
    const sight = sightOf({ boxNow: box.now(now), link, stalled, lost, rate });
    const utcOf = (ns) => ns / 1e6 + box.utcOffset;
    const utcNow = box.utc(now) ?? 0;
    const leadOf = (metric) => (metric?.lead ? say("tile.source", { lead: metric.lead }) : "");
    this.rate.show(rate, sight, { grade: bed?.quality[rate?.lead]?.grade, source: leadOf(rate) });
    this.rhythm.show(bed?.rhythms ?? [], rate, sight, utcOf, utcNow);
    this.#tiles(bed, rate, sight);
    if (!byId("sheet-events").hidden) {
      const waves = bed?.waves;
      this.events.show(this.happened, { segment: waves?.segment, rate: waves?.rate_hz ?? 0 }, utcOf, utcNow);
    }
    if (!byId("sheet-ecg").hidden) {
      this.#rows(bed, sight);
      this.tables.show(bed?.waves?.leads ?? [], this.measured.leads, sight);
      this.conclusions.show(this.measured.conclusions, utcOf, utcNow);
    }
  }

  #tiles(bed, rate, sight) {
    for (const { name, tile } of this.tiles) {
      if (name === "st") {
        const st = farthest(this.measured.leads, rate, sight);
        const source = say("tile.st.source", { lead: st.lead, point: say(`point.${st.name}`, {}, st.name) });
        tile.show(st.metric, sight, { source });
      } else {
        tile.show(bed?.metrics[name], sight);
      }
    }
  }

  #rows(bed, sight) {
    for (const row of this.rows) {
      const name = row.dataset.number;
      const metric = bed?.metrics[name];
      const fresh = isFresh(metric, sight, livesOf(name));
      set(row.lastElementChild, fresh ? quantity(metric.value, metric.unit) : `${say("tile.none")} ${reasonOf(metric, sight)}`);
      row.dataset.state = fresh ? "live" : "blank";
    }
    const others = document.querySelector('#sheet-ecg [data-group="other"]');
    others.hidden = !this.rows.some((row) => others.contains(row) && bed?.metrics[row.dataset.number]);
  }
}
