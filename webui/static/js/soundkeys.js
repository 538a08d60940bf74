// What this page says of its own sound: the notice that alarms are not heard here, and the key that turns it on and off.

import { say } from "./words.js";
import { set } from "./tiles.js";

export class SoundKeys {
  constructor(sound, notice, setting) {
    this.sound = sound;
    this.notice = notice;
    this.setting = setting;
    setting.addEventListener("click", () => sound.turn(!sound.on));
    notice.addEventListener("click", () => sound.turn(true));
  }

  show() {
    const { state } = this.sound;
    this.notice.hidden = state === "on";
    this.notice.dataset.state = state;
    set(this.notice.querySelector(".what"), say(`sound.${state}`));
    set(this.notice.querySelector(".help"), say(`sound.${state}.help`));
    this.setting.setAttribute("aria-pressed", String(this.sound.on));
    set(this.setting, say(this.sound.on ? "key.sound_on" : "key.sound_off"));
    this.setting.disabled = state === "none";
  }
}
