"""Frames in other forms than the first three venues': the paths of the lanes that leave the scanner, and repeated trades."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest
from core_rig import MS, Rig
from made_up_venue import MadeUp, connect, listed

from engines.wire import layout
from engines.wire.grammar import BookGrammar, IntegerField, Nth, Row, TradeGrammar
from monitor.errors import FrameError
from monitor.facts import Channel
from monitor.trade_lane import TradeLane, TradeTally
from monitor.venues.base import Topic, Venue

TIME = 1_780_000_000_000
SIGNED_ROWS = TradeGrammar(
    rows=(Nth(2),), single=False, price=(Nth(3),), size=(Nth(2),), side=None, taker_buy="", taker_sell="",
    time=(Nth(1),), identifier=(Nth(0),), quoted=False, signed=True, ignore={(Nth(1),): ("hb", list)},
)  # fmt: skip
ONE_ROW = TradeGrammar(
    rows=(Nth(2),), single=True, price=(Nth(3),), size=(Nth(2),), side=None, taker_buy="", taker_sell="",
    time=(Nth(1),), identifier=(Nth(0),), quoted=False, signed=True,
)  # fmt: skip
ROOT = TradeGrammar(
    rows=(), single=True, price=("px",), size=("sz",), side=("side",), taker_buy="buy", taker_sell="sell", time=("t",),
)  # fmt: skip


def lane_of(grammar: TradeGrammar, **topic: Any) -> tuple[TradeLane, TradeTally]:
    market = listed(MadeUp())
    tally = TradeTally()
    return TradeLane(market, Topic("t", Channel.TRADES, ("X",), trades=grammar, **topic), market.scale, tally), tally


# -- trades the scanner leaves to the plain path: the price or the size is off the listed grid (0.1 and 0.001)
@pytest.mark.parametrize(
    ("grammar", "frame", "buy", "sell"),
    [
        (SIGNED_ROWS, [7, "te", [[1, TIME, -0.0005, 100.0], [2, TIME, 2.0, 100.1]]], 200.2, 0.05),
        (SIGNED_ROWS, [7, "te", [[1, TIME, -2.0, 100.05], [2, TIME, 0.00025, 100.0]]], 0.025, 200.1),
        (ONE_ROW, [7, "te", [1, TIME, -0.0005, 100.25]], 0.0, 0.050125),
        (ONE_ROW, [7, "te", [1, TIME, 0.5, 100.25]], 50.125, 0.0),
        (ROOT, {"px": "100.25", "sz": "0.0005", "side": "sell", "t": TIME}, 0.0, 0.050125),
    ],
)
def test_prints_off_the_grid_are_counted_in_every_form(
    grammar: TradeGrammar, frame: object, buy: float, sell: float
) -> None:
    lane, tally = lane_of(grammar)
    assert lane.frame(orjson.dumps(frame), 1.0) == TIME * MS
    assert tally.volume_usd == {"buy": pytest.approx(buy), "sell": pytest.approx(sell)}
    assert sum(lane.fallbacks.values()) == 1


def test_what_the_grammar_ignores_counts_nothing_and_is_no_error() -> None:
    lane, tally = lane_of(SIGNED_ROWS)
    for frame in (b'[7,"hb"]', b"[7,[[1,1780000000000,2.0,100.05]]]"):
        assert lane.frame(frame, 1.0) == 0
    assert tally.count == {"buy": 0, "sell": 0}


def test_a_row_nobody_can_read_is_an_error_in_every_form() -> None:
    for grammar, frame in (
        (SIGNED_ROWS, b'[7,"te",[[1,1780000000000,"--1",100.05]]]'),
        (SIGNED_ROWS, b'[7,"te",[[1,1780000000000,-1e-40,100.05]]]'),
        (ONE_ROW, b'[7,"te",[1,1780000000000]]'),
        (ROOT, b'{"px":"100.25","sz":"-1","side":"sell","t":1}'),
    ):
        lane, tally = lane_of(grammar)
        with pytest.raises(FrameError, match="trades of X: "):
            lane.frame(frame, 1.0)
        assert tally.count == {"buy": 0, "sell": 0}


# -- a venue that begins a subscription with old trades and does not say so
def rows(*trades: tuple[int, float]) -> bytes:
    return orjson.dumps([7, "te", [[0, TIME + t, size, 100.0] for t, size in trades]])


def test_trades_repeated_after_a_subscription_count_once() -> None:
    lane, tally = lane_of(SIGNED_ROWS, repeats_past=True)
    lane.frame(rows((0, 1.0), (5, 1.0)), 1.0)  # before anybody listened
    assert tally.count["buy"] == 0
    lane.frame(rows((6, 1.0)), 1.0)
    lane.frame(rows((6, 1.0), (7, 1.0)), 1.0)  # two frames of one moment
    assert tally.count["buy"] == 3
    market = listed(MadeUp())
    again = TradeLane(
        market, Topic("t", Channel.TRADES, ("X",), trades=SIGNED_ROWS, repeats_past=True), market.scale, tally
    )
    again.frame(rows((5, 1.0), (6, 1.0), (7, 1.0), (8, -1.0), (9, 1.0)), 1.0)  # 8 and 9 came while nobody listened
    assert tally.count == {"buy": 4, "sell": 1}
    again.frame(rows((10, 1.0)), 1.0)
    assert tally.count["buy"] == 5


def test_without_ids_two_connections_count_each_moment_once() -> None:
    first, tally = lane_of(SIGNED_ROWS, repeats_past=True)
    market = listed(MadeUp())
    second = TradeLane(
        market, Topic("t", Channel.TRADES, ("X",), trades=SIGNED_ROWS, repeats_past=True), market.scale, tally
    )
    first.frame(rows((0, 1.0)), 1.0)
    for lane in (first, second):
        lane.share(True)
    for time in range(1, 5):
        first.frame(rows((time, 1.0), (time, 1.0)), 1.0)
        second.frame(rows((time, 1.0), (time, 1.0)), 1.0)
    assert tally.count["buy"] == 8


# -- a book in several forms
CHANGE = BookGrammar(
    bids=("rows",), asks=("rows",), row=Row(price="p", size="q", side="s", bid="b", ask="a"),
    integers=(IntegerField(("n",), layout.LAST_ID),), expects={("feed",): "change"},
)  # fmt: skip
WHOLE = BookGrammar(
    bids=("bids",), asks=("asks",), row=Row(quoted=False), integers=(IntegerField(("n",), layout.LAST_ID),),
    expects={("feed",): "whole"}, default_kind=layout.KIND_SNAPSHOT,
)  # fmt: skip
FORMS: Mapping[str, BookGrammar] = {"change first": replace(CHANGE, alternates=(WHOLE,)),
                                    "whole first": replace(WHOLE, alternates=(CHANGE,))}  # fmt: skip


class TwoForms(MadeUp):
    def __init__(self, grammar: BookGrammar) -> None:
        self._grammar = grammar

    def topic(self, key: str) -> Topic | None:
        return Topic(key, Channel.BOOK, ("X",), book=self._grammar, window=20)


def whole(number: int, bid: str, ask: str, size: str = "1.5") -> bytes:
    return f'{{"ch":"book.X","feed":"whole","n":{number},"bids":[[{bid},{size}]],"asks":[[{ask},1]]}}'.encode()


def change(number: int, side: str, price: str, size: str) -> bytes:
    return orjson.dumps({"ch": "book.X", "feed": "change", "n": number, "rows": [{"p": price, "q": size, "s": side}]})


@pytest.mark.parametrize("form", FORMS)
def test_a_frame_of_each_form_is_read(form: str) -> None:
    venue: Venue = TwoForms(FORMS[form])
    rig = Rig(venues={venue.name: venue})
    rig.list(0, venue.name, listed(venue))
    connect(rig, 0, venue, 0, "book.X")
    rig.frame(0.5, venue.name, whole(1, "99.9", "100.1"))
    rig.frame(0.6, venue.name, change(2, "b", "100.0", "2"))
    rig.tick(1)
    view = rig.market_view(venue.name, "X")
    assert (view.verified, view.best_bid, view.best_ask) == (True, 100.0, pytest.approx(100.1))
    # Through the plain path too: an escape in a key of either form.
    rig.frame(1.5, venue.name, change(3, "b", "100.0", "3").replace(b'"n"', b'"\\u006e"'))
    rig.frame(1.6, venue.name, whole(4, "99.8", "100.1").replace(b'"n"', b'"\\u006e"'))
    rig.tick(2)
    view = rig.market_view(venue.name, "X")
    assert (view.verified, view.best_bid) == (True, pytest.approx(99.8))
    assert rig.venue_view(venue.name).channels["book"]["fallback_frames"] == 2


@pytest.mark.parametrize("form", FORMS)
def test_another_grid_shows_in_each_form(form: str) -> None:
    venue: Venue = TwoForms(FORMS[form])
    rig = Rig(venues={venue.name: venue})
    rig.list(0, venue.name, listed(venue))
    connect(rig, 0, venue, 0, "book.X")
    rig.frame(0.5, venue.name, whole(1, "99.95", "100.1"))  # whole: read in the same step
    rig.tick(1)
    view = rig.market_view(venue.name, "X")
    assert (view.verified, view.best_bid) == (True, pytest.approx(99.95))
    assert rig.market(venue.name, "X").book.scale.price.step == Decimal("0.05")  # type: ignore[union-attr]
    rig.take()
    rig.frame(1.5, venue.name, change(2, "a", "100.1", "0.0005"))  # a change: the book is asked for anew
    assert rig.market(venue.name, "X").book.reason == "regrid"  # type: ignore[union-attr]
    assert len(rig.sends(venue.name)) == 1
    rig.answer(1.5, venue.name)
    rig.frame(1.6, venue.name, whole(3, "99.95", "100.1", "0.0015"))
    rig.tick(2)
    view = rig.market_view(venue.name, "X")
    assert view.verified
    assert view.resyncs == {"regrid": 2}


def test_a_frame_of_no_form_takes_the_book_with_it() -> None:
    venue: Venue = TwoForms(FORMS["change first"])
    rig = Rig(venues={venue.name: venue})
    rig.list(0, venue.name, listed(venue))
    connect(rig, 0, venue, 0, "book.X")
    for bad in (change(2, "c", "100.05", "1"), change(2, "b", "100.05", "x"), whole(2, "1e-90", "100.05"),
                orjson.dumps({"ch": "book.X", "feed": "neither", "n": 2, "rows": []})):  # fmt: skip
        rig.frame(0.5, venue.name, whole(1, "99.9", "100.1"))
        assert rig.market(venue.name, "X").book.readable  # type: ignore[union-attr]
        rig.frame(0.6, venue.name, bad)
        assert rig.market(venue.name, "X").book.reason == "unreadable_frame"  # type: ignore[union-attr]
