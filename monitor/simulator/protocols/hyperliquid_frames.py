"""Frames and REST bodies of Hyperliquid, written from simulated markets.

Books come whole, all coins at the same moments: 5 levels about every 0.54 s, 20 levels or buckets about every 5.4 s, and no frame says
which stream it belongs to. Trades and fills bear the time of their block. A part of every liquidation meets the orders of a vault.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar

import orjson

from monitor.simulator.market import LiquidationPrint, Market, Trade
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.frames import FUNDING_HOURS, Keyed, VenueClock, VenueFrames
from monitor.simulator.protocols.histories import between, hyperliquid
from monitor.simulator.source import RestReply
from monitor.simulator.specs import MINOR, SMALL, MarketSpec, Size, market_spec
from monitor.simulator.streams import BucketStream, Changes, SnapshotStream

FAST_MS, SLOW_MS, CONTEXT_MS = 540, 5_400, 1_000
FAST_LEVELS, LEVELS = 5, 20
FIGURES = (2, 3, 4, 5)
HISTORY = 30  # trades that begin a subscription, oldest first
KEPT_FILLS = 50  # of an account, that begin a subscription
VAULT_SHARE = 0.4  # of a liquidation, that meets the vault's orders
EVERY = 5  # one order in so many meets the vault's, too
STRATEGY = "0x010461c14e146ac35fe42271bdc1134ee31c703a"
FIRST_ID = 745_210_434_703_679

MARKETS = (
    market_spec("hyperliquid", "BTC", "BTC", tick="1", lot="0.00001", quote="USDC", price_places=1, size=SMALL),
    market_spec("hyperliquid", "ETH", "ETH", tick="0.1", lot="0.0001", quote="USDC", size=Size(3e6, 2e8, 3.0, 80.0)),
    market_spec("hyperliquid", "PEPE", "kPEPE", tick="0.000001", lot="1", quote="USDC", multiplier=1000, size=Size(1e6, 2e7, 1.5, 40.0)),
    market_spec("hyperliquid", "SOL", "SOL", tick="0.01", lot="0.01", quote="USDC", size=MINOR),
    market_spec("hyperliquid", "XRP", "XRP", tick="0.0001", lot="1", quote="USDC", size=MINOR),
    market_spec("hyperliquid", "DOGE", "DOGE", tick="0.00001", lot="1", quote="USDC", size=MINOR),
)  # fmt: skip


class HyperliquidFrames(VenueFrames):
    venue: ClassVar[str] = "hyperliquid"

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self._fast = {symbol: SnapshotStream(market.book, FAST_LEVELS) for symbol, market in self.markets.items()}
        self._slow: dict[str, dict[str, SnapshotStream | BucketStream]] = {
            symbol: {
                "default": SnapshotStream(market.book, LEVELS),
                **{str(n): BucketStream(market.book, market.spec.price_text.grid, n, LEVELS) for n in FIGURES},
            }
            for symbol, market in self.markets.items()
        }
        self._history: dict[str, deque[dict[str, Any]]] = {symbol: deque(maxlen=HISTORY) for symbol in self.markets}
        self._fills: deque[dict[str, Any]] = deque(maxlen=KEPT_FILLS)
        self._fast_due, self._slow_due, self._number = FAST_MS, SLOW_MS, FIRST_ID

    # -- streams
    def knows(self, key: str) -> bool:
        stream, _, what = key.partition(":")
        if stream == "userFills":  # any account may be watched
            return what.startswith("0x")
        name, _, variant = stream.partition(".")
        if what not in self.markets:
            return False
        return variant in ("fast", *self._slow[what]) if name == "l2Book" else stream in ("trades", "activeAssetCtx")

    def opening(self, key: str) -> list[bytes]:
        stream, _, what = key.partition(":")
        if stream == "userFills":
            return [_frame("userFills", {"user": what, "isSnapshot": True, "fills": self._past_of(what)})]
        if stream == "trades":
            return [_frame("trades", list(self._history[what]))] if self._history[what] else []
        if stream == "activeAssetCtx":
            return [self._context(self.markets[what])]
        variant = stream.partition(".")[2]
        levels = (self._fast[what] if variant == "fast" else self._slow[what][variant]).levels()
        return [self._book(what, levels)]

    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterator[Keyed]:
        self.now_ms = now_ms
        fast, slow = now_ms >= self._fast_due, now_ms >= self._slow_due
        self._fast_due += FAST_MS * fast
        self._slow_due += SLOW_MS * slow
        for symbol, market in self.markets.items():
            fills = [self._forced_fill(market.spec, each) for each in market.liquidations if each.filled]
            fills += [self._own_fill(market.spec, trade) for trade in market.trades if trade.order % EVERY == 0]
            if fills:
                self._fills.extend(fills)
                yield f"userFills:{STRATEGY}", _frame("userFills", {"user": STRATEGY, "fills": fills})
            trades = [self._trade(market.spec, trade) for trade in market.trades]
            if trades:
                self._history[symbol].extend(trades)
                yield f"trades:{symbol}", _frame("trades", trades)
            if fast:
                yield f"l2Book.fast:{symbol}", self._book(symbol, self._fast[symbol].flush())
            if slow:
                for variant, stream in self._slow[symbol].items():
                    yield f"l2Book.{variant}:{symbol}", self._book(symbol, stream.levels())
            if now_ms % CONTEXT_MS == 0:
                yield f"activeAssetCtx:{symbol}", self._context(market)

    def cross(self, symbol: str) -> None:
        self._fast[symbol].cross()

    def restart(self, symbol: str) -> list[Keyed]:
        """Books come whole: nothing shows."""
        return []

    def _book(self, symbol: str, rows: Changes) -> bytes:
        spec = self.markets[symbol].spec
        sides = [
            [{"px": price_text(spec, tick), "sz": size_text(spec, lots), "n": lots % 9 + 1} for tick, lots in side]
            for side in rows.best_first
        ]
        return _frame("l2Book", {"coin": symbol, "time": self.stamp, "levels": sides})

    def _next(self) -> int:
        """Trade ids are spread over 50 bits and do not grow."""
        self._number = (self._number * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % (1 << 50)
        return self._number

    def _trade(self, spec: MarketSpec, trade: Trade) -> dict[str, Any]:
        maker, taker = (STRATEGY if trade.order % EVERY == 0 else _account(trade.order)), _account(trade.order + 1)
        return {
            "coin": spec.symbol,
            "side": "B" if trade.side > 0 else "A",
            "px": price_text(spec, trade.tick),
            "sz": size_text(spec, trade.lots),
            "time": self.stamp,
            "hash": f"0x{trade.order:064x}",
            "tid": self._next(),
            "users": [taker, maker] if trade.side > 0 else [maker, taker],
        }

    def _own_fill(self, spec: MarketSpec, trade: Trade) -> dict[str, Any]:
        """The vault on the maker's side."""
        return self._fill(spec, "A" if trade.side > 0 else "B", trade.tick, trade.lots, trade.order)

    def _forced_fill(self, spec: MarketSpec, each: LiquidationPrint) -> dict[str, Any]:
        """A long is sold: the vault buys of it what its orders hold."""
        tick = round(each.average / spec.tick_usd)
        row = self._fill(spec, "B" if each.sign > 0 else "A", tick, max(1, int(each.filled * VAULT_SHARE)), each.order)
        loser = {"liquidatedUser": _account(each.order), "markPx": price_text(spec, tick), "method": "market"}
        return {**row, "liquidation": loser}

    def _fill(self, spec: MarketSpec, side: str, tick: int, lots: int, order: int) -> dict[str, Any]:
        return {
            "coin": spec.symbol,
            "px": price_text(spec, tick),
            "sz": size_text(spec, lots),
            "side": side,
            "time": self.stamp,
            "startPosition": "0.0",
            "dir": "Open Long" if side == "B" else "Open Short",
            "closedPnl": "0.0",
            "hash": f"0x{order:064x}",
            "oid": order,
            "crossed": False,
            "fee": "0.0",
            "tid": self._next(),
            "feeToken": "USDC",
        }

    def _past_of(self, account: str) -> list[dict[str, Any]]:
        """Newest first."""
        return list(reversed(self._fills)) if account == STRATEGY else []

    def _context(self, market: Market) -> bytes:
        spec = market.spec
        mark, index, mid = (price_text(spec, round(p / spec.tick_usd)) for p in (market.mark, market.index, market.mid))
        figures = {
            "funding": f"{market.funding_rate / FUNDING_HOURS:.10f}",
            "openInterest": size_text(spec, market.ledger.open_interest),
            "prevDayPx": mark,
            "dayNtlVlm": "4161029539.69",
            "premium": f"{market.mark / market.index - 1:.10f}",
            "oraclePx": index,
            "markPx": mark,
            "midPx": mid,
            "impactPxs": [mark, mark],
            "dayBaseVlm": "49116.08533",
        }
        return _frame("activeAssetCtx", {"coin": spec.symbol, "ctx": figures})

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        if path != "/info":
            return None
        match query.get("type"):
            case "meta":
                return RestReply(200, orjson.dumps(self._meta()))
            case "metaAndAssetCtxs":
                contexts = [orjson.loads(self._context(market))["data"]["ctx"] for market in self.markets.values()]
                return RestReply(200, orjson.dumps([self._meta(), contexts]))
            case "exchangeStatus":
                return RestReply(200, orjson.dumps({"specialStatuses": None, "time": self.stamp}))
            case "candleSnapshot":
                asked = {name: str(value) for name, value in orjson.loads(query.get("req", "{}")).items()}
                market = self.markets.get(asked.get("coin", ""))
                if market is None or asked.get("interval") != "1h":  # the only one simulated
                    return None
                rows = between(self.hours(market.spec.symbol), asked, "startTime", "endTime", 1)
                if rows is None:
                    return None
                return RestReply(200, orjson.dumps(hyperliquid(market.spec, rows)))
            case "l2Book" if query.get("coin") in self.markets:
                coin, figures = query["coin"], query.get("nSigFigs", "null")
                if figures != "null" and figures not in self._slow[coin]:
                    return None
                levels = self._slow[coin]["default" if figures == "null" else figures].levels()
                return RestReply(200, orjson.dumps(orjson.loads(self._book(coin, levels))["data"]))
        return None

    def _meta(self) -> dict[str, Any]:
        rows: list[dict[str, Any]] = [
            {"name": symbol, "szDecimals": -int(exponent), "maxLeverage": 40, "marginTableId": table}
            for (symbol, market), table in zip(self.markets.items(), chain((56, 10), [3] * len(self.markets)), strict=False)
            if isinstance(exponent := market.spec.lot_size.as_tuple().exponent, int)
        ]  # fmt: skip
        if self.lists_others:
            rows.append({"name": "MATIC", "szDecimals": 1, "maxLeverage": 20, "marginTableId": 20, "isDelisted": True})
        steps = [{"lowerBound": "0.0", "maxLeverage": 40}, {"lowerBound": "150000000.0", "maxLeverage": 20}]
        table = {"description": "tiered 40x", "marginTiers": steps}
        return {"universe": rows, "marginTables": [[56, table]], "collateralToken": 0}


def price_text(spec: MarketSpec, tick: int) -> str:
    return _trimmed(spec.price_text(tick))


def size_text(spec: MarketSpec, lots: int) -> str:
    return _trimmed(spec.size_text(lots))


def _trimmed(text: str) -> str:
    """As the venue writes numbers: without trailing zeros, but for the first decimal."""
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def _account(number: int) -> str:
    return f"0x{number + (1 << 128):040x}"


def _frame(channel: str, data: object) -> bytes:
    return orjson.dumps({"channel": channel, "data": data})
