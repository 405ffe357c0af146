"""The integer layout in which a scanned frame leaves the wire: shared by the njit scanners and the plain path.

A book frame becomes `header` (int64[HEADER_SIZE]) and `levels` (int64[2, capacity, 2]: side, row, (tick, lots)).
A trade frame becomes `trades` (int64[capacity, TRADE_SIZE]). Times are integer nanoseconds, 0 = not in the frame.
"""

from __future__ import annotations

from typing import Final

# Slots of `header`.
FIRST_ID: Final = 0  # first update id the frame covers (Binance `U`)
LAST_ID: Final = 1  # last update id (Binance `u`, Bybit `u`, OKX `seqId`)
PREVIOUS_ID: Final = 2  # the id this frame links to (Binance `pu`, OKX `prevSeqId`)
CROSS_ID: Final = 3  # an id comparable between streams of a venue (Bybit `seq`)
EVENT_TIME: Final = 4  # when the venue sent it, ns
ENGINE_TIME: Final = 5  # when the matching engine made it, ns
KIND: Final = 6  # KIND_DELTA or KIND_SNAPSHOT
CHECKSUM: Final = 7  # as sent; meaning is the venue's
BID_COUNT: Final = 8
ASK_COUNT: Final = 9
PRESENT: Final = 10  # bit i set: slot i stood in the frame
KEPT_LEVELS: Final = 11  # levels a side the stream keeps of this very market, where a frame says so
HEADER_SIZE: Final = 16

KIND_DELTA: Final = 0
KIND_SNAPSHOT: Final = 1

BID: Final = 0
ASK: Final = 1
TICK: Final = 0
LOTS: Final = 1

# Columns of `trades`.
TRADE_TICK: Final = 0
TRADE_LOTS: Final = 1
TRADE_SIDE: Final = 2  # taker side: +1 bought, -1 sold
TRADE_TIME: Final = 3  # venue time, ns
TRADE_ID: Final = 4  # the venue's numeric id, 0 where it has none
TRADE_KEPT: Final = 5  # 1 = counts as flow, 0 = excluded by the venue's flag (block trade, insurance fund, ADL)
TRADE_SIZE: Final = 8

BUY: Final = 1
SELL: Final = -1

# Bounds. A frame beyond them is refused (and counted), never cut.
MAX_LEVELS: Final = 20_000  # rows of one side in one frame; larger snapshots are cut by the venue (Venue.split)
MAX_TRADES: Final = 4_096  # Bybit sends up to 1,024 in a frame

# Why a scanner refused a frame. 0 = scanned.
OK: Final = 0
REFUSED_SYNTAX: Final = 1  # not JSON, or cut short
REFUSED_NUMBER: Final = (
    2  # a sign, a long exponent, an empty text, or no digit where a decimal belongs; no RFC 3339 time in UTC
)
REFUSED_DIGITS: Final = 3  # more digits than int64 holds
REFUSED_OFF_GRID: Final = 4  # exact, but not a multiple of the market's tick or lot
REFUSED_SHAPE: Final = (
    5  # a known key with another kind of value, a nested value in a row of a book, a value nested too deeply
)
REFUSED_MISSING: Final = 6  # a required field is not there
REFUSED_MARKET: Final = 7  # a constant or the market's name does not match
REFUSED_CAPACITY: Final = 8  # more rows than the scratch holds
REFUSED_ESCAPE: Final = 9  # a backslash anywhere: the plain path decides
REFUSED_DUPLICATE: Final = 10  # a known key twice in one object

REFUSAL_NAMES: Final = {
    OK: "ok",
    REFUSED_SYNTAX: "syntax",
    REFUSED_NUMBER: "number",
    REFUSED_DIGITS: "digits",
    REFUSED_OFF_GRID: "off_grid",
    REFUSED_SHAPE: "shape",
    REFUSED_MISSING: "missing",
    REFUSED_MARKET: "market",
    REFUSED_CAPACITY: "capacity",
    REFUSED_ESCAPE: "escape",
    REFUSED_DUPLICATE: "duplicate",
}
