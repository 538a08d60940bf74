// NO CONNECTION as an alarm of this page: high priority, until it is back or somebody here has seen it; its picture stays either way.

export class Loss {
  // `element` covers what is old while the connection is lost (page.js).
  constructor(element, flash) {
    this.element = element;
    this.flash = flash;
    this.there = false;
    this.seen = false;
  }

  judge(link) {
    const there = link === "lost" || link === "silent";
    if (there !== this.there) this.seen = false;
    this.there = there;
    this.flash.set(this.element, there && !this.seen ? "high" : "");
  }

  // Whether it is there: then no key of this page reaches the box.
  acknowledge() {
    const { there } = this;
    if (there) this.seen = true;
    return there;
  }

  get wanted() {
    return { priority: this.seen ? null : "high", newest: 0, silenced: String(this.seen) };
  }
}
