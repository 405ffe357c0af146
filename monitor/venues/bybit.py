"""What Bybit v5's sockets share: topics, grammars, control frames, listing pages, status. Facts as of 2026-11-22.

One socket serves one category (linear, inverse, spot); topics of another are refused. One unknown topic fails its whole
subscribe frame, "already subscribed" too: the rest must be asked again. The venue's status is asked over REST: the status
socket only says what changes, and a service that starts during an incident must know of it.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import ClassVar, Final
from urllib.parse import quote

from engines.wire import layout
from engines.wire.grammar import MILLISECOND, BookGrammar, IntegerField, Path, SequenceRule, TradeGrammar
from monitor import facts
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import base
from monitor.venues.base import BookPolicy, Limits, Ping, Poll, RestRequest, Topic, Venue
from monitor.venues.candles import CANDLES, HOURS, CandleForm, candles_poll, read_candles
from monitor.venues.naming import coin_of
from monitor.venues.packing import read_listing, read_rows
from monitor.venues.reading import Reader, Record, dumps, given, request_number, shown
from monitor.venues.replies import ErrorCodes, check_reply

SOCKETS: Final = "wss://stream.bybit.com/v5/public"
REST: Final = "https://api.bybit.com"
HEAD: Final = b'{"topic":"'
KEY_AT: Final = len(HEAD)
KEY_END: Final = KEY_AT + 128  # a topic's name is a word, a depth and a symbol
STATUS: Final = "system.status"

LEVELS: Final = 1000
# By topic, the levels it keeps; 500 is retired and only in captures.
WINDOWS: Final = {f"orderbook.{levels}": levels for levels in (50, 200, 500, LEVELS)}
FULL: Final = "orderbook.full"
# Depth 1 is a best bid and ask, rpi has other rows: known, not used.
UNUSED: Final = re.compile(r"orderbook\.(1|rpi)|kline\.\w+|priceLimit|adlAlert|insurance")
TOPIC_NAMED: Final = re.compile(r"topic:\s*([^\s,]+)", re.IGNORECASE)
STATUS_SECONDS: Final = 60.0  # maintenance is announced long before, and shorter than 10 s never
TRADING, MARKET_DATA = 1, 5  # service types that stop prices; the others are about orders and accounts
OVER: Final = ("completed", "canceled")
UNTITLED: Final = "maintenance without a title"
ERRORS: Final = ErrorCodes(
    code="retCode",
    text="retMsg",
    good=re.compile(rb'\s*\{\s*"retCode"\s*:\s*0\s*,'),
    good_code=0,
    busy=(10000, 10006, 10016),  # server time-out, too many visits, server error
    busy_seconds=5,  # the limit's window; its reset comes as a moment, and there is no clock here
)
LIMITS: Final = Limits(
    connects=500,
    connects_window_seconds=300,
    topics_per_connection=300,  # "few hundred"; 172 to 200 symbols on one socket were seen to work
    topics_per_frame=10,  # a rule on spot ("args size >10"); the others state none
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
# Streams of the best N levels: the first frame is the book, and so is any with u = 1 (the service restarted).
WINDOWED: Final = BookPolicy(SequenceRule("counter", restart_id=1), changes_at_any_price=False, window=LEVELS)


def _book(data: str, head: Path, *ids: int) -> BookGrammar:
    """A book whose levels stand in the object `data` and whose times under `head`; `u` is kept in each slot of `ids`."""
    return BookGrammar(
        bids=(data, "b"),
        asks=(data, "a"),
        integers=(
            *(IntegerField((data, "u"), slot) for slot in ids),
            IntegerField((data, "seq"), layout.CROSS_ID, required=False),
            IntegerField((*head, "ts"), layout.EVENT_TIME, MILLISECOND),
            IntegerField((*head, "cts"), layout.ENGINE_TIME, MILLISECOND, required=False),
        ),
        market=((data, "s"),),
    )


BOOK: Final = replace(_book("data", (), layout.LAST_ID), kind=(("type",), "snapshot", "delta"))
# The full book: each frame is one step of `u`, so its first and last id are the same number. Its type is always "delta".
FULL_BOOK: Final = replace(_book("data", (), layout.FIRST_ID, layout.LAST_ID), expects={("type",): "delta"})
FULL_SEED: Final = replace(_book("result", ("result",), layout.LAST_ID), default_kind=layout.KIND_SNAPSHOT)
# ["1770285600000","73000.5","73100","72950.1","73010","812.345","59308112.7"]: volume is in the unit of trades, coins or (inverse) dollars.
CANDLE: Final = CandleForm(
    "start", "low", "high", "close", "volume", columns=("start", "open", "high", "low", "close", "volume")
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


class BybitVenue(Venue):
    """The protocol part of a Bybit category. Books of windows are known on each (captures hold them)."""

    checked: ClassVar[date] = date(2026, 11, 22)
    limits: ClassVar[Limits] = LIMITS
    category: ClassVar[str]
    products: ClassVar[int]  # this category's number in a status notice
    silence: ClassVar[float]  # the longest normal silence of its books, s

    # -- instruments
    @property
    def _listing(self) -> str:
        return f"{REST}/v5/market/instruments-info?category={self.category}&limit=1000"

    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return [RestRequest("instruments", self._listing, weight=1)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        reader = Reader(self.name, "instruments")
        result = reader.child(reader.record(reader.load(body)), "result")
        found = read_listing(reader.rows(result, "list"), self._instrument)
        if not given(result, "nextPageCursor"):
            return found, None
        cursor = reader.text(result, "nextPageCursor")
        if cursor == request.key:
            raise reader.refused("nextPageCursor repeats: the listing does not end")
        return found, RestRequest("instruments", f"{self._listing}&cursor={quote(cursor, safe='')}", 1, key=cursor)

    @abstractmethod
    def _instrument(self, row: Record) -> Instrument: ...

    def _listed(self, row: Record, kind: facts.ContractType, settle: str, lot: str, funding: str = "") -> Instrument:
        """The listing's row; `settle`, `lot` and `funding` are the keys this category uses."""
        symbol = Reader(self.name, "instruments").text(row, "symbol")
        reader = Reader(self.name, "instruments", symbol)
        asset, multiplier = coin_of(reader.text(row, "baseCoin"))
        status = reader.text(row, "status")
        minutes = reader.integer(row, funding) if funding and given(row, funding) else 0
        return Instrument(
            venue=self.name,
            symbol=symbol,
            asset=asset,
            quote=reader.text(row, "quoteCoin"),
            settle=reader.text(row, settle),
            contract_type=kind,
            tick_size=reader.positive(reader.child(row, "priceFilter"), "tickSize"),
            lot_size=reader.positive(reader.child(row, "lotSizeFilter"), lot),
            unit_multiplier=multiplier,
            trading=status == "Trading",
            status=status,
            funding_interval_seconds=minutes * 60 if minutes > 0 else None,
        )

    # -- sockets
    def topic(self, key: str) -> Topic | None:
        stream, _, symbol = key.rpartition(".")
        if key == STATUS:
            return Topic(key, Channel.STATUS, ())
        if not symbol:
            return None
        if stream in WINDOWS:
            return Topic(key, Channel.BOOK, (symbol,), self.silence, book=BOOK, window=WINDOWS[stream])
        if stream == "publicTrade":
            return Topic(key, Channel.TRADES, (symbol,), trades=TRADES)
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
        reader = Reader(self.name, topic.channel, topic.symbols[0] if topic.symbols else "")
        message = reader.record(reader.load(frame))
        if topic.channel is Channel.STATUS:
            return self._notices(reader, reader.rows(message, "data"), reader.time(message, "ts"))
        return self._facts(topic, reader, message)

    def _facts(self, topic: Topic, reader: Reader, message: Record) -> list[Fact]:
        raise reader.refused("not a cold channel")

    def _notices(self, reader: Reader, rows: Sequence[Record], at: int) -> list[Fact]:
        return read_rows(rows, lambda row: self._notice(reader, row, at))

    def _notice(self, reader: Reader, row: Record, at: int) -> list[Fact]:
        """A notice about another product, or about the demo environment, is not ours."""
        touched = row.get("product")
        if str(row.get("env")) != "1" or (isinstance(touched, list) and touched and self.products not in touched):
            return []
        state, services = reader.text(row, "state"), row.get("serviceTypes")
        hurts = not isinstance(services, list) or TRADING in services or MARKET_DATA in services
        title = reader.text(row, "title") if given(row, "title") else UNTITLED
        return [
            facts.VenueNotice(
                text=f"{title} ({state})",
                disruptive=hurts and state not in OVER,
                begins=reader.time_if_given(row, "begin"),
                ends=reader.time_if_given(row, "end"),
                venue_time=at,
                key=reader.text(row, "id"),
            )
        ]

    # -- REST
    def polls(self, instrument: Instrument) -> list[Poll]:
        asked = f"category={self.category}&symbol={quote(instrument.symbol)}"
        return [candles_poll(f"{REST}/v5/market/kline?{asked}&interval=60&limit={HOURS}", 1, instrument.symbol)]

    def venue_polls(self, instruments: Sequence[Instrument]) -> list[Poll]:
        return [Poll(RestRequest("poll", f"{REST}/v5/system/status", 1, key="system_status"), STATUS_SECONDS)]

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        reader = Reader(self.name, request.key, request.symbol or "")
        message = reader.record(reader.load_exact(body))
        result, at = reader.child(message, "result"), reader.time(message, "time")
        if request.key == CANDLES:
            reader.expect(result, "symbol", reader.market)
            return read_candles(reader, result.get("list"), CANDLE)
        return self._polled(request, reader, reader.rows(result, "list"), at)

    def _polled(self, request: RestRequest, reader: Reader, rows: Sequence[Record], at: int) -> list[Fact]:
        return self._notices(reader, rows, at)

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        check_reply(self.name, request, status, headers, body, ERRORS, self.limits.rest_window_seconds)
