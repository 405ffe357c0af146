"""Deribit perpetuals and dated futures, inverse (amounts in US dollars) and linear (amounts in coins). Facts as of 2026-11-22.

`amount` is the unit of every channel, open interest too: `contract_size` only counts contracts and never multiplies. The book is
complete, and a change names the id of the change before (`prev_change_id`); ids jump. A snapshot's `timestamp` is when the book last
changed, long ago on a quiet market: it tells nothing about lag. Asking twice brings no second snapshot; unsubscribing first does.

A channel the venue does not know is left out of the acknowledgement without a word, whose order is its own. Sockets are kept alive
by heartbeats we ask for: an unanswered `test_request` is fatal after 10 s. Too many calls end the session (10028).

Liquidations stand among the trades: `T` the taker was liquidated, `M` the maker, `MT` both. Prints of blocks and of combinations' legs
were agreed off the book and are no flow. Funding accrues by the millisecond: `current_funding` is the present rate per 8 hours, and
there is no next time. `platform_state` tells a lock of a price index, all of them once after subscribing: it stops the index's
perpetual and dated futures.

Margin tiers come from the venue's help pages, and only of BTC and ETH (11 January 2022) and of BTC_USDC and SOL_USDC (undated): see
`deribit_facts`. A new model was announced on 2026-08-05; no public method tells it.

Not given by the venue: a checksum, margin tiers by API, whether open interest is one-sided (it is read so), the longest silence of a
book (53 s were seen) or ticker, how many channels a connection may hold, how often one may connect (32 stand at once, open HTTP
requests included), the rate of calls without login, a time in `platform_state`, the end of a maintenance (an answer to `public/status`
is taken for it), an insurance fund, deleveraging. `block_rfq_id` is not looked at: such prints are blocks and say so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import ClassVar, Final

from engines.wire import layout
from engines.wire.grammar import MICROSECOND, MILLISECOND, BookGrammar, IntegerField, Row, SequenceRule, TradeGrammar
from monitor import facts
from monitor.errors import RetryLater, VenueError
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import base
from monitor.venues import deribit_facts as read
from monitor.venues.base import BookPolicy, ConnectionPlan, Limits, Ping, Poll, RestRequest, Topic, Venue
from monitor.venues.candles import CANDLES, candles_poll, ranged
from monitor.venues.naming import coin_of
from monitor.venues.packing import pack, read_listing, symbols_in_order
from monitor.venues.reading import Reader, Record, dumps, given, request_number, shown
from monitor.venues.replies import check_status, subject

SOCKET: Final = "wss://www.deribit.com/ws/api/v2"
REST: Final = "https://www.deribit.com/api/v2/public"
LISTING: Final = f"{REST}/get_instruments?currency=any&kind=future"

BOOKS_PER_CONNECTION: Final = 50  # a first snapshot is the whole book
OTHERS_PER_CONNECTION: Final = 200
HEARTBEAT_SECONDS: Final = 10  # the least there is: it is also how a dead connection shows
# Asking a quiet market anew costs two calls of three a second; 53 s of silence were seen.
SILENCE: Final = 300.0
FIRST_SECONDS: Final = 15.0  # a book begins with a snapshot, a ticker with its figures
STATUS_SECONDS: Final = 60.0
BUSY_SECONDS: Final = 5.0
WITHOUT_REQUEST: Final = 0  # id of the calls that are no subscription; requests count from 1

HEAD: Final = b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"'
KEY_AT: Final = len(HEAD)
KEY_END: Final = KEY_AT + 96
FUTURE: Final = r"[0-9A-Z]{1,20}(?:_[A-Z]{3,5})?-(?:PERPETUAL|[0-9]{1,2}[A-Z]{3}[0-9]{2})"
MARKET_KEY: Final = re.compile(rf"(book|trades|ticker)\.({FUTURE}(-[0-9d]{{1,12}}-[CP])?)\.(?:raw|100ms|agg2)")
# Known, not used: grouped and combinations' books, whole kinds' trades, what options need.
UNUSED: Final = re.compile(
    r"(book|trades|ticker|quote|chart|perpetual|incremental_ticker|markprice|deribit_\w+)\.[\w.-]{1,80}"
)
CHANNELS: Final = {"book": Channel.BOOK, "trades": Channel.TRADES, "ticker": Channel.TICKER}
FORCED: Final = b'"liquidation"'
GOOD: Final = re.compile(rb'\s*\{(?:"jsonrpc":"2\.0",|"id":\d{1,18},)*"result":')
TOO_MANY, MAINTENANCE = 10028, 11051
# Later: retry, settlement in progress, too many concurrent requests, and the like.
BUSY: Final = (TOO_MANY, 10040, 10041, 10047, 10066, MAINTENANCE, 11094, 13028, 13888)

DATA: Final = ("params", "data")
ROW: Final = Row(price=1, size=2, quoted=False)  # [action, price, amount]: an amount of 0 deletes
SNAPSHOT: Final = BookGrammar(
    bids=(*DATA, "bids"),
    asks=(*DATA, "asks"),
    row=ROW,
    integers=(
        IntegerField((*DATA, "change_id"), layout.LAST_ID),
        IntegerField((*DATA, "prev_change_id"), layout.PREVIOUS_ID, required=False, nullable=True),
        IntegerField((*DATA, "timestamp"), layout.ENGINE_TIME, MILLISECOND),
    ),
    expects={(*DATA, "type"): "snapshot"},
    market=((*DATA, "instrument_name"),),
    default_kind=layout.KIND_SNAPSHOT,
)
BOOK: Final = BookGrammar(
    bids=(*DATA, "bids"),
    asks=(*DATA, "asks"),
    row=ROW,
    integers=(
        IntegerField((*DATA, "change_id"), layout.LAST_ID),
        IntegerField((*DATA, "prev_change_id"), layout.PREVIOUS_ID),
        IntegerField((*DATA, "timestamp"), layout.EVENT_TIME, MILLISECOND),
    ),
    expects={(*DATA, "type"): "change"},
    market=((*DATA, "instrument_name"),),
    alternates=(SNAPSHOT,),
)
TRADES: Final = TradeGrammar(
    rows=DATA,
    single=False,
    price=("price",),
    size=("amount",),
    side=("direction",),  # of the taker
    taker_buy="buy",
    taker_sell="sell",
    time=("timestamp",),
    identifier=("trade_seq",),  # trade_id is a text on ETH
    row_market=(("instrument_name",),),
    keep={("block_trade_id",): (), ("combo_id",): (), ("combo_trade_id",): ()},  # any of them: no flow
    quoted=False,
)


class Deribit(Venue):
    name: ClassVar[str] = "deribit"
    title: ClassVar[str] = "Deribit perpetuals and dated futures"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("inverse", "linear")
    limits: ClassVar[Limits] = Limits(
        connects=20,  # of the 32 at once
        connects_window_seconds=60,
        topics_per_connection=500,
        topics_per_frame=100,  # 131 in one call worked
        frames_per_second=3,  # 3000 credits each, 10000 come back a second
        operations_per_hour=None,
        lifetime_seconds=None,
        max_frame_bytes=8 << 20,
        ack_timeout_seconds=10,
        ping=Ping(text=None, interval_seconds=30, pong_timeout_seconds=15),
        rest_weight=25_000,  # credits, half of the pool; 500 a call, 10000 a listing
        rest_window_seconds=5,
        silence_seconds=3.0 * HEARTBEAT_SECONDS,
    )
    book: ClassVar[BookPolicy] = BookPolicy(SequenceRule("linked"), changes_at_any_price=True, window=None)
    liquidation_coverage: ClassVar[facts.Coverage] = "complete"
    verification: ClassVar[str] = "prev_change_id of each change is the last change_id; complete book on the stream"
    symbol_pattern: ClassVar[str] = f"^{FUTURE}$"
    symbol_example: ClassVar[str] = "BTC-PERPETUAL"
    inverse_symbols: ClassVar[str | None] = r"[0-9A-Z]+-.*"

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return [RestRequest("instruments", LISTING, weight=10_000)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        reader = Reader(self.name, "instruments")
        rows = reader.rows(reader.record(reader.load_exact(body)), "result")
        return read_listing([row for row in rows if row.get("kind") == "future"], self._instrument), None

    def _instrument(self, row: Record) -> Instrument:
        symbol = Reader(self.name, "instruments").text(row, "instrument_name")
        reader = Reader(self.name, "instruments", symbol)
        asset, multiplier = coin_of(reader.text(row, "base_currency"))
        finer = [reader.positive(step, "tick_size") for step in reader.records(row.get("tick_size_steps", []))]
        status = (
            reader.text(row, "state") if given(row, "state") else "open" if row.get("is_active") is True else "inactive"
        )
        return Instrument(
            venue=self.name,
            symbol=symbol,
            asset=asset,
            quote=reader.text(row, "quote_currency"),
            settle=reader.text(row, "settlement_currency"),
            contract_type=reader.choice(row, "instrument_type", read.KINDS),
            tick_size=min(reader.positive(row, "tick_size"), *finer) if finer else reader.positive(row, "tick_size"),
            lot_size=min(reader.positive(row, "contract_size"), reader.positive(row, "min_trade_amount")),
            unit_multiplier=multiplier,
            trading=status == read.TRADED,
            status=status,
            funding_interval_seconds=read.FUNDING_SECONDS if symbol.endswith(read.PERPETUAL) else None,
        )  # fmt: skip

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        symbols = symbols_in_order(instruments)
        books = [f"book.{symbol}.100ms" for symbol in symbols]
        others = [key for symbol in symbols for key in (f"trades.{symbol}.100ms", f"ticker.{symbol}.agg2")]
        if symbols:
            others = [*read.STATUS, *others]
        return [
            *pack(self, "books", SOCKET, books, BOOKS_PER_CONNECTION),
            *pack(self, "others", SOCKET, others, OTHERS_PER_CONNECTION),
        ]

    def topic(self, key: str) -> Topic | None:
        if key in read.STATUS:
            return Topic(key, Channel.STATUS, ())
        found = MARKET_KEY.fullmatch(key)
        channel = CHANNELS[found[1]] if found else Channel.OTHER
        if found is None or (channel is Channel.TICKER and found[3]):  # an option's figures are not read yet
            return Topic(key, Channel.OTHER, ()) if UNUSED.fullmatch(key) else None
        symbols = (found[2],)
        if channel is Channel.BOOK:
            return Topic(key, channel, symbols, SILENCE, book=BOOK, first_seconds=FIRST_SECONDS)
        if channel is Channel.TRADES:
            return Topic(key, channel, symbols, trades=TRADES, facts_when=(FORCED,))
        return Topic(key, channel, symbols, SILENCE, first_seconds=FIRST_SECONDS)

    def frame_key(self, frame: bytes) -> bytes | None:
        if not frame.startswith(HEAD):
            return None
        end = frame.find(b'"', KEY_AT, KEY_END)
        key = frame[KEY_AT:end]
        return None if end < 0 or b"\\" in key else key

    def slow_frame_key(self, frame: bytes) -> str | None:
        message = Reader(self.name, "frame").load(frame)
        if not isinstance(message, dict) or message.get("method") != "subscription":
            return None
        params = message.get("params")
        channel = params.get("channel") if isinstance(params, dict) else None
        return channel if isinstance(channel, str) else None

    def greeting(self, plan: ConnectionPlan) -> list[str]:
        return [_call("set_heartbeat", WITHOUT_REQUEST, interval=HEARTBEAT_SECONDS)]

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return _call("subscribe", request_id, channels=[topic.key for topic in topics])

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return _call("unsubscribe", request_id, channels=[topic.key for topic in topics])

    def control(self, frame: bytes) -> list[base.Control]:
        reader = Reader(self.name, "control")
        message = reader.record(reader.load(frame))
        if message.get("method") == "heartbeat":
            asked = reader.text(reader.child(message, "params"), "type") == "test_request"
            return [base.PingAsked(_call("test", WITHOUT_REQUEST))] if asked else []
        number, result = request_number(message.get("id")), message.get("result")
        if given(message, "error"):
            error = reader.child(message, "error")
            said = shown(f"{error.get('code')} {error.get('message')}")
            if number is None or number == WITHOUT_REQUEST:
                return [base.ErrorSaid(said)]
            return [base.Refused(said, number, whole_batch=error.get("code") in BUSY)]
        if number is None or "result" not in message:
            raise reader.refused(f"unknown frame: {shown(frame)!r}")
        if isinstance(result, list) and all(isinstance(channel, str) for channel in result):
            return [base.Acked(number, tuple(result), only=True)]
        if number != WITHOUT_REQUEST:
            raise reader.refused(f"unknown answer: {shown(frame)!r}")
        return []

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        if topic.channel is Channel.OTHER:
            return []
        reader = Reader(self.name, topic.channel, topic.symbols[0] if topic.symbols else "")
        params = reader.child(reader.record(reader.load_exact(frame)), "params")
        if topic.channel is Channel.TRADES:
            return read.liquidations(reader, reader.rows(params, "data"), self.liquidation_coverage)
        data = reader.child(params, "data")
        if topic.channel is Channel.STATUS:
            return read.state(reader, data)
        if topic.channel is not Channel.TICKER:
            raise reader.refused("not a cold channel")
        reader.expect(data, "instrument_name", reader.market)
        return read.ticker(reader, data)

    # -- REST
    def venue_polls(self, instruments: Sequence[Instrument]) -> list[Poll]:
        return [Poll(RestRequest("poll", f"{REST}/status", 500, key="status"), STATUS_SECONDS)]

    def polls(self, instrument: Instrument) -> list[Poll]:
        url = f"{REST}/get_tradingview_chart_data?instrument_name={instrument.symbol}&resolution=60"
        return [candles_poll(url, 500, instrument.symbol)]

    def dated_request(self, request: RestRequest, at: int) -> RestRequest:
        return ranged(request, at, "start_timestamp", "end_timestamp")

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        reader = Reader(self.name, request.key, request.symbol or "")
        if request.key == CANDLES:
            return read.candles(reader, reader.child(reader.record(reader.load_exact(body)), "result"))
        reply = reader.record(reader.load(body))
        return read.locks(reader, reader.child(reply, "result"), reader.time(reply, "usOut", MICROSECOND))

    def documented_tiers(self, instrument: Instrument) -> facts.MarginTiers | None:
        return read.documented_tiers(instrument.symbol)

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        check_status(self.name, request, status, headers, body, window_seconds=self.limits.rest_window_seconds)
        if status < 300 and GOOD.match(body):
            return
        reply = Reader(self.name, request.purpose, request.symbol or "").load(body)
        error = reply.get("error") if isinstance(reply, dict) else None
        if status < 300 and isinstance(reply, dict) and error is None and "result" in reply:
            return
        code, text = (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, None)
        said = f"{subject(self.name, request)}: HTTP {status}, {shown(f'{code} {text}')}"
        raise RetryLater(said, BUSY_SECONDS) if code in BUSY else VenueError(said)


def _call(method: str, number: int, **params: object) -> str:
    return dumps({"jsonrpc": "2.0", "id": number, "method": f"public/{method}", "params": params})
