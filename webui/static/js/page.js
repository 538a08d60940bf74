// What every live page does with its connection: the box's clock, the versions, what is lost, the time on top.

import { BoxClock } from "./clock.js";
import { DeadMan, StuckPicture } from "./watchdog.js";
import { LiveSocket } from "./socket.js";
import { applyToStyles } from "./millimetres.js";
import { elapsed, facts, say } from "./words.js";
import { fullText } from "./times.js";
import { set } from "./tiles.js";
import { showPatient } from "./patienttext.js";

const REFRESH_MS = 250;
const MOST_TESTS = 32; // that a report takes (webui/viewer.py)
const FOR_THE_VIEW = new Set(["beat", "measured", "events", "alarms", "limits"]); // messages that concern the view alone

const byId = (id) => document.getElementById(id);

// In place of the socket where whoever has signed in may not see patients: nothing is heard, and nothing is lost.
class Unwatched {
  state = () => "unwatched";
  silence = () => 0;
  watch() {}
}

export class LivePage {
  // `view` has state(state, now), beat(beat, now), measured(message, now), events(message, now), alarms(message, now), limits(message, now),
  // waves(buffer, now), refresh(now, link, page), frame(now), last() (what was received last), sound() (whether alarms are
  // heard here) and tests() (alarm tests that are shown) for the report; all may be absent but refresh.
  constructor(path, view) {
    this.view = view;
    this.box = new BoxClock();
    this.state = null;
    this.boxSilentSince = null;
    this.framesDrawn = 0;
    this.version = null;
    this.deadMan = new DeadMan(byId("deadman"));
    this.stuck = new StuckPicture();
    applyToStyles();
    this.socket = new (facts.watch === false ? Unwatched : LiveSocket)(path, {
      onText: (message, now) => this.#text(message, now),
      onWaves: (buffer, now) => {
        this.stuck.heard(now);
        view.waves?.(buffer, now);
      },
      report: () => ({
        drawn: this.framesDrawn,
        last: view.last?.() ?? "",
        sound: view.sound?.() ?? "none",
        tests: (view.tests?.() ?? []).slice(0, MOST_TESTS),
        visible: document.visibilityState === "visible",
        reloaded: this.stuck.reloaded,
      }),
    });
    setInterval(() => this.refresh(performance.now()), REFRESH_MS);
    requestAnimationFrame(() => this.#frame());
    this.refresh(performance.now());
  }

  // "live", "connecting", "lost" (this page and its server) or "silent" (server and box).
  link(now) {
    const state = this.socket.state(now);
    return state === "live" && this.boxSilentSince !== null ? "silent" : state;
  }

  #text(message, now) {
    this.stuck.heard(now);
    if (message.type === "web") {
      if (message.assets !== facts.assets) location.reload();
      this.boxSilentSince = message.silent_s === null ? null : now - message.silent_s * 1000;
    } else if (message.type === "state") {
      if (this.version !== null && message.version !== this.version) location.reload();
      this.version = message.version;
      this.state = message;
      this.box.heard(message, now);
      this.#showPatients(message);
      this.view.state?.(message, now);
    } else if (FOR_THE_VIEW.has(message.type)) {
      this.view[message.type]?.(message, now);
    }
    this.refresh(now);
  }

  // Whom a page is about stands on top of it, and that it is a demonstration wherever it is printed.
  #showPatients({ beds, demo }) {
    if (demo) document.documentElement.dataset.demo = say("page.demo");
    for (const banner of document.querySelectorAll(".top .patient[data-bed]")) {
      const bed = beds.find(({ bed: key }) => key === banner.dataset.bed);
      if (bed) showPatient(banner, bed.patient);
    }
  }

  #frame() {
    const now = performance.now();
    this.view.frame?.(now);
    this.framesDrawn += 1;
    this.deadMan.drew(now);
    this.stuck.drew(now);
    this.#showSecond(now);
    requestAnimationFrame(() => this.#frame());
  }

  // The second mark moves in the loop that draws the waves: staff can see that the picture is alive.
  #showSecond(now) {
    const utc = this.box.utc(now);
    const second = Math.floor((utc ?? 0) / 1000);
    if (utc === null || second === this.second) return;
    this.second = second;
    byId("second").style.setProperty("transform", `rotate(${(second % 60) * 6}deg)`);
    set(byId("time"), fullText(new Date(utc)));
  }

  refresh(now) {
    this.socket.watch(now);
    const link = this.link(now);
    const root = document.documentElement.dataset;
    if (root.link !== link) root.link = link;
    root.framesDrawn = this.framesDrawn;
    this.#showLoss(link, now);
    for (const element of document.querySelectorAll(".demo")) element.hidden = !this.state?.demo;
    this.view.refresh(now, link, this);
  }

  #showLoss(link, now) {
    const banner = byId("loss");
    const lost = link === "lost" || link === "silent";
    banner.hidden = !lost;
    if (!lost) return;
    const since = link === "lost" ? this.socket.silence(now) : now - this.boxSilentSince;
    const key = link === "lost" ? "page.connection_lost" : "page.box_silent";
    set(banner.querySelector(".what"), say(key, { since: "" }).trim());
    set(banner.querySelector(".since"), elapsed(since));
    set(banner.querySelector(".help"), say(`${key}.help`));
  }
}
