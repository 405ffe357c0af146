"""HTX USDT perpetuals: the venue's names of topics, which frames carry them, and where the hot frames keep what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from engines.wire import layout
from engines.wire.grammar import MILLISECOND, BookGrammar, IntegerField, Row, SequenceRule, TradeGrammar
from monitor.facts import Channel
from monitor.venues.base import BookPolicy, Topic

LEVELS: Final = 150
FIRST_SECONDS: Final = 10.0  # a book comes 0.3 s after the subscription
BOOK_SILENCE: Final = 60.0  # looked at every 30 ms, pushed on change
MARK_SILENCE: Final = 30.0  # about one a second
FUNDING_SILENCE: Final = 60.0  # every 5 s
WHOLE_SECONDS: Final = 5.0  # whole books come on change; we never ask for them
LIQUIDATIONS: Final = "public.*.liquidation_orders"
CONTRACTS: Final = "public.*.contract_info"
WILDCARDS: Final = {"liquidation_orders": LIQUIDATIONS, "contract_info": CONTRACTS}
CODE: Final = r"[^\W_a-z]{1,30}-USDT"  # a few names are not ASCII; dated contracts have a date behind
MARKET_KEY: Final = re.compile(rf"market\.({CODE})\.([\w.]{{1,40}})")
FUNDING_KEY: Final = re.compile(rf"public\.({CODE})\.funding_rate")
SIZES: Final = {"depth.size_150.high_freq": LEVELS, "depth.size_20.high_freq": 20}
WHOLE: Final = "depth.step0"
PRICES: Final = ("mark_price.1min", "index.1min")
UNUSED: Final = re.compile(
    r"bbo|detail|depth\.step[0-9]{1,2}|(?:kline|basis|premium_index|estimated_rate)\.[\w.]{1,20}"
)
HEAD: Final = b'{"ch":"'
KEY_END: Final = len(HEAD) + 160
NOTICE_HEAD: Final = re.compile(rb'\{"op":"notify","topic":"public\.([^".\\]{1,128})\.(\w{1,24})"')


def _book(key: str) -> BookGrammar:
    return BookGrammar(
        bids=("tick", "bids"),
        asks=("tick", "asks"),
        row=Row(quoted=False),
        integers=(
            IntegerField(("tick", "version"), layout.LAST_ID),
            IntegerField(("tick", "ts"), layout.ENGINE_TIME, MILLISECOND),
            IntegerField(("ts",), layout.EVENT_TIME, MILLISECOND),
        ),
        expects={("ch",): key},
        kind=(("tick", "event"), "snapshot", "update"),
        sides_required=False,  # of an empty book they were seen to be left out
    )


def _whole_book(key: str) -> BookGrammar:
    return replace(_book(key), kind=None, default_kind=layout.KIND_SNAPSHOT)


def _trades(key: str) -> TradeGrammar:
    return TradeGrammar(
        rows=("tick", "data"),
        single=False,
        price=("price",),
        size=("amount",),  # contracts, as in the book; `quantity` is coins
        side=("direction",),  # of the taker
        taker_buy="buy",
        taker_sell="sell",
        time=("ts",),
        identifier=("id",),
        expects={("ch",): key},
        quoted=False,
    )


WHOLE_POLICY: Final = BookPolicy(SequenceRule("snapshots"), changes_at_any_price=False, window=LEVELS)


def topic(key: str) -> Topic | None:
    """The topic a name stands for; None: not a name of this family."""
    if key == LIQUIDATIONS:
        return Topic(key, Channel.LIQUIDATIONS, ())
    if key == CONTRACTS:
        return Topic(key, Channel.STATUS, ())
    if found := FUNDING_KEY.fullmatch(key):
        return Topic(key, Channel.TICKER, (found[1],), FUNDING_SILENCE)
    found = MARKET_KEY.fullmatch(key)
    return None if found is None else _market_topic(key, found[1], found[2])


def _market_topic(key: str, symbol: str, kind: str) -> Topic | None:
    symbols = (symbol,)
    if kind == "trade.detail":
        return Topic(key, Channel.TRADES, symbols, trades=_trades(key), repeats_past=True)
    if kind in PRICES:
        return Topic(key, Channel.TICKER, symbols, MARK_SILENCE)
    if kind == WHOLE:
        return Topic(
            key,
            Channel.BOOK,
            symbols,
            BOOK_SILENCE,
            book=_whole_book(key),
            cadence_seconds=WHOLE_SECONDS,
            policy=WHOLE_POLICY,
        )
    if (levels := SIZES.get(kind)) is not None:
        return Topic(
            key, Channel.BOOK, symbols, BOOK_SILENCE, book=_book(key), window=levels, first_seconds=FIRST_SECONDS
        )
    return Topic(key, Channel.OTHER, symbols) if UNUSED.fullmatch(kind) else None


def frame_key(frame: bytes) -> bytes | None:
    """By the head of the frame."""
    if frame.startswith(HEAD):
        end = frame.find(b'"', len(HEAD), KEY_END)
        key = frame[len(HEAD) : end]
        return None if end < 0 or b"\\" in key else key
    found = NOTICE_HEAD.match(frame)
    if found is None:
        return None
    shared = WILDCARDS.get(found[2].decode())
    return b"public.%b.%b" % found.groups() if shared is None else shared.encode()


def message_key(message: Mapping[str, object]) -> str | None:
    """The topic of a parsed frame; None: a control frame."""
    if message.get("op") != "notify":
        key = message.get("ch")
        return key if isinstance(key, str) else None
    name = str(message.get("topic"))
    parts = name.split(".")
    if len(parts) != 3 or parts[0] != "public":
        return None
    return WILDCARDS.get(parts[2], name)  # a notice names its contract, also where the subscription is for all
