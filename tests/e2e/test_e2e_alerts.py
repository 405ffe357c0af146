"""Each alert in a scenario in which it must come, with its whole life, and in one in which it must not. Default thresholds.

depth_drought needs to know what is normal; its warm-up of ten minutes is set to 20 s, for both of its runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import orjson
import pytest
from e2e_logs import Logs
from e2e_world import BINANCE, BTC, BYBIT, OKX, VENUES, World, live, service_on

from monitor.alerts.payloads import AlertPayload, encode, schemas
from monitor.simulator.service import SimulatedVenues

SCHEMA = jsonschema.Draft202012Validator(schemas()["undertow.alert.v1"])
LEVEL = {"watch": 1, "warning": 2, "critical": 3}
WARM = '[engine]\nbaseline_warmup = "20s"\n'


def check_lives(alerts: Sequence[AlertPayload]) -> None:
    """What holds for every alert: one id and one time of opening a life, sequence from 1 without a hole, times that rise,
    severities that move the way the transition says, a payload its schema accepts.
    """
    lives: dict[str, AlertPayload] = {}
    for payload in alerts:
        SCHEMA.validate(orjson.loads(encode(payload)))
        before = lives.get(payload.id)
        lives[payload.id] = payload
        if before is None:
            assert (payload.transition, payload.sequence, payload.opened_at) == ("opened", 1, payload.at)
            continue
        assert before.transition != "closed"
        assert payload.sequence == before.sequence + 1
        assert payload.opened_at == before.opened_at
        assert payload.at >= before.at
        assert (payload.asset, payload.kind, payload.subject) == (before.asset, before.kind, before.subject)
        change = LEVEL[payload.severity] - LEVEL[before.severity]
        assert {"escalated": change > 0, "eased": change < 0, "closed": change == 0}[payload.transition]
    open_at_once = Counter((p.asset, p.kind, p.subject) for p in lives.values() if p.transition != "closed")
    assert all(count == 1 for count in open_at_once.values())


def steps(alerts: Sequence[AlertPayload]) -> list[tuple[str, str]]:
    return [(payload.transition, payload.severity) for payload in alerts]


async def play_on(world: World, until_second: float, **how: object) -> None:
    await world.play(until_second - world.sim.elapsed_ns / 1e9, **how)  # type: ignore[arg-type]


async def test_a_cascade_raises_a_liquidation_burst_and_nothing_else(tmp_path: Path, logs: Logs) -> None:
    """Opened with the first forced sales, critical while it runs, closed when it is over; and OKX away in the middle of it."""
    async with live("cascade", stepping=True, folder=tmp_path, assets=("BTC",)) as world:
        await world.play_ready()
        await play_on(world, 40)
        outage = world.sim.faults.inject("outage", venue=OKX)
        await play_on(world, 48, pause=0.002)
        world.sim.faults.clear(outage.number)
        await play_on(
            world, 300, until=lambda: steps(world.transitions("liquidation_burst"))[-1:] == [("closed", "watch")]
        )
        burst = world.transitions("liquidation_burst", "BTC", "long")
        print([(p.at[14:21], p.transition, p.severity) for p in burst])
        assert steps(burst)[:3] == [("opened", "watch"), ("escalated", "warning"), ("escalated", "critical")]
        assert steps(burst)[-1] == ("closed", "watch")
        assert "eased" in {p.transition for p in burst}
        assert len({p.id for p in burst}) == 1
        assert world.transitions("liquidation_burst", subject="short") == []
        check_lives(world.alerts)
        # What was raised while OKX was away says that it is weaker for it.
        during = next(p for p in burst if p.severity == "critical")
        assert during.quality.books.verified == 2
        assert any("okx_swap" in text for text in during.quality.degraded), during.quality
        assert 0 < during.quality.confidence < 1
        assert burst[0].quality.books.verified == 3
        truth = world.sim.world.liquidated_usd("long", asset="BTC")
        blind = {venue: world.blind_share(venue, BTC[venue]) for venue in (BINANCE, BYBIT)}
        print(f"share of seconds without a verified book in the cascade: {blind}")
        assert all(share < 0.03 for share in blind.values())
        assert 0 < world.view.assets[0].liquidated_usd["long", "observed"] <= truth
        assert world.watch.wrong == []
        assert logs.complaints() == []
        assert logs.noise() == []


async def test_a_vacuum_raises_a_depth_drought(tmp_path: Path, logs: Logs) -> None:
    async with live("vacuum", stepping=True, folder=tmp_path, assets=("BTC",), venues=(OKX,), extra=WARM) as world:
        await world.play_ready()
        await play_on(
            world, 300, until=lambda: [t for t, _ in steps(world.transitions("depth_drought"))][-1:] == ["closed"]
        )
        drought = world.transitions("depth_drought", "BTC", "all")
        print([(p.at[14:21], p.transition, p.severity) for p in drought])
        assert drought[0].transition == "opened"
        assert drought[-1].transition == "closed"
        opened_after = next(s.at_ms for s in world.sim.world.phases if s.name == "withdrawal") / 1000
        first = drought[0]
        assert opened_after + 15 <= (int(first.at[14:16]) * 60 + float(first.at[17:23])) <= opened_after + 75
        ratio = first.evidence["acute_ratio"].value
        assert isinstance(ratio, float)
        assert ratio <= 0.5
        assert first.market.bid_depth_1pct_usd is not None
        check_lives(world.alerts)
        assert world.transitions("liquidation_burst") == []
        assert world.transitions("feed_fault") == []


async def test_a_venue_that_is_away_raises_a_feed_fault(tmp_path: Path, logs: Logs) -> None:
    """One alert for the venue and none for its markets: it speaks for them."""
    async with live("calm", stepping=True, folder=tmp_path, assets=("BTC",), venues=(BYBIT, OKX)) as world:
        await world.play_ready()
        away = world.sim.elapsed_ns / 1e9
        world.sim.faults.inject("outage", venue=BYBIT)
        # Reconnecting takes real time: in the outage the venues' time runs slowly enough for it.
        await world.play(30, until=lambda: bool(world.transitions("feed_fault")), pause=0.01)
        opened = world.sim.elapsed_ns / 1e9 - away
        assert 10 <= opened < 12
        world.sim.faults.clear()
        await world.play(20, until=lambda: world.all_verified(2), pause=0.01)
        await world.play(90, until=lambda: steps(world.transitions("feed_fault"))[-1:] == [("closed", "watch")])
        fault = world.transitions("feed_fault", "MARKET", BYBIT)
        assert steps(fault) == [("opened", "watch"), ("closed", "watch")]
        assert {p.subject for p in world.transitions("feed_fault")} == {BYBIT}
        assert fault[0].evidence["books_verified"].value == 0
        check_lives(world.alerts)
        assert logs.noise() == []


async def test_an_ordinary_afternoon_with_ordinary_resyncs_raises_nothing(tmp_path: Path, logs: Logs) -> None:
    """Every book loses its sync four times in two minutes: that is weather."""
    async with live("calm", stepping=True, folder=tmp_path, extra=WARM, assets=("BTC",)) as world:
        await world.play_ready()
        for _ in range(4):
            for venue in VENUES:
                world.sim.faults.inject("gap", venue=venue, channel="book", count=1)
            await world.play(30)
        resyncs = {key: sum(world.market(*key).resyncs.values()) for key in world.hub.markets}
        assert sum(resyncs.values()) == 12
        assert world.all_verified(3)
        assert world.alerts == []
        assert world.watch.wrong == []
        assert logs.noise() == []


async def test_a_patient_seller_is_no_liquidation_burst(tmp_path: Path, logs: Logs) -> None:
    """$3M a second sold by one holder, who is forced to nothing."""
    async with live("patient_seller", stepping=True, folder=tmp_path, assets=("BTC",), venues=(BYBIT, OKX)) as world:
        await world.play_ready()
        await play_on(world, 120)
        sold = sum(world.market(*key).counters["trade_volume_usd_total|sell"] for key in world.hub.markets)
        assert sold > 100e6
        assert world.transitions("liquidation_burst") == []
        assert world.transitions("feed_fault") == []


async def test_open_alerts_survive_a_restart(tmp_path: Path, logs: Logs) -> None:
    """The same id, the next sequence, on the broker again at once; and an alert raised while the broker was away is not lost."""
    async with SimulatedVenues("cascade", 7, stepping=True, assets=("BTC",)) as sim:
        async with service_on(sim, tmp_path) as world:
            await world.play_ready()
            await play_on(
                world, 90, until=lambda: ("escalated", "warning") in steps(world.transitions("liquidation_burst"))
            )
            before = world.transitions("liquidation_burst")
            regime = next(a for a in world.view.assets if a.asset == "BTC")
            await world.stop()
        async with service_on(sim, tmp_path) as world:
            assert logs.of("state restored", open_alerts=1)
            await world.play_ready()
            status, body = await world.get("/api/v1/alerts")
            assert status == 200
            assert [(a["id"], a["kind"]) for a in body["alerts"]] == [(before[-1].id, "liquidation_burst")]
            assert next(a for a in world.view.assets if a.asset == "BTC").regime_since == regime.regime_since
            await play_on(world, 120, until=lambda: bool(world.transitions("liquidation_burst")))
            after = world.transitions("liquidation_burst")
            assert (after[0].id, after[0].sequence) == (before[-1].id, before[-1].sequence + 1)
            assert after[0].transition != "opened"
            check_lives([*before, *after])
            assert world.watch.wrong == []
        assert logs.complaints() == []


@pytest.mark.soak
async def test_a_slow_bleed_is_watched_to_its_end(tmp_path: Path, logs: Logs) -> None:
    """Ten minutes with everything on: whatever is raised keeps its rules, books stay true, nothing piles up."""
    async with live("slow_bleed", stepping=True, folder=tmp_path) as world:
        await world.play_ready()
        await play_on(world, 600)
        check_lives(world.alerts)
        await world.play_true()
        print({(p.kind, p.asset, p.transition, p.severity) for p in world.alerts})
        assert world.watch.wrong == []
        assert world.venue(BINANCE).reconnects == {}
        assert logs.noise() == []
