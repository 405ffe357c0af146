"""Frames and REST bodies of KuCoin Futures, written from simulated markets. Sizes are lots; times of the newer socket are in ns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import orjson

from monitor.simulator.market import Market, Trade
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.frames import (
    FUNDING_MS,
    Keyed,
    Standing,
    TextRow,
    VenueClock,
    VenueFrames,
    next_funding,
)
from monitor.simulator.source import RestReply
from monitor.simulator.specs import MIDDLE, SMALL, MarketSpec, Size, market_spec
from monitor.simulator.streams import Changes, Row, WindowStream, standing

BASE = "/api/v1"
DEPTH = "increment@10ms"
DEPTHS = (DEPTH,)
LEVELS, SNAPSHOT_LEVELS = 500, 1000
MARK_MS, FUNDING_PUSH_MS = 1_000, 60_000
MS = 1_000_000
PUSH_NS = 841_662  # between the engine's time of a frame and its push
FIRST_ID, FIRST_TRADE = 1_747_821_262_584, 1_905_973_690_439
TOKEN = "2neAiuYvAU61ZDXANAGAsiL4-iAExhsBXZxftpOeh_55i3Ysy2q2LEsEWU64mdzUOPusi34M.rIAVDSL657g7mnAiHkH5aA=="
INSTRUMENT = "/contract/instrument"
# Level's end, maintenance ratio, leverage; positions in the quote currency, of inverse contracts in coins.
LIMITS = ((100_000, 0.004, 125), (500_000, 0.005, 100), (2_000_000, 0.01, 50))
INVERSE_LIMITS = ((2, 0.004, 125), (10, 0.005, 100), (40, 0.01, 50))

MARKETS = (
    market_spec("kucoin_futures", "BTC", "XBTUSDTM", tick="0.1", lot="1", contract="0.001", trimmed=True, size=MIDDLE),
    market_spec("kucoin_futures", "ETH", "ETHUSDTM", tick="0.01", lot="1", contract="0.01", trimmed=True, size=SMALL),
    market_spec("kucoin_futures", "DOGE", "DOGEUSDTM", tick="0.00001", lot="1", contract="100", trimmed=True, size=SMALL),
    market_spec("kucoin_futures", "PEPE", "1000PEPEUSDTM", tick="0.0000001", lot="1", contract="100", multiplier=1000, trimmed=True, size=SMALL),
    market_spec("kucoin_futures", "BTC", "XBTUSDM", tick="0.1", lot="1", kind="inverse", quote="USD", trimmed=True, size=Size(4e6, 1e8, 1.5, 40.0)),
)  # fmt: skip


class KucoinFuturesFrames(VenueFrames):
    venue: ClassVar[str] = "kucoin_futures"

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self._books = {symbol: WindowStream(market.book, LEVELS) for symbol, market in self.markets.items()}
        self._last = dict.fromkeys(self.markets, FIRST_ID)
        self._before: dict[str, bytes] = {}  # the last change of each book
        self._trades = dict.fromkeys(self.markets, FIRST_TRADE)

    # -- streams
    def knows(self, key: str) -> bool:
        name, _, symbol = key.partition(":")
        return name in ("obu", "trade", INSTRUMENT) and symbol in self.markets

    def opening(self, key: str) -> list[bytes]:
        """A new reader of a book hears a change before the whole: it means nothing to him."""
        name, _, symbol = key.partition(":")
        if name != "obu":
            return []
        bids, asks = self._sides(symbol, self._books[symbol].levels())
        last = self._last[symbol]
        early = [self._before[symbol]] if symbol in self._before else []
        return [*early, book_frame(symbol, "snapshot", bids, asks, (last, last), self.stamp)]

    @classmethod
    def standing(cls, key: str, book: Standing) -> list[bytes]:
        if not key.startswith("obu:"):
            return []
        ids = (book.last_id, book.last_id)
        return [book_frame(book.symbol, "snapshot", book.bids, book.asks, ids, book.time_ms)]

    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterator[Keyed]:
        self.now_ms = now_ms
        for symbol, market in self.markets.items():
            for trade in market.trades:
                yield f"trade:{symbol}", self._trade(market.spec, trade)
            if changes := self._books[symbol].flush():
                yield f"obu:{symbol}", self._delta(symbol, changes)
            if now_ms % MARK_MS == 0:
                yield f"{INSTRUMENT}:{symbol}", self._mark(market)
            if now_ms % FUNDING_PUSH_MS == 0:
                yield f"{INSTRUMENT}:{symbol}", self._funding(market)

    def _sides(self, symbol: str, rows: Changes) -> tuple[list[TextRow], list[TextRow]]:
        spec = self.markets[symbol].spec

        def side(levels: Sequence[Row]) -> list[TextRow]:
            return [(spec.price_text(tick), spec.size_text(lots)) for tick, lots in levels]

        bids, asks = rows.best_first
        return side(bids), side(asks)

    def _delta(self, symbol: str, changes: Changes) -> bytes:
        bids, asks = self._sides(symbol, changes)
        first = self._last[symbol] + 1
        self._last[symbol] += len(bids) + len(asks)
        self._before[symbol] = book_frame(symbol, "delta", bids, asks, (first, self._last[symbol]), self.stamp)
        return self._before[symbol]

    def _trade(self, spec: MarketSpec, trade: Trade) -> bytes:
        self._trades[spec.symbol] += 1
        number, at = self._trades[spec.symbol], self.clock.at(trade.at_ms) * MS
        row: dict[str, object] = {"p": spec.price_text(trade.tick), "q": spec.size_text(trade.lots), "s": spec.symbol}
        row |= {
            "S": "buy" if trade.side > 0 else "sell",
            "E": number,
            "ti": str(number),
            "rpi": number % 10 == 0,
            "M": at,
        }
        return orjson.dumps({"T": "trade.FUTURES", "P": self.stamp * MS + PUSH_NS, "d": row})

    def _mark(self, market: Market) -> bytes:
        data = {"markPrice": market.mark, "indexPrice": market.index, "granularity": 1000}
        data = {name: _rounded(value, market.spec) for name, value in data.items()}
        return self._older(market.spec.symbol, "mark.index.price", {**data, "timestamp": self.stamp // 1000 * 1000})

    def _funding(self, market: Market) -> bytes:
        data = {"granularity": 60_000, "fundingRate": round(market.funding_rate, 6), "timestamp": self.stamp}
        return self._older(market.spec.symbol, "funding.rate", data)

    @staticmethod
    def _older(symbol: str, subject: str, data: object) -> bytes:
        return orjson.dumps({"topic": f"{INSTRUMENT}:{symbol}", "type": "message", "subject": subject, "data": data})

    def cross(self, symbol: str) -> None:
        self._books[symbol].cross()

    def restart(self, symbol: str) -> list[Keyed]:
        """Not told: the changes begin at another number."""
        self._last[symbol] += 1_000_000
        return []

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        name = path.removeprefix(f"{BASE}/")
        if name == "bullet-public":
            server: dict[str, object] = {
                "endpoint": "wss://ws-api-futures.kucoin.com/",
                "encrypt": True,
                "protocol": "websocket",
            }
            server |= {"pingInterval": 18_000, "pingTimeout": 10_000}
            return _reply({"token": TOKEN, "instanceServers": [server]})
        if name == "status":
            return _reply({"status": "open", "msg": ""})
        if name == "contracts/active":
            strange = [_before_its_market(self.stamp)] if self.lists_others else []
            return _reply([*(self._listed(market) for market in self.markets.values()), *strange])
        if name == "level2/snapshot":
            return self._snapshot(query.get("symbol", ""))
        head, found, symbol = name.partition("contracts/risk-limit/")
        if found and not head:
            return _reply(_levels(self.markets[symbol].spec)) if symbol in self.markets else NO_SYMBOL
        return None

    def _snapshot(self, symbol: str) -> RestReply:
        if symbol not in self.markets:
            return NO_SYMBOL
        bids, asks = self._sides(symbol, standing(self.markets[symbol].book, SNAPSHOT_LEVELS))
        return _snapshot_reply(symbol, bids, asks, self._last[symbol], self.stamp)

    @classmethod
    def standing_reply(cls, path: str, query: Mapping[str, str], book: Standing) -> RestReply | None:
        if path != f"{BASE}/level2/snapshot":
            return None
        return _snapshot_reply(book.symbol, book.bids, book.asks, book.last_id, book.time_ms)

    def _listed(self, market: Market) -> dict[str, object]:
        spec, inverse = market.spec, market.spec.kind == "inverse"
        coin = {"BTC": "XBT"}.get(spec.coin, spec.coin)
        due = next_funding(self.stamp)
        return {
            "symbol": spec.symbol,
            "rootSymbol": coin if inverse else spec.quote,
            "type": "FFWCSX",
            "baseCurrency": coin,
            "quoteCurrency": spec.quote,
            "settleCurrency": coin if inverse else spec.quote,
            "lotSize": 1,
            "tickSize": float(spec.tick_size),
            "multiplier": -1 if inverse else float(spec.contract_size),
            "initialMargin": 0.008,
            "maintainMargin": 0.004,
            "isInverse": inverse,
            "status": "Open",
            "marketStage": "NORMAL",
            "fundingFeeRate": round(market.funding_rate, 6),
            "fundingRateGranularity": FUNDING_MS,
            "nextFundingRateTime": due - self.stamp,
            "nextFundingRateDateTime": due,
            "openInterest": spec.size_text(market.ledger.open_interest),
            "markPrice": _rounded(market.mark, spec),
            "indexPrice": _rounded(market.index, spec),
            "maxLeverage": 125,
        }


NO_SYMBOL = RestReply(200, b'{"code":"200003","msg":"Invalid symbol"}')


def book_frame(
    symbol: str, kind: str, bids: Sequence[TextRow], asks: Sequence[TextRow], ids: tuple[int, int], now_ms: int
) -> bytes:
    """ids: of the first and the last change. A whole book has its market right behind the levels, a change further on."""
    data: dict[str, object] = {"a": asks, "b": bids}
    if kind == "snapshot":
        data |= {"s": symbol, "C": ids[1], "M": now_ms * MS, "O": ids[0]}
    else:
        data |= {"C": ids[1], "s": symbol, "M": now_ms * MS, "O": ids[0]}
    return orjson.dumps({"T": "obu.FUTURES", "dp": DEPTH, "t": kind, "P": now_ms * MS + PUSH_NS, "d": data})


def _rounded(value: float, spec: MarketSpec) -> float:
    """Prices that are not of the book have one decimal more."""
    return round(value * spec.multiplier, spec.price_text.places + 1)


def _reply(data: object) -> RestReply:
    return RestReply(200, orjson.dumps({"code": "200000", "data": data}))


def _snapshot_reply(
    symbol: str, bids: Sequence[TextRow], asks: Sequence[TextRow], last_id: int, now_ms: int
) -> RestReply:
    sides = {name: [[price, int(size)] for price, size in side] for name, side in (("bids", bids), ("asks", asks))}
    return _reply({"sequence": last_id, "symbol": symbol, **sides, "ts": now_ms * MS})


def _levels(spec: MarketSpec) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    reached = 0
    for level, (limit, ratio, leverage) in enumerate(INVERSE_LIMITS if spec.kind == "inverse" else LIMITS, 1):
        row = {"symbol": spec.symbol, "level": level, "maxRiskLimit": limit, "minRiskLimit": reached}
        rows.append({**row, "maxLeverage": leverage, "initialMargin": 1 / leverage, "maintainMargin": ratio})
        reached = limit
    return rows


def _before_its_market(now_ms: int) -> dict[str, object]:
    """A contract whose index is its own price: not for measuring."""
    row = {
        "symbol": "NEWUSDTM",
        "type": "FFWCSX",
        "baseCurrency": "NEW",
        "quoteCurrency": "USDT",
        "settleCurrency": "USDT",
    }
    sizes = {
        "lotSize": 1,
        "tickSize": 0.001,
        "multiplier": 1.0,
        "isInverse": False,
        "status": "Open",
        "openInterest": "5",
    }
    funding = {
        "fundingFeeRate": 0.0,
        "fundingRateGranularity": FUNDING_MS,
        "nextFundingRateDateTime": next_funding(now_ms),
    }
    return {**row, **sizes, **funding, "marketStage": "PRE_MARKET"}
