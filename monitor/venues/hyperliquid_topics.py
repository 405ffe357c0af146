"""Hyperliquid's subscriptions: topic keys, what is asked for them, and how the venue repeats it. Why books are renamed is in `hyperliquid`."""

from __future__ import annotations

import re
from typing import Final

from engines.wire import layout
from engines.wire.grammar import MILLISECOND, BookGrammar, IntegerField, Nth, Row, TradeGrammar
from monitor.facts import Channel
from monitor.venues import base
from monitor.venues.base import Topic
from monitor.venues.reading import Record

# Significant figures of the coarse streams, those that are missed most first. 5 is the plain book, 20 levels of it.
LAYERS: Final = (3, 2, 4, 5)
FAST, DEFAULT = "fast", "default"
FAST_LEVELS, SLOW_LEVELS = 5, 20  # a side
FAST_CADENCE, SLOW_CADENCE = 0.54, 5.4  # seconds
FAST_SILENCE, SLOW_SILENCE = 5.0, 30.0  # unchanged books are sent again too
FIRST_SECONDS: Final = 5.0  # the first snapshot comes within 0.3 s
CONTEXT_SILENCE: Final = 30.0  # about one a second

NAME: Final = r"[0-9A-Za-z@:/_-]{1,40}"
OF_ALL: Final = ("allMids", "allDexsAssetCtxs", "fastAssetCtxs")
ACCOUNT: Final = re.compile(r"0x[0-9a-f]{40}")
COIN: Final = re.compile(NAME)

BOOK: Final = BookGrammar(
    bids=("data", "levels", Nth(0)),
    asks=("data", "levels", Nth(1)),
    row=Row(price="px", size="sz"),
    integers=(IntegerField(("data", "time"), layout.EVENT_TIME, MILLISECOND),),
    expects={("channel",): "l2Book"},
    market=(("data", "coin"),),
    default_kind=layout.KIND_SNAPSHOT,
)
TRADES: Final = TradeGrammar(
    rows=("data",),
    single=False,
    price=("px",),
    size=("sz",),
    side=("side",),
    taker_buy="B",
    taker_sell="A",
    time=("time",),
    expects={("channel",): "trades"},
    row_market=(("coin",),),
)


def topic(key: str) -> Topic | None:
    kind, _, what = key.partition(":")
    if kind == "userFills":
        return Topic(key, Channel.LIQUIDATIONS, ()) if ACCOUNT.fullmatch(what) else None
    if key in OF_ALL:
        return Topic(key, Channel.OTHER, ())
    if not COIN.fullmatch(what):
        return None
    stream, _, variant = kind.partition(".")
    if stream == "l2Book" and variant:
        return _book_topic(key, variant, what)
    match kind:
        case "trades":
            return Topic(key, Channel.TRADES, (what,), trades=TRADES, repeats_past=True)
        case "activeAssetCtx":
            return Topic(key, Channel.TICKER, (what,), CONTEXT_SILENCE)
        case "activeSpotAssetCtx" | "bbo":
            return Topic(key, Channel.OTHER, (what,))
    return None


def book_key(variant: str, coin: str) -> str:
    return f"l2Book.{variant}:{coin}"


def _book_topic(key: str, variant: str, coin: str) -> Topic | None:
    if variant == FAST:
        return Topic(
            key, Channel.BOOK, (coin,), FAST_SILENCE, book=BOOK, first_seconds=FIRST_SECONDS, cadence_seconds=FAST_CADENCE
        )  # fmt: skip
    if variant != DEFAULT and variant not in map(str, LAYERS):
        return None
    figures = None if variant == DEFAULT else int(variant)
    return Topic(
        key, Channel.BOOK, (coin,), SLOW_SILENCE, book=BOOK, window=SLOW_LEVELS, first_seconds=FIRST_SECONDS, significant_figures=figures,
        cadence_seconds=SLOW_CADENCE,
    )  # fmt: skip


def subscription_of(topic: Topic) -> dict[str, object]:
    kind, _, what = topic.key.partition(":")
    stream, _, variant = kind.partition(".")
    if stream == "userFills":
        return {"type": stream, "user": what}
    extra: dict[str, object] = {"fast": True} if variant == FAST else {"nSigFigs": topic.significant_figures}
    return {"type": stream, "coin": what, **(extra if variant not in ("", DEFAULT) else {})}


def key_of(subscription: Record) -> str | None:
    """The topic key of a subscription as the venue repeats it, which fills in null for what was not said; None: none of ours."""
    kind, coin, user = (subscription.get(name) for name in ("type", "coin", "user"))
    if kind == "userFills" and isinstance(user, str):
        return f"{kind}:{user.lower()}" if ACCOUNT.fullmatch(user.lower()) else None
    if not isinstance(coin, str) or not COIN.fullmatch(coin):
        return None
    if kind != "l2Book":
        return f"{kind}:{coin}" if kind in ("trades", "activeAssetCtx", "bbo") else None
    figures = subscription.get("nSigFigs")
    variant = FAST if subscription.get("fast") is True else DEFAULT if figures is None else str(figures)
    known = subscription.get("mantissa") in (None, 1) and (variant in (FAST, DEFAULT) or variant in map(str, LAYERS))
    return book_key(variant, coin) if known else None


def acked(key: str, *, unsubscribed: bool) -> base.Acked:
    """A book's frames carry the coin and not the variant: that is what this subscription is called on this connection."""
    stream, _, coin = key.partition(":")
    alias = f"l2Book:{coin}" if stream.startswith("l2Book.") else ""
    return base.Acked(keys=(key,), unsubscribed=unsubscribed, alias=alias)
