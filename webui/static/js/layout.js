// Where each lead stands on the canvas. Pure geometry in device pixels.

const GRID_3X4 = [
  ["I", "II", "III"],
  ["aVR", "aVL", "aVF"],
  ["V1", "V2", "V3"],
  ["V4", "V5", "V6"],
];
const ORDER = GRID_3X4.flat();
const RHYTHM = "II";

export const LAYOUTS = ["3x4", "6x2", "12x1"];

// Columns of lead names, and the lead of the rhythm strip (or null). A board that has not all twelve leads shows those
// it has, in one column, or in two where they are many.
export function columnsOf(layout, leads) {
  const all = ORDER.every((lead) => leads.includes(lead));
  if (all && layout === "3x4") return { columns: GRID_3X4, rhythm: RHYTHM };
  const ordered = all ? [...ORDER, ...leads.filter((lead) => !ORDER.includes(lead))] : leads;
  if (layout === "12x1" || ordered.length <= 6) return { columns: [ordered], rhythm: null };
  const half = Math.ceil(ordered.length / 2);
  return { columns: [ordered.slice(0, half), ordered.slice(half)], rhythm: null };
}

// Lanes { lead, rhythm, column, left, x0, w, y0, h } for a canvas of `width` x `height`: from left to x0 runs the gutter,
// where name and calibration bar stand and no wave comes; the sweep from x0 over w. Whole pixels, so that neighbouring
// erasures and lanes meet exactly.
export function arrange(layout, leads, width, height, gutter) {
  const { columns, rhythm } = columnsOf(layout, leads);
  const rows = Math.max(...columns.map((column) => column.length)) + (rhythm ? 1 : 0);
  const edge = (i, count, size) => Math.round((i * size) / count);
  const lane = (lead, left, right, row, column) => {
    const y0 = edge(row, rows, height);
    return {
      lead,
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
export function single(lead, width, height, gutter) {
  return [{ lead, rhythm: false, column: 0, left: 0, x0: gutter, w: Math.max(1, width - gutter), y0: 0, h: height }];
}
