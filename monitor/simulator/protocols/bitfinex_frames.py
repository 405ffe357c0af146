"""Frames and REST bodies of Bitfinex, written from simulated markets: what follows the channel's number in a frame.

Books tell one level a frame: price, number of orders, size (below zero an ask); without orders the level is gone, and the size is then 1
or -1. Levels that leave the best 250 are told gone. The checksum is over the 25 best of each side as published, with numbers as
JavaScript prints them. A trade is told when it is executed and once more when it is confirmed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar
from zlib import crc32

import orjson

from monitor.simulator.market import LiquidationPrint, Market, Trade
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.bitfinex import LENGTHS, LIQUIDATIONS, PRECISIONS
from monitor.simulator.protocols.frames import Keyed, Standing, VenueClock, VenueFrames, next_funding
from monitor.simulator.source import RestReply
from monitor.simulator.specs import CURRENCY, MIDDLE, SMALL, MarketSpec, Size, market_spec
from monitor.simulator.streams import BucketStream, Changes, WindowStream, singles

BOOK_MS, COARSE_MS = 50, 500
HEARTBEAT_MS = 15_000  # of each channel, busy or not
CHECKSUM_MS = 2500  # on a book that changes
STATUS_MS, STATUS_CHANGES_MS = 1000, 3000  # two of three are repeats
CONFIRMED_MS = 1000  # after a trade was executed
WINDOW = int(LENGTHS[0])
CHECKED = 25  # levels a side under the checksum
HISTORY = 30  # trades that begin a subscription
FIGURES = {"P1": 4, "P2": 3}
FIRST_TRADE, FIRST_POSITION = 401_597_395, 142_397_657

# Ticks are those of five significant figures at the simulated prices.
MARKETS = (
    market_spec("bitfinex", "BTC", "tBTCF0:USTF0", tick="1", lot="0.00000001", trimmed=True, size=Size(8e6, 5e8, 4.0, 60.0)),
    market_spec("bitfinex", "ETH", "tETHF0:USTF0", tick="0.1", lot="0.00000001", trimmed=True, size=SMALL),
    market_spec("bitfinex", "BTC", "tBTCUSD", tick="1", lot="0.00000001", trimmed=True, kind="spot", quote="USD", size=MIDDLE),
    market_spec("bitfinex", "USDT", "tUSTUSD", tick="0.0001", lot="0.00000001", trimmed=True, kind="spot", quote="USD",
                size=CURRENCY),
    market_spec("bitfinex", "USDC", "tUDCUSD", tick="0.0001", lot="0.00000001", trimmed=True, kind="spot", quote="USD",
                size=CURRENCY),
)  # fmt: skip


class BitfinexFrames(VenueFrames):
    venue: ClassVar[str] = "bitfinex"

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self._windows = {symbol: WindowStream(market.book, WINDOW) for symbol, market in self.markets.items()}
        self._coarse = {
            (precision, symbol): BucketStream(market.book, market.spec.price_text.grid, figures, WINDOW)
            for symbol, market in self.markets.items()
            for precision, figures in FIGURES.items()
        }
        for stream in self._coarse.values():
            stream.flush()
        self._changed = dict.fromkeys(self.markets, False)
        self._history: dict[str, deque[bytes]] = {symbol: deque(maxlen=HISTORY) for symbol in self.markets}
        self._unconfirmed: deque[tuple[int, str, bytes]] = deque()
        self._status = dict.fromkeys(self._contracts(), b"")
        self._trade, self._position = FIRST_TRADE, FIRST_POSITION

    def _contracts(self) -> list[str]:
        return [symbol for symbol, market in self.markets.items() if market.spec.leveraged]

    # -- streams
    def knows(self, key: str) -> bool:
        channel, _, about = key.partition(":")
        match channel:
            case "book":
                precision, _, rest = about.partition(":")
                length, _, symbol = rest.partition(":")
                return precision in PRECISIONS and length in LENGTHS and symbol in self.markets
            case "trades":
                return about in self.markets
        return key == LIQUIDATIONS or about.removeprefix("deriv:") in self._contracts()

    def opening(self, key: str) -> list[bytes]:
        channel, _, about = key.partition(":")
        if channel == "trades":
            return [b"[%b]" % b",".join(reversed(self._history[about]))]
        if channel == "book":
            precision, _, symbol = about.split(":", 2)
            window, coarse = self._windows[symbol], self._coarse.get((precision, symbol))
            return [self._rows(symbol, window.levels() if coarse is None else coarse.published())]
        status = self._status.get(about.removeprefix("deriv:"))
        return [status] if status else []

    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterator[Keyed]:
        self.now_ms = now_ms
        while self._unconfirmed and self._unconfirmed[0][0] <= now_ms:
            _, symbol, row = self._unconfirmed.popleft()
            yield f"trades:{symbol}", b'"tu",' + row
        for symbol, market in self.markets.items():
            for trade in market.trades:
                row = self._traded(market.spec, trade)
                self._history[symbol].append(row)
                self._unconfirmed.append((now_ms + CONFIRMED_MS, symbol, row))
                yield f"trades:{symbol}", b'"te",' + row
            yield from self._books(symbol)
            if not market.spec.leveraged:
                continue
            for forced in market.liquidations:
                if forced.filled:
                    yield from self._liquidated(market.spec, forced)
            if now_ms % STATUS_MS == 0:
                if now_ms % STATUS_CHANGES_MS == 0 or not self._status[symbol]:
                    self._status[symbol] = self._derivative(market)
                yield f"status:deriv:{symbol}", self._status[symbol]

        if now_ms % HEARTBEAT_MS == 0:
            yield from ((key, b'"hb"') for key in self._channels())

    def _channels(self) -> list[str]:
        each = [f"book:{precision}:{WINDOW}" for precision in PRECISIONS] + ["trades"]
        keys = [f"{channel}:{symbol}" for symbol in self.markets for channel in each]
        return [*keys, *(f"status:deriv:{symbol}" for symbol in self._contracts()), LIQUIDATIONS]

    def _books(self, symbol: str) -> Iterator[Keyed]:
        key = f"book:P0:{WINDOW}:{symbol}"
        if self.now_ms % BOOK_MS == 0:
            for sign, tick, lots in singles(self._windows[symbol].flush()):
                self._changed[symbol] = True
                yield key, self._row(self.markets[symbol].spec, sign, tick, lots)
        if self.now_ms % CHECKSUM_MS == 0 and self._changed[symbol]:
            self._changed[symbol] = False
            yield key, b'"cs",%d' % self._checksum(symbol)
        if self.now_ms % COARSE_MS == 0:
            for precision in FIGURES:
                for sign, tick, lots in singles(self._coarse[precision, symbol].flush()):
                    yield f"book:{precision}:{WINDOW}:{symbol}", self._row(self.markets[symbol].spec, sign, tick, lots)

    def cross(self, symbol: str) -> None:
        self._windows[symbol].cross()

    def restart(self, symbol: str) -> list[Keyed]:
        """Sockets are cut; nothing is said on them."""
        return []

    def _row(self, spec: MarketSpec, sign: int, tick: int, lots: int) -> bytes:
        orders = min(9, 1 + lots % 9) if lots else 0
        size = printed(spec.size_text(lots)) if lots else "1"
        return f"[{printed(spec.price_text(tick))},{orders},{'-' if sign < 0 else ''}{size}]".encode()

    def _rows(self, symbol: str, levels: Changes) -> bytes:
        spec = self.markets[symbol].spec
        bids, asks = levels.best_first
        sides = ((1, bids), (-1, asks))
        return b"[%b]" % b",".join(self._row(spec, sign, *level) for sign, side in sides for level in side)

    def _checksum(self, symbol: str) -> int:
        """Signed; of the levels as published."""
        spec = self.markets[symbol].spec
        bids, asks = self._windows[symbol].levels().best_first
        words = []
        for place in range(CHECKED):
            for sign, side in (("", bids), ("-", asks)):
                if place < len(side):
                    tick, lots = side[place]
                    words += [printed(spec.price_text(tick)), sign + printed(spec.size_text(lots))]
        found = crc32(":".join(words).encode())
        return found - (1 << 32) if found >> 31 else found

    def _traded(self, spec: MarketSpec, trade: Trade) -> bytes:
        self._trade += 1
        sign = "-" if trade.side < 0 else ""
        size, price = printed(spec.size_text(trade.lots)), printed(spec.price_text(trade.tick))
        return f"[{self._trade},{self.clock.at(trade.at_ms)},{sign}{size},{price}]".encode()

    def _liquidated(self, spec: MarketSpec, forced: LiquidationPrint) -> Iterator[Keyed]:
        """Two rows with the position's size. Sources disagree on which IS_MATCH comes first, so both do; the first has by turns no price."""
        self._position += 1
        size = float(spec.size_text(forced.filled)) * (1 if forced.sign > 0 else -1)
        at, entry = self.clock.at(forced.at_ms), forced.average * (1 + 0.05 * forced.sign)
        turn = self._position // 2 % 2
        for match, price in ((turn, forced.average if self._position % 2 else None), (1 - turn, forced.average)):
            row = ["pos", self._position, at, None, spec.symbol, size, entry, None, match, 1, None, price]
            yield LIQUIDATIONS, orjson.dumps([row])

    def _derivative(self, market: Market) -> bytes:
        row: list[object] = [None] * 23
        row[0], row[2], row[3], row[5] = self.stamp, market.mid, market.index, 62_210_384.95685668
        row[7], row[8], row[9] = next_funding(self.stamp), market.funding_rate * 0.7, 3873
        row[11], row[12], row[14] = round(market.funding_rate, 8), None, market.mark
        row[17] = float(market.spec.size_text(market.ledger.open_interest))
        row[21], row[22] = 0.0005, 0.0025
        return orjson.dumps(row)

    # -- recordings
    @classmethod
    def recorded(cls, key: str, data: bytes) -> tuple[str, bytes]:
        """Without the channel's number before it and the frame's number behind."""
        return key, data[data.find(b",") + 1 : max(0, data.rfind(b","))]

    @classmethod
    def standing(cls, key: str, book: Standing) -> list[bytes]:
        if not key.startswith("book:P0:"):
            return []
        sides = (("", book.bids), ("-", book.asks))
        rows = [f"[{printed(price)},1,{sign}{printed(size)}]" for sign, side in sides for price, size in side]
        return [f"[{','.join(rows)}]".encode()]

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        match path.removeprefix("/v2/"):
            case "tickers":
                wanted = query.get("symbols", "")
                # No market moves where a recording is served: there the prices are those that have the recorded grid.
                ticker = _ticker if self.lists_others else _ticker_of_grid
                rows = [ticker(market) for market in self.markets.values()]
                if self.lists_others:
                    rows += [["tTESTBTC:TESTUSD", 60400, 1, 60406, 1, 0, 0, 60410, 1, 62408, 60057]]
                    rows += [
                        ["fUSD", 0.0001, 0.0002, 30, 1, 0.0003, 2, 1, 0, 0, 0.0002, 1, 0.0003, 0.0001, None, None, 1]
                    ]
                return _json([row for row in rows if wanted == "ALL" or row[0] in wanted.split(",")])
            case "conf/pub:info:pair:futures":
                margins = [None, None, None, "0.00004", "100", None, None, None, 0.01, 0.005]
                return _json([[[symbol.removeprefix("t"), margins] for symbol in self._contracts()]])
            case "platform/status":
                return _json([1])
        return None


def printed(text: str) -> str:
    """A decimal as JavaScript prints it: with an exponent below a millionth."""
    value = Decimal(text)
    if value >= Decimal("0.000001"):
        return f"{value.normalize():f}"
    digits = "".join(map(str, value.normalize().as_tuple().digits))
    return f"{digits[0]}{'.' if len(digits) > 1 else ''}{digits[1:]}e{value.adjusted()}"


def _ticker(market: Market) -> list[object]:
    spec, book = market.spec, market.book
    bid, ask = (float(spec.price_text(int(book.top(sign, 1)[0]) + book.low)) for sign in (1, -1))
    return [spec.symbol, bid, 12.5, ask, 11.25, 0, 0, bid, 3120.5, ask * 1.02, bid * 0.98]


def _ticker_of_grid(market: Market) -> list[object]:
    price = float(market.spec.tick_size.scaleb(5))  # six figures: the five of P0, and one to fall
    return [market.spec.symbol, price, 1, price, 1, 0, 0, price, 0, price, price]


def _json(reply: object) -> RestReply:
    return RestReply(200, orjson.dumps(reply))
