"""Kraken spot, WebSocket v2. Facts as of 2026-11-22.

Symbols are v2 spellings (BTC/USD); only the REST listing says XBT and XDG. Sizes are base coins. Frames of the book carry no
number: a CRC32 over the best ten levels of each side shows what is missing, so the grid has the wire's own number of decimals.
A level that leaves the best 1,000 is not deleted on the stream, it has to be cut. Trades begin with the last 50, which are no
flow, but show that the subscription lives: Kraken is known to acknowledge one and never to send.

Orders meet only while the engine is `online`; the stream tells its state, and the system status, asked each minute, tells it again.

A refused or doubled subscription names its pair and not its channel: every connection subscribes to one channel only.

Not given by the venue: liquidations, mark, index, funding and open interest (spot); anything that covers levels beyond the best
ten (the book is subscribed anew once an hour for their sake); a book beyond 1,000 levels (REST has 500); a rate of client
messages and of public REST requests, how many subscriptions a connection may hold, an age at which connections are cut, the
longest silence of a book (our own bounds stand in); the fields of an announced maintenance or emergency.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import ClassVar, Final

from engines.wire import layout
from engines.wire.grammar import BookGrammar, IntegerField, Row, SequenceRule, TradeGrammar
from monitor import facts
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import base
from monitor.venues import kraken_spot_facts as read
from monitor.venues.base import BookPolicy, ConnectionPlan, Limits, Ping, Poll, RestRequest, Topic, Venue
from monitor.venues.packing import pack, read_listing, symbols_in_order
from monitor.venues.reading import Reader, Record, dumps, given, request_number, shown
from monitor.venues.replies import ErrorCodes, check_reply

SOCKET: Final = "wss://ws.kraken.com/v2"
LISTING: Final = "https://api.kraken.com/0/public/AssetPairs"
SYSTEM: Final = "https://api.kraken.com/0/public/SystemStatus"

DEPTH: Final = 1000
BOOKS_PER_CONNECTION: Final = 25  # a first snapshot is 80 KB: this many still arrive within a second
TRADES_PER_CONNECTION: Final = 200
BOOK_SILENCE: Final = 120.0  # pushed on change; the connection's heartbeat shows a dead socket sooner
FIRST_SECONDS: Final = 15.0  # a subscription begins with a snapshot
REFRESH_SECONDS: Final = 3600.0
SYSTEM_SECONDS: Final = 60.0
PER_PAIR: Final = ("book", "trade")  # what we subscribe to by pair
UNUSED: Final = ("ticker", "ohlc", "level3")
INSTRUMENTS: Final = "instrument"
STATUS: Final = "status"  # comes by itself, on connect and on change; there is nothing to ask for
PING: Final = '{"method":"ping"}'
# The head of a data frame: {"channel":"book","type":"update","data":[{"symbol":"BTC/USD",...
HEAD: Final = re.compile(rb'\{"channel":"(book|trade)","type":"\w{6,8}","data":\[\{"symbol":"([^"\\]{1,40})"')
TOO_MANY, ALREADY = "Exceeded msg rate", "Already subscribed"  # in both nothing is wrong with the topic
ERRORS: Final = ErrorCodes(
    code="error",
    text="result",
    good=re.compile(rb'\s*\{\s*"error"\s*:\s*\[\s*\]\s*,'),
    good_code=[],
    busy=(["EAPI:Rate limit exceeded"], ["EService:Unavailable"], ["EService:Busy"], ["EGeneral:Temporary lockout"]),
    busy_seconds=15,
)

BOOK: Final = BookGrammar(
    bids=("data", 0, "bids"),
    asks=("data", 0, "asks"),
    row=Row(price="price", size="qty", quoted=False),
    integers=(
        IntegerField(("data", 0, "checksum"), layout.CHECKSUM),
        IntegerField(("data", 0, "timestamp"), layout.EVENT_TIME, required=False, rfc3339=True),
    ),
    expects={("channel",): "book"},
    market=(("data", 0, "symbol"),),
    kind=(("type",), "snapshot", "update"),
)
TRADES: Final = TradeGrammar(
    rows=("data",),
    single=False,
    price=("price",),
    size=("qty",),
    side=("side",),  # of the taker
    taker_buy="buy",
    taker_sell="sell",
    time=("timestamp",),
    rfc3339=True,
    identifier=("trade_id",),
    expects={("channel",): "trade"},
    row_market=(("symbol",),),
    quoted=False,
    ignore={("type",): ("snapshot",)},
)


class KrakenSpot(Venue):
    name: ClassVar[str] = "kraken_spot"
    title: ClassVar[str] = "Kraken spot"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("spot",)
    limits: ClassVar[Limits] = Limits(
        connects=150,
        connects_window_seconds=600,
        topics_per_connection=TRADES_PER_CONNECTION,
        topics_per_frame=50,
        frames_per_second=10,  # not published; 20 are known to pass
        operations_per_hour=None,
        lifetime_seconds=None,
        max_frame_bytes=8 << 20,  # the list of all pairs is one frame
        ack_timeout_seconds=10,
        ping=Ping(text=PING, interval_seconds=20, pong_timeout_seconds=15),
        rest_weight=20,  # requests; not published
        rest_window_seconds=20,
        silence_seconds=10,  # a heartbeat a second when nothing else is sent
    )
    book: ClassVar[BookPolicy] = BookPolicy(
        sequence=SequenceRule("unsequenced"),
        changes_at_any_price=False,
        window=DEPTH,
        checksum="digits",
        refresh_seconds=REFRESH_SECONDS,
    )
    liquidation_coverage: ClassVar[facts.Coverage] = "none"
    verification: ClassVar[str] = "CRC32 of the best 10 levels a side with each update; hourly anew from the stream"
    symbol_pattern: ClassVar[str] = r"^[0-9A-Z]{1,20}/[0-9A-Z]{2,10}$"
    symbol_example: ClassVar[str] = "BTC/USD"

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return [RestRequest("instruments", LISTING, weight=1)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        reader = Reader(self.name, "instruments")
        pairs = reader.child(reader.record(reader.load(body)), "result").values()
        return read_listing(reader.records(list(pairs), "result"), lambda row: read.instrument(reader, row)), None

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        if not (symbols := symbols_in_order(instruments)):
            return []
        return [
            *pack(self, "books", SOCKET, [f"book:{symbol}" for symbol in symbols], BOOKS_PER_CONNECTION),
            *pack(self, "trades", SOCKET, [f"trade:{symbol}" for symbol in symbols], TRADES_PER_CONNECTION),
            *pack(self, "pairs", SOCKET, [INSTRUMENTS, STATUS], 2),
        ]

    def topic(self, key: str) -> Topic | None:
        if key in (STATUS, INSTRUMENTS):
            return Topic(key, Channel.STATUS, (), first_seconds=FIRST_SECONDS if key == INSTRUMENTS else None)
        channel, _, symbol = key.partition(":")
        if not symbol:
            return None
        match channel:
            case "book":
                return Topic(key, Channel.BOOK, (symbol,), BOOK_SILENCE, book=BOOK, first_seconds=FIRST_SECONDS)
            case "trade":
                return Topic(key, Channel.TRADES, (symbol,), trades=TRADES, first_seconds=FIRST_SECONDS)
        return Topic(key, Channel.OTHER, (symbol,)) if channel in UNUSED else None

    def frame_key(self, frame: bytes) -> bytes | None:
        found = HEAD.match(frame)
        return None if found is None else found[1] + b":" + found[2]

    def slow_frame_key(self, frame: bytes) -> str | None:
        message = Reader(self.name, "frame").load(frame)
        if not isinstance(message, dict) or "data" not in message:
            return None
        channel, data = message.get("channel"), message["data"]
        if channel in (STATUS, INSTRUMENTS):
            return str(channel)
        if channel not in (*PER_PAIR, *UNUSED) or not isinstance(data, list) or not data:
            return None
        symbol = data[0].get("symbol") if isinstance(data[0], dict) else None
        return f"{channel}:{symbol}" if isinstance(symbol, str) else None

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return _asked("subscribe", topics, request_id)

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return _asked("unsubscribe", topics, request_id)

    def control(self, frame: bytes) -> list[base.Control]:
        reader = Reader(self.name, "control")
        message = reader.record(reader.load(frame))
        method = message.get("method")
        if message.get("channel") == "heartbeat":
            return []
        if method == "pong":
            return [base.Pong()]
        if not given(message, "method") and given(message, "error"):
            return [base.ErrorSaid(shown(str(message["error"])))]
        if method not in ("subscribe", "unsubscribe") or not isinstance(message.get("success"), bool):
            raise reader.refused(f"unknown frame: {shown(frame)!r}")
        leaving = method == "unsubscribe"
        if message["success"]:
            result = reader.child(message, "result")
            channel = reader.text(result, "channel")
            key = f"{channel}:{reader.text(result, 'symbol')}" if "symbol" in result else channel
            return [base.Acked(keys=(key,), unsubscribed=leaving)]
        reason, request_id = shown(str(message.get("error", ""))), request_number(message.get("req_id"))
        if TOO_MANY in reason:
            return [base.Refused(reason, request_id, whole_batch=True)]
        symbol = message.get("symbol")  # without its channel: of these keys a connection knows one
        keys = tuple(f"{channel}:{symbol}" for channel in PER_PAIR) if isinstance(symbol, str) and symbol else ()
        if keys and ALREADY in reason and not leaving:
            return [base.Acked(keys=keys)]
        return [base.Refused(reason, request_id, keys)]

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        if topic.channel is Channel.OTHER:
            return []
        if topic.channel is not Channel.STATUS:
            raise Reader(self.name, topic.channel, topic.symbols[0]).refused("not a cold channel")
        reader = Reader(self.name, topic.channel)
        message = reader.record(reader.load(frame))
        reader.expect(message, "channel", topic.key)
        if topic.key == INSTRUMENTS:
            return [read.pair(reader, row) for row in reader.rows(reader.child(message, "data"), "pairs")]
        return [read.engine(reader.text(row, "system")) for row in reader.rows(message, "data")]

    # -- REST
    def venue_polls(self, instruments: Sequence[Instrument]) -> list[Poll]:
        return [Poll(RestRequest("poll", SYSTEM, 1, key=STATUS), SYSTEM_SECONDS)]

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        reader = Reader(self.name, request.key)
        return read.system(reader, reader.child(reader.record(reader.load(body)), "result"))

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        check_reply(self.name, request, status, headers, body, ERRORS, self.limits.rest_window_seconds)


def _asked(method: str, topics: Sequence[Topic], request_id: int) -> str:
    """A frame is about one channel, and so are the topics of a connection. For the status there is nothing to send but a ping."""
    channels = {topic.key.partition(":")[0] for topic in topics} - {STATUS}
    if not channels:
        return PING
    if len(channels) > 1:
        raise ValueError(f"one frame cannot be about several channels: {', '.join(sorted(channels))}")
    (channel,) = channels
    params: Record = {"channel": channel}
    if channel in PER_PAIR:
        params["symbol"] = [topic.symbols[0] for topic in topics]
    if channel == "book":
        params["depth"] = DEPTH
    if method == "subscribe":
        params["snapshot"] = True
    return dumps({"method": method, "params": params, "req_id": request_id})
