"""Rows of a book on the plain path: (price, size) of each side as the venue spelt them, whatever form the rows have."""

from __future__ import annotations

import re
from typing import Any, Final

from engines.wire.errors import WireError, shown
from engines.wire.grammar import BookGrammar, Path, Row
from engines.wire.json_text import MISSING, Object, follow, require, spell
from engines.wire.layout import ASK, BID
from engines.wire.plain_values import to_choice

TextLevel = tuple[str, str]

DELETED: Final = "0"
_SIZE = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_ZERO = re.compile(r"-?[0.]+(?:[eE].*)?")
_COUNT = re.compile(r"[0-9]+")


def text_sides(grammar: BookGrammar, root: Any) -> tuple[list[TextLevel] | None, list[TextLevel] | None]:
    """Bids and asks; None for a side that is not in the frame. Where rows tell their side neither is None, or both are.

    A size comes without its sign; that of a row with a count of zero is "0", whatever stood there.

    Raises:
        WireError: `missing`, `shape`, `duplicate`; `market` where a side is named by an unknown text; `number` where a signed size
            or a count is none.
    """
    row = grammar.row
    if not row.tells_side:
        bids, asks = (_side(grammar, root, path) for path in (grammar.bids, grammar.asks))
        return bids, asks
    path = grammar.bids
    if path is None:
        return None, None
    rows = _rows(grammar, root, path)
    if rows is None:
        return None, None
    told: tuple[list[TextLevel], list[TextLevel]] = ([], [])
    where = spell(path)
    for value in rows:
        price, size = _price_and_size(row, value, where)
        side = _told_side(row, value, size, where)
        told[side].append((price, _size(row, value, size, where)))
    return told


def _side(grammar: BookGrammar, root: Any, path: Path | None) -> list[TextLevel] | None:
    if path is None:
        return None
    rows = _rows(grammar, root, path)
    if rows is None:
        return None
    row, where = grammar.row, spell(path)
    levels = [_price_and_size(row, value, where) for value in rows]
    if row.count is None:
        return levels
    return [(price, _size(row, value, size, where)) for value, (price, size) in zip(rows, levels, strict=True)]


def _rows(grammar: BookGrammar, root: Any, path: Path) -> list[Any] | None:
    found = require(root, path) if grammar.sides_required else follow(root, path)
    if found is MISSING:
        return None
    if grammar.single:
        return [found]
    if not isinstance(found, list):
        raise WireError("shape", spell(path), f"an array of rows belongs here, got {shown(found)}")
    return found


def _element(value: Any, step: int | str, where: str) -> Any:
    """What stands at an element number or under a key of one row."""
    if isinstance(step, str):
        if not isinstance(value, Object):
            raise WireError("shape", where, f"a row that is an object belongs here, got {shown(value)}")
        if step in value.twice:
            raise WireError("duplicate", where, f"{step} stands twice in {shown(value)}")
        if step not in value:
            raise WireError("missing", where, f"{step} is not in {shown(value)}")
        return value[step]
    if not isinstance(value, list) or len(value) <= step:
        raise WireError("shape", where, f"a row with {step + 1} elements belongs here, got {shown(value)}")
    return value[step]


def _price_and_size(row: Row, value: Any, where: str) -> TextLevel:
    price, size = _element(value, row.price, where), _element(value, row.size, where)
    if not isinstance(price, str) or not isinstance(size, str):
        raise WireError("shape", where, f"price and size must be numbers, got {shown(value)}")
    return price, size


def _told_side(row: Row, value: Any, size: str, where: str) -> int:
    if row.side is not None:
        side = to_choice(_element(value, row.side, where), (row.bid, row.ask), where)
        if side is None:
            raise WireError("market", where, f"neither {shown(row.bid)} nor {shown(row.ask)} in {shown(value)}")
        return side
    if _ZERO.fullmatch(size):
        raise WireError("number", where, f"a size of zero tells no side: {shown(value)}")
    return ASK if size[:1] == "-" else BID


def _size(row: Row, value: Any, size: str, where: str) -> str:
    if row.count is not None:
        count = _element(value, row.count, where)
        if not isinstance(count, str):
            raise WireError("shape", where, f"a count belongs into the row, got {shown(value)}")
        if _COUNT.fullmatch(count) is None:
            raise WireError("number", where, f"a count of orders is an integer from 0 on, got {shown(count)}")
        if not count.strip("0"):
            if _SIZE.fullmatch(size) is None:
                raise WireError("number", where, f"a number belongs here, got {shown(size)}")
            return DELETED
    return size[1:] if row.signed and size[:1] == "-" else size
