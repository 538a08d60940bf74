// The live page of one bed: puts the parts together.

import { Alarms } from "./alarms.js";
import { BoxChoices, connectSettings, connectSheets } from "./controls.js";
import { Devices } from "./devices.js";
import { Ecg } from "./ecg.js";
import { Enlarged } from "./enlarged.js";
import { LivePage } from "./page.js";
import { MessageLine, messagesOf } from "./line.js";
import { PlayoutClock } from "./clock.js";
import { Stage } from "./stage.js";
import { Strip } from "./strip.js";
import { Traces } from "./traces.js";
import { caption } from "./caption.js";
import { facts } from "./words.js";
import { isCalibrated } from "./millimetres.js";
import { isInverted } from "./layout.js";
import { load, save } from "./settings.js";
import { readWaves } from "./wire.js";
import { set } from "./tiles.js";
import { showPatient } from "./patienttext.js";

const UNFILTERED = { mode: "diagnostic", mains_hz: 0, cleaning: false };
const LAST_BEATS = 20; // labels published for tests

const byId = (id) => document.getElementById(id);

class BedView {
  constructor() {
    this.settings = load();
    this.traces = new Traces();
    this.playout = new PlayoutClock();
    this.ecg = new Ecg();
    this.alarming = new Alarms((entry) => this.#strip(entry));
    this.line = new MessageLine(byId("line"), byId("spoken"));
    this.devices = new Devices(byId("device-chips"), byId("sheet-devices"));
    this.choices = new BoxChoices(byId("box-choices"), byId("box-note"), facts.bed);
    this.stage = new Stage(byId("waves"), this.traces, this.settings, {
      onTap: (lead) => this.#enlarge(lead),
      onGain: () => this.#caption(),
    });
    this.enlarged = new Enlarged(byId("enlarged"), this.traces, this.settings, {
      chain: () => this.bed?.waves?.chain ?? [],
      onClose: (lead) => this.#reduce(lead),
    });
    this.strip = new Strip(byId("strip"), this.settings, {
      display: () => this.bed?.display ?? UNFILTERED,
      onClose: () => this.#uncover(),
    });
    byId("uncalibrated").hidden = isCalibrated();
    this.bed = null;
    this.counts = { jumps: 0, dry: 0 };
    this.secondAt = 0;
    connectSettings(byId("screen-choices"), this.settings, (settings) => {
      save(settings);
      this.stage.invalidate();
      this.enlarged.invalidate();
      this.strip.invalidate();
      this.#caption();
    });
    byId("full-screen").addEventListener("click", () => toggleFullScreen());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.playout.restart();
    });
    this.#caption();
  }

  state(state, now) {
    const bed = state.beds.find(({ bed: key }) => key === facts.bed);
    if (!bed) return;
    if (this.boot !== undefined && this.boot !== state.boot) this.alarming.restarted();
    this.boot = state.boot;
    this.bed = bed;
    showPatient(byId("patient"), bed.patient);
    this.choices.show(bed.display, now);
    const leads = bed.waves?.leads ?? [];
    if (leads.join() !== this.stage.leads.join()) this.stage.showLeads(leads);
    this.stage.markBeatsOn(this.#beatLead(bed, leads));
    this.#caption();
    if (this.chain !== bed.waves?.chain.join()) this.enlarged.invalidate();
    this.chain = bed.waves?.chain.join();
  }

  beat(beat) {
    this.traces.mark(beat.t_ns / 1e6, beat.label);
    this.ecg.pulse();
  }

  measured(message) {
    if (message.bed === facts.bed) this.ecg.measured = message;
  }

  events(message) {
    if (message.bed === facts.bed) this.ecg.happened = message.events;
  }

  alarms(message) {
    if (message.bed === facts.bed) this.alarming.take(message);
  }

  limits(message) {
    if (message.bed === facts.bed) this.alarming.takeLimits(message);
  }

  waves(buffer, now) {
    const frame = readWaves(buffer);
    if (!frame || frame.bed !== this.bed?.index || frame.scale.length !== this.stage.leads.length) return;
    if (this.traces.push(frame, this.stage.leads)) {
      this.playout.restart();
      this.stage.invalidate();
      this.enlarged.invalidate();
    }
    this.playout.arrived(this.traces.end, now);
  }

  frame(now) {
    this.alarming.frame(now);
    const step = this.playout.advance(now);
    if (step === null) {
      this.stage.idle();
      return;
    }
    this.counts.jumps += step.jumped;
    this.counts.dry += step.pen > this.playout.end;
    if (this.enlarged.open) this.enlarged.frame(step);
    else this.stage.frame(step);
  }

  refresh(now, link, page) {
    const boxNow = page.box.now(now);
    const bed = this.bed;
    const stalled = link !== "live" || this.playout.end === null || this.playout.isStalled(now);
    this.ecg.show(bed, page.box, now, { link, stalled });
    this.alarming.refresh(now, link, page.box);
    if (now - this.secondAt >= 1000) {
      this.secondAt = now;
      this.stage.second();
    }
    this.stage.explain(bed?.quality ?? {}, stalled);
    this.choices.refresh(now);
    if (bed && boxNow !== null) {
      this.line.show(messagesOf(page.state, bed, boxNow, this.alarming.picture?.alarms ?? []));
      this.devices.show(bed.devices, boxNow, link === "live");
    }
    this.#publish(stalled, page);
  }

  last() {
    return `${this.traces.connection ?? ""}:${this.traces.high}`;
  }

  sound() {
    return this.alarming.sound.state;
  }

  // Beats are marked over the lead they were counted in, where it is shown.
  #beatLead(bed, leads) {
    const lead = bed.metrics.heart_rate?.lead;
    if (leads.includes(lead)) return lead;
    return leads.includes("II") ? "II" : (leads[0] ?? null);
  }

  // What lies under an enlarged lead is out of reach.
  #enlarge(lead) {
    byId("waves").inert = true;
    this.enlarged.show(lead);
  }

  #reduce(lead) {
    byId("waves").inert = false;
    this.stage.invalidate();
    document.querySelector(`.lane[data-lead="${lead}"]`)?.focus();
  }

  // The strip of an alarm that was, over the waves.
  #strip(entry) {
    if (this.enlarged.open) this.enlarged.close();
    byId("waves").inert = true;
    this.strip.show(entry);
  }

  #uncover() {
    byId("waves").inert = false;
    this.stage.invalidate();
    document.querySelector("#sheet-alarms:not([hidden]) .strip-key, .keys [aria-controls=sheet-alarms]")?.focus();
  }

  #caption() {
    const inverted = (this.bed?.waves?.leads ?? []).some((lead) => isInverted(lead, this.settings.order));
    set(byId("caption"), caption(this.settings.speed, this.stage.gains, this.bed?.waves?.chain ?? [], inverted));
  }

  // Facts for whoever tests this page.
  #publish(stalled, page) {
    Object.assign(document.documentElement.dataset, {
      stalled,
      samplesDrawn: this.stage.sweep.samplesDrawn + this.enlarged.sweep.samplesDrawn,
      lastSample: this.traces.high,
      connection: this.traces.connection ?? "",
      beats: this.traces.marks.slice(-LAST_BEATS).map(({ label }) => label).join(""),
      seq: page.state?.seq ?? "",
      jumps: this.counts.jumps,
      dry: this.counts.dry,
      delay: Math.round(this.playout.delay),
    });
  }
}

function toggleFullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen();
}

const page = new LivePage(`/live?bed=${encodeURIComponent(facts.bed)}`, new BedView());
connectSheets([...document.querySelectorAll("[aria-controls]")], () => page.refresh(performance.now()));
