"""What Binance's markets share: the envelope of a stream, its grammars, book and trade topics, control frames, error codes.
Facts as of 2026-11-22.

Captures hold frames without the envelope `{"stream":...,"data":...}`: their keys begin with "raw:", so that a key always
says which grammar reads its frames. A raw partial book has the same event as a change and cannot be told apart.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final
from urllib.parse import quote

from engines.wire import layout
from engines.wire.grammar import MILLISECOND, BookGrammar, IntegerField, Path, TradeGrammar
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import base
from monitor.venues.base import Poll, RestRequest, Topic, Venue
from monitor.venues.candles import CANDLES, HOURS, CandleForm, candles_poll, read_candles
from monitor.venues.naming import coin_of
from monitor.venues.reading import Reader, Record, dumps, request_number, shown
from monitor.venues.replies import ErrorCodes, check_reply

HEAD: Final = b'{"stream":"'
KEY_AT: Final = len(HEAD)
KEY_END: Final = KEY_AT + 128  # a stream's name is a symbol and a suffix
RAW: Final = "raw:"
SHUTDOWN: Final = "!serverShutdown"  # documented for spot only; understood on every market
FORCE_ORDERS: Final = "!forceOrder@arr"
SHUTDOWN_KEY: Final = SHUTDOWN.encode()
LISTINGS: Final = "!contractInfo"

UNUSED: Final = re.compile(
    r"bookTicker|ticker(_\w+)?|miniTicker|kline_\w+|depth(5|10|20)(@\d+ms)?|rpiDepth@500ms|avgPrice|blockTrade"
)
UNUSED_ALL: Final = frozenset({"!bookTicker", "!ticker@arr", "!miniTicker@arr", "!markPrice@arr", "!markPrice@arr@1s"})
RAW_EVENTS: Final = {
    "depthUpdate": "depth",
    "aggTrade": "aggTrade",
    "trade": "trade",
    "markPriceUpdate": "markPrice",
    "indexPriceUpdate": "indexPrice",
    "bookTicker": "bookTicker",
    "24hrTicker": "ticker",
    "24hrMiniTicker": "miniTicker",
}
ERRORS: Final = ErrorCodes(
    code="code",
    text="msg",
    good=re.compile(rb"(?!\s*\{\s*\"code\"\s*:)"),
    good_code=None,
    busy=(-1003, -1007, -1008),  # too many requests, time-out, overloaded
    busy_seconds=60,  # the weight's window
)


def _change(data: Path, *, futures: bool) -> BookGrammar:
    """Only futures say the id before (`pu`) and the engine's time."""
    spot = (
        IntegerField((*data, "U"), layout.FIRST_ID),
        IntegerField((*data, "u"), layout.LAST_ID),
        IntegerField((*data, "E"), layout.EVENT_TIME, MILLISECOND),
    )
    more = (
        IntegerField((*data, "pu"), layout.PREVIOUS_ID),
        IntegerField((*data, "T"), layout.ENGINE_TIME, MILLISECOND, required=False),
    )
    return BookGrammar(
        bids=(*data, "b"),
        asks=(*data, "a"),
        integers=(*spot, *more) if futures else spot,
        expects={(*data, "e"): "depthUpdate"},
        market=((*data, "s"),),
        default_kind=layout.KIND_DELTA,
    )


def _trade(data: Path, event: str) -> TradeGrammar:
    return TradeGrammar(
        rows=data,
        single=True,
        price=("p",),
        size=("q",),
        side=("m",),  # "buyer is maker"
        taker_buy=False,
        taker_sell=True,
        time=("T",),
        identifier=("a",) if event == "aggTrade" else ("t",),
        expects={(*data, "e"): event},
        market=((*data, "s"),),
        # The undocumented `trade` of futures also prints insurance fund, ADL and "NA" fills; aggTrade never holds them.
        keep={} if event == "aggTrade" else {("X",): ("MARKET", "RPI")},
    )


# By form: False in the envelope, True raw.
FUTURES_CHANGE: Final = {False: _change(("data",), futures=True), True: _change((), futures=True)}
SPOT_CHANGE: Final = {False: _change(("data",), futures=False), True: _change((), futures=False)}
TRADES: Final = {(raw, e): _trade(() if raw else ("data",), e) for raw in (False, True) for e in ("aggTrade", "trade")}
# [1770285600000,"73000.0","73100.5","72950.1","73010.0","812.345",1770289199999,"59308...",4210,"401.2","29300...","0"]: volume is in
# the unit of trades, coins or whole contracts (coin-margined, where place 7 has the coins); takers bought what stands at place 9.
CANDLE: Final = CandleForm(
    "open time", "low", "high", "close", "volume", "taker buy volume",
    columns=(
        "open time", "open", "high", "low", "close", "volume", "close time", "other volume", "trades", "taker buy volume",
    ),
)  # fmt: skip
CANDLES_WEIGHT: Final = 2  # of any market, for 100 to 499 of them
SNAPSHOT: Final = BookGrammar(
    bids=("bids",),
    asks=("asks",),
    integers=(
        IntegerField(("lastUpdateId",), layout.LAST_ID),
        IntegerField(("E",), layout.EVENT_TIME, MILLISECOND, required=False),
        IntegerField(("T",), layout.ENGINE_TIME, MILLISECOND, required=False),
    ),
    default_kind=layout.KIND_SNAPSHOT,
)


class BinanceVenue(Venue):
    """The protocol part of a Binance market: combined streams, numbered requests, books seeded over REST."""

    rest: ClassVar[str]  # address of the market's REST paths
    changes: ClassVar[Mapping[bool, BookGrammar]]
    depth: ClassVar[frozenset[str]]  # streams of changes
    depth_silence: ClassVar[float]
    snapshot_weight: ClassVar[int]

    # -- instruments
    def instrument(self, row: Record) -> Instrument:
        """What every listing says alike; tick and lot are of the filters (`pricePrecision` is only for display)."""
        symbol = Reader(self.name, "instruments").text(row, "symbol")
        reader = Reader(self.name, "instruments", symbol)
        filters = {str(rule.get("filterType")): rule for rule in reader.rows(row, "filters")}
        asset, multiplier = coin_of(reader.text(row, "baseAsset"))
        return self.listed(
            reader,
            row,
            Instrument(
                venue=self.name,
                symbol=symbol,
                asset=asset,
                quote=reader.text(row, "quoteAsset"),
                settle=reader.text(row, "quoteAsset"),
                contract_type="spot",
                tick_size=reader.positive(reader.child(filters, "PRICE_FILTER"), "tickSize"),
                lot_size=reader.positive(reader.child(filters, "LOT_SIZE"), "stepSize"),
                unit_multiplier=multiplier,
            ),
        )

    @abstractmethod
    def listed(self, reader: Reader, row: Record, instrument: Instrument) -> Instrument:
        """The instrument with what this market's listing says in its own way: its status, its contract."""

    # -- sockets
    def topic(self, key: str) -> Topic | None:
        raw = key.startswith(RAW)
        stream = key.removeprefix(RAW)
        name, _, suffix = stream.partition("@")
        symbol = name.upper()
        if name.startswith("!"):
            return self.all_market_topic(key, stream)
        if not name or symbol.lower() != name:
            return None
        if suffix in self.depth:
            return Topic(key, Channel.BOOK, (symbol,), self.depth_silence, book=self.changes[raw])
        if suffix in ("aggTrade", "trade"):
            return Topic(key, Channel.TRADES, (symbol,), trades=TRADES[raw, suffix])
        cold = self.cold_topic(key, symbol, suffix)
        return cold or (Topic(key, Channel.OTHER, (symbol,)) if UNUSED.fullmatch(suffix) else None)

    def all_market_topic(self, key: str, stream: str) -> Topic | None:
        return Topic(key, Channel.OTHER, ()) if stream in UNUSED_ALL else None

    def cold_topic(self, key: str, symbol: str, suffix: str) -> Topic | None:
        """The topic of a stream of one market other than its book and trades."""
        return None

    def frame_key(self, frame: bytes) -> bytes | None:
        if not frame.startswith(HEAD):
            return None
        end = frame.find(b'"', KEY_AT, KEY_END)
        key = frame[KEY_AT:end]
        return None if end < 0 or b"\\" in key or key == SHUTDOWN_KEY else key

    def slow_frame_key(self, frame: bytes) -> str | None:
        message = Reader(self.name, "frame").load(frame)
        if not isinstance(message, dict):
            return None
        stream = message.get("stream")
        if isinstance(stream, str) and "data" in message:
            return None if stream == SHUTDOWN else stream
        event = message.get("e")
        if event == "contractInfo":
            return RAW + LISTINGS
        inner = message.get("o" if event == "forceOrder" else "k")
        inner = inner if isinstance(inner, dict) else {}
        symbol = inner.get("s") if event == "forceOrder" else message.get("i" if event == "indexPriceUpdate" else "s")
        if not isinstance(symbol, str) or not isinstance(event, str):
            return None
        suffix = {"forceOrder": "forceOrder", "kline": f"kline_{inner.get('i')}"}.get(event) or RAW_EVENTS.get(event)
        return f"{RAW}{symbol.lower()}@{suffix}" if suffix else None

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return dumps({"method": "SUBSCRIBE", "params": [topic.key for topic in topics], "id": request_id})

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return dumps({"method": "UNSUBSCRIBE", "params": [topic.key for topic in topics], "id": request_id})

    def control(self, frame: bytes) -> list[base.Control]:
        reader = Reader(self.name, "control")
        message = reader.record(reader.load(frame))
        event = message.get("data", message)
        if isinstance(event, dict) and event.get("e") == "serverShutdown":
            return [base.ShutdownAnnounced("serverShutdown")]
        request_id = request_number(message.get("id"))
        error = message.get("error", message)  # some deployments wrap it
        if isinstance(error, dict) and "code" in error and "msg" in error:
            text = shown(f"{error['code']} {error['msg']}")
            return [base.ErrorSaid(text) if request_id is None else base.Refused(text, request_id)]
        if "result" in message and request_id is not None:
            return [base.Acked(request_id)]
        raise reader.refused(f"unknown frame: {shown(frame)!r}")

    # -- REST
    def snapshot_request(self, instrument: Instrument) -> RestRequest | None:
        url = f"{self.rest}/depth?symbol={quote(instrument.symbol)}&limit={self.book.snapshot_levels}"
        return RestRequest("snapshot", url, self.snapshot_weight, instrument.symbol)

    def polls(self, instrument: Instrument) -> list[Poll]:
        url = f"{self.rest}/klines?symbol={quote(instrument.symbol)}&interval=1h&limit={HOURS}"
        return [candles_poll(url, CANDLES_WEIGHT, instrument.symbol)]

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        reader = Reader(self.name, request.key, request.symbol or "")
        reply = reader.load(body)
        # A candle does not say whose it is: the address did.
        return read_candles(reader, reply, CANDLE) if request.key == CANDLES else self.polled(reader, reply)

    @abstractmethod
    def polled(self, reader: Reader, reply: object) -> list[Fact]:
        """Facts of the reply to a poll of this market's own; `reader.channel` is its key."""

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        check_reply(self.name, request, status, headers, body, ERRORS, self.limits.rest_window_seconds)
