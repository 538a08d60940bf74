// Two clocks of a page: where the pen stands, and what time it is on the box. All in ms; `arrival` and `now` are the
// page's own (performance.now), `sent` and `end` the box's.

// The smallest or largest of the values of the last `seconds` whole seconds, in one-second buckets: bounded and cheap.
class Extreme {
  constructor(seconds, better) {
    this.seconds = seconds;
    this.better = better;
    this.buckets = new Map();
  }

  add(now, value) {
    const second = Math.floor(now / 1000);
    const held = this.buckets.get(second);
    if (held === undefined) {
      for (const old of this.buckets.keys()) {
        if (old <= second - this.seconds || old > second) this.buckets.delete(old);
      }
    }
    if (held === undefined || this.better(value, held)) this.buckets.set(second, value);
  }

  get value() {
    let best = null;
    for (const held of this.buckets.values()) if (best === null || this.better(held, best)) best = held;
    return best;
  }

  clear() {
    this.buckets.clear();
  }
}

const lowest = (seconds) => new Extreme(seconds, (a, b) => a < b);
const highest = (seconds) => new Extreme(seconds, (a, b) => a > b);

const OFFSET_MEMORY_S = 10;
const DEPTH_MEMORY_S = 30;
const MARGIN_MS = 20;
const MIN_DELAY_MS = 80;
const MAX_DELAY_MS = 800;
const STALL_MS = 700;
const JUMP_MS = 500;
const CATCH_UP = 0.005;

// The pen's time: that of the newest samples minus a play-out delay just deep enough for the jitter seen. The offset
// between the clocks is the lowest (arrival - sample time); the delay the deepest starvation, that is how far the pen
// would have run past the last sample before the next came. It grows at once and shrinks at half a percent, so that
// the sweep never visibly changes its speed. Starvation beyond 700 ms is a stall, not jitter; a stream of so few samples a
// second that this is shorter than two and a half of its periods is waited for so long.
export class PlayoutClock {
  constructor(rate = Infinity) {
    this.stall = Math.max(STALL_MS, 2500 / rate);
    this.offsets = lowest(OFFSET_MEMORY_S);
    this.depths = highest(DEPTH_MEMORY_S);
    this.restart();
  }

  restart() {
    this.offsets.clear();
    this.depths.clear();
    this.end = null;
    this.pen = null;
    this.drawn = null;
  }

  get delay() {
    return Math.min(MAX_DELAY_MS + this.stall - STALL_MS, Math.max(MIN_DELAY_MS, (this.depths.value ?? 0) + MARGIN_MS));
  }

  // Samples up to box time `end` arrived.
  arrived(end, arrival) {
    this.offsets.add(arrival, arrival - end);
    if (this.end !== null) {
      const depth = arrival - this.offsets.value - this.end;
      if (depth > 0 && depth <= this.stall) this.depths.add(arrival, depth);
    }
    this.end = end;
  }

  // Box time the pen should be at now; `jumped` when it did not get there by moving. Null before the first samples.
  // Where samples stopped coming the pen stops too, a stall after the last of them.
  advance(now) {
    if (this.end === null) return null;
    const target = Math.min(now - this.offsets.value - this.delay, this.end + this.stall);
    const elapsed = this.drawn === null ? 0 : now - this.drawn;
    this.drawn = now;
    if (this.pen === null || Math.abs(target - this.pen - elapsed) > JUMP_MS) {
      const jumped = this.pen !== null && Math.abs(target - this.pen) > JUMP_MS;
      if (this.pen === null || jumped) {
        this.pen = target;
        return { pen: this.pen, jumped: true };
      }
    }
    this.pen = Math.max(this.pen, Math.min(target, this.pen + elapsed * (1 + CATCH_UP)));
    return { pen: this.pen, jumped: false };
  }

  // Whether samples have stopped coming.
  isStalled(now) {
    return this.end !== null && now - this.offsets.value - this.end > this.stall;
  }
}

const BOX_MEMORY_S = 60;

// The box's clock as the page knows it: messages carry the time of sending, the fastest of a minute sets the offset.
export class BoxClock {
  constructor() {
    this.offsets = lowest(BOX_MEMORY_S);
    this.boot = null;
    this.utcOffset = 0;
  }

  heard(state, arrival) {
    if (state.boot !== this.boot) this.offsets.clear();
    this.boot = state.boot;
    const sent = state.now_ns / 1e6;
    this.offsets.add(arrival, arrival - sent);
    this.utcOffset = state.utc_ms - sent;
  }

  // ms of the box's monotonic clock, null before the first message.
  now(now) {
    const offset = this.offsets.value;
    return offset === null ? null : now - offset;
  }

  // Milliseconds of UTC as the box has it, null before the first message.
  utc(now) {
    const box = this.now(now);
    return box === null ? null : box + this.utcOffset;
  }
}
