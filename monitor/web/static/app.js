// The page: asks /api/v1/overview once a second and shows it. It holds no state but the chosen band.

import { clock, day, percent, price, seconds, usd, words } from "./format.js";
import { element, figure, headers, keyed, name, text } from "./dom.js";
import { makeLiquidations } from "./liquidations.js";

const ASK_EVERY = 1000;
const GIVE_UP_AFTER = 3000; // an answer takes milliseconds; later than this it is not "now"
const STALE_AFTER = 4000;
const STILL_AFTER = 15000; // the service answers but its own time does not move
const HEADLINE_BAND = "1%";
const SEVERITIES = ["critical", "warning", "watch"];

const $ = (id) => document.getElementById(id);

let lastAnswer = null; // performance.now() of the last good answer
let lastClock = null; // the service's time in it, as shown
let engineTime = null; // the service's time, and since when it has stood still
let engineSince = 0;
let latest = null;

// -- asking

async function ask() {
  const timeout = AbortSignal.timeout(GIVE_UP_AFTER);
  const answer = await fetch("/api/v1/overview", { signal: timeout, cache: "no-store" });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer.json();
}

async function turn() {
  try {
    const view = await ask();
    const now = performance.now();
    lastAnswer = now;
    if (view.at !== engineTime) {
      engineTime = view.at;
      engineSince = now;
    }
    latest = view;
    show(view);
  } catch {
    // said by the banner, which also sees an answer that never comes
  }
  freshness();
  setTimeout(turn, ASK_EVERY);
}

function freshness() {
  const now = performance.now();
  let problem = "";
  if (lastAnswer === null) {
    if (now > STALE_AFTER) problem = "The service does not answer. Nothing is known yet.";
  } else if (now - lastAnswer > STALE_AFTER) {
    problem = `The service has not answered since ${lastClock ?? "the start"}. The figures below are old.`;
  } else if (now - engineSince > STILL_AFTER) {
    problem = `The service answers, but its time stands still at ${lastClock ?? "the start"}. The figures below may be old.`;
  }
  const banner = $("banner");
  text(banner, problem);
  banner.hidden = problem === "";
  document.body.classList.toggle("stale", problem !== "" && lastAnswer !== null);
  const state = $("state");
  name(state, `pill ${problem ? "bad" : lastAnswer === null ? "waiting" : "good"}`);
  text(state, problem ? "not current" : lastAnswer === null ? "connecting" : "live");
}

// -- showing

function show(view) {
  lastClock = clock(view.at);
  figure($("clock"), lastClock);
  text($("instance"), view.instance);
  bands(view);
  alerts(view.alerts);
  text($("assets-none"), view.assets.length ? "" : "no asset yet: no market has been listed");
  keyed($("assets"), view.assets, (a) => a.asset, makeAsset, (node, a) => updateAsset(node, a, view));
  keyed($("feeds"), view.venues, (v) => v.venue, makeFeed, (node, v) => updateFeed(node, v, view));
  text($("fx"), view.fx.map((r) => `1 ${r.currency} = ${r.rate_usd} USD (${words(r.source)})`).join(" · "));
  const worst = SEVERITIES.find((s) => view.alerts.some((a) => a.severity === s));
  document.title = worst ? `(${view.alerts.length}) ${worst} · Undertow` : "Undertow";
}

function bands(view) {
  const known = [...new Set([...view.assets, ...view.markets].flatMap((x) => x.depth.map((d) => d.band)))];
  if (known.length === 0) return;
  known.sort((a, b) => parseFloat(a) - parseFloat(b));
  const select = $("band");
  if (known.join() === [...select.options].map((o) => o.value).join()) return;
  const chosen = select.value;
  select.replaceChildren(...known.map((band) => new Option(band, band)));
  select.value = known.includes(chosen) ? chosen : known.includes(HEADLINE_BAND) ? HEADLINE_BAND : known[0];
}

function alerts(open) {
  const rank = (a) => (SEVERITIES.indexOf(a.severity) + 1) || 9;
  const sorted = [...open].sort((a, b) => rank(a) - rank(b) || String(b.opened_at).localeCompare(String(a.opened_at)));
  text($("alerts-count"), open.length ? String(open.length) : "");
  text($("alerts-none"), open.length ? "" : "none");
  keyed($("alerts"), sorted, (a) => a.id, makeAlert, updateAlert);
}

function makeAlert() {
  const node = element("li");
  node.parts = {
    severity: element("strong", "severity"),
    title: element("span", "title"),
    since: element("span", "since"),
    summary: element("p", "summary"),
  };
  node.append(element("div", "head", node.parts.severity, node.parts.title, node.parts.since), node.parts.summary);
  return node;
}

function updateAlert(node, alert) {
  const severity = SEVERITIES.includes(alert.severity) ? alert.severity : "watch";
  name(node, `alert ${severity}`);
  text(node.parts.severity, severity);
  const subject = alert.subject && alert.subject !== "all" ? ` · ${alert.subject}` : "";
  text(node.parts.title, `${alert.asset} ${words(alert.kind)}${subject}`);
  text(node.parts.since, alert.opened_at ? `since ${clock(alert.opened_at)}` : "");
  text(node.parts.summary, alert.summary ?? "");
}

// -- an asset: headline figures, depth by band, its markets

function makeAsset(asset) {
  const p = (node, key) => (node.parts[key] = element("dd"));
  const card = element("article", "asset");
  card.parts = {};
  const id = `asset-${asset.asset.replace(/[^A-Za-z0-9]/g, "-")}`;
  const title = element("h3", "", asset.asset);
  title.id = id;
  card.setAttribute("aria-labelledby", id);
  card.parts.price = element("span", "price");
  card.parts.regime = element("span", "regime");
  const facts = element("dl", "facts");
  for (const [key, label] of [
    ["bid", `Bids within ${HEADLINE_BAND}`], ["ask", `Asks within ${HEADLINE_BAND}`], ["spread", "Tightest spread"],
    ["liquidated", "Liquidated in 60 s"], ["books", "Books verified"],
  ]) {
    facts.append(element("div", "", element("dt", "", label), p(card, key)));
  }
  card.parts.degraded = element("p", "degraded");
  const depth = element("table", "bands");
  depth.append(
    element("caption", "", "Depth around mid, all venues"),
    headers(["Bids", "of usual", "within", "of usual", "Asks"], ["wide", "", "", "", "wide"]),
    (card.parts.bands = element("tbody")),
  );
  const markets = element("table", "markets");
  card.parts.head = headers([
    "Market", "Book", "Mid", "Spread", "Reach bid / ask", "Bids", "Asks", "Funding 8 h", "Open interest", "Updated",
  ], ["", "", "n", "n", "n", "n", "n", "n", "n", "n"]);
  markets.append(element("caption", "", `${asset.asset} markets`), card.parts.head, (card.parts.markets = element("tbody")));
  const scroll = element("div", "scroll", markets);
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", `${asset.asset} markets`);
  card.parts.liquidations = makeLiquidations(asset.asset, id);
  card.append(
    element("div", "head", title, card.parts.price, card.parts.regime),
    element("div", "top", element("div", "", facts, card.parts.degraded), depth),
    scroll,
    card.parts.liquidations.node,
  );
  return card;
}

function updateAsset(card, asset, view) {
  const parts = card.parts;
  const markets = view.markets.filter((m) => m.asset === asset.asset);
  figure(parts.price, asset.price_usd === null ? null : `$${price(asset.price_usd)}`);
  name(parts.regime, `regime ${asset.regime ?? "none"}`);
  text(parts.regime, asset.regime ?? "regime unknown");
  for (const side of ["bid", "ask"]) headline(parts[side], asset, markets, side);

  const spreads = markets.filter((m) => m.verified && m.spread_ratio !== null);
  const tightest = spreads.reduce((best, m) => (best === null || m.spread_ratio < best.spread_ratio ? m : best), null);
  figure(parts.spread, tightest ? `${percent(tightest.spread_ratio)} ${words(tightest.venue)}` : null);
  liquidated(parts.liquidated, asset.liquidated_60s_usd, markets);
  const books = asset.quality.books;
  text(parts.books, `${books.verified} of ${books.configured}`);
  text(parts.degraded, asset.quality.degraded.join(" · "));

  const byBand = new Map();
  for (const d of asset.depth) byBand.set(d.band, { ...(byBand.get(d.band) ?? { band: d.band }), [d.side]: d });
  const rows = [...byBand.values()].sort((a, b) => parseFloat(a.band) - parseFloat(b.band));
  const most = Math.max(0, ...asset.depth.map((d) => d.usd));
  keyed(parts.bands, rows, (r) => r.band, makeBand, (node, r) => updateBand(node, r, most, markets));

  const band = $("band").value;
  text(parts.head.rows[0].cells[5], `Bids ${band}`);
  text(parts.head.rows[0].cells[6], `Asks ${band}`);
  keyed(parts.markets, markets, (m) => `${m.venue} ${m.market}`, makeMarket, (node, m) => updateMarket(node, m, band, view.at));
  parts.liquidations.update(asset, view.at);
}

// How many of the markets in an asset's figure rest on which basis.
function bases(depth, markets) {
  const count = { floor: 0, snapshot: 0, live: 0 };
  for (const m of markets) {
    if (!depth.venues.includes(`${m.venue}:${m.market}`)) continue;
    for (const d of m.depth) if (d.side === depth.side && d.band === depth.band) count[d.basis] += 1;
  }
  return count;
}

// A sum is only as good as its weakest part.
function weakest(depth, markets) {
  const count = bases(depth, markets);
  return count.floor ? "floor" : count.snapshot ? "snapshot" : "";
}

function basisText(depth, markets) {
  const count = bases(depth, markets);
  return ["live", "snapshot", "floor"].filter((b) => count[b]).map((b) => `${count[b]} ${b}`).join(", ");
}

function headline(node, asset, markets, side) {
  const d = asset.depth.find((x) => x.side === side && x.band === HEADLINE_BAND);
  if (!node.parts) {
    node.parts = { value: element("span", "big"), ratio: element("span", "ratio"), basis: element("span", "basis") };
    node.append(node.parts.value, node.parts.ratio, node.parts.basis);
  }
  figure(node.parts.value, d ? usd(d.usd) : null, d && weakest(d, markets) === "floor" ? "floor" : "");
  const ratio = d?.acute_ratio ?? null;
  text(node.parts.ratio, !d ? "" : ratio === null ? "usual depth not known yet" : `${percent(ratio)} of usual`);
  name(node.parts.ratio, `ratio ${level(ratio)}`);
  text(node.parts.basis, d ? basisText(d, markets) : "");
}

function liquidated(node, { long, short }, markets) {
  if (!node.parts) {
    node.parts = { value: element("span"), basis: element("span", "basis") };
    node.append(node.parts.value, node.parts.basis);
  }
  const nothing = long === undefined && short === undefined;
  figure(node.parts.value, nothing ? null : `longs ${usd(long) ?? "—"}, shorts ${usd(short) ?? "—"}`);
  const partial = markets.filter((m) => m.liquidation_coverage !== "complete").length;
  text(node.parts.basis, nothing || !partial ? "" : `a lower bound: not complete on ${partial} of ${markets.length} markets`);
}

const level = (ratio) => (ratio === null ? "" : ratio < 0.4 ? "thin" : ratio < 0.7 ? "low" : "");

function makeBand(item) {
  const tr = element("tr");
  const side = (which) => {
    const bar = element("span", `bar ${which}`);
    const value = element("span", "value");
    return { cell: element("td", `n ${which}`, bar, value), bar, value, ratio: element("td", "n ratio") };
  };
  tr.parts = { bid: side("bid"), ask: side("ask") };
  const th = element("th", "", item.band);
  th.scope = "row";
  tr.append(tr.parts.bid.cell, tr.parts.bid.ratio, th, tr.parts.ask.ratio, tr.parts.ask.cell);
  return tr;
}

function updateBand(tr, item, most, markets) {
  for (const which of ["bid", "ask"]) {
    const d = item[which];
    const part = tr.parts[which];
    figure(part.value, d ? usd(d.usd) : null, d ? weakest(d, markets) : "");
    figure(part.ratio, d ? percent(d.acute_ratio) : null);
    name(part.ratio, `n ratio ${level(d?.acute_ratio ?? null)}`);
    part.bar.style.width = d && most > 0 ? `${((d.usd / most) * 100).toFixed(1)}%` : "0";
  }
}

function makeMarket(market) {
  const tr = element("tr");
  const th = element("th", "", element("span", "venue", words(market.venue)), " ", market.market);
  th.scope = "row";
  tr.append(th);
  tr.cells_by_name = {};
  for (const key of ["book", "mid", "spread", "reach", "bid", "ask", "funding", "interest", "updated"]) {
    tr.append((tr.cells_by_name[key] = element("td", key === "book" ? "" : "n")));
  }
  return tr;
}

function updateMarket(tr, market, band, at) {
  const cell = tr.cells_by_name;
  name(cell.book, market.verified ? "verified" : "unverified");
  text(cell.book, market.verified ? "verified" : `not verified: ${market.reason || "no reason given"}`);
  figure(cell.mid, market.mid_price === null ? null : `${price(market.mid_price)} ${market.quote}`);
  figure(cell.spread, percent(market.spread_ratio));
  figure(cell.reach, reachText(market));
  for (const side of ["bid", "ask"]) {
    const d = market.depth.find((x) => x.side === side && x.band === band);
    figure(cell[side], d ? usd(d.usd) : null, d?.basis);
  }
  figure(cell.funding, percent(market.funding_rate_8h_ratio));
  figure(cell.interest, usd(market.open_interest_usd));
  figure(cell.updated, updatedText(market, at));
}

const bothSides = ({ bid, ask }) => (bid === null && ask === null ? null : `${percent(bid) ?? "—"} / ${percent(ask) ?? "—"}`);

// How far the book goes; and how far its snapshots and coarser streams go, which bring the figures marked "snap".
function reachText(market) {
  const book = bothSides(market.reach_ratio);
  const snapshots = bothSides(market.snapshot_reach_ratio);
  return snapshots === null ? book : `${book ?? "—"}, snap ${snapshots}`;
}

// How old the book is, how often a book of snapshots comes, and how old what lies beyond it may be.
function updatedText(market, at) {
  const age = (moment) => (Date.parse(at) - Date.parse(moment)) / 1000;
  const parts = [];
  if (market.last_update) parts.push(`${seconds(age(market.last_update))} ago`);
  if (market.cadence_seconds !== null) parts.push(`comes every ${seconds(market.cadence_seconds)}`);
  if (market.layers.length) {
    const counting = market.layers.filter((layer) => layer.reason === "" && layer.last_update);
    const oldest = counting.length ? `, oldest ${seconds(Math.max(...counting.map((layer) => age(layer.last_update))))} ago` : "";
    parts.push(`${counting.length} of ${market.layers.length} coarser${oldest}`);
  }
  return parts.length ? parts.join("; ") : null;
}

// -- feeds

function makeFeed(venue) {
  const tr = element("tr");
  const th = element("th", "", words(venue.venue));
  th.scope = "row";
  tr.append(th);
  tr.parts = { sockets: element("td", "n"), lag: element("td", "n"), rest: element("td", "n"), faults: element("td") };
  tr.append(...Object.values(tr.parts));
  return tr;
}

function updateFeed(tr, venue, view) {
  const up = venue.connections.filter((c) => c.connected).length;
  text(tr.parts.sockets, `${up} of ${venue.connections.length}`);
  figure(tr.parts.lag, seconds(venue.lag_seconds));
  figure(tr.parts.rest, percent(venue.rest_weight_used_ratio));
  const faults = [
    ...(venue.halted ? [`halted: ${venue.halted}`] : []),
    ...venue.faults,
    ...venue.refused.map((r) => `${r.symbol} refused: ${r.reason}`),
    ...view.markets.filter((m) => m.venue === venue.venue && m.silent.length).map((m) => `${m.market} silent: ${m.silent.join(", ")}`),
  ];
  const announced = venue.notices.filter((n) => !n.disruptive || (n.begins !== null && n.begins > view.at)).map(noticeText);
  name(tr.parts.faults, faults.length ? "faulty" : "");
  text(tr.parts.faults, [...(faults.length ? faults : ["none"]), ...announced].join("; "));
}

function noticeText(notice) {
  const from = notice.begins === null ? "" : ` from ${day(notice.begins)}`;
  const until = notice.ends === null ? "" : ` until ${day(notice.ends)}`;
  return `announced${notice.symbol && ` of ${notice.symbol}`}: ${notice.text}${from}${until}`;
}

// -- start

$("band").addEventListener("change", () => latest && show(latest));
setInterval(freshness, ASK_EVERY);
turn();
