"""Binance COIN-M futures: inverse contracts of 100 US dollars (bitcoin) or 10 (others). Facts as of 2026-11-22.

One address without routes. Sizes are whole contracts; base coins = contracts x contract size / price. All-market streams carry the
USD-margined universe too (`st` 1): left out by the symbol's form, because the venue's own coin-margined example says `st` 1.
Older mark price frames carry no index price, so the index stream of each perpetual's pair is read too. Brackets in `contractInfo`
count notional, which for coin-margined contracts is in the base coin by the venue's margin page.

Not given by the venue: a checksum, a snapshot on the stream, a stream of open interest (polled), levels beyond 1,000 a side
(learned from changes), connects a minute and names per subscribe frame (spot's bound and our own stand in), brackets without a key
(read when they change, with a read-only key each hour; its page shows the lowest one of the bitcoin perpetual), an index price of delivery contracts where their
mark frame has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import ClassVar, Final

from monitor import facts
from monitor.facts import Channel, Fact, Instrument, MarginTiers
from monitor.venues import binance
from monitor.venues.base import ConnectionPlan, Topic
from monitor.venues.binance_futures import MARK_SILENCE, MARKET_STREAMS, BinanceFutures
from monitor.venues.binance_tiers import documented_coinm
from monitor.venues.packing import pack, symbols_in_order
from monitor.venues.reading import Reader, Record

SOCKET: Final = "wss://dstream.binance.com/stream"
PERPETUAL: Final = "_PERP"
INDEX_STREAM: Final = "indexPrice@1s"
INDEX_STREAMS: Final = ("indexPrice", INDEX_STREAM)


class BinanceCoinm(BinanceFutures):
    name: ClassVar[str] = "binance_coinm"
    title: ClassVar[str] = "Binance COIN-M futures"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("inverse",)
    symbol_pattern: ClassVar[str] = r"^[0-9A-Z]{1,20}USD_(PERP|[0-9]{6})$"
    symbol_example: ClassVar[str] = "BTCUSD_PERP"
    rest = "https://dapi.binance.com/dapi/v1"
    coin_margined = True
    status_key = "contractStatus"
    tier_unit = "base"
    brackets_url = "https://dapi.binance.com/dapi/v2/leverageBracket"  # version 1 tells them by pair

    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        names = [symbol.lower() for symbol in symbols_in_order(instruments)]
        if not names:
            return []
        keys = [binance.LISTINGS]
        for name in names:
            keys += [f"{name}@{stream}" for stream in ("depth@100ms", *MARKET_STREAMS)]
            if name.endswith(PERPETUAL.lower()):
                keys.append(f"{name.removesuffix(PERPETUAL.lower())}@{INDEX_STREAM}")
        return pack(self, "all", SOCKET, keys, self.limits.topics_per_connection)

    def cold_topic(self, key: str, symbol: str, suffix: str) -> Topic | None:
        if "_" in symbol:
            return super().cold_topic(key, symbol, suffix)
        # Streams of a pair: its index price stands for its perpetual; its mark price comes for all its contracts in one array.
        if suffix in INDEX_STREAMS:
            return Topic(key, Channel.TICKER, (symbol + PERPETUAL,), MARK_SILENCE)
        return Topic(key, Channel.OTHER, (symbol,)) if suffix in ("markPrice", "markPrice@1s") else None

    def ticker(self, reader: Reader, topic: Topic, data: Record) -> list[Fact]:
        if not topic.key.endswith(INDEX_STREAMS):
            return super().ticker(reader, topic, data)
        reader.expect(data, "e", "indexPriceUpdate")
        reader.expect(data, "i", reader.market.removesuffix(PERPETUAL))
        return [facts.IndexPrice(reader.market, reader.positive(data, "p"), reader.time(data, "E"))]

    def documented_tiers(self, instrument: Instrument) -> MarginTiers | None:
        return documented_coinm(instrument.symbol)
