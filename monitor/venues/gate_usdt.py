"""Gate USDT perpetuals, WebSocket v4. Facts as of 2026-11-22.

Sizes are contracts of `quanto_multiplier` coins each. `X-Gate-Size-Decimal` is sent with every handshake and request: without it
markets with fractional contracts get sizes rounded down. A trade's size is above zero when the taker bought. The widest stream keeps
400 levels a side; a quarter to a half of its changes carry ids and no levels. An unknown symbol or depth is acknowledged and stays
silent. Since 2026-08-20 every liquidation is pushed (batched within a second), on one topic for the whole socket.

Whose side a liquidation's `size` tells is documented for REST only, where it is the position's: above zero a long was closed. It is
read so on the stream too (not confirmed: two readings of the page are opposite). Its price is the order's.

Not given by the venue: a checksum, an age at which connections are cut, a limit of topics or messages, the longest silence of a
book, a status channel (an upgrade is announced on `futures.system`), ADL in a confirmed form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import ClassVar, Final

from monitor import facts
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import base
from monitor.venues import gate_usdt_facts as read
from monitor.venues import gate_usdt_frames as wire
from monitor.venues.base import BookPolicy, ConnectionPlan, Limits, Ping, Poll, RestRequest, Topic, Venue
from monitor.venues.candles import CANDLES, HOURS, CandleForm, candles_poll, read_candles
from monitor.venues.naming import coin_of
from monitor.venues.packing import pack, read_listing, read_rows, symbols_in_order
from monitor.venues.reading import Reader, Record, dumps, given, request_number, shown
from monitor.venues.replies import ErrorCodes, check_reply

SOCKET: Final = "wss://fx-ws.gateio.ws/v4/ws/usdt"
REST: Final = "https://api.gateio.ws/api/v4/futures/usdt"
SECOND: Final = 1_000_000_000
# {"t":1770285600,"o":"73000.5","c":"73010","h":"73100","l":"72950.1","v":"812345","sum":"59308112.7"}: volume in contracts
CANDLE: Final = CandleForm("t", "l", "h", "c", "v", unit=SECOND)
UNDATED: Final = '{"time":0,'

BOOKS_PER_CONNECTION: Final = 100  # 150 were seen to work
OTHERS_PER_CONNECTION: Final = 200
FIRST_SECONDS: Final = 10.0  # a book begins with a whole frame
BOOK_SILENCE: Final = 180.0  # a quiet contract was silent for 36 s
TIERS_SECONDS: Final = 6 * 3600.0
TICKERS_SECONDS: Final = 60.0  # the stream says only what changes
STATUS_SECONDS: Final = 300.0
LIQUIDATIONS: Final = "futures.public_liquidates:!all"
OLD_BOOKS: Final = "futures.order_book_update"  # in captures
CHANNELS: Final = {
    "futures.obu": Channel.BOOK,
    "futures.trades": Channel.TRADES,
    "futures.tickers": Channel.TICKER,
    "futures.public_liquidates": Channel.LIQUIDATIONS,
    OLD_BOOKS: Channel.BOOK,
    "futures.order_book": Channel.OTHER,
    "futures.book_ticker": Channel.OTHER,
}
BOOK_NAME: Final = re.compile(r"ob\.([^.\s]{1,40})\.(50|400)")
# The event stands before the result, or at the frame's end: an answer to a subscription has no stream's or contract's name in it.
HEAD: Final = re.compile(
    rb'\{(?:"(?:time|time_ms|id)":(?:\d{1,16}|null),){0,3}"channel":"(futures\.[a-z_]{1,30})",'
    rb'(?:"event":"(?:update|all)"|"result":[\[{](?!"status"))'
)
BOOK_CHANNELS: Final = (b"futures.obu", OLD_BOOKS.encode())
STREAM_NAMED: Final = re.compile(rb'"s":"([^"\\]{1,60})"')
CONTRACT_NAMED: Final = re.compile(rb'"result":\[\{[^{}\[\]]*?"contract":"([^"\\]{1,40})"')
SYSTEM: Final = "futures.system"
TWICE: Final = "Alert sub"  # asked for what we have
NAMED: Final = re.compile(r"unknown currency pair (\S{1,60})")
ERRORS: Final = ErrorCodes(
    code="label",
    text="message",
    good=re.compile(rb'\s*(?:\[|\{(?!\s*"(?:label|message)"))'),
    good_code=None,
    busy=("TOO_MANY_REQUESTS", "SERVER_ERROR", "INTERNAL", "TOO_BUSY"),
    busy_seconds=10,
)


class GateUsdt(Venue):
    name: ClassVar[str] = "gate_usdt"
    title: ClassVar[str] = "Gate USDT perpetuals"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("linear",)
    headers: ClassVar[Mapping[str, str]] = {"X-Gate-Size-Decimal": "1"}
    limits: ClassVar[Limits] = Limits(
        connects=60,  # not given; 300 at once at most
        connects_window_seconds=60,
        topics_per_connection=OTHERS_PER_CONNECTION,
        topics_per_frame=50,
        frames_per_second=5,  # not given
        operations_per_hour=None,
        lifetime_seconds=None,
        max_frame_bytes=4 << 20,
        ack_timeout_seconds=10,
        ping=Ping(text='{"time":0,"channel":"futures.ping"}', interval_seconds=15, pong_timeout_seconds=15),
        rest_weight=200,  # requests, of each address; counted over all of them here
        rest_window_seconds=10,
    )
    book: ClassVar[BookPolicy] = wire.POLICY
    liquidation_coverage: ClassVar[facts.Coverage] = "complete"
    verification: ClassVar[str] = "U of each change is one above u of the one before; whole book on the stream"
    symbol_pattern: ClassVar[str] = r"^[0-9A-Z]{1,30}_USDT$"
    symbol_example: ClassVar[str] = "BTC_USDT"

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return [RestRequest("instruments", f"{REST}/contracts", weight=1)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        reader = Reader(self.name, "instruments")
        rows = reader.records(reader.load(body))
        return read_listing([row for row in rows if row.get("type") == "direct"], self._instrument), None

    def _instrument(self, row: Record) -> Instrument:
        symbol = Reader(self.name, "instruments").text(row, "name")
        reader = Reader(self.name, "instruments", symbol)
        base_name, _, quote = symbol.rpartition("_")
        asset, multiplier = coin_of(base_name)
        trading, status = read.status_of(reader, row)
        seconds = reader.integer(row, "funding_interval") if given(row, "funding_interval") else 0
        # Contracts may be traded in parts where the listing says so; how small is what the least order says.
        lot = reader.positive(row, "order_size_min") if row.get("enable_decimal") is True else Decimal(1)
        return Instrument(
            venue=self.name,
            symbol=symbol,
            asset=asset,
            quote=quote,
            settle=quote,
            contract_type="linear",
            tick_size=reader.positive(row, "order_price_round"),
            lot_size=min(lot, Decimal(1)),
            contract_size=reader.positive(row, "quanto_multiplier"),
            unit_multiplier=multiplier,
            trading=trading,
            status=status,
            funding_interval_seconds=seconds if seconds > 0 else None,
        )

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        """A frame asks for topics of one channel, and so does a connection."""
        symbols = symbols_in_order(instruments)
        if not symbols:
            return []
        books = [f"futures.obu:ob.{symbol}.{wire.LEVELS}" for symbol in symbols]
        trades = [f"futures.trades:{symbol}" for symbol in symbols]
        tickers = [f"futures.tickers:{symbol}" for symbol in symbols]
        return [
            *pack(self, "books", SOCKET, books, BOOKS_PER_CONNECTION),
            *pack(self, "trades", SOCKET, trades, OTHERS_PER_CONNECTION),
            *pack(self, "tickers", SOCKET, tickers, OTHERS_PER_CONNECTION),
            *pack(self, "liquidations", SOCKET, [LIQUIDATIONS], 1),
        ]

    def topic(self, key: str) -> Topic | None:
        name, _, payload = key.partition(":")
        channel = CHANNELS.get(name)
        if channel is None or not payload:
            return None
        match channel:
            case Channel.BOOK:
                if name == OLD_BOOKS:
                    return Topic(key, channel, (payload,), BOOK_SILENCE, book=wire.OLD_BOOK, policy=wire.OLD_POLICY)
                found = BOOK_NAME.fullmatch(payload)
                if found is None:
                    return None
                window = int(found[2])
                return Topic(
                    key, channel, (found[1],), BOOK_SILENCE, book=wire.BOOK, window=window, first_seconds=FIRST_SECONDS
                )
            case Channel.TRADES:
                return Topic(key, channel, (payload,), trades=wire.TRADES)
            case Channel.LIQUIDATIONS:
                return Topic(key, channel, () if key == LIQUIDATIONS else (payload,))
        return Topic(key, channel, (payload,))

    def frame_key(self, frame: bytes) -> bytes | None:
        found = HEAD.match(frame)
        if found is None:
            return None
        channel = found[1]
        if channel == b"futures.public_liquidates":
            return LIQUIDATIONS.encode()
        named = STREAM_NAMED.search(frame, found.end()) if channel in BOOK_CHANNELS else CONTRACT_NAMED.search(frame)
        return None if named is None or channel.decode() not in CHANNELS else channel + b":" + named[1]

    def slow_frame_key(self, frame: bytes) -> str | None:
        message = Reader(self.name, "frame").load(frame)
        if not isinstance(message, dict) or message.get("event") not in ("update", "all"):
            return None
        channel, result = message.get("channel"), message.get("result")
        if channel == "futures.public_liquidates":
            return LIQUIDATIONS
        if not isinstance(channel, str) or channel not in CHANNELS:
            return None
        row = result[0] if isinstance(result, list) and result else result
        name = row.get("s" if CHANNELS[channel] is Channel.BOOK else "contract") if isinstance(row, dict) else None
        return f"{channel}:{name}" if isinstance(name, str) and name else None

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return _asked("subscribe", topics, request_id)

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return _asked("unsubscribe", topics, request_id)

    def dated(self, text: str, at: int) -> str:
        """Each frame says when it was sent, in seconds."""
        return text.replace(UNDATED, f'{{"time":{at // SECOND},', 1)

    def control(self, frame: bytes) -> list[base.Control]:
        reader = Reader(self.name, "control")
        message = reader.record(reader.load(frame))
        channel, event = message.get("channel"), message.get("event")
        if channel == "futures.pong":
            return [base.Pong()]
        if channel == SYSTEM and event == "update":
            result = reader.child(message, "result")
            return [base.ShutdownAnnounced(shown(f"{result.get('type')} {result.get('msg', '')}".strip()))]
        return [_answer(reader, message, frame)]

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        if topic.channel is Channel.OTHER:
            return []
        reader = Reader(self.name, topic.channel, topic.symbols[0] if topic.symbols else "")
        message = reader.record(reader.load(frame))
        match topic.channel:
            case Channel.TICKER:
                at = reader.time(message, "time_ms")
                return read_rows(reader.rows(message, "result"), lambda row: read.figures(reader, row, at))
            case Channel.LIQUIDATIONS:
                coverage = self.liquidation_coverage
                return read_rows(reader.rows(message, "result"), lambda row: [read.liquidation(reader, row, coverage)])
        raise reader.refused("not a cold channel")

    # -- REST
    def polls(self, instrument: Instrument) -> list[Poll]:
        asked, symbol = f"contract={instrument.symbol}", instrument.symbol
        tiers = RestRequest("poll", f"{REST}/risk_limit_tiers?{asked}", 1, symbol, key="margin_tiers")
        candles = candles_poll(f"{REST}/candlesticks?{asked}&interval=1h&limit={HOURS}", 1, symbol)
        return [Poll(tiers, TIERS_SECONDS), candles]

    def venue_polls(self, instruments: Sequence[Instrument]) -> list[Poll]:
        tickers = RestRequest("poll", f"{REST}/tickers", 1, key="tickers")
        statuses = RestRequest("poll", f"{REST}/contracts", 1, key="statuses")
        return [Poll(tickers, TICKERS_SECONDS), Poll(statuses, STATUS_SECONDS)]

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        reader = Reader(self.name, request.key, request.symbol or "")
        reply = reader.load_exact(body)
        if request.key == CANDLES:
            return read_candles(reader, reply, CANDLE)
        rows = reader.records(reply)
        if request.key == "margin_tiers":
            return [read.margin_tiers(reader, rows)]
        if request.key == "statuses":
            return read_listing(rows, lambda row: read.changed(reader, row))
        # A row has no time of its own; it only repeats what the stream says when something changes.
        return read_rows(rows, lambda row: read.figures(reader, row, 0))

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        check_reply(self.name, request, status, headers, body, ERRORS, self.limits.rest_window_seconds)


def _answer(reader: Reader, message: Record, frame: bytes) -> base.Control:
    """An answer may repeat our `id`, or the payload, or neither: then it is to the oldest frame that waits for one."""
    channel, event, error = message.get("channel"), message.get("event"), message.get("error")
    payload, number = message.get("payload"), request_number(message.get("id"))
    names = [name for name in payload if isinstance(name, str)] if isinstance(payload, list) else []
    keys = tuple(f"{channel}:{name}" for name in names) if number is None else ()
    in_order, leaving = number is None and not keys, event == "unsubscribe"
    if error is None:
        if event not in ("subscribe", "unsubscribe"):
            raise reader.refused(f"unknown frame: {shown(frame)!r}")
        return base.Acked(number, keys, leaving, in_order=in_order)
    said = shown(str(error.get("message", error)) if isinstance(error, dict) else str(error))
    if event not in ("subscribe", "unsubscribe"):
        return base.ErrorSaid(said)
    if said.startswith(TWICE):
        return base.Acked(number, keys, in_order=in_order)  # it lives
    if (found := NAMED.fullmatch(said)) is not None:  # its frame's other contracts are not subscribed either
        return base.Refused(said, number, (f"{channel}:{found[1]}",), whole_batch=True)
    return base.Refused(said, number, keys, in_order=in_order, unsubscribed=leaving)


def _asked(event: str, topics: Sequence[Topic], request_id: int) -> str:
    """A frame is about one channel, and so are the topics of a connection."""
    channels = {topic.key.partition(":")[0] for topic in topics}
    if len(channels) != 1:
        raise ValueError(f"one frame cannot be about several channels: {', '.join(sorted(channels))}")
    names = [topic.key.partition(":")[2] for topic in topics]
    return dumps({"time": 0, "id": request_id, "channel": channels.pop(), "event": event, "payload": names})
