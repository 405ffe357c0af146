"""Bybit v5 linear: USDT and USDC perpetuals and futures. Facts as of 2026-11-22.

One unknown topic fails its whole subscribe frame, "already subscribed" too: the rest must be asked again. Liquidations:
`S` is the side of the POSITION (Buy = a long was closed), the price is the bankruptcy price, and all of them are published.
Open interest is read from `single*` (one side, as other venues count it); `openInterest` is both sides.

Not given by the venue: a checksum, numeric trade ids, a REST seed, a 24-hour cut, a full book of linear markets (spot only so
far), the longest silence of a book, a limit of client messages (our own bound stands in), error codes on the socket.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import ClassVar, Final
from urllib.parse import quote

from engines.wire import layout
from engines.wire.grammar import MILLISECOND, BookGrammar, IntegerField, SequenceRule, TradeGrammar
from monitor import facts
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import base
from monitor.venues.base import BookPolicy, ConnectionPlan, Limits, Ping, RestRequest, Topic, Venue
from monitor.venues.naming import coin_of
from monitor.venues.packing import pack, read_listing, symbols_in_order
from monitor.venues.reading import Reader, Record, dumps, given, request_number, shown
from monitor.venues.replies import ErrorCodes, check_reply

SOCKET: Final = "wss://stream.bybit.com/v5/public/linear"
LISTING: Final = "https://api.bybit.com/v5/market/instruments-info?category=linear&limit=1000"
HEAD: Final = b'{"topic":"'
KEY_AT: Final = len(HEAD)
KEY_END: Final = KEY_AT + 128  # a topic's name is a word, a depth and a symbol

LEVELS: Final = 1000
BOOKS_PER_CONNECTION: Final = 50  # a first snapshot is 50 KB: this many still arrive within a second
# By topic, the levels it keeps where that is not LEVELS; 500 is retired and only in captures.
BOOKS: Final = {"orderbook.50": 50, "orderbook.200": 200, "orderbook.500": 500, f"orderbook.{LEVELS}": None}
COLD_STREAMS: Final = ("publicTrade", "tickers", "allLiquidation")
SILENCE: Final = (
    30.0  # books (200 ms) and tickers (100 ms) are pushed on change; the quietest markets change within seconds
)
LIQUIDATED: Final[dict[str, facts.Position]] = {"Buy": "long", "Sell": "short"}
# Depth 1 is a best bid and ask, rpi has other rows, full wants a REST seed: known, not used.
UNUSED: Final = re.compile(r"orderbook\.(1|rpi|full)|kline\.\w+|priceLimit|adlAlert|insurance")
TOPIC_NAMED: Final = re.compile(r"topic:\s*([^\s,]+)", re.IGNORECASE)
ERRORS: Final = ErrorCodes(
    code="retCode",
    text="retMsg",
    good=re.compile(rb'\s*\{\s*"retCode"\s*:\s*0\s*,'),
    good_code=0,
    busy=(10000, 10006, 10016),  # server time-out, too many visits, server error
    busy_seconds=5,  # the limit's window; its reset comes as a moment, and there is no clock here
)

BOOK: Final = BookGrammar(
    bids=("data", "b"),
    asks=("data", "a"),
    integers=(
        IntegerField(("data", "u"), layout.LAST_ID),
        IntegerField(("data", "seq"), layout.CROSS_ID, required=False),
        IntegerField(("ts",), layout.EVENT_TIME, MILLISECOND),
        IntegerField(("cts",), layout.ENGINE_TIME, MILLISECOND, required=False),
    ),
    market=(("data", "s"),),
    kind=(("type",), "snapshot", "delta"),
)
TRADES: Final = TradeGrammar(
    rows=("data",),
    single=False,
    price=("p",),
    size=("v",),
    side=("S",),
    taker_buy="Buy",
    taker_sell="Sell",
    time=("T",),
    row_market=(("s",),),
    keep={("BT",): (False,)},  # block trades are agreed off the book
)


class BybitLinear(Venue):
    name: ClassVar[str] = "bybit_linear"
    title: ClassVar[str] = "Bybit linear perpetuals and futures"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("linear",)
    limits: ClassVar[Limits] = Limits(
        connects=500,
        connects_window_seconds=300,
        topics_per_connection=300,  # "few hundred"; 172 to 200 symbols on one socket were seen to work
        topics_per_frame=10,
        frames_per_second=10,  # not given
        operations_per_hour=None,
        lifetime_seconds=None,
        max_frame_bytes=4 << 20,
        ack_timeout_seconds=10,
        # The venue cuts after 10 minutes without a ping; two missed pongs are a dead connection.
        ping=Ping(text='{"req_id":"ping","op":"ping"}', interval_seconds=20, pong_timeout_seconds=40),
        rest_weight=600,  # requests; breach is answered 403 for at least 10 minutes
        rest_window_seconds=5,
        args_characters_per_connection=21_000,
    )
    book: ClassVar[BookPolicy] = BookPolicy(
        sequence=SequenceRule("counter", restart_id=1), changes_at_any_price=False, window=LEVELS
    )
    liquidation_coverage: ClassVar[facts.Coverage] = "complete"
    verification: ClassVar[str] = (
        "u of each delta is one above the last; snapshot on the stream, also after a restart (u = 1)"
    )
    symbol_pattern: ClassVar[str] = r"^[0-9A-Z]{2,30}(-[0-9A-Z]{4,10})?$"
    symbol_example: ClassVar[str] = "BTCUSDT"

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return [RestRequest("instruments", LISTING, weight=1)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        reader = Reader(self.name, "instruments")
        result = reader.child(reader.record(reader.load(body)), "result")
        found = read_listing(reader.rows(result, "list"), self._instrument)
        if not given(result, "nextPageCursor"):
            return found, None
        cursor = reader.text(result, "nextPageCursor")
        if cursor == request.key:
            raise reader.refused("nextPageCursor repeats: the listing does not end")
        return found, RestRequest("instruments", f"{LISTING}&cursor={quote(cursor, safe='')}", weight=1, key=cursor)

    def _instrument(self, row: Record) -> Instrument:
        symbol = Reader(self.name, "instruments").text(row, "symbol")
        reader = Reader(self.name, "instruments", symbol)
        asset, multiplier = coin_of(reader.text(row, "baseCoin"))
        status = reader.text(row, "status")
        minutes = reader.integer(row, "fundingInterval") if given(row, "fundingInterval") else 0
        return Instrument(
            venue=self.name,
            symbol=symbol,
            asset=asset,
            quote=reader.text(row, "quoteCoin"),
            settle=reader.text(row, "settleCoin"),
            contract_type="linear",
            tick_size=reader.positive(reader.child(row, "priceFilter"), "tickSize"),
            lot_size=reader.positive(reader.child(row, "lotSizeFilter"), "qtyStep"),
            unit_multiplier=multiplier,
            trading=status == "Trading",
            status=status,
            funding_interval_seconds=minutes * 60 if minutes > 0 else None,
        )

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        symbols = symbols_in_order(instruments)
        books = [f"orderbook.{LEVELS}.{symbol}" for symbol in symbols]
        cold = [f"{stream}.{symbol}" for symbol in symbols for stream in COLD_STREAMS]
        most, characters = self.limits.topics_per_connection, self.limits.args_characters_per_connection
        return [
            *pack(self, "books", SOCKET, books, BOOKS_PER_CONNECTION, characters),
            *pack(self, "facts", SOCKET, cold, most, characters),
        ]

    def topic(self, key: str) -> Topic | None:
        stream, _, symbol = key.rpartition(".")
        if not symbol:
            return None
        if stream in BOOKS:
            return Topic(key, Channel.BOOK, (symbol,), SILENCE, book=BOOK, window=BOOKS[stream])
        if stream == "publicTrade":
            return Topic(key, Channel.TRADES, (symbol,), trades=TRADES)
        if stream == "tickers":
            return Topic(key, Channel.TICKER, (symbol,), SILENCE)
        if stream == "allLiquidation":
            return Topic(key, Channel.LIQUIDATIONS, (symbol,))
        return Topic(key, Channel.OTHER, (symbol,)) if UNUSED.fullmatch(stream) else None

    def frame_key(self, frame: bytes) -> bytes | None:
        if not frame.startswith(HEAD):
            return None
        end = frame.find(b'"', KEY_AT, KEY_END)
        key = frame[KEY_AT:end]
        return None if end < 0 or b"\\" in key else key

    def slow_frame_key(self, frame: bytes) -> str | None:
        message = Reader(self.name, "frame").load(frame)
        topic = message.get("topic") if isinstance(message, dict) else None
        return topic if isinstance(topic, str) else None

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return dumps({"req_id": str(request_id), "op": "subscribe", "args": [topic.key for topic in topics]})

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return dumps({"req_id": str(request_id), "op": "unsubscribe", "args": [topic.key for topic in topics]})

    def control(self, frame: bytes) -> list[base.Control]:
        reader = Reader(self.name, "control")
        message = reader.record(reader.load(frame))
        operation, said = message.get("op"), str(message.get("ret_msg", ""))
        if operation == "pong" or (operation == "ping" and said == "pong"):
            return [base.Pong()]
        request_id = request_number(message.get("req_id"))
        if message.get("success") is True and operation in ("subscribe", "unsubscribe"):
            return [base.Acked(request_id, unsubscribed=operation == "unsubscribe")]
        if message.get("success") is not False:
            raise reader.refused(f"unknown frame: {shown(frame)!r}")
        named = TOPIC_NAMED.search(said)
        keys = (named[1],) if named else ()
        if named and "already subscribed" in said:
            # That topic lives; the frame's other topics were not subscribed with it.
            return [base.Acked(keys=keys), base.Refused(shown(said), request_id, whole_batch=True)]
        if named or request_id is not None:
            return [base.Refused(shown(said), request_id, keys, whole_batch=named is not None)]
        return [base.ErrorSaid(shown(said))]

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        if topic.channel is Channel.OTHER:
            return []
        reader = Reader(self.name, topic.channel, topic.symbols[0])
        message = reader.record(reader.load(frame))
        match topic.channel:
            case Channel.TICKER:
                return self._ticker(reader, message)
            case Channel.LIQUIDATIONS:
                return [self._liquidation(reader, row) for row in reader.rows(message, "data")]
        raise reader.refused("not a cold channel")

    def _ticker(self, reader: Reader, message: Record) -> list[Fact]:
        """A delta says only what changed: a field that is missing stays as it was, so it gives no fact."""
        data = reader.child(message, "data")
        symbol, at = reader.market, reader.time(message, "ts")
        reader.expect(data, "symbol", symbol)
        found: list[Fact] = []
        if given(data, "markPrice"):
            found.append(facts.MarkPrice(symbol, reader.positive(data, "markPrice"), at))
        if given(data, "indexPrice"):
            found.append(facts.IndexPrice(symbol, reader.positive(data, "indexPrice"), at))
        if given(data, "fundingRate"):
            due = given(data, "nextFundingTime") and reader.integer(data, "nextFundingTime") != 0
            next_time = reader.time(data, "nextFundingTime") if due else None
            hours = reader.integer(data, "fundingIntervalHour") if given(data, "fundingIntervalHour") else 0
            interval = hours * 3600 if hours > 0 else None
            found.append(facts.Funding(symbol, reader.decimal(data, "fundingRate"), next_time, interval, at))
        if given(data, "singleOpenInterest"):
            found.append(facts.OpenInterest(symbol, reader.decimal(data, "singleOpenInterest"), None, at))
        return found

    def _liquidation(self, reader: Reader, row: Record) -> Fact:
        reader.expect(row, "s", reader.market)
        return facts.Liquidation(
            symbol=reader.market,
            position=reader.choice(row, "S", LIQUIDATED),
            quantity=reader.positive(row, "v"),
            price=reader.positive(row, "p"),
            price_kind="bankruptcy",
            venue_time=reader.time(row, "T"),
            coverage=self.liquidation_coverage,
        )

    # -- REST
    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        check_reply(self.name, request, status, headers, body, ERRORS, self.limits.rest_window_seconds)
