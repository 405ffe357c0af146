"""Frames numbered through their connection: a hole takes everything the connection brought, in the call that shows it."""

from __future__ import annotations

import orjson
import pytest
from core_rig import MS, START, Rig
from made_up_venue import BOOK_LEVELS, Numbered, Splitting, book, connect, frame, listed

from engines.book.reader import RESYNC_REASONS
from monitor.feed.numbers import OLD_IN_A_ROW

BIDS = [(f"{99.9 - i / 10:.1f}", "1") for i in range(BOOK_LEVELS)]
ASKS = [(f"{100.1 + i / 10:.1f}", "1") for i in range(BOOK_LEVELS)]
NAME = Numbered.name


def trade(*rows: tuple[float, float], number: int, symbol: str = "X") -> bytes:
    return frame(f"trade.{symbol}", rows=[[START // MS, price, size] for price, size in rows], number=number)


def begun(venue: Numbered) -> Rig:
    """Two markets on one connection, with their layers and trades; frames 1 to 4."""
    rig = Rig(venues={NAME: venue})
    rig.list(0, NAME, listed(venue), listed(venue, "Y", "ETH"))
    connect(rig, 0, venue, 0, *(f"{channel}.{symbol}" for symbol in "XY" for channel in ("book", "coarse3", "trade")))
    for number, key in enumerate(("book.X", "coarse3.X", "book.Y", "coarse3.Y"), 1):
        rig.frame(0, NAME, book(key, 10, BIDS, ASKS, full=True, number=number))
    rig.tick(1)
    rig.take()
    assert [view.verified for view in rig.hub.view.markets] == [True, True]
    return rig


def test_a_hole_takes_every_book_and_layer_in_the_same_call() -> None:
    rig = begun(Numbered())
    rig.frame(1.5, NAME, trade((100.0, 1.0), number=6))  # 5 is missing: it may have been of any topic
    assert rig.closes(NAME) == [0]
    for symbol in "XY":
        market = rig.market(NAME, symbol)
        assert market.book is not None
        assert (market.book.readable, market.book.reason) == (False, "gap")
        assert [lane.book.reason for lane in market.layers.lanes.values()] == ["gap"]
        assert market.tally.count == {"buy": 0, "sell": 0}  # and nothing of the frame that showed it is applied
        assert market.trades == {}
    rig.frame(1.6, NAME, book("book.X", 1, BIDS, ASKS, full=True, number=7))  # nor of those after it
    rig.tick(2)
    for symbol in "XY":
        view = rig.market_view(NAME, symbol)
        assert (view.verified, view.reason) == (False, "gap")
        assert view.resyncs == {"gap": 1}
        assert view.counters["book_gaps_total"] == 1
    assert "gap" in RESYNC_REASONS
    assert rig.sends(NAME) == []  # the connection is given up: nothing is asked for on it
    rig.drop(2.5, NAME, reason="connection_gap")
    connect(rig, 3, Numbered(), 0, "book.X", "book.Y")
    rig.frame(3, NAME, book("book.X", 1, BIDS, ASKS, full=True, number=900))  # any first number is right
    rig.frame(3, NAME, book("book.X", 2, [("99.9", "2")], number=901))
    rig.tick(4)
    assert rig.market_view(NAME, "X").verified
    assert rig.market_view(NAME, "X").resyncs == {"gap": 1}
    assert rig.venue_view(NAME).reconnects == {"connection_gap": 1}


def test_old_frames_are_dropped_and_break_nothing() -> None:
    rig = begun(Numbered())
    change = book("book.X", 11, [("99.9", "5")], number=5)
    rig.frame(1.5, NAME, change)
    rig.frame(1.6, NAME, change)
    rig.frame(1.7, NAME, book("book.X", 12, [("99.9", "6")], number=3))
    rig.frame(1.8, NAME, book("book.X", 12, [("99.9", "7")], number=6))
    rig.tick(2)
    assert rig.market_view(NAME, "X").verified
    top = rig.market(NAME, "X").book.top()  # type: ignore[union-attr]
    assert top is not None
    assert top.bid_lots == 7_000
    assert rig.market_view(NAME, "X").counters["book_updates_total"] == 3


def test_numbers_that_began_anew_take_every_book() -> None:
    """The venue goes on sending and dropping it all would leave books that stand still and look calm."""
    rig = begun(Numbered())
    for number in range(5, 100):
        rig.frame(1.0 + number / 100, NAME, book("book.X", 6 + number, [("99.9", "5")], number=number))
    assert rig.closes(NAME) == []
    for number in range(OLD_IN_A_ROW + 1):
        for symbol in "XY":
            assert rig.market(NAME, symbol).book.readable  # type: ignore[union-attr]
        rig.frame(2.1 + number / 100, NAME, book("book.X", 106 + number, [("99.9", "7")], number=number))
    assert rig.closes(NAME) == [0]
    for symbol in "XY":
        assert rig.market(NAME, symbol).book.reason == "gap"  # type: ignore[union-attr]
    rig.drop(2.9, NAME, reason="connection_gap")
    rig.tick(3)
    assert [rig.market_view(NAME, symbol).verified for symbol in "XY"] == [False, False]


def test_a_successor_that_stands_is_read_after_the_hole() -> None:
    rig = begun(Numbered())
    connect(rig, 1.1, Numbered(), 1, "book.X", "book.Y", "trade.X")
    for number, key in enumerate(("book.X", "book.Y"), 50):
        rig.frame(1.2, NAME, book(key, 10, BIDS, ASKS, full=True, number=number), 1)
    rig.frame(1.3, NAME, trade((100.0, 2.0), number=9), 0)
    rig.frame(1.4, NAME, trade((100.0, -3.0), number=52), 1)
    rig.tick(3)
    for symbol in "XY":
        assert rig.market_view(NAME, symbol).verified
    assert rig.market(NAME, "X").active == 1
    counters = rig.market_view(NAME, "X").counters
    assert (counters["trades_total|buy"], counters["trades_total|sell"]) == (0, 1)


# -- frames of several topics
def several(number: int, *parts: bytes) -> bytes:
    return orjson.dumps({"parts": [orjson.loads(part) for part in parts], "number": number})


def test_each_part_goes_to_its_topic() -> None:
    rig = begun(Splitting())
    changes = [book(f"book.{symbol}", 11, [("99.9", "5")]) for symbol in "XY"]
    rig.frame(
        1.5, NAME, several(5, *changes, frame("trade.Y", rows=[[START // MS, 100.0, 2.5], [START // MS, 100.1, -1.0]]))
    )
    rig.frame(1.6, NAME, book("book.X", 12, [("99.8", "5")], number=6))
    rig.tick(2)
    for symbol in "XY":
        assert rig.market_view(NAME, symbol).verified
    assert rig.market_view(NAME, "X").counters["book_updates_total"] == 3
    counters = rig.market_view(NAME, "Y").counters
    assert counters["trade_volume_usd_total|buy"] == 250.0
    assert counters["trade_volume_usd_total|sell"] == pytest.approx(100.1)
    channels = rig.venue_view(NAME).channels
    assert (channels["book"]["messages"], channels["trades"]["messages"]) == (7, 1)


def test_a_hole_before_a_frame_of_several_topics_comes_before_its_parts() -> None:
    rig = begun(Splitting())
    rig.frame(1.5, NAME, several(6, book("book.X", 1, BIDS, ASKS, full=True), book("book.Y", 11, [("99.9", "5")])))
    assert rig.closes(NAME) == [0]
    for symbol in "XY":
        assert rig.market(NAME, symbol).book.reason == "gap"  # type: ignore[union-attr]


def test_an_unreadable_part_and_an_unreadable_frame_stop_nothing() -> None:
    rig = begun(Splitting())
    rig.frame(1.5, NAME, several(5, frame("book.X", n="no number"), book("book.Y", 11, [("99.9", "5")])))
    assert rig.market(NAME, "X").book.reason == "unreadable_frame"  # type: ignore[union-attr]
    assert rig.market(NAME, "Y").book.readable  # type: ignore[union-attr]
    rig.frame(1.6, NAME, b'{"number":6')
    rig.tick(2)
    assert rig.market_view(NAME, "Y").verified
    assert rig.venue_view(NAME).channels["other"]["parse_errors"] == 1
