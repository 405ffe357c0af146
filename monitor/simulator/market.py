"""One simulated market: its book, its makers, takers and positions. Advanced in small steps; no I/O, no clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from monitor.simulator.conditions import Conditions
from monitor.simulator.history import Hour, Past, hours, past_of
from monitor.simulator.order_book import Ints, SimulatedBook
from monitor.simulator.positions import Account, Ledger, Liquidating
from monitor.simulator.specs import AssetSpec, MarketSpec

LOWEST_RATIO, HIGHEST_RATIO = 0.4, 1.8  # of the start price: the book's range; nobody quotes beyond
DEPTH_REACH = 0.12  # makers quote this far from the touch, so that the 10% band is filled
DEPTH_EXPONENT = 0.75  # cumulative depth grows as distance**0.75: 5.6 times as much within 10% as within 1%
ROUND_SHARE = 3.0  # a round price carries this many times its neighbours' quantity
HALF_SPREAD_RATIO = 0.000_001
NOISE_LIMIT_RATIO = 0.005  # a taker's protection against a thin book
WORKING_LIMIT_RATIO = 0.005
PATIENT_LIMIT_RATIO = 0.000_1  # a patient order takes what stands this near the touch
INFORMED_RATIO = 0.000_1  # takers act on a quote this far on the wrong side of the fair price
INFORMED_USD = 400_000.0  # ... with at most this much a second
LEASH_RATIO = 0.000_3  # makers quote around their fair price, but no further than this from the last trade
MAX_TRADE_USD = 3_000_000.0
TRADE_USD_MEDIAN, TRADE_USD_SIGMA = 900.0, 1.6
PASSIVE_CLOSE_SHARE = 0.6  # share of a passive fill that closes a position; the rest goes to the makers
TAKER_CLOSE_SHARE = 0.5  # share of noise takers that close a position instead of opening one
TAKEOVER_MS = 5_000  # what the engine cannot sell above the bankruptcy price for this long, the fund takes over
MARK_SECONDS = 0.5  # smoothing of the mark price
MARK_INDEX_SHARE = 0.7
REFILL_SHARE = 0.03  # of the calm 1% depth that makers can put back a second and side
REFILL_STEPS = 40  # how many steps' worth of it they may save up
FEAR_RATIO = 0.004  # a move this large within FEAR_SECONDS halves the makers' appetite on the side being hit
FEAR_SECONDS = 8.0
BARGAIN_RATIO = 0.025  # this far from the start price, others step in as fast again as the makers
LEAST_APPETITE = 0.12
FUNDING_BASE = 0.0001
FUNDING_CLAMP = 0.0005
FUNDING_SECONDS = 600.0
NEAREST: Ints = np.arange(1, 4, dtype=np.int64)  # ticks from the touch that are renewed in every step


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill. `order` is the same for the fills of one taker order; side +1: the taker bought."""

    order: int
    side: int
    tick: int
    lots: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class LiquidationPrint:
    """One order of the liquidation engine that filled. sign +1: a long was closed (the order sold)."""

    sign: int
    wanted: int  # lots of the order
    filled: int
    average: float  # price of the fills
    last: int  # lots of the last fill
    bankruptcy: float
    at_ms: int
    order: int = 0  # `Trade.order` of its fills, for venues that mark them among the trades


class Market:
    """Prices are floats in USD per coin, quantities lots, time milliseconds of scenario time."""

    def __init__(self, spec: MarketSpec, asset: AssetSpec, seed: np.random.SeedSequence) -> None:
        self.spec, self.asset = spec, asset
        quotes, flow, positions, self._before = seed.spawn(4)
        self._quotes = np.random.Generator(np.random.PCG64(quotes))
        self._flow = np.random.Generator(np.random.PCG64(flow))
        self.ledger = Ledger(np.random.Generator(np.random.PCG64(positions)))
        tick = spec.tick_usd
        self.book = SimulatedBook(int(asset.price * LOWEST_RATIO / tick), int(asset.price * HIGHEST_RATIO / tick))
        self.mark = self.index = self.last = self._mid = asset.price
        self._premium = 0.0
        self._trend = asset.price  # slow mean of the mid: what "a large move" is measured against
        self._basis = 0.0
        self._mood = 0.0
        self._orders = 0
        self._round = max(1, round(asset.round_price / tick))
        self.trades: list[Trade] = []
        self.liquidations: list[LiquidationPrint] = []
        self.liquidated_usd = {1: 0.0, -1: 0.0}
        self.liquidated_lots = {1: 0, -1: 0}
        self.fund_loss_usd = 0.0
        self.flow_usd = 0.0  # bought minus sold by takers in this step
        self._debt = {Account.SELLER: 0.0, Account.ARBITRAGE: 0.0}  # USD a working order is behind its schedule
        self._engine_budget = 0.0
        self._refill = {1: 0.0, -1: 0.0}  # lots the makers may still add, by side
        self._past: Past | None = None  # made when somebody asks
        self._fill_book()

    # -- views
    @property
    def mid(self) -> float:
        book = self.book
        if book.best_bid >= 0 and book.best_ask < book.size:
            self._mid = self.price(book.best_bid + book.best_ask) / 2 + self.price(0) / 2
        return self._mid

    def price(self, index: int) -> float:
        return (self.book.low + index) * self.spec.tick_usd

    def index_at(self, price: float) -> int:
        return int(price / self.spec.tick_usd) - self.book.low

    def lots_of(self, usd: float) -> int:
        return int(usd / self.spec.worth(self._mid))

    @property
    def funding_rate(self) -> float:
        """Of the running 8 hours: premium plus the clamped interest, as the venues do it."""
        return self._premium + min(FUNDING_CLAMP, max(-FUNDING_CLAMP, FUNDING_BASE - self._premium))

    def hours(self, begun: int, now: int) -> list[Hour]:
        """What was traded in the last hours up to `now`, most of it before the scenario began at `begun` (hours since 1970)."""
        if self._past is None:
            self._past = past_of(self.spec, self.asset, self._before)
        return hours(self.spec, self._past, self.last, begun, now)

    # -- one step, in the order the world calls it
    def begin(self) -> None:
        self.trades.clear()
        self.liquidations.clear()
        self.flow_usd = 0.0

    def make(self, fair: float, conditions: Conditions, seconds: float) -> None:
        """Market makers renew a few levels of each side, near ones most often."""
        self._basis += -self._basis * seconds / 60 + 0.000_02 * math.sqrt(seconds) * float(
            self._quotes.standard_normal()
        )
        own = fair * (1 + self._basis)
        own = min(self.last * (1 + LEASH_RATIO), max(self.last * (1 - LEASH_RATIO), own))
        move = self.mid / self._trend - 1
        self._trend += (self._mid - self._trend) * min(1.0, seconds / FEAR_SECONDS)
        fear = 1 / (1 + (move / FEAR_RATIO) ** 2)
        busy = 1 + min(4.0, abs(move) / FEAR_RATIO * 2)
        rate = self.spec.quotes_per_second * seconds * busy
        for sign, appetite, withdraw in (
            (1, conditions.bid_appetite, conditions.withdraw_bids),
            (-1, conditions.ask_appetite, conditions.withdraw_asks),
        ):
            hit = move < 0 if sign > 0 else move > 0
            wish = max(LEAST_APPETITE * min(1.0, appetite), appetite * (fear if hit else 1.0))
            bargain = max(0.0, sign * (self.asset.price / self._mid - 1)) / BARGAIN_RATIO
            wish = max(wish, min(1.0, appetite * bargain**2))
            allowance = self.lots_of(self.spec.depth_1pct_usd * REFILL_SHARE * wish * (1 + bargain**2) * seconds)
            self._refill[sign] = min(self._refill[sign] + allowance, allowance * REFILL_STEPS)
            self._renew(sign, own, wish, rate)
            if withdraw > 0:
                self._withdraw(sign, withdraw * seconds, conditions.withdraw_ratio)

    def take_noise(self, fair: float, conditions: Conditions, seconds: float, now_ms: int) -> None:
        """Takers without a plan, and those who see a quote on the wrong side of the fair price."""
        self._mood += -self._mood * seconds / 20 + 0.25 * math.sqrt(seconds) * float(self._flow.standard_normal())
        bias = min(0.98, max(-0.98, conditions.taker_bias + 0.15 * math.tanh(self._mood)))
        count = int(self._flow.poisson(self.spec.trades_per_second * conditions.taker_rate * seconds))
        if count:
            sizes = self._flow.lognormal(math.log(TRADE_USD_MEDIAN), TRADE_USD_SIGMA, count)
            buys = self._flow.random(count) < (1 + bias) / 2
            times = np.sort(self._flow.random(count)) * seconds * 1000
            for usd, buy, offset in zip(sizes.tolist(), buys.tolist(), times.tolist(), strict=True):
                self._noise_order(1 if buy else -1, min(usd, MAX_TRADE_USD), now_ms + int(offset))
        book = self.book
        if self.price(book.best_ask) < fair * (1 - INFORMED_RATIO) and book.best_ask < book.size:
            self.order(1, self.lots_of(INFORMED_USD * seconds), fair, now_ms, Account.ARBITRAGE)
        elif book.best_bid >= 0 and self.price(book.best_bid) > fair * (1 + INFORMED_RATIO):
            self.order(-1, self.lots_of(INFORMED_USD * seconds), fair, now_ms, Account.ARBITRAGE)

    def work(self, usd: float, now_ms: int, *, patient: bool) -> None:
        """A slice of a large working order: usd < 0 sells. A patient one takes only what stands near the touch."""
        sign = 1 if usd > 0 else -1
        self._debt[Account.SELLER] += abs(usd)
        lots = self.lots_of(self._debt[Account.SELLER])
        if lots <= 0:
            return
        limit = self._mid * (1 + sign * WORKING_LIMIT_RATIO)
        if patient:
            touch = self.book.best_ask if sign > 0 else self.book.best_bid
            if not 0 <= touch < self.book.size:
                return
            limit = self.price(touch) * (1 + sign * PATIENT_LIMIT_RATIO)
        filled, _, _ = self.order(sign, lots, limit, now_ms, Account.SELLER)
        self._debt[Account.SELLER] = (
            max(0.0, self._debt[Account.SELLER] - filled * self.spec.worth(self._mid))
            if filled == lots or patient
            else 0.0
        )

    def lever(self, sign: int, usd: float, leverage: float) -> None:
        """Leveraged positions opened against holders without leverage, around the present price."""
        lots = self.lots_of(usd) if self.spec.leveraged else 0
        if lots <= 0:
            return
        self.ledger.accounts[Account.MAKERS] -= sign * lots
        self.ledger.open(sign, lots, self._mid, leverage)

    def liquidate(self, seconds: float, now_ms: int) -> None:
        """Positions past their liquidation price are closed by IOC orders limited at the bankruptcy price."""
        self.ledger.trigger(self.mark, now_ms)
        budget = self.spec.engine_usd_per_second * seconds
        self._engine_budget = min(self._engine_budget + budget, budget * 20)
        queue = self.ledger.engine
        while queue and self._engine_budget > 0:
            position = queue[0]
            wanted = min(position.lots, max(1, self.lots_of(self._engine_budget)))
            filled, average, last = self._engine_order(position, wanted, now_ms)
            if filled:
                usd = filled * self.spec.worth(average)
                self._engine_budget -= usd
                self.liquidated_usd[position.sign] += usd
                self.liquidated_lots[position.sign] += filled
                figures = (wanted, filled, average, last, position.bankruptcy, now_ms)
                self.liquidations.append(LiquidationPrint(position.sign, *figures, order=self._orders))
                position.lots -= filled
                self.fund_loss_usd -= position.sign * usd * (1 - position.bankruptcy / average)
            if position.lots == 0:
                queue.pop(0)
            elif filled < wanted:
                if now_ms - position.since_ms < TAKEOVER_MS:
                    queue.append(queue.pop(0))
                else:
                    self.ledger.accounts[Account.FUND] += position.sign * position.lots
                    queue.pop(0)
                break

    def follow(self, index: float, seconds: float) -> None:
        """Mark price and funding premium follow the index and this market's mid."""
        self.index = index
        target = MARK_INDEX_SHARE * index + (1 - MARK_INDEX_SHARE) * self.mid
        self.mark += (target - self.mark) * min(1.0, seconds / MARK_SECONDS)
        self._premium += (self._mid / index - 1 - self._premium) * min(1.0, seconds / FUNDING_SECONDS)

    def order(self, sign: int, lots: int, limit: float, now_ms: int, account: Account) -> tuple[int, float, int]:
        """An IOC order of a holder without leverage. Returns (lots filled, average price, lots of the last fill)."""
        result = self._execute(sign, lots, limit, now_ms)
        self.ledger.accounts[account] += sign * result[0]
        return result

    # -- inside
    def _execute(self, sign: int, lots: int, limit: float, now_ms: int) -> tuple[int, float, int]:
        """Take from the book and book the passive side. The caller books the taker's."""
        edge = math.floor(limit / self.spec.tick_usd) if sign > 0 else math.ceil(limit / self.spec.tick_usd)
        fills = self.book.take(sign, lots, edge - self.book.low)
        if not fills:
            return 0, 0.0, 0
        self._orders += 1
        low = self.book.low
        self.trades.extend(Trade(self._orders, sign, low + index, part, now_ms) for index, part in fills)
        filled = sum(part for _, part in fills)
        average = sum((low + index) * part for index, part in fills) / filled * self.spec.tick_usd
        self.last = self.price(fills[-1][0])
        self.flow_usd += sign * filled * self.spec.worth(average)
        closed = self.ledger.close(sign, int(filled * PASSIVE_CLOSE_SHARE))
        self.ledger.accounts[Account.MAKERS] -= sign * (filled - closed)
        return filled, average, fills[-1][1]

    def _noise_order(self, sign: int, usd: float, at_ms: int) -> None:
        lots = max(1, self.lots_of(usd))
        filled, _, _ = self._execute(sign, lots, self._mid * (1 + sign * NOISE_LIMIT_RATIO), at_ms)
        closed = self.ledger.close(-sign, filled) if self._flow.random() < TAKER_CLOSE_SHARE else 0
        self.ledger.hold(sign, filled - closed)

    def _engine_order(self, position: Liquidating, wanted: int, now_ms: int) -> tuple[int, float, int]:
        return self._execute(-position.sign, wanted, position.bankruptcy, now_ms)

    def _anchor(self, sign: int, fair: float) -> int:
        """Where the makers' best quote of a side may stand."""
        own = fair * (1 - sign * HALF_SPREAD_RATIO) / self.spec.tick_usd
        index = (math.floor(own) if sign > 0 else math.ceil(own)) - self.book.low
        return min(index, self.book.best_ask - 1) if sign > 0 else max(index, self.book.best_bid + 1)

    def _renew(self, sign: int, fair: float, appetite: float, rate: float) -> None:
        anchor = self._anchor(sign, fair)
        count = int(self._quotes.poisson(rate))
        if not count:
            return
        furthest = math.log(DEPTH_REACH * fair / self.spec.tick_usd)
        away = np.exp(self._quotes.random(count) * furthest).astype(np.int64)
        distances = np.unique(np.concatenate((away, NEAREST)))
        # Quotes better than the anchor are stale: the fair price has moved through them.
        touch = self.book.best_bid if sign > 0 else self.book.best_ask
        stale = min(64, (touch - anchor) * sign)
        indices = anchor - sign * (distances - 1)
        self.book.quote(sign, indices, self._affordable(sign, indices, self._wanted(indices, distances, appetite)))
        if stale > 0:
            old = np.arange(touch - sign * (stale - 1), touch + sign, sign, dtype=np.int64)[::sign]
            gone = old[self._quotes.random(len(old)) < 0.5]
            self.book.quote(sign, np.sort(gone), np.zeros(len(gone), dtype=np.int64))

    def _affordable(self, sign: int, indices: Ints, wanted: Ints) -> Ints:
        """Makers replace what was taken at a finite speed: additions beyond this side's budget are cut."""
        standing = np.maximum(0, sign * self.book.lots[np.minimum(np.maximum(indices, 0), self.book.size - 1)])
        change = wanted - standing
        added = change > 0
        net = int(change.sum())
        budget = self._refill[sign]
        if net > budget:
            more = int(change[added].sum())
            share = max(0.0, (more - (net - budget)) / more)
            wanted = np.where(added, standing + (change * share).astype(np.int64), wanted)
            net = int((wanted - standing).sum())
        self._refill[sign] = budget - net
        return wanted

    def _wanted(self, indices: Ints, distances: Ints, appetite: float) -> Ints:
        """Quantity the makers want at each distance (ticks from the touch, 1 = the touch): the profile with noise."""
        spec = self.spec
        price = self._mid
        away = distances * (spec.tick_usd / price)
        usd_a_tick = (
            spec.depth_1pct_usd
            * DEPTH_EXPONENT
            * (away / 0.01) ** (DEPTH_EXPONENT - 1)
            / 0.01
            * (spec.tick_usd / price)
        )
        # Near the touch most ticks carry orders, at 10% about one in twenty does.
        standing = np.maximum(0.75 * (1 + away / 0.002) ** -0.75, 0.02)
        noise = self._quotes.standard_exponential(len(distances)) * 0.9 + 0.1
        present = self._quotes.random(len(distances)) < standing
        is_round = (indices + self.book.low) % self._round == 0
        usd = usd_a_tick / standing * noise * np.where(is_round, ROUND_SHARE, 1.0) * appetite
        lots = (usd / spec.worth(price)).astype(np.int64) + 1
        return np.where(present | is_round, lots, 0)

    def _withdraw(self, sign: int, share: float, ratio: float) -> None:
        edge = self.index_at(self._mid * (1 - sign * ratio))
        indices, _ = self.book.within(sign, edge)
        gone = indices[self._quotes.random(len(indices)) < share]
        if len(gone):
            self.book.quote(sign, gone, np.zeros(len(gone), dtype=np.int64))

    def _fill_book(self) -> None:
        count = int(DEPTH_REACH * self.asset.price / self.spec.tick_usd)
        distances = np.arange(1, count, dtype=np.int64)
        for sign in (1, -1):
            indices = self._anchor(sign, self.asset.price) - sign * (distances - 1)
            self.book.quote(sign, indices, self._wanted(indices, distances, 1.0))
