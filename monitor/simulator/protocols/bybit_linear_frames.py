"""Frames and REST bodies of Bybit linear, written from simulated markets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import orjson

from monitor.simulator.market import LiquidationPrint, Market
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.bybit_linear import rest_body
from monitor.simulator.protocols.bybit_linear_listing import IN_USDT, Tier, listed, risk_limits
from monitor.simulator.protocols.frames import FUNDING_HOURS, Keyed, Standing, VenueClock, VenueFrames, next_funding
from monitor.simulator.protocols.histories import bybit, newest
from monitor.simulator.source import RestReply
from monitor.simulator.specs import MINOR, SMALL, Size, market_spec
from monitor.simulator.streams import Changes, Row, WindowStream

# Push interval by depth. The venue pushes depth 1 every 10 ms and 50 every 20 ms; the simulated world moves every 50 ms.
CADENCES_MS = {1: 50, 50: 50, 200: 100, 1000: 200}
ALWAYS = 1000
TICKER_MS = 100
LIQUIDATIONS_MS = 500
MAX_TRADES = 1024  # in one message
PAGE_ROWS = 40  # less than the venue's 1,000, so that a client must follow nextPageCursor with few symbols listed
FILLERS = 60
FIRST_ID = 177_000_000
MARKETS = (
    market_spec(
        "bybit_linear", "BTC", "BTCUSDT", tick="0.1", lot="0.001", price_places=2, size=Size(28e6, 4.0e9, 12.0, 220.0)
    ),
    market_spec("bybit_linear", "ETH", "ETHUSDT", tick="0.01", lot="0.01", size=Size(14e6, 2.0e9, 8.0, 180.0)),
    market_spec("bybit_linear", "SOL", "SOLUSDT", tick="0.01", lot="0.1", size=SMALL),
    market_spec("bybit_linear", "XRP", "XRPUSDT", tick="0.0001", lot="0.1", size=SMALL),
    market_spec("bybit_linear", "PEPE", "1000PEPEUSDT", tick="0.0000001", lot="100", multiplier=1000, size=SMALL),
    market_spec("bybit_linear", "DOGE", "DOGEUSDT", tick="0.00001", lot="1", size=MINOR),
    market_spec("bybit_linear", "BNB", "BNBUSDT", tick="0.1", lot="0.01", size=MINOR),
)


class _Window:
    __slots__ = ("book", "every", "update")

    def __init__(self, market: Market, depth: int, every: int) -> None:
        self.book, self.every, self.update = WindowStream(market.book, depth), every, FIRST_ID


class BybitFrames(VenueFrames):
    """One category. `always`: the depths kept whether or not somebody listens."""

    venue: ClassVar[str] = "bybit_linear"
    category: ClassVar[str] = "linear"
    always: ClassVar[tuple[int, ...]] = (ALWAYS,)
    paths: ClassVar[tuple[str, ...]] = (
        "/v5/market/instruments-info",
        "/v5/market/orderbook",
        "/v5/market/tickers",
        "/v5/market/open-interest",
        "/v5/market/risk-limit",
        "/v5/market/account-ratio",
        "/v5/market/kline",
    )
    tiers: ClassVar[tuple[Tier, ...]] = IN_USDT

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self._sequence = 66_000_000_000
        self._windows = {s: {n: _Window(m, n, CADENCES_MS[n]) for n in self.always} for s, m in self.markets.items()}
        self._tickers: dict[str, dict[str, str]] = {s: self._ticker(m) for s, m in self.markets.items()}
        self._prints: dict[str, list[LiquidationPrint]] = {s: [] for s in self.markets}
        self._trade = 0
        self.notices: list[dict[str, object]] = []  # rows of the venue's status page

    # -- streams
    def knows(self, key: str) -> bool:
        kind, _, rest = key.partition(".")
        if kind == "orderbook":
            depth, _, symbol = rest.partition(".")
            return depth.isdigit() and int(depth) in CADENCES_MS and symbol in self.markets
        if kind == "system":
            return key == "system.status"
        return kind in ("publicTrade", "tickers", "allLiquidation") and rest in self.markets

    def opening(self, key: str) -> list[bytes]:
        kind, _, rest = key.partition(".")
        if kind == "orderbook":
            depth, _, symbol = rest.partition(".")
            windows = self._windows[symbol]
            if int(depth) not in windows:
                windows[int(depth)] = _Window(self.markets[symbol], int(depth), CADENCES_MS[int(depth)])
            return [self._book(symbol, int(depth), "snapshot", windows[int(depth)].book.levels())]
        if kind == "tickers":
            return [self._ticker_frame(rest, "snapshot", self._tickers[rest])]
        return []

    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterator[Keyed]:
        self.now_ms = now_ms
        for symbol, market in self.markets.items():
            self._sequence += 11 + len(touched[symbol])
            for start in range(0, len(market.trades), MAX_TRADES):
                yield f"publicTrade.{symbol}", self._trades(symbol, market, start)
            yield from self._books(symbol, touched[symbol])
            yield from self._figures(symbol, market)

    def _books(self, symbol: str, touched: Ints) -> Iterator[Keyed]:
        for depth, window in self._windows[symbol].items():
            if self.now_ms % window.every == 0:
                changes = window.book.flush()
                if changes:
                    window.update += 1
                    kind = "snapshot" if depth == 1 else "delta"
                    rows = window.book.levels() if depth == 1 else changes
                    yield f"orderbook.{depth}.{symbol}", self._book(symbol, depth, kind, rows)

    def _figures(self, symbol: str, market: Market) -> Iterator[Keyed]:
        if self.now_ms % TICKER_MS == 0:
            now = self._ticker(market)
            changed = {name: value for name, value in now.items() if self._tickers[symbol][name] != value}
            self._tickers[symbol] = now
            if changed:
                yield f"tickers.{symbol}", self._ticker_frame(symbol, "delta", changed)
        self._prints[symbol].extend(market.liquidations)
        if self.now_ms % LIQUIDATIONS_MS == 0 and self._prints[symbol]:
            yield f"allLiquidation.{symbol}", self._liquidations(symbol)

    def cross(self, symbol: str) -> None:
        for window in self._windows[symbol].values():
            window.book.cross()

    def restart(self, symbol: str) -> list[Keyed]:
        """A service restart: a snapshot with u = 1 replaces the book."""
        frames = []
        for depth, window in self._windows[symbol].items():
            window.update = 1
            frames.append((f"orderbook.{depth}.{symbol}", self._book(symbol, depth, "snapshot", window.book.levels())))
        return frames

    def _book(self, symbol: str, depth: int, kind: str, rows: Changes) -> bytes:
        window, now = self._windows[symbol][depth], self.stamp
        return (
            f'{{"topic":"orderbook.{depth}.{symbol}","type":"{kind}","ts":{now},"data":{{"s":"{symbol}",'
            f'"b":[{self._rows(symbol, rows.bids[::-1])}],"a":[{self._rows(symbol, rows.asks)}],'
            f'"u":{window.update},"seq":{self._sequence}}},"cts":{now - 2}}}'
        ).encode()

    def _rows(self, symbol: str, rows: Sequence[Row]) -> str:
        spec = self.markets[symbol].spec
        price, size = spec.price_text, spec.size_text
        return ",".join([f'["{price(tick)}","{size(lots) if lots else "0"}"]' for tick, lots in rows])

    def _trades(self, symbol: str, market: Market, start: int) -> bytes:
        spec, now, rows = market.spec, self.stamp, []
        for trade in market.trades[start : start + MAX_TRADES]:
            self._trade += 1
            identifier = f"20f43950-d8dd-5b31-9112-{self._trade:012x}"
            rows.append(
                f'{{"T":{self.clock.at(trade.at_ms)},"s":"{symbol}","S":"{"Buy" if trade.side > 0 else "Sell"}",'
                f'"v":"{spec.size_text(trade.lots)}","p":"{spec.price_text(trade.tick)}","L":"ZeroMinusTick",'
                f'"i":"{identifier}","BT":false,"RPI":false,"seq":{self._sequence}}}'
            )
        return f'{{"topic":"publicTrade.{symbol}","type":"snapshot","ts":{now},"data":[{",".join(rows)}]}}'.encode()

    def _liquidations(self, symbol: str) -> bytes:
        spec = self.markets[symbol].spec
        rows = [
            # S is the side of the position: Buy = a long was liquidated. p is the bankruptcy price.
            f'{{"T":{self.clock.at(p.at_ms)},"s":"{symbol}","S":"{"Buy" if p.sign > 0 else "Sell"}",'
            f'"v":"{spec.size_text(p.filled)}","p":"{spec.price_text(round(p.bankruptcy / spec.tick_usd))}"}}'
            for p in self._prints[symbol]
        ]
        self._prints[symbol].clear()
        return f'{{"topic":"allLiquidation.{symbol}","type":"snapshot","ts":{self.stamp},"data":[{",".join(rows)}]}}'.encode()

    def _ticker(self, market: Market) -> dict[str, str]:
        spec, book, interest = market.spec, market.book, market.ledger.open_interest
        text, size = spec.price_text, spec.size_text
        ask = min(book.best_ask, book.size - 1)
        # In quote currency; of inverse contracts in coins.
        value = interest * (spec.base(market.mark) if spec.kind == "inverse" else spec.worth(market.mark))
        return {
            "symbol": spec.symbol,
            "lastPrice": text(round(market.last / spec.tick_usd)),
            "markPrice": text(round(market.mark / spec.tick_usd)),
            "indexPrice": text(round(market.index / spec.tick_usd)),
            # openInterest counts both sides, single* one: what other venues call open interest.
            "openInterest": size(2 * interest),
            "openInterestValue": f"{2 * value:.2f}",
            "singleOpenInterest": size(interest),
            "singleOpenInterestValue": f"{value:.2f}",
            "fundingRate": f"{market.funding_rate:.8f}",
            "nextFundingTime": str(next_funding(self.stamp)),
            "fundingIntervalHour": str(FUNDING_HOURS),
            "fundingCap": "0.005",
            "bid1Price": text(book.low + max(0, book.best_bid)),
            "bid1Size": size(abs(int(book.lots[max(0, book.best_bid)]))),
            "ask1Price": text(book.low + ask),
            "ask1Size": size(abs(int(book.lots[ask]))),
        }

    def _ticker_frame(self, symbol: str, kind: str, fields: Mapping[str, str]) -> bytes:
        data = orjson.dumps({"symbol": symbol, **fields}).decode()
        return f'{{"topic":"tickers.{symbol}","type":"{kind}","data":{data},"cs":{self._sequence},"ts":{self.stamp}}}'.encode()

    # -- a recording
    @classmethod
    def same_book(cls, key: str) -> str:
        return f"orderbook.{key.rsplit('.', 1)[-1]}" if key.startswith("orderbook.") else ""

    @classmethod
    def standing(cls, key: str, book: Standing) -> list[bytes]:
        data = {"s": book.symbol, "b": book.bids, "a": book.asks, "u": book.last_id, "seq": book.last_id}
        return [orjson.dumps({"topic": key, "type": "snapshot", "ts": book.time_ms, "data": data, "cts": book.time_ms})]

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        if path == "/v5/market/time":
            seconds = self.stamp // 1000
            return self._reply({"timeSecond": str(seconds), "timeNano": str(self.stamp * 1_000_000)})
        if path == "/v5/system/status":
            return self._reply({"list": self.notices})
        if path not in self.paths:
            return None
        symbol = query.get("symbol", "")
        if query.get("category") != self.category:
            return self._reply({}, 10001, "params error: Category is invalid")
        if path.endswith("instruments-info"):
            return self._instruments(query)
        if path.endswith("tickers") and not symbol:
            return self._reply({"category": self.category, "list": list(self._tickers.values())})
        if symbol not in self.markets:
            return self._reply({}, 10001, "params error: symbol invalid")
        if path.endswith("risk-limit"):
            rows = risk_limits(symbol, self.tiers)
            return self._reply({"category": self.category, "list": rows, "nextPageCursor": ""})
        if path.endswith("kline"):
            return self._candles(symbol, query)
        if path.endswith("account-ratio"):
            share = self.long_share(symbol)
            row = {"buyRatio": f"{share:.4f}", "sellRatio": f"{1 - share:.4f}", "timestamp": str(self.stamp)}
            return self._reply({"list": [{"symbol": symbol, **row}], "nextPageCursor": ""})
        if path.endswith("orderbook"):
            return self._snapshot(symbol, query.get("limit", "25"))
        if path.endswith("tickers"):
            return self._reply({"category": self.category, "list": [self._tickers[symbol]]})
        both = self._tickers[symbol]["openInterest"]
        rows = [{"openInterest": both, "timestamp": str(self.stamp)}]
        return self._reply({"symbol": symbol, "category": self.category, "list": rows, "nextPageCursor": ""})

    def _candles(self, symbol: str, query: Mapping[str, str]) -> RestReply:
        rows = newest(self.hours(symbol), query.get("limit", ""), 1000, 200)
        if rows is None or query.get("interval") != "60":  # the only one simulated
            return self._reply({}, 10001, "params error: Invalid period!")
        result = {"symbol": symbol, "category": self.category, "list": bybit(self.markets[symbol].spec, rows)}
        return self._reply(result)

    def _snapshot(self, symbol: str, limit: str) -> RestReply:
        if not limit.isdigit() or not 1 <= int(limit) <= ALWAYS:
            return self._reply({}, 10001, "params error: Limit is invalid")
        window, count = self._windows[symbol][ALWAYS], int(limit)
        rows, spec, now = window.book.levels(), self.markets[symbol].spec, self.stamp
        sides = (rows.bids[::-1][:count], rows.asks[:count])
        bids, asks = ([[spec.price_text(t), spec.size_text(q)] for t, q in side] for side in sides)
        result = {
            "s": symbol,
            "b": bids,
            "a": asks,
            "ts": now,
            "u": window.update,
            "seq": self._sequence,
            "cts": now - 2,
        }
        return self._reply(result)

    def _instruments(self, query: Mapping[str, str]) -> RestReply:
        rows = self._listing()
        if query.get("symbol"):
            rows = [row for row in rows if row["symbol"] == query["symbol"]]
        limit, cursor = query.get("limit", "500"), query.get("cursor", "")
        if not limit.isdigit() or not 1 <= int(limit) <= 1000 or (cursor and not cursor.isdigit()):
            return self._reply({}, 10001, "params error: limit or cursor is invalid")
        start = int(cursor or 0)
        stop = start + min(int(limit), PAGE_ROWS)
        following = str(stop) if stop < len(rows) else ""
        return self._reply({"category": self.category, "list": rows[start:stop], "nextPageCursor": following})

    def _listing(self) -> list[dict[str, object]]:
        names = [f"SIM{number:03d}" for number in range(FILLERS if self.lists_others else 0)]
        rows = [listed(f"{name}USDT", name, "0.0001", "1") for name in names]
        return rows + [
            listed(symbol, market.spec.coin, market.spec.price_text(1), market.spec.size_text(1), market.spec.quote)
            for symbol, market in self.markets.items()
        ]

    def _reply(self, result: object, code: int = 0, text: str = "OK") -> RestReply:
        return RestReply(200, rest_body(code, text, result, self.stamp))
