// The alarm line of a bed above a page about something else, with its two keys: alarms are never out of sight.

import { AlarmKeys } from "./alarmkeys.js";
import { AlarmState } from "./alarmstate.js";
import { Banner } from "./banner.js";
import { Flash } from "./flash.js";
import { Loss } from "./loss.js";

class AlarmLine {
  constructor(element, flash, acknowledgeLoss, shortcuts) {
    const part = (name) => element.querySelector(`.${name}`);
    this.bed = element.dataset.bed;
    this.state = new AlarmState();
    this.banner = new Banner(element, part("assertive"), part("polite"), flash);
    const own = () => acknowledgeLoss() || this.state.acknowledge();
    this.keys = new AlarmKeys(this.bed, part("acknowledge"), part("audio-pause"), own, { shortcuts });
  }

  show(link, boxNow, now) {
    const picture = this.state.picture(link, boxNow, now);
    this.keys.show(picture, boxNow, now);
    this.banner.show(picture, boxNow, this.keys.note);
  }
}

// The lines of a page: what a LivePage's view has to do with alarms. F1 and F2 act where there is one bed only.
export class AlarmLines {
  constructor() {
    this.flash = new Flash();
    this.loss = new Loss(document.getElementById("loss"), this.flash);
    const elements = [...document.querySelectorAll(".alarms[data-bed]")];
    this.lines = elements.map((element) => new AlarmLine(element, this.flash, () => this.loss.acknowledge(), elements.length === 1));
  }

  state(state) {
    if (this.boot !== undefined && this.boot !== state.boot) for (const line of this.lines) line.state.restarted();
    this.boot = state.boot;
  }

  alarms(message) {
    this.lines.find(({ bed }) => bed === message.bed)?.state.take(message);
  }

  frame(now) {
    this.flash.frame(now);
  }

  refresh(now, link, page) {
    for (const line of this.lines) line.show(link, page.box.now(now), now);
    this.loss.judge(link);
  }
}
