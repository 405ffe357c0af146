// The heat map of an asset: time across, price upwards, colour for the USD that would be liquidated there, the price over it.

import { begin, haloed, point, surface, theme, ticks, times } from "./chart.js";
import { amount, binAt, bins, columnAt, edges, largest, until } from "./exposure.js";
import { price as priceText, rounded, usd } from "./format.js";
import { makeLegend } from "./legend.js";
import { colour, topOf } from "./palette.js";

const AXIS = 70; // right: prices
const FOOT = 20; // below: times
const NOW = 30; // the present, wide enough to be read
const GAP = 3;
const LEAST_SPAN = 600_000; // a map that has just begun is not stretched over the whole width

export function makeHeatmap(asset) {
  const name = `Heat map of ${asset}: where positions would be liquidated, by time and price`;
  const chart = surface("heatmap", name, () => draw());
  const legend = makeLegend();
  const past = document.createElement("canvas"); // drawn once a minute; the present is drawn every second over it
  let state = null; // {columns, live, ratio}
  let zoom = 0.1;
  let range = null; // [low, high] of the price axis
  let drawn = null; // what `past` shows
  let scale = {}; // the amount the colours end at
  let cursor = null; // {column, bin, live}

  // Prices shown: `zoom` around the price, and all of its path. Held while the price stays near the middle, so that nothing trembles.
  function rangeOf(live, columns) {
    const path = columns.map((c) => c.price);
    const low = Math.min(live.price * (1 - zoom), ...path.map((p) => p * 0.995));
    const high = Math.max(live.price * (1 + zoom), ...path.map((p) => p * 1.005));
    const slack = (high - low) * 0.04;
    if (!range || Math.abs(range[0] - low) > slack || Math.abs(range[1] - high) > slack) range = [low, high];
    return range;
  }

  function frame() {
    const started = begin(chart);
    if (!started || !state) return null;
    const { columns, live } = state;
    const [low, high] = rangeOf(live, columns);
    const wide = started.width - AXIS - NOW - GAP;
    const tall = started.height - FOOT;
    const from = Math.min(columns.length ? columns[0].at : live.at, live.at - LEAST_SPAN);
    return {
      ...started, wide, tall, low, high, from, to: live.at,
      x: (at) => ((at - from) / (live.at - from)) * wide,
      y: (level) => ((high - level) / (high - low)) * tall,
      moment: (x) => from + (x / wide) * (live.at - from),
      level: (y) => high - (y / tall) * (high - low),
    };
  }

  // Over all columns at once and only when they change: a scale that moves every second would make everything flicker.
  function scaleTop() {
    const { columns, live, ratio } = state;
    if (scale.of !== columns || scale.zoom !== zoom || !scale.top) {
      const shown = (col) => bins(col).filter(([bin]) => Math.abs(bin) * ratio <= zoom + 1e-9).map(([, held]) => held);
      scale = { of: columns, zoom, top: topOf([...columns, live].flatMap(shown)) };
    }
    return scale.top;
  }

  function paint(pen, col, x0, x1, f, top) {
    const y = (level) => Math.round(f.y(level) * f.ratio);
    const [first, last] = [edges(col, -col.long.length, state.ratio)[0], edges(col, col.short.length, state.ratio)[1]];
    pen.fillStyle = f.ink("ground");
    pen.fillRect(x0, y(last), x1 - x0, y(first) - y(last));
    for (const [bin, held] of bins(col)) {
      if (!(held > 0)) continue;
      const [lower, upper] = edges(col, bin, state.ratio);
      if (upper < f.low || lower > f.high) continue;
      pen.fillStyle = colour(held, top, theme());
      pen.fillRect(x0, y(upper), x1 - x0, y(lower) - y(upper));
    }
  }

  // Unknown is hatched and nothing is plain: the one is not the other.
  function hatch(pen, width, height, f) {
    pen.fillStyle = f.ink("panel");
    pen.fillRect(0, 0, width, height);
    pen.strokeStyle = f.ink("line");
    pen.lineWidth = f.ratio;
    pen.beginPath();
    for (let x = -height; x < width; x += 7 * f.ratio) {
      pen.moveTo(x, height);
      pen.lineTo(x + height, 0);
    }
    pen.stroke();
  }

  // In device pixels, so that columns and bins meet without seams.
  function drawPast(f, top) {
    const { columns, live } = state;
    const [width, height] = [Math.round(f.wide * f.ratio), Math.round(f.tall * f.ratio)];
    const key = [width, height, f.low, f.high, top, theme(), columns.length, columns.at(-1)?.at, Math.floor(live.at / 15_000)].join();
    if (key === drawn) return;
    drawn = key;
    past.width = width;
    past.height = height;
    const pen = past.getContext("2d");
    hatch(pen, width, height, f);
    const x = (at) => Math.round(f.x(at) * f.ratio);
    columns.forEach((col, i) => {
      const [x0, x1] = [x(col.at), x(until(columns, i, live.at))];
      if (x1 > x0) paint(pen, col, x0, x1, f, top);
    });
  }

  function line(f) {
    const { columns, live } = state;
    const { pen } = f;
    pen.beginPath();
    let known = false;
    columns.forEach((col, i) => {
      if (known) pen.lineTo(f.x(col.at), f.y(col.price));
      else pen.moveTo(f.x(col.at), f.y(col.price));
      known = until(columns, i, live.at) === (columns[i + 1]?.at ?? live.at); // a hole in time is not bridged
    });
    if (known) pen.lineTo(f.wide, f.y(live.price));
    pen.lineJoin = "round";
    for (const [width, ink] of [[4.5, "ground"], [1.8, "ink"]]) {
      pen.lineWidth = width;
      pen.strokeStyle = f.ink(ink);
      pen.stroke();
    }
  }

  function axes(f) {
    const { pen, width } = f;
    const { live } = state;
    const edge = f.wide + GAP + NOW;
    pen.textAlign = "left";
    pen.fillStyle = f.ink("soft");
    const here = f.y(live.price);
    for (const level of ticks(f.low, f.high, f.tall / 44)) {
      const y = f.y(level);
      if (y < 7 || y > f.tall - 7 || Math.abs(y - here) < 16) continue;
      pen.fillRect(edge, Math.round(y), 4, 1);
      pen.fillText(rounded(level, 6), edge + 8, y);
    }
    pen.fillStyle = f.ink("ink");
    pen.fillRect(edge + 1, here - 9, width - edge - 1, 18);
    pen.fillStyle = f.ink("ground");
    pen.fillText(rounded(live.price, live.price < 1e5 ? 5 : 6), edge + 6, here + 0.5);
    pen.fillStyle = f.ink("soft");
    pen.textAlign = "center";
    for (const at of times(f.from, f.to, f.wide / 90)) {
      const x = f.x(at);
      if (x < 18 || x > f.wide - 26) continue;
      pen.fillRect(Math.round(x), f.tall, 1, 4);
      pen.fillText(new Date(at).toISOString().slice(11, 16), x, f.tall + 12);
    }
    pen.fillStyle = f.ink("ink");
    pen.fillText("now", f.wide + GAP + NOW / 2, f.tall + 12);
    pen.textAlign = "left";
    haloed(pen, "shorts: forced buyers", 6, 12, f.ink("ink"), f.ink("ground"));
    haloed(pen, "longs: forced sellers", 6, f.tall - 12, f.ink("ink"), f.ink("ground"));
  }

  function draw() {
    const f = frame();
    if (!f || f.wide < 40) return;
    const { live } = state;
    const top = scaleTop();
    drawPast(f, top);
    const { pen } = f;
    pen.drawImage(past, 0, 0, f.wide, f.tall);
    pen.save(); // the present, in device pixels as well
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.beginPath();
    pen.rect(0, 0, pen.canvas.width, Math.round(f.tall * f.ratio));
    pen.clip();
    const [x0, x1] = [f.wide + GAP, f.wide + GAP + NOW].map((x) => Math.round(x * f.ratio));
    paint(pen, live, x0, x1, f, top);
    pen.restore();
    line(f);
    pen.setLineDash([3, 3]);
    pen.beginPath();
    pen.moveTo(f.wide, f.y(live.price));
    pen.lineTo(f.wide + GAP + NOW, f.y(live.price));
    pen.stroke();
    pen.setLineDash([]);
    axes(f);
    legend.update(top);
    if (cursor) mark(f);
  }

  // -- pointing

  function mark(f) {
    const col = cursor.live ? state.live : state.columns.includes(cursor.column) ? cursor.column : null;
    if (!col && cursor.column) {
      leave();
      return;
    }
    if (!col) {
      point(chart, "not known: no map of that time", cursor.x, cursor.y);
      return;
    }
    const [lower, upper] = edges(col, cursor.bin, state.ratio);
    const i = state.columns.indexOf(col);
    const x0 = cursor.live ? f.wide + GAP : f.x(col.at);
    const x1 = cursor.live ? x0 + NOW : f.x(until(state.columns, i, state.live.at));
    f.pen.lineWidth = 2;
    f.pen.strokeStyle = f.ink("warn");
    f.pen.strokeRect(x0 - 1, f.y(upper) - 1, Math.max(3, x1 - x0) + 2, f.y(lower) - f.y(upper) + 2);
    point(chart, told(col, cursor.bin, cursor.live), (x0 + x1) / 2, f.y(lower));
  }

  function told(col, bin, live) {
    const [lower, upper] = edges(col, bin, state.ratio);
    const [near, far] = [Math.abs(bin) - 1, Math.abs(bin)].map((n) => `${(n * state.ratio * 100).toFixed(1)}`);
    const held = amount(col, bin);
    const what = held === undefined ? "not known: beyond the map" : `${usd(held) ?? "not known"} of ${bin < 0 ? "longs" : "shorts"}`;
    const when = live ? "now" : `${new Date(col.at).toISOString().slice(11, 16)} UTC`;
    return `${what} between ${priceText(lower)} and ${priceText(upper)}, ${near} to ${far}% ${bin < 0 ? "below" : "above"} the price (${priceText(col.price)}, ${when})`;
  }

  chart.canvas.addEventListener("pointermove", hover);
  chart.canvas.addEventListener("pointerdown", hover);
  chart.canvas.addEventListener("pointerleave", leave);
  chart.canvas.addEventListener("blur", leave);
  chart.canvas.addEventListener("focus", () => {
    if (state && !cursor && chart.canvas.matches(":focus-visible")) {
      cursor = { live: true, bin: largest(state.live)?.[0] ?? -1 };
      draw();
    }
  });

  function hover(event) {
    const f = frame();
    if (!f) return;
    const [x, y] = [event.offsetX, event.offsetY];
    if (x > f.wide + GAP + NOW || y > f.tall) leave();
    else {
      const live = x >= f.wide;
      const column = live ? state.live : columnAt(state.columns, f.moment(x), state.live.at);
      cursor = { live, column, bin: column && binAt(column, f.level(y), state.ratio), x, y };
      draw();
    }
  }

  function leave() {
    cursor = null;
    point(chart, "");
    draw();
  }

  const STEPS = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0], PageUp: [0, 5], PageDown: [0, -5], Home: [-1e6, 0], End: [1e6, 0] };

  chart.canvas.addEventListener("keydown", (event) => {
    if (!state || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") leave();
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const { columns, live } = state;
    const here = !cursor || cursor.live || !cursor.column ? columns.length : columns.indexOf(cursor.column);
    const next = Math.max(0, Math.min(columns.length, here + step[0]));
    let bin = (cursor?.bin ?? -1) + step[1];
    if (bin === 0 || (cursor?.bin ?? -1) * bin < 0) bin += Math.sign(step[1]); // there is no bin 0
    bin = Math.max(-live.long.length, Math.min(live.short.length, bin));
    cursor = next === columns.length ? { live: true, bin } : { live: false, column: columns[next], bin };
    draw();
  });

  return {
    chart: chart.box,
    legend: legend.node,
    zoom(share) {
      zoom = share;
      range = null;
      draw();
    },
    // `columns`, oldest first, and `live`: as of exposure.js. null: there is no map.
    update(columns, live, ratio) {
      state = live && { columns, live, ratio };
      chart.box.hidden = legend.node.hidden = !state;
      if (!state) return;
      draw();
      chart.canvas.setAttribute("aria-label", `${name}. ${spoken(state.live)} Arrow keys move through it.`);
    },
  };

  function spoken(live) {
    const found = largest(live);
    if (!found) return "No position would be liquidated within its range.";
    const [bin, held] = found;
    const [lower, upper] = edges(live, bin, state.ratio).map((p) => rounded(p, 4));
    return `Most, ${usd(held)} of ${bin < 0 ? "longs" : "shorts"}, lies near ${lower} to ${upper}.`;
  }
}
