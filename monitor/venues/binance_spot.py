"""Binance spot. Facts as of 2026-11-22.

Books: `U` of each change is `u` of the one before plus 1, seeded by a REST snapshot of 1,000 levels, then 5,000 a side (of bitcoin 1,000 levels
reached 0.3% in a capture of 2024).
An unknown stream is acknowledged and stays silent for ever. Sizes are base coins (of 1000SATS: thousands of them); an order older
than a change of the lot size stands with its odd size (25.426189 BTC in a capture of 2024), and moves the book to a finer grid. A
shutdown is announced by `serverShutdown` since 2026-05. Status by market (halts, cancel-only since 2026-07) and of the whole venue is polled.
`data-stream.binance.vision` carries the same streams (ws_origin). Its REST sibling `data-api.binance.vision` cannot stand for the main
address: it has market data alone, and the system's status is asked too.

Not given by the venue: a checksum, a snapshot on the stream, levels beyond 5,000 a side (learned from changes), liquidations, a
stream of a market's status, the length of announced maintenance, names per subscribe frame (our own bound stands in), the longest
silence of a quiet book (19 s was seen in a capture of half a minute).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import ClassVar, Final
from urllib.parse import quote

from engines.wire.grammar import SequenceRule
from monitor import facts
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import binance
from monitor.venues.base import BookPolicy, ConnectionPlan, Limits, Ping, Poll, RestRequest, Topic
from monitor.venues.packing import pack, read_listing, read_rows, symbols_in_order
from monitor.venues.reading import Reader, Record, dumps

SOCKET: Final = "wss://stream.binance.com:9443/stream"
REST: Final = "https://api.binance.com"

SNAPSHOT_LEVELS, SNAPSHOT_WEIGHT = 1000, 50  # of 6,000 a minute: the seed
WIDE_LEVELS, WIDE_WEIGHT = 5000, 250  # the largest; merged into the live book
LISTING_WEIGHT: Final = 20
STATUS_SECONDS: Final = 60.0
STATUSES_SECONDS: Final = 120.0
STATUS_SYMBOLS: Final = 100  # asked about in one request at most, so that its address stays short
# A name that is no longer listed fails its whole request: while there are no more than so many markets each is asked alone.
STATUS_REQUESTS: Final = (
    4  # at most: 40 of the 6,000 weight a minute; one unknown symbol costs the others of its request
)
STATUS: Final = "status"
SYSTEM: Final = "system"
MAINTENANCE: Final = "the venue's system status is maintenance"


class BinanceSpot(binance.BinanceVenue):
    name: ClassVar[str] = "binance_spot"
    title: ClassVar[str] = "Binance spot"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("spot",)
    limits: ClassVar[Limits] = Limits(
        connects=300,
        connects_window_seconds=300,
        topics_per_connection=200,  # the venue allows 1,024; one lost connection should not take every market with it
        topics_per_frame=100,
        frames_per_second=5,  # pings and pongs count
        operations_per_hour=None,
        lifetime_seconds=24 * 3600,
        max_frame_bytes=4 << 20,
        ack_timeout_seconds=10,
        ping=Ping(text=None, interval_seconds=20, pong_timeout_seconds=60),
        rest_weight=6000,
        rest_window_seconds=60,
        used_weight_header="x-mbx-used-weight-1m",
    )
    book: ClassVar[BookPolicy] = BookPolicy(
        sequence=SequenceRule("range", seed="rest"),
        changes_at_any_price=True,
        window=None,
        snapshot_grammar=binance.SNAPSHOT,
        snapshot_levels=SNAPSHOT_LEVELS,
    )
    liquidation_coverage: ClassVar[facts.Coverage] = "none"
    verification: ClassVar[str] = (
        "U of each change is u of the one before + 1; seeded by a REST snapshot of 1,000 levels, then 5,000"
    )
    symbol_pattern: ClassVar[str] = r"^[^\W_a-z]{3,40}$"  # some names are not Latin
    symbol_example: ClassVar[str] = "BTCUSDT"
    rest = f"{REST}/api/v3"
    changes = binance.SPOT_CHANGE
    depth = frozenset({"depth", "depth@100ms"})
    depth_silence = (
        60.0  # pushed every 100 ms when anything changes; crosses of small coins stand still for 20 s and more
    )
    snapshot_weight = SNAPSHOT_WEIGHT

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        url = f"{self.rest}/exchangeInfo?showPermissionSets=false"  # they are most of the body
        return [RestRequest("instruments", url, LISTING_WEIGHT)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        reader = Reader(self.name, "instruments")
        return read_listing(reader.rows(reader.record(reader.load(body)), "symbols"), self.instrument), None

    def listed(self, reader: Reader, row: Record, instrument: Instrument) -> Instrument:
        status = reader.text(row, "status")
        return replace(instrument, trading=status == "TRADING", status=status)

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        names = [symbol.lower() for symbol in symbols_in_order(instruments)]
        keys = [f"{name}@{stream}" for name in names for stream in ("depth@100ms", "aggTrade")]
        return pack(self, "all", SOCKET, keys, self.limits.topics_per_connection)

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        if topic.channel is Channel.OTHER:
            return []
        raise Reader(self.name, topic.channel, topic.symbols[0]).refused("spot has no cold channel")

    # -- REST
    def wide_request(self, instrument: Instrument) -> RestRequest:
        url = f"{self.rest}/depth?symbol={quote(instrument.symbol)}&limit={WIDE_LEVELS}"
        return RestRequest("snapshot", url, WIDE_WEIGHT, instrument.symbol)

    def venue_polls(self, instruments: Sequence[Instrument]) -> list[Poll]:
        symbols = symbols_in_order(instruments)
        size = min(STATUS_SYMBOLS, -(-len(symbols) // STATUS_REQUESTS)) or 1
        parts = [symbols[at : at + size] for at in range(0, len(symbols), size)]
        asked = [
            (f"{self.rest}/exchangeInfo?showPermissionSets=false&symbols={quote(dumps(part))}", f"{STATUS}:{number}")
            for number, part in enumerate(parts)
        ]
        return [
            Poll(RestRequest("poll", f"{REST}/sapi/v1/system/status", 1, key=SYSTEM), STATUS_SECONDS),
            *(Poll(RestRequest("poll", url, LISTING_WEIGHT, key=key), STATUSES_SECONDS) for url, key in asked),
        ]

    def polled(self, reader: Reader, reply: object) -> list[Fact]:
        said = reader.record(reply)
        if reader.channel != SYSTEM:
            at = reader.time(said, "serverTime")
            return read_rows(reader.rows(said, "symbols"), lambda row: [self._status(reader, row, at)])
        status = reader.integer(said, "status")
        if status not in (0, 1):
            raise reader.refused(f"status is neither 0 nor 1: {status}")
        # It names no time. Normal ends the notice that stands; a second one of the same text takes the place of the first.
        return [facts.VenueNotice(MAINTENANCE, status == 1, None, None if status else 0, 0)]

    def _status(self, reader: Reader, row: Record, at: int) -> Fact:
        status = reader.text(row, "status")
        return facts.InstrumentChanged(reader.text(row, "symbol"), status == "TRADING", status, at)
