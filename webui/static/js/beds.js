// All beds of this box: one card each, in their fixed order.

import { LivePage } from "./page.js";
import { Tile } from "./tiles.js";

class BedsView {
  constructor() {
    this.cards = [...document.querySelectorAll(".card")].map((element) => ({
      bed: element.dataset.bed,
      tile: new Tile(element, "heart_rate"),
    }));
  }

  refresh(now, link, page) {
    const boxNow = page.box.now(now);
    for (const { bed: key, tile } of this.cards) {
      const bed = page.state?.beds.find(({ bed }) => bed === key);
      const metric = bed?.metrics.heart_rate;
      tile.show(metric, boxNow, metric && bed.quality[metric.lead]?.grade, link);
    }
  }
}

new LivePage("/live", new BedsView());
