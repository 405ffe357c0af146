"""Frames and REST bodies of HTX linear swaps, written from simulated markets. Sizes are contracts, numbers are bare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import orjson

from monitor.simulator.market import LiquidationPrint, Market, Trade
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.frames import (
    FUNDING_HOURS,
    Keyed,
    Standing,
    TextRow,
    VenueClock,
    VenueFrames,
    next_funding,
)
from monitor.simulator.source import RestReply
from monitor.simulator.specs import SMALL, MarketSpec, Size, market_spec
from monitor.simulator.streams import Changes, WindowStream

LEVELS = 150
PRICE_MS = 1_000
FUNDING_MS = 5_000
LISTING_MS = 60_000
WHOLE_MS = 1_000  # "on every change", said more rarely here
FIRST_VERSION = 1_789_895_280_797
FIRST_ID = 100_129_125_618_870
RESTART_STEP = 10_000
BOOK = "depth.size_150.high_freq"
HOT, PRICES, NOTICES = (
    (BOOK, "trade.detail"),
    ("mark_price.1min", "index.1min"),
    ("liquidation_orders", "contract_info"),
)
SUSPENDED = "SIM-USDT"  # listed, acknowledged, silent
REST = "/linear-swap-api/v1"
# Leverage, and of each tier: first and last size in contracts (null: no end), adjustment factor.
TABLES = (
    (5, ((0, 99_999, 0.02), (100_000, None, 0.04))),
    (100, ((0, 9_999, 0.4), (10_000, 49_999, 0.6), (50_000, None, 1.0))),
)
# fmt: off
MARKETS = (
    market_spec("htx_linear", "BTC", "BTC-USDT", tick="0.1", lot="1", contract="0.001", trimmed=True, size=Size(9e6, 1.2e9, 6.0, 150.0)),
    market_spec("htx_linear", "ETH", "ETH-USDT", tick="0.01", lot="1", contract="0.01", trimmed=True, size=SMALL),
    market_spec("htx_linear", "DOGE", "DOGE-USDT", tick="0.00001", lot="1", contract="100", trimmed=True, size=SMALL),
    market_spec("htx_linear", "PEPE", "PEPE-USDT", tick="0.000000001", lot="1", contract="1000000", trimmed=True, size=SMALL),
)
# fmt: on


class HtxFrames(VenueFrames):
    venue: ClassVar[str] = "htx_linear"

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self._windows = {symbol: WindowStream(market.book, LEVELS) for symbol, market in self.markets.items()}
        self._versions = dict.fromkeys(self.markets, FIRST_VERSION)
        self._last: dict[str, bytes] = {}
        self._id = FIRST_ID

    # -- streams
    def knows(self, key: str) -> bool:
        family, _, rest = key.removesuffix("#whole").partition(".")
        symbol, _, kind = rest.partition(".")
        if family == "public":
            return kind in (*NOTICES, "funding_rate") and (symbol in self.markets or symbol == "*")
        if kind in PRICES:
            return symbol in self.markets
        return kind in HOT and (symbol in self.markets or symbol == SUSPENDED)

    def opening(self, key: str) -> list[bytes]:
        _, symbol, kind = key.removesuffix("#whole").split(".", 2)
        if kind == "contract_info":
            return [self._contract(each, "init") for each in self.markets if symbol in ("*", each)]
        if symbol not in self.markets:
            return []
        if kind == BOOK:
            return [self._book(symbol, "snapshot", self._windows[symbol].levels())]
        if kind == "trade.detail":
            return [self._last[symbol]] if symbol in self._last else []  # what was last, however old, and unmarked
        return []

    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterator[Keyed]:
        self.now_ms = now_ms
        for symbol, market in self.markets.items():
            if market.trades:
                self._last[symbol] = self._trades(market.spec, market.trades)
                yield f"market.{symbol}.trade.detail", self._last[symbol]
            changes = self._windows[symbol].flush()
            self._versions[symbol] += 1
            yield f"market.{symbol}.{BOOK}", self._book(symbol, "update", changes)
            if now_ms % WHOLE_MS == 0:
                yield f"market.{symbol}.{BOOK}#whole", self._book(symbol, "snapshot", self._windows[symbol].levels())
            if now_ms % PRICE_MS == 0:
                yield f"market.{symbol}.mark_price.1min", self._candle(market.spec, "mark_price", market.mark)
                yield f"market.{symbol}.index.1min", self._candle(market.spec, "index", market.index)
            for each in market.liquidations:
                yield from self._both(symbol, "liquidation_orders", self._liquidation(market.spec, each))
            if now_ms % FUNDING_MS == 0:
                yield from self._both(symbol, "funding_rate", self._funding(market))
            if now_ms % LISTING_MS == 0:
                yield from self._both(symbol, "contract_info", self._contract(symbol, "snapshot"))

    def _both(self, symbol: str, kind: str, data: bytes) -> Iterator[Keyed]:
        """To who asked for this contract, and to who asked for all."""
        yield f"public.{symbol}.{kind}", data
        yield f"public.*.{kind}", data

    def _book(self, symbol: str, event: str, rows: Changes) -> bytes:
        spec = self.markets[symbol].spec
        price, size = spec.price_text, spec.size_text
        bids, asks = ([(price(tick), size(lots)) for tick, lots in side] for side in rows.best_first)
        self._id += 7
        return book_frame(symbol, event, bids, asks, self._versions[symbol], self.stamp, self._id)

    def _trades(self, spec: MarketSpec, trades: Sequence[Trade]) -> bytes:
        self._id += 7
        rows = []
        for at, trade in enumerate(trades):
            price, coins = trade.tick * float(spec.tick_size), trade.lots * float(spec.contract_size)
            rows.append(
                f'{{"amount":{trade.lots},"quantity":{_plain(coins)},"trade_turnover":{_plain(coins * price)},'
                f'"ts":{self.clock.at(trade.at_ms)},"id":{self._id * 10_000 + at},"price":{spec.price_text(trade.tick)},'
                f'"direction":"{"buy" if trade.side > 0 else "sell"}"}}'
            )
        return (
            f'{{"ch":"market.{spec.symbol}.trade.detail","ts":{self.stamp},"tick":{{"id":{self._id},"ts":{self.stamp},'
            f'"data":[{",".join(rows)}]}}}}'
        ).encode()

    def _candle(self, spec: MarketSpec, kind: str, value: float) -> bytes:
        """The running minute's; figures are texts."""
        price = f"{value:.{spec.price_text.places + 2}f}"
        tick = {"id": self.stamp // 60_000 * 60, "open": price, "close": price, "high": price, "low": price}
        rest = {"amount": "0", "vol": "0", "count": "0"}
        return orjson.dumps({"ch": f"market.{spec.symbol}.{kind}.1min", "ts": self.stamp, "tick": tick | rest})

    def _notice(self, symbol: str, kind: str, row: Mapping[str, object], **more: str) -> bytes:
        name = {"symbol": self.markets[symbol].spec.coin, "contract_code": symbol}
        head = {"op": "notify", "topic": f"public.{symbol}.{kind}", "ts": self.stamp, **more}
        return orjson.dumps({**head, "data": [{**name, **row, "trade_partition": "USDT"}]})

    def _liquidation(self, spec: MarketSpec, each: LiquidationPrint) -> bytes:
        tick, coins = round(each.bankruptcy / spec.tick_usd), each.filled * float(spec.contract_size)
        row = {
            "direction": "sell" if each.sign > 0 else "buy",  # of the order that closes the position
            "offset": "close",
            "volume": each.filled,
            "price": orjson.Fragment(spec.price_text(tick)),
            "created_at": self.clock.at(each.at_ms),
            "amount": coins,
            "trade_turnover": coins * tick * float(spec.tick_size),
            "contract_type": "swap",
            "pair": spec.symbol,
            "business_type": "swap",
        }
        return self._notice(spec.symbol, "liquidation_orders", row)

    def _funding(self, market: Market) -> bytes:
        row = {
            "fee_asset": "USDT",
            "funding_time": str(self.stamp),
            "funding_rate": f"{market.funding_rate:.18f}",
            "estimated_rate": None,
            "settlement_time": str(next_funding(self.stamp)),
        }
        return self._notice(market.spec.symbol, "funding_rate", row)

    def _contract(self, symbol: str, event: str) -> bytes:
        return self._notice(symbol, "contract_info", _listed(self.markets[symbol].spec), event=event)

    def cross(self, symbol: str) -> None:
        self._windows[symbol].cross()

    def restart(self, symbol: str) -> list[Keyed]:
        """Not told: the versions begin elsewhere."""
        self._versions[symbol] += RESTART_STEP
        return []

    # -- a recording
    @classmethod
    def standing(cls, key: str, book: Standing) -> list[bytes]:
        if not key.endswith(BOOK):
            return []
        return [book_frame(book.symbol, "snapshot", book.bids, book.asks, book.last_id, book.time_ms, FIRST_ID)]

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        specs = [market.spec for market in self.markets.values()]
        match path.rstrip("/"):
            case "/linear-swap-api/v1/swap_contract_info":
                return self._reply([*map(_listed, specs), *(OTHERS if self.lists_others else ())])
            case "/linear-swap-api/v1/swap_open_interest":
                return self._reply([self._interest(market) for market in self.markets.values()])
            case "/linear-swap-api/v1/swap_cross_adjustfactor":
                return self._reply([_factors(spec) for spec in specs])
            case "/heartbeat":
                works = {"heartbeat": 1, "estimated_recovery_time": None}
                linear = {f"linear_swap_{name}": value for name, value in works.items()}
                # Its clock stands still.
                body = {"status": "ok", "data": works | linear, "ts": 1_557_714_418_033}
                return RestReply(200, orjson.dumps(body))
        return None

    def _interest(self, market: Market) -> dict[str, object]:
        spec, lots = market.spec, int(market.ledger.open_interest)
        coins = lots * float(spec.contract_size)
        value = coins * market.last * spec.multiplier
        name = {"symbol": spec.coin, "contract_code": spec.symbol, "business_type": "swap"}
        return {**name, "volume": lots, "amount": coins, "value": value, "trade_partition": "USDT"}

    def _reply(self, data: object) -> RestReply:
        return RestReply(200, orjson.dumps({"status": "ok", "data": data, "ts": self.stamp}))


def book_frame(
    symbol: str, event: str, bids: Sequence[TextRow], asks: Sequence[TextRow], version: int, now_ms: int, number: int
) -> bytes:
    """Rows from the touch outwards. The topic's name stands in it twice."""
    ch = f"market.{symbol}.{BOOK}"
    sides = [",".join([f"[{price},{size}]" for price, size in side]) for side in (asks, bids)]
    return (
        f'{{"ch":"{ch}","ts":{now_ms},"tick":{{"asks":[{sides[0]}],"bids":[{sides[1]}],"ch":"{ch}","event":"{event}",'
        f'"id":{number},"mrid":{number},"ts":{now_ms - 2},"version":{version}}}}}'
    ).encode()


def _plain(value: float) -> str:
    return f"{value:.8f}".rstrip("0").rstrip(".")


def _row(symbol: str, tick: str, contract: str, status: int = 1) -> dict[str, object]:
    return {
        "symbol": symbol.partition("-")[0],
        "contract_code": symbol,
        "contract_size": orjson.Fragment(contract),
        "price_tick": orjson.Fragment(tick),
        "contract_status": status,
        "settlement_period": str(FUNDING_HOURS),
        "support_margin_mode": "all",
        "business_type": "swap",
        "pair": symbol,
        "contract_type": "swap",
        "trade_partition": "USDT",
        "tradfi_labels": [],
    }


def _listed(spec: MarketSpec) -> dict[str, object]:
    return _row(spec.symbol, spec.price_text(1), f"{spec.contract_size:f}")


def _factors(spec: MarketSpec) -> dict[str, object]:
    tables = [
        {
            "lever_rate": leverage,
            "ladders": [
                {"ladder": at, "min_size": low, "max_size": high, "adjust_factor": factor}
                for at, (low, high, factor) in enumerate(ladder)
            ],
        }
        for leverage, ladder in TABLES
    ]
    name = {"symbol": spec.coin, "contract_code": spec.symbol, "margin_mode": "cross", "trade_partition": "USDT"}
    return {**name, "list": tables}


OTHERS = (
    _row(SUSPENDED, "0.001", "1", status=3),
    {**_row("AAPL-USDT", "0.01", "0.01"), "tradfi_labels": ["stock"]},
)
