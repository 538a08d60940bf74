// A bank card is 85.6 mm long: a frame made as long as the card tells how long a millimetre is on this screen.

import { applyToStyles, calibrate, cssPxPerMm, forget, isCalibrated } from "./millimetres.js";
import { say } from "./words.js";

const CARD_MM = 85.6;
const byId = (id) => document.getElementById(id);
const slider = byId("length");
const status = byId("status");

function show() {
  byId("card").style.setProperty("--length", `${slider.value}px`);
  const value = (Number(slider.value) / CARD_MM).toFixed(2);
  slider.setAttribute("aria-valuetext", say("calibrate.now", { value }));
  byId("now").textContent = say("calibrate.now", { value });
}

function start() {
  applyToStyles();
  slider.value = Math.round(cssPxPerMm() * CARD_MM);
  document.documentElement.dataset.calibrated = String(isCalibrated());
  show();
}

function nudge(step) {
  slider.value = Number(slider.value) + step;
  show();
}

slider.addEventListener("input", show);
byId("longer").addEventListener("click", () => nudge(1));
byId("shorter").addEventListener("click", () => nudge(-1));
byId("save").addEventListener("click", () => {
  calibrate(Number(slider.value) / CARD_MM);
  start();
  status.textContent = say("calibrate.saved", { value: cssPxPerMm().toFixed(2) });
});
byId("forget").addEventListener("click", () => {
  forget();
  start();
  status.textContent = say("calibrate.forgotten");
});
start();
