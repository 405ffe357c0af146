"""Binance USD-M futures. Facts as of 2026-11-22.

Two routes: books on /public, everything else on /market. A stream asked on the wrong one is acknowledged and stays silent for
ever, so each topic's first frame is due within its `silence_seconds`. All-market streams carry the coin-margined universe
too (`st` 2): ignored here. Liquidations: `S` is the side of the ORDER; at most one print a symbol and second, a sample.

Not given by the venue: a checksum, a snapshot on the stream, a stream of open interest (polled), levels beyond 1,000 a side
(learned from changes), connects a minute and names per subscribe frame (spot's bound and our own stand in), brackets without a key
(read when they change; with a read-only key each hour; for the two largest markets third parties' copies of April 2026 stand in).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import ClassVar, Final
from urllib.parse import quote

from monitor.facts import Fact, Instrument, LongShortRatio, MarginTiers
from monitor.venues import binance
from monitor.venues.base import ConnectionPlan, Poll, RestRequest
from monitor.venues.binance_futures import MARKET_STREAMS, BinanceFutures
from monitor.venues.binance_tiers import documented_usdm
from monitor.venues.packing import pack, symbols_in_order
from monitor.venues.reading import Reader

SOCKET: Final = "wss://fstream.binance.com"
# Of all accounts, each counted once. It has 1,000 requests in 5 minutes of its own and no weight; here it counts as 1.
RATIO: Final = "https://fapi.binance.com/futures/data/globalLongShortAccountRatio"
LONG_SHORT: Final = "long_short_ratio"
LONG_SHORT_SECONDS: Final = 300.0  # it is counted every five minutes


class BinanceUsdm(BinanceFutures):
    name: ClassVar[str] = "binance_usdm"
    title: ClassVar[str] = "Binance USD-M futures"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("linear",)
    symbol_pattern: ClassVar[str] = r"^[^\W_a-z]{3,40}(_[0-9]{6})?$"  # some names are not Latin
    symbol_example: ClassVar[str] = "BTCUSDT"
    rest = "https://fapi.binance.com/fapi/v1"
    coin_margined = False
    status_key = "status"
    tier_unit = "quote"
    brackets_url = "https://fapi.binance.com/fapi/v1/leverageBracket"

    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        names = [symbol.lower() for symbol in symbols_in_order(instruments)]
        if not names:
            return []
        books = [f"{name}@depth@100ms" for name in names]
        market = [binance.LISTINGS, *(f"{name}@{stream}" for name in names for stream in MARKET_STREAMS)]
        most = self.limits.topics_per_connection
        return [
            *pack(self, "public", f"{SOCKET}/public/stream", books, most),
            *pack(self, "market", f"{SOCKET}/market/stream", market, most),
        ]

    def polls(self, instrument: Instrument) -> list[Poll]:
        url = f"{RATIO}?symbol={quote(instrument.symbol)}&period=5m&limit=1"
        ratio = Poll(RestRequest("poll", url, 1, instrument.symbol, LONG_SHORT), LONG_SHORT_SECONDS)
        dated = "_" in instrument.symbol  # of delivery contracts accounts are not counted
        return [*super().polls(instrument), *([] if dated else [ratio])]

    def polled(self, reader: Reader, reply: object) -> list[Fact]:
        """The ratio is taken of the two shares: the one that the venue's page shows beside them is off by ten."""
        if reader.channel != LONG_SHORT:
            return super().polled(reader, reply)
        found: list[Fact] = []
        for row in reader.records(reply):
            reader.expect(row, "symbol", reader.market)
            ratio = reader.positive(row, "longAccount") / reader.positive(row, "shortAccount")
            found.append(LongShortRatio(reader.market, ratio, reader.time(row, "timestamp")))
        return found

    def unlisted_contract_size(self, symbol: str) -> Decimal:
        return Decimal(1)  # sizes are coins

    def documented_tiers(self, instrument: Instrument) -> MarginTiers | None:
        return documented_usdm(instrument.symbol)
