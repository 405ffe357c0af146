"""Bitfinex v2: spot pairs and perpetuals ("F0") in one venue. Facts as of 2026-11-22.

Symbols are those of the wire (tBTCUSD, tBTCF0:USTF0). Sizes are base coins. Frames of a channel carry the number that its
acknowledgement gave, on that connection; with the flag SEQ_ALL all frames of a connection are numbered through, whatever their
channel, and with OB_CHECKSUM a CRC32 of the best 25 levels comes every few seconds. A frame of a book without such a number is
refused: without the flag nothing would show what is missing. P0 reaches 250 price steps; P1 and P2 say in ten and a hundred
times coarser ones what lies beyond.

Prices have five significant figures and no listed tick: the grid is one decimal finer than that of the day's lowest price, so that
a fall below a power of ten finds room. Trades come twice, executed (`te`) and confirmed (`tu`): the first counts. A position that is
liquidated comes in several rows with its size: the first one is counted, whatever it says of itself (sources disagree on whether
IS_MATCH 0 or 1 is the trigger). It often tells no price: then it is the mark's. IS_MARKET_SOLD 0 is read as handed over to the
system, of the first row, which may not know yet. DERIV_PRICE is the book, SPOT_PRICE unreliable, MARK_PRICE the composite spot
index without a premium: there is no index beside it.

Not given by the venue: a lot step, an index beside the mark price, margin tiers by size (one initial and one minimum margin a
contract; whether they hold for any size is not said), ADL, when maintenance ends, an answer to an unknown status key (it stays
silent), whether checksums come for P1 and P2, a promise that every liquidation is told, a rate of client messages (our own bound
stands in), all names that differ from the usual ones (a list of ours stands in).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import ClassVar, Final

from engines.wire import layout
from engines.wire.grammar import BookGrammar, IntegerField, Nth, Row, SequenceRule, TradeGrammar
from monitor import facts
from monitor.errors import RetryLater, VenueError
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import base
from monitor.venues import bitfinex_facts as read
from monitor.venues.base import BookPolicy, ConnectionPlan, Limits, Ping, Poll, RestRequest, Topic, Venue
from monitor.venues.packing import pack, read_listing, symbols_in_order
from monitor.venues.reading import Reader, Record, dumps, shown
from monitor.venues.replies import check_status, subject

SOCKET: Final = "wss://api-pub.bitfinex.com/ws/2"
REST: Final = "https://api-pub.bitfinex.com/v2"
# All pairs with their prices; the configuration's lists of pairs have none.
LISTING: Final = f"{REST}/tickers?symbols=ALL"
OB_CHECKSUM, SEQ_ALL = 131_072, 65_536

LENGTH: Final = 250
BOOKS: Final = tuple(f"book:{precision}:{LENGTH}" for precision in ("P0", "P1", "P2"))
FIGURES: Final = {"P0": None, "P1": 4, "P2": 3, "P3": 2, "P4": 1}
BOOK_KEY: Final = re.compile(r"book:(P[0-4]):(1|25|100|250):(t[^\s\"\\]{1,40})")
OTHER_KEY: Final = re.compile(r"(trades|ticker|candles|status:deriv):(t[^\s\"\\]{1,40})")
LIQUIDATIONS: Final = "status:liq:global"
CHANNEL: Final = slice(1, 16)  # where a frame has the number of its channel: [943592,...

HEARTBEAT: Final = 15.0  # of each channel, busy or not
SILENCE: Final = 3 * HEARTBEAT
FIRST_SECONDS: Final = 15.0  # a subscription begins with a snapshot; an unknown status key is never answered
PLATFORM_SECONDS: Final = 20.0
TIERS_SECONDS: Final = 4 * 3600.0
RATE_SECONDS: Final = 60.0  # an address beyond the limit is blocked for so long
ALREADY, NOT_SUBSCRIBED = 10301, 10400  # error codes
PLATFORM: Final = "info"  # whether it works: said first on each connection, and when maintenance begins
RECONNECT, RESUBSCRIBE = 20051, 20061  # codes of notices: the server restarts; maintenance is over

LEVEL: Final = Row(price=0, size=2, quoted=False, signed=True, count=1)


def _numbered(at: int) -> IntegerField:
    """The frame's number on its connection."""
    return IntegerField((Nth(at),), layout.LAST_ID)


SNAPSHOT: Final = BookGrammar(
    bids=(Nth(1),), asks=(Nth(1),), row=LEVEL, integers=(_numbered(2),), default_kind=layout.KIND_SNAPSHOT
)
CHECKSUM: Final = BookGrammar(
    bids=None,
    asks=None,
    integers=(IntegerField((Nth(2),), layout.CHECKSUM), _numbered(3)),
    expects={(Nth(1),): "cs"},
)
BEAT: Final = BookGrammar(bids=None, asks=None, integers=(_numbered(2),), expects={(Nth(1),): "hb"})
BOOK: Final = BookGrammar(
    bids=(Nth(1),),
    asks=(Nth(1),),
    row=LEVEL,
    single=True,
    integers=(_numbered(2),),
    alternates=(CHECKSUM, BEAT, SNAPSHOT),
)
# [17470,"te",[401597395,1574694478808,0.005,7245.3],5]: id, time, size (above zero when the taker bought), price.
TRADES: Final = TradeGrammar(
    rows=(Nth(2),),
    single=True,
    price=(Nth(3),),
    size=(Nth(2),),
    side=None,
    taker_buy="",
    taker_sell="",
    time=(Nth(1),),
    identifier=(Nth(0),),
    expects={(Nth(1),): "te"},
    quoted=False,
    signed=True,
    ignore={(Nth(1),): ("tu", "hb", list)},
)


class Bitfinex(Venue):
    name: ClassVar[str] = "bitfinex"
    title: ClassVar[str] = "Bitfinex spot and perpetuals"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("linear", "spot")
    limits: ClassVar[Limits] = Limits(
        connects=20,  # beyond it blocked for 60 s
        connects_window_seconds=60,
        topics_per_connection=25,  # 25 on one page, 30 on another; 36 were seen to work
        topics_per_frame=1,
        frames_per_second=10,
        operations_per_hour=None,
        lifetime_seconds=None,
        max_frame_bytes=1 << 20,
        ack_timeout_seconds=30,  # 11 s were seen, with heartbeats of the channel before
        ping=Ping(text='{"event":"ping","cid":1}', interval_seconds=20, pong_timeout_seconds=20),
        rest_weight=30,  # requests; the tightest of the addresses we use
        rest_window_seconds=60,
        silence_seconds=SILENCE,
    )
    book: ClassVar[BookPolicy] = BookPolicy(
        sequence=SequenceRule("unsequenced"), changes_at_any_price=False, window=LENGTH, checksum="tokens"
    )
    liquidation_coverage: ClassVar[facts.Coverage] = "complete"
    verification: ClassVar[str] = "frames of a connection numbered through; CRC32 of the best 25 levels a side"
    symbol_pattern: ClassVar[str] = r"^t([0-9A-Z]{6}|[0-9A-Z]{1,20}:[0-9A-Z]{2,10})$"
    symbol_example: ClassVar[str] = "tBTCF0:USTF0"
    sequenced: ClassVar[bool] = True
    aliased: ClassVar[bool] = True
    unasked: ClassVar[tuple[str, ...]] = (PLATFORM,)

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return [RestRequest("instruments", LISTING, weight=1)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        reader = Reader(self.name, "instruments")
        tickers = [read.ticker(reader, row) for row in read.elements(reader, reader.load_exact(body))]
        pairs = [ticker for ticker in tickers if read.is_pair(ticker)]
        return read_listing(pairs, lambda ticker: read.instrument(self.name, ticker)), None

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        keys: list[str] = []
        for symbol in symbols_in_order(instruments):
            keys += [f"{channel}:{symbol}" for channel in (*BOOKS, "trades")]
            if read.is_contract(symbol):
                keys.append(f"status:deriv:{symbol}")
        if any(read.is_contract(instrument.symbol) for instrument in instruments):
            keys.insert(0, LIQUIDATIONS)
        return pack(self, "all", SOCKET, keys, self.limits.topics_per_connection)

    def topic(self, key: str) -> Topic | None:
        if key == PLATFORM:
            return Topic(key, Channel.STATUS, ())
        if key == LIQUIDATIONS:
            return Topic(key, Channel.LIQUIDATIONS, ())
        if found := BOOK_KEY.fullmatch(key):
            precision, length, symbol = found[1], int(found[2]), found[3]
            window = None if length == LENGTH else length
            topic = Topic(key, Channel.BOOK, (symbol,), SILENCE, book=BOOK, window=window, first_seconds=FIRST_SECONDS)
            return replace(topic, significant_figures=FIGURES[precision])
        found = OTHER_KEY.fullmatch(key)
        if found is None:
            return None
        channel, symbol = found[1], found[2]
        if channel == "trades":
            return Topic(key, Channel.TRADES, (symbol,), trades=TRADES, first_seconds=FIRST_SECONDS)
        if channel == "status:deriv":
            return Topic(key, Channel.TICKER, (symbol,), SILENCE, first_seconds=FIRST_SECONDS)
        return Topic(key, Channel.OTHER, (symbol,))

    def frame_key(self, frame: bytes) -> bytes | None:
        if frame[:1] != b"[":
            return None
        number, comma, _ = frame[CHANNEL].partition(b",")
        return number if comma and number.isdigit() else None

    def slow_frame_key(self, frame: bytes) -> str | None:
        message = Reader(self.name, "frame").load(frame)
        if read.tells_platform(message):
            return PLATFORM
        number = message[0] if isinstance(message, list) and len(message) > 1 else None
        return str(number) if isinstance(number, int) and not isinstance(number, bool) and number >= 0 else None

    def connection_sequence(self, frame: bytes) -> int | None:
        """The last element of an array; events have none."""
        number = frame[frame.rfind(b",") + 1 : -1]
        return int(number) if frame[:1] == b"[" and number.isdigit() and frame[-1:] == b"]" else None

    def greeting(self, plan: ConnectionPlan) -> list[str]:
        return [dumps({"event": "conf", "flags": OB_CHECKSUM + SEQ_ALL})]

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        (topic,) = topics
        channel, _, about = topic.key.partition(":")
        if channel == "status":
            return dumps({"event": "subscribe", "channel": channel, "key": about})
        asked = {"event": "subscribe", "channel": channel, "symbol": topic.symbols[0]}
        if channel == "book":
            precision, length, _ = about.split(":", 2)
            asked |= {"prec": precision, "freq": "F0", "len": length}
        return dumps(asked)

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        """One whose number we were never told cannot be left: the venue's answer to nothing is that nothing is subscribed."""
        (topic,) = topics
        return dumps({"event": "unsubscribe", "chanId": int(topic.alias or 0)})

    def control(self, frame: bytes) -> list[base.Control]:
        reader = Reader(self.name, "control")
        message = reader.record(reader.load(frame))
        match message.get("event"):
            case "pong":
                return [base.Pong()]
            case "subscribed":
                if not (keys := read.asked_for(message, LENGTH)):
                    raise reader.refused(f"subscribed to what is not said: {shown(frame)!r}")
                return [base.Acked(keys=keys, alias=str(reader.integer(message, "chanId")))]
            case "unsubscribed":
                return [base.Acked(unsubscribed=True, alias=str(reader.integer(message, "chanId")))]
            case "conf":
                return [] if message.get("status") == "OK" else [base.ErrorSaid(f"flags refused: {shown(frame)}")]
            case "info":
                return _notice(message)
            case "error":
                return _error(message)
        raise reader.refused(f"unknown frame: {shown(frame)!r}")

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        if topic.channel is Channel.OTHER:
            return []
        reader = Reader(self.name, topic.channel, topic.symbols[0] if topic.symbols else "")
        if topic.channel is Channel.STATUS:
            return [read.announced(reader, reader.record(reader.load_exact(frame)))]
        message = read.elements(reader, reader.load_exact(frame))
        body = message[1] if len(message) > 1 else None
        if body == "hb":
            return []
        match topic.channel:
            case Channel.TICKER:
                return read.contract(reader, read.elements(reader, body))
            case Channel.LIQUIDATIONS:
                return read.positions(reader, body, self.liquidation_coverage)
        raise reader.refused("not a cold channel")

    # -- REST
    def venue_polls(self, instruments: Sequence[Instrument]) -> list[Poll]:
        polls = [Poll(RestRequest("poll", f"{REST}/platform/status", 1, key="platform"), PLATFORM_SECONDS)]
        if any(read.is_contract(instrument.symbol) for instrument in instruments):
            tiers = RestRequest("poll", f"{REST}/conf/pub:info:pair:futures", 1, key="margin_tiers")
            polls.append(Poll(tiers, TIERS_SECONDS))
        return polls

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        reader = Reader(self.name, request.key)
        reply = read.elements(reader, reader.load_exact(body))
        if request.key == "platform":
            return [read.platform(reader, reply)]
        return read.margin_tiers(reader, reply)

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        check_status(self.name, request, status, headers, body, window_seconds=RATE_SECONDS)
        if status < 300 and not body.lstrip().startswith((b"{", b'["error"')):
            return
        said = f"{subject(self.name, request)}: HTTP {status}, {shown(body)}"
        raise RetryLater(said, RATE_SECONDS) if b"ERR_RATE_LIMIT" in body else VenueError(said)


def _notice(message: Record) -> list[base.Control]:
    """A server that restarts, or whose maintenance is over: then the first words on the next connection say that it works."""
    code = message.get("code")
    told = shown(f"{code} {message.get('msg')}")
    if code is None:
        return []
    return [base.ShutdownAnnounced(told) if code in (RECONNECT, RESUBSCRIBE) else base.ErrorSaid(told)]


def _error(message: Record) -> list[base.Control]:
    code, channel = message.get("code"), message.get("chanId")
    said, keys = shown(f"{code} {message.get('msg')}"), read.asked_for(message, LENGTH)
    if code == NOT_SUBSCRIBED and isinstance(channel, int):
        return [base.Acked(unsubscribed=True, alias=str(channel))]
    if code == ALREADY:
        # It lives under a number that we missed and that nobody tells again: only a new connection brings it.
        return [base.ShutdownAnnounced(said)]
    return [base.Refused(said, None, keys) if keys else base.ErrorSaid(said)]
