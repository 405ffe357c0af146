"""Grammars that cannot be meant are refused when they are compiled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from wire_cases import BINANCE, BYBIT_TRADE, BookPaths, scale

from engines.wire.grammar import BookGrammar, IntegerField, Nth, Row, TradeGrammar
from engines.wire.layout import BID_COUNT, EVENT_TIME, FIRST_ID, KIND, LAST_ID, PRESENT
from engines.wire.tables import compile_book_grammar, compile_trade_grammar

GRID = scale("0.1", "0.001")


def test_the_table_is_one_read_only_array() -> None:
    compiled = compile_book_grammar(BINANCE, GRID, "BTCUSDT")
    assert compiled.table.dtype == np.int64
    assert compiled.table.flags.c_contiguous
    assert not compiled.table.flags.writeable
    assert (compiled.market, compiled.scale, compiled.grammar) == ("BTCUSDT", GRID, BINANCE)


@pytest.mark.parametrize(
    "grammar",
    [
        replace(BINANCE, asks=BINANCE.bids),
        replace(BINANCE, asks=("data", "b", "x")),
        replace(BINANCE, asks=("data", 0, "a")),
        replace(BINANCE, asks=("data",)),
        replace(BINANCE, asks=()),
        replace(BINANCE, asks=(0, "a")),
        replace(BINANCE, asks=("data", 1, "a")),
        replace(BINANCE, asks=("data", "é")),
        replace(BINANCE, asks=("data", 'a"')),
        replace(BINANCE, asks=("data", "")),
        replace(BINANCE, market=(("data", "e"),)),
        replace(BINANCE, integers=(IntegerField(("data", "b"), LAST_ID),)),
        replace(BINANCE, integers=(IntegerField(("id",), KIND),)),
        replace(BINANCE, integers=(IntegerField(("id",), BID_COUNT),)),
        replace(BINANCE, integers=(IntegerField(("id",), -1),)),
        replace(BINANCE, integers=tuple(IntegerField((f"k{index}",), FIRST_ID) for index in range(70))),
        replace(BINANCE, asks=("data", Nth(0))),
        replace(BINANCE, asks=(Nth(0),)),
        replace(BINANCE, asks=("data", "a", Nth(-1))),
        replace(BINANCE, row=Row(0, 0)),
        replace(BINANCE, row=Row(-1, 0)),
        replace(BINANCE, row=Row("p", 1)),
        replace(BINANCE, row=Row("p", "s", side=2, bid="b", ask="a")),
        replace(BINANCE, row=Row(0, 1, count=1)),
        replace(BINANCE, row=Row(0, 1, signed=True)),
        replace(BINANCE, asks=BINANCE.bids, row=Row(0, 1, side=2, bid="b", ask="b")),
        replace(BINANCE, asks=BINANCE.bids, row=Row(0, 1, side=2, bid="b")),
        replace(BINANCE, asks=None, row=Row(0, 1, signed=True)),
        replace(BINANCE, single=True),
        replace(BINANCE, asks=BINANCE.bids, single=True),
        replace(BINANCE, bids=(), asks=(), single=True, row=Row("data", "s", signed=True)),
    ],
)
def test_impossible_book_grammars(grammar: BookGrammar) -> None:
    with pytest.raises(ValueError, match=r"path|slot|keys"):
        compile_book_grammar(grammar, GRID, "BTCUSDT")


@pytest.mark.parametrize(
    "grammar",
    [
        replace(BYBIT_TRADE, expects={("data", "e"): "trade"}),
        replace(BYBIT_TRADE, expects={("data", 0, "e"): "trade"}),
        replace(BYBIT_TRADE, rows=()),
        replace(BYBIT_TRADE, rows=("data", 0)),
        replace(BYBIT_TRADE, time=("p",)),
        replace(BYBIT_TRADE, side=None),
        replace(BYBIT_TRADE, signed=True),
        replace(BYBIT_TRADE, ignore={("data", 0, "e"): ("x",)}),
        replace(BYBIT_TRADE, ignore={("data",): (list,)}),
        replace(BYBIT_TRADE, ignore={("data", Nth(0)): (list,)}),
    ],
)
def test_impossible_trade_grammars(grammar: TradeGrammar) -> None:
    with pytest.raises(ValueError, match="path"):
        compile_trade_grammar(grammar, GRID, "BTCUSDT")


def test_keys_that_share_their_first_bytes() -> None:
    """Longer than one word, equal length, different in the last byte only."""
    grammar = BookGrammar(
        bids=("levels_of_bids",),
        asks=("levels_of_asks",),
        integers=(
            IntegerField(("updateIdOfKindA",), LAST_ID),
            IntegerField(("updateIdOfKindB",), FIRST_ID),
            IntegerField(("update",), EVENT_TIME),
        ),
    )
    paths = BookPaths(grammar, GRID, "")
    frame = (
        b'{"updateIdOfKindB":2,"updateIdOfKindC":9,"updateIdOfKindA":1,"updateI":5,"update":3,"updateIdOfKind":8,'
        b'"levels_of_asks":[["1.5","0.25"]],"levels_of_bids":[]}'
    )
    facts = paths.scan(frame)
    assert not isinstance(facts, str)
    assert (facts[0][LAST_ID], facts[0][FIRST_ID], facts[0][EVENT_TIME]) == (1, 2, 3)
    assert facts[1:] == ([], [[15, 250]])
    assert facts == paths.plain(frame)


def test_times_of_two_spellings_at_one_path() -> None:
    """One value, two slots: where they disagree about its form, no value fits both."""
    twice = (IntegerField(("t",), EVENT_TIME, rfc3339=True), IntegerField(("t",), LAST_ID))
    paths = BookPaths(replace(BINANCE, integers=twice, expects={}, market=()), GRID, "")
    assert paths.scan(b'{"t":"2026-04-07T14:30:00Z","data":{"b":[],"a":[]}}') == "number"
    assert paths.scan(b'{"t":5,"data":{"b":[],"a":[]}}') == "shape"


def test_null_where_only_one_of_two_slots_allows_it() -> None:
    fields = (
        IntegerField(("t",), EVENT_TIME, required=False, nullable=True),
        IntegerField(("t",), LAST_ID, required=False),
    )
    paths = BookPaths(replace(BINANCE, integers=fields, expects={}, market=()), GRID, "")
    text = b'{"t":null,"data":{"b":[],"a":[]}}'
    assert paths.scan(text) == "shape" == paths.plain(text)
    paths = BookPaths(replace(BINANCE, integers=fields[:1], expects={}, market=()), GRID, "")
    facts = paths.scan(text)
    assert not isinstance(facts, str)
    assert (facts[0][EVENT_TIME], facts[0][PRESENT] >> EVENT_TIME & 1) == (0, 0)
    assert facts == paths.plain(text)
    required = replace(fields[0], required=True)
    paths = BookPaths(replace(BINANCE, integers=(required,), expects={}, market=()), GRID, "")
    assert paths.scan(text) == "shape" == paths.plain(text)
