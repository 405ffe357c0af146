"""A venue that does not exist, with one stream of every kind the shared code knows: what the sixteen need, small enough to see through."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

import orjson
from core_rig import Rig, Rows, at

from engines.wire import layout
from engines.wire.grammar import BookGrammar, IntegerField, Nth, SequenceRule, TradeGrammar
from monitor.errors import FrameError
from monitor.events import Connected
from monitor.facts import (
    Channel,
    Coverage,
    Fact,
    Instrument,
    Liquidation,
    MarginTier,
    MarginTiers,
    MarkPrice,
    OpenInterest,
    VenueNotice,
)
from monitor.venues import base
from monitor.venues.base import BookPolicy, ConnectionPlan, Limits, Ping, Poll, RestRequest, Topic, Venue

BOOK = BookGrammar(
    bids=("bids",),
    asks=("asks",),
    integers=(IntegerField(("n",), layout.LAST_ID),),
    kind=(("kind",), "full", "diff"),
)
WHOLE = BookGrammar(bids=("bids",), asks=("asks",), integers=(IntegerField(("n",), layout.EVENT_TIME),), default_kind=1)
TRADES = TradeGrammar(
    rows=("rows",), single=False, price=(Nth(1),), size=(Nth(2),), side=None, taker_buy="", taker_sell="",
    time=(Nth(0),), quoted=False, signed=True,
)  # fmt: skip
SNAPSHOTS = BookPolicy(SequenceRule("snapshots"), changes_at_any_price=False, window=None)
CADENCE = 2.0
BOOK_LEVELS, LAYER_LEVELS = 20, 7
TOLD = re.compile(rb'"number":(\d+)')


class MadeUp(Venue):
    """Frames are {"ch": key, ...}. With `number` they count through their connection, with `parts` they hold several."""

    name: ClassVar[str] = "made_up"
    title: ClassVar[str] = "Made up"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("linear",)
    limits: ClassVar[Limits] = Limits(
        connects=60, connects_window_seconds=60, topics_per_connection=100, topics_per_frame=20, frames_per_second=50,
        operations_per_hour=None, lifetime_seconds=None, max_frame_bytes=1 << 20, ack_timeout_seconds=10,
        ping=Ping(None, 20, 20), rest_weight=100, rest_window_seconds=10,
    )  # fmt: skip
    book: ClassVar[BookPolicy] = BookPolicy(SequenceRule("counter"), changes_at_any_price=False, window=1000)
    liquidation_coverage: ClassVar[Coverage] = "inferred"
    verification: ClassVar[str] = "none"
    symbol_pattern: ClassVar[str] = r".+"
    symbol_example: ClassVar[str] = "X"

    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return []

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        return [], None

    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        return []

    def topic(self, key: str) -> Topic | None:
        channel, _, symbol = key.partition(".")
        symbols = (symbol,) if symbol else ()
        match channel:
            case "book":
                return Topic(key, Channel.BOOK, symbols, book=BOOK, window=BOOK_LEVELS)
            case "coarse4" | "coarse3" | "coarse2":
                return Topic(
                    key, Channel.BOOK, symbols, book=BOOK, window=LAYER_LEVELS, significant_figures=int(channel[-1])
                )
            case "slow3":
                return Topic(
                    key, Channel.BOOK, symbols, book=WHOLE, window=LAYER_LEVELS, significant_figures=3, cadence_seconds=CADENCE, policy=SNAPSHOTS
                )  # fmt: skip
            case "whole":
                return Topic(
                    key,
                    Channel.BOOK,
                    symbols,
                    book=WHOLE,
                    window=BOOK_LEVELS,
                    cadence_seconds=CADENCE,
                    policy=SNAPSHOTS,
                )
            case "trade":
                return Topic(key, Channel.TRADES, symbols, trades=TRADES, facts_when=(b'"closed"',))
            case "mark":
                return Topic(key, Channel.TICKER, symbols, silence_seconds=30)
        return None

    def frame_key(self, frame: bytes) -> bytes | None:
        found = re.match(rb'\{"ch":"([^"]+)"', frame)
        return found[1] if found else None

    def slow_frame_key(self, frame: bytes) -> str | None:
        return None

    def connection_sequence(self, frame: bytes) -> int | None:
        found = TOLD.search(frame)
        return int(found[1]) if found else None

    def split(self, frame: bytes) -> Sequence[bytes]:
        message = load(frame)
        return [orjson.dumps(part) for part in message["parts"]] if "parts" in message else (frame,)

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return orjson.dumps({"do": "in", "id": request_id, "keys": [t.key for t in topics]}).decode()

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return orjson.dumps({"do": "out", "id": request_id, "keys": [t.key for t in topics]}).decode()

    def control(self, frame: bytes) -> list[base.Control]:
        message = load(frame)
        return [base.Acked(message["done"])] if "done" in message else []

    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        message = load(frame)
        if topic.channel is Channel.TICKER:
            found: list[Fact] = [MarkPrice(s, Decimal(p), message["t"]) for s, p in message["marks"].items()]
            found += [OpenInterest(s, Decimal(q), None, message["t"]) for s, q in message.get("interest", {}).items()]
            return found
        return [
            Liquidation(topic.symbols[0], "long", Decimal(str(abs(size))), Decimal(str(price)), "fill", time,
                        self.liquidation_coverage, kind=closed)
            for time, price, size, closed in message["closed"]
        ]  # fmt: skip

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        message = load(body)
        found: list[Fact] = [tiers(symbol, ratio) for symbol, ratio in message.get("tiers", {}).items()]
        found += [OpenInterest(s, Decimal(q), None, 0) for s, q in message.get("interest", {}).items()]
        found += [VenueNotice(text, True, None, None, 0) for text in message.get("notices", ())]
        return found

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        pass


def load(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FrameError(str(error)) from None


def tiers(symbol: str, ratio: str, documented: date | None = None) -> MarginTiers:
    return MarginTiers(
        symbol, (MarginTier(Decimal(0), None, Decimal(ratio), Decimal(100)),), "quote", False, 0, documented
    )


class Numbered(MadeUp):
    sequenced: ClassVar[bool] = True


class Splitting(Numbered):
    splits: ClassVar[bool] = True


class Refreshing(MadeUp):
    book: ClassVar[BookPolicy] = BookPolicy(
        SequenceRule("counter"), changes_at_any_price=False, window=1000, refresh_seconds=60
    )


class Polled(MadeUp):
    """One request for all markets, one of each market, and a page with old defaults."""

    def venue_polls(self, instruments: Sequence[Instrument]) -> list[Poll]:
        return [Poll(RestRequest("poll", "https://made.up/tiers", 5, None, "tiers"), 3600)] if instruments else []

    def polls(self, instrument: Instrument) -> list[Poll]:
        return [Poll(RestRequest("poll", "https://made.up/oi", 1, instrument.symbol, "interest"), 60)]

    def documented_tiers(self, instrument: Instrument) -> MarginTiers | None:
        return tiers(instrument.symbol, "0.01", date(2026, 9, 1))


def listed(venue: Venue, symbol: str = "X", asset: str = "BTC", **changes: Any) -> Instrument:
    fixed: dict[str, Any] = {"quote": "USD", "settle": "USD", "contract_type": "linear",
             "tick_size": Decimal("0.1"), "lot_size": Decimal("0.001")}  # fmt: skip
    return Instrument(venue.name, symbol, asset, **(fixed | changes))


def frame(key: str, **members: Any) -> bytes:
    return orjson.dumps({"ch": key, **members})


def book(key: str, last: int, bids: Rows = (), asks: Rows = (), *, full: bool = False, **members: Any) -> bytes:
    rows = {"bids": [list(row) for row in bids], "asks": [list(row) for row in asks]}
    return frame(key, n=last, kind="full" if full else "diff", **rows, **members)


def connect(rig: Rig, seconds: float, venue: Venue, connection: int, *keys: str, name: str = "all") -> None:
    topics = [venue.topic(key) for key in keys]
    plan = ConnectionPlan(name, "wss://made.up/ws", tuple(topic for topic in topics if topic is not None))
    rig.event(Connected(at(seconds), venue.name, connection, plan))
