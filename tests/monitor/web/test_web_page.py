"""The page in a real browser: what a person sees, what a hostile venue cannot do, and what happens when the service is gone."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import fake_views as fake
from aiohttp import web
from web_site import Browse, MakeSite, Site

from monitor.views import LayerView, NoticeView, Side
from monitor.web.files import FILES


class Page(HTMLParser):
    """Visible text, and every element by tag with its attributes."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def by_id(self, name: str) -> dict[str, str | None]:
        return next(attributes for _, attributes in self.elements if attributes.get("id") == name)


async def test_what_the_page_shows(site: Site, browse: Browse) -> None:
    faults = fake.venue("okx_swap", faults=("subscription trades refused",), halted="http_451", lag_seconds=None)
    site.view = replace(site.view, venues=(site.view.venues[0], faults))
    page = Page(await browse(site.url))
    text = page.text
    for shown in (
        "BTC $60,123.45 watch",
        "Bids within 1% $20.4M 62% of usual 2 snapshot",
        "Asks within 1% $22.0M 66% of usual 2 snapshot",
        "Tightest spread 0.00017% binance usdm",
        "longs $2.5M, shorts $0 a lower bound: not complete on 3 of 3 markets",
        "2 of 3",
        "critical BTC liquidation burst · long since 22:13:20 UTC $12.0M of BTC longs liquidated in 60 s, 14 times the usual.",
        "warning BTC depth drought since 22:13:20 UTC Bids within 1% of BTC are 38% of usual.",
        "binance usdm BTCUSDT verified 60,123.45 USDT 0.00017% 0.31% / 0.30%",
        "0.010% $5.1B 50 ms ago",
        "bybit linear BTCUSDT not verified: resyncing after a gap — unknown — unknown",
        "≥ $35.7M",
        "okx swap 2 of 2 — unknown 11% halted: http_451; subscription trades refused",
        "binance usdm 2 of 2 3 ms 11% none",
        "1 USDT = 1 USD (assumed)",
        "live 22:13:20 UTC",
    ):
        assert shown in text, shown
    assert page.by_id("banner").get("hidden") == ""
    assert next(data for data in page.texts if "Undertow" in data) == "(2) critical · Undertow"
    # For people who listen: tables have captions or labelled regions, headers say what they head, figures are not drawn only.
    headers = [attributes for tag, attributes in page.elements if tag == "th"]
    assert headers
    assert all(attributes.get("scope") in {"row", "col"} for attributes in headers)
    assert page.by_id("alerts")["aria-live"] == "polite"
    assert page.by_id("banner")["role"] == "alert"


async def test_a_row_says_how_far_snapshots_and_coarser_streams_go_and_how_old_they_are(
    site: Site, browse: Browse
) -> None:
    sides: dict[Side, float | None] = {"bid": 0.021, "ask": 0.034}
    layers = (
        LayerView(4, "", fake.NOW - 2_000_000_000, sides, {}),
        LayerView(3, "", fake.NOW - 5_400_000_000, sides, {}),
        LayerView(2, "silent", fake.NOW - 90_000_000_000, {"bid": None, "ask": None}, {}),
    )
    layered = fake.market("hyperliquid", "BTC", cadence_seconds=0.54, snapshot_reach_ratio=sides, layers=layers)
    waiting = fake.market("hyperliquid", "ETH", cadence_seconds=0.54, layers=layers[2:])
    deep = fake.market("okx_swap", "BTC-USDT-SWAP", snapshot_reach_ratio={"bid": 0.05, "ask": None})
    live = fake.market("binance_usdm", snapshot_reach_ratio={"bid": None, "ask": None})
    site.view = fake.service(markets=(layered, waiting, deep, live))
    text = Page(await browse(site.url)).text
    for shown in (
        "hyperliquid BTC verified 60,123.45 USDT 0.00017% 0.31% / 0.30%, snap 2.1% / 3.4%",
        "50 ms ago; comes every 540 ms; 2 of 3 coarser, oldest 5.4 s ago",
        "50 ms ago; comes every 540 ms; 0 of 1 coarser okx swap",
        "okx swap BTC-USDT-SWAP verified 60,123.45 USDT 0.00017% 0.31% / 0.30%, snap 5.0% / — $",
        "binance usdm BTCUSDT verified 60,123.45 USDT 0.00017% 0.31% / 0.30% $",
    ):
        assert shown in text, shown


async def test_announced_downtime_is_shown_apart_from_faults(site: Site, browse: Browse) -> None:
    hour = 3_600_000_000_000
    notices = (
        NoticeView("matching stands still", None, None, True, ""),
        NoticeView("upgrade", fake.NOW + hour, fake.NOW + 2 * hour, True, ""),
        NoticeView("new index", None, fake.NOW + hour, False, "BTCUSDT"),
    )
    quiet = fake.venue("okx_swap", notices=notices[1:2])
    site.view = fake.service(venues=(fake.venue(notices=notices, faults=("matching stands still",)), quiet))
    text = Page(await browse(site.url)).text
    upgrade = "announced: upgrade from 2023-11-14 23:13 UTC until 2023-11-15 00:13 UTC"
    assert f"matching stands still; {upgrade}; announced of BTCUSDT: new index until 2023-11-14 23:13 UTC" in text
    assert f"none; {upgrade}" in text


async def test_unknown_is_never_zero(site: Site, browse: Browse) -> None:
    blind = fake.asset("BTC", None, depth=(), regime=None, liquidated_60s_usd={})
    lost = fake.unverified("binance_usdm", "BTCUSDT", "BTC", "")
    site.view = fake.service(markets=(lost,), assets=(blind,), alerts=(), venues=())
    text = Page(await browse(site.url)).text
    card = text[text.index("BTC — unknown") : text.index("Feeds")]
    assert "regime unknown" in card
    assert "Bids within 1% — unknown" in card
    assert "Tightest spread — unknown" in card
    assert "Liquidated in 60 s — unknown" in card
    assert "not verified: no reason given" in card
    assert not re.search(r"\$0|\b0%", card)
    assert "Open alerts none" in text


async def test_text_of_a_venue_stays_text(site: Site, browse: Browse) -> None:
    attack = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>'
    site.view = fake.service(
        markets=(fake.market(name=attack, quote=attack), fake.unverified("okx_swap", attack, "BTC", attack)),
        assets=(fake.asset("BTC"), fake.asset(attack, markets=())),
        alerts=(fake.alert(summary=attack, subject=attack), fake.alert("depth_drought", attack, "all")),
        venues=(
            fake.venue(
                attack,
                faults=(attack,),
                refused=((attack, attack),),
                halted=attack,
                notices=(NoticeView(attack, None, None, False, attack),),
            ),
        ),
    )
    document = await browse(site.url)
    page = Page(document)
    assert "owned" not in next(data for data in page.texts if "Undertow" in data)
    assert [attributes.get("src") for tag, attributes in page.elements if tag == "img"] == ["/static/icon.svg"]
    assert len([tag for tag, _ in page.elements if tag == "script"]) == 1
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert document.count("&lt;img src=x onerror") >= 8


async def test_a_service_that_stops_answering_is_said(make_site: MakeSite, browse: Browse) -> None:
    site = await make_site()
    view = site.view

    def once() -> Any:
        return view if site.taken == 1 else None

    site.source = once
    page = Page(await browse(site.url, 9000))
    assert site.taken > 3
    assert "hidden" not in page.by_id("banner")
    assert "has not answered since 22:13:20 UTC" in page.text
    assert "not current" in page.text
    assert "stale" in next(attributes["class"] or "" for tag, attributes in page.elements if tag == "body")
    assert "$60,123.45" in page.text


async def test_a_service_whose_time_stands_still_is_said(site: Site, browse: Browse) -> None:
    page = Page(await browse(site.url, 20_000))
    assert "its time stands still at 22:13:20 UTC" in page.text


FORMATS = """
<!doctype html><meta charset="utf-8"><pre id="out"></pre><script type="module">
import * as f from "/static/format.js";
const rows = [
  f.usd(5123456), f.usd(999600), f.usd(999400), f.usd(0), f.usd(12.345), f.usd(842), f.usd(1.2e9), f.usd(-2.5e6), f.usd(null), f.usd(NaN), f.usd(undefined),
  f.percent(0.0012), f.percent(0.62), f.percent(0.0995), f.percent(0.0123), f.percent(1.6632e-6), f.percent(0), f.percent(-0.0001), f.percent(null),
  f.price(60123.456), f.price(3.14159), f.price(0.000012345678), f.price(null),
  f.rounded(60123.456), f.rounded(60123.456, 6), f.rounded(3.14159, 3), f.rounded(0.0123456, 3), f.rounded(null),
  f.seconds(0.003), f.seconds(0.9999), f.seconds(59.97), f.seconds(7200), f.seconds(-1), f.seconds(null),
];
document.getElementById("out").textContent = JSON.stringify(rows);
</script>
"""


async def test_figures_are_written_as_in_the_field(browse: Browse) -> None:
    app = web.Application()

    async def static(request: web.Request) -> web.Response:
        return FILES.respond(request, request.match_info["name"])

    async def formats(_: web.Request) -> web.Response:
        return web.Response(text=FORMATS, content_type="text/html")

    app.add_routes([web.get("/static/{name}", static), web.get("/", formats)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        document = await browse(f"http://127.0.0.1:{runner.addresses[0][1]}/", 1000)
    finally:
        await runner.cleanup()
    found = re.search(r'<pre id="out">(.*?)</pre>', document)
    assert found
    assert found[1] == (
        '["$5.1M","$1.0M","$999K","$0","$12.35","$842","$1.2B","-$2.5M",null,null,null,'
        '"0.12%","62%","10%","1.2%","0.00017%","0%","-0.010%",null,'
        '"60,123.46","3.1416","0.0000123457",null,'
        '"60,123","60,123.50","3.14","0.0123",null,'
        '"3 ms","1.0 s","1 min","2.0 h","0 ms",null]'
    )
