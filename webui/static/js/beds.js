// All beds of this box: one card each, in their fixed order, with its number, its worst alarm and its two keys.

import { AlarmKeys } from "./alarmkeys.js";
import { AlarmSound } from "./sound.js";
import { AlarmState, wantedOf } from "./alarmstate.js";
import { Banner } from "./banner.js";
import { Flash } from "./flash.js";
import { LivePage } from "./page.js";
import { Loss } from "./loss.js";
import { RANK, isThere } from "./alarmwords.js";
import { SoundKeys } from "./soundkeys.js";
import { Tile, set, sightOf } from "./tiles.js";
import { facts, say } from "./words.js";
import { figureText, metricOf } from "./panels.js";
import { livesOf } from "./numbers.js";
import { make } from "./elements.js";
import { messagesOf } from "./line.js";

const LOST_MS = 3000;

const byId = (id) => document.getElementById(id);

class BedCard {
  constructor(element, flash) {
    const part = (name) => element.querySelector(`.${name}`);
    this.element = element;
    this.bed = element.dataset.bed;
    this.flash = flash;
    this.state = new AlarmState();
    this.picture = null;
    this.tile = new Tile(element, livesOf("heart_rate"));
    this.banner = new Banner(part("alarms"), part("assertive"), part("polite"), flash, { shown: 1, note: part("alarm-note") });
    this.keys = new AlarmKeys(this.bed, part("acknowledge"), part("audio-pause"), () => this.state.acknowledge(), { shortcuts: false });
    this.trouble = part("trouble");
    this.also = part("also");
    this.heard = -Infinity;
  }

  show(now, link, page) {
    const boxNow = page.box.now(now);
    const bed = page.state?.beds.find(({ bed: key }) => key === this.bed);
    const rate = bed?.metrics.heart_rate;
    const sight = sightOf({ boxNow, link, stalled: false, lost: false, rate });
    const source = rate?.lead ? say("tile.source", { lead: rate.lead }) : "";
    this.tile.show(rate, sight, { grade: bed?.quality[rate?.lead]?.grade, source });
    const picture = this.state.picture(link, boxNow, now);
    this.picture = picture;
    this.keys.show(picture, boxNow, now);
    this.banner.show(picture, boxNow, this.keys.note);
    const [worst] = (picture?.alarms ?? []).filter(isThere).sort((a, b) => RANK[b.priority] - RANK[a.priority] || b.flashes - a.flashes);
    this.element.dataset.worst = worst?.priority ?? "";
    const messages = bed && boxNow !== null && link === "live" ? messagesOf({ facts: [] }, bed, boxNow, picture?.alarms ?? []) : [];
    this.#others(bed, boxNow, link, now);
    set(this.trouble, messages.length > 0 ? `${messages[0].text}. ${messages[0].help}` : "");
  }

  // The numbers of the other devices, those that were ever said: each in its place, also while it is absent.
  #others(bed, boxNow, link, now) {
    if (link === "live") this.heard = now;
    const sight = { boxNow, link, lost: now - this.heard > LOST_MS, gone: null };
    const names = facts.card.filter((name) => metricOf(name, bed?.metrics ?? {}, sight) !== undefined);
    if (this.also.dataset.names !== names.join()) {
      this.also.dataset.names = names.join();
      this.also.replaceChildren(...names.map((name) => otherOf(name)));
    }
    names.forEach((name, i) => {
      const text = figureText(name, bed.metrics, sight);
      set(this.also.children[i].querySelector("b"), text ?? say("tile.none"));
      this.also.children[i].dataset.state = text === null ? "blank" : "live";
    });
  }
}

function otherOf(name) {
  const item = make("li", "");
  item.dataset.figure = name;
  item.append(make("span", say(`figure.${name}`)), make("b", say("tile.none")));
  return item;
}

class BedsView {
  constructor() {
    this.flash = new Flash();
    this.loss = new Loss(byId("loss"), this.flash);
    this.cards = [...document.querySelectorAll(".card")].map((element) => new BedCard(element, this.flash));
    this.audio = new AlarmSound();
    this.soundKeys = new SoundKeys(this.audio, byId("sound-blocked"), byId("sound-setting"));
    document.addEventListener("keydown", (event) => {
      if (event.key === "F1" && this.loss.acknowledge()) event.preventDefault();
    });
  }

  state(state) {
    if (this.boot !== undefined && this.boot !== state.boot) for (const card of this.cards) card.state.restarted();
    this.boot = state.boot;
  }

  alarms(message) {
    this.cards.find(({ bed }) => bed === message.bed)?.state.take(message);
  }

  frame(now) {
    this.flash.frame(now);
  }

  refresh(now, link, page) {
    for (const card of this.cards) card.show(now, link, page);
    this.loss.judge(link);
    this.audio.want(this.loss.there ? this.loss.wanted : loudest(this.cards.map(({ picture }) => wantedOf(picture))));
    this.soundKeys.show();
    Object.assign(document.documentElement.dataset, {
      sound: this.audio.state,
      sounding: this.audio.wanted.priority ?? "",
      bursts: this.audio.played,
    });
  }

  sound() {
    return this.audio.state;
  }

  tests() {
    return this.cards.flatMap(({ banner }) => banner.tests);
  }
}

// What is heard of several beds: one sound at a time, the highest priority; the newest of any of them begins anew.
function loudest(wanted) {
  const [first] = wanted.map(({ priority }) => priority).filter(Boolean).sort((a, b) => RANK[b] - RANK[a]);
  const newest = Math.max(0, ...wanted.filter(({ priority }) => priority === first).map((one) => one.newest));
  return { priority: first ?? null, newest, silenced: wanted.map(({ silenced }) => silenced).join() };
}

new LivePage("/live", new BedsView());
