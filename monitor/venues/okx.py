"""What OKX's markets share: arguments as keys, grammars, control frames, error codes. Facts as of 2026-11-22.

A key is "channel:subject": "books:BTC-USDT-SWAP", "liquidation-orders:SWAP"; "status" stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from engines.wire import layout
from engines.wire.grammar import MILLISECOND, BookGrammar, IntegerField, TradeGrammar
from monitor.venues import base
from monitor.venues.base import RestRequest, Topic, Venue
from monitor.venues.reading import Reader, Record, dumps, request_number, shown
from monitor.venues.replies import ErrorCodes, check_reply

UNUSED: Final = re.compile(
    r"tickers|books5|bbo-tbt|books-l2-tbt|books50-l2-tbt|books-rpi|trades-all|price-limit|candle\w+"
)
# The head of a data frame: {"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":...
DATA_HEAD: Final = re.compile(
    rb'\{"arg":\{"channel":"([\w-]{1,40})"(?:,"inst(?:Id|Type)":"([^"\\]{1,60})")?\},"(?:action|data)":'
)
ARG_NAMED: Final = re.compile(r'channel"?\s*:\s*"?([\w-]+)"?\s*,\s*"?inst(?:Id|Type)"?\s*:\s*"?([\w-]+)')
BY_TYPE: Final = ("liquidation-orders", "instruments")  # asked by instType, the others by instId
# Error codes that answer a subscription; any other is about the connection.
SUBSCRIPTION_CODES: Final = ("60012", "60018", "60029", "60030", "64000", "64001", "64002", "64003", "64004")
TOO_MANY: Final = "60014"  # too many requests: nothing is wrong with the topics
UPGRADE: Final = "64008"
ERRORS: Final = ErrorCodes(
    code="code",
    text="msg",
    good=re.compile(rb'\s*\{\s*"code"\s*:\s*"0"\s*,'),
    good_code="0",
    busy=("50001", "50011", "50026"),  # unavailable, over the rate limit, system error
    busy_seconds=2,  # the limits' window
)

BOOK: Final = BookGrammar(
    bids=("data", 0, "bids"),
    asks=("data", 0, "asks"),
    integers=(
        IntegerField(("data", 0, "seqId"), layout.LAST_ID),
        IntegerField(("data", 0, "prevSeqId"), layout.PREVIOUS_ID),
        IntegerField(("data", 0, "ts"), layout.EVENT_TIME, MILLISECOND),
    ),
    expects={("arg", "channel"): "books"},
    market=(("arg", "instId"),),
    kind=(("action",), "snapshot", "update"),
)
DEEP: Final = BookGrammar(
    bids=("data", 0, "bids"),
    asks=("data", 0, "asks"),
    integers=(IntegerField(("data", 0, "ts"), layout.EVENT_TIME, MILLISECOND),),
    expects={("code",): "0"},
    default_kind=layout.KIND_SNAPSHOT,
)
TRADES: Final = TradeGrammar(
    rows=("data",),
    single=False,
    price=("px",),
    size=("sz",),
    side=("side",),
    taker_buy="buy",
    taker_sell="sell",
    time=("ts",),
    identifier=("tradeId",),
    expects={("arg", "channel"): "trades"},
    market=(("arg", "instId"),),
    row_market=(("instId",),),
)


def _key(arg: Record) -> str:
    subject = arg.get("instId") or arg.get("instType")
    return f"{arg.get('channel')}:{subject}" if subject else str(arg.get("channel"))


def _arg(key: str) -> dict[str, str]:
    channel, _, subject = key.partition(":")
    if not subject:
        return {"channel": channel}
    return {"channel": channel, "instType" if channel in BY_TYPE else "instId": subject}


class OkxVenue(Venue):
    """The protocol part of an OKX market: an argument for each topic, an ack for each argument."""

    def frame_key(self, frame: bytes) -> bytes | None:
        found = DATA_HEAD.match(frame)
        if found is None:
            return None
        channel, subject = found.groups()
        return channel if subject is None else channel + b":" + subject

    def slow_frame_key(self, frame: bytes) -> str | None:
        if frame in (b"ping", b"pong"):
            return None
        message = Reader(self.name, "frame").load(frame)
        if not isinstance(message, dict) or "data" not in message or not isinstance(message.get("arg"), dict):
            return None
        return _key(message["arg"])

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return dumps({"id": str(request_id), "op": "subscribe", "args": [_arg(topic.key) for topic in topics]})

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return dumps({"id": str(request_id), "op": "unsubscribe", "args": [_arg(topic.key) for topic in topics]})

    def control(self, frame: bytes) -> list[base.Control]:
        if frame == b"pong":
            return [base.Pong()]
        if frame == b"ping":
            return [base.PingAsked("pong")]
        reader = Reader(self.name, "control")
        message = reader.record(reader.load(frame))
        event, code = message.get("event"), message.get("code")
        if event in ("subscribe", "unsubscribe"):
            return [base.Acked(keys=(_key(reader.child(message, "arg")),), unsubscribed=event == "unsubscribe")]
        said = str(message.get("msg", ""))
        text = shown(" ".join(str(part) for part in (code or event, said) if part))
        if event == "notice" and code == UPGRADE:
            return [base.ShutdownAnnounced(text)]
        if event == "error" and (code in SUBSCRIPTION_CODES or code == TOO_MANY):
            request_id = request_number(message.get("id"))
            named = [] if code == TOO_MANY else ARG_NAMED.findall(said)
            keys = tuple(dict.fromkeys(f"{channel}:{subject}" for channel, subject in named))
            if keys or request_id is not None:
                return [base.Refused(text, request_id, keys, whole_batch=code == TOO_MANY)]
        if event in ("error", "notice") or str(event).startswith("channel-conn-count"):
            return [base.ErrorSaid(text)]
        raise reader.refused(f"unknown frame: {shown(frame)!r}")

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        check_reply(self.name, request, status, headers, body, ERRORS, self.limits.rest_window_seconds)
