// The section "Liquidations" of an asset. The overview brings its figures every second; the history of the map, the books and the curves
// are larger and asked for less often, and only while the section is near the screen.

import { makeCalibration } from "./calibration.js";
import { makeCascade } from "./cascade.js";
import { element, text } from "./dom.js";
import { column } from "./exposure.js";
import { clock } from "./format.js";
import { makeHeatmap } from "./heatmap.js";

const HISTORY_EVERY = 20_000;
const CASCADE_EVERY = 5_000;
const GIVE_UP_AFTER = 4_000;
const OLD_AFTER = 90_000; // of the history and the curves; then it is said
const NO_INTEREST = "no market of the asset tells its open interest"; // why there is no map, where the service gives no other reason
const ZOOMS = [5, 10, 20];

export function makeLiquidations(asset, id) {
  const map = makeHeatmap(asset);
  const calibration = makeCalibration(asset);
  const cascade = makeCascade(asset);
  const zoom = element("select", "", ...ZOOMS.map((z) => new Option(`±${z}%`, z / 100, z === 10, z === 10)));
  zoom.addEventListener("change", () => map.zoom(Number(zoom.value)));
  const note = element("p", "quiet");
  const title = element("h4", "", "Liquidations: where forced sellers sit");
  title.id = `${id}-liquidations`;
  const around = element("label", "", "around the price ", zoom);
  const head = element("div", "head", title, around);
  const left = element("div", "map", note, map.chart, map.legend);
  const node = element(
    "section", "liquidations", head, element("div", "seats", left, calibration.node),
    element("h4", "", "What would set off a cascade"), cascade.node,
  );
  node.setAttribute("aria-labelledby", title.id);

  let near = false;
  let last = null; // the asset's row of the overview
  let columns = [];
  const exposure = source("exposure", HISTORY_EVERY, (answer) => {
    columns = (answer.history ?? []).map(column).filter((c) => c !== null);
  });
  const whole = source("cascade", CASCADE_EVERY, () => show());
  new IntersectionObserver(
    (seen) => {
      near = seen.at(-1).isIntersecting;
      if (near) refresh();
    },
    { rootMargin: "1200px" },
  ).observe(node);

  function source(what, every, came) {
    const own = { answer: null, at: null, asked: null };
    own.ask = async () => {
      const now = performance.now();
      if (own.asked !== null && now - own.asked < every) return;
      own.asked = now;
      try {
        const address = `/api/v1/assets/${encodeURIComponent(asset)}/${what}`;
        const answer = await fetch(address, { signal: AbortSignal.timeout(GIVE_UP_AFTER), cache: "no-store" });
        if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
        own.answer = await answer.json();
        own.at = performance.now();
        came(own.answer);
        show();
      } catch {
        // the last answer stays, and its age is said
      }
    };
    return own;
  }

  function refresh() {
    if (!near || !last) return;
    exposure.ask();
    whole.ask();
  }

  function show() {
    if (!last) return;
    const { cascade: row, exposure: live } = last.row;
    const why = row === null ? "not computed yet" : row.map.reason || row.reason || NO_INTEREST;
    const now = live && row && column({ at: last.at, price_usd: row.price_usd, ...live.bins });
    around.hidden = !now;
    map.update(columns, now || null, live?.bin_ratio ?? null);
    text(note, remark(live, now, why));
    calibration.update(live, why, exposure.answer?.markets ?? null);
    cascade.update(row, whole.answer);
  }

  function remark(live, now, why) {
    if (!live || live.state === "unknown" || !live.bins.long) return `The map is not known: ${why}.`;
    if (!now) return "The map cannot be placed: the price is not known.";
    if (exposure.at === null) return "The past is not loaded yet.";
    const old = [exposure, whole].find((s) => s.at !== null && performance.now() - s.at > OLD_AFTER);
    if (old) return `Not renewed since ${clock(old.answer.at)}.`;
    return columns.length ? "" : "The map has just begun: no past yet.";
  }

  return {
    node,
    update(row, at) {
      last = { row, at };
      refresh();
      show();
    },
  };
}
