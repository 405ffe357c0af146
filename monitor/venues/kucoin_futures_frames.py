"""Where KuCoin's frames keep what, how its books stay true, and whose a frame is. Facts as of 2026-11-22."""

from __future__ import annotations

import re
from typing import Final

from engines.wire import layout
from engines.wire.grammar import NANOSECOND, BookGrammar, IntegerField, Row, SequenceRule, TradeGrammar
from monitor.venues.base import BookPolicy

LEVELS, DEEP_LEVELS = 500, 1000
DEEP_SECONDS: Final = 20.0
WHOLE_SECONDS: Final = 15.0  # the whole book came 0.5 to 6.2 s after the acknowledgement
DEPTH: Final = "increment@10ms"
INSTRUMENT: Final = "/contract/instrument"
TYPES: Final = {"obu.FUTURES": "obu", "trade.FUTURES": "trade"}
# The market stands at the end of a book frame, behind its levels, and near the head of a trade.
BOOK_HEAD: Final = b'{"T":"obu.FUTURES",'
BOOK_TAIL: Final = re.compile(rb'"s":"([^"\\]{1,40})"(?:,"[COM]":\d{1,19}){0,3}\}\}')
TAIL_BYTES: Final = 160
TRADE_HEAD: Final = re.compile(
    rb'\{"T":"trade\.FUTURES","P":\d{1,19},"d":\{(?:"[pq]":"[0-9.]{1,40}",){2}"s":"([^"\\]{1,40})"'
)
TICKER_HEAD: Final = re.compile(rb'\{"topic":"(/contract/instrument:[^"\\]{1,40})","type":"message",')

BOOK: Final = BookGrammar(
    bids=("d", "b"),
    asks=("d", "a"),
    integers=(
        IntegerField(("d", "O"), layout.FIRST_ID),
        IntegerField(("d", "C"), layout.LAST_ID),
        IntegerField(("d", "M"), layout.ENGINE_TIME, NANOSECOND),
        IntegerField(("P",), layout.EVENT_TIME, NANOSECOND),
    ),
    expects={("T",): "obu.FUTURES", ("dp",): DEPTH},
    market=(("d", "s"),),
    kind=(("t",), "snapshot", "delta"),
)
DEEP: Final = BookGrammar(
    bids=("data", "bids"),
    asks=("data", "asks"),
    row=Row(quoted=False),
    integers=(IntegerField(("data", "sequence"), layout.LAST_ID),),
    expects={("code",): "200000"},
    market=(("data", "symbol"),),
    default_kind=layout.KIND_SNAPSHOT,
)
TRADES: Final = TradeGrammar(
    rows=("d",),
    single=True,
    price=("p",),
    size=("q",),
    side=("S",),  # of the taker
    taker_buy="buy",
    taker_sell="sell",
    spellings=(("SELL", "BUY"), ("Sell", "Buy")),  # "case may vary"
    time=("M",),
    time_unit=NANOSECOND,
    identifier=("ti",),
    expects={("T",): "trade.FUTURES"},
    row_market=(("s",),),
)

POLICY: Final = BookPolicy(
    SequenceRule("range"),
    changes_at_any_price=False,
    window=LEVELS,
    deep_interval_seconds=DEEP_SECONDS,
    deep_grammar=DEEP,
    deep_levels=DEEP_LEVELS,
    whole_within_seconds=WHOLE_SECONDS,
)


def frame_key(frame: bytes) -> bytes | None:
    if frame.startswith(BOOK_HEAD):
        start = frame.rfind(b'"s":"', max(0, len(frame) - TAIL_BYTES))
        found = BOOK_TAIL.fullmatch(frame, start) if start >= 0 else None
        return None if found is None else b"obu:" + found[1]
    if found := TRADE_HEAD.match(frame):
        return b"trade:" + found[1]
    return found[1] if (found := TICKER_HEAD.match(frame)) else None
