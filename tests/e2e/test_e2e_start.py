"""From nothing to six verified books, and what is published of them against what the simulator knows."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from alert_rig import Listener
from e2e_logs import Logs
from e2e_world import BINANCE, BTC, BYBIT, ETH, OKX, VENUES, World, eventually, live, service_on

from monitor.simulator.service import SimulatedVenues

READY_SECONDS = 5.0  # issue: start to ready on the simulator with a warm cache
KEYS = [(venue, symbols[venue]) for symbols in (BTC, ETH) for venue in VENUES]


async def test_start_to_ready_with_reasons_on_the_way(tmp_path: Path, logs: Logs) -> None:
    """503 with a reason a market until the first verified book, 200 from then on; nothing is compiled after that."""
    async with SimulatedVenues("calm", 7) as sim:
        for venue in VENUES:
            sim.faults.inject("silence", venue=venue, channel="book")
        began = time.monotonic()
        async with service_on(sim, tmp_path) as world:
            status, body = await world.get("/readyz")
            assert (status, body["reason"]) == (503, "no market is running yet")
            await eventually(lambda: len(world.hub.markets) == 6)
            await world.next_second()
            status, body = await world.get("/readyz")
            assert status == 503
            assert body["reason"] == "no configured market has a verified book"
            reasons = {(m["venue"], m["market"]): m["reason"] for m in body["markets"]}
            assert set(reasons) == set(KEYS)
            assert all(reasons.values()), reasons
            assert (await world.get("/livez"))[0] == 200
            sim.faults.clear()
            await world.ready(seconds=40)
            await world.next_second()
            status, body = await world.get("/readyz")
            assert status == 200
            assert body["verified"] == body["configured"] == 6, body["markets"]
            print(
                f"with faults in the way: {time.monotonic() - began:.2f} s; reasons on the way {set(reasons.values())}"
            )

    began = time.monotonic()
    async with live(folder=tmp_path / "second") as world:
        listening = time.monotonic() - began
        await world.ready(seconds=READY_SECONDS)
        ready = time.monotonic() - began
        await world.true_books()
        series = await world.metrics()
        compiled = series.one("jit_compilations_total")
        await world.next_second()
        await world.next_second()
        print(
            f"start: listening after {listening:.3f} s, six verified books after {ready:.3f} s, compiled {compiled:g}"
        )
        assert (await world.metrics()).one("jit_compilations_total") == compiled
        assert world.watch.lost == []
        assert logs.complaints() == []
        assert logs.noise() == []


def check_depth(world: World) -> Counter[str]:
    """Every published figure of every book against the truth of this moment; how many of each basis there were."""
    seen = Counter[str]()
    for key in KEYS:
        view = world.market(*key)
        assert view.verified, (key, view.reason)
        for name, gap in world.truth_gap(*key, basis=("live", "snapshot", "floor")).items():
            side, band, basis = name.split()
            seen[basis] += 1
            match basis:
                case "live":
                    assert abs(gap) < 1e-9, (key, name, gap)
                case (
                    "floor"
                ):  # levels seen to change, inside a band of which not all is known: never more than there is
                    assert gap <= 1e-9, (key, name, gap)
                case "snapshot":  # at most a minute old
                    assert abs(gap) < 0.35, (key, name, gap)
            reach, ratio = view.reach_ratio[side], float(band.rstrip("%")) / 100  # type: ignore[index]
            tick = world.sim.world.market(*key).spec.tick_usd / view.mid_price  # type: ignore[operator]
            # The band's last level may stand up to a tick before its edge: the reach is told to that level.
            if reach is None or abs(reach - ratio) > 1.5 * tick:
                assert (basis == "live") == (reach is not None and reach > ratio), (key, name, reach)
    return seen


async def test_everything_published_is_what_the_simulator_knows(tmp_path: Path, logs: Logs) -> None:
    """Depth in all bands, trades, open interest, funding, mark: 70 s of an ordinary afternoon."""
    extra = '[engine]\nfloor_settle = "20s"\n'
    async with live(stepping=True, folder=tmp_path, extra=extra) as world:
        trades = Trades(world)
        await world.play_ready()
        trades.begin()
        seen = Counter[str]()
        for _ in range(6):
            await world.play(10)
            await world.play_true()
            seen += check_depth(world)
        print(f"figures compared with the truth: {dict(seen)}")
        assert seen["live"] > 100
        assert seen["floor"] > 20
        assert seen["snapshot"] > 20
        for key in KEYS:
            view, truth = world.market(*key), world.sim.world.market(*key)
            assert view.open_interest_usd == pytest.approx(world.sim.world.open_interest_usd(*key), rel=0.01)
            assert view.mark_price == pytest.approx(truth.mark, rel=2e-4)
            assert view.funding_rate_8h_ratio == pytest.approx(truth.funding_rate, abs=2e-5)
            assert view.funding_interval_seconds == 8 * 3600
            assert view.liquidation_coverage == {BYBIT: "complete"}.get(key[0], "sampled")
        trades.compare()
        for asset in ("BTC", "ETH"):
            found = next(a for a in world.view.assets if a.asset == asset)
            assert found.price_usd == pytest.approx(
                world.sim.world.mid(BINANCE, BTC[BINANCE] if asset == "BTC" else ETH[BINANCE]), rel=1e-3
            )
            assert found.regime == "normal"
            assert found.quality.books_verified == 3
        assert world.watch.wrong == []
        assert logs.noise() == []


class Trades:
    """The simulator's trades from a moment on, and ours since."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.count: Counter[tuple[str, str, str]] = Counter()
        self.usd: dict[tuple[str, str, str], float] = defaultdict(float)
        self._ours: dict[tuple[str, str], dict[str, float]] = {}
        self._on = False
        source = world.sim.scenario_source
        turn = source.turn

        def counted() -> None:
            turn()
            for (venue, symbol), market in source.world.markets.items():
                for trade in market.trades if self._on else ():
                    side = "buy" if trade.side > 0 else "sell"
                    self.count[venue, symbol, side] += 1
                    price = Decimal(trade.tick) * market.spec.tick_size
                    lots = trade.lots * market.spec.lot_size * market.spec.contract_size
                    self.usd[venue, symbol, side] += float(price * lots)

        source.turn = counted  # type: ignore[method-assign]

    def begin(self) -> None:
        self._on = True
        self._ours = {key: dict(self.world.market(*key).counters) for key in KEYS}

    def compare(self) -> None:
        for venue, symbol in KEYS:
            counters, before = self.world.market(venue, symbol).counters, self._ours[venue, symbol]
            for side in ("buy", "sell"):
                count, usd = f"trades_total|{side}", f"trade_volume_usd_total|{side}"
                assert counters[count] - before[count] == self.count[venue, symbol, side]
                assert counters[usd] - before[usd] == pytest.approx(self.usd[venue, symbol, side], rel=1e-9)


async def test_liquidations_are_complete_where_the_venue_sends_all(tmp_path: Path, logs: Logs) -> None:
    """A cascade: Bybit's prints sum up to every lot the engine closed; Binance's and OKX's are a part, and say so."""
    async with live("cascade", stepping=True, folder=tmp_path) as world:
        await world.play_ready()
        assert world.started is not None
        async with Listener(int(world.started.mqtt_address.rpartition(":")[2])) as listener:
            await world.play(60, pause=0.001)
            # Bybit sends liquidations twice a second: count where none wait.
            await world.play(1, until=lambda: world.sim.elapsed_ns % 500_000_000 == 0, pause=0.02)
            counted = {key: world.market(*key).counters for key in KEYS}
            total = sum(c["liquidations_total|long"] + c["liquidations_total|short"] for c in counted.values())
            await listener.until(lambda heard: sum("/liquidations/" in h.topic for h in heard) >= total)
            prints = [h.json for h in listener.heard if "/liquidations/" in h.topic]
        quantity: dict[tuple[str, str, str], float] = defaultdict(float)
        for body in prints:
            quantity[str(body["venue"]), str(body["market"]), str(body["position"])] += float(
                str(body["quantity_base"])
            )
        shares = {}
        for key in KEYS:
            truth = world.sim.world.market(*key)
            closed = truth.liquidated_lots[1] * truth.spec.lot_base
            assert closed > 0
            shares[key] = quantity[*key, "long"] / closed
            usd = counted[key]["liquidated_usd_total|long"]
            if key[0] == BYBIT:
                assert shares[key] == pytest.approx(1.0, rel=1e-9)
                # Told at the bankruptcy price, which lies below what was paid.
                assert 0.97 < usd / truth.liquidated_usd[1] <= 1.0
            else:
                assert 0 < shares[key] < 1
                assert usd < truth.liquidated_usd[1]
            assert counted[key]["liquidations_total|short"] == 0
        print(f"share of liquidated coins seen: { {f'{v} {m}': round(s, 3) for (v, m), s in shares.items()} }")
        assert {(body["venue"], body["coverage"]) for body in prints} == {
            (BYBIT, "complete"),
            (BINANCE, "sampled"),
            (OKX, "sampled"),
        }
        kinds = {(body["venue"], body["price_kind"]) for body in prints}
        assert kinds == {(BYBIT, "bankruptcy"), (BINANCE, "average"), (OKX, "bankruptcy")}
        for view in world.view.assets:
            own = sum(m.counters["liquidated_usd_total|long"] for m in world.view.markets if m.asset == view.asset)
            assert own > 0
            assert view.liquidated_usd["long", "observed"] == pytest.approx(own, rel=1e-9)
        assert logs.complaints() == []
