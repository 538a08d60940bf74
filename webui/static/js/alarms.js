// All that this page shows and sounds of one bed's alarms. The box decides; the page shows what the box has said last, and
// alarms by itself when it hears the box no more.

import { AlarmKeys } from "./alarmkeys.js";
import { AlarmList } from "./alarmlist.js";
import { AlarmSound } from "./sound.js";
import { AlarmTiles } from "./alarmtiles.js";
import { Banner } from "./banner.js";
import { Flash } from "./flash.js";
import { History } from "./history.js";
import { LimitsEditor } from "./limits.js";
import { facts, say } from "./words.js";
import { set } from "./tiles.js";

const STALE_MS = 3000; // the box says alarms that stand again every second

const byId = (id) => document.getElementById(id);

export class Alarms {
  constructor() {
    this.message = null;
    this.lost = null; // since when the box is not heard, ns of its clock
    this.loss = { there: false, seen: false }; // NO CONNECTION: this page's own alarm, and whether it was acknowledged here
    this.flash = new Flash();
    this.banner = new Banner(byId("alarms"), byId("alarms-assertive"), byId("alarms-polite"), this.flash);
    this.keys = new AlarmKeys(byId("acknowledge"), byId("audio-pause"), () => this.#acknowledgeLoss());
    this.tiles = new AlarmTiles(facts.alarm_tiles, this.flash);
    this.list = new AlarmList(byId("sheet-alarms"));
    this.limits = new LimitsEditor(document.querySelector("#sheet-limits .rows"), byId("limits-note"), byId("limits-default"));
    this.history = new History();
    this.sound = new AlarmSound();
    this.soundKeys = [byId("sound-blocked"), byId("sound-setting")];
    byId("sound-setting").addEventListener("click", () => this.sound.turn(!this.sound.on));
    byId("sound-blocked").addEventListener("click", () => this.sound.turn(true));
  }

  // The box's alarms of this bed, as it has just said them.
  take(message) {
    this.message = message;
    this.history.take(message);
  }

  // The box has started anew: its clock has.
  restarted() {
    this.message = null;
    this.history.restarted();
  }

  frame(now) {
    this.flash.frame(now);
  }

  refresh(now, link, box) {
    const boxNow = box.now(now);
    const picture = this.message?.picture ?? null;
    this.#watch(link, boxNow);
    this.#judgeLoss(link);
    const stands = picture !== null && picture.alarms.length + picture.pauses.length > 0;
    const stale = stands && link === "live" && boxNow !== null && boxNow - this.message.now_ns / 1e6 > STALE_MS;
    this.keys.show(picture, boxNow, now);
    this.banner.show(picture, boxNow, { stale, note: this.keys.note });
    if (picture !== null) this.tiles.show(this.message);
    this.sound.want(this.loss.there ? soundOf(this.loss) : wantedOf(picture));
    this.#showSound();
    const utcOf = (ns) => ns / 1e6 + box.utcOffset;
    if (!byId("sheet-alarms").hidden) this.list.show(picture, this.history, { utcOf, utcNow: box.utc(now) ?? 0, boxNow });
    if (!byId("sheet-limits").hidden) this.limits.show(this.message?.limits ?? []);
    this.#publish();
  }

  // What may have happened while the box was not heard is not known, and stands so in the history.
  #watch(link, boxNow) {
    if (boxNow === null) return;
    if (link === "live") {
      if (this.lost !== null) this.history.missed(this.lost, boxNow * 1e6);
      this.lost = null;
    } else {
      this.lost ??= boxNow * 1e6;
    }
  }

  // Connection or box lost: high priority, until it is back or somebody here has seen it; its picture stays either way.
  #judgeLoss(link) {
    const there = link === "lost" || link === "silent";
    if (there !== this.loss.there) this.loss = { there, seen: false };
    this.flash.set(byId("loss"), there && !this.loss.seen ? "high" : "");
  }

  #acknowledgeLoss() {
    const { there } = this.loss;
    if (there) this.loss.seen = true;
    return there;
  }

  #showSound() {
    const { state } = this.sound;
    const [notice, setting] = this.soundKeys;
    notice.hidden = state === "on";
    notice.dataset.state = state;
    set(notice.querySelector(".what"), say(`sound.${state}`));
    set(notice.querySelector(".help"), say(`sound.${state}.help`));
    setting.setAttribute("aria-pressed", String(this.sound.on));
    set(setting, say(this.sound.on ? "key.sound_on" : "key.sound_off"));
    setting.disabled = state === "none";
  }

  // Facts for whoever tests this page.
  #publish() {
    Object.assign(document.documentElement.dataset, {
      sound: this.sound.state,
      sounding: this.sound.wanted.priority ?? "",
      bursts: this.sound.played,
      alarms: (this.message?.picture.alarms ?? []).map(({ row }) => row).join(" "),
    });
  }
}

const soundOf = ({ seen }) => ({ priority: seen ? null : "high", newest: 0, silenced: String(seen) });

// What the box sounds; what people did changes `silenced`.
function wantedOf(picture) {
  if (picture === null) return { priority: null, newest: 0, silenced: "" };
  const sounding = picture.alarms.filter(({ sounds }) => sounds);
  const done = [picture.alarms.map(({ acknowledged_ns: ns }) => ns), picture.pauses.map(({ since_ns: ns }) => ns), picture.off.length];
  return {
    priority: picture.sound,
    newest: Math.max(0, ...sounding.map(({ active_ns: ns }) => ns)),
    silenced: JSON.stringify(done),
  };
}
