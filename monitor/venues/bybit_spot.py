"""Bybit v5 spot: the full book, seeded over REST. Facts as of 2026-11-22.

`orderbook.full` (since 2026-07-16, every 200 ms) sends changes at any price and no snapshot; `u` goes up by one each frame, and
u = 1 means that the book starts anew (restart, another tick size, delisting). The REST book holds at most 10,000 levels a side
and the same `u`; `seq` of the frame with the snapshot's `u` must equal the snapshot's, or it is of before a restart. Sizes are base coins. RPI orders are in none of these books.

Not given by the venue: a checksum, a promise that trade ids are numbers, liquidations, mark price, funding and open interest (spot has none), a
24-hour cut, levels beyond 10,000 that never change, the longest silence of a book, a limit of client messages (our own bounds
stand in), error codes on the socket.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Final
from urllib.parse import quote

from engines.wire.grammar import SequenceRule
from monitor import facts
from monitor.facts import Channel, Instrument
from monitor.venues import bybit
from monitor.venues.base import BookPolicy, ConnectionPlan, RestRequest, Topic
from monitor.venues.packing import pack, symbols_in_order
from monitor.venues.reading import Record

SEED_LEVELS: Final = 10_000
# Frames come on change at any price; a pair that nobody quotes may rest for minutes, and pongs show that the socket lives.
BOOK_SILENCE: Final = 180.0


class BybitSpot(bybit.BybitVenue):
    name: ClassVar[str] = "bybit_spot"
    title: ClassVar[str] = "Bybit spot"
    category: ClassVar[str] = "spot"
    products: ClassVar[int] = 2
    silence: ClassVar[float] = BOOK_SILENCE
    contract_types: ClassVar[tuple[str, ...]] = ("spot",)
    book: ClassVar[BookPolicy] = BookPolicy(
        sequence=SequenceRule("range", restart_id=1, seed="rest"),
        changes_at_any_price=True,
        window=None,
        snapshot_grammar=bybit.FULL_SEED,
        snapshot_levels=SEED_LEVELS,
    )
    liquidation_coverage: ClassVar[facts.Coverage] = "none"
    verification: ClassVar[str] = (
        "u of each delta is one above the last; joined to a REST snapshot by u; u = 1 starts over"
    )
    symbol_pattern: ClassVar[str] = r"^[0-9A-Z]{2,30}$"
    symbol_example: ClassVar[str] = "BTCUSDT"

    def _instrument(self, row: Record) -> Instrument:
        return self._listed(row, "spot", settle="quoteCoin", lot="basePrecision")

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        keys = [
            key
            for symbol in symbols_in_order(instruments)
            for key in (f"{bybit.FULL}.{symbol}", f"publicTrade.{symbol}")
        ]
        most, characters = self.limits.topics_per_connection, self.limits.args_characters_per_connection
        return pack(self, "spot", f"{bybit.SOCKETS}/spot", keys, most, characters)

    def topic(self, key: str) -> Topic | None:
        stream, _, symbol = key.rpartition(".")
        if symbol and stream == bybit.FULL:
            return Topic(key, Channel.BOOK, (symbol,), BOOK_SILENCE, book=bybit.FULL_BOOK)
        if symbol and stream == "tickers":  # last price and volume only
            return Topic(key, Channel.OTHER, (symbol,))
        found = super().topic(key)
        return found if found is None or found.book is None else replace(found, policy=bybit.WINDOWED)

    # -- REST
    def snapshot_request(self, instrument: Instrument) -> RestRequest:
        url = f"{bybit.REST}/v5/market/full_orderbook?category=spot&symbol={quote(instrument.symbol)}"
        return RestRequest("snapshot", url, 1, instrument.symbol)
