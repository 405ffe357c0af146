// The cascade curve of one direction: how far the price would go, by the size of the sale (or purchase), at each scaling of the map.

import { begin, haloed, point, surface, ticks } from "./chart.js";
import { element, keyed, text } from "./dom.js";
import { percent, usd } from "./format.js";
import { landing, response } from "./response.js";

const AXIS = 46; // left: moves
const FOOT = 20;
const DECADES = 3.5; // of sizes shown
const NEEDED = ["move_ratio", "absorption_base", "liquidations_base"];
const STROKES = { // scale -> width, dash, ink
  low: [1.6, [7, 4], "bid"],
  base: [2.6, [], "ink"],
  high: [1.6, [2, 3], "ask"],
  alone: [1, [1, 4], "soft"],
};
const SAYS = { low: "half the map", base: "the map", high: "twice the map", alone: "without liquidations" };

export function makeCurve(asset, direction) {
  const down = direction === "down";
  const order = down ? "sale" : "purchase";
  const sign = down ? "-" : "+";
  const name = `${asset}: where a ${order} would carry the price, by its size. The table below has the same figures.`;
  const chart = surface("curve", name, () => draw());
  const body = element("tbody");
  const head = element("tr", "", ...[`${order} of`, "alone", "low", "base", "high"].map((label, i) => {
    const th = element("th", i ? "n" : "", label);
    th.scope = "col";
    return th;
  }));
  const table = element("table", "sizes", element("caption", "", `Where the price would land after a ${order}`), element("thead", "", head), body);
  const keys = element("p", "legend", ...Object.keys(STROKES).map((scale) => element("span", `key line ${scale}`, SAYS[scale])));
  const unknown = element("p", "quiet");
  const node = element("div", "response", unknown, chart.box, keys, table);
  let state = null; // {curves, points by scale, range, from, to, first}
  let cursor = null; // a size

  const moved = (move) => (move === null ? `beyond ${sign}${percent(state.range)}` : `${sign}${percent(move)}`);

  function frame() {
    const started = begin(chart);
    if (!started || !state) return null;
    const wide = started.width - AXIS - 8;
    const tall = started.height - FOOT - 6;
    const [from, span] = [Math.log10(state.from), Math.log10(state.to / state.from)];
    return {
      ...started, wide, tall,
      x: (size) => AXIS + Math.max(0, Math.min(1.02, (Math.log10(size) - from) / span)) * wide,
      y: (move) => 6 + (down ? move : state.range - move) * (tall / state.range),
      size: (x) => 10 ** (from + ((x - AXIS) / wide) * span),
    };
  }

  function axes(f) {
    const { pen, ink } = f;
    pen.lineWidth = 1;
    pen.strokeStyle = ink("line");
    pen.fillStyle = ink("soft");
    pen.beginPath();
    pen.textAlign = "right";
    for (const move of ticks(0, state.range, f.tall / 36)) {
      const y = Math.round(f.y(move)) + 0.5;
      pen.moveTo(AXIS, y);
      pen.lineTo(AXIS + f.wide, y);
      pen.fillText(move === 0 ? "0%" : `${sign}${percent(move)}`, AXIS - 6, y);
    }
    pen.textAlign = "center";
    for (let decade = Math.floor(Math.log10(state.from)); 10 ** decade <= state.to; decade += 1) {
      for (const step of [1, 2, 5]) {
        const size = step * 10 ** decade;
        if (size < state.from || size > state.to) continue;
        const x = Math.round(f.x(size)) + 0.5;
        pen.moveTo(x, 6);
        pen.lineTo(x, 6 + f.tall);
        const label = usd(size).replace(".0", "");
        const half = pen.measureText(label).width / 2;
        if (step === 1 || f.wide > 420) pen.fillText(label, Math.min(x, f.width - half), f.tall + 18);
      }
    }
    pen.stroke();
  }

  function draw() {
    const f = frame();
    if (!f || f.wide < 40) return;
    axes(f);
    const { pen } = f;
    pen.save();
    pen.beginPath();
    pen.rect(AXIS, 4, f.wide + 8, f.tall + 4);
    pen.clip();
    for (const [scale, [width, dash, ink]] of Object.entries(STROKES)) {
      const points = state.points[scale].filter((p) => p.usd > 0);
      pen.beginPath();
      pen.moveTo(AXIS, f.y(landing(state.points[scale], state.from) ?? state.range));
      for (const p of points) if (p.usd >= state.from) pen.lineTo(f.x(p.usd), f.y(p.move));
      const last = points.at(-1);
      if (last && scale !== "alone") pen.lineTo(f.x(last.usd), f.y(state.range)); // any more, and nothing in range stops it
      pen.lineWidth = width;
      pen.setLineDash(dash);
      pen.strokeStyle = f.ink(ink);
      pen.stroke();
    }
    pen.restore();
    jump(f);
    if (cursor !== null) mark(f);
  }

  // The first jump as the service found it, on all nodes; the curves that are sent are thinned.
  function jump(f) {
    const { first } = state;
    if (!first || first.ignition_usd < state.from || first.ignition_usd > state.to) return;
    const { pen } = f;
    const x = f.x(first.ignition_usd);
    for (const move of [first.distance_ratio, first.landing_ratio]) {
      if (move === null || move > state.range) continue;
      pen.beginPath();
      pen.arc(x, f.y(move), 4.5, 0, 7);
      pen.fillStyle = f.ink("warn");
      pen.fill();
      pen.lineWidth = 1.5;
      pen.strokeStyle = f.ink("panel");
      pen.stroke();
    }
    pen.textAlign = x > AXIS + f.wide * 0.7 ? "right" : "left";
    const side = x > AXIS + f.wide * 0.7 ? -9 : 9;
    const middle = (first.distance_ratio + (first.landing_ratio ?? state.range)) / 2;
    haloed(pen, `runs away at ${usd(first.ignition_usd)}`, x + side, f.y(Math.min(middle, state.range * 0.94)), f.ink("ink"), f.ink("panel"));
  }

  function mark(f) {
    const size = Math.max(state.from, Math.min(state.to, cursor));
    const x = f.x(size);
    f.pen.lineWidth = 1;
    f.pen.strokeStyle = f.ink("warn");
    f.pen.strokeRect(x, 6, 0, f.tall);
    const parts = ["low", "base", "high"].map((scale) => `${scale} ${moved(landing(state.points[scale], size))}`);
    point(chart, `A ${order} of ${usd(size)}: ${parts.join(", ")}; alone ${moved(landing(state.points.alone, size))}`, x, f.tall * 0.3);
  }

  const hover = (event) => {
    const f = frame();
    if (!f) return;
    cursor = f.size(Math.max(AXIS, Math.min(AXIS + f.wide, event.offsetX)));
    draw();
  };
  const leave = () => {
    cursor = null;
    point(chart, "");
    draw();
  };
  chart.canvas.addEventListener("pointermove", hover);
  chart.canvas.addEventListener("pointerdown", hover);
  chart.canvas.addEventListener("pointerleave", leave);
  chart.canvas.addEventListener("blur", leave);
  chart.canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: 1 / 1.1, ArrowRight: 1.1, Home: 1e-9, End: 1e9 }[event.key];
    if (event.key === "Escape") leave();
    if (!step || !state || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    cursor = Math.max(state.from, Math.min(state.to, (cursor ?? state.first?.ignition_usd ?? Math.sqrt(state.from * state.to)) * step));
    draw();
  });

  return {
    node,
    // curves: of /cascade, or null; side: of the overview, for the jump that is marked. `why`: of what is not there.
    update(curves, price, side, why) {
      const usable = curves && curves.move_ratio.length > 1 && price > 0 && NEEDED.every((key) => curves[key].every(Number.isFinite));
      text(unknown, usable ? "" : `curve not known: ${why}`);
      chart.box.hidden = keys.hidden = table.hidden = !usable;
      if (!usable) state = null;
      else if (state?.curves !== curves) state = derive(curves, price, side);
      if (!state) return;
      state.first = side?.scales.base.first ?? null;
      const sizes = [];
      for (let size = 10 ** Math.ceil(Math.log10(state.from)); size <= state.to; size *= 10) sizes.push(size);
      keyed(body, sizes, String, makeRow, updateRow);
      draw();
    },
  };

  function derive(curves, price, side) {
    const points = {};
    for (const [scale, scaling] of [["alone", 0], ["low", 0.5], ["base", 1], ["high", 2]]) {
      points[scale] = response(curves, price, direction, side?.scales[scale]?.scaling ?? scaling);
    }
    const to = Math.max(...Object.values(points).map((p) => p.at(-1).usd), 1);
    return { curves, points, range: curves.move_ratio.at(-1), from: to / 10 ** DECADES, to };
  }

  function makeRow() {
    const th = element("th");
    th.scope = "row";
    const cells = ["alone", "low", "base", "high"].map(() => element("td", "n"));
    const tr = element("tr", "", th, ...cells);
    tr.parts = { th, cells };
    return tr;
  }

  function updateRow(tr, size) {
    text(tr.parts.th, usd(size));
    ["alone", "low", "base", "high"].forEach((scale, i) => text(tr.parts.cells[i], moved(landing(state.points[scale], size))));
  }
}
