// Millimetre paper under an enlarged lead: small squares of 1 mm, large ones of 5 mm, drawn once and copied from.

const SMALL = "#11231b";
const LARGE = "#23483a";
const GROUND = "#000000";

// A canvas of `width` x `height` with paper whose heavy lines meet at (x0, y0).
export function paper(width, height, x0, y0, pxPerMm) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { alpha: false });
  context.fillStyle = GROUND;
  context.fillRect(0, 0, width, height);
  for (const heavy of [false, true]) {
    context.fillStyle = heavy ? LARGE : SMALL;
    rule(width, x0, pxPerMm, heavy, (x) => context.fillRect(x, 0, 1, height));
    rule(height, y0, pxPerMm, heavy, (y) => context.fillRect(0, y, width, 1));
  }
  return canvas;
}

function rule(size, origin, pxPerMm, heavy, line) {
  const first = Math.ceil(-origin / pxPerMm);
  for (let mm = first; origin + mm * pxPerMm < size; mm += 1) {
    if ((mm % 5 === 0) === heavy) line(Math.round(origin + mm * pxPerMm));
  }
}
