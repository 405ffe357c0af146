"""Frames and REST bodies of OKX swaps, written from simulated markets. Sizes are contracts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import orjson

from monitor.simulator.market import LiquidationPrint, Market
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.frames import FUNDING_MS, Keyed, Standing, VenueClock, VenueFrames, next_funding
from monitor.simulator.protocols.histories import okx_past
from monitor.simulator.protocols.okx_swap import rest_body
from monitor.simulator.protocols.okx_swap_listing import INVERSE, TIERS, swap
from monitor.simulator.source import RestReply
from monitor.simulator.specs import SMALL, Size, market_spec
from monitor.simulator.streams import Changes, Row, WindowStream

WINDOW = 400
BOOK_MS = 100
KEEP_ALIVE_MS = 60_000
MARK_MS, MARK_IDLE_MS = 200, 10_000
INTEREST_MS = 3_000
FUNDING_PUSH_MS = 30_000
SAMPLE_MS = 1_000  # at most one liquidation a contract in this time
FULL_BOOK_MS = 1_000  # books-full is refreshed about once a second
FULL_BOOK_LEVELS = 5_000
SILENT = ("status", "instruments:SWAP")
LIQUIDATIONS = "liquidation-orders:SWAP"
PER_MARKET = ("books", "trades", "mark-price", "funding-rate", "open-interest")
FIRST_ID = 450_000
# fmt: off
MARKETS = (
    market_spec("okx_swap", "BTC", "BTC-USDT-SWAP", tick="0.1", lot="0.01", contract="0.01", trimmed=True, size=Size(20e6, 3.0e9, 9.0, 180.0)),
    market_spec("okx_swap", "ETH", "ETH-USDT-SWAP", tick="0.01", lot="0.01", contract="0.1", trimmed=True, size=Size(10e6, 1.5e9, 6.0, 160.0)),
    market_spec("okx_swap", "SOL", "SOL-USDT-SWAP", tick="0.01", lot="0.01", trimmed=True, size=SMALL),
    market_spec("okx_swap", "XRP", "XRP-USDT-SWAP", tick="0.0001", lot="0.01", contract="100", trimmed=True, size=SMALL),
    market_spec("okx_swap", "DOGE", "DOGE-USDT-SWAP", tick="0.00001", lot="0.01", contract="1000", trimmed=True, size=SMALL),
)
# fmt: on


class OkxFrames(VenueFrames):
    """One class of instruments; `kind` is the venue's word for it."""

    venue: ClassVar[str] = "okx_swap"
    kind: ClassVar[str] = "SWAP"

    def __init__(self, markets: Sequence[Market], clock: VenueClock) -> None:
        super().__init__(markets, clock)
        self._windows = {symbol: WindowStream(market.book, WINDOW) for symbol, market in self.markets.items()}
        self._ids = dict.fromkeys(self.markets, FIRST_ID)
        self._changed_at = dict.fromkeys(self.markets, 0)
        self._marks = dict.fromkeys(self.markets, ("", 0))
        self._indexes = dict.fromkeys(self.markets, ("", 0))
        self._interest = dict.fromkeys(self.markets, -1)
        self._sample: dict[str, LiquidationPrint] = {}
        self._sampled_at = dict.fromkeys(self.markets, -SAMPLE_MS)
        self._last_print: bytes | None = None
        self._full: dict[str, tuple[int, Changes]] = {}
        self._trade_ids = dict.fromkeys(self.markets, 130_000_000)
        self.notices: list[dict[str, str]] = []  # rows of the status channel, said with the next step
        self.listings: list[dict[str, str]] = []  # changed rows of `instruments`, said together with the next step

    # -- streams
    def knows(self, key: str) -> bool:
        channel, _, which = key.partition(":")
        if key in SILENT or key == LIQUIDATIONS:
            return True
        if channel == "index-tickers":
            return f"{which}-SWAP" in self.markets
        return channel in PER_MARKET and which in self.markets

    def opening(self, key: str) -> list[bytes]:
        channel, _, which = key.partition(":")
        if key == LIQUIDATIONS:
            # The first frame after subscribing may repeat the recent past.
            return [] if self._last_print is None else [self._last_print]
        symbol = f"{which}-SWAP" if channel == "index-tickers" else which
        match channel:
            case "books":
                return [self._book(symbol, "snapshot", self._windows[symbol].levels(), -1)]
            case "mark-price" | "index-tickers" | "funding-rate" | "open-interest":
                return [self._figure(channel, self.markets[symbol])]
        return []

    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterator[Keyed]:
        self.now_ms = now_ms
        while self.notices:
            row = {**self.notices.pop(0), "ts": str(self.stamp)}
            yield "status", orjson.dumps({"arg": {"channel": "status"}, "data": [row]})
        if self.listings:
            arg = {"channel": "instruments", "instType": self.kind}
            yield f"instruments:{self.kind}", orjson.dumps({"arg": arg, "data": self.listings})
            self.listings = []
        for symbol, market in self.markets.items():
            yield from self._trades(symbol, market)
            if now_ms % BOOK_MS == 0:
                yield from self._update(symbol, touched[symbol])
            yield from self._figures(symbol, market)
            yield from self._liquidations(symbol, market)

    def cross(self, symbol: str) -> None:
        self._windows[symbol].cross()

    def restart(self, symbol: str) -> list[Keyed]:
        """Maintenance: the sequence starts again from a smaller id, rightly linked."""
        before, self._ids[symbol] = self._ids[symbol], FIRST_ID // 2
        return [(f"books:{symbol}", self._book(symbol, "update", Changes([], []), before))]

    def _update(self, symbol: str, touched: Ints) -> Iterator[Keyed]:
        changes, before = self._windows[symbol].flush(), self._ids[symbol]
        if changes:
            self._ids[symbol] += 3 + len(touched)
            self._changed_at[symbol] = self.now_ms
        elif self.now_ms - self._changed_at[symbol] < KEEP_ALIVE_MS:
            return
        else:
            self._changed_at[symbol] = self.now_ms
        yield f"books:{symbol}", self._book(symbol, "update", changes, before)

    def _book(self, symbol: str, action: str, rows: Changes, before: int) -> bytes:
        return (
            f'{{"arg":{{"channel":"books","instId":"{symbol}"}},"action":"{action}","data":[{{'
            f'"asks":[{self._rows(symbol, rows.asks)}],"bids":[{self._rows(symbol, rows.bids[::-1])}],"ts":"{self.stamp}",'
            f'"checksum":0,"prevSeqId":{before},"seqId":{self._ids[symbol]}}}]}}'
        ).encode()

    def _rows(self, symbol: str, rows: Sequence[Row]) -> str:
        spec = self.markets[symbol].spec
        price, size = spec.price_text, spec.size_text
        return ",".join([f'["{price(t)}","{size(q)}","0","{1 + q % 7 if q else 0}"]' for t, q in rows])

    def _trades(self, symbol: str, market: Market) -> Iterator[Keyed]:
        spec = market.spec
        for trade in market.trades:
            self._trade_ids[symbol] += 1
            yield (
                f"trades:{symbol}",
                (
                    f'{{"arg":{{"channel":"trades","instId":"{symbol}"}},"data":[{{"instId":"{symbol}",'
                    f'"tradeId":"{self._trade_ids[symbol]}","px":"{spec.price_text(trade.tick)}",'
                    f'"sz":"{spec.size_text(trade.lots)}","side":"{"buy" if trade.side > 0 else "sell"}",'
                    f'"ts":"{self.clock.at(trade.at_ms)}","count":"1","source":"0","seqId":{self._ids[symbol]}}}]}}'
                ).encode(),
            )

    def _figures(self, symbol: str, market: Market) -> Iterator[Keyed]:
        now = self.now_ms
        if now % MARK_MS == 0:
            for channel, value, held in (
                ("mark-price", market.mark, self._marks),
                ("index-tickers", market.index, self._indexes),
            ):
                text, since = held[symbol]
                fresh = market.spec.price_text(round(value / market.spec.tick_usd))
                if fresh != text or now - since >= MARK_IDLE_MS:
                    held[symbol] = (fresh, now)
                    which = symbol.removesuffix("-SWAP") if channel == "index-tickers" else symbol
                    yield f"{channel}:{which}", self._figure(channel, market)
        if now % INTEREST_MS == 0 and market.ledger.open_interest != self._interest[symbol]:
            self._interest[symbol] = market.ledger.open_interest
            yield f"open-interest:{symbol}", self._figure("open-interest", market)
        if now % FUNDING_PUSH_MS == 0:
            yield f"funding-rate:{symbol}", self._figure("funding-rate", market)

    def _figure(self, channel: str, market: Market) -> bytes:
        which = market.spec.symbol.removesuffix("-SWAP") if channel == "index-tickers" else market.spec.symbol
        return orjson.dumps({"arg": {"channel": channel, "instId": which}, "data": [self._row(channel, market)]})

    def _row(self, channel: str, market: Market) -> dict[str, str]:
        spec, now = market.spec, str(self.stamp)

        def price(value: float) -> str:
            return spec.price_text(round(value / spec.tick_usd))

        interest = market.ledger.open_interest
        coins = interest * spec.lot_base
        funding = next_funding(self.stamp)
        match channel:
            case "mark-price":
                return {"instType": "SWAP", "instId": spec.symbol, "markPx": price(market.mark), "ts": now}
            case "index-tickers":
                return {"instId": spec.symbol.removesuffix("-SWAP"), "idxPx": price(market.index), "ts": now}
            case "open-interest":
                return {
                    "instType": "SWAP",
                    "instId": spec.symbol,
                    "oi": spec.size_text(interest),
                    "oiCcy": f"{coins:.4f}",
                    "oiUsd": f"{coins * market.mark:.4f}",
                    "ts": now,
                }
        return {
            "instType": "SWAP",
            "instId": spec.symbol,
            "fundingRate": f"{market.funding_rate:.10f}",
            "fundingTime": str(funding),
            "nextFundingRate": "",
            "nextFundingTime": str(funding + FUNDING_MS),
            "minFundingRate": "-0.00375",
            "maxFundingRate": "0.00375",
            "settState": "settled",
            "method": "current_period",
            "ts": now,
        }

    def _liquidations(self, symbol: str, market: Market) -> Iterator[Keyed]:
        if market.liquidations:
            self._sample[symbol] = market.liquidations[-1]
        if symbol in self._sample and self.now_ms - self._sampled_at[symbol] >= SAMPLE_MS:
            self._sampled_at[symbol] = self.now_ms
            p, spec, family = self._sample.pop(symbol), market.spec, symbol.removesuffix("-SWAP")
            detail = {
                "bkLoss": "0",
                "bkPx": spec.price_text(round(p.bankruptcy / spec.tick_usd)),
                "ccy": "",
                "posSide": "long" if p.sign > 0 else "short",
                "side": "sell" if p.sign > 0 else "buy",
                "sz": spec.size_text(p.filled),
                "ts": str(self.clock.at(p.at_ms)),
            }
            row = {"details": [detail], "instFamily": family, "instId": symbol, "instType": "SWAP", "uly": family}
            arg = {"channel": "liquidation-orders", "instType": "SWAP"}
            self._last_print = orjson.dumps({"arg": arg, "data": [row]})
            yield LIQUIDATIONS, self._last_print

    # -- a recording
    @classmethod
    def standing(cls, key: str, book: Standing) -> list[bytes]:
        sides = [[[price, size, "0", "1"] for price, size in side] for side in (book.asks, book.bids)]
        ids = {"ts": str(book.time_ms), "checksum": 0, "prevSeqId": -1, "seqId": book.last_id}
        data = {"asks": sides[0], "bids": sides[1], **ids}
        arg = {"channel": "books", "instId": book.symbol}
        return [orjson.dumps({"arg": arg, "action": "snapshot", "data": [data]})]

    # -- REST
    def rest(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        symbol = query.get("instId", "")
        match path:
            case "/api/v5/public/time":
                return _json([{"ts": str(self.stamp)}])
            case "/api/v5/system/status":
                return _json([])
            case "/api/v5/public/instruments":
                if query.get("instType") != self.kind:
                    return _error("51000", "Parameter instType error")
                return _json([row for row in self._listing() if symbol in ("", row["instId"])])
            case "/api/v5/public/position-tiers":
                family = query.get("instFamily", "")
                if query.get("instType") != "SWAP" or f"{family}-SWAP" not in self.markets:
                    return _error("51000", "Parameter instFamily error")
                return _json([{**tier, "instFamily": family} for tier in TIERS])
            case "/api/v5/market/candles" | "/api/v5/rubik/stat/contracts/long-short-account-ratio-contract":
                if symbol not in self.markets:
                    return _error("51001", "Instrument ID does not exist")
                past = self.hours(symbol), self.long_share(symbol), self.stamp
                rows = okx_past(self.markets[symbol].spec, *past, query)
                return _error("51000", "Parameter error") if rows is None else _json(rows)
            case "/api/v5/market/books" | "/api/v5/market/books-full":
                full = path.endswith("full")
                size, most = query.get("sz", "1"), FULL_BOOK_LEVELS if full else WINDOW
                if symbol not in self.markets:
                    return _error("51001", "Instrument ID does not exist")
                if not size.isdigit() or not 1 <= int(size) <= most:
                    return _error("51000", "Parameter sz error")
                return self._books(symbol, int(size), full=full)
            case "/api/v5/public/mark-price" | "/api/v5/public/open-interest" | "/api/v5/public/funding-rate":
                channel = path.rsplit("/", 1)[1]
                if symbol and symbol not in self.markets:
                    return _error("51001", "Instrument ID does not exist")
                return _json([self._row(channel, m) for s, m in self.markets.items() if symbol in ("", s)])
            case "/api/v5/market/index-tickers":
                return _json([self._row("index-tickers", market) for market in self.markets.values()])
        return None

    def _listing(self) -> list[dict[str, str]]:
        return [*(swap(market.spec) for market in self.markets.values()), *([INVERSE] if self.lists_others else [])]

    def _books(self, symbol: str, count: int, *, full: bool) -> RestReply:
        book, low = self.markets[symbol].book, self.markets[symbol].book.low
        made, rows = self._full.get(symbol, (-FULL_BOOK_MS, Changes([], [])))
        if not full or self.now_ms - made >= FULL_BOOK_MS:
            made = self.now_ms
            sides = [
                [
                    (low + i, abs(int(book.lots[i])))
                    for i in book.top(sign, FULL_BOOK_LEVELS if full else count).tolist()
                ]
                for sign in (1, -1)
            ]
            rows = Changes(*sides)
            if full:
                self._full[symbol] = (made, rows)
        spec = self.markets[symbol].spec
        tail = '"0",' if not full else ""  # rows of books-full are [price, size, count]
        bids, asks = (
            ",".join([f'["{spec.price_text(t)}","{spec.size_text(q)}",{tail}"{1 + q % 7}"]' for t, q in side[:count]])
            for side in (rows.bids, rows.asks)
        )
        data = f'{{"asks":[{asks}],"bids":[{bids}],"ts":"{self.clock.at(made)}"}}'
        return RestReply(200, f'{{"code":"0","msg":"","data":[{data}]}}'.encode())


def _json(data: object) -> RestReply:
    return RestReply(200, rest_body("0", "", data))


def _error(code: str, text: str) -> RestReply:
    return RestReply(200, rest_body(code, text, []))
