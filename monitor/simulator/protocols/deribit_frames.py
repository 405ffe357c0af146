"""Frames and REST bodies of Deribit, written from simulated markets.

Amounts are US dollars on inverse markets and coins on linear ones. Numbers are written as the shorter of "2200.0" and "2.2e3". Prints of
blocks and of combinations' legs stand among the trades; they took nothing from the book.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import orjson

from monitor.simulator.market import Market, Trade
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.deribit import BASE
from monitor.simulator.protocols.frames import Keyed, Standing, TextRow, VenueClock, VenueFrames
from monitor.simulator.protocols.histories import between, deribit
from monitor.simulator.source import RestReply
from monitor.simulator.specs import SMALL, MarketSpec, Size, market_spec
from monitor.simulator.streams import DiffStream, Row, standing

INTERVAL_MS = 100
TICKER_MS = 1_000  # agg2
OFF_BOOK_MS = 3_000  # a print that was agreed off the book, in turn one of a block and one of a combination's leg
FIRST_ID, FIRST_TRADE = 136_069_961_946, 271_252_855
OTHER_INDEXES = 120  # price indexes of coins that are not simulated
PLATFORM, METHODS, LISTING = "platform_state", "platform_state.public_methods_state", "instrument.state.future.any"
SUFFIXES = {"book": "100ms", "trades": "100ms", "ticker": "agg2"}
# fmt: off
MARKETS = (
    market_spec("deribit", "BTC", "BTC-PERPETUAL", tick="0.5", lot="10", kind="inverse", quote="USD", trimmed=True, size=Size(8e6, 1.1e9, 4.0, 120.0)),
    market_spec("deribit", "ETH", "ETH-PERPETUAL", tick="0.05", lot="1", kind="inverse", quote="USD", trimmed=True, size=SMALL),
    market_spec("deribit", "BTC", "BTC_USDC-PERPETUAL", tick="0.5", lot="0.0001", quote="USDC", trimmed=True, size=Size(3e6, 2e8, 2.0, 60.0)),
    market_spec("deribit", "ETH", "ETH_USDC-PERPETUAL", tick="0.05", lot="0.001", quote="USDC", trimmed=True, size=Size(2e6, 1e8, 2.0, 60.0)),
    market_spec("deribit", "SOL", "SOL_USDC-PERPETUAL", tick="0.01", lot="0.1", quote="USDC", trimmed=True, size=Size(1e6, 5e7, 1.0, 40.0)),
    market_spec("deribit", "XRP", "XRP_USDC-PERPETUAL", tick="0.0001", lot="1", quote="USDC", trimmed=True, size=Size(1e6, 5e7, 1.0, 40.0)),
    market_spec("deribit", "DOGE", "DOGE_USDC-PERPETUAL", tick="0.00001", lot="100", quote="USDC", trimmed=True, size=Size(1e6, 3e7, 1.0, 40.0)),
)
# fmt: on


class DeribitFrames(VenueFrames):
    venue: ClassVar[str] = "deribit"

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self._streams = {symbol: DiffStream(market.book) for symbol, market in self.markets.items()}
        self._published: dict[str, tuple[dict[int, int], dict[int, int]]] = {}  # lots by tick, bids and asks
        for symbol, market in self.markets.items():
            rows = standing(market.book)
            self._published[symbol] = dict(rows.bids), dict(rows.asks)
        self._counter = FIRST_ID  # one for all books
        self._ids = dict.fromkeys(self.markets, FIRST_ID)
        self._changed = dict.fromkeys(self.markets, clock.at(0))
        self._trades = dict.fromkeys(self.markets, FIRST_TRADE)
        self._rows: dict[str, list[str]] = {symbol: [] for symbol in self.markets}
        self._off_book = 0
        self._off_book_at = dict.fromkeys(self.markets, 0)
        self.states: list[tuple[str, dict[str, object]]] = []  # (channel, data), said with the next step

    # -- streams
    def knows(self, key: str) -> bool:
        if key in (PLATFORM, METHODS, LISTING):
            return True
        kind, _, rest = key.partition(".")
        symbol, _, suffix = rest.partition(".")
        return symbol in self.markets and SUFFIXES.get(kind) == suffix

    def opening(self, key: str) -> list[bytes]:
        if key == PLATFORM:  # the state of every index
            return [_frame(key, orjson.dumps(_lock(index, locked=False)).decode()) for index in self._indexes()]
        if key == METHODS:
            return [_frame(key, '{"allow_unauthenticated_public_requests":true}')]
        kind, _, rest = key.partition(".")
        symbol = rest.partition(".")[0]
        if kind == "ticker":
            return [self._ticker(self.markets[symbol])]
        if kind != "book":
            return []
        spec, (bids, asks) = self.markets[symbol].spec, self._published[symbol]
        sides = [_texts(spec, sorted(bids.items(), reverse=True)), _texts(spec, sorted(asks.items()))]
        return [snapshot_frame(symbol, sides[0], sides[1], self._ids[symbol], self._changed[symbol])]

    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterator[Keyed]:
        self.now_ms = now_ms
        while self.states:
            channel, data = self.states.pop(0)
            yield channel, _frame(channel, orjson.dumps(data).decode())
        for symbol, market in self.markets.items():
            self._streams[symbol].collect(touched[symbol])
            forced = {each.order for each in market.liquidations}
            self._rows[symbol] += [self._trade(market, each, _mark(each, forced)) for each in market.trades]
            if now_ms - self._off_book_at[symbol] >= OFF_BOOK_MS and market.trades:
                self._off_book_at[symbol] = now_ms
                self._rows[symbol].append(self._trade(market, market.trades[-1], self._agreed(symbol)))
            if now_ms % INTERVAL_MS == 0:
                yield from self._batch(symbol)
            if now_ms % TICKER_MS == 0:
                yield f"ticker.{symbol}.agg2", self._ticker(market)

    def _batch(self, symbol: str) -> Iterator[Keyed]:
        if self._rows[symbol]:
            key = f"trades.{symbol}.100ms"
            yield key, _frame(key, f"[{','.join(self._rows[symbol])}]")
            self._rows[symbol].clear()
        changes = self._streams[symbol].flush()
        spec, (bids, asks) = self.markets[symbol].spec, self._published[symbol]
        sides = [_actions(spec, changes.bids[::-1], bids), _actions(spec, changes.asks, asks)]
        if not any(sides):
            return
        before = self._ids[symbol]
        self._counter += 7 + len(sides[0]) % 5  # other books' changes are counted too
        self._ids[symbol], self._changed[symbol] = self._counter, self.stamp
        key = f"book.{symbol}.100ms"
        data = (
            f'{{"timestamp":{self.stamp},"type":"change","change_id":{self._counter},"instrument_name":"{symbol}",'
            f'"bids":[{sides[0]}],"asks":[{sides[1]}],"prev_change_id":{before}}}'
        )
        yield key, _frame(key, data)

    def cross(self, symbol: str) -> None:
        self._streams[symbol].cross()

    def restart(self, symbol: str) -> list[Keyed]:
        """Not told: the next change follows one that nobody saw."""
        self._counter += 1_000
        self._ids[symbol] = self._counter
        return []

    @classmethod
    def standing(cls, key: str, book: Standing) -> list[bytes]:
        if not key.startswith("book."):
            return []
        sides = [[(_number(price), _number(size)) for price, size in side] for side in (book.bids, book.asks)]
        return [snapshot_frame(book.symbol, sides[0], sides[1], book.last_id, book.time_ms)]

    def _agreed(self, symbol: str) -> str:
        self._off_book += 1
        if self._off_book % 2:
            return f'"combo_id":"{symbol.partition("-")[0]}-FS-25DEC26_PERP","combo_trade_id":"{self._off_book}",'
        return f'"block_trade_id":"BLOCK-{self._off_book}","block_trade_leg_count":1,'

    def _trade(self, market: Market, trade: Trade, mark: str) -> str:
        spec = market.spec
        self._trades[spec.symbol] += 1
        number = self._trades[spec.symbol]
        amount = spec.size_text(trade.lots)
        coin = spec.symbol.partition("-")[0]
        return (
            f'{{"timestamp":{self.clock.at(trade.at_ms)},"price":{_number(spec.price_text(trade.tick))},"amount":{_number(amount)},'
            f'"direction":"{"buy" if trade.side > 0 else "sell"}","index_price":{market.index:.2f},"instrument_name":"{spec.symbol}",'
            f'"trade_seq":{number},"mark_price":{market.mark:.2f},"tick_direction":0,{mark}"contracts":{float(trade.lots)},'
            f'"trade_id":"{number if coin == "BTC" else f"{coin}-{number}"}"}}'
        )

    def _ticker(self, market: Market) -> bytes:
        spec, book = market.spec, market.book
        bid, ask = max(0, book.best_bid), min(book.best_ask, book.size - 1)
        row = {
            "timestamp": self.stamp,
            "state": "open",
            "stats": {"high": market.last, "low": market.last, "price_change": None, "volume": 1.0, "volume_usd": 1.0},
            "index_price": market.index,
            "instrument_name": spec.symbol,
            "last_price": market.last,
            "min_price": market.index * 0.985,
            "max_price": market.index * 1.015,
            "open_interest": market.ledger.open_interest * float(spec.lot_size),
            "mark_price": market.mark,
            "interest_value": market.funding_rate,
            "best_ask_price": market.price(ask),
            "best_bid_price": market.price(bid),
            "estimated_delivery_price": market.index,
            "current_funding": market.funding_rate,
            "funding_8h": market.funding_rate / 2,
        }
        return _frame(f"ticker.{spec.symbol}.agg2", orjson.dumps(row).decode())

    def _indexes(self) -> list[str]:
        return [
            *(_index(market.spec) for market in self.markets.values()),
            *(f"sim{number}_usdc" for number in range(OTHER_INDEXES)),
        ]

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        if path == f"{BASE}/status":
            return self._reply({"locked": "false"})
        if path == f"{BASE}/get_tradingview_chart_data" and query.get("instrument_name") in self.markets:
            symbol = query["instrument_name"]
            hours = between(self.hours(symbol), query, "start_timestamp", "end_timestamp", 1)
            if hours is None or query.get("resolution") != "60":  # the only one simulated
                return None
            return self._reply(deribit(self.markets[symbol].spec, hours))
        if path != f"{BASE}/get_instruments":
            return None
        rows = [_listed(market.spec) for market in self.markets.values()]
        if self.lists_others and rows:
            rows += [
                {**rows[0], "instrument_name": "BTC-27NOV26", "settlement_period": "week", "state": "settlement"},
                {**rows[0], "instrument_name": "BTC-27NOV26-100000-C", "kind": "option", "tick_size": 0.0001},
                {**rows[0], "instrument_name": "BTC-FS-27NOV26_PERP", "kind": "future_combo"},
            ]
        wanted = query.get("kind")
        return self._reply([row for row in rows if wanted in (None, row["kind"])])

    def _reply(self, result: object) -> RestReply:
        now = self.stamp * 1_000
        said = {"jsonrpc": "2.0", "result": result, "usIn": now, "usOut": now + 185, "usDiff": 185, "testnet": False}
        return RestReply(200, orjson.dumps(said))


def snapshot_frame(symbol: str, bids: Sequence[TextRow], asks: Sequence[TextRow], number: int, at_ms: int) -> bytes:
    """`at_ms`: when the book last changed."""
    sides = [",".join([f'["new",{price},{size}]' for price, size in side]) for side in (bids, asks)]
    data = (
        f'{{"timestamp":{at_ms},"type":"snapshot","change_id":{number},"instrument_name":"{symbol}",'
        f'"bids":[{sides[0]}],"asks":[{sides[1]}]}}'
    )
    return _frame(f"book.{symbol}.100ms", data)


def _frame(channel: str, data: str) -> bytes:
    return f'{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"{channel}","data":{data}}}}}'.encode()


def _number(text: str) -> str:
    """A trimmed decimal as the venue prints it: always with a point, and with an exponent where that is shorter."""
    if "." in text:
        return text
    digits = text.rstrip("0") or "0"
    short = f"{digits[0]}.{digits[1:] or '0'}e{len(text) - 1}"
    return short if len(short) < len(text) + 2 else f"{text}.0"


def _texts(spec: MarketSpec, rows: Sequence[Row]) -> list[TextRow]:
    return [(_number(spec.price_text(tick)), _number(spec.size_text(lots))) for tick, lots in rows]


def _actions(spec: MarketSpec, rows: Sequence[Row], published: dict[int, int]) -> str:
    """Rows that differ from what was published, which they change."""
    found = []
    for tick, lots in rows:
        before = published.get(tick, 0)
        if lots == before:
            continue
        action = "delete" if lots == 0 else "change" if before else "new"
        found.append(f'["{action}",{_number(spec.price_text(tick))},{_number(spec.size_text(lots))}]')
        if lots:
            published[tick] = lots
        else:
            del published[tick]
    return ",".join(found)


def _mark(trade: Trade, forced: set[int]) -> str:
    return '"liquidation":"T",' if trade.order in forced else ""


def _lock(index: str, *, locked: bool) -> dict[str, object]:
    return {"locked": locked, "price_index": index, "reasons": []}


def _index(spec: MarketSpec) -> str:
    return f"{spec.coin}_{spec.quote}".lower()


def _listed(spec: MarketSpec) -> dict[str, object]:
    inverse = spec.kind == "inverse"
    return {
        "price_index": _index(spec),
        "kind": "future",
        "instrument_name": spec.symbol,
        "max_leverage": 50,
        "instrument_type": "reversed" if inverse else "linear",
        "expiration_timestamp": 32503708800000,
        "is_active": True,
        "tick_size": float(spec.tick_size),
        "contract_size": float(spec.lot_size),
        "min_trade_amount": float(spec.lot_size),
        "max_liquidation_commission": 0.01,
        "settlement_currency": spec.coin if inverse else spec.quote,
        "settlement_period": "perpetual" if spec.symbol.endswith("-PERPETUAL") else "month",
        "base_currency": spec.coin,
        "counter_currency": spec.quote,
        "quote_currency": spec.quote,
        "tick_size_steps": [],
        "state": "open",
    }
