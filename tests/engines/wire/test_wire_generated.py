"""Good frames made out of the grammars themselves: any order of keys, any white space, unknown members, every spelling of a number.

Whatever is generated has to be scanned, as the plain path reads it and as it was meant.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_cases import BARE, BINANCE, BYBIT_TRADE, OKX, BookPaths, TradePaths, scale
from wire_forms import BOOKS, TRADES

from engines.wire.grammar import BookGrammar, IntegerField, Nth, Path, Row, TradeGrammar
from engines.wire.layout import ASK, BID, BUY, KIND, PRESENT, SELL

PRICES, SIZES = 1, 3  # decimals of the grid
GRID = scale("0.1", "0.001")
MARKET = "BTC-USD"

Node = dict[Any, Any]  # step -> node, or the text of a value


def put(node: Node, path: Path, text: str) -> None:
    for step in path[:-1]:
        node = node.setdefault(step, {})
    node[path[-1]] = text


@dataclass
class Manner:
    """How one frame is written."""

    draw: st.DrawFn
    compact: bool

    def space(self) -> str:
        return "" if self.compact else self.draw(st.sampled_from(["", "", " ", "\n\t", "\r "]))

    def write(self, value: Node | str) -> str:
        """A tree as JSON text, with members nobody knows."""
        if isinstance(value, str):
            return value
        space, draw = self.space, self.draw
        if 0 in value and len(value) == 1:
            return f"[{space()}{self.write(value[0])}{space()}]"
        if all(isinstance(step, str) for step in value):
            members = [(step, self.write(child)) for step, child in value.items()]
            unknown = st.lists(st.tuples(NAMES.filter(lambda name: name not in value), UNKNOWN), max_size=2)
            members = draw(st.permutations(members + draw(unknown)))
            parts = [
                f"{space()}{json.dumps(key, ensure_ascii=False)}{space()}:{space()}{text}" for key, text in members
            ]
            return "{" + f"{space()},".join(parts) + space() + "}"
        last = max(step.index for step in value)
        elements = [
            self.write(value[Nth(index)]) if Nth(index) in value else draw(UNKNOWN) for index in range(last + 1)
        ]
        elements += draw(st.lists(UNKNOWN, max_size=2))
        return "[" + ",".join(f"{space()}{text}{space()}" for text in elements) + "]"

    def number(self, units: int, decimals: int, negative: bool = False, quoted: bool = True) -> str:
        """One of the spellings of units * 10**-decimals."""
        style = 0 if self.draw(st.booleans()) else self.draw(st.integers(1, 5))
        whole, part = divmod(units, 10**decimals)
        text = f"{whole}.{part:0{decimals}d}"
        if style == 1:
            text = text.rstrip("0").rstrip(".")
        elif style == 2:
            text = f"{units}e-{decimals}"
        elif style == 3:
            text += "00"
        elif style == 4:
            quoted = not quoted
        elif style == 5 and quoted:
            text = "00" + text
        text = "-" * negative + text
        return f'"{text}"' if quoted else text


WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters='"\\'), max_size=8)
NAMES = st.sampled_from(["", "p", "pri", "prices", "x", "data ", "n", "event_time", "é€😀"]) | WORDS.filter(
    str.isprintable
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.sampled_from([0.5, -1e-7, 1e300, 2.5e17]) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
UNKNOWN = VALUES.map(lambda value: json.dumps(value, ensure_ascii=False)).filter(lambda text: "\\" not in text)
PLAIN = st.sampled_from(
    ["null", "true", "7", "-1.5", '"new"', '"2026-04-07T14:30:00.123456Z"', '"a text of some length"', "12"]
)
LEVELS = st.lists(
    st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from([BID, ASK]), st.integers(0, 3)), max_size=7
)


def integer_text(manner: Manner, field: IntegerField, value: int) -> tuple[str, int]:
    """(spelling, what the slot must hold)."""
    if field.rfc3339:
        whole, part = divmod(value, 10**6)
        text = f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{part:06d}Z"
        return f'"{text}"', value * 1000
    text = str(value)
    return (f'"{text}"' if manner.draw(st.booleans()) else text), value * field.unit


def row_text(manner: Manner, row: Row, ticks: int, lots: int, side: int, count: int) -> dict[int | str, str]:
    """The values of one row, by place. A count of zero deletes the level."""
    negative = row.signed and side == ASK
    if row.count is not None and count == 0:
        size = "-1" if negative else "1"
    else:
        size = manner.number(lots, SIZES, negative, row.quoted)
    values = {row.price: manner.number(ticks, PRICES, quoted=row.quoted), row.size: size}
    if row.side is not None:
        values[row.side] = json.dumps((row.bid, row.ask)[side])
    if row.count is not None:
        values[row.count] = str(count)
    return values


def write_row(manner: Manner, values: dict[int | str, str]) -> str:
    draw, space = manner.draw, manner.space
    if all(isinstance(place, str) for place in values):
        members = [
            *values.items(),
            *draw(st.lists(st.tuples(NAMES.filter(lambda n: n not in values), PLAIN), max_size=1)),
        ]
        members = draw(st.permutations(members)) if draw(st.booleans()) else members
        return (
            "{"
            + ",".join(
                f"{space()}{json.dumps(key, ensure_ascii=False)}{space()}:{space()}{text}{space()}"
                for key, text in members
            )
            + "}"
        )
    last = max(place for place in values if isinstance(place, int))
    elements = [values.get(index) or draw(PLAIN) for index in range(last + 1)]
    if draw(st.integers(0, 4)) == 0:
        elements += [draw(PLAIN), draw(PLAIN)]
    return "[" + ",".join(f"{space()}{text}{space()}" for text in elements) + "]"


def texts_of(grammar: BookGrammar | TradeGrammar, root: Node) -> None:
    for path, text in grammar.expects.items():
        put(root, path, json.dumps(text))
    for path in grammar.market:
        put(root, path, json.dumps(MARKET))


@st.composite
def books(draw: st.DrawFn, grammar: BookGrammar) -> tuple[bytes, dict[int, int], list[list[list[int]]]]:
    """(frame, slots that must be so, levels a side)."""
    manner = Manner(draw, draw(st.booleans()))
    row, root, slots = grammar.row, dict[Any, Any](), dict[int, int]()
    for field in grammar.integers:
        if field.required or isinstance(field.path[-1], Nth) or draw(st.booleans()):
            text, slots[field.slot] = integer_text(manner, field, draw(st.integers(0, 4 * 10**12)))
            twice = [other for other in grammar.integers if other.path == field.path]
            if len(twice) == 2:
                text = str(slots[field.slot] // field.unit)
                slots |= {other.slot: int(text) * other.unit for other in twice}
            put(root, field.path, text)
        elif field.nullable and draw(st.booleans()):
            put(root, field.path, "null")
    texts_of(grammar, root)
    slots[KIND] = grammar.default_kind
    if grammar.kind is not None:
        path, snapshot, delta = grammar.kind
        if grammar.kind_required or draw(st.booleans()):
            slots[KIND] = draw(st.sampled_from([0, 1]))
            put(root, path, json.dumps((delta, snapshot)[slots[KIND]]))
    sides: list[list[list[int]]] = [[], []]
    rows: list[list[str]] = [[], []]
    drawn = draw(LEVELS)
    if grammar.single:
        drawn = [*drawn, (5, 5, ASK, 1)][:1]
    for ticks, size, side, count in drawn:
        lots = max(size, 1) if row.signed else size  # zero has no sign
        values = row_text(manner, row, ticks, lots, side, count)
        sides[side].append([ticks, 0 if row.count is not None and count == 0 else lots])
        if grammar.single:
            for place, text in values.items():
                put(root, (*(grammar.bids or ()), Nth(place) if isinstance(place, int) else place), text)
        else:
            rows[0 if row.tells_side else side].append(write_row(manner, values))
    if not grammar.single:
        paths = [path for path in dict.fromkeys((grammar.bids, grammar.asks)) if path is not None]
        for path, texts in zip(paths, rows, strict=False):
            if texts or grammar.sides_required or draw(st.booleans()):
                gap = manner.space()
                put(root, path, f"[{gap}" + f"{gap},{gap}".join(texts) + f"{gap}]")
        if not paths:
            sides = [[], []]
    return (manner.space() + manner.write(root) + manner.space()).encode(), slots, sides


EXTRA = [
    ("usual", BINANCE),
    ("usual below an array", OKX),
    ("bare, size first", BARE),
    ("object rows with sign", BookGrammar(("x",), ("x",), Row("p", "s", quoted=False, signed=True))),
    ("object rows with count", BookGrammar(("b",), ("a",), Row("px", "sz", count="n"))),
    (
        "object rows with side and count",
        BookGrammar(("x",), ("x",), Row("p", "s", side="d", bid="B", ask="S", count="n")),
    ),
    ("count before the price", BookGrammar(("b",), ("a",), Row(1, 2, quoted=False, count=0))),
    ("count last", BookGrammar(("b",), ("a",), Row(0, 1, count=2))),
    ("signed, quoted", BookGrammar(("x",), ("x",), Row(0, 1, signed=True))),
    ("side last, signed too", BookGrammar(("x",), ("x",), Row(1, 0, side=3, bid="buy", ask="buyers", signed=True))),
    ("rows in an array of arrays", BookGrammar((Nth(2), Nth(0)), (Nth(2), Nth(1)), Row(quoted=False))),
    (
        "a single object below a key",
        BookGrammar(("d", 0), ("d", 0), Row("p", "s", side="t", bid="1", ask="2"), single=True),
    ),
]
FORMS = [(form.name, form.scanned) for form in BOOKS] + EXTRA


@pytest.mark.parametrize("grammar", [grammar for _, grammar in FORMS], ids=[name for name, _ in FORMS])
@given(st.data())
@settings(max_examples=40)
def test_books(grammar: BookGrammar, data: st.DataObject) -> None:
    frame, slots, sides = data.draw(books(grammar))
    paths = BookPaths(grammar, GRID, MARKET, capacity=8)
    facts = paths.scan(frame)
    assert not isinstance(facts, str), (facts, frame)
    header, bids, asks = facts
    assert [bids, asks] == sides
    assert {slot: header[slot] for slot in slots} == slots
    assert facts == paths.plain(frame)
    if bids or asks:
        assert header[PRESENT] >> 8 & 3


@st.composite
def trades(draw: st.DrawFn, grammar: TradeGrammar) -> tuple[bytes, list[list[int]]]:
    """(frame, what its trades must be)."""
    manner = Manner(draw, draw(st.booleans()))
    root = dict[Any, Any]()
    expected: list[list[int]] = []
    rows: list[Node] = []
    drawn = draw(LEVELS)
    for ticks, lots, side, number in [*drawn, (5, 5, ASK, 1)][:1] if grammar.single else drawn:
        row = dict[Any, Any]()
        bought = side == BID or (grammar.signed and lots == 0)
        put(row, grammar.price, manner.number(ticks, PRICES, quoted=grammar.quoted))
        put(row, grammar.size, manner.number(lots, SIZES, grammar.signed and not bought, grammar.quoted))
        if grammar.side is not None:
            put(row, grammar.side, json.dumps(grammar.taker_buy if bought else grammar.taker_sell))
        field = IntegerField(grammar.time, 0, grammar.time_unit, rfc3339=grammar.rfc3339)
        text, time = integer_text(manner, field, draw(st.integers(0, 4 * 10**12)))
        put(row, grammar.time, text)
        if grammar.identifier is not None:
            put(row, grammar.identifier, str(number) if draw(st.booleans()) else f'"{number}"')
        for path in grammar.row_market:
            put(row, path, json.dumps(MARKET))
        kept = ticks > 0 and lots > 0
        for path, values in grammar.keep.items():
            flag = draw(st.sampled_from([*values, "OTHER", None]))
            if flag is not None:
                put(row, path, json.dumps(flag))
                kept = kept and flag != "OTHER"
        identifier = number if grammar.identifier is not None else 0
        expected.append([ticks, lots, BUY if bought else SELL, time, identifier, int(kept), 0, 0])
        rows.append(row)
    if grammar.single and grammar.rows == ():
        root = rows[0]
    elif grammar.single:
        node = root
        for step in grammar.rows[:-1]:
            node = node.setdefault(step, {})
        node[grammar.rows[-1]] = rows[0]
    else:
        gap = manner.space()
        put(root, grammar.rows, f"[{gap}" + f"{gap},{gap}".join(manner.write(row) for row in rows) + f"{gap}]")
    texts_of(grammar, root)
    for path, marks in grammar.ignore.items():
        mark = draw(st.sampled_from([*marks, "other"])) if draw(st.integers(0, 3)) == 0 else "other"
        wanted = grammar.expects.get(path)
        if mark != "other":
            put(root, path, "[[1],2]" if mark is list else json.dumps(mark))
            return (manner.write(root)).encode(), []
        if wanted is None:
            put(root, path, '"other"')
    return manner.write(root).encode(), expected


TRADE_FORMS = [(form.name, form.grammar) for form in TRADES] + [
    ("list of plain rows", BYBIT_TRADE),
    (
        "list of arrays",
        TradeGrammar(
            rows=(Nth(1),),
            single=False,
            price=(Nth(2),),
            size=(Nth(1), "q"),
            side=(Nth(3),),
            taker_buy=True,
            taker_sell=False,
            time=(Nth(0),),
            expects={(Nth(0),): "t"},
        ),
    ),
]


@pytest.mark.parametrize("grammar", [grammar for _, grammar in TRADE_FORMS], ids=[name for name, _ in TRADE_FORMS])
@given(st.data())
@settings(max_examples=40)
def test_trades(grammar: TradeGrammar, data: st.DataObject) -> None:
    frame, expected = data.draw(trades(grammar))
    paths = TradePaths(grammar, GRID, MARKET, capacity=8)
    assert paths.plain(frame) == expected, frame
    assert paths.scan(frame) == expected, frame
