"""dYdX Chain perpetuals, by way of its indexer (v4). Facts as of 2026-11-22, from its source and documentation.

Sizes are base coins, prices dollars (USDC). The indexer watches the mempool of one node: its book is only eventually consistent and
may stand crossed; then the older levels are not looked at. The snapshot is the acknowledgement: levels as objects, changes as pairs;
a size is absolute, 0 deletes.

`message_id` counts every message of a connection, so a jump is a loss between the indexer and us. But the number of an answer is taken
when the request comes in and the answer sent when it is ready, so among several live topics numbers come out of order: each book has a
connection of its own, and only those are held to their numbers. What the indexer itself missed, and what changed between its
reading a snapshot and its adding the subscriber, no number shows: every book is subscribed anew every ten minutes, as its guide says.

Trades are final, about a second late, and all those of a block have its time. LIQUIDATED: the taker's order closed a position by
force (SELL = a long), the price is the fill. DELEVERAGED: closed against a profitable position, outside the book: no flow. There
is one oracle price and no mark price: it is published as mark AND index. Funding is of one hour; open interest is one-sided.

A chain without a new block for ten seconds stands, and its books are no market, whatever the indexer still says of them. So each
height of v4_block_height announces the standstill for ten seconds after its block, and the next one puts it off. (On a book's own
connection heights would overtake the confirmations of its refreshes.) A silent book alone says nothing: its connection lives by pings,
the indexer by heights, its subscription by the whole book of each refresh.

Not given by the venue: an id of a book or a checksum, the time of a book frame, when funding is due, a maintenance notice, the
longest silence of a channel (our own bounds stand in), numeric trade ids, the insurance fund (only on chain), an age at which
connections are cut, how many connections an address may open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import ClassVar, Final

from engines.wire import layout
from engines.wire.grammar import BookGrammar, IntegerField, Row, SequenceRule, TradeGrammar
from monitor import facts
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import base
from monitor.venues import dydx_facts as read
from monitor.venues.base import BookPolicy, ConnectionPlan, Limits, Ping, Poll, RestRequest, Topic, Venue
from monitor.venues.packing import pack, read_listing, symbols_in_order
from monitor.venues.reading import Reader, dumps, shown
from monitor.venues.replies import ErrorCodes, check_reply

SOCKET: Final = "wss://indexer.dydx.trade/v4/ws"
LISTING: Final = "https://indexer.dydx.trade/v4/perpetualMarkets"

BOOK, TRADE, MARKETS, BLOCKS = "v4_orderbook", "v4_trades", "v4_markets", "v4_block_height"
PER_CHANNEL: Final = 32  # subscriptions of one channel on one connection; more are refused, and who insists is shut out
REFRESH_SECONDS: Final = 600.0  # as the venue's guide advises
BOOK_SILENCE: Final = 2.5 * REFRESH_SECONDS  # quiet books do not change; that two refreshes brought nothing is a fault
MARKETS_SILENCE: Final = 30.0  # oracle prices of some market change with nearly every block
BLOCKS_SILENCE: Final = 15.0  # a block takes about a second
MARKETS_SECONDS: Final = 60.0  # a quiet market's figures are not pushed for minutes
TIERS_SECONDS: Final = 6 * 3600.0

DATA: Final = ("subscribed", "channel_data", "channel_batch_data")
HEAD: Final = re.compile(
    rb'\{"type":"(?:subscribed|channel_data)","connection_id":"[^"\\]{1,64}","message_id":\d{1,18},'
    rb'(?:"id":"([^"\\]{1,128})",)?"channel":"(v4_[a-z_]{1,24})"(?:,"id":"([^"\\]{1,128})")?'
)
NUMBER: Final = re.compile(
    rb'\{"type":"[a-z_]{1,24}","connection_id":"[^"\\]{1,64}","message_id":(\d{1,18}),'
    rb'(?:"id":"[^"\\]{1,128}",)?"channel":"v4_orderbook"'
)
# An error names its topic in its text: "already subscribed (v4_orderbook-BTC-USD)".
NAMED: Final = re.compile(r"\((v4_[a-z_]+)-(.+)\)")
INTERNAL: Final = "Internal error"  # the venue's own trouble, and soon over: asked again
TOO_MANY: Final = "Too many "  # of us; the connection is closed next
RATE_LIMITED: Final = "Rate limited"  # the last words before that, without a type
MARKETS_REPLY: Final = re.compile(rb'\s*\{\s*"markets"\s*:')
ERRORS: Final = ErrorCodes("errors", text="message", good=MARKETS_REPLY, good_code=None, busy=(), busy_seconds=10)


def _book(kind: str, row: Row, default: int) -> BookGrammar:
    """Books of one kind of message. The number is asked for: without it nothing shows that no frame is missing."""
    return BookGrammar(
        bids=("contents", "bids"),
        asks=("contents", "asks"),
        row=row,
        integers=(IntegerField(("message_id",), layout.CROSS_ID),),
        expects={("type",): kind, ("channel",): BOOK},
        market=(("id",),),
        default_kind=default,
        sides_required=False,
    )


SNAPSHOT: Final = _book("subscribed", Row(price="price", size="size"), layout.KIND_SNAPSHOT)
CHANGES: Final = replace(_book("channel_data", Row(), layout.KIND_DELTA), alternates=(SNAPSHOT,))
TRADES: Final = TradeGrammar(
    rows=("contents", "trades"),
    single=False,
    price=("price",),
    size=("size",),
    side=("side",),  # of the taker
    taker_buy="BUY",
    taker_sell="SELL",
    time=("createdAt",),
    rfc3339=True,
    expects={("channel",): TRADE},
    market=(("id",),),
    keep={("type",): ("LIMIT", "MARKET", "LIQUIDATED", "TWAP_SUBORDER")},
    ignore={("type",): ("subscribed",)},
)


class Dydx(Venue):
    name: ClassVar[str] = "dydx"
    title: ClassVar[str] = "dYdX Chain"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("linear",)
    limits: ClassVar[Limits] = Limits(
        connects=60,  # not given
        connects_window_seconds=60,
        topics_per_connection=PER_CHANNEL,
        topics_per_frame=1,
        frames_per_second=3,  # 2 subscribes a second for each topic are allowed, and a spacing of 0.6 s is advised
        operations_per_hour=None,
        lifetime_seconds=None,
        max_frame_bytes=4 << 20,
        ack_timeout_seconds=25,  # the indexer gives itself 20 to read a snapshot
        # The venue pings every 30 s and cuts 10 s later; ours (5 a second are allowed) show a dead connection sooner.
        ping=Ping(text=None, interval_seconds=20, pong_timeout_seconds=15),
        rest_weight=100,  # requests
        rest_window_seconds=10,
    )
    book: ClassVar[BookPolicy] = BookPolicy(
        SequenceRule("unsequenced"),
        changes_at_any_price=True,
        window=None,
        crossing="uncross",
        refresh_seconds=REFRESH_SECONDS,
    )
    liquidation_coverage: ClassVar[facts.Coverage] = "complete"
    verification: ClassVar[str] = (
        "message_id of each frame of the connection is one above the last; whole book on the stream, anew every 10 min"
    )
    # Anybody may list a market; its name may hold a chain and an address: TICKER,CHAIN,ADDRESS-USD.
    symbol_pattern: ClassVar[str] = r"^[0-9A-Za-z]{1,32}(,[0-9A-Za-z_]{1,32},[0-9A-Za-z_]{1,64})?-USD$"
    symbol_example: ClassVar[str] = "BTC-USD"
    sequenced: ClassVar[bool] = True

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return [RestRequest("instruments", LISTING, weight=1)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        reader = Reader(self.name, "instruments")
        rows = read.rows_of(reader, reader.record(reader.load(body)), "markets")
        return read_listing(rows, lambda row: read.instrument(self.name, row)), None

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        if not (symbols := symbols_in_order(instruments)):
            return []
        return [
            *pack(self, "book", SOCKET, [f"{BOOK}:{symbol}" for symbol in symbols], 1),
            *pack(self, "trades", SOCKET, [f"{TRADE}:{symbol}" for symbol in symbols], PER_CHANNEL),
            *pack(self, "markets", SOCKET, [MARKETS, BLOCKS], PER_CHANNEL),
        ]

    def topic(self, key: str) -> Topic | None:
        if key == MARKETS:
            return Topic(key, Channel.TICKER, (), MARKETS_SILENCE)
        if key == BLOCKS:
            return Topic(key, Channel.TICKER, (), BLOCKS_SILENCE)
        channel, _, symbol = key.partition(":")
        if not symbol:
            return None
        if channel == BOOK:
            return Topic(key, Channel.BOOK, (symbol,), BOOK_SILENCE, book=CHANGES)
        if channel == TRADE:
            forced = tuple(f'"{kind}"'.encode() for kind in read.FORCED)
            return Topic(key, Channel.TRADES, (symbol,), trades=TRADES, facts_when=forced)
        return None

    def frame_key(self, frame: bytes) -> bytes | None:
        found = HEAD.match(frame)
        if found is None:
            return None
        before, channel, behind = found.groups()
        if channel in (b"v4_markets", b"v4_block_height"):
            return channel
        symbol = before or behind
        return None if symbol is None else channel + b":" + symbol

    def slow_frame_key(self, frame: bytes) -> str | None:
        message = Reader(self.name, "frame").load(frame)
        if not isinstance(message, dict) or message.get("type") not in DATA:
            return None
        return _key(message)

    def connection_sequence(self, frame: bytes) -> int | None:
        """Of messages about books alone."""
        found = NUMBER.match(frame)
        if found is not None:
            return int(found[1])
        if BOOK.encode() not in frame:
            return None
        message = Reader(self.name, "frame").load(frame)
        number = message.get("message_id") if isinstance(message, dict) else None
        return number if isinstance(number, int) else None

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return dumps({"type": "subscribe", **_asked(topics), "batched": False})

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return dumps({"type": "unsubscribe", **_asked(topics)})

    def control(self, frame: bytes) -> list[base.Control]:
        reader = Reader(self.name, "control")
        message = reader.record(reader.load(frame))
        kind, key = message.get("type"), _key(message)
        if kind == "connected":
            return []
        if kind == "pong":
            return [base.Pong()]
        if kind == "unsubscribed" and key is not None:
            return [base.Acked(keys=(key,), unsubscribed=True)]
        said = str(message.get("message", ""))
        if kind is None and said == RATE_LIMITED:
            return [base.ErrorSaid(said)]
        if kind != "error":
            raise reader.refused(f"unknown frame: {shown(frame)!r}")
        if named := NAMED.search(said):
            key = _key({"channel": named[1], "id": named[2]})
        known = (key,) if key is not None and self.topic(key) is not None else ()
        if said.startswith(INTERNAL):
            return [base.Refused(shown(said), None, known, in_order=not known, passing=True)]
        if not known or said.startswith(TOO_MANY):
            return [base.ErrorSaid(shown(said))]
        return [base.Acked(keys=known) if "already subscribed" in said else base.Refused(shown(said), None, known)]

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        if topic.channel is Channel.OTHER:
            return []
        reader = Reader(self.name, topic.channel, topic.symbols[0] if topic.symbols else "")
        message = reader.record(reader.load(frame))
        if topic.channel is Channel.TICKER:
            reader.expect(message, "channel", topic.key)
            return read.markets(reader, message) if topic.key == MARKETS else [read.height(reader, message)]
        if topic.channel is not Channel.TRADES:
            raise reader.refused("not a cold channel")
        reader.expect(message, "channel", TRADE)
        reader.expect(message, "id", reader.market)
        return read.liquidations(reader, message, self.liquidation_coverage)

    # -- REST
    def venue_polls(self, instruments: Sequence[Instrument]) -> list[Poll]:
        figures = RestRequest("poll", LISTING, 1, key="markets")
        tiers = RestRequest("poll", LISTING, 1, key="margin_tiers")
        return [Poll(figures, MARKETS_SECONDS), Poll(tiers, TIERS_SECONDS)]

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        reader = Reader(self.name, request.key)
        reply = reader.record(reader.load(body))
        if request.key == "markets":
            return read.standing(reader, reply)
        return read_listing(read.rows_of(reader, reply, "markets"), lambda row: read.margin_tiers(reader, row))

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        check_reply(self.name, request, status, headers, body, ERRORS, self.limits.rest_window_seconds)


def _key(message: Mapping[str, object]) -> str | None:
    """The topic a message is about, data or answer; None: none of ours."""
    channel, symbol = message.get("channel"), message.get("id")
    if channel in (MARKETS, BLOCKS):
        return str(channel)
    return f"{channel}:{symbol}" if isinstance(channel, str) and isinstance(symbol, str) and symbol else None


def _asked(topics: Sequence[Topic]) -> dict[str, str]:
    """A frame asks for one topic."""
    (topic,) = topics
    channel, _, symbol = topic.key.partition(":")
    return {"channel": channel, "id": symbol} if symbol else {"channel": channel}
