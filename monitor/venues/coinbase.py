"""Coinbase, spot. Facts as of 2026-11-22.

Two sockets. Books come from Advanced Trade (`level2`), whose frames are numbered through per connection, over all channels, control
frames too: a jump means that some frame of some product is lost. `heartbeats` go with it, or the venue closes quiet connections.
Trades come from the Exchange feed (`matches`): its `side` is documented as the MAKER's; that of Advanced's `market_trades` is disputed.

A book frame may hold several events. The snapshot of BTC-USD is over 4 MB, tens of thousands of rows: it is cut into a snapshot and
changes. Unknown and paused products are acknowledged and get an empty snapshot, which is not a book: it is refused as a damaged one.
On the Exchange feed one bad product fails the whole message. Products with an `alias` (BTC-USDC) are other names of a book, whose
frames carry the book's own name: they are not listed. Coinbase International closed in October 2026; its successor's books are Deribit's.

Not given by the venue: liquidations, mark, index, funding and open interest (spot); margin; a checksum; whether a trade is missing
(`trade_id` has no holes, but `matches` may drop, and nothing is refilled); a public maintenance notice (the status page's form is not
confirmed; halts are polled from the listing); USDC-USD; how many topics a connection may hold and for how long it may live, the
longest silence of a book (our own bounds stand in); the rate of public Advanced REST requests (the Exchange's 10 a second holds for both).
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
from monitor.venues import base, coinbase_parts
from monitor.venues import coinbase_facts as read
from monitor.venues.base import BookPolicy, ConnectionPlan, Limits, Ping, Poll, RestRequest, Topic, Venue
from monitor.venues.candles import CANDLES, candles_poll, read_candles
from monitor.venues.naming import coin_of
from monitor.venues.packing import pack, read_listing, symbols_in_order
from monitor.venues.reading import Reader, Record, dumps, given, shown
from monitor.venues.replies import ErrorCodes, check_reply

ADVANCED: Final = "wss://advanced-trade-ws.coinbase.com"
EXCHANGE: Final = "wss://ws-feed.exchange.coinbase.com"
PRODUCTS: Final = "https://api.exchange.coinbase.com/products"
LISTING: Final = "https://api.coinbase.com/api/v3/brokerage/market/products?product_type=SPOT"

BOOKS_PER_CONNECTION: Final = 20  # one lost frame costs all of them, and each comes back with megabytes
OTHERS_PER_CONNECTION: Final = 200
BOOK_SILENCE: Final = 120.0  # pushed on change; the heartbeats show a dead socket sooner
FIRST_SECONDS: Final = 15.0  # a book begins with its snapshot, trades with the last match
STATUS_SECONDS: Final = 60.0

TRADE_CHANNELS: Final = ("matches", "heartbeat")
ALL_PRODUCTS: Final = ("market_trades", "ticker", "ticker_batch", "candles", "status")  # of Advanced; not used
EXCHANGE_TYPES: Final = {
    "match": "matches",
    "last_match": "matches",
    "heartbeat": "heartbeat",
    # Without numbers or a checksum: known, and no book for us.
    "snapshot": "level2_batch",
    "l2update": "level2_batch",
    "ticker": "ticker",
}
UNUSED: Final = ("level2_batch", "ticker")
HEARTBEATS: Final = dumps({"type": "subscribe", "channel": "heartbeats"})

EXCHANGE_HEAD: Final = re.compile(rb'\{"type":"(match|last_match|heartbeat)",')
PRODUCT: Final = b'"product_id":"'
NUMBER_KEY: Final = b'"sequence_num":'
NUMBER: Final = re.compile(rb'"sequence_num":\s*(\d{1,18})\b')
BAD_PRODUCT: Final = re.compile(r"([0-9A-Z]{1,24}-[0-9A-Z]{2,10}) is not a valid product")
ERRORS: Final = ErrorCodes(
    code="error",
    text="message",
    good=re.compile(rb'\s*\{\s*"products"\s*:'),
    good_code=None,
    busy=(),
    busy_seconds=5,
)

BOOK: Final = BookGrammar(
    bids=("events", 0, "updates"),
    asks=("events", 0, "updates"),
    row=Row(price="price_level", size="new_quantity", side="side", bid="bid", ask="offer"),
    integers=(IntegerField(("timestamp",), layout.EVENT_TIME, rfc3339=True),),
    expects={("channel",): "l2_data"},
    market=(("events", 0, "product_id"),),
    kind=(("events", 0, "type"), "snapshot", "update"),
)
TRADES: Final = TradeGrammar(
    rows=(),
    single=True,
    price=("price",),
    size=("size",),
    side=("side",),
    taker_buy="sell",  # the maker sold
    taker_sell="buy",
    time=("time",),
    rfc3339=True,
    identifier=("trade_id",),
    expects={("type",): "match"},
    market=(("product_id",),),
    ignore={("type",): ("last_match",)},
)


class Coinbase(Venue):
    name: ClassVar[str] = "coinbase"
    title: ClassVar[str] = "Coinbase spot"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("spot",)
    limits: ClassVar[Limits] = Limits(
        connects=6,  # 8 a second and address are allowed, but 8 messages too, of which each new connection sends two
        connects_window_seconds=1,
        topics_per_connection=OTHERS_PER_CONNECTION,
        topics_per_frame=20,
        frames_per_second=4,
        operations_per_hour=None,
        lifetime_seconds=None,
        max_frame_bytes=32 << 20,
        ack_timeout_seconds=10,
        ping=Ping(text=None, interval_seconds=20, pong_timeout_seconds=15),
        rest_weight=10,  # requests
        rest_window_seconds=2,  # half of what is allowed
        silence_seconds=10,  # both sockets carry a heartbeat a second
    )
    book: ClassVar[BookPolicy] = BookPolicy(SequenceRule("unsequenced"), changes_at_any_price=True, window=None)
    liquidation_coverage: ClassVar[facts.Coverage] = "none"
    verification: ClassVar[str] = "sequence_num over the whole connection; complete book on the stream"
    symbol_pattern: ClassVar[str] = r"^[0-9A-Z]{1,24}-[0-9A-Z]{2,10}$"
    symbol_example: ClassVar[str] = "BTC-USD"
    sequenced: ClassVar[bool] = True
    splits: ClassVar[bool] = True

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return [RestRequest("instruments", LISTING, weight=1)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        return read_listing(self._listing(Reader(self.name, "instruments"), body), self._instrument), None

    def _listing(self, reader: Reader, body: bytes) -> list[Record]:
        """Spot products that are not another one's second name."""
        rows = reader.rows(reader.record(reader.load(body)), "products")
        return [row for row in rows if row.get("product_type", "SPOT") == "SPOT" and not given(row, "alias")]

    def _instrument(self, row: Record) -> Instrument:
        symbol = Reader(self.name, "instruments").text(row, "product_id")
        reader = Reader(self.name, "instruments", symbol)
        asset, multiplier = coin_of(reader.text(row, "base_currency_id"))
        quote = reader.text(row, "quote_currency_id")
        status = read.status(reader, row)
        return Instrument(
            venue=self.name,
            symbol=symbol,
            asset=asset,
            quote=quote,
            settle=quote,
            contract_type="spot",
            tick_size=reader.positive(row, "price_increment"),
            lot_size=reader.positive(row, "base_increment"),
            unit_multiplier=multiplier,
            trading=status == read.ONLINE,
            status=status,
        )

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        symbols = symbols_in_order(instruments)
        trades = [f"{channel}:{symbol}" for symbol in symbols for channel in TRADE_CHANNELS]
        return [
            *pack(self, "books", ADVANCED, [f"level2:{symbol}" for symbol in symbols], BOOKS_PER_CONNECTION),
            *pack(self, "trades", EXCHANGE, trades, OTHERS_PER_CONNECTION),
        ]

    def topic(self, key: str) -> Topic | None:
        if key in ALL_PRODUCTS:
            return Topic(key, Channel.OTHER, ())
        channel, _, symbol = key.partition(":")
        if not symbol:
            return None
        match channel:
            case "level2":
                return Topic(key, Channel.BOOK, (symbol,), BOOK_SILENCE, book=BOOK, first_seconds=FIRST_SECONDS)
            case "matches":
                return Topic(key, Channel.TRADES, (symbol,), trades=TRADES, first_seconds=FIRST_SECONDS)
        return Topic(key, Channel.OTHER, (symbol,)) if channel in ("heartbeat", *UNUSED) else None

    def greeting(self, plan: ConnectionPlan) -> list[str]:
        return [HEARTBEATS] if plan.url == ADVANCED else []

    def connection_sequence(self, frame: bytes) -> int | None:
        at = frame.find(NUMBER_KEY) if frame.startswith(coinbase_parts.START) else -1
        found = None if at < 0 else NUMBER.match(frame, at)
        return None if found is None else int(found[1])

    def split(self, frame: bytes) -> Sequence[bytes]:
        return coinbase_parts.parts(self.name, frame) if frame.startswith(coinbase_parts.START) else (frame,)

    def frame_key(self, frame: bytes) -> bytes | None:
        if found := coinbase_parts.HEAD.match(frame):
            return b"level2:" + found[2]
        found = EXCHANGE_HEAD.match(frame)
        at = frame.find(PRODUCT) if found else -1
        if found is None or at < 0 or frame.find(b"{", 1, at) >= 0:
            return None
        start = at + len(PRODUCT)
        symbol = frame[start : frame.find(b'"', start)]
        channel = b"heartbeat:" if found[1] == b"heartbeat" else b"matches:"
        return None if b"\\" in symbol else channel + symbol

    def slow_frame_key(self, frame: bytes) -> str | None:
        message = Reader(self.name, "frame").load(frame)
        if not isinstance(message, dict):
            return None
        channel, kind, symbol = message.get("channel"), message.get("type"), message.get("product_id")
        if isinstance(channel, str):
            if channel in ALL_PRODUCTS:
                return channel
            events = message.get("events")
            first = events[0] if isinstance(events, list) and events else None
            symbol = first.get("product_id") if isinstance(first, dict) else None
            return f"level2:{symbol}" if channel == "l2_data" and isinstance(symbol, str) else None
        if not isinstance(kind, str) or kind not in EXCHANGE_TYPES or not isinstance(symbol, str):
            return None
        return f"{EXCHANGE_TYPES[kind]}:{symbol}"

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return _asked("subscribe", topics)

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return _asked("unsubscribe", topics)

    def control(self, frame: bytes) -> list[base.Control]:
        reader = Reader(self.name, "control")
        message = reader.record(reader.load(frame))
        if message.get("channel") == "heartbeats":
            return []
        if message.get("channel") == "subscriptions":
            events = reader.rows(message, "events")
            named = [reader.child(event, "subscriptions") for event in events]
            return [_everything(reader, [item for names in named for item in names.items()])]
        if message.get("type") == "subscriptions":
            rows = reader.rows(message, "channels")
            return [_everything(reader, [(reader.text(row, "name"), row.get("product_ids", [])) for row in rows])]
        if message.get("type") != "error":
            raise reader.refused(f"unknown frame: {shown(frame)!r}")
        said = shown(": ".join(str(message[key]) for key in ("message", "reason") if given(message, key)))
        if found := BAD_PRODUCT.search(said):
            # The whole message failed: the others must be asked again.
            keys = tuple(f"{channel}:{found[1]}" for channel in TRADE_CHANNELS)
            return [base.Refused(said, None, keys, whole_batch=True)]
        return [base.ErrorSaid(said)]

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        if topic.channel is Channel.OTHER:
            return []
        raise Reader(self.name, topic.channel, topic.symbols[0]).refused("not a cold channel")

    # -- REST
    def venue_polls(self, instruments: Sequence[Instrument]) -> list[Poll]:
        return [Poll(RestRequest("poll", LISTING, 1, key="status"), STATUS_SECONDS)]

    def polls(self, instrument: Instrument) -> list[Poll]:
        # The last 300, without hours that had no trade.
        return [candles_poll(f"{PRODUCTS}/{instrument.symbol}/candles?granularity=3600", 1, instrument.symbol)]

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        reader = Reader(self.name, request.key, request.symbol or "")
        if request.key == CANDLES:
            return read_candles(reader, reader.load_exact(body), read.CANDLE)
        return read_listing(self._listing(reader, body), lambda row: read.changed(reader, row))

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        check_reply(self.name, request, status, headers, body, ERRORS, self.limits.rest_window_seconds)


def _asked(word: str, topics: Sequence[Topic]) -> str:
    """Advanced takes one channel a message, the Exchange feed several, each with its products."""
    products: dict[str, list[str]] = {}
    for topic in topics:
        products.setdefault(topic.key.partition(":")[0], []).append(topic.symbols[0])
    if "level2" not in products:
        channels = [{"name": channel, "product_ids": symbols} for channel, symbols in products.items()]
        return dumps({"type": word, "channels": channels})
    if len(products) > 1:
        raise ValueError(f"one frame cannot be about several channels: {', '.join(sorted(products))}")
    return dumps({"type": word, "product_ids": products["level2"], "channel": "level2"})


def _everything(reader: Reader, listed: Sequence[tuple[str, object]]) -> base.Acked:
    """The answer to each subscription and unsubscription: all that the connection has."""
    keys: list[str] = []
    for channel, symbols in listed:
        if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
            raise reader.refused(f"the products of {shown(channel)} are not an array of names")
        keys += [f"{channel}:{symbol}" for symbol in symbols]
    return base.Acked(keys=tuple(keys), only=True)
