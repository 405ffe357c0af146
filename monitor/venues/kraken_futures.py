"""Kraken Futures, WebSocket v1: PF/FF linear (quantity in coins), PI/FI inverse (one contract is a dollar). Facts as of 2026-11-22.

Symbols say XBT, the listing's `base` says BTC. The book is complete, one level a frame; `seq` goes up by exactly one per product
(not documented; measured by a third party in September 2026 over 4.4 million frames). Liquidations stand among the trades: `side`
is the side of the forced ORDER (sell = a long was closed), the price is the fill. A termination or assignment hands the position to
liquidity providers outside the book: it is no flow. The trade snapshot is history. `relative_funding_rate` is the fraction of the
running hour; `funding_rate` is an amount of money. A second of `ticker` is up to four seconds behind the book.

Answers carry no request number, and a refusal names a product but not its feed: every connection subscribes to one feed only.
`instruments/status` says which products are out of their price bounds or in extreme volatility.

Not given by the venue: a checksum; whether open interest is one-sided (it is read so), the unit of `numNonContractUnits` (read as US
dollars, as its support pages count), whether a tier's ratio holds for the whole position (read so: the careful reading), a rate of
public REST requests, how many subscriptions and for how long a connection may live, the longest silence of a feed, the cadence of
the heartbeat (our own bounds stand in); insurance fund and deleveraging.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import ClassVar, Final

from engines.wire import layout
from engines.wire.grammar import MILLISECOND, BookGrammar, IntegerField, Row, SequenceRule, TradeGrammar
from monitor import facts
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import base
from monitor.venues import kraken_futures_facts as read
from monitor.venues.base import BookPolicy, ConnectionPlan, Limits, Ping, Poll, RestRequest, Topic, Venue
from monitor.venues.candles import CANDLES, CandleForm, candles_poll, ranged, read_candles
from monitor.venues.naming import coin_of
from monitor.venues.packing import pack, read_listing, symbols_in_order
from monitor.venues.reading import Reader, Record, dumps, shown
from monitor.venues.replies import ErrorCodes, check_reply

SOCKET: Final = "wss://futures.kraken.com/ws/v1"
REST: Final = "https://futures.kraken.com/derivatives/api/v3"
LISTING: Final = f"{REST}/instruments"
CHARTS: Final = "https://futures.kraken.com/api/charts/v1/trade"
# {"time":1770285600000,"open":"73000.5","high":"73100","low":"72950","close":"73010","volume":"812.3450"}: volume in the unit of trades
CANDLE: Final = CandleForm("time", "low", "high", "close", "volume")

BOOKS_PER_CONNECTION: Final = 50
OTHERS_PER_CONNECTION: Final = 200
BOOK_SILENCE: Final = 120.0  # pushed on change; dated products are quiet
TICKER_SILENCE: Final = 30.0  # at most one a second; the mark price moves with the index
FIRST_SECONDS: Final = 15.0  # a book and a trade subscription begin with a snapshot
STATUS_SECONDS: Final = 20.0
TIERS_SECONDS: Final = 6 * 3600.0
FEEDS: Final = {"book": Channel.BOOK, "trade": Channel.TRADES, "ticker": Channel.TICKER, "ticker_lite": Channel.OTHER}
# The head of a data frame; a ticker's feed stands behind a dozen figures.
HEAD: Final = re.compile(rb'\{"feed":"(book|trade)(?:_snapshot)?","product_id":"([^"\\]{1,40})"')
TICKER_HEAD: Final = re.compile(rb'\{"time":\d{1,19},"product_id":"([^"\\]{1,40})"')
TICKER: Final = b'"feed":"ticker"'
PRODUCT_NAMED: Final = re.compile(r"`([^`]{1,40})`")
OTHER_TYPES: Final = ("options", "spot index", "futures_vanilla")  # options; reference rates; a retired kind
NAMES: Final = {"XBT": "BTC", "XDG": "DOGE"}
PERPETUAL: Final = ("PF_", "PI_")
ERRORS: Final = ErrorCodes(
    code="error",
    text="result",
    good=re.compile(rb'\s*\{[^{}\[\]]{0,200}"result"\s*:\s*"success"'),
    good_code=None,
    busy=("apiLimitExceeded", "unavailable", "marketUnavailable"),
    busy_seconds=10,
)

ROW: Final = Row(price="price", size="qty", quoted=False)
NUMBERS: Final = (
    IntegerField(("seq",), layout.LAST_ID),
    IntegerField(("timestamp",), layout.EVENT_TIME, MILLISECOND, required=False),
)
SNAPSHOT: Final = BookGrammar(
    bids=("bids",),
    asks=("asks",),
    row=ROW,
    integers=NUMBERS,
    expects={("feed",): "book_snapshot"},
    market=(("product_id",),),
    default_kind=layout.KIND_SNAPSHOT,
)
BOOK: Final = BookGrammar(
    bids=(),
    asks=(),
    row=Row(price="price", size="qty", quoted=False, side="side", bid="buy", ask="sell"),
    single=True,
    integers=NUMBERS,
    expects={("feed",): "book"},
    market=(("product_id",),),
    alternates=(SNAPSHOT,),
)
TRADES: Final = TradeGrammar(
    rows=(),
    single=True,
    price=("price",),
    size=("qty",),
    side=("side",),  # of the taker
    taker_buy="buy",
    taker_sell="sell",
    time=("time",),
    identifier=("seq",),
    expects={("feed",): "trade"},
    market=(("product_id",),),
    keep={("type",): ("fill", "liquidation")},  # blocks and terminations are agreed off the book
    quoted=False,
    ignore={("feed",): ("trade_snapshot",)},
)


class KrakenFutures(Venue):
    name: ClassVar[str] = "kraken_futures"
    title: ClassVar[str] = "Kraken Futures"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("linear", "inverse")
    limits: ClassVar[Limits] = Limits(
        connects=100,  # at once; the rate is not given
        connects_window_seconds=60,
        topics_per_connection=OTHERS_PER_CONNECTION,
        topics_per_frame=50,
        frames_per_second=50,  # half of what is allowed
        operations_per_hour=None,
        lifetime_seconds=None,
        max_frame_bytes=4 << 20,
        ack_timeout_seconds=10,
        # The venue cuts after 60 s without a WebSocket ping of ours.
        ping=Ping(text=None, interval_seconds=30, pong_timeout_seconds=15),
        rest_weight=100,  # requests; public ones cost nothing, private ones 500 in 10 s
        rest_window_seconds=10,
    )
    book: ClassVar[BookPolicy] = BookPolicy(SequenceRule("counter"), changes_at_any_price=True, window=None)
    liquidation_coverage: ClassVar[facts.Coverage] = "complete"
    verification: ClassVar[str] = "seq of each change is one above the last; complete book on the stream"
    symbol_pattern: ClassVar[str] = r"^(PF|PI|FF|FI)_[0-9A-Z]{4,24}(_[0-9]{6})?$"
    symbol_example: ClassVar[str] = "PF_XBTUSD"
    inverse_symbols: ClassVar[str | None] = r"[PF]I_.*"

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return [RestRequest("instruments", LISTING, weight=1)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        return read_listing(self._listing(Reader(self.name, "instruments"), body), self._instrument), None

    def _listing(self, reader: Reader, body: bytes) -> list[Record]:
        rows = reader.rows(reader.record(reader.load_exact(body)), "instruments")
        return [row for row in rows if row.get("type") not in OTHER_TYPES]

    def _instrument(self, row: Record) -> Instrument:
        symbol = read.symbol_of(Reader(self.name, "instruments"), row, "symbol")
        reader = Reader(self.name, "instruments", symbol)
        kind = reader.choice(row, "type", read.KINDS)
        name, quote = reader.text(row, "base"), reader.text(row, "quote")
        asset, multiplier = coin_of(NAMES.get(name, name))
        decimals = reader.integer(row, "contractValueTradePrecision")  # below 0: a lot of thousands
        if not -12 <= decimals <= 18:
            raise reader.refused(f"contractValueTradePrecision is no number of decimals: {decimals}")
        if not isinstance(row.get("tradeable"), bool):
            raise reader.refused("tradeable is neither true nor false")
        status = read.status_of(reader, not row["tradeable"], row.get("postOnly", False))
        return Instrument(
            venue=self.name,
            symbol=symbol,
            asset=asset,
            quote=quote,
            settle=asset if kind == "inverse" else quote,
            contract_type=kind,
            tick_size=reader.positive(row, "tickSize"),
            lot_size=Decimal(1).scaleb(-decimals),
            contract_size=reader.positive(row, "contractSize"),
            unit_multiplier=multiplier,
            trading=status == read.TRADED,
            status=status,
            funding_interval_seconds=read.HOUR if symbol.startswith(PERPETUAL) else None,
        )

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        symbols = symbols_in_order(instruments)
        return [
            plan
            for feed, most in (("book", BOOKS_PER_CONNECTION), ("trade", OTHERS_PER_CONNECTION), ("ticker", OTHERS_PER_CONNECTION))
            for plan in pack(self, f"{feed}s", SOCKET, [f"{feed}:{symbol}" for symbol in symbols], most)
        ]  # fmt: skip

    def topic(self, key: str) -> Topic | None:
        feed, _, symbol = key.partition(":")
        channel = FEEDS.get(feed)
        if not symbol or channel is None:
            return None
        match channel:
            case Channel.BOOK:
                return Topic(key, channel, (symbol,), BOOK_SILENCE, book=BOOK, first_seconds=FIRST_SECONDS)
            case Channel.TRADES:
                forced = tuple(f'"{kind}"'.encode() for kind in read.FORCED)
                return Topic(key, channel, (symbol,), trades=TRADES, first_seconds=FIRST_SECONDS, facts_when=forced)
            case Channel.TICKER:
                return Topic(key, channel, (symbol,), TICKER_SILENCE)
        return Topic(key, channel, (symbol,))

    def frame_key(self, frame: bytes) -> bytes | None:
        if found := HEAD.match(frame):
            return found[1] + b":" + found[2]
        found = TICKER_HEAD.match(frame)
        return None if found is None or TICKER not in frame else b"ticker:" + found[1]

    def slow_frame_key(self, frame: bytes) -> str | None:
        message = Reader(self.name, "frame").load(frame)
        if not isinstance(message, dict) or "event" in message:
            return None
        feed, product = message.get("feed"), message.get("product_id")
        if not isinstance(feed, str) or not isinstance(product, str):
            return None
        feed = feed.removesuffix("_snapshot")
        return f"{feed}:{product}" if feed in FEEDS else None

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return _asked("subscribe", topics)

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return _asked("unsubscribe", topics)

    def control(self, frame: bytes) -> list[base.Control]:
        reader = Reader(self.name, "control")
        message = reader.record(reader.load(frame))
        event = message.get("event")
        if event == "info" or message.get("feed") == "heartbeat":
            return []
        if event in ("subscribed", "unsubscribed", "subscribed_failed", "unsubscribed_failed"):
            products = message.get("product_ids", [])
            if not isinstance(products, list) or not all(isinstance(product, str) for product in products):
                raise reader.refused("product_ids is not an array of names")
            keys = tuple(f"{reader.text(message, 'feed')}:{product}" for product in products)
            if event.endswith("_failed"):
                return [base.Refused(event, None, keys)]
            return [base.Acked(keys=keys, unsubscribed=event == "unsubscribed")]
        if event not in ("alert", "error"):
            raise reader.refused(f"unknown frame: {shown(frame)!r}")
        said = str(message.get("message", ""))
        named = PRODUCT_NAMED.search(said) if event == "alert" else None
        # The product stands there without its feed: of these keys a connection knows one.
        keys = tuple(f"{feed}:{named[1]}" for feed in FEEDS) if named else ()
        return [base.Refused(shown(said), None, keys) if keys else base.ErrorSaid(shown(said))]

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        if topic.channel is Channel.OTHER:
            return []
        reader = Reader(self.name, topic.channel, topic.symbols[0])
        message = reader.record(reader.load_exact(frame))
        reader.expect(message, "product_id", reader.market)
        if topic.channel is Channel.TICKER:
            return read.ticker(reader, message)
        if topic.channel is not Channel.TRADES:
            raise reader.refused("not a cold channel")
        return read.liquidations(reader, message, self.liquidation_coverage)

    # -- REST
    def venue_polls(self, instruments: Sequence[Instrument]) -> list[Poll]:
        status = RestRequest("poll", f"{LISTING}/status", 1, key="status")
        tiers = RestRequest("poll", LISTING, 1, key="margin_tiers")
        return [Poll(status, STATUS_SECONDS), Poll(tiers, TIERS_SECONDS)]

    def polls(self, instrument: Instrument) -> list[Poll]:
        return [candles_poll(f"{CHARTS}/{instrument.symbol}/1h", 1, instrument.symbol)]

    def dated_request(self, request: RestRequest, at: int) -> RestRequest:
        return ranged(request, at, "from", "to", unit=10**9)

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        reader = Reader(self.name, request.key, request.symbol or "")
        if request.key == CANDLES:
            reply = reader.record(reader.load_exact(body))
            return read_candles(reader, reply.get("candles"), CANDLE)
        if request.key == "margin_tiers":
            rows = self._listing(reader, body)
            return read_listing(rows, lambda row: read.margin_tiers(reader, row))
        reply = reader.record(reader.load(body))
        at = reader.moment(reply, "serverTime")
        return [fact for row in reader.rows(reply, "instrumentStatus") for fact in read.stress(reader, row, at)]

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        check_reply(self.name, request, status, headers, body, ERRORS, self.limits.rest_window_seconds)


def _asked(event: str, topics: Sequence[Topic]) -> str:
    """A frame is about one feed, and so are the topics of a connection."""
    feeds = {topic.key.partition(":")[0] for topic in topics}
    if len(feeds) != 1:
        raise ValueError(f"one frame cannot be about several feeds: {', '.join(sorted(feeds))}")
    return dumps({"event": event, "feed": feeds.pop(), "product_ids": [topic.symbols[0] for topic in topics]})
