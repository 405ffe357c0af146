"""The plain path: the same facts from the same grammar, object by object. Slow, tolerant, and the reference of the scanners.

It reads what the scanners refuse but what is still exact: escapes, long exponents, deeply nested values under unknown keys, times
with an offset. What it refuses too is an error with a name.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.wire.errors import WireError, shown
from engines.wire.grammar import BookGrammar, IntegerField, Path, TradeGrammar
from engines.wire.json_text import MISSING, follow, parse, require, spell
from engines.wire.layout import (
    ASK,
    BID,
    BID_COUNT,
    BUY,
    KIND,
    LOTS,
    PRESENT,
    SELL,
    TICK,
    TRADE_ID,
    TRADE_KEPT,
    TRADE_LOTS,
    TRADE_SIDE,
    TRADE_TICK,
    TRADE_TIME,
)
from engines.wire.plain_rows import TextLevel, text_sides
from engines.wire.plain_values import to_choice, to_integer, to_signed_units, to_text, to_time, to_units
from engines.wire.scale import Scale

# What says that a frame is of another form than the grammar's, so that an alternate may read it.
_OTHER_FORM: Final = frozenset({"market", "missing", "shape"})


class _Fit:
    """How far a frame went along with one form: `score` constants of the form stood where they belong; -1: one did not."""

    __slots__ = ("score",)

    def __init__(self) -> None:
        self.score = -1


def plain_text_levels(grammar: BookGrammar, frame: bytes) -> tuple[list[TextLevel], list[TextLevel]]:
    """Bids and asks as the venue spelt them: (price, size) text pairs, for checksums over text and for finding the grid. A missing side
    is empty; sizes come without the sign that tells a side, and "0" where the row's count says that the level is gone.

    Of a grammar with alternates the first form is taken whose constants stand in the frame and whose rows can be read.

    Raises:
        WireError: the frame has no readable rows.
    """
    root = parse(frame)
    error: WireError | None = None
    best = -2
    for form in (grammar, *grammar.alternates):
        fit = _Fit()
        try:
            if grammar.alternates:
                _kind(form, root, fit)
            bids, asks = text_sides(form, root)
        except WireError as refused:
            if refused.reason not in _OTHER_FORM:
                raise
            if fit.score > best:
                error, best = refused, fit.score
        else:
            return bids or [], asks or []
    assert error is not None
    raise error


def plain_book(
    grammar: BookGrammar,
    scale: Scale,
    market: str,
    frame: bytes,
    header: NDArray[np.int64],
    levels: NDArray[np.int64],
) -> None:
    """Reads one book frame into the arrays of `scan_book` (header int64[HEADER_SIZE], levels int64[2, capacity, 2]).

    The alternates of a grammar are tried in order while the reason of the refusal may be that the frame is of another form.

    Raises:
        WireError: with `reason` and `path`, of the form that fits the frame best (most of its constants stood in it; else the first);
            header and levels then hold nothing of use. `off_grid` says that the market's grid has changed and must be read again.
    """
    root = parse(frame)
    error: WireError | None = None
    best = -2
    for form in (grammar, *grammar.alternates):
        fit = _Fit()
        try:
            _read_book(form, scale, market, root, header, levels, fit)
        except WireError as refused:
            if refused.reason not in _OTHER_FORM:
                raise
            if fit.score > best:
                error, best = refused, fit.score
        else:
            return
    assert error is not None
    raise error


def _kind(grammar: BookGrammar, root: Any, fit: _Fit) -> int | None:
    """Checks the constants of a form; returns the frame's kind, None where the frame does not say it."""
    for path, wanted in grammar.expects.items():
        _expect(root, path, wanted)
    kind = None
    if grammar.kind is not None:
        path, snapshot, delta = grammar.kind
        value = require(root, path) if grammar.kind_required else follow(root, path)
        if value is not MISSING:
            where = spell(path)
            kind = to_choice(value, (delta, snapshot), where)
            if kind is None:
                raise WireError(
                    "market", where, f"{shown(snapshot)} or {shown(delta)} belongs here, got {shown(value)}"
                )
    fit.score = len(grammar.expects) + int(kind is not None)
    return kind


def _read_book(
    grammar: BookGrammar,
    scale: Scale,
    market: str,
    root: Any,
    header: NDArray[np.int64],
    levels: NDArray[np.int64],
    fit: _Fit,
) -> None:
    header[:] = 0
    header[KIND] = grammar.default_kind
    kind = _kind(grammar, root, fit)
    if kind is not None:
        header[KIND] = kind
        header[PRESENT] |= 1 << KIND
    for path in grammar.market:
        _expect(root, path, market)
    for integer in grammar.integers:
        _read_slot(integer, root, header)
    for side, rows in zip((BID, ASK), text_sides(grammar, root), strict=True):
        if rows is None:
            continue
        where = spell((grammar.bids, grammar.asks)[side] or ())
        if len(rows) > levels.shape[1]:
            raise WireError("capacity", where, f"{len(rows)} rows, at most {levels.shape[1]} fit")
        for index, (price, size) in enumerate(rows):
            levels[side, index, TICK] = to_units(price, scale.price, where)
            levels[side, index, LOTS] = to_units(size, scale.size, where)
        header[BID_COUNT + side] = len(rows)
        header[PRESENT] |= 1 << (BID_COUNT + side)


def _read_slot(integer: IntegerField, root: Any, header: NDArray[np.int64]) -> None:
    value = require(root, integer.path) if integer.required else follow(root, integer.path)
    if value is MISSING or (value is None and integer.nullable and not integer.required):
        return
    where = spell(integer.path)
    header[integer.slot] = to_time(value, where) if integer.rfc3339 else to_integer(value, integer.unit, where)
    header[PRESENT] |= 1 << integer.slot


def _expect(root: Any, path: Path, wanted: str, base: Path = ()) -> None:
    where = spell(base + path)
    text = to_text(require(root, path, base), where)
    if text != wanted:
        raise WireError("market", where, f"{shown(wanted)} belongs here, got {shown(text)}")


def plain_trades(grammar: TradeGrammar, scale: Scale, market: str, frame: bytes, trades: NDArray[np.int64]) -> int:
    """Reads one trade frame into int64[capacity, TRADE_SIZE] and returns the number of trades; 0 for a frame that the grammar ignores.

    A print with price or size zero is there but not kept: it is not a trade.

    Raises:
        WireError: as `plain_book`.
    """
    root = parse(frame)
    if _ignored(grammar, root):
        return 0
    for path, wanted in grammar.expects.items():
        _expect(root, path, wanted)
    for path in grammar.market:
        _expect(root, path, market)
    found = require(root, grammar.rows)
    where = spell(grammar.rows)
    if grammar.single:
        rows, bases = [found], [grammar.rows]
    else:
        if not isinstance(found, list):
            raise WireError("shape", where, f"an array of trades belongs here, got {shown(found)}")
        rows, bases = found, [(*grammar.rows, index) for index in range(len(found))]
    if len(rows) > trades.shape[0]:
        raise WireError("capacity", where, f"{len(rows)} trades, at most {trades.shape[0]} fit")
    for index, (row, base) in enumerate(zip(rows, bases, strict=True)):
        _read_trade(grammar, scale, market, row, base, trades[index])
    return len(rows)


def _ignored(grammar: TradeGrammar, root: Any) -> bool:
    for path, values in grammar.ignore.items():
        try:
            value = follow(root, path)
        except WireError:
            continue  # no such place in this frame, so nothing there says to ignore it
        if any(
            isinstance(value, list) if wanted is list else type(value) is str and value == wanted for wanted in values
        ):
            return True
    return False


def _read_trade(grammar: TradeGrammar, scale: Scale, market: str, row: Any, base: Path, out: NDArray[np.int64]) -> None:
    out[:] = 0
    for path in grammar.row_market:
        _expect(row, path, market, base)
    price, size = (_number(row, path, base) for path in (grammar.price, grammar.size))
    out[TRADE_TICK] = to_units(price, scale.price, spell(base + grammar.price))
    where = spell(base + grammar.size)
    lots = to_signed_units(size, scale.size, where) if grammar.signed else to_units(size, scale.size, where)
    out[TRADE_LOTS] = abs(lots)
    where = spell(base + grammar.time)
    time = require(row, grammar.time, base)
    out[TRADE_TIME] = to_time(time, where) if grammar.rfc3339 else to_integer(time, grammar.time_unit, where)
    if grammar.identifier is not None:
        where = spell(base + grammar.identifier)
        out[TRADE_ID] = to_integer(require(row, grammar.identifier, base), 1, where)
    bought = lots >= 0 if grammar.side is None else _taker_bought(grammar, row, grammar.side, base)
    out[TRADE_SIDE] = BUY if bought else SELL
    kept = out[TRADE_TICK] != 0 and out[TRADE_LOTS] != 0
    for path, values in grammar.keep.items():
        value = follow(row, path, base)
        if value is not MISSING and to_choice(value, values, spell(base + path)) is None:
            kept = False
    out[TRADE_KEPT] = int(kept)


def _number(row: Any, path: Path, base: Path) -> str:
    text = require(row, path, base)
    if not isinstance(text, str):
        raise WireError("shape", spell(base + path), f"a number belongs here, got {shown(text)}")
    return text


def _taker_bought(grammar: TradeGrammar, row: Any, path: Path, base: Path) -> bool:
    where = spell(base + path)
    side = to_choice(require(row, path, base), grammar.sides, where)
    if side is None:
        raise WireError("market", where, "the taker's side is neither of the known values")
    return side % 2 == 1
