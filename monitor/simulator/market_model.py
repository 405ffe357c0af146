"""The simulated world: markets of an asset on several venues, tied by one fair price, by arbitrage and by the index.

No I/O and no clock: `World.step` advances by STEP_MS of scenario time; the same seed gives the same world.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set

import numpy as np

from monitor.simulator.conditions import CALM, Conditions
from monitor.simulator.market import Market
from monitor.simulator.positions import Account
from monitor.simulator.protocols.registry import USUAL, markets_of
from monitor.simulator.specs import ASSETS, USUAL_ASSETS, AssetSpec

STEP_MS = 50  # the common divisor of the venues' push intervals (100, 200, 250, 500 ms)
ARBITRAGE_RATIO = 0.000_4  # gap between two venues that pays for fees and latency
ARBITRAGE_USD = 3_000_000.0  # a second and asset, both legs alike
FOLLOW_SECONDS = 4.0  # how long the fair price takes to believe the mids: the permanent share of an impact
IMPACT = 0.0015  # how far the fair price moves when takers buy as much as stands within 1%: flow is believed to know something
IMPACT_MOST = 0.001  # in one step
LEVERAGES = (2.0, 3.0, 5.0, 10.0, 20.0, 25.0, 50.0, 100.0)
LEVERAGE_SHARES = (0.22, 0.22, 0.22, 0.2, 0.08, 0.04, 0.015, 0.005)
POSITIONS_A_SIDE = 700
ENTRY_SPREAD = 0.03  # standard deviation of entries around the price, as a ratio


class AssetWorld:
    """One asset: its fair price and its markets, in venue order."""

    def __init__(self, spec: AssetSpec, markets: Sequence[Market], seed: np.random.SeedSequence) -> None:
        self.spec = spec
        self.markets = tuple(markets)
        self.fair = spec.price
        self.conditions = CALM
        self._rng = np.random.Generator(np.random.PCG64(seed))
        self._weight = sum(m.spec.depth_1pct_usd for m in markets)

    @property
    def index(self) -> float:
        return sum(m.mid * m.spec.depth_1pct_usd for m in self.markets) / self._weight

    def step(self, halted: Set[str], seconds: float, now_ms: int) -> None:
        c = self.conditions
        open_markets = [m for m in self.markets if m.spec.venue not in halted]
        noise = float(self._rng.standard_normal()) * self.spec.volatility * c.volatility * math.sqrt(seconds)
        self.fair *= math.exp(noise + c.drift * seconds)
        self.fair += (self.spec.price - self.fair) * c.pull * seconds
        for market in self.markets:
            market.begin()
        for market in open_markets:
            share = market.spec.depth_1pct_usd / self._weight
            market.make(self.fair, c, seconds)
            market.take_noise(self.fair, c, seconds, now_ms)
            worked = (c.buyer_usd - c.seller_usd) * share * seconds
            if worked:
                market.work(worked, now_ms, patient=False)
            if c.patient_usd:
                market.work(-c.patient_usd * share * seconds, now_ms, patient=True)
            if c.new_long_usd:
                market.lever(1, c.new_long_usd * share * seconds, self._leverage(c))
            if c.new_short_usd:
                market.lever(-1, c.new_short_usd * share * seconds, self._leverage(c))
            market.liquidate(seconds, now_ms)
        self._arbitrage(open_markets, seconds, now_ms)
        index = self.index
        for market in open_markets:
            market.follow(index, seconds)
        flow = sum(market.flow_usd for market in open_markets)
        self.fair *= 1 + min(IMPACT_MOST, max(-IMPACT_MOST, IMPACT * flow / self._weight))
        self.fair += (index - self.fair) * min(1.0, seconds / FOLLOW_SECONDS)

    def _leverage(self, conditions: Conditions) -> float:
        return float(conditions.leverage * math.exp(0.5 * self._rng.standard_normal())) + 1.0

    def _arbitrage(self, markets: Sequence[Market], seconds: float, now_ms: int) -> None:
        """Buy where it is cheap, sell where it is dear, while the gap pays."""
        usable = [m for m in markets if m.book.best_bid >= 0 and m.book.best_ask < m.book.size]
        if len(usable) < 2:
            return
        dear = max(usable, key=lambda m: m.price(m.book.best_bid))
        cheap = min(usable, key=lambda m: m.price(m.book.best_ask))
        low, high = cheap.price(cheap.book.best_ask), dear.price(dear.book.best_bid)
        if dear is cheap or high < low * (1 + ARBITRAGE_RATIO):
            return
        middle = (low + high) / 2
        base = ARBITRAGE_USD * seconds / middle
        bought, _, _ = cheap.order(1, int(base / cheap.spec.base(middle)), middle, now_ms, Account.ARBITRAGE)
        base = bought * cheap.spec.base(middle)
        dear.order(-1, int(base / dear.spec.base(middle)), middle, now_ms, Account.ARBITRAGE)


class World:
    """Every asset and market. Advance with `step`; read `markets`, `assets`, and what each market says of its last step."""

    def __init__(self, *, seed: int, assets: Sequence[str] = USUAL_ASSETS, venues: Sequence[str] = USUAL) -> None:
        specs = markets_of(assets, venues)
        seeds = np.random.SeedSequence([seed, 0x756E6465]).spawn(len(specs) + 2 * len(assets))
        self.markets: dict[tuple[str, str], Market] = {
            (spec.venue, spec.symbol): Market(spec, ASSETS[spec.asset], child)
            for spec, child in zip(specs, seeds[: len(specs)], strict=True)
        }
        self.assets: dict[str, AssetWorld] = {}
        self.now_ms = 0
        self.halted: frozenset[str] = frozenset()
        for number, name in enumerate(assets):
            mine = [m for m in self.markets.values() if m.spec.asset == name]
            if not mine:
                continue
            self.assets[name] = AssetWorld(ASSETS[name], mine, seeds[len(specs) + 2 * number])
            rng = np.random.Generator(np.random.PCG64(seeds[len(specs) + 2 * number + 1]))
            for market in mine:
                if market.spec.leveraged:
                    seed_positions(market, rng)

    def step(self, conditions: Mapping[str, Conditions] | None = None, halted: frozenset[str] | None = None) -> None:
        """One step of STEP_MS. Conditions by asset and the venues that stand still stay as they are unless given."""
        for name, each in (conditions or {}).items():
            if name in self.assets:
                self.assets[name].conditions = each
        if halted is not None:
            self.halted = halted
        for asset in self.assets.values():
            asset.step(self.halted, STEP_MS / 1000, self.now_ms)
        self.now_ms += STEP_MS


def seed_positions(market: Market, rng: np.random.Generator) -> None:
    """The open interest a market starts with: mixed leverage, entries around the price, longs equal shorts.

    Positions already past their liquidation price are drawn again: they would not have survived.
    """
    total = market.lots_of(market.spec.open_interest_usd)
    for sign in (1, -1):
        weights = rng.lognormal(0.0, 1.2, POSITIONS_A_SIDE)
        lots = np.maximum(1, (weights / weights.sum() * total).astype(np.int64))
        leverages = rng.choice(LEVERAGES, POSITIONS_A_SIDE, p=LEVERAGE_SHARES)
        entries = market.asset.price * np.exp(rng.normal(0.0, ENTRY_SPREAD, POSITIONS_A_SIDE))
        for size, leverage, entry in zip(lots.tolist(), leverages.tolist(), entries.tolist(), strict=True):
            safe = market.asset.price * (1 - sign * 0.012)  # nobody starts within 1.2% of liquidation
            bound = safe * (1 - sign * 0.005) / (1 - sign / leverage)
            fit = min(entry, bound) if sign > 0 else max(entry, bound)
            market.ledger.open(sign, size, fit, leverage)
            market.ledger.accounts[Account.MAKERS] -= sign * size
