// The legend of the heat map: the colours with their amounts, and what is no colour.

import { theme } from "./chart.js";
import { element, text } from "./dom.js";
import { usd } from "./format.js";
import { colour } from "./palette.js";

const SHARES = [0, 1 / 16, 1 / 4, 9 / 16, 1]; // even distances, as colours go by the square root
const STOPS = 17;

export function makeLegend() {
  const bar = element("span", "bar");
  const labels = SHARES.map(() => element("span"));
  const scale = element("span", "scale", bar, element("span", "labels", ...labels));
  const node = element(
    "p", "legend", element("span", "", "USD liquidated in a band of 0.5%"), scale,
    element("span", "key hatched", "not known"), element("span", "key path", "price"),
  );
  let shown = null;
  return {
    node,
    update(top) {
      const key = `${top} ${theme()}`;
      if (key === shown) return;
      shown = key;
      const stops = Array.from({ length: STOPS }, (_, i) => colour((i / (STOPS - 1)) ** 2, 1, theme()));
      bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
      SHARES.forEach((share, i) => text(labels[i], top ? `${share === 1 ? "≥ " : ""}${usd(share * top)}` : ""));
    },
  };
}
