"""Venues that refuse, limit or answer nonsense over REST, and subscriptions that are refused, never acknowledged or never served."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from alert_rig import Listener
from e2e_logs import Logs
from e2e_world import BINANCE, BTC, BYBIT, ETH, OKX, VENUES, eventually, service_on

from monitor.simulator.service import SimulatedVenues

LISTINGS = {
    BINANCE: "/fapi/v1/fundingInfo",
    BYBIT: "/v5/market/instruments-info",
    OKX: "/api/v5/public/instruments",
}
DEPTH = "/fapi/v1/depth"


async def test_429_waits_as_long_as_it_is_told(tmp_path: Path, logs: Logs) -> None:
    """Binance's first snapshots: the whole venue's REST pauses, nothing else does."""
    async with SimulatedVenues("calm", 7) as sim:
        sim.faults.inject("http_429", venue=BINANCE, channel="book", count=2, retry_after=1)
        async with service_on(sim, tmp_path) as world:
            await eventually(lambda: all(world.verified(v, s) for v in (BYBIT, OKX) for s in (BTC[v], ETH[v])))
            assert not world.verified(BINANCE, "BTCUSDT")
            began = time.monotonic()
            await world.ready(seconds=15)
            waited = time.monotonic() - began
            print(
                f"429 twice with Retry-After 1: ready after {waited:.2f} s, {world.ledger.rest[BINANCE, DEPTH]} requests"
            )
            assert 0.5 < waited < 8
            assert world.ledger.rest[BINANCE, DEPTH] <= 2 + 2 + 2  # two refused, two books, a repeat of each at most
            await world.true_books()
            assert world.watch.wrong == []
            assert logs.complaints() == []
            assert logs.noise() == []


@pytest.mark.parametrize(("venue", "kind"), [(v, k) for v in VENUES for k in ("http_418", "http_403", "http_451")])
async def test_a_venue_that_refuses_this_address_is_left_alone(
    venue: str, kind: str, tmp_path: Path, logs: Logs
) -> None:
    """418, 403, 451 at the listing: named, one request and no more, the others run."""
    async with SimulatedVenues("calm", 7, assets=("BTC",)) as sim:
        sim.faults.inject(kind, venue=venue, count=1_000)
        async with service_on(sim, tmp_path) as world:
            others = [v for v in VENUES if v != venue]
            await eventually(lambda: all(world.verified(v, BTC[v]) for v in others))
            await eventually(lambda: venue in world.hub.states and world.venue(venue).halted == kind)
            await world.next_second()
            assert world.ledger.rest_total(venue) == 1
            assert world.connections(venue) == 0
            assert len(logs.of("venue_halted", venue=venue)) == 1
            status, body = await world.get("/readyz")
            assert status == 200
            assert {"venue": venue, "reason": kind} in body["halted"]
            assert logs.complaints() == []
            assert logs.noise() == []


async def test_a_ban_ends_when_the_venue_said(tmp_path: Path, logs: Logs) -> None:
    async with SimulatedVenues("calm", 7, assets=("BTC",)) as sim:
        sim.faults.inject("http_418", venue=BINANCE, channel="book", count=1, retry_after=2)
        async with service_on(sim, tmp_path) as world:
            await eventually(lambda: BINANCE in world.hub.states and world.venue(BINANCE).halted == "http_418")
            began, asked = time.monotonic(), world.ledger.rest_total(BINANCE)
            await eventually(lambda: world.market(BINANCE, "BTCUSDT").reason == "venue halted: http_418")
            await eventually(lambda: world.ledger.rest_total(BINANCE) > asked)
            assert 1.5 < time.monotonic() - began < 4
            await world.ready(3)
            assert world.venue(BINANCE).halted == ""
            print(f"418 with Retry-After 2: verified after {time.monotonic() - began:.2f} s")
            assert logs.noise() == []


@pytest.mark.parametrize("venue", VENUES)
async def test_html_instead_of_json_is_one_refused_answer(venue: str, tmp_path: Path, logs: Logs) -> None:
    async with SimulatedVenues("calm", 7, assets=("BTC",)) as sim:
        sim.faults.inject("html", venue=venue, count=2)
        async with service_on(sim, tmp_path) as world:
            await world.ready(3, 20)
            await world.true_books()
            said = logs.of("instruments_not_listed", venue=venue)
            assert len(said) == 1
            assert "not JSON" in said[0].fields["error"]
            assert world.ledger.rest[venue, LISTINGS[venue]] <= 4
            assert logs.complaints() == []
            assert logs.noise() == []


async def test_html_in_place_of_the_snapshot(tmp_path: Path, logs: Logs) -> None:
    async with SimulatedVenues("calm", 7, assets=("BTC",)) as sim:
        sim.faults.inject("html", venue=BINANCE, channel="book", count=1)
        async with service_on(sim, tmp_path) as world:
            await world.ready(3, 20)
            await world.true_books()
            assert world.ledger.rest[BINANCE, DEPTH] == 2
            assert world.watch.wrong == []
            assert logs.noise() == []


async def test_a_subscription_that_works_without_an_ack(tmp_path: Path, logs: Logs) -> None:
    """Data is as good as an acknowledgement."""
    async with SimulatedVenues("calm", 7) as sim:
        for venue in VENUES:
            sim.faults.inject("no_ack", venue=venue, channel="book", count=2)
        async with service_on(sim, tmp_path) as world:
            await world.ready()
            await world.true_books()
            assert all(world.venue(venue).faults == () for venue in VENUES)
            assert world.watch.wrong == []


async def test_a_deep_snapshot_that_does_not_come(tmp_path: Path, logs: Logs) -> None:
    """OKX's books-full is limited away: the outer bands are absent once the last one is a minute old, the live book is untouched."""
    async with SimulatedVenues("calm", 7, venues=(OKX,), stepping=True) as sim, service_on(sim, tmp_path) as world:
        await world.play_ready()

        def outer() -> set[str]:
            return {f.band for key in world.hub.markets for f in world.market(*key).depth if f.basis == "snapshot"}

        assert await world.play(10, until=lambda: "2%" in outer(), pause=0.01)
        sim.faults.inject("http_429", venue=OKX, count=10_000, retry_after=1)
        began = sim.elapsed_ns
        assert await world.play(90, until=lambda: not outer(), pause=0.002)
        assert 50 < (sim.elapsed_ns - began) / 1e9 <= 75
        asked = sum(world.ledger.rest.values())
        assert all(world.verified(*key) for key in world.hub.markets)
        await world.play(60, pause=0.002)
        more = sum(world.ledger.rest.values()) - asked
        print(f"limited for two minutes: {asked} requests in the first, {more} in the second")
        assert more <= 6
        await world.play_true()
        assert world.watch.lost == []
        assert logs.noise() == []


@pytest.mark.parametrize("minutes", [1, pytest.param(6, marks=pytest.mark.soak)])
async def test_a_refused_subscription_is_named_and_asked_for_again(minutes: int, tmp_path: Path, logs: Logs) -> None:
    """The ETH books share the refused batch and must not suffer; the refused ones come back on the next asking, 5 min later."""
    async with SimulatedVenues("calm", 7, stepping=True) as sim:
        for venue in VENUES:
            sim.faults.inject("refuse_subscription", venue=venue, market=BTC[venue], channel="book", count=6)
        async with service_on(sim, tmp_path) as world:
            good = [(venue, ETH[venue]) for venue in VENUES]
            assert await world.play(15, until=lambda: all(world.verified(*key) for key in good), pause=0.01)

            def named() -> bool:
                faults = all(any("refused" in fault for fault in world.venue(v).faults) for v in VENUES)
                return faults and all(world.connections(v) == 2 for v in VENUES)

            assert await world.play(60, until=named, pause=0.02), {v: world.venue(v).faults for v in VENUES}
            await world.play(2, pause=0.01)
            assert not any(world.verified(v, BTC[v]) for v in VENUES)
            asked = {v: world.ledger.subscribes[v] for v in VENUES}
            sim.faults.clear()
            await world.play(45)
            assert {v: world.ledger.subscribes[v] for v in VENUES} == asked  # no storm: the next asking is minutes away
            assert {alert.subject for alert in world.open_alerts("feed_fault")} >= set(VENUES)
            assert all(world.verified(*key) for key in good)
            if minutes > 5:
                assert await world.play(60 * minutes, until=world.all_verified)
                await world.play(1)
                assert all(world.venue(v).faults == () for v in VENUES)
                await world.play_true()
            assert world.watch.wrong == []
            assert logs.complaints() == []
            assert logs.noise() == []


def newest(listener: Listener, venue: str) -> list[dict[str, object]]:
    """Books as feeds/{venue} told them last, BTC first."""
    heard = listener.of(f"feeds/{venue}")
    return sorted(heard[-1].json["markets"], key=lambda m: m["asset"]) if heard else []  # type: ignore[call-overload,no-any-return]


async def test_acknowledged_and_then_silent(tmp_path: Path, logs: Logs) -> None:
    """Subscribed, acknowledged, nothing comes: named within the venue's own silence, in metrics and on feeds/{venue}."""
    async with SimulatedVenues("calm", 7, stepping=True) as sim:
        for venue in VENUES:
            sim.faults.inject("silence", venue=venue, market=BTC[venue], channel="book")
        async with service_on(sim, tmp_path) as world:
            good = [(venue, ETH[venue]) for venue in VENUES]
            assert await world.play(15, until=lambda: all(world.verified(*key) for key in good), pause=0.01)
            found: dict[str, float] = {}

            def silent() -> bool:
                for venue in VENUES:
                    if world.market(venue, BTC[venue]).silent.get("book"):
                        found.setdefault(venue, sim.elapsed_ns / 1e9)
                return len(found) == 3

            assert await world.play(200, until=silent), found
            print(f"silence noticed after {found} s")
            async with Listener(world.mqtt_port) as listener:
                await world.play(1.5, pause=0.002)
                scrape = await world.metrics_now()
                for venue in VENUES:
                    assert scrape.one("feed_silent", venue=venue, market=BTC[venue], channel="book") == 1
                    assert scrape.one("feed_silent", venue=venue, market=ETH[venue], channel="book") == 0
                    await listener.until(
                        lambda _, v=venue: [m["silent"] for m in newest(listener, v)] == [["book"], []]
                    )
            assert not any(world.verified(v, BTC[v]) for v in VENUES)
            assert all(any("silent" in fault for fault in world.venue(v).faults) for v in VENUES)
            assert all(world.verified(*key) for key in good)
            asked = {v: world.ledger.subscribes[v] for v in VENUES}
            await world.play(60)
            more = {v: world.ledger.subscribes[v] - asked[v] for v in VENUES}
            print(f"asked again within a minute: {more}")
            assert all(count <= 3 for count in more.values())
            sim.faults.clear()
            assert await world.play(400, until=world.all_verified), {
                k: world.market(*k).reason for k in world.hub.markets
            }
            await world.play(1)
            assert all(world.venue(v).faults == () for v in VENUES)
            await world.play_true()
            assert world.watch.wrong == []
            await asyncio.sleep(0)
            assert logs.complaints() == []
