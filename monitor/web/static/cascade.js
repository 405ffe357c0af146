// The cascade's figures: what would set one off downwards and upwards, low, base and high together, and what they rest on.

import { makeCurve } from "./curve.js";
import { element, headers, keyed, name, told, text } from "./dom.js";
import { percent, rounded, usd, words } from "./format.js";

const SCALES = ["low", "base", "high"];
const TITLES = { down: "Down: forced selling of longs", up: "Up: forced buying of shorts" };
const NONE = "none in range";
const JUMP_ROWS = 5; // rows 1 to 5 tell of the first jump: one cell says that there is none

export function makeCascade(asset) {
  const sides = Object.fromEntries(["down", "up"].map((direction) => [direction, makeSide(asset, direction)]));
  const parts = { drives: element("dd"), sigma: element("dd"), sold: element("dd"), books: element("dd") };
  const facts = element("dl", "facts");
  for (const [key, label] of [
    ["drives", "Driven by"], ["sigma", "Standard deviation of an hour"], ["sold", "Net sold by takers in 5 min"], ["books", "Books"],
  ]) facts.append(element("div", "", element("dt", "", label), parts[key]));
  const body = element("tbody");
  const table = element("table", "books", headers(["Book", "Part", "Reach bid / ask"], ["", "", "n"]), body);
  const scroll = element("div", "scroll", table);
  const details = element("details", "", element("summary", "", "Books used and left out"), scroll);
  const node = element("div", "cascade", facts, element("div", "sides", sides.down.node, sides.up.node), details);
  return {
    node,
    // row: of the overview, every second; whole: of /cascade, with books and curves, less often; null until it came.
    update(row, whole) {
      const why = row === null ? "not computed yet" : row.reason || "no reason given";
      told(parts.drives, row && !row.reason ? drivenBy(row.map) : null, why);
      told(parts.sigma, percent(row?.sigma_1h_ratio), row && !row.reason ? "too little price history" : why);
      told(parts.sold, row && netSold(row.net_sold_5m_usd), row && !row.reason ? "trades were not seen for all of it" : why);
      told(parts.books, whole && booksText(whole.books ?? []), whole ? why : "not asked yet");
      details.hidden = !whole?.books?.length;
      keyed(body, whole?.books ?? [], (b) => `${b.venue} ${b.market}`, makeBook, updateBook);
      for (const [direction, side] of Object.entries(sides)) side.update(row?.sides[direction] ?? null, row, whole, why);
    },
  };
}

const drivenBy = (map) =>
  map.driven_by === "map" ? "the calibrated exposure map" : `the null map: open interest spread evenly${map.reason ? ` (${map.reason})` : ""}`;

const netSold = (x) => (x === null ? null : x < 0 ? `${usd(-x)} net bought` : usd(x));

function booksText(books) {
  if (!books.length) return null;
  const out = books.filter((b) => !b.used).map((b) => `${words(b.venue)} ${b.market} (${b.reason})`);
  return `${books.length - out.length} of ${books.length} used${out.length ? `; left out: ${out.join(", ")}` : ""}`;
}

function makeBook() {
  const th = element("th");
  th.scope = "row";
  const tr = element("tr", "", th);
  tr.parts = { th, part: element("td"), reach: element("td", "n") };
  tr.append(tr.parts.part, tr.parts.reach);
  return tr;
}

function updateBook(tr, book) {
  text(tr.parts.th, `${words(book.venue)} ${book.market}`);
  name(tr.parts.part, book.used ? "verified" : "unverified");
  text(tr.parts.part, book.used ? "used" : `left out: ${book.reason}`);
  text(tr.parts.reach, ["bid", "ask"].map((s) => percent(book.reach_ratio[s]) ?? "not known").join(" / "));
}

// -- one direction

// [label, what of the figures of one scaling]. What is read as null is not known.
function rowsOf(direction) {
  const down = direction === "down";
  const moved = (ratio) => (ratio === null ? null : (down ? "-" : "+") + percent(ratio));
  const place = (ratio, p) => (p === null || ratio === null ? null : rounded(p * (down ? 1 - ratio : 1 + ratio)));
  const first = (read) => (f, at) => (f.first === null ? NONE : read(f.first, at));
  return [
    ["Gain: forced by one more unit", (f) => (f.gain === null ? null : f.gain.toFixed(2))],
    [down ? "Sale that sets it off" : "Purchase that sets it off", first((j) => (j.ignition_usd < 1000 ? "any" : usd(j.ignition_usd)))],
    ["which alone would move", first((j) => moved(j.direct_ratio))],
    ["Runs away at", first((j, { price, sigma }) => joined(moved(j.distance_ratio), place(j.distance_ratio, price), sigmas(j, sigma)))],
    ["Lands at", first((j, { price }) => (j.landing_ratio === null ? "not within range" : joined(moved(j.landing_ratio), place(j.landing_ratio, price))))],
    [down ? "Forced selling on the way" : "Forced buying on the way", first((j) => usd(j.forced_usd))],
    ["Largest jump forces", (f) => (f.largest === null ? NONE : joined(usd(f.largest.forced_usd), `from ${moved(f.largest.distance_ratio)}`))],
    ["Venues apart: multiplies by", (f) => (f.arbitrage === null || f.arbitrage.multiplier === null ? null : `${f.arbitrage.multiplier.toFixed(2)}${f.arbitrage.converged ? "" : "\nnot settled"}`)],
  ];
}

// The figure, and below it what it comes to.
const joined = (figure, ...further) => (figure === null ? null : [figure, further.filter((part) => part !== null).join(" · ")].filter(Boolean).join("\n"));
const sigmas = (jump, sigma) => (sigma > 0 && jump.distance_ratio !== null ? `${(jump.distance_ratio / sigma).toFixed(1)} σ` : null);

function makeSide(asset, direction) {
  const rows = rowsOf(direction);
  const mark = element("span", "pill");
  const title = element("h5", "", TITLES[direction], " ", mark);
  const seen = element("p", "seen quiet");
  const cells = rows.map(() => SCALES.map(() => element("td", "n")));
  const body = element("tbody", "", ...rows.map(([label], i) => {
    const th = element("th", "", label);
    th.scope = "row";
    return element("tr", "", th, ...cells[i]);
  }));
  const table = element("table", "figures", headers(["Exposure map taken", "low: × 0.5", "base: × 1", "high: × 2"], ["", "n", "n", "n"]), body);
  table.setAttribute("aria-label", `${asset}, ${TITLES[direction]}`);
  const curve = makeCurve(asset, direction);
  const node = element("section", "side", title, seen, table, curve.node);
  return {
    node,
    update(side, row, whole, why) {
      const sure = side !== null && !side.indicative && side.observed_ratio !== null;
      name(mark, `pill ${side === null ? "waiting" : sure ? "good" : "warn"}`);
      text(mark, side === null ? "not known" : sure ? `${percent(side.observed_ratio)} of the depth seen` : "indicative");
      table.hidden = side === null;
      text(seen, side === null ? `not known: ${why}` : observed(side));
      name(table, sure ? "figures" : "figures unsure");
      rows.forEach(([, read], i) => SCALES.forEach((scale, s) => {
        const figures = side?.scales[scale];
        const at = { price: row?.price_usd ?? null, sigma: row?.sigma_1h_ratio ?? null };
        const said = figures ? read(figures, at) : null;
        const spanned = i > 0 && i <= JUMP_ROWS && figures?.first === null;
        cells[i][s].rowSpan = spanned && i === 1 ? JUMP_ROWS : 1;
        cells[i][s].hidden = spanned && i > 1;
        name(cells[i][s], `n${said === NONE ? " none" : ""}${i === 0 && figures?.gain >= 1 ? " thin" : ""}`);
        text(cells[i][s], cells[i][s].hidden ? "" : said === null ? "not known" : sure || said === NONE ? said : `~ ${said}`);
      }));
      curve.update(whole?.curves?.[direction] ?? null, whole?.price_usd ?? null, side, whole ? why : "not asked yet");
    },
  };
}

function observed(side) {
  if (!side.indicative && side.observed_ratio !== null) return "";
  const share = percent(side.observed_ratio) ?? "an unknown share";
  return `Indicative: only ${share} of the depth on the way is seen, the rest is extended from it. Below 50% it raises no alert.`;
}
