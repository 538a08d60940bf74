// Test bench for the drawing modules: a canvas and made-up samples, no socket, no page around them.
// Loaded by test_drawing.py; `folder` is where the modules are served.
async (folder) => {
  const [{ Sweep, COLOURS }, { Traces }, layout, { PlayoutClock }, gain, { paper }] = await Promise.all(
    ["sweep", "traces", "layout", "clock", "gain", "grid"].map((name) => import(`${folder}${name}.js`)),
  );
  const RATE = 500;

  // Samples [first, first + n) of every lead as a frame; `mv(lead, k)` gives them, NaN = nothing.
  function frame(leads, first, n, mv, connection = 1) {
    const values = new Int16Array(leads.length * n);
    leads.forEach((lead, i) => {
      for (let k = 0; k < n; k += 1) {
        const value = mv(lead, first + k);
        values[i * n + k] = Number.isNaN(value) ? -32768 : Math.round(value * 1000);
      }
    });
    const t0 = (first * 1000) / RATE;
    return { bed: 0, connection, first, t0, rate: RATE, n, scale: new Float32Array(leads.length).fill(1), values };
  }

  function canvasOf(width, height) {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    return canvas;
  }

  // A sweep over `leads` that is ready to draw.
  function bench({ leads, kind = "12x1", width = 1000, height = 600, pxPerMm = 5, speed = 25, gainMm = 10, ratio = 1 }) {
    const canvas = canvasOf(width, height);
    const sweep = new Sweep(canvas);
    const lanes = layout.arrange(kind, leads, width, height, 40 * ratio).map((lane) => ({ ...lane, gain: gainMm, marks: false }));
    sweep.arrange(lanes, { pxPerMm, speed, ratio, origin: 0 });
    return { canvas, sweep, traces: new Traces(), lanes: sweep.lanes };
  }

  function pixels(canvas) {
    const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return { width, height, green: (x, y) => data[4 * (y * width + x) + 1], lit: (x, y) => data[4 * (y * width + x) + 1] > 60 };
  }

  // Intensity centroid of a column within [y0, y0 + h); null when it is dark.
  function centroid(image, x, y0, h) {
    let sum = 0;
    let weight = 0;
    for (let y = y0; y < y0 + h; y += 1) {
      sum += (y + 0.5) * image.green(x, y);
      weight += image.green(x, y);
    }
    return weight > 0 ? sum / weight : null;
  }

  // Dark columns of a lane, as [from, to) runs.
  function darkRuns(image, lane) {
    const runs = [];
    for (let x = lane.x0; x < lane.x0 + lane.w; x += 1) {
      let lit = false;
      for (let y = lane.y0; y < lane.y0 + lane.h && !lit; y += 1) lit = image.lit(x, y);
      if (!lit && runs.at(-1)?.[1] === x) runs.at(-1)[1] = x + 1;
      else if (!lit) runs.push([x, x + 1]);
    }
    return runs;
  }

  window.drawing = { Sweep, COLOURS, Traces, PlayoutClock, layout, gain, paper, RATE, frame, bench, pixels, centroid, darkRuns };
}
