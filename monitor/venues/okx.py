"""What OKX's markets share: arguments as keys, books and trades, control frames, status, error codes. Facts as of 2026-11-22.

A key is "channel:subject": "books:BTC-USDT-SWAP", "liquidation-orders:SWAP"; "status" stands alone. The book's `checksum` is 0
since 2026-06-23 and ignored: `prevSeqId` must link to `seqId`. The stream keeps 400 levels a side, wider bands come from the
REST book of 5,000. A resync costs two of 480 operations an hour.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date
from typing import ClassVar, Final
from urllib.parse import quote

from engines.wire import layout
from engines.wire.grammar import MILLISECOND, BookGrammar, IntegerField, SequenceRule, TradeGrammar
from monitor import facts
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import base
from monitor.venues.base import BookPolicy, ConnectionPlan, Limits, Ping, Poll, RestRequest, Topic, Venue
from monitor.venues.candles import CANDLES, HOURS, CandleForm, candles_poll, read_candles
from monitor.venues.packing import pack, read_listing, read_rows, symbols_in_order
from monitor.venues.reading import Reader, Record, dumps, given, request_number, shown
from monitor.venues.replies import ErrorCodes, check_reply

SOCKET: Final = "wss://ws.okx.com:8443/ws/v5/public"
REST: Final = "https://www.okx.com"

WINDOW: Final = 400
DEEP_LEVELS: Final = 5000
# A deep snapshot counts for 60 s: one may fail before it lapses, and after two it is missing for 3 s. Over 20 s, so that what else is
# asked finds its place.
DEEP_SECONDS: Final = 21.0
BOOKS_PER_CONNECTION: Final = 25  # fewer than about 30 deep books are recommended
BOOK_SILENCE: Final = 75.0  # an unchanged book sends a keep-alive after about 60 s
STATUS: Final = "status"
# WebSocket, trading, trading in batches of accounts or of products: what stops a book or the prices behind it.
DISRUPTIVE_SERVICES: Final = ("0", "5", "8", "9")
OVER: Final = ("completed", "canceled")
UNUSED: Final = re.compile(
    r"tickers|books5|bbo-tbt|books-l2-tbt|books50-l2-tbt|books-rpi|trades-all|price-limit|candle\w+"
)
# The head of a data frame: {"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":...
DATA_HEAD: Final = re.compile(
    rb'\{"arg":\{"channel":"([\w-]{1,40})"(?:,"inst(?:Id|Type)":"([^"\\]{1,60})")?\},"(?:action|data)":'
)
ARG_NAMED: Final = re.compile(r'channel"?\s*:\s*"?([\w-]+)"?\s*,\s*"?inst(?:Id|Type)"?\s*:\s*"?([\w-]+)')
BY_TYPE: Final = ("liquidation-orders", "instruments")  # asked by instType, the others by instId
# Error codes that answer a subscription; any other is about the connection.
SUBSCRIPTION_CODES: Final = ("60012", "60018", "60029", "60030", "64000", "64001", "64002", "64003", "64004")
TOO_MANY: Final = "60014"  # too many requests: nothing is wrong with the topics
UPGRADE: Final = "64008"
ERRORS: Final = ErrorCodes(
    code="code",
    text="msg",
    good=re.compile(rb'\s*\{\s*"code"\s*:\s*"0"\s*,'),
    good_code="0",
    busy=("50001", "50011", "50026"),  # unavailable, over the rate limit, system error
    busy_seconds=2,  # the limits' window
)

BOOK: Final = BookGrammar(
    bids=("data", 0, "bids"),
    asks=("data", 0, "asks"),
    integers=(
        IntegerField(("data", 0, "seqId"), layout.LAST_ID),
        IntegerField(("data", 0, "prevSeqId"), layout.PREVIOUS_ID),
        IntegerField(("data", 0, "ts"), layout.EVENT_TIME, MILLISECOND),
    ),
    expects={("arg", "channel"): "books"},
    market=(("arg", "instId"),),
    kind=(("action",), "snapshot", "update"),
)
DEEP: Final = BookGrammar(
    bids=("data", 0, "bids"),
    asks=("data", 0, "asks"),
    integers=(IntegerField(("data", 0, "ts"), layout.EVENT_TIME, MILLISECOND),),
    expects={("code",): "0"},
    default_kind=layout.KIND_SNAPSHOT,
)
# ["1770285600000","73000.5","73100","72950.1","73010","81234.5","812.345","59308112.7","1"]: volume is in the unit of trades, contracts or
# (spot) coins. Newest first; hours begin alike in all of the venue's time zones.
CANDLE: Final = CandleForm(
    "ts", "low", "high", "close", "vol", columns=("ts", "open", "high", "low", "close", "vol")
)  # fmt: skip
TRADES: Final = TradeGrammar(
    rows=("data",),
    single=False,
    price=("px",),
    size=("sz",),
    side=("side",),
    taker_buy="buy",
    taker_sell="sell",
    time=("ts",),
    identifier=("tradeId",),
    expects={("arg", "channel"): "trades"},
    market=(("arg", "instId"),),
    row_market=(("instId",),),
)
LIMITS: Final = Limits(
    connects=3,
    connects_window_seconds=1,
    topics_per_connection=100,
    topics_per_frame=50,  # stays below the 4,096 bytes of older documents; newer ones allow 64 KB
    frames_per_second=3,
    operations_per_hour=480,
    lifetime_seconds=None,
    max_frame_bytes=4 << 20,
    ack_timeout_seconds=10,
    ping=Ping(text="ping", interval_seconds=20, pong_timeout_seconds=15),
    # Limits are per endpoint: listing 20, deep book and margin tiers 10, candles 40, long/short ratio 5 requests in 2 s. One unit is the
    # twentieth part.
    rest_weight=20,
    rest_window_seconds=2,
)


def _key(arg: Record) -> str:
    subject = arg.get("instId") or arg.get("instType")
    return f"{arg.get('channel')}:{subject}" if subject else str(arg.get("channel"))


def _arg(key: str) -> dict[str, str]:
    channel, _, subject = key.partition(":")
    if not subject:
        return {"channel": channel}
    return {"channel": channel, "instType" if channel in BY_TYPE else "instId": subject}


class OkxVenue(Venue):
    """The protocol part of an OKX market: an argument for each topic, an ack for each argument."""

    checked: ClassVar[date] = date(2026, 11, 22)
    limits: ClassVar[Limits] = LIMITS
    book: ClassVar[BookPolicy] = BookPolicy(
        sequence=SequenceRule("linked"),
        changes_at_any_price=False,
        window=WINDOW,
        deep_interval_seconds=DEEP_SECONDS,
        deep_grammar=DEEP,
        deep_levels=DEEP_LEVELS,
    )
    verification: ClassVar[str] = "prevSeqId of each update equals seqId of the one before; snapshot on the stream"
    kind: ClassVar[str]  # the venue's word for this class of instruments

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return [RestRequest("instruments", f"{REST}/api/v5/public/instruments?instType={self.kind}", weight=1)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        reader = Reader(self.name, "instruments")
        rows = reader.rows(reader.record(reader.load(body)), "data")
        return read_listing(rows, self._instrument), None

    @abstractmethod
    def _instrument(self, row: Record) -> Instrument: ...

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        symbols = symbols_in_order(instruments)
        if not symbols:
            return []
        cold = [*self._shared_topics(), *(key for symbol in symbols for key in self._market_topics(symbol))]
        return [
            *pack(self, "books", SOCKET, [f"books:{symbol}" for symbol in symbols], BOOKS_PER_CONNECTION),
            *pack(self, "facts", SOCKET, cold, self.limits.topics_per_connection),
        ]

    def _shared_topics(self) -> list[str]:
        return [STATUS, f"instruments:{self.kind}"]

    def _market_topics(self, symbol: str) -> list[str]:
        return [f"trades:{symbol}"]

    def topic(self, key: str) -> Topic | None:
        channel, _, subject = key.partition(":")
        if key == STATUS or (channel == "instruments" and subject):
            return Topic(key, Channel.STATUS, ())
        if not subject:
            return None
        if channel == "books":
            return Topic(key, Channel.BOOK, (subject,), BOOK_SILENCE, book=BOOK)
        if channel == "trades":
            return Topic(key, Channel.TRADES, (subject,), trades=TRADES)
        return Topic(key, Channel.OTHER, (subject,)) if UNUSED.fullmatch(channel) else None

    def frame_key(self, frame: bytes) -> bytes | None:
        found = DATA_HEAD.match(frame)
        if found is None:
            return None
        channel, subject = found.groups()
        return channel if subject is None else channel + b":" + subject

    def slow_frame_key(self, frame: bytes) -> str | None:
        if frame in (b"ping", b"pong"):
            return None
        message = Reader(self.name, "frame").load(frame)
        if not isinstance(message, dict) or "data" not in message or not isinstance(message.get("arg"), dict):
            return None
        return _key(message["arg"])

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return dumps({"id": str(request_id), "op": "subscribe", "args": [_arg(topic.key) for topic in topics]})

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return dumps({"id": str(request_id), "op": "unsubscribe", "args": [_arg(topic.key) for topic in topics]})

    def control(self, frame: bytes) -> list[base.Control]:
        if frame == b"pong":
            return [base.Pong()]
        if frame == b"ping":
            return [base.PingAsked("pong")]
        reader = Reader(self.name, "control")
        message = reader.record(reader.load(frame))
        event, code = message.get("event"), message.get("code")
        if event in ("subscribe", "unsubscribe"):
            return [base.Acked(keys=(_key(reader.child(message, "arg")),), unsubscribed=event == "unsubscribe")]
        said = str(message.get("msg", ""))
        text = shown(" ".join(str(part) for part in (code or event, said) if part))
        if event == "notice" and code == UPGRADE:
            return [base.ShutdownAnnounced(text)]
        if event == "error" and (code in SUBSCRIPTION_CODES or code == TOO_MANY):
            request_id = request_number(message.get("id"))
            named = [] if code == TOO_MANY else ARG_NAMED.findall(said)
            keys = tuple(dict.fromkeys(f"{channel}:{subject}" for channel, subject in named))
            if keys or request_id is not None:
                return [base.Refused(text, request_id, keys, whole_batch=code == TOO_MANY)]
        if event in ("error", "notice") or str(event).startswith("channel-conn-count"):
            return [base.ErrorSaid(text)]
        raise reader.refused(f"unknown frame: {shown(frame)!r}")

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        if topic.channel is Channel.OTHER:
            return []
        reader = Reader(self.name, topic.channel, topic.symbols[0] if topic.symbols else "")
        rows = reader.rows(reader.record(reader.load(frame)), "data")
        if topic.channel is Channel.STATUS:
            read = self._status if topic.key == STATUS else self._listing
            return read_rows(rows, lambda row: read(reader, row))
        return self._facts(topic, reader, rows)

    def _facts(self, topic: Topic, reader: Reader, rows: Sequence[Record]) -> list[Fact]:
        raise reader.refused("not a cold channel")

    def _status(self, reader: Reader, row: Record) -> list[Fact]:
        if row.get("env") == "2":  # the demo environment
            return []
        state, title = reader.text(row, "state"), reader.text(row, "title")
        return [
            facts.VenueNotice(
                text=f"{title} ({state})",
                disruptive=row.get("serviceType") in DISRUPTIVE_SERVICES and state not in OVER,
                begins=reader.time_if_given(row, "begin"),
                ends=reader.time_if_given(row, "end"),
                venue_time=reader.time(row, "ts"),
                key=title,
            )
        ]

    def _listing(self, reader: Reader, row: Record) -> list[Fact]:
        """The `instruments` channel carries no time of its own: 0. A new listing may come first with mostly empty fields."""
        symbol = reader.text(row, "instId")
        if not given(row, "state"):
            return []
        state = reader.text(row, "state")
        return [facts.InstrumentChanged(symbol, state == "live", state, 0)]

    # -- REST
    def deep_request(self, instrument: Instrument) -> RestRequest | None:
        url = f"{REST}/api/v5/market/books-full?instId={quote(instrument.symbol)}&sz={DEEP_LEVELS}"
        return RestRequest("deep", url, 2, instrument.symbol)

    def polls(self, instrument: Instrument) -> list[Poll]:
        url = f"{REST}/api/v5/market/candles?instId={quote(instrument.symbol)}&bar=1H&limit={HOURS}"
        return [candles_poll(url, 1, instrument.symbol)]

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        reader = Reader(self.name, request.key, request.symbol or "")
        data = reader.record(reader.load(body)).get("data")
        # A candle does not say whose it is: the address did.
        return read_candles(reader, data, CANDLE) if request.key == CANDLES else self.polled(reader, data)

    def polled(self, reader: Reader, data: object) -> list[Fact]:
        """Facts of the reply to a poll of this market's own; `reader.channel` is its key."""
        raise reader.refused("not asked for")

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        check_reply(self.name, request, status, headers, body, ERRORS, self.limits.rest_window_seconds)
