"""A real Prometheus scrapes a real server: what it stores, and how series end."""

from __future__ import annotations

from dataclasses import replace

import fake_views as fake
from web_site import MakeSite, StartPrometheus

from monitor.metrics.table import METRICS

HOSTILE = 'X"Y\\Z\n<b>深度'
SWAP = frozenset({("venue", "okx_swap"), ("market", "BTC-USDT-SWAP"), ("asset", "BTC")})


async def test_series_come_are_right_and_go(make_site: MakeSite, start_prometheus: StartPrometheus) -> None:
    base = fake.service()
    site = await make_site(replace(base, markets=(*base.markets, fake.unverified("okx_swap", HOSTILE, "BTC", ""))))
    prometheus = await start_prometheus(str(site.server.address))
    mids = await prometheus.until("undertow_mid_price", lambda found: len(found) == 3)
    assert mids[SWAP] == 60_120.1

    # Any text a venue may choose for a name arrives as it is.
    verified = await prometheus.query('undertow_book_verified{venue="okx_swap"}')
    assert {dict(labels)["market"] for labels in verified} == {"BTC-USDT-SWAP", HOSTILE}

    depth = await prometheus.query('sum by (asset, side) (undertow_depth_usd{band="1%"})')
    by_side = {side: sum(d.usd for m in site.view.markets if m.asset == "BTC" for d in m.depth if d.side == side and d.band == "1%") for side in ("bid", "ask")}  # fmt: skip
    for side, usd in by_side.items():
        assert abs(depth[frozenset({("asset", "BTC"), ("side", side)})] / usd - 1) < 1e-12

    kinds = {name: entry[0]["type"] for name, entry in (await prometheus.get("/api/v1/metadata")).items()}
    exported = {metric.family: metric for metric in METRICS if metric.exported}
    # Prometheus asked for OpenMetrics, where a counter's family has no _total.
    seen = {name: kind for name, kind in kinds.items() if name.startswith("undertow_")}
    assert seen
    assert all(exported[name].kind == kind for name, kind in seen.items())

    assert await prometheus.query("count(scrape_samples_scraped) > 0")
    assert not await prometheus.query("up == 0")

    # Counters begin at 0, so the first event is an increase and not a birth.
    counts = {**site.view.markets[0].counters, "book_gaps_total": 12.0}
    site.view = replace(site.view, markets=(replace(site.view.markets[0], counters=counts), *site.view.markets[1:]))
    await prometheus.until('increase(undertow_book_gaps_total{market="BTCUSDT",venue="binance_usdm"}[1m]) > 0', bool)

    # A market leaves: its series end at the next scrape and not five minutes later.
    site.view = replace(site.view, markets=(site.view.markets[0],))
    left = await prometheus.until("undertow_mid_price", lambda found: len(found) == 1)
    assert SWAP not in left

    # A figure becomes unknown: absent, while the market stays.
    site.view = replace(site.view, markets=(replace(site.view.markets[0], mid_price=None, verified=False),))
    await prometheus.until("absent(undertow_mid_price)", bool)
    assert list((await prometheus.query("undertow_book_verified")).values()) == [0]
