// The chart of a night: flags on top, every curve below the other, one line of time. Drawn by plotly from columns of lowest
// and highest values, so that nothing between two pixels is lost.

import { facts, say } from "./words.js";
import { offsetMinutes } from "./times.js";
import { quantity } from "./numbers.js";

const COLOURS = {
  flow: "#f2f5f7",
  pressure: "#9fd0ff",
  leak: "#ffb454",
  spo2: "#00e5ff",
  pulse: "#35e27f",
  obstructive: "#7fb6ff",
  clear_airway: "#d3a8ff",
  unclassified: "#c4ccd3",
  hypopnoea: "#7fe0b0",
  arousal: "#ffd9a0",
  periodic: "#ff9fd0",
  desaturation: "#00e5ff",
  large_leak: "#ffb454",
  stopped: "#ffffff",
};
const QUIET = "#b3bfca";
const EDGE = "#2c3943";
const ROW = 3; // a curve is so much higher than a flag's row
const GAP = 0.02;

// plotly has no time zones: instants are shifted so that its UTC reads as the time of this place.
const local = (ms) => ms + offsetMinutes(new Date(ms)) * 60000;
const instant = (shown) => {
  const ms = typeof shown === "number" ? shown : Date.parse(`${String(shown).replace(" ", "T")}Z`);
  return ms - offsetMinutes(new Date(ms)) * 60000;
};

export class NightChart {
  // `onRange(from, to)`: a stretch was chosen on the chart (ms of UTC); both 0: all of it.
  constructor(element, onRange) {
    this.element = element;
    this.onRange = onRange;
    this.listening = false;
  }

  // `told` of the worker (NightTold).
  show(told) {
    const flags = facts.flags.filter((flag) => told.flags.some((one) => one.flag === flag));
    const curves = facts.curves.filter((name) => told.curves[name]);
    this.element.dataset.state = curves.length > 0 ? "shown" : "empty";
    const rows = (flags.length > 0 ? flags.length / 2 + 0.5 : 0) + ROW * curves.length;
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "#000000",
      font: { color: QUIET, size: 12, family: "Arial, sans-serif" },
      margin: { l: 74, r: 10, t: 8, b: 30 },
      showlegend: false,
      hovermode: "x",
      dragmode: "zoom",
      xaxis: { type: "date", range: [told.from_ms, this.#end(told)].map(local), gridcolor: EDGE, anchor: "free", position: 0, showspikes: true, spikecolor: QUIET, spikethickness: 1, spikemode: "across" },
    };
    let top = 1;
    const place = (size) => {
      const domain = [Math.max(0, top - size / rows + GAP), top];
      top -= size / rows;
      return domain;
    };
    const data = [];
    if (flags.length > 0) {
      const labels = flags.map((flag) => say(`night.flag.${flag}`));
      layout.yaxis = { domain: place(flags.length / 2 + 0.5), type: "category", categoryorder: "array", categoryarray: [...labels].reverse(), fixedrange: true, gridcolor: EDGE, range: [-0.6, labels.length - 0.4] };
      flags.forEach((flag, i) => data.push(this.#flags(told, flag, labels[i])));
    }
    curves.forEach((name, i) => {
      const axis = i + 2;
      layout[`yaxis${axis}`] = { domain: place(ROW), fixedrange: true, gridcolor: EDGE, zerolinecolor: EDGE, title: { text: `${say(`night.curve.${name}`)}<br>${told.curves[name].unit}`, font: { color: COLOURS[name], size: 12 } }, nticks: 5 };
      data.push(this.#band(told, name, `y${axis}`));
    });
    window.Plotly.react(this.element, data, layout, { displayModeBar: false, responsive: true, doubleClick: false, scrollZoom: false });
    if (!this.listening) this.#listen();
  }

  #end(told) {
    const columns = Math.max(0, ...Object.values(told.curves).map(({ low }) => low.length));
    return told.from_ms + columns * told.step_ms;
  }

  #listen() {
    this.listening = true;
    this.element.on("plotly_relayout", (changed) => {
      const [from, to] = [changed["xaxis.range[0]"], changed["xaxis.range[1]"]];
      if (from !== undefined && to !== undefined) this.onRange(instant(from), instant(to));
    });
    this.element.on("plotly_doubleclick", () => this.onRange(0, 0));
  }

  #flags(told, flag, label) {
    const own = told.flags.filter((one) => one.flag === flag);
    return {
      type: "scatter",
      mode: "markers",
      x: own.map(({ t_ms }) => local(t_ms)),
      y: own.map(() => label),
      text: own.map(({ seconds }) => (seconds > 0 ? quantity(seconds, "s") : "")),
      hovertemplate: `${label} %{text}<extra></extra>`,
      marker: { symbol: "line-ns-open", size: 14, line: { width: 2 }, color: COLOURS[flag] },
    };
  }

  // From the lowest to the highest value of each column and back: a band from afar, the curve itself where columns are fine.
  #band(told, name, yaxis) {
    const { low, high } = told.curves[name];
    const [x, y] = [[], []];
    low.forEach((value, i) => {
      const t = local(told.from_ms + (i + 0.5) * told.step_ms);
      x.push(t, t);
      y.push(value, high[i]);
    });
    return { type: "scatter", mode: "lines", x, y, yaxis, line: { color: COLOURS[name], width: 1 }, connectgaps: false, hovertemplate: "%{y:.1f}<extra></extra>" };
  }
}
