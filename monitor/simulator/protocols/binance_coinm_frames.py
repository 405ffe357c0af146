"""Frames and REST bodies of Binance COIN-M: inverse contracts of 100 or 10 US dollars, on streams that carry both universes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from monitor.simulator.market import Market
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.binance_futures_frames import (
    LISTINGS,
    MERGED_LIQUIDATIONS,
    BinanceFuturesFrames,
    contract_row,
)
from monitor.simulator.protocols.frames import FUNDING_HOURS, Keyed, next_funding
from monitor.simulator.specs import MINOR, Size, market_spec

VENUE = "binance_coinm"
INDEX = ("indexPrice", "indexPrice@1s")
FOREIGN_MS = 5_000  # how often the merged streams carry something of the USD-margined universe here
BRACKETS_MS = 30_000  # how often a listing is pushed with its brackets here; the venue does it when they change
MARKETS = (
    market_spec(
        VENUE, "BTC", "BTCUSD_PERP", tick="0.1", lot="1", kind="inverse", quote="USD", contract="100",
        size=Size(14e6, 1.6e9, 7.0, 150.0),
    ),
    market_spec(
        VENUE, "ETH", "ETHUSD_PERP", tick="0.01", lot="1", kind="inverse", quote="USD", contract="10",
        size=Size(7e6, 0.7e9, 5.0, 120.0),
    ),
    market_spec("binance_coinm", "BNB", "BNBUSD_PERP", tick="0.01", lot="1", kind="inverse", quote="USD", contract="10", size=MINOR),
    market_spec("binance_coinm", "SOL", "SOLUSD_PERP", tick="0.01", lot="1", kind="inverse", quote="USD", contract="10", size=MINOR),
)  # fmt: skip


def _row(
    symbol: str, contract: str, status: str, base: str, tick: str, lot: str, face: int, quote: str = "USD"
) -> dict[str, object]:
    pair = symbol.split("_", maxsplit=1)[0]
    said = {"contractStatus": status, "contractSize": face, "equalQtyPrecision": 4}
    return {**contract_row(symbol, pair, contract, base, quote, base, tick, lot), **said}


class BinanceCoinmFrames(BinanceFuturesFrames):
    venue: ClassVar[str] = VENUE
    api = "/dapi/v1"
    universe = 2
    adjusted: ClassVar[Mapping[str, int]] = {"ETHUSD_PERP": 4}
    others = (
        _row("BTCUSD_261225", "CURRENT_QUARTER", "TRADING", "BTC", "0.1", "1", 100),
        _row("OLDUSD_PERP", "PERPETUAL", "SETTLING", "OLD", "0.0001", "1", 10),
    )

    def pair(self, symbol: str) -> str:
        return symbol.split("_", maxsplit=1)[0]

    # -- streams
    def knows(self, key: str) -> bool:
        name, _, stream = key.partition("@")
        pairs = {self.pair(symbol).lower() for symbol in self.markets}
        return super().knows(key) or (name in pairs and stream in INDEX)

    def step(self, now_ms: int, touched: Mapping[str, Ints]) -> Iterator[Keyed]:
        yield from super().step(now_ms, touched)
        if now_ms % FOREIGN_MS == 0:
            yield MERGED_LIQUIDATIONS, self._foreign_liquidation()
            yield LISTINGS, self._listing("BTCUSDT", "BTCUSDT", 1)
        if now_ms % BRACKETS_MS == 0:
            for symbol in self.markets:
                yield LISTINGS, self._listing(symbol, self.pair(symbol), self.universe)

    def figures(self, symbol: str, market: Market) -> Iterator[Keyed]:
        yield from super().figures(symbol, market)
        if self.now_ms % 1000 == 0:
            said = f'{{"e":"indexPriceUpdate","E":{self.stamp},"i":"{self.pair(symbol)}","p":"{market.index:.8f}"}}'
            yield f"{self.pair(symbol).lower()}@indexPrice@1s", said.encode()
            if self.now_ms % 3000 == 0:
                yield f"{self.pair(symbol).lower()}@indexPrice", said.encode()

    def mark(self, symbol: str, market: Market) -> str:
        """The older form, without the index price. The rate is of the market's own interval."""
        now, rate = self.stamp, market.funding_rate * self.adjusted.get(symbol, FUNDING_HOURS) / FUNDING_HOURS
        return (
            f'{{"e":"markPriceUpdate","E":{now},"s":"{symbol}","p":"{market.mark:.8f}","P":"{market.index:.8f}",'
            f'"r":"{rate:.8f}","T":{next_funding(now)},"st":{self.universe}}}'
        )

    def _foreign_liquidation(self) -> bytes:
        now = self.stamp
        return (
            f'{{"e":"forceOrder","E":{now},"o":{{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"0.014","p":"9910","ap":"9910",'
            f'"X":"FILLED","l":"0.014","z":"0.014","T":{now}}},"ps":"BTCUSDT","st":1}}'
        ).encode()

    def _listing(self, symbol: str, pair: str, universe: int) -> bytes:
        brackets = (
            '[{"bs":1,"bnf":0,"bnc":50,"mmr":0.004,"cf":0,"mi":101,"ma":125},'
            '{"bs":2,"bnf":50,"bnc":100,"mmr":0.005,"cf":0.05,"mi":51,"ma":100}]'
        )
        return (
            f'{{"e":"contractInfo","E":{self.stamp},"s":"{symbol}","ps":"{pair}","ct":"PERPETUAL","dt":4133404800000,'
            f'"ot":1569398400000,"cs":"TRADING","bks":{brackets},"st":{universe}}}'
        ).encode()

    # -- REST
    def snapshot_head(self, symbol: str) -> str:
        return f',"symbol":"{symbol}","pair":"{self.pair(symbol)}"{super().snapshot_head(symbol)}'

    def interest(self, symbol: str, market: Market) -> dict[str, object]:
        return {**super().interest(symbol, market), "pair": self.pair(symbol), "contractType": "PERPETUAL"}

    def listed(self, symbol: str, market: Market) -> Mapping[str, object]:
        spec = market.spec
        tick, lot, face = spec.price_text(1), spec.size_text(1), int(spec.contract_size)
        return _row(symbol, "PERPETUAL", "TRADING", spec.coin, tick, lot, face, spec.quote)
