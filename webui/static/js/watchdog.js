// Is this picture alive? A frozen picture of a living patient is the worst failure.

const REWIND_MS = 500;
const STUCK_MS = 5000;
const RELOAD_AGAIN_MS = 600_000;
const KEY = "vitald.reloaded-at";

// The dead-man overlay is a style-sheet animation that makes it visible after 3 s. Drawn frames keep rewinding it, so it
// appears by itself when the page's own thread is stuck.
export class DeadMan {
  constructor(element) {
    this.element = element;
    this.rewound = -Infinity;
  }

  drew(now) {
    if (now - this.rewound < REWIND_MS) return;
    this.rewound = now;
    for (const animation of this.element.getAnimations()) animation.currentTime = 0;
  }
}

// Messages come and pictures do not: the renderer is stuck while the page looks alive to itself. Reload, once.
export class StuckPicture {
  constructor() {
    this.drewAt = performance.now();
    this.reloaded = Number(sessionStorage.getItem(KEY)) > 0;
  }

  drew(now) {
    this.drewAt = now;
  }

  heard(now) {
    if (document.visibilityState !== "visible") this.drewAt = now;
    if (now - this.drewAt < STUCK_MS) return;
    const wall = Date.now();
    if (wall - Number(sessionStorage.getItem(KEY)) < RELOAD_AGAIN_MS) return;
    sessionStorage.setItem(KEY, String(wall));
    location.reload();
  }
}
