"""Bitget USDT perpetuals, the unified account's public socket (v3). Facts as of 2026-11-22.

Sizes are base coins. The book is pushed as changes of its best levels, up to 1000 a side (`maxdepth` of a frame says how many the
market has). Liquidations come for all markets of the family at once: `side` is the side of the POSITION (buy = a long was closed),
`amount` is in the quote currency. Two readings of the page differ (all of them every 20 s; or one a second, the largest of each symbol
and side): they count as a sample. The first frame of a trade subscription is history. An acknowledgement is no proof of data: a real
symbol under another family is acknowledged and stays silent.

A market whose status is `online` trades. By their names `limit_open` and `limit_close` restrict orders while the book lives, so such
a market is read as trading; `listed`, `offline` and `restrictedAPI` are not.

Not given by the venue: what the statuses of a market mean, whether the whole position takes its margin tier's ratio (read so), what
kind of price a liquidation's is (taken for the bankruptcy price), a checksum (gone since 2026), whose side a trade's is (read as the
taker's, as other clients do), the width of REST books beyond 200 levels (so there is no deep snapshot), an age at which connections
are cut, a status channel, the longest silence of a book.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import ClassVar, Final

from engines.wire import layout
from engines.wire.grammar import MILLISECOND, BookGrammar, IntegerField, SequenceRule, TradeGrammar
from monitor import facts
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import base
from monitor.venues import bitget_usdt_facts as read
from monitor.venues.base import BookPolicy, ConnectionPlan, Limits, Ping, Poll, RestRequest, Topic, Venue
from monitor.venues.naming import coin_of
from monitor.venues.packing import pack, read_listing, read_rows, symbols_in_order
from monitor.venues.reading import Reader, Record, dumps, given, shown
from monitor.venues.replies import ErrorCodes, check_reply

SOCKET: Final = "wss://ws.bitget.com/v3/ws/public"
REST: Final = "https://api.bitget.com/api/v3/market"
FAMILY: Final = "usdt-futures"
CATEGORY: Final = "USDT-FUTURES"  # the same, as REST spells it

LEVELS: Final = 1000
BOOKS_PER_CONNECTION: Final = 40  # "< 50 recommended"
OTHERS_PER_CONNECTION: Final = 48
FIRST_SECONDS: Final = 10.0  # a book begins with a snapshot, a ticker with its figures
BOOK_SILENCE: Final = 120.0  # quiet books are silent; 8 s were seen
TICKER_SILENCE: Final = 30.0  # pushed every 100 ms, changed or not
TIERS_SECONDS: Final = 6 * 3600.0
LISTING_SECONDS: Final = 300.0  # a market's status changes on no channel
LIQUIDATION: Final = "liquidation"
TOPICS: Final = {"books": Channel.BOOK, "publicTrade": Channel.TRADES, "ticker": Channel.TICKER}
UNUSED: Final = ("books1", "books5", "books50")
HEAD: Final = re.compile(
    rb'\{"action":"(?:snapshot|update)","arg":\{"instType":"usdt-futures","topic":"(\w{1,20})"(?:,"symbol":"([^"\\]{1,60})")?\},"data":'
)
TOPIC_NAMED: Final = re.compile(r'"topic"\s*:\s*"(\w+)"')
SYMBOL_NAMED: Final = re.compile(r'"symbol"\s*:\s*"([^"]+)"')
NO_SUCH: Final = (30001, 30016)  # a symbol, or a channel, that is not offered
ERRORS: Final = ErrorCodes(
    code="code",
    text="msg",
    good=re.compile(rb'\s*\{\s*"code"\s*:\s*"00000"\s*,'),
    good_code="00000",
    busy=("429", "30007", "40725"),  # too many requests; over the limit; the service is busy
    busy_seconds=2,
)

BOOK: Final = BookGrammar(
    bids=("data", 0, "b"),
    asks=("data", 0, "a"),
    integers=(
        IntegerField(("data", 0, "seq"), layout.LAST_ID),
        IntegerField(("data", 0, "pseq"), layout.PREVIOUS_ID),
        IntegerField(("data", 0, "maxdepth"), layout.KEPT_LEVELS, required=False),  # 1000, 500 or 200 by market
        IntegerField(("data", 0, "ts"), layout.ENGINE_TIME, MILLISECOND),
        IntegerField(("ts",), layout.EVENT_TIME, MILLISECOND),
    ),
    expects={("arg", "topic"): "books", ("arg", "instType"): FAMILY},
    market=(("arg", "symbol"),),
    kind=(("action",), "snapshot", "update"),
)
TRADES: Final = TradeGrammar(
    rows=("data",),
    single=False,
    price=("p",),
    size=("v",),
    side=("S",),
    taker_buy="buy",
    taker_sell="sell",
    time=("T",),
    identifier=("i",),
    expects={("arg", "topic"): "publicTrade", ("action",): "update"},
    market=(("arg", "symbol"),),
    ignore={("action",): ("snapshot",)},
)


class BitgetUsdt(Venue):
    name: ClassVar[str] = "bitget_usdt"
    title: ClassVar[str] = "Bitget USDT perpetuals"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("linear",)
    limits: ClassVar[Limits] = Limits(
        connects=300,
        connects_window_seconds=300,
        topics_per_connection=OTHERS_PER_CONNECTION,
        topics_per_frame=10,  # 25 and more `books` in a frame were seen to close the connection without a word
        frames_per_second=5,  # 10, pings among them
        frame_spacing_seconds=0.25,  # 0.2 to 1 s between batches of books
        operations_per_hour=240,
        lifetime_seconds=None,
        max_frame_bytes=4 << 20,
        ack_timeout_seconds=10,
        # Without a ping for about two minutes the venue closes even while data flows.
        ping=Ping(text="ping", interval_seconds=25, pong_timeout_seconds=25),
        rest_weight=20,  # requests a second
        rest_window_seconds=1,
    )
    book: ClassVar[BookPolicy] = BookPolicy(
        SequenceRule("linked", restart_id=0, first_overlaps=True), changes_at_any_price=False, window=LEVELS
    )
    liquidation_coverage: ClassVar[facts.Coverage] = "sampled"
    verification: ClassVar[str] = "pseq of each update equals seq of the one before; snapshot on the stream"
    symbol_pattern: ClassVar[str] = r"^[^\W_]{1,30}USDT$"  # a few names are not ASCII
    symbol_example: ClassVar[str] = "BTCUSDT"

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return [RestRequest("instruments", f"{REST}/instruments?category={CATEGORY}", weight=1)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        reader = Reader(self.name, "instruments")
        rows = reader.rows(reader.record(reader.load(body)), "data")
        return read_listing([row for row in rows if row.get("type") == "perpetual"], self._instrument), None

    def _instrument(self, row: Record) -> Instrument:
        symbol = Reader(self.name, "instruments").text(row, "symbol")
        reader = Reader(self.name, "instruments", symbol)
        asset, multiplier = coin_of(reader.text(row, "baseCoin"))
        status = reader.text(row, "status")
        hours = reader.integer(row, "fundInterval") if given(row, "fundInterval") else 0
        return Instrument(
            venue=self.name,
            symbol=symbol,
            asset=asset,
            quote=reader.text(row, "quoteCoin"),
            settle=reader.text(row, "quoteCoin"),
            contract_type="linear",
            tick_size=reader.positive(row, "priceMultiplier"),
            lot_size=reader.positive(row, "quantityMultiplier"),
            unit_multiplier=multiplier,
            trading=status in read.TRADING,
            status=status,
            funding_interval_seconds=hours * 3600 if hours > 0 else None,
        )

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        symbols = symbols_in_order(instruments)
        if not symbols:
            return []
        books = [f"books:{symbol}" for symbol in symbols]
        others = [f"{topic}:{symbol}" for symbol in symbols for topic in ("publicTrade", "ticker")]
        return [
            *pack(self, "books", SOCKET, books, BOOKS_PER_CONNECTION),
            *pack(self, "facts", SOCKET, [LIQUIDATION, *others], OTHERS_PER_CONNECTION),
        ]

    def topic(self, key: str) -> Topic | None:
        name, _, symbol = key.partition(":")
        if key == LIQUIDATION:
            return Topic(key, Channel.LIQUIDATIONS, ())
        if not symbol:
            return None
        match TOPICS.get(name):
            case Channel.BOOK:
                return Topic(key, Channel.BOOK, (symbol,), BOOK_SILENCE, book=BOOK, first_seconds=FIRST_SECONDS)
            case Channel.TRADES:
                return Topic(key, Channel.TRADES, (symbol,), trades=TRADES)
            case Channel.TICKER:
                return Topic(key, Channel.TICKER, (symbol,), TICKER_SILENCE, first_seconds=FIRST_SECONDS)
        return Topic(key, Channel.OTHER, (symbol,)) if name in UNUSED else None

    def frame_key(self, frame: bytes) -> bytes | None:
        found = HEAD.match(frame)
        if found is None:
            return None
        topic, symbol = found.groups()
        return topic if symbol is None else topic + b":" + symbol

    def slow_frame_key(self, frame: bytes) -> str | None:
        if frame == b"pong":
            return None
        message = Reader(self.name, "frame").load(frame)
        if not isinstance(message, dict) or "data" not in message or not isinstance(message.get("arg"), dict):
            return None
        arg = message["arg"]
        return _key(arg) if arg.get("instType") == FAMILY else None

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return dumps({"op": "subscribe", "args": [_arg(topic.key) for topic in topics]})

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return dumps({"op": "unsubscribe", "args": [_arg(topic.key) for topic in topics]})

    def control(self, frame: bytes) -> list[base.Control]:
        if frame == b"pong":
            return [base.Pong()]
        reader = Reader(self.name, "control")
        message = reader.record(reader.load(frame))
        event = message.get("event")
        if event in ("subscribe", "unsubscribe"):
            return [base.Acked(keys=(_key(reader.child(message, "arg")),), unsubscribed=event == "unsubscribe")]
        if event != "error":
            raise reader.refused(f"unknown frame: {shown(frame)!r}")
        code, said = message.get("code"), str(message.get("msg", ""))
        topic, symbol = TOPIC_NAMED.search(said), SYMBOL_NAMED.search(said)
        text = shown(f"{code} {said}")
        if code in NO_SUCH and topic is not None:
            key = topic[1] if symbol is None else f"{topic[1]}:{symbol[1]}"
            return [base.Refused(text, keys=(key,))]
        return [base.ErrorSaid(text)]

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        if topic.channel is Channel.OTHER:
            return []
        reader = Reader(self.name, topic.channel, topic.symbols[0] if topic.symbols else "")
        message = reader.record(reader.load(frame))
        if topic.channel is Channel.LIQUIDATIONS:
            # What is pushed first after a subscription is of the past.
            live, coverage = message.get("action") == "update", self.liquidation_coverage
            rows = reader.rows(message, "data") if live else []
            return read_rows(rows, lambda row: [read.liquidation(reader, row, coverage)])
        if topic.channel is not Channel.TICKER:
            raise reader.refused("not a cold channel")
        reader.expect(reader.child(message, "arg"), "symbol", reader.market)
        at = reader.time(message, "ts")
        return [fact for row in reader.rows(message, "data") for fact in read.figures(reader, row, at)]

    # -- REST
    def polls(self, instrument: Instrument) -> list[Poll]:
        if not instrument.symbol.isascii():
            return []  # an address is ASCII; no tiers are known of these
        url = f"{REST}/position-tier?category={CATEGORY}&symbol={instrument.symbol}"
        return [Poll(RestRequest("poll", url, 1, instrument.symbol, key="margin_tiers"), TIERS_SECONDS)]

    def venue_polls(self, instruments: Sequence[Instrument]) -> list[Poll]:
        request = RestRequest("poll", f"{REST}/instruments?category={CATEGORY}", 1, key="statuses")
        return [Poll(request, LISTING_SECONDS)]

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        reader = Reader(self.name, request.key, request.symbol or "")
        message = reader.record(reader.load(body))
        at, rows = reader.time(message, "requestTime"), reader.rows(message, "data")
        if request.key == "margin_tiers":
            return [read.margin_tiers(reader, rows, at)]
        return read_listing(rows, lambda row: read.changed(reader, row, at))

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        check_reply(self.name, request, status, headers, body, ERRORS, self.limits.rest_window_seconds)


def _key(arg: Record) -> str:
    symbol = arg.get("symbol")
    return f"{arg.get('topic')}:{symbol}" if symbol else str(arg.get("topic"))


def _arg(key: str) -> dict[str, str]:
    topic, _, symbol = key.partition(":")
    return {"instType": FAMILY, "topic": topic} | ({"symbol": symbol} if symbol else {})
