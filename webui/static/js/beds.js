// All beds of this box: one card each, in their fixed order.

import { LivePage } from "./page.js";
import { Tile, sightOf } from "./tiles.js";
import { livesOf } from "./numbers.js";
import { say } from "./words.js";

class BedsView {
  constructor() {
    this.cards = [...document.querySelectorAll(".card")].map((element) => ({
      bed: element.dataset.bed,
      tile: new Tile(element, livesOf("heart_rate")),
    }));
  }

  refresh(now, link, page) {
    const boxNow = page.box.now(now);
    for (const { bed: key, tile } of this.cards) {
      const bed = page.state?.beds.find(({ bed }) => bed === key);
      const rate = bed?.metrics.heart_rate;
      const sight = sightOf({ boxNow, link, stalled: false, lost: false, rate });
      const source = rate?.lead ? say("tile.source", { lead: rate.lead }) : "";
      tile.show(rate, sight, { grade: bed?.quality[rate?.lead]?.grade, source });
    }
  }
}

new LivePage("/live", new BedsView());
