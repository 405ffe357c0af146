// How far the exposure map can be believed: its state, its marks out of sample, what it holds within each distance, market by market.

import { element, headers, keyed, name, text, told } from "./dom.js";
import { percent, usd, words } from "./format.js";

const STATES = { calibrated: "good", indicative: "warn", unknown: "waiting" };
const SCORES = [
  ["intervals", "Intervals scored"], ["deviance", "Deviance, map over null map"], ["slope", "Slope of seen on predicted"],
  ["rank", "Rank correlation"], ["coverage", "Share of open interest it holds"],
];

export function makeCalibration(asset) {
  const pill = element("strong", "pill");
  const reason = element("span", "why");
  const scores = element("dl", "scores");
  const parts = {};
  for (const [key, label] of SCORES) scores.append(element("div", "", element("dt", "", label), (parts[key] = element("dd"))));
  const withinBody = element("tbody");
  const within = element(
    "table", "within", element("caption", "", `${asset}: would be liquidated within`),
    headers(["distance", "longs, below", "shorts, above"], ["", "n", "n"]), withinBody,
  );
  const marketsBody = element("tbody");
  const markets = element("table", "", headers(["Market", "Open interest", "Map", "Intervals", "Deviance", "Margin tiers"], ["", "n", "", "n", "n", ""]), marketsBody);
  const scroll = element("div", "scroll", markets);
  const details = element("details", "", element("summary", "", "The map by market"), scroll);
  const node = element("div", "calibration", element("p", "state", "Map: ", pill, " ", reason), scores, within, details);
  return {
    node,
    // exposure: of the overview, or null with `why`; rows: markets of /exposure, null until they came.
    update(exposure, why, rows) {
      const state = exposure?.state ?? "unknown";
      name(pill, `pill ${STATES[state] ?? "waiting"}`);
      text(pill, state === "unknown" ? "not known" : state);
      text(reason, exposure === null ? why : exposure.reason || (state === "calibrated" ? "better than the null map out of sample" : "no reason given"));
      scored(exposure, why);
      const found = new Map();
      for (const [position, sums] of Object.entries(exposure?.within_usd ?? {})) {
        for (const [distance, sum] of Object.entries(sums)) found.set(distance, { ...found.get(distance), distance, [position]: sum });
      }
      const distances = [...found.values()].sort((a, b) => parseFloat(a.distance) - parseFloat(b.distance));
      within.hidden = distances.length === 0;
      keyed(withinBody, distances, (d) => d.distance, () => makeRow(2), (tr, d) => {
        fill(tr, d.distance, [usd(d.long), usd(d.short)]);
      });
      details.hidden = !rows?.length;
      keyed(marketsBody, rows ?? [], (m) => `${m.venue} ${m.market}`, () => makeRow(5, ["n", "", "n", "n", ""]), updateMarket);
    },
  };

  function scored(exposure, why) {
    const score = exposure?.score ?? null;
    const missing = score === null ? why : score.intervals === 0 ? "no interval scored yet" : "not enough to tell yet";
    told(parts.intervals, score && String(Math.round(score.intervals)), missing);
    told(parts.deviance, ratioText(score), missing);
    told(parts.slope, score?.slope == null ? null : `${score.slope.toFixed(2)} (0.5 to 2 is accepted)`, missing);
    told(parts.rank, score?.rank_correlation == null ? null : score.rank_correlation.toFixed(2), missing);
    told(parts.coverage, percent(exposure?.coverage_ratio), exposure === null ? why : "open interest is not known");
  }
}

function ratioText(score) {
  const ratio = score?.deviance_ratio ?? null;
  return ratio === null ? null : `${ratio.toFixed(2)} (${ratio < 1 ? "better" : "no better"} than open interest spread evenly)`;
}

function makeRow(count, classes = []) {
  const th = element("th");
  th.scope = "row";
  const cells = Array.from({ length: count }, (_, i) => element("td", classes[i] ?? "n"));
  const tr = element("tr", "", th, ...cells);
  tr.parts = { th, cells };
  return tr;
}

function fill(tr, label, values) {
  text(tr.parts.th, label);
  values.forEach((value, i) => text(tr.parts.cells[i], value ?? "not known"));
}

function updateMarket(tr, market) {
  const state = market.reason ? `${market.state === "unknown" ? "not known" : market.state}: ${market.reason}` : market.state;
  const ratio = market.score.deviance_ratio;
  fill(tr, `${words(market.venue)} ${market.market}`, [
    usd(market.open_interest_usd), state, String(Math.round(market.score.intervals)), ratio === null ? null : ratio.toFixed(2),
    market.tiers_source || null,
  ]);
}
