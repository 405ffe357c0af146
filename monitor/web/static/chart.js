// What the drawn figures share: a canvas as sharp as the screen, colours of the style sheet, ticks, a tooltip.

import { element, text } from "./dom.js";

export const FONT = '12px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
const LIGHT = matchMedia("(prefers-color-scheme: light)");

export const theme = () => (LIGHT.matches ? "light" : "dark");

// A canvas in a box of its own, redrawn by `draw` when its size, its sharpness or the colours of the page change.
export function surface(className, label, draw) {
  const canvas = element("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  const tip = element("p", "tip");
  tip.setAttribute("role", "status");
  tip.hidden = true;
  const box = element("div", `chart ${className}`, canvas, tip);
  new ResizeObserver(draw).observe(box);
  LIGHT.addEventListener("change", draw);
  return { box, canvas, tip };
}

// The drawing context in CSS pixels, cleared; null while the box has no size.
export function begin({ box, canvas }) {
  const [width, height, ratio] = [box.clientWidth, box.clientHeight, devicePixelRatio || 1];
  if (!width || !height) return null;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  const style = getComputedStyle(box);
  const ink = (name) => style.getPropertyValue(`--${name}`).trim();
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = FONT;
  pen.textBaseline = "middle";
  return { pen, width, height, ratio, ink };
}

// Shows a tooltip at a point of the box, kept inside it; "" hides it.
export function point({ box, tip }, said, x = 0, y = 0) {
  tip.hidden = said === "";
  if (tip.hidden) return;
  text(tip, said);
  const left = x + 14 + tip.offsetWidth > box.clientWidth ? x - 14 - tip.offsetWidth : x + 14;
  tip.style.left = `${Math.max(0, left)}px`;
  tip.style.top = `${Math.max(0, Math.min(y + 14, box.clientHeight - tip.offsetHeight))}px`;
}

// Words that can be read on any colour.
export function haloed(pen, said, x, y, ink, ground) {
  pen.lineJoin = "round";
  pen.lineWidth = 3;
  pen.strokeStyle = ground;
  pen.strokeText(said, x, y);
  pen.fillStyle = ink;
  pen.fillText(said, x, y);
}

// Round numbers from low to high, about `count` of them.
export function ticks(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0) || !Number.isFinite(rough)) return [];
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 2.5, 5, 10].find((s) => s * unit >= rough * 0.999);
  const out = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n += 1) out.push(n * step);
  return out;
}

const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440];

// Whole times from one moment to another (ms), about `count` of them.
export function times(from, to, count) {
  const rough = (to - from) / Math.max(1, count);
  const step = (MINUTES.find((m) => m * 60_000 >= rough) ?? Math.ceil(rough / 86_400_000) * 1440) * 60_000;
  const out = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) out.push(at);
  return out;
}
