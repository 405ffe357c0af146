"""The plain path: the same facts from the same grammar, object by object. Slow, tolerant, and the reference of the scanners.

It reads what the scanners refuse but what is still exact: escapes, exponents, nested values under unknown keys, numbers with
or without quotes. What it refuses too is an error with a name.
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.wire.errors import WireError, shown
from engines.wire.grammar import BookGrammar, IntegerField, Path, TradeGrammar
from engines.wire.json_text import MISSING, Number, follow, parse, require, spell
from engines.wire.layout import (
    ASK,
    BID,
    BID_COUNT,
    BUY,
    KIND,
    KIND_DELTA,
    KIND_SNAPSHOT,
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
from engines.wire.scale import Grid, Scale

TextLevel = tuple[str, str]

INT64_MAX: Final = 2**63 - 1
INT64_DIGITS: Final = 19
# Far beyond any venue; keeps a hostile "1e9999" or a megabyte of digits from becoming a giant integer.
MAX_DIGITS: Final = 100

_DECIMAL = re.compile(r"([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,4}))?")
_INTEGER = re.compile(r"-?[0-9]+")


def to_units(text: str, grid: Grid, where: str) -> int:
    """Decimal text as whole units of the grid, exactly.

    Raises:
        WireError: `number` (not an unsigned decimal), `digits` (beyond int64), `off_grid` (not a multiple of the step).
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise WireError("number", where, f"an unsigned decimal belongs here, got {shown(text)}")
    whole, fraction, exponent = match.groups()
    fraction = (fraction or "").rstrip("0")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return 0
    shift = int(exponent or 0) + grid.decimals - len(fraction)
    if len(digits) + max(shift, 0) > MAX_DIGITS:
        raise WireError("digits", where, f"{shown(text)} has too many digits")
    if -shift > len(digits):
        scaled, rest = 0, 1
    else:
        power: int = 10 ** abs(shift)
        scaled, rest = (int(digits) * power, 0) if shift >= 0 else divmod(int(digits), power)
    units, left = divmod(scaled, grid.multiple)
    if rest or left:
        raise WireError("off_grid", where, f"{shown(text)} is not a multiple of {grid.step}")
    if units > INT64_MAX:
        raise WireError("digits", where, f"{shown(text)} is beyond a 64-bit integer")
    return units


def to_integer(value: Any, unit: int, where: str) -> int:
    """An id or a time, times `unit`.

    Raises:
        WireError: `shape`, `number` or `digits`.
    """
    if not isinstance(value, str):
        raise WireError("shape", where, f"an integer belongs here, got {shown(value)}")
    if _INTEGER.fullmatch(value) is None:
        raise WireError("number", where, f"an integer belongs here, got {shown(value)}")
    if len(value.lstrip("-0")) > INT64_DIGITS or abs(int(value)) > INT64_MAX // unit:
        raise WireError("digits", where, f"{shown(value)} is beyond a 64-bit integer")
    return int(value) * unit


def _text(root: Any, path: Path, base: Path = ()) -> str:
    value = require(root, path, base)
    if type(value) is not str:
        raise WireError("shape", spell(base + path), f"text belongs here, got {shown(value)}")
    return value


def _expect(root: Any, path: Path, wanted: str, base: Path = ()) -> None:
    text = _text(root, path, base)
    if text != wanted:
        raise WireError("market", spell(base + path), f"{shown(wanted)} belongs here, got {shown(text)}")


def _expect_all(grammar: BookGrammar | TradeGrammar, market: str, root: Any) -> None:
    for path, wanted in grammar.expects.items():
        _expect(root, path, wanted)
    for path in grammar.market:
        _expect(root, path, market)


def _text_rows(grammar: BookGrammar, root: Any, path: Path) -> list[TextLevel] | None:
    """(price, size) of every row as they were spelt; None where the side is not in the frame."""
    rows = require(root, path) if grammar.sides_required else follow(root, path)
    if rows is MISSING:
        return None
    where = spell(path)
    if not isinstance(rows, list):
        raise WireError("shape", where, f"an array of rows belongs here, got {shown(rows)}")
    price, size = grammar.row.price, grammar.row.size
    levels: list[TextLevel] = []
    for row in rows:
        if not isinstance(row, list) or len(row) <= max(price, size):
            raise WireError("shape", where, f"a row with price and size belongs here, got {shown(row)}")
        if not isinstance(row[price], str) or not isinstance(row[size], str):
            raise WireError("shape", where, f"price and size must be numbers, got {shown(row)}")
        levels.append((row[price], row[size]))
    return levels


def plain_text_levels(grammar: BookGrammar, frame: bytes) -> tuple[list[TextLevel], list[TextLevel]]:
    """Bids and asks as the venue spelt them: (price, size) text pairs, for checksums over text. A missing side is empty.

    Raises:
        WireError: the frame has no readable rows.
    """
    root = parse(frame)
    return _text_rows(grammar, root, grammar.bids) or [], _text_rows(grammar, root, grammar.asks) or []


def plain_book(
    grammar: BookGrammar,
    scale: Scale,
    market: str,
    frame: bytes,
    header: NDArray[np.int64],
    levels: NDArray[np.int64],
) -> None:
    """Reads one book frame into the arrays of `scan_book` (header int64[HEADER_SIZE], levels int64[2, capacity, 2]).

    Raises:
        WireError: with `reason` and `path`; header and levels then hold nothing of use. `off_grid` says that the market's
            grid has changed and must be read again.
    """
    root = parse(frame)
    header[:] = 0
    header[KIND] = grammar.default_kind
    _expect_all(grammar, market, root)
    if grammar.kind is not None:
        path, snapshot, delta = grammar.kind
        text = _text(root, path)
        if text not in (snapshot, delta):
            raise WireError(
                "market", spell(path), f"{shown(snapshot)} or {shown(delta)} belongs here, got {shown(text)}"
            )
        header[KIND] = KIND_SNAPSHOT if text == snapshot else KIND_DELTA
        header[PRESENT] |= 1 << KIND
    for integer in grammar.integers:
        _read_slot(integer, root, header)
    for side, path in ((BID, grammar.bids), (ASK, grammar.asks)):
        rows = _text_rows(grammar, root, path)
        if rows is None:
            continue
        where = spell(path)
        if len(rows) > levels.shape[1]:
            raise WireError("capacity", where, f"{len(rows)} rows, at most {levels.shape[1]} fit")
        for index, (price, size) in enumerate(rows):
            levels[side, index, TICK] = to_units(price, scale.price, where)
            levels[side, index, LOTS] = to_units(size, scale.size, where)
        header[BID_COUNT + side] = len(rows)
        header[PRESENT] |= 1 << (BID_COUNT + side)


def _read_slot(integer: IntegerField, root: Any, header: NDArray[np.int64]) -> None:
    value = require(root, integer.path) if integer.required else follow(root, integer.path)
    if value is not MISSING:
        header[integer.slot] = to_integer(value, integer.unit, spell(integer.path))
        header[PRESENT] |= 1 << integer.slot


def plain_trades(grammar: TradeGrammar, scale: Scale, market: str, frame: bytes, trades: NDArray[np.int64]) -> int:
    """Reads one trade frame into int64[capacity, TRADE_SIZE] and returns the number of trades.

    A print with price or size zero is there but not kept: it is not a trade.

    Raises:
        WireError: as `plain_book`.
    """
    root = parse(frame)
    _expect_all(grammar, market, root)
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


def _read_trade(grammar: TradeGrammar, scale: Scale, market: str, row: Any, base: Path, out: NDArray[np.int64]) -> None:
    out[:] = 0
    for path in grammar.row_market:
        _expect(row, path, market, base)
    for column, path, grid in ((TRADE_TICK, grammar.price, scale.price), (TRADE_LOTS, grammar.size, scale.size)):
        text = require(row, path, base)
        if not isinstance(text, str):
            raise WireError("shape", spell(base + path), f"a number belongs here, got {shown(text)}")
        out[column] = to_units(text, grid, spell(base + path))
    out[TRADE_TIME] = to_integer(require(row, grammar.time, base), grammar.time_unit, spell(base + grammar.time))
    if grammar.identifier is not None:
        where = spell(base + grammar.identifier)
        out[TRADE_ID] = to_integer(require(row, grammar.identifier, base), 1, where)
    side = _choice(
        require(row, grammar.side, base), (grammar.taker_sell, grammar.taker_buy), spell(base + grammar.side)
    )
    if side is None:
        raise WireError("market", spell(base + grammar.side), "the taker's side is neither of the known values")
    out[TRADE_SIDE] = BUY if side else SELL
    kept = out[TRADE_TICK] != 0 and out[TRADE_LOTS] != 0
    for path, values in grammar.keep.items():
        value = follow(row, path, base)
        if value is not MISSING and _choice(value, values, spell(base + path)) is None:
            kept = False
    out[TRADE_KEPT] = int(kept)


def _choice(value: Any, options: tuple[str | bool, ...], where: str) -> int | None:
    """The index of a text or a boolean among the options; None: none of them."""
    if isinstance(value, Number) or not isinstance(value, str | bool):
        raise WireError("shape", where, f"text or a boolean belongs here, got {shown(value)}")
    for index, option in enumerate(options):
        if type(option) is type(value) and option == value:
            return index
    return None
