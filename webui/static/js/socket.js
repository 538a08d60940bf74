// The page's connection: reconnects for ever, knows when it was last spoken to, and reports what the page has drawn.
// Everything hangs on messages, not on timers: a hidden page's timers hardly run.

const REPORT_MS = 1000;
const SILENT_MS = 2500; // the relay speaks every second; after this the page says CONNECTION LOST (3 s are allowed)
const CLOSED_MS = 1000;
const GIVE_UP_MS = 4000; // a socket that stays silent is left: its backlog would be old
const MIN_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 2000;

export class LiveSocket {
  // `onText(message, now)`, `onWaves(buffer, now)`; `report()` gives what is reported beside the count of wave frames.
  constructor(path, { onText, onWaves, report }) {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.url = `${scheme}://${location.host}${path}`;
    this.onText = onText;
    this.onWaves = onWaves;
    this.report = report;
    this.heard = null;
    this.began = performance.now();
    this.backoff = MIN_BACKOFF_MS;
    this.#open();
  }

  // How long nothing has been heard, ms.
  silence(now) {
    return now - (this.heard ?? this.began);
  }

  // "connecting" before the first message, "live", or "lost".
  state(now) {
    const closed = this.socket.readyState > WebSocket.OPEN || this.abandoned;
    const lost = this.silence(now) > (closed ? CLOSED_MS : SILENT_MS);
    if (lost) return "lost";
    return this.heard === null ? "connecting" : "live";
  }

  // Called now and then: leaves a socket that has gone silent, opens the next when its time has come.
  watch(now) {
    if (!this.abandoned && now - Math.max(this.opened, this.heard ?? 0) > GIVE_UP_MS) this.#abandon(now);
    if (this.abandoned && now >= this.retryAt) this.#open();
  }

  #open() {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.abandoned = false;
    this.opened = performance.now();
    this.waves = 0;
    this.reported = -Infinity;
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => this.#take(event.data);
    socket.onclose = () => this.#abandon(performance.now());
  }

  #abandon(now) {
    this.socket.onmessage = null;
    this.socket.onclose = null;
    this.socket.close();
    this.abandoned = true;
    this.retryAt = now + this.backoff;
    this.backoff = Math.min(2 * this.backoff, MAX_BACKOFF_MS);
    setTimeout(() => this.watch(performance.now()), this.retryAt - now + 1);
  }

  #take(data) {
    const now = performance.now();
    this.heard = now;
    this.backoff = MIN_BACKOFF_MS;
    if (typeof data === "string") {
      this.onText(JSON.parse(data), now);
    } else {
      this.waves += 1;
      this.onWaves(data, now);
    }
    if (now - this.reported >= REPORT_MS && this.socket.readyState === WebSocket.OPEN) {
      this.reported = now;
      this.socket.send(JSON.stringify({ type: "report", waves: this.waves, ...this.report() }));
    }
  }
}
