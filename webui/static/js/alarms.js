// All that this page shows and sounds of one bed's alarms. The box decides; the page shows what the box has said last, and
// alarms by itself when it hears the box no more.

import { AlarmKeys } from "./alarmkeys.js";
import { AlarmList } from "./alarmlist.js";
import { AlarmSound } from "./sound.js";
import { AlarmState, wantedOf } from "./alarmstate.js";
import { AlarmTiles } from "./alarmtiles.js";
import { Banner } from "./banner.js";
import { Flash } from "./flash.js";
import { LimitsEditor } from "./limits.js";
import { Loss } from "./loss.js";
import { SoundKeys } from "./soundkeys.js";
import { facts } from "./words.js";

const byId = (id) => document.getElementById(id);

export class Alarms {
  // `onOpen(entry)`: an alarm of the log was chosen.
  constructor(onOpen) {
    this.state = new AlarmState();
    this.told = []; // limits
    this.picture = null;
    this.flash = new Flash();
    this.loss = new Loss(byId("loss"), this.flash);
    this.banner = new Banner(byId("alarms"), byId("alarms-assertive"), byId("alarms-polite"), this.flash);
    this.keys = new AlarmKeys(facts.bed, byId("acknowledge"), byId("audio-pause"), () => this.loss.acknowledge() || this.state.acknowledge());
    this.tiles = new AlarmTiles(facts.alarm_tiles, this.flash);
    this.list = new AlarmList(byId("sheet-alarms"), onOpen);
    this.limits = new LimitsEditor(document.querySelector("#sheet-limits .rows"), byId("limits-note"), byId("limits-keys"));
    this.sound = new AlarmSound();
    this.soundKeys = new SoundKeys(this.sound, byId("sound-blocked"), byId("sound-setting"));
  }

  // The box's alarms of this bed, as it has just said them.
  take(message) {
    this.state.take(message);
  }

  // What can be set of them.
  takeLimits({ limits }) {
    this.told = limits;
  }

  // The box has started anew: its clock has.
  restarted() {
    this.state.restarted();
  }

  frame(now) {
    this.flash.frame(now);
  }

  refresh(now, link, box) {
    const boxNow = box.now(now);
    const picture = this.state.picture(link, boxNow, now);
    this.picture = picture;
    this.loss.judge(link);
    this.keys.show(picture, boxNow, now);
    this.banner.show(picture, boxNow, this.keys.note);
    if (picture !== null) this.tiles.show({ picture, limits: this.told });
    this.sound.want(this.loss.there ? this.loss.wanted : wantedOf(picture));
    this.soundKeys.show();
    const utcOf = (ns) => ns / 1e6 + box.utcOffset;
    if (!byId("sheet-alarms").hidden) this.list.show(picture, now, { utcOf, utcNow: box.utc(now) ?? 0, boxNow });
    if (!byId("sheet-limits").hidden) this.limits.show(this.told);
    this.#publish();
  }

  // Facts for whoever tests this page.
  #publish() {
    Object.assign(document.documentElement.dataset, {
      sound: this.sound.state,
      sounding: this.sound.wanted.priority ?? "",
      bursts: this.sound.played,
      alarms: (this.picture?.alarms ?? []).map(({ row }) => row).join(" "),
    });
  }
}
