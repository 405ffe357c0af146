"""Frames and REST bodies of Gate USDT perpetuals, written from simulated markets. Sizes are contracts, signed by the taker's side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

import orjson

from monitor.simulator.market import LiquidationPrint, Market
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.frames import FUNDING_HOURS, Keyed, Standing, VenueClock, VenueFrames, next_funding
from monitor.simulator.protocols.histories import gate, newest
from monitor.simulator.source import RestReply
from monitor.simulator.specs import MINOR, SMALL, MarketSpec, Size, market_spec
from monitor.simulator.streams import Changes, Row, WindowStream

DEPTHS = {400: 100, 50: 50}  # the 50 levels are pushed every 20 ms; the simulated world moves every 50
ALWAYS = 400
TICKER_MS = 1_000
BATCH_MS = 1_000  # liquidations of a contract are batched this long, or until there are
BATCH = 20
FIRST_ID = 125_033_675_975
LIQUIDATIONS = "futures.public_liquidates:!all"
# Position value at the tier's end, maintenance ratio, leverage, deduction.
TIERS = (("1000000", "0.004", "125", "0"), ("2000000", "0.005", "100", "1000"), ("5000000", "0.01", "50", "11000"))
# fmt: off
MARKETS = (
    market_spec("gate_usdt", "BTC", "BTC_USDT", tick="0.1", lot="1", contract="0.0001", trimmed=True, size=Size(14e6, 1.8e9, 7.0, 160.0)),
    market_spec("gate_usdt", "ETH", "ETH_USDT", tick="0.01", lot="0.1", contract="0.01", trimmed=True, size=Size(7e6, 9e8, 5.0, 140.0)),
    market_spec("gate_usdt", "DOGE", "DOGE_USDT", tick="0.00001", lot="1", contract="10", trimmed=True, size=SMALL),
    market_spec("gate_usdt", "SOL", "SOL_USDT", tick="0.01", lot="1", contract="1", trimmed=True, size=MINOR),
    market_spec("gate_usdt", "XRP", "XRP_USDT", tick="0.0001", lot="1", contract="10", trimmed=True, size=MINOR),
)
# fmt: on


class _Stream:
    __slots__ = ("every", "last", "window")

    def __init__(self, market: Market, depth: int) -> None:
        self.window, self.every, self.last = WindowStream(market.book, depth), DEPTHS[depth], FIRST_ID


class GateFrames(VenueFrames):
    venue: ClassVar[str] = "gate_usdt"

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self._streams = {symbol: {ALWAYS: _Stream(market, ALWAYS)} for symbol, market in self.markets.items()}
        self._prints: dict[str, list[LiquidationPrint]] = {symbol: [] for symbol in self.markets}
        self._trades = dict.fromkeys(self.markets, 27_753_479)
        self._marks = dict.fromkeys(self.markets, "")

    # -- streams
    def knows(self, key: str) -> bool:
        channel, _, name = key.partition(":")
        if channel == "futures.obu":
            symbol, depth = self._named(name)
            return symbol in self.markets and depth in DEPTHS
        return key == LIQUIDATIONS or (channel in ("futures.trades", "futures.tickers") and name in self.markets)

    @staticmethod
    def _named(name: str) -> tuple[str, int]:
        head, _, depth = name.rpartition(".")
        return head.removeprefix("ob."), int(depth) if depth.isdigit() and head.startswith("ob.") else 0

    def opening(self, key: str) -> list[bytes]:
        channel, _, name = key.partition(":")
        if channel == "futures.tickers":
            return [self._ticker(self.markets[name], whole=True)]
        if channel != "futures.obu":
            return []
        symbol, depth = self._named(name)
        stream = self._streams[symbol].setdefault(depth, _Stream(self.markets[symbol], depth))
        return [self._book(symbol, depth, stream.window.levels(), None)]

    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterator[Keyed]:
        self.now_ms = now_ms
        for symbol, market in self.markets.items():
            if market.trades:
                yield f"futures.trades:{symbol}", self._prints_of(symbol, market)
            for depth, stream in self._streams[symbol].items():
                if now_ms % stream.every == 0:
                    # Changes beyond the window move the ids and bring no levels.
                    first = stream.last + 1
                    stream.last += 1 + len(touched[symbol])
                    yield f"futures.obu:ob.{symbol}.{depth}", self._book(symbol, depth, stream.window.flush(), first)
            if now_ms % TICKER_MS == 0:
                yield f"futures.tickers:{symbol}", self._ticker(market, whole=now_ms % (10 * TICKER_MS) == 0)
            waiting = self._prints[symbol]
            waiting.extend(market.liquidations)
            if waiting and (now_ms % BATCH_MS == 0 or len(waiting) >= BATCH):
                yield LIQUIDATIONS, self._liquidations(symbol)

    def _said(self, channel: str, result: object) -> bytes:
        now = self.stamp
        return orjson.dumps(
            {"time": now // 1000, "time_ms": now, "channel": channel, "event": "update", "result": result}
        )

    def _book(self, symbol: str, depth: int, rows: Changes, first: int | None) -> bytes:
        spec, last = self.markets[symbol].spec, self._streams[symbol][depth].last

        def side(levels: Sequence[Row]) -> list[list[str]]:
            return [[spec.price_text(tick), spec.size_text(lots)] for tick, lots in levels]

        ids = {"full": True, "s": f"ob.{symbol}.{depth}", "u": last}
        if first is not None:
            ids = {"s": f"ob.{symbol}.{depth}", "U": first, "u": last}
        bids, asks = side(rows.bids[::-1]), side(rows.asks)
        given = {"b": bids, "a": asks} if first is None else {n: v for n, v in (("b", bids), ("a", asks)) if v}
        return self._said("futures.obu", {"t": self.stamp, **ids, **given})

    def _prints_of(self, symbol: str, market: Market) -> bytes:
        spec, rows = market.spec, []
        for trade in market.trades:
            self._trades[symbol] += 1
            at, sign = self.clock.at(trade.at_ms), "" if trade.side > 0 else "-"
            rows.append(
                {
                    "id": self._trades[symbol],
                    "contract": symbol,
                    "create_time": at // 1000,
                    "create_time_ms": at,
                    "price": spec.price_text(trade.tick),
                    "size": sign + spec.size_text(trade.lots),
                    "is_internal": False,
                }
            )
        return self._said("futures.trades", rows)

    def _ticker(self, market: Market, *, whole: bool) -> bytes:
        spec = market.spec

        def price(value: float) -> str:
            return spec.price_text(round(value / spec.tick_usd))

        row: dict[str, object] = {"contract": spec.symbol, "last": price(market.last), "mark_price": price(market.mark)}
        if whole:
            row |= {
                "index_price": price(market.index),
                "funding_rate": f"{market.funding_rate:.8f}",
                "funding_interval": FUNDING_HOURS * 3600,
                "funding_next_apply": next_funding(self.stamp) // 1000,
                "total_size": spec.size_text(market.ledger.open_interest),
                "t": self.stamp,
            }
        return self._said("futures.tickers", [row])

    def _liquidations(self, symbol: str) -> bytes:
        spec, rows = self.markets[symbol].spec, []
        for each in self._prints[symbol][:BATCH]:
            rows.append(
                {
                    "price": spec.price_text(round(each.bankruptcy / spec.tick_usd)),
                    "size": ("" if each.sign > 0 else "-") + spec.size_text(each.filled),  # of the position
                    "time": self.clock.at(each.at_ms),
                    "contract": symbol,
                }
            )
        del self._prints[symbol][:BATCH]
        return self._said("futures.public_liquidates", rows)

    def cross(self, symbol: str) -> None:
        for stream in self._streams[symbol].values():
            stream.window.cross()

    def restart(self, symbol: str) -> list[Keyed]:
        """A whole frame at any time replaces the book."""
        frames = []
        for depth, stream in self._streams[symbol].items():
            stream.last = FIRST_ID // 2
            frames.append((f"futures.obu:ob.{symbol}.{depth}", self._book(symbol, depth, stream.window.levels(), None)))
        return frames

    # -- a recording
    @classmethod
    def standing(cls, key: str, book: Standing) -> list[bytes]:
        result = {"t": book.time_ms, "full": True, "s": key.partition(":")[2], "u": book.last_id}
        result |= {"b": book.bids, "a": book.asks}
        head = {"time": book.time_ms // 1000, "time_ms": book.time_ms, "channel": "futures.obu", "event": "update"}
        return [orjson.dumps({**head, "result": result})]

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        name = path.removeprefix("/api/v4/futures/usdt/")
        symbol = query.get("contract", "")
        if symbol and symbol not in self.markets:
            return RestReply(400, b'{"label":"CONTRACT_NOT_FOUND","message":"contract not found"}')
        match name:
            case "contracts":
                rows = [listed(market.spec) for market in self.markets.values()]
                if self.lists_others and rows:
                    rows.append({**rows[0], "name": "SIM_USDT", "status": "delisting", "in_delisting": True})
                return RestReply(200, orjson.dumps(rows))
            case "tickers":
                bodies = [orjson.loads(self._ticker(market, whole=True)) for market in self.markets.values()]
                return RestReply(200, orjson.dumps([body["result"][0] for body in bodies]))
            case "candlesticks" if symbol:
                hours = newest(self.hours(symbol), query.get("limit", ""), 2000)
                if hours is None or query.get("interval") != "1h":  # the only one simulated
                    return RestReply(400, b'{"label":"INVALID_PARAM_VALUE","message":"invalid interval or limit"}')
                return RestReply(200, orjson.dumps(gate(self.markets[symbol].spec, hours)))
            case "risk_limit_tiers":
                rows = [
                    {
                        "tier": at,
                        "risk_limit": limit,
                        "initial_rate": f"{1 / int(leverage):.6f}",
                        "maintenance_rate": ratio,
                        "leverage_max": leverage,
                        "contract": symbol,
                        "deduction": deduction,
                    }
                    for at, (limit, ratio, leverage, deduction) in enumerate(TIERS, 1)
                ]
                return RestReply(200, orjson.dumps(rows))
        return None


def listed(spec: MarketSpec) -> dict[str, object]:
    return {
        "name": spec.symbol,
        "type": "direct",
        "quanto_multiplier": f"{spec.contract_size:f}",
        "order_price_round": spec.price_text(1),
        "order_size_min": spec.size_text(1) if spec.lot_size < 1 else 1,
        "enable_decimal": spec.lot_size < Decimal(1),
        "leverage_max": "125",
        "maintenance_rate": "0.004",
        "funding_interval": FUNDING_HOURS * 3600,
        "status": "trading",
        "in_delisting": False,
    }
