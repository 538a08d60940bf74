// The page of a bed's proposed settings.

import { AlarmLines } from "./alarmline.js";
import { LivePage } from "./page.js";
import { Proposals } from "./proposals.js";
import { facts, say } from "./words.js";
import { set } from "./tiles.js";

class ProposedView extends AlarmLines {
  constructor() {
    super();
    this.proposals = new Proposals(document.getElementById("proposals"), facts.bed);
    this.none = document.getElementById("none");
  }

  refresh(now, link, page) {
    super.refresh(now, link, page);
    this.proposals.refresh(now);
    const { open } = this.proposals;
    set(this.none, open === null ? say("act.unreachable") : open.length === 0 ? say("proposals.none") : "");
    document.documentElement.dataset.proposals = open === null ? "silent" : String(open.length);
  }
}

new LivePage("/live", new ProposedView());
