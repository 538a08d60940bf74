// What this page knows of one bed's alarms. The box decides; an engine that is not heard to judge is an alarm that the page
// makes by itself: a failed alarm engine must not look like a quiet patient. Pure: no element, no clock.

const STALE_MS = 3000; // the box says every second what it has judged
const UNHEARD_MS = 5000; // after a connection, until the first word of alarms

const FAILED = "not_judged"; // the page's own row

export class AlarmState {
  constructor() {
    this.message = null;
    this.liveSince = null;
    this.failedSince = null; // ms of the box's clock
    this.seen = false; // whether somebody has acknowledged at this screen that alarms have failed
  }

  // The box's alarms of this bed, as it has just said them.
  take(message) {
    this.message = message;
  }

  // The box has started anew: its clock has.
  restarted() {
    this.message = null;
    this.liveSince = null;
    this.failedSince = null;
  }

  // Alarms as they are to be shown: those of the box, before them that of the page. Null: nothing has been heard of them.
  picture(link, boxNow, now) {
    const told = this.message?.picture ?? null;
    this.#judge(link, boxNow, now);
    if (this.failedSince === null) return told;
    const own = this.#own();
    return told === null
      ? { alarms: [own], pauses: [], off: [], unarmed: [], differing: [], sound: own.sounds ? "high" : null, worst: "high" }
      : { ...told, alarms: [own, ...told.alarms], sound: own.sounds ? "high" : told.sound, worst: "high" };
  }

  // Acknowledges the page's own alarm; whether there was any that nobody had seen.
  acknowledge() {
    if (this.failedSince === null || this.seen) return false;
    this.seen = true;
    return true;
  }

  #judge(link, boxNow, now) {
    if (link !== "live" || boxNow === null) {
      this.liveSince = null; // what is not heard at all is said otherwise
      return;
    }
    this.liveSince ??= now;
    const age = this.message === null ? Infinity : boxNow - this.message.now_ns / 1e6;
    const patience = this.message === null ? UNHEARD_MS : STALE_MS;
    const failed = age > STALE_MS && now - this.liveSince > patience;
    if (!failed) {
      this.failedSince = null;
      this.seen = false;
    } else {
      this.failedSince ??= boxNow;
    }
  }

  #own() {
    return {
      occurrence: "", row: FAILED, instance: "", about: "technical", priority: "high", text: `alarm.${FAILED}`, values: [],
      phase: this.seen ? "acknowledged" : "active", sounds: !this.seen, flashes: !this.seen, updating: true, covered_by: "",
      value: null, worst: null, limit: null, unit: "", t_ns: this.failedSince * 1e6, active_ns: this.failedSince * 1e6,
      acknowledged_ns: this.seen ? this.failedSince * 1e6 : null, acknowledged_by: "",
    };
  }
}

// What is heard of a picture; what people did changes `silenced`.
export function wantedOf(picture) {
  if (picture === null) return { priority: null, newest: 0, silenced: "" };
  const sounding = picture.alarms.filter(({ sounds }) => sounds);
  const done = [picture.alarms.map(({ acknowledged_ns: ns }) => ns), picture.pauses.map(({ since_ns: ns }) => ns), picture.off.length];
  return {
    priority: picture.sound,
    newest: Math.max(0, ...sounding.map(({ active_ns: ns }) => ns)),
    silenced: JSON.stringify(done),
  };
}
