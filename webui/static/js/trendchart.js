// The chart of trends: marks on top, every measurement below the other, one line of time. A bucket is drawn from its lowest to
// its highest value with the median over it; where nothing was said nothing is drawn, and what was not stored is shaded.

import { causeText } from "./spans.js";
import { nameOf, unitText } from "./numbers.js";
import { say } from "./words.js";

const COLOURS = ["#35e27f", "#00e5ff", "#ffb454", "#d3a8ff", "#f2f5f7", "#ff9fd0", "#9fd0ff", "#ffd9a0", "#7fe0b0", "#c4ccd3", "#e8e07a", "#b3e0ff"];
const ALARMS = [
  ["high", "#ff5252", "triangle-up"],
  ["medium", "#ffd600", "diamond"],
  ["low", "#00e5ff", "circle"],
];
const QUIET = "#b3bfca";
const EDGE = "#2c3943";
const GAP_FILL = "rgba(190, 200, 210, 0.20)";
const BORDER = "#ffffff";
const LEAST_SPAN = { mV: 0.2, bpm: 20, "%": 4, ms: 40, "/min": 6, "L/min": 2, cmH2O: 4, deg: 20 }; // noise is not blown up
const ROW_PX = 130;
const TOP_PX = 62;
const MOST_SHADES = 150;

// plotly has no time zones: instants are shifted so that its UTC reads as the time of this place.
const local = (ms) => ms - new Date(ms).getTimezoneOffset() * 60000;
const instant = (shown) => {
  const ms = typeof shown === "number" ? shown : Date.parse(`${String(shown).replace(" ", "T")}Z`);
  return ms + new Date(ms).getTimezoneOffset() * 60000;
};

export const seriesName = ({ name, lead, device }) => {
  const own = nameOf(name, ["", "global", "ecg"].includes(lead) ? "" : lead);
  return device ? `${own}, ${device}` : own;
};

export class TrendChart {
  // `onRange(from, to)`: a stretch was chosen; `onPoint(series, t, value)`: a point was pressed; `onMark(mark)`: an alarm was.
  constructor(element, { onRange, onPoint, onMark }) {
    Object.assign(this, { element, onRange, onPoint, onMark });
    this.listening = false;
  }

  // `told` of the worker (TrendTold); `chosen`: its series in the order in which they are shown.
  show(told, chosen) {
    this.told = told;
    const bands = chosen.map((series) => [series, told.bands.find(({ id }) => id === series.id)]).filter(([, band]) => band);
    const height = TOP_PX + 40 + Math.max(1, bands.length) * ROW_PX;
    this.element.style.setProperty("height", `${height}px`);
    this.element.dataset.state = bands.length > 0 ? "shown" : "empty";
    const rows = TOP_PX + Math.max(1, bands.length) * ROW_PX;
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "#000000",
      font: { color: QUIET, size: 12, family: "Arial, sans-serif" },
      margin: { l: 84, r: 12, t: 6, b: 34 },
      height,
      showlegend: false,
      hovermode: "closest",
      dragmode: "zoom",
      xaxis: { type: "date", range: [told.from_ms, told.to_ms].map(local), gridcolor: EDGE, anchor: "free", position: 0 },
      yaxis: { domain: [1 - TOP_PX / rows + 0.02, 1], type: "category", categoryorder: "array", categoryarray: [say("trends.row.acts"), say("trends.row.alarms")], range: [-0.6, 1.6], fixedrange: true, gridcolor: EDGE },
      shapes: [...this.#shades(told), ...this.#borders(told)],
    };
    const data = [...this.#alarms(told), this.#acts(told)];
    bands.forEach(([series, band], k) => {
      const top = 1 - (TOP_PX + k * ROW_PX) / rows;
      layout[`yaxis${k + 2}`] = { domain: [Math.max(0, top - ROW_PX / rows + 0.02), top], fixedrange: true, gridcolor: EDGE, zeroline: false, nticks: 5, range: rangeOf(series, band), title: { text: label(series), font: { color: colour(k), size: 12 } } };
      data.push(this.#band(told, band, k), this.#median(told, series, band, k));
    });
    window.Plotly.react(this.element, data, layout, { displayModeBar: false, responsive: true, doubleClick: false, scrollZoom: false });
    if (!this.listening) this.#listen();
  }

  #listen() {
    this.listening = true;
    this.element.on("plotly_relayout", (changed) => {
      const [from, to] = [changed["xaxis.range[0]"], changed["xaxis.range[1]"]];
      if (from !== undefined && to !== undefined) this.onRange(instant(from), instant(to));
    });
    this.element.on("plotly_click", ({ points: [point] }) => {
      const { series, marks } = point.data.meta ?? {};
      if (marks) this.onMark(marks[point.pointNumber]);
      else if (series) this.onPoint(series, instant(point.x), point.y);
    });
  }

  #alarms(told) {
    return ALARMS.map(([priority, fill, symbol]) => {
      const own = told.marks.filter((mark) => mark.kind === "alarm" && mark.priority === priority);
      return points(own, say("trends.row.alarms"), own.map(({ name, detail }) => say(`alarm.${name}`, { instance: detail }).trim()), { color: fill, symbol, size: 11 });
    });
  }

  #acts(told) {
    const own = told.marks.filter((mark) => mark.kind !== "alarm");
    const texts = own.map(({ name, who, detail }) => [say(`act.name.${name}`, {}, name), detail, who].filter(Boolean).join(", "));
    return points(own, say("trends.row.acts"), texts, { color: "#f2f5f7", symbol: "line-ns-open", size: 12, line: { width: 2 } });
  }

  // From the lowest to the highest value of each bucket.
  #band(told, { low, high }, k) {
    const [x, y] = [[], []];
    low.forEach((value, i) => {
      if (value === null) return;
      const t = local(told.from_ms + (i + 0.5) * told.step_ms);
      x.push(t, t, t);
      y.push(value, high[i], null);
    });
    return { type: "scatter", mode: "lines", x, y, yaxis: `y${k + 2}`, line: { color: colour(k), width: 1 }, opacity: 0.45, hoverinfo: "skip", connectgaps: false };
  }

  // The median, broken where nothing was said and where the patient changes.
  #median(told, series, { mid }, k) {
    const [x, y] = [[], []];
    const stays = told.stays.map(({ from_ms: from }) => from).slice(1);
    let stay = 0;
    mid.forEach((value, i) => {
      const t = told.from_ms + (i + 0.5) * told.step_ms;
      const now = stays.filter((from) => from <= t).length;
      if (now !== stay) {
        x.push(local(t - told.step_ms / 2));
        y.push(null);
      }
      stay = now;
      x.push(local(t));
      y.push(value);
    });
    return { type: "scatter", mode: "lines+markers", marker: { size: 3, color: colour(k) }, x, y, yaxis: `y${k + 2}`, line: { color: colour(k), width: 1.4 }, connectgaps: false, meta: { series }, hovertemplate: `${seriesName(series)} %{y}<extra></extra>` };
  }

  #shades(told) {
    const longest = [...told.gaps].sort((a, b) => b.to_ms - b.from_ms - (a.to_ms - a.from_ms)).slice(0, MOST_SHADES);
    return longest.map((gap) => ({ type: "rect", xref: "x", yref: "paper", x0: local(gap.from_ms), x1: local(gap.to_ms), y0: 0, y1: 1, fillcolor: GAP_FILL, line: { width: 0 }, layer: "below", name: causeText(gap.cause) }));
  }

  #borders(told) {
    return told.stays.slice(1).map(({ from_ms: from }) => ({ type: "line", xref: "x", yref: "paper", x0: local(from), x1: local(from), y0: 0, y1: 1, line: { color: BORDER, width: 2, dash: "dash" } }));
  }
}

const colour = (k) => COLOURS[k % COLOURS.length];

// From the lowest to the highest value and a little more; null where there is none.
function rangeOf({ unit }, { low, high }) {
  const values = [...low, ...high].filter((value) => value !== null);
  if (values.length === 0) return undefined;
  const [least, most] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  const room = Math.max(0.06 * (most - least), ((LEAST_SPAN[unit] ?? 0) - (most - least)) / 2, 1e-6);
  return [least - room, most + room];
}

function label(series) {
  const unit = unitText(series.unit);
  const words = seriesName(series).split(", ");
  return [...words, unit].filter(Boolean).join("<br>");
}

function points(marks, y, text, marker) {
  return { type: "scatter", mode: "markers", x: marks.map(({ t_ms: t }) => local(t)), y: marks.map(() => y), text, marker, meta: { marks }, hovertemplate: "%{text}<extra></extra>" };
}
