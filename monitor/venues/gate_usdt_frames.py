"""Where Gate's hot frames keep what, and how their books stay true. Facts as of 2026-11-22.

`futures.obu` begins with the whole book and goes on with changes whose ids join without a hole. `order_book_update`, of older captures,
has changes alone and is seeded over REST (`with_id=true`).
"""

from __future__ import annotations

from typing import Final

from engines.wire import layout
from engines.wire.grammar import MILLISECOND, BookGrammar, IntegerField, Row, SequenceRule, TradeGrammar
from monitor.venues.base import BookPolicy

LEVELS: Final = 400
OLD_LEVELS: Final = 100  # of the REST book that seeds `order_book_update`

BOOK: Final = BookGrammar(
    bids=("result", "b"),
    asks=("result", "a"),
    integers=(
        IntegerField(("result", "U"), layout.FIRST_ID, required=False),  # a whole frame has none
        IntegerField(("result", "u"), layout.LAST_ID),
        IntegerField(("result", "t"), layout.ENGINE_TIME, MILLISECOND),
        IntegerField(("time_ms",), layout.EVENT_TIME, MILLISECOND),
    ),
    expects={("channel",): "futures.obu"},
    kind=(("result", "full"), True, False),
    kind_required=False,
    default_kind=layout.KIND_DELTA,
    sides_required=False,
)
TRADES: Final = TradeGrammar(
    rows=("result",),
    single=False,
    price=("price",),
    size=("size",),
    side=None,
    signed=True,
    taker_buy="",
    taker_sell="",
    time=("create_time_ms",),
    identifier=("id",),
    expects={("channel",): "futures.trades", ("event",): "update"},
    row_market=(("contract",),),
    keep={("is_internal",): (False,)},  # taken over by the fund, or ADL
)

OLD_ROW: Final = Row(price="p", size="s")  # the size is a bare number
OLD_BOOK: Final = BookGrammar(
    bids=("result", "b"),
    asks=("result", "a"),
    row=OLD_ROW,
    integers=(
        IntegerField(("result", "U"), layout.FIRST_ID),
        IntegerField(("result", "u"), layout.LAST_ID),
        IntegerField(("result", "t"), layout.ENGINE_TIME, MILLISECOND),
        IntegerField(("time_ms",), layout.EVENT_TIME, MILLISECOND),
    ),
    expects={("channel",): "futures.order_book_update"},
    market=(("result", "s"),),
)
OLD_SEED: Final = BookGrammar(
    bids=("bids",),
    asks=("asks",),
    row=OLD_ROW,
    integers=(IntegerField(("id",), layout.LAST_ID),),
    default_kind=layout.KIND_SNAPSHOT,
)

POLICY: Final = BookPolicy(SequenceRule("range", strict=True), changes_at_any_price=False, window=LEVELS)
OLD_POLICY: Final = BookPolicy(
    SequenceRule("range", seed="rest"),
    changes_at_any_price=False,
    window=None,
    snapshot_grammar=OLD_SEED,
    snapshot_levels=OLD_LEVELS,
)
