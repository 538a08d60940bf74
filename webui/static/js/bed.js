// The live page of one bed: puts the parts together.

import { Alarms } from "./alarms.js";
import { BoxChoices, connectSettings, connectSheets } from "./controls.js";
import { Devices } from "./devices.js";
import { Ecg } from "./ecg.js";
import { Enlarged } from "./enlarged.js";
import { LivePage } from "./page.js";
import { MessageLine, messagesOf } from "./line.js";
import { Panels } from "./panels.js";
import { PlayoutClock } from "./clock.js";
import { Proposals } from "./proposals.js";
import { Rows } from "./rows.js";
import { Stage } from "./stage.js";
import { Strip } from "./strip.js";
import { Traces } from "./traces.js";
import { caption } from "./caption.js";
import { facts, say } from "./words.js";
import { isCalibrated } from "./millimetres.js";
import { isInverted } from "./layout.js";
import { isChosen, load, save } from "./settings.js";
import { readWaves } from "./wire.js";
import { set } from "./tiles.js";
import { showPatient } from "./patienttext.js";

const UNFILTERED = { mode: "diagnostic", mains_hz: 0, cleaning: false };
const LAST_BEATS = 20; // labels published for tests
const LAST_LENGTH = 64; // that a report takes (webui/viewer.py)

const byId = (id) => document.getElementById(id);

class BedView {
  constructor() {
    this.settings = load();
    this.traces = new Traces();
    this.playout = new PlayoutClock();
    this.ecg = new Ecg();
    this.alarming = new Alarms((entry) => this.#strip(entry));
    this.line = new MessageLine(byId("line"), byId("spoken"));
    this.devices = new Devices(byId("device-chips"), byId("sheet-devices"), facts.bed);
    this.choices = new BoxChoices(byId("box-choices"), byId("box-note"), facts.bed);
    this.stage = new Stage(byId("waves"), this.traces, this.settings, {
      onTap: (lead) => this.#enlarge(lead),
      onGain: () => this.#caption(),
    });
    this.rows = new Rows(byId("rows"), this.settings);
    this.panels = new Panels(byId("panels"));
    this.proposals = new Proposals(byId("proposals"), facts.bed);
    this.enlarged = new Enlarged(byId("enlarged"), this.traces, this.settings, {
      chain: () => this.bed?.waves?.chain ?? [],
      onClose: (lead) => this.#reduce(lead),
    });
    this.strip = new Strip(byId("strip"), this.settings, {
      display: () => this.bed?.display ?? UNFILTERED,
      onClose: () => this.#uncover(),
    });
    this.devicesKey = document.querySelector(".keys [aria-controls=sheet-devices]");
    byId("uncalibrated").hidden = isCalibrated();
    this.bed = null;
    this.counts = { jumps: 0, dry: 0 };
    this.secondAt = 0;
    connectSettings(byId("screen-choices"), this.settings, (settings) => {
      save(settings);
      this.stage.invalidate();
      this.rows.invalidate();
      this.enlarged.invalidate();
      this.strip.invalidate();
      this.#caption();
    });
    byId("full-screen").addEventListener("click", () => toggleFullScreen());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState !== "visible") return;
      this.playout.restart();
      this.rows.restart();
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
    this.rows.show(bed.traces);
    this.#compose(bed);
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
    if (!frame || this.rows.take(frame, now)) return;
    if (frame.index !== this.bed?.index || frame.scale.length !== this.stage.leads.length) return;
    if (this.traces.push(frame, this.stage.leads)) {
      this.playout.restart();
      this.stage.invalidate();
      this.enlarged.invalidate();
    }
    this.playout.arrived(this.traces.end, now);
  }

  frame(now) {
    this.alarming.frame(now);
    if (!this.enlarged.open) this.rows.frame(now);
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
    this.panels.show(bed, { boxNow, link, now });
    if (now - this.secondAt >= 1000) {
      this.secondAt = now;
      this.stage.second();
      this.rows.second();
    }
    this.stage.explain(bed?.quality ?? {}, stalled);
    this.rows.explain(now, link, (device) => this.panels.whyOf(device));
    this.choices.refresh(now);
    this.proposals.refresh(now);
    const proposed = this.proposals.open?.length ?? 0;
    set(this.devicesKey, proposed > 0 ? say("settable.proposed", { count: proposed }) : say("key.devices"));
    if (bed && boxNow !== null) {
      this.line.show(messagesOf(page.state, bed, boxNow, this.alarming.picture?.alarms ?? []));
      this.devices.show(bed.devices, boxNow, link === "live", bed.metrics);
    }
    const without = document.body.dataset.ecg === "false";
    this.#publish(without ? this.rows.stalled(now, link) : stalled, page);
  }

  last() {
    return `${this.traces.connection ?? ""}:${this.traces.high}:${this.rows.last}`.slice(0, LAST_LENGTH);
  }

  sound() {
    return this.alarming.sound.state;
  }

  tests() {
    return this.alarming.banner.tests;
  }

  // What is attached makes the page: without an ECG, and without a device that may be one, its place is given to the others.
  #compose(bed) {
    const others = this.panels.take(bed);
    const known = new Set([...bed.traces.map(({ device }) => device), ...others]);
    const composed = bed.traces.length > 0 || this.panels.any;
    const without = composed && bed.waves === null && bed.devices.every(({ device }) => known.has(device));
    const { dataset } = document.body;
    if (dataset.composed === String(composed) && dataset.ecg === String(!without)) return;
    dataset.composed = composed;
    dataset.ecg = !without;
    if (composed && !isChosen() && window.matchMedia("(max-width: 700px)").matches) this.#choose("layout", "1x1");
    this.stage.invalidate();
    this.rows.invalidate();
  }

  // A choice of the screen that is made by the page itself: it stands until a person makes one.
  #choose(name, value) {
    this.settings[name] = value;
    for (const input of document.querySelectorAll(`#screen-choices input[name="${name}"]`)) input.checked = input.value === value;
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
      samplesDrawn: this.stage.sweep.samplesDrawn + this.enlarged.sweep.samplesDrawn + this.rows.drawn,
      rowsDrawn: this.rows.drawn,
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
