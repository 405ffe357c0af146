"""What Binance's markets share: the envelope of a stream, its grammars, control frames, error codes. Facts as of 2026-11-22.

Captures hold frames without the envelope `{"stream":...,"data":...}`: their keys begin with "raw:", so that a key always
says which grammar reads its frames. A raw partial book has the same event as a change and cannot be told apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from engines.wire import layout
from engines.wire.grammar import MILLISECOND, BookGrammar, IntegerField, Path, TradeGrammar
from monitor.venues import base
from monitor.venues.base import RestRequest, Topic, Venue
from monitor.venues.reading import Reader, dumps, request_number, shown
from monitor.venues.replies import ErrorCodes, check_reply

HEAD: Final = b'{"stream":"'
KEY_AT: Final = len(HEAD)
KEY_END: Final = KEY_AT + 128  # a stream's name is a symbol and a suffix
RAW: Final = "raw:"
SHUTDOWN: Final = "!serverShutdown"  # documented for spot only; understood on every market
FORCE_ORDERS: Final = "!forceOrder@arr"
SHUTDOWN_KEY: Final = SHUTDOWN.encode()
LISTINGS: Final = "!contractInfo"

DEPTH: Final = frozenset({"depth", "depth@0ms", "depth@100ms", "depth@250ms", "depth@500ms"})
UNUSED: Final = re.compile(r"bookTicker|ticker|miniTicker|kline_\w+|depth(5|10|20)(@\d+ms)?|rpiDepth@500ms")
UNUSED_ALL: Final = frozenset({"!bookTicker", "!ticker@arr", "!miniTicker@arr", "!markPrice@arr", "!markPrice@arr@1s"})
RAW_EVENTS: Final = {
    "depthUpdate": "depth",
    "aggTrade": "aggTrade",
    "trade": "trade",
    "markPriceUpdate": "markPrice",
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


def _change(data: Path) -> BookGrammar:
    return BookGrammar(
        bids=(*data, "b"),
        asks=(*data, "a"),
        integers=(
            IntegerField((*data, "U"), layout.FIRST_ID),
            IntegerField((*data, "u"), layout.LAST_ID),
            IntegerField((*data, "pu"), layout.PREVIOUS_ID),
            IntegerField((*data, "E"), layout.EVENT_TIME, MILLISECOND),
            IntegerField((*data, "T"), layout.ENGINE_TIME, MILLISECOND, required=False),
        ),
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
        # The undocumented `trade` also prints insurance fund, ADL and "NA" fills; aggTrade never holds them.
        keep={} if event == "aggTrade" else {("X",): ("MARKET", "RPI")},
    )


# By form: False in the envelope, True raw.
FUTURES_CHANGE: Final = {False: _change(("data",)), True: _change(())}
TRADES: Final = {(raw, e): _trade(() if raw else ("data",), e) for raw in (False, True) for e in ("aggTrade", "trade")}
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
    """The protocol part of a Binance market: combined streams, numbered requests."""

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
        symbol = inner.get("s") if event == "forceOrder" else message.get("s")
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

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        check_reply(self.name, request, status, headers, body, ERRORS, self.limits.rest_window_seconds)
