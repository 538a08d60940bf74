// Where each lead stands on the canvas. Pure geometry in device pixels.

const CHEST = ["V1", "V2", "V3", "V4", "V5", "V6"];
const LIMB = {
  standard: ["I", "II", "III", "aVR", "aVL", "aVF"],
  cabrera: ["aVL", "I", "aVR", "II", "aVF", "III"], // 30 degrees apart, with aVR upside down
};
const RHYTHM = "II";

export const LAYOUTS = ["3x4", "6x2", "12x1", "1x1"];
export const ORDERS = Object.keys(LIMB);

// Whether a lead is drawn upside down, and then its name says so.
export const isInverted = (lead, order) => order === "cabrera" && lead === "aVR";
export const titleOf = (lead, order) => (isInverted(lead, order) ? `−${lead}` : lead);

// The leads of a board in their order: limb leads first where it has all six, others as the board has them.
function ordered(leads, order) {
  const known = [...LIMB[order], ...CHEST.filter((lead) => leads.includes(lead))];
  if (!LIMB[order].every((lead) => leads.includes(lead))) return leads;
  return [...known, ...leads.filter((lead) => !known.includes(lead))];
}

// Columns of lead names, and the lead of the rhythm strip (or null). A board that has not all twelve leads shows those
// it has, in one column, or in two where they are many.
export function columnsOf(layout, leads, order = "standard") {
  const sorted = ordered(leads, order);
  if (layout === "1x1") return { columns: [sorted.includes(RHYTHM) ? [RHYTHM] : sorted.slice(0, 1)], rhythm: null };
  const all = [...LIMB[order], ...CHEST].every((lead) => leads.includes(lead));
  if (all && layout === "3x4") {
    return { columns: [0, 3, 6, 9].map((first) => sorted.slice(first, first + 3)), rhythm: RHYTHM };
  }
  if (layout === "12x1" || sorted.length <= 6) return { columns: [sorted], rhythm: null };
  const half = Math.ceil(sorted.length / 2);
  return { columns: [sorted.slice(0, half), sorted.slice(half)], rhythm: null };
}

// Lanes { lead, inverted, rhythm, column, left, x0, w, y0, h } for a canvas of `width` x `height`: from left to x0 runs the gutter,
// where name and calibration bar stand and no wave comes; the sweep from x0 over w. Whole pixels, so that neighbouring
// erasures and lanes meet exactly.
export function arrange(layout, leads, width, height, gutter, order = "standard") {
  const { columns, rhythm } = columnsOf(layout, leads, order);
  const rows = Math.max(...columns.map((column) => column.length)) + (rhythm ? 1 : 0);
  const edge = (i, count, size) => Math.round((i * size) / count);
  const lane = (lead, left, right, row, column) => {
    const y0 = edge(row, rows, height);
    return {
      lead,
      inverted: isInverted(lead, order),
      rhythm: column === columns.length,
      column,
      left,
      x0: left + gutter,
      w: Math.max(1, right - left - gutter),
      y0,
      h: edge(row + 1, rows, height) - y0,
    };
  };
  const lanes = columns.flatMap((column, i) =>
    column.map((lead, row) =>
      lane(lead, edge(i, columns.length, width), edge(i + 1, columns.length, width), row, i),
    ),
  );
  if (rhythm) lanes.push(lane(rhythm, 0, width, rows - 1, columns.length));
  return lanes;
}

// A single lane over a whole canvas.
export function single(lead, width, height, gutter, order = "standard") {
  return [{ lead, inverted: isInverted(lead, order), rhythm: false, column: 0, left: 0, x0: gutter, w: Math.max(1, width - gutter), y0: 0, h: height }];
}
