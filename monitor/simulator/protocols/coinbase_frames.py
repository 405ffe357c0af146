"""Frames and REST bodies of Coinbase, written from simulated markets. Sizes are coins, all numbers are texts.

Books are whole and sent change by change, in lists of events (`level2` of Advanced); trades are single messages whose side is the
maker's (`matches` of the Exchange feed). A frame goes out with number 0: the connection gives it its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar
from uuid import UUID

import orjson

from monitor.simulator.market import Market
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.coinbase import rfc3339
from monitor.simulator.protocols.frames import Keyed, Standing, TextRow, VenueClock, VenueFrames
from monitor.simulator.protocols.histories import coinbase
from monitor.simulator.source import RestReply
from monitor.simulator.specs import CURRENCY, MIDDLE, MINOR, MarketSpec, Size, market_spec
from monitor.simulator.streams import Changes, DiffStream, Row, standing

BOOK_MS = 50
LISTED_MS = 1_000  # heartbeats; and the frames that hold two events
FIRST_TRADE, FIRST_SEQUENCE = 995_098_700, 50_000_000
MILLISECOND = 1_000_000
NUMBER = re.compile(rb'"sequence_num":\d+,')
PRODUCTS = "/api/v3/brokerage/market/products"
CANDLES = re.compile(r"/products/([^/]+)/candles")

MARKETS = (
    market_spec("coinbase", "BTC", "BTC-USD", tick="0.1", lot="0.00000001", kind="spot", quote="USD", trimmed=True, price_places=2, size=MIDDLE),
    market_spec("coinbase", "ETH", "ETH-USD", tick="0.01", lot="0.00000001", kind="spot", quote="USD", trimmed=True, size=Size(12e6, 0.0, 7.0, 140.0)),
    market_spec("coinbase", "SOL", "SOL-USD", tick="0.01", lot="0.00000001", kind="spot", quote="USD", trimmed=True, size=Size(6e6, 0.0, 4.0, 90.0)),
    market_spec("coinbase", "USDT", "USDT-USD", tick="0.00001", lot="0.01", kind="spot", quote="USD", trimmed=True, size=CURRENCY),
    market_spec("coinbase", "XRP", "XRP-USD", tick="0.0001", lot="0.000001", kind="spot", quote="USD", trimmed=True, size=MINOR),
)  # fmt: skip


class CoinbaseFrames(VenueFrames):
    venue: ClassVar[str] = "coinbase"

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self._books = {symbol: DiffStream(market.book) for symbol, market in self.markets.items()}
        self._trades = dict.fromkeys(self.markets, FIRST_TRADE)
        self._sequences = dict.fromkeys(self.markets, FIRST_SEQUENCE)
        self._last: dict[str, str] = {}

    # -- streams
    def knows(self, key: str) -> bool:
        channel, _, symbol = key.partition(":")
        return channel in ("level2", "matches", "heartbeat") and symbol in self.markets

    def opening(self, key: str) -> list[bytes]:
        channel, _, symbol = key.partition(":")
        if channel == "level2":
            rows = self._texts(symbol, standing(self.markets[symbol].book))
            return [book_frame(self.stamp, _event("snapshot", symbol, self.stamp, *rows))]
        if channel == "matches" and symbol in self._last:
            return [f'{{"type":"last_match",{self._last[symbol]}}}'.encode()]
        return []

    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterator[Keyed]:
        self.now_ms = now_ms
        for symbol, market in self.markets.items():
            for trade in market.trades:
                self._last[symbol] = self._match(symbol, market.spec, trade.tick, trade.lots, trade.side, trade.at_ms)
                yield f"matches:{symbol}", f'{{"type":"match",{self._last[symbol]}}}'.encode()
            self._books[symbol].collect(touched[symbol])
            if now_ms % BOOK_MS == 0:
                changes = self._books[symbol].flush()
                if changes or now_ms % LISTED_MS == 0:  # a list of no updates is usual
                    yield f"level2:{symbol}", self._changed(symbol, changes, two=now_ms % LISTED_MS == 0)
            if now_ms % LISTED_MS == 0:
                yield f"heartbeat:{symbol}", self._heartbeat(symbol)

    def _changed(self, symbol: str, changes: Changes, *, two: bool) -> bytes:
        """One event, or two: what leaves before what comes, so that the book is not crossed in between."""
        if not two:
            return book_frame(self.stamp, _event("update", symbol, self.stamp, *self._texts(symbol, changes)))
        parts = [
            Changes(*([row for row in side if (row[1] == 0) is leaves] for side in (changes.bids, changes.asks)))
            for leaves in (True, False)
        ]
        events = [_event("update", symbol, self.stamp, *self._texts(symbol, part)) for part in parts]
        return book_frame(self.stamp, *events)

    def _texts(self, symbol: str, rows: Changes) -> tuple[list[TextRow], list[TextRow]]:
        spec = self.markets[symbol].spec

        def side(found: Sequence[Row]) -> list[TextRow]:
            return [(spec.price_text(tick), spec.size_text(lots)) for tick, lots in found]

        bids, asks = rows.best_first
        return side(bids), side(asks)

    def _match(self, symbol: str, spec: MarketSpec, tick: int, lots: int, side: int, at_ms: int) -> str:
        self._trades[symbol] += 1
        self._sequences[symbol] += 3
        number = self._trades[symbol]
        return (
            f'"trade_id":{number},"maker_order_id":"{UUID(int=number)}","taker_order_id":"{UUID(int=number << 64)}",'
            f'"side":"{"sell" if side > 0 else "buy"}","size":"{spec.size_text(lots)}","price":"{spec.price_text(tick)}",'
            f'"product_id":"{symbol}","sequence":{self._sequences[symbol]},"time":"{_time(self.clock.at(at_ms))}"'
        )

    def _heartbeat(self, symbol: str) -> bytes:
        self._sequences[symbol] += 1
        return (
            f'{{"type":"heartbeat","last_trade_id":{self._trades[symbol]},"product_id":"{symbol}",'
            f'"sequence":{self._sequences[symbol]},"time":"{_time(self.stamp)}"}}'
        ).encode()

    def cross(self, symbol: str) -> None:
        self._books[symbol].cross()

    def restart(self, symbol: str) -> list[Keyed]:
        """Not told: sockets are cut."""
        return []

    @classmethod
    def recorded(cls, key: str, data: bytes) -> tuple[str, bytes]:
        return key, NUMBER.sub(b'"sequence_num":0,', data, count=1) if key.startswith("level2:") else data

    @classmethod
    def standing(cls, key: str, book: Standing) -> list[bytes]:
        if not key.startswith("level2:"):
            return []
        return [book_frame(book.time_ms, _event("snapshot", book.symbol, book.time_ms, book.bids, book.asks))]

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        if (found := CANDLES.fullmatch(path)) and found[1] in self.markets:
            if query != {"granularity": "3600"}:  # the only one simulated, and no range of it
                return RestReply(400, b'{"message":"Unsupported granularity"}')
            return RestReply(200, orjson.dumps(coinbase(self.markets[found[1]].spec, self.hours(found[1]))))
        if path != PRODUCTS:
            return None
        rows = [_listed(market.spec) for market in self.markets.values()]
        if self.lists_others:
            rows += [
                {**_listed(market.spec), "product_id": f"{market.spec.asset}-USDC", "quote_currency_id": "USDC"}
                | {"alias": market.spec.symbol, "alias_to": []}
                for market in self.markets.values()
                if market.spec.asset in ("BTC", "ETH")
            ]
            paused = {"product_id": "BTC-PERP-INTX", "product_type": "FUTURE", "status": "", "trading_disabled": True}
            halted = {"product_id": "GONE-USD", "base_currency_id": "GONE", "trading_disabled": True}
            rows += [{**rows[0], **other, "alias_to": []} for other in (paused, halted)]
        wanted = query.get("product_type")
        rows = [row for row in rows if wanted in (None, row["product_type"])]
        body = {"products": rows, "num_products": len(rows), "pagination": None}
        return RestReply(200, orjson.dumps(body))


def book_frame(now_ms: int, *events: str) -> bytes:
    return (
        f'{{"channel":"l2_data","client_id":"","timestamp":"{_time(now_ms)}","sequence_num":0,"events":[{",".join(events)}]}}'
    ).encode()


def _event(kind: str, symbol: str, now_ms: int, bids: Sequence[TextRow], asks: Sequence[TextRow]) -> str:
    time = _time(now_ms)
    rows = ",".join(
        f'{{"side":"{side}","event_time":"{time}","price_level":"{price}","new_quantity":"{size}"}}'
        for side, found in (("bid", bids), ("offer", asks))
        for price, size in found
    )
    return f'{{"type":"{kind}","product_id":"{symbol}","updates":[{rows}]}}'


def _time(ms: int) -> str:
    return rfc3339(ms * MILLISECOND)


def _listed(spec: MarketSpec) -> dict[str, object]:
    tick = f"{spec.tick_size:f}"
    return {
        "product_id": spec.symbol,
        "base_increment": f"{spec.lot_size:f}",
        "quote_increment": tick,
        "price_increment": tick,
        "base_currency_id": spec.coin,
        "quote_currency_id": spec.quote,
        "status": "online",
        "is_disabled": False,
        "cancel_only": False,
        "limit_only": False,
        "post_only": False,
        "trading_disabled": False,
        "auction_mode": False,
        "view_only": False,
        "product_type": "SPOT",
        "product_venue": "CBE",
        "alias": "",
        "alias_to": [f"{spec.coin}-USDC"] if spec.asset in ("BTC", "ETH") else [],
        "fcm_trading_session_details": None,
    }
