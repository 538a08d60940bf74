// Rows of full disclosure as they come from the worker (review/disclosure.py), and one row drawn: every column from its lowest
// to its highest value, what is missing hatched, alarms over it, beats that are not normal with their letter.

import { LETTERS } from "./sweep.js";
import { causeText } from "./spans.js";
import { say } from "./words.js";

const NOTHING = -32768;
const LANE = "#35e27f";
const TEXT = "#f2f5f7";
const GAP = "#56626d";
const HEAD_PX = 15;
const PRIORITY = { high: ["#ff5252", "***"], medium: ["#ffd600", "**"], low: ["#00e5ff", "*"] };
const LEAST_UV = 500; // a flat line is not blown up
const SHARE = 0.995; // of the columns fit into their lane

// { told, columns: Int16Array } of an answer.
export function readMinutes(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const told = JSON.parse(new TextDecoder().decode(buffer.slice(4, 4 + length)));
  return { told, columns: new Int16Array(buffer, 4 + length) };
}

// The highest amplitude that nearly all columns stay within, uV: rows of a page share it.
export function amplitude({ columns }) {
  const sizes = [];
  for (let k = 0; k < columns.length; k += 7) if (columns[k] !== NOTHING) sizes.push(Math.abs(columns[k]));
  sizes.sort((a, b) => a - b);
  return Math.max(LEAST_UV, sizes[Math.floor(sizes.length * SHARE)] ?? 0);
}

// What of `list` is within a row, which begins at `from`.
export const within = (list, from, rowMs) => list.filter((one) => one.from_ms < from + rowMs && one.to_ms > from);

// `cursor`: a time to mark, or null.
export function drawRow(canvas, minutes, row, most, cursor, ratio) {
  const { told, columns } = minutes;
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  const from = told.from_ms + row * told.row_ms;
  const x = (t) => ((t - from) / told.row_ms) * width;
  context.fillStyle = "#000000";
  context.fillRect(0, 0, width, height);
  for (const gap of within(told.gaps, from, told.row_ms)) hatch(context, Math.max(0, x(gap.from_ms)), Math.min(width, x(gap.to_ms)), height, gap, ratio);
  const lanes = told.leads.length;
  const laneHeight = (height - HEAD_PX * ratio) / Math.max(1, lanes);
  for (let lead = 0; lead < lanes; lead += 1) {
    context.fillStyle = LANE;
    const base = (row * lanes + lead) * 2 * told.width;
    const middle = HEAD_PX * ratio + laneHeight * (lead + 0.5);
    const scale = laneHeight / 2 / most;
    const step = width / told.width;
    for (let k = 0; k < told.width; k += 1) {
      const [low, high] = [columns[base + k], columns[base + told.width + k]];
      if (low === NOTHING) continue;
      const top = middle - Math.min(high * scale, laneHeight / 2);
      const bottom = middle - Math.max(low * scale, -laneHeight / 2);
      context.fillRect(k * step, top, Math.max(1, step), Math.max(ratio, bottom - top));
    }
    if (lanes > 1) word(context, told.leads[lead], 2 * ratio, middle - laneHeight / 4, ratio, TEXT);
  }
  for (const [t, label] of told.beats) if (t >= from && t < from + told.row_ms) word(context, LETTERS[label] ?? label, x(t) - 4 * ratio, HEAD_PX * ratio + 6 * ratio, ratio, TEXT);
  for (const mark of marksOf(told, row)) alarm(context, mark, x, width, ratio);
  if (cursor !== null && cursor >= from && cursor < from + told.row_ms) {
    context.fillStyle = "#ffd166";
    context.fillRect(x(cursor) - ratio, 0, 2 * ratio, height);
  }
}

// Alarms and acts that stand in a row.
export function marksOf(told, row) {
  const from = told.from_ms + row * told.row_ms;
  return told.marks.filter((mark) => mark.t_ms < from + told.row_ms && (mark.to_ms ?? mark.t_ms) >= from);
}

export const markText = ({ kind, name, detail }) => (kind === "alarm" ? say(`alarm.${name}`, { instance: detail }).trim() : say(`act.name.${name}`, {}, name));

function alarm(context, mark, x, width, ratio) {
  const [colour, stars] = PRIORITY[mark.priority] ?? [TEXT, "|"];
  const begin = Math.max(0, x(mark.t_ms));
  const end = Math.min(width, x(mark.to_ms ?? mark.t_ms));
  context.fillStyle = colour;
  context.fillRect(begin, 0, Math.max(2 * ratio, end - begin), 2 * ratio);
  word(context, `${stars} ${markText(mark)}`, begin + 3 * ratio, 8 * ratio, ratio, colour);
}

function hatch(context, begin, end, height, gap, ratio) {
  context.save();
  context.beginPath();
  context.rect(begin, HEAD_PX * ratio, end - begin, height);
  context.clip();
  context.strokeStyle = GAP;
  context.lineWidth = ratio;
  context.beginPath();
  for (let x = begin - height; x < end; x += 9 * ratio) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
  word(context, causeText(gap.cause), begin + 4 * ratio, height - 9 * ratio, ratio, TEXT);
  context.restore();
}

function word(context, text, x, y, ratio, colour) {
  context.font = `700 ${Math.round(11 * ratio)}px sans-serif`;
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.lineWidth = 3 * ratio;
  context.strokeStyle = "#000000";
  context.strokeText(text, x, y);
  context.fillStyle = colour;
  context.fillText(text, x, y);
}
