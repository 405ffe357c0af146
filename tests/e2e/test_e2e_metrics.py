"""A real Prometheus on a running service: what of the contract is stored, what is not yet and why, what ends when a market leaves."""

from __future__ import annotations

from pathlib import Path

from e2e_logs import Logs
from e2e_world import BINANCE, BTC, BYBIT, OKX, eventually, live
from web_site import StartPrometheus

from monitor.events import InstrumentsListed
from monitor.metrics.table import METRICS, PREFIX

# The first liquidations raise an alert: a run of seconds has every series.
EARLY = """
[engine]
baseline_warmup = "2s"
[alerts.liquidation_burst]
floor_usd = 1.0
depth_ratio = 0.000001
"""

# Exported, and absent in this run for a reason.
ABSENT = {
    "outbox_oldest_timestamp_seconds": "nothing waits for the broker at the end",
    **dict.fromkeys(
        ("cascade_ignition_usd", "cascade_landing_ratio", "cascade_forced_usd"), "there may be no cascade within range"
    ),
    **dict.fromkeys(
        ("exposure_map_deviance_ratio", "exposure_map_rank_correlation", "exposure_map_slope"),
        "maps are scored once a minute, and the run is shorter",
    ),
    "net_sold_5m_usd": "the run is shorter than five minutes",
    "liquidation_branching_ratio": "counted over ten minutes at least",
}


async def test_prometheus_stores_the_contract(tmp_path: Path, start_prometheus: StartPrometheus, logs: Logs) -> None:
    """A cascade at six times its speed, with a gap and a lost connection in it, scraped four times a second."""
    async with live(
        "cascade", speed=6.0, folder=tmp_path / "state", extra='[engine]\nbaseline_warmup = "2s"\n'
    ) as world:
        await world.ready()
        assert world.started is not None
        prometheus = await start_prometheus(world.started.http_url.removeprefix("http://"))
        await eventually(lambda: bool(world.transitions("liquidation_burst")), 30)
        world.sim.faults.inject("gap", venue=BINANCE, channel="book", count=1)
        world.sim.faults.inject("disconnect", venue=BYBIT)
        await eventually(lambda: bool(world.venue(BYBIT).reconnects))
        await world.ready()
        await prometheus.until("undertow_feed_reconnects_total", bool)
        await prometheus.until("undertow_book_resyncs_total", bool)
        await prometheus.until("undertow_open_interest_usd", lambda found: len(found) == 6)
        await prometheus.until("undertow_alert_latency_seconds_count > 0", bool)

        stored: dict[str, int] = {}
        for metric in METRICS:
            name = metric.full_name + ("_count" if metric.kind == "histogram" else "")
            stored[metric.name] = len(await prometheus.query(f"count_over_time({name}[1m])"))
        later = {metric.name: metric.arrives for metric in METRICS if not metric.exported}
        missing = {name for name, count in stored.items() if not count}
        print(f"series stored: {sum(stored.values())} of {len(stored) - len(missing)} metrics")
        print(f"of the contract, not exported yet: {later}")
        print(f"exported, absent in this run: { {name: ABSENT.get(name) for name in missing - set(later)} }")
        assert missing - set(later) <= set(ABSENT)
        assert missing >= set(later)

        for metric in METRICS:
            if metric.kind == "counter" and stored[metric.name]:
                falls = await prometheus.query(f"resets({metric.full_name}[1m]) > 0")
                assert not falls, (metric.name, falls)
        assert not await prometheus.query("up == 0")
        assert not await prometheus.query("scrape_samples_post_metric_relabeling == 0")
        known = {metric.full_name for metric in METRICS if metric.exported}
        names = await prometheus.get("/api/v1/label/__name__/values")
        ours = {name for name in names if name.startswith(PREFIX)}
        for name in ours:
            base = name
            for suffix in ("_bucket", "_sum", "_count", "_created"):
                base = base.removesuffix(suffix)
            assert base in known, name

        # Every series about a market carries its asset, and a market that leaves takes all of its series with it.
        for metric in METRICS:
            if metric.source == "market" and metric.exported and stored[metric.name]:
                for labels in await prometheus.query(metric.full_name):
                    assert dict(labels).keys() >= {"venue", "market", "asset"}
        btc = world.hub.markets[OKX, BTC[OKX]].instrument
        world.service.sink.on_event(InstrumentsListed(world.clock.now(), OKX, (btc,), (("ETH-USDT-SWAP", "delisted"),)))  # type: ignore[union-attr]
        gone = '{__name__=~"undertow_.*",venue="okx_swap",market="ETH-USDT-SWAP"}'
        await prometheus.until(f"count({gone})", lambda found: not found)
        assert await prometheus.query('undertow_book_verified{venue="okx_swap",market="BTC-USDT-SWAP"}')
        scrape = await world.metrics()
        assert not [
            n
            for n, of in scrape.series.items()
            for labels in of
            if ("market", "ETH-USDT-SWAP") in labels and ("venue", OKX) in labels
        ]
        assert logs.complaints() == []
