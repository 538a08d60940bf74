// How long a millimetre is on this screen. Device pixels per mm are stored: they survive zoom and pixel-ratio changes.

const KEY = "vitald.device-px-per-mm";
const CSS_PX_PER_MM = 96 / 25.4;

function stored() {
  const value = Number.parseFloat(localStorage.getItem(KEY));
  return value > 1 && value < 100 ? value : null;
}

export const isCalibrated = () => stored() !== null;

// CSS pixels per mm: measured, or the browser's own idea of it.
export function cssPxPerMm() {
  const device = stored();
  return device === null ? CSS_PX_PER_MM : device / window.devicePixelRatio;
}

export function calibrate(cssPxPerMmMeasured) {
  localStorage.setItem(KEY, String(cssPxPerMmMeasured * window.devicePixelRatio));
}

export function forget() {
  localStorage.removeItem(KEY);
}

// Lets the style sheet size touch targets in real millimetres.
export function applyToStyles() {
  document.documentElement.style.setProperty("--mm", `${cssPxPerMm()}px`);
}
