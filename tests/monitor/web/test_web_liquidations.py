"""The page's section on liquidations in a real browser: each state of the model, and the arithmetic behind what is drawn."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import cascade_site
import fake_cascade as made
import pytest
from test_web_page import Page
from web_site import Browse, Site

ATTACK = "<img src=x onerror=\"document.title='owned'\">"


def sections(text: str, *assets: str) -> list[str]:
    """The text of each asset's section, in the order of the page."""
    parts = re.split(r"Liquidations: where forced sellers sit", text)[1:]
    assert len(parts) == len(assets)
    return parts


async def test_each_state_is_said(site: Site, browse: Browse) -> None:
    site.view = cascade_site.showing(
        ("BTC", made.cascade()), ("ETH", cascade_site.indicative()), ("SOL", made.unknown()), ("XRP", None)
    )
    page = Page(await browse(site.url))
    calibrated, indicative, unknown, missing = sections(page.text, "BTC", "ETH", "SOL", "XRP")
    for shown in (
        "Map: calibrated better than the null map out of sample",
        "Intervals scored 412",
        "Deviance, map over null map 0.62 (better than open interest spread evenly)",
        "Slope of seen on predicted 0.93 (0.5 to 2 is accepted)",
        "Rank correlation 0.61",
        "Share of open interest it holds 91%",
        "would be liquidated within distance longs, below shorts, above 1% $3.8M $2.8M",
        "okx swap BTC-USDT-SWAP $2.2B indicative: 31 of 100 intervals scored 31 0.62 venue",
        "bybit linear BTCUSDT not known not known: no open interest yet 0 not known venue",
        "Driven by the calibrated exposure map",
        "Standard deviation of an hour 1.4%",
        "Net sold by takers in 5 min $8.4M",
        "Books 2 of 3 used; left out: bybit linear BTCUSDT (resyncing after a gap)",
        "okx swap BTC-USDT-SWAP used 5.0% / not known",
        "Down: forced selling of longs 82% of the depth seen",
        "Exposure map taken low: × 0.5 base: × 1 high: × 2",
        # The worked example: nothing at half the map, a landing at the whole, none within range at twice.
        "Sale that sets it off none in range $47.9M $24.0M",
        "which alone would move -0.90% -0.50%",
        "Runs away at -2.0% 58,921 · 1.4 σ -1.0% 59,522 · 0.7 σ",
        "Lands at -5.3% 56,917 not within range",
        "Forced selling on the way $124M $409M",
        "Largest jump forces none in range $124M from -2.0% $409M from -1.0%",
        "Venues apart: multiplies by 1.18 1.18 not known",
        "$100M -2.0% -3.9% -6.8% beyond -10%",
        "Up: forced buying of shorts indicative Indicative: only 31% of the depth on the way is seen",
        "Gain: forced by one more unit ~ 0.02 ~ 0.04 ~ 0.08",
        "Purchase that sets it off none in range none in range none in range",
    ):
        assert shown in calibrated, shown
    for shown in (
        "Map: indicative no better than the null map",
        "1.20 (no better than open interest spread evenly)",
        "Slope of seen on predicted not known: not enough to tell yet",
        "Driven by the null map: open interest spread evenly (no better than the null map)",
        "Standard deviation of an hour not known: too little price history",
        "Net sold by takers in 5 min $2.0M net bought",
        "Down: forced selling of longs indicative Indicative: only 31% of the depth",
        "Sale that sets it off none in range ~ $47.9M ~ $24.0M",
        "Up: forced buying of shorts 70% of the depth seen",
    ):
        assert shown in indicative, shown
    for text, why in ((unknown, "no verified book"), (missing, "not computed yet")):
        for label in (
            "Map: not known",
            "Intervals scored not known:",
            "Driven by not known:",
            "Net sold by takers in 5 min not known:",
        ):
            assert f"{label} {why}" in text, label
        assert f"The map is not known: {why}." in text
        assert f"Down: forced selling of longs not known not known: {why}" in text
        assert not re.search(r"\$0|\b0(\.0+)?%", re.split(r"\$60,123|Feeds", text)[0])
    # For people who listen: the map says in words what it shows, and can be reached.
    drawn = [attributes for tag, attributes in page.elements if tag == "canvas"]
    assert all(attributes["tabindex"] == "0" and attributes["role"] == "img" for attributes in drawn)
    assert "Most, $65.4M of longs, lies near 55,610 to 55,910. Arrow keys move through it." in (
        drawn[0]["aria-label"] or ""
    )
    assert all(attributes.get("scope") in {"row", "col"} for tag, attributes in page.elements if tag == "th")


async def test_words_of_others_stay_words_and_a_missing_map_is_said(site: Site, browse: Browse) -> None:
    site.view = cascade_site.showing(("BTC", cascade_site.hostile(ATTACK)), ("ETH", cascade_site.mapless()))
    document = await browse(site.url)
    page = Page(document)
    assert [attributes.get("src") for tag, attributes in page.elements if tag == "img"] == ["/static/icon.svg"]
    assert document.count("&lt;img src=x onerror") >= 6
    _, mapless = sections(page.text, "BTC", "ETH")
    assert "The map is not known: no market of the asset tells its open interest." in mapless
    assert "Sale that sets it off none in range none in range none in range" in mapless
    assert "Up: forced buying of shorts not known not known: no reason given" in mapless


async def test_the_endpoints_tell_what_is_known(site: Site) -> None:
    site.view = cascade_site.showing(("BTC", made.cascade()), ("ETH", made.unknown()), ("SOL", None))
    status, body, _ = await site.get("/api/v1/assets/BTC/cascade")
    assert status == 200
    assert list(body["sides"]) == ["down", "up"]
    assert body["sides"]["down"]["scales"]["low"] == {
        "gain": 0.075, "first": None, "largest": None, "arbitrage": body["sides"]["down"]["scales"]["low"]["arbitrage"], "scaling": 0.5
    }  # fmt: skip
    assert body["sides"]["down"]["scales"]["high"]["first"]["landing_ratio"] is None
    assert body["sides"]["up"]["indicative"]
    assert body["books"][2] == {
        "venue": "bybit_linear", "market": "BTCUSDT", "used": False, "reason": "resyncing after a gap",
        "reach_ratio": {"bid": None, "ask": None},
    }  # fmt: skip
    curve = body["curves"]["down"]
    assert 250 <= len(curve["move_ratio"]) <= 502
    assert {len(values) for values in curve.values()} == {len(curve["move_ratio"])}
    assert (curve["move_ratio"][-1], curve["absorption_base"][-1]) == (0.1, 8000.0)

    status, body, _ = await site.get("/api/v1/assets/BTC/exposure")
    assert status == 200
    assert (body["state"], body["score"]["intervals"], len(body["bins"]["long"])) == ("calibrated", 412, 40)
    assert body["within_usd"]["long"]["1%"] == pytest.approx(sum(body["bins"]["long"][:2]))
    assert len(body["history"]) == 170
    assert {len(column["short"]) for column in body["history"]} == {40}
    assert [m["state"] for m in body["markets"]] == ["calibrated", "indicative", "unknown"]

    for asset, reason in (("ETH", "no verified book"), ("SOL", "not computed yet")):
        status, body, _ = await site.get(f"/api/v1/assets/{asset}/cascade")
        assert (status, body["reason"], body["sides"], body["curves"]) == (200, reason, {}, None)
        status, body, _ = await site.get(f"/api/v1/assets/{asset}/exposure")
        assert (status, body["state"], body["bins"]) == (200, "unknown", None)
        assert body["reason"]
    for what in ("cascade", "exposure"):
        status, body, _ = await site.get(f"/api/v1/assets/BTCC/{what}")
        assert (status, body["nearest"]) == (404, "BTC")
        assert "did you mean BTC" in body["error"]


async def test_what_json_cannot_hold_is_null_and_the_page_survives_it(site: Site, browse: Browse) -> None:
    site.view = cascade_site.showing(("BTC", cascade_site.not_numbers()))
    for what in ("", "/cascade", "/exposure"):
        async with site.client.get(f"{site.url}api/v1/assets/BTC{what}") as answer:
            json.loads(await answer.text(), parse_constant=pytest.fail)
    status, body, _ = await site.get("/api/v1/assets/BTC/cascade")
    assert status == 200
    assert body["sides"]["down"]["observed_ratio"] is None
    assert body["curves"]["down"]["absorption_base"][-1] is None
    page = Page(await browse(site.url))
    assert "live 22:13:20 UTC" in page.text
    assert not re.search(r"NaN|Infinity|undefined|null\b(?! map)", page.text)
    assert "curve not known" in page.text


ARITHMETIC = """
const { response, landing } = await import("/static/response.js");
const nodes = { move_ratio: [0, .005, .01, .02, .03, .05, .08, .10], absorption_base: [0, 400, 900, 1700, 2300, 3600, 6000, 8000],
  liquidations_base: [0, 60, 250, 900, 2000, 3000, 3600, 3900] };
const at = (scaling) => response(nodes, 70000, "down", scaling);
out.landings = [200, 500, 799, 801, 1200].map((q) => landing(at(1), q, "base"));
const jumps = (points) => points.slice(1).flatMap((p, i) => (p.base === points[i].base ? [[p.base, points[i].move, p.move, p.usd]] : []));
out.jumps = { low: jumps(at(0.5)), base: jumps(at(1)), more: jumps(at(1.5)), high: jumps(at(2)) };
out.stopped = [landing(at(2), 400, "base"), landing(at(2), 401, "base")];
out.alone = landing(at(0), 800, "base");
out.up = response(nodes, 70000, "up", 0).at(-1).usd > at(0).at(-1).usd;

const e = await import("/static/exposure.js");
const col = (minute, price, long, short) => e.column({ at: new Date(1.7e12 + minute * 60000).toISOString(), price_usd: price, long, short });
const columns = [col(0, 100, [1, 2], [3, 4]), col(1, 110, [5, 6], [7, 8]), col(5, 110, [0, 0], [0, 9])];
const now = 1.7e12 + 6 * 60000;
out.columns = [-1, 0, 59999, 60000, 149999, 150000, 299999, 300000, 359999].map((t) => columns.indexOf(e.columnAt(columns, 1.7e12 + t, now)));
out.bins = [98.9, 99.2, 99.9, 100.1, 100.6, 101.2].map((p) => e.binAt(columns[0], p, 0.005));
out.held = [-3, -2, -1, 1, 2, 3].map((b) => e.amount(columns[0], b) ?? null);
out.edges = [-1, 1, 2].map((b) => e.edges(columns[0], b, 0.005));
out.largest = [e.largest(columns[2]), e.largest(col(0, 1, [0], [0]))];
out.placeless = [col(0, null, [], []), e.column({ at: "?", price_usd: 1, long: [], short: [] })];

const p = await import("/static/palette.js");
out.tops = [[], [0], [3], [51, 40], [0.012]].map(p.topOf);
out.colours = ["dark", "light"].map((theme) => [0, 1, 5].map((usd) => p.colour(usd, 1, theme)));
const c = await import("/static/chart.js");
out.ticks = [c.ticks(57000, 63100, 4), c.ticks(0, 0.1, 5), c.ticks(1, 1, 5)];
out.times = c.times(1.7e12, 1.7e12 + 3600_000, 4).map((t) => new Date(t).toISOString().slice(11, 16));
"""
PIXELS = """
const { makeHeatmap } = await import("/static/heatmap.js");
const { column } = await import("/static/exposure.js");
const room = document.getElementById("room");
room.style.width = "500px";
const map = makeHeatmap("BTC");
room.append(map.chart, map.legend);
const canvas = map.chart.querySelector("canvas");
const made = (minute, price, long, short) => column({ at: new Date(1.7e12 + minute * 60000).toISOString(), price_usd: price, long, short });
const far = (first) => Array.from({ length: 40 }, (_, i) => (i === 10 ? first : 0));
const live = made(20, 100, far(4e6), far(0));
map.update([made(0, 100, far(1e6), far(2e6)), made(1, 100, far(1e6), far(2e6)), made(19, 100, far(1e6), far(2e6))], live, 0.005);
const [wide, high] = [map.chart.clientWidth, map.chart.clientHeight];
const ratio = devicePixelRatio;
const pixel = (x, level) => [...canvas.getContext("2d").getImageData(Math.round(x * ratio), Math.round((110 - level) / 20 * (high - 20) * ratio), 1, 1).data].slice(0, 3).join(", ");
const plot = wide - 70 - 30 - 3;
out.first = [pixel(8, 94.75), pixel(8, 105.25), pixel(8, 97.1)]; // longs, shorts, nothing
out.live = [pixel(plot + 15, 94.75), pixel(plot + 15, 105.25)];
const hole = Array.from({ length: 14 }, (_, i) => pixel(plot / 2 + i, 104.2));
out.hole = new Set(hole).size; // hatched: more than one colour
out.sharp = canvas.width === Math.round(wide * ratio);
const tip = () => (map.chart.querySelector(".tip").hidden ? "" : map.chart.querySelector(".tip").textContent);
const point = (x, level) => canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: canvas.getBoundingClientRect().left + x, clientY: canvas.getBoundingClientRect().top + (110 - level) / 20 * (high - 20) }));
out.tips = [];
for (const [x, level] of [[8, 94.75], [plot + 15, 94.75], [plot / 2, 94.75]]) { point(x, level); out.tips.push(tip()); }
canvas.dispatchEvent(new PointerEvent("pointerleave"));
out.tips.push(tip());
const press = (key) => canvas.dispatchEvent(new KeyboardEvent("keydown", { key }));
press("Home"); out.tips.push(tip());
press("ArrowUp"); press("ArrowUp"); out.tips.push(tip());
press("Escape"); out.tips.push(tip());
out.legend = map.legend.textContent;
const before = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.join();
map.update([], null, null);
out.hidden = map.chart.hidden;
map.update([made(0, 100, far(1e6), far(2e6)), made(1, 100, far(1e6), far(2e6)), made(19, 100, far(1e6), far(2e6))], live, 0.005);
out.same = before === canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.join();
"""


async def run(body: str, browse: Browse) -> dict[str, Any]:
    async with cascade_site.modules(body) as url:
        document = await browse(url, 1500)
    found = re.search(r'<pre id="out">(.*?)</pre>', document, re.DOTALL)
    assert found
    out: dict[str, Any] = json.loads(html.unescape(found[1]))
    assert "raised" not in out, out
    return out


async def test_curves_land_where_the_model_says(browse: Browse) -> None:
    """models.md, example 4.1, and the small parts under the drawings."""
    out = await run(ARITHMETIC, browse)
    assert out["landings"] == pytest.approx([0.00294117647, 0.00758064516, 0.0199333333, 0.05335, 0.06], rel=1e-6)
    [(base, runs, lands, usd)] = out["jumps"]["base"]
    assert (base, runs, lands) == pytest.approx((800, 0.02, 0.0533333333), rel=1e-6)
    assert usd == pytest.approx(55_734_000, rel=1e-6)
    assert out["jumps"]["more"][0][:2] == pytest.approx([525, 0.01])
    assert out["jumps"]["low"] == []  # half the map: no jump
    assert out["jumps"]["high"] == []  # and at twice nothing in range stops it
    assert out["stopped"] == [pytest.approx(0.01), None]
    assert out["alone"] == pytest.approx(0.009)
    assert out["up"]
    # A column counts until the next, at most ninety seconds, and a hole stays one.
    assert out["columns"] == [-1, 0, 0, 1, 1, -1, -1, 2, 2]
    assert out["bins"] == [-3, -2, -1, 1, 2, 3]
    assert out["held"] == [None, 2, 1, 3, 4, None]
    assert [x for pair in out["edges"] for x in pair] == pytest.approx([99.5, 100, 100, 100.5, 100.5, 101])
    assert out["largest"] == [[2, 9], None]
    assert out["placeless"] == [None, None]
    assert out["tops"] == pytest.approx([0, 0, 5, 100, 0.02])
    assert out["colours"] == [
        ["rgb(68, 1, 84)", "rgb(253, 231, 37)", "rgb(253, 231, 37)"], ["rgb(251, 252, 208)", "rgb(8, 29, 88)", "rgb(8, 29, 88)"]
    ]  # fmt: skip
    assert out["ticks"] == [[58000, 60000, 62000], pytest.approx([0, 0.02, 0.04, 0.06, 0.08, 0.1]), []]
    assert out["times"] == ["22:15", "22:30", "22:45", "23:00"]


async def test_the_heat_map_is_drawn_pointed_at_and_walked_through(browse: Browse) -> None:
    out = await run(PIXELS, browse)
    less, more, nothing = out["first"]
    assert len({less, more, nothing, *out["live"]}) >= 4
    assert nothing in {"13, 18, 24", "243, 245, 248"}  # the ground: zero is plain, in the past
    assert out["live"][1] == nothing  # and now
    assert out["hole"] > 1
    assert out["sharp"]
    there, now, hole, left, walked, up, escaped = out["tips"]
    assert there == "$1.0M of longs between 94.50 and 95.00, 5.0 to 5.5% below the price (100.00, 22:13 UTC)"
    assert now == "$4.0M of longs between 94.50 and 95.00, 5.0 to 5.5% below the price (100.00, now)"
    assert hole == "not known: no map of that time"
    assert walked == "$0 of longs between 99.50 and 100.00, 0.0 to 0.5% below the price (100.00, 22:13 UTC)"
    assert up == "$0 of shorts between 100.50 and 101.00, 0.5 to 1.0% above the price (100.00, 22:13 UTC)"
    assert (left, escaped) == ("", "")
    assert "$0$313K$1.3M$2.8M≥ $5.0M" in out["legend"]
    assert out["hidden"]
    assert out["same"]
