"""Streams unlike the first three venues': dense ids, whole books, no ids, other forms of frame."""

from __future__ import annotations

import dataclasses
import zlib
from typing import Any

import numpy as np
import pytest
from book_captures import BINANCE_FRAME, scale
from book_rig import ASKS, BIDS, bids_of, figures, levels_of, make, rest, send, stream_snapshot

from engines.book.bands import BandSet
from engines.book.live_book import LiveBook
from engines.book.outcome import Outcome
from engines.wire.grammar import BookGrammar, IntegerField, Nth, Row, SequenceRule
from engines.wire.layout import CHECKSUM, CROSS_ID, HEADER_SIZE, LAST_ID, REFUSED_OFF_GRID
from engines.wire.plain import plain_book

UNSEQUENCED = SequenceRule("unsequenced")
SNAPSHOTS = SequenceRule("snapshots")

# -- dense ids, seeded over REST

DENSE = SequenceRule("range", seed="rest")


def test_dense_ids_join_a_snapshot_by_the_next_id() -> None:
    book = make(DENSE, changes_at_any_price=True)
    assert send(book, 90, 95, 0, [(995, 1)]) is Outcome.NEED_SNAPSHOT
    assert send(book, 96, 100, 0, [(998, 1)]) is Outcome.BUFFERED
    assert send(book, 101, 105, 0, [(998, 4)]) is Outcome.BUFFERED
    assert rest(book, 89, BIDS, ASKS) is Outcome.REPLACED  # the first frame kept is the next one
    book = make(DENSE)
    send(book, 96, 100, 0, [(998, 1)])
    send(book, 101, 105, 0, [(998, 4)])
    assert rest(book, 94, BIDS, ASKS) is Outcome.NEED_SNAPSHOT  # 95 is in neither
    assert book.counters["stale_snapshots"] == 1
    assert rest(book, 100, BIDS, ASKS) is Outcome.REPLACED
    assert bids_of(book)[998] == 4
    assert (book.last_id, book.counters["dropped"]) == (105, 1)
    assert send(book, 106, 110, 0) is Outcome.APPLIED  # no levels: the id moves all the same
    assert send(book, 112, 113, 0) is Outcome.GAP
    assert send(book, 114, 115, 0) is Outcome.BUFFERED
    assert rest(book, 111, BIDS, ASKS) is Outcome.REPLACED
    assert book.readable


def test_dense_ids_hold_a_snapshot_that_is_ahead_and_merge_one_that_comes_later() -> None:
    book = make(DENSE, changes_at_any_price=True)
    assert rest(book, 100, BIDS, ASKS) is Outcome.HELD
    assert send(book, 99, 100, 0) is Outcome.IGNORED
    assert send(book, 101, 101, 0) is Outcome.APPLIED
    book.snapshot_requested(1)
    send(book, 102, 103, 0, [(999, 6)])
    send(book, 104, 105, 0, [(970, 3)])
    wider = [(999, 6), (990, 7), (980, 9), (970, 3), (960, 1)]
    assert rest(book, 103, [*wider[:3], wider[4]], ASKS) is Outcome.MERGED
    assert bids_of(book) == dict(wider)
    assert book.reach("bid") == pytest.approx(0.04)
    book.snapshot_requested(2)
    assert rest(book, 107, wider, ASKS) is Outcome.HELD
    assert send(book, 106, 106, 0) is Outcome.APPLIED
    assert send(book, 107, 107, 0) is Outcome.MERGED
    book.snapshot_requested(3)
    send(book, 108, 108, 0)
    assert rest(book, 107, [(999, 1)], ASKS) is Outcome.MISMATCH


def test_the_snapshot_of_an_empty_listing_joins_any_frame_and_merges_with_none() -> None:
    book = make(DENSE, snapshot_levels=5)
    send(book, 4_000, 4_001, 0, [(999, 1)], [(1001, 1)])
    assert rest(book, -1, [], []) is Outcome.REPLACED
    assert book.readable
    book.snapshot_requested(1)
    send(book, 4_002, 4_002, 0, [(998, 1)])
    assert rest(book, -1, [], []) is Outcome.IGNORED
    assert book.readable
    assert book.counters["merge_failed"] == 1


# -- other streams


def test_a_frame_lost_on_the_connection_loses_the_book() -> None:
    book = make(UNSEQUENCED)
    assert book.connection_gap(1) is Outcome.IGNORED  # never seeded
    stream_snapshot(book, 0, BIDS, ASKS)
    assert book.connection_gap(2) is Outcome.GAP
    assert (book.reason, book.resyncs, book.counters["gaps"]) == ("gap", {"gap": 1}, 1)
    assert book.connection_gap(3) is Outcome.IGNORED
    assert send(book, 0, 0, 0, [(999, 1)]) is Outcome.IGNORED
    assert stream_snapshot(book, 0, BIDS, ASKS) is Outcome.REPLACED
    waiting = make(DENSE)
    send(waiting, 5, 6, 0)
    assert waiting.connection_gap(4) is Outcome.GAP  # what was kept may have a hole
    assert send(waiting, 9, 9, 0) is Outcome.NEED_SNAPSHOT


def test_books_without_ids_never_stand_at_the_same_one() -> None:
    older, newer = make(UNSEQUENCED, changes_at_any_price=True), make(UNSEQUENCED, changes_at_any_price=True)
    stream_snapshot(older, 0, BIDS, ASKS)
    stream_snapshot(newer, 0, BIDS[:2], ASKS)
    before = bids_of(newer)
    assert newer.adopt(older, 1) is Outcome.MERGED
    assert bids_of(newer) == before  # the whole book was told: nothing is beyond it


def test_nothing_of_a_snapshot_only_stream_is_live() -> None:
    book = make(SNAPSHOTS, window=3)
    assert send(book, 0, 0, 0, BIDS, ASKS) is Outcome.REPLACED
    one, ten = figures(book, "1%", "10%")
    assert [figure.basis for figure in one] == ["snapshot", "snapshot"]
    assert one[0].published == one[0].raw
    assert [figure.basis for figure in ten] == [None, None]
    around = book.bands_around(BandSet(["1%"]), 1000.0, 1)
    assert around is not None
    assert around.bid[0].basis == "snapshot"
    for depth in (book.depth(BandSet(["1%"]), 1, 1.0), book.depth(BandSet(["1%"]), 1, 1.0, around=1000.0)):
        assert depth is not None
        assert {basis for *_, basis in depth} == {"snapshot"}
    assert send(book, 0, 0, 0, BIDS[:1], ASKS[:1]) is Outcome.REPLACED
    assert bids_of(book) == {999: 5}


def test_a_window_that_changes_row_by_row_is_not_complete_between_two_rows() -> None:
    rows = BookGrammar(bids=("row",), asks=("row",), row=Row(signed=True), single=True)
    book = make(UNSEQUENCED, window=3, grammar=dataclasses.replace(BINANCE_FRAME, alternates=(rows,)))
    stream_snapshot(book, 0, BIDS, ASKS[:2])
    assert [figure.basis for figure in figures(book, "10%")[0]] == [None, "live"]  # two asks: that is all of them
    send(book, 0, 0, 0, [(999, 0)])
    assert [figure.basis for figure in figures(book, "10%")[0]] == [None, "live"]  # the fourth bid is about to come
    assert [figure.basis for figure in figures(book, "1%")[0]] == ["live", "live"]
    send(book, 0, 0, 0, [], [(1015, 1)])
    send(book, 0, 0, 0, [], [(1010, 0)])
    assert [figure.basis for figure in figures(book, "10%")[0]] == [None, None]
    stream_snapshot(book, 0, BIDS[:2], ASKS)
    assert [figure.basis for figure in figures(book, "10%")[0]] == ["live", None]


def test_a_frame_of_another_form_is_read_by_its_own_grammar() -> None:
    other = BookGrammar(
        bids=("levels", "bids"),
        asks=("levels", "asks"),
        integers=(IntegerField(("id",), LAST_ID),),
        expects={("type",): "whole"},
        default_kind=1,
    )
    bare = BookGrammar(bids=("b",), asks=("a",), expects={("type",): "bare"}, sides_required=False, default_kind=0)
    grammar = dataclasses.replace(other, expects={("type",): "changes"}, default_kind=0, alternates=(other, bare))
    book = make(UNSEQUENCED, grammar=grammar)
    whole = b'{"type":"whole","id":7,"levels":{"bids":[["99.9","0.005"]],"asks":[["100.1","0.005"]]}}'
    assert book.frame(whole.replace(b"whole", b"changes"), 1) is Outcome.IGNORED
    assert book.frame(whole, 2) is Outcome.REPLACED
    assert book.last_id == 7
    assert book.frame(b'{"type":"bare","b":[["99.8","0.001"]]}', 3) is Outcome.APPLIED
    assert bids_of(book) == {999: 5, 998: 1}
    assert book.frame(b'{"type":"bare"}', 4) is Outcome.KEEPALIVE
    assert book.counters["refused"] == 0
    assert book.frame(b'{"type":"odd","b":[]}', 5) is Outcome.REFUSED
    assert book.frame(b'{"type":"bare","b":[["99.85","0.001"]]}', 6) is Outcome.REFUSED
    assert book.refusal == REFUSED_OFF_GRID  # of the form it has, and not of those it has not
    assert book.counters["refused"] == 2
    assert bids_of(book) == {999: 5, 998: 1}


# -- whole streams in the venues' own forms

BITFINEX_ROW = Row(price=0, size=2, quoted=False, signed=True, count=1)
BITFINEX = BookGrammar(
    bids=(Nth(1),),
    asks=(Nth(1),),
    row=BITFINEX_ROW,
    single=True,
    alternates=(
        BookGrammar(bids=(Nth(1),), asks=(Nth(1),), row=BITFINEX_ROW, default_kind=1),
        BookGrammar(bids=None, asks=None, integers=(IntegerField((Nth(2),), CHECKSUM),), expects={(Nth(1),): "cs"}),
        BookGrammar(bids=None, asks=None, expects={(Nth(1),): "hb"}),
    ),
)
DYDX = BookGrammar(
    bids=("contents", "bids"),
    asks=("contents", "asks"),
    expects={("type",): "channel_data"},
    market=(("id",),),
    sides_required=False,
    alternates=(
        BookGrammar(
            bids=("contents", "bids"),
            asks=("contents", "asks"),
            row=Row("price", "size"),
            expects={("type",): "subscribed"},
            market=(("id",),),
            default_kind=1,
        ),
    ),
)


def take(book: LiveBook, grammar: BookGrammar, frame: bytes) -> Outcome:
    """As a book lane does: the scanner, and the plain path where it refuses."""
    outcome = book.frame(frame, 1)
    if outcome is not Outcome.REFUSED:
        return outcome
    header, levels = np.zeros(HEADER_SIZE, np.int64), np.zeros((2, 50, 2), np.int64)
    plain_book(grammar, book.scale, book.market, frame, header, levels)
    return book.levels(header, levels, 1)


def test_rows_one_by_one_with_a_checksum_now_and_then() -> None:
    book = make(UNSEQUENCED, grammar=BITFINEX, window=3, checksum="tokens", scale=scale("1", "0.00000001"))
    assert take(book, BITFINEX, b'[7,"hb",1]') is Outcome.IGNORED
    assert take(book, BITFINEX, b"[7,[[6000,1,1],[5900,2,2],[6100,1,-3],[6200,3,-4]],2]") is Outcome.REPLACED
    assert take(book, BITFINEX, b'[7,"cs",1756193398,3]') is Outcome.KEEPALIVE
    assert take(book, BITFINEX, b"[7,[6050,1,1e-7],4]") is Outcome.APPLIED
    said = zlib.crc32(b"6050:1e-7:6100:-3:6000:1:6200:-4:5900:2")
    assert take(book, BITFINEX, b'[7,"cs",%d,5]' % (said - 2**32 if said >= 2**31 else said)) is Outcome.KEEPALIVE
    assert take(book, BITFINEX, b"[7,[6050,0,1],6]") is Outcome.APPLIED
    assert take(book, BITFINEX, b'[7,"hb",7]') is Outcome.KEEPALIVE
    assert take(book, BITFINEX, b'[7,"cs",1756193398,8]') is Outcome.KEEPALIVE
    assert take(book, BITFINEX, b'[7,"cs",-1756193398,9]') is Outcome.CHECKSUM
    assert (book.counters["checksums"], book.counters["checksum_mismatch"]) == (3, 1)


def test_changes_unlike_their_snapshot_that_cross_it() -> None:
    book = make(UNSEQUENCED, grammar=DYDX, crossing="uncross", changes_at_any_price=True, market="BTC-USD")
    head = b'"connection_id":"x","message_id":4,"channel":"v4_orderbook","id":"BTC-USD",'
    snapshot = (
        b'{"type":"subscribed",' + head + b'"contents":{"bids":[{"price":"99.9","size":"1.5"}],'
        b'"asks":[{"price":"100.1","size":"1.2"},{"price":"100.5","size":"2"}]}}'
    )
    change = b'{"type":"channel_data",' + head + b'"version":"1.0.0","contents":{"bids":[["100.20","0.004"]]}}'
    back = b'{"type":"channel_data",' + head + b'"version":"1.0.0","contents":{"bids":[["100.2","0.0"]]}}'
    assert take(book, DYDX, change) is Outcome.IGNORED
    assert take(book, DYDX, snapshot) is Outcome.REPLACED
    assert take(book, DYDX, change) is Outcome.APPLIED
    assert book.top() == (1002, 4, 1005, 2000)
    assert take(book, DYDX, back) is Outcome.APPLIED
    assert book.top() == (999, 1500, 1001, 1200)
    assert book.counters["uncrossed"] == 1


def test_a_window_that_was_full_is_not_complete_because_a_level_is_gone() -> None:
    """What stands behind the last one may not have been told yet."""
    book = make(UNSEQUENCED, window=3)
    stream_snapshot(book, 0, BIDS, ASKS[:2])
    assert [figure.basis for figure in figures(book, "10%")[0]] == [None, "live"]
    send(book, 0, 0, 0, [(999, 0)])
    assert [figure.basis for figure in figures(book, "10%")[0]] == [None, "live"]
    stream_snapshot(book, 0, BIDS[:2], ASKS)
    assert [figure.basis for figure in figures(book, "10%")[0]] == ["live", None]


def test_a_snapshot_whose_ids_fit_and_whose_sequence_does_not_is_of_another_time() -> None:
    """From before a restart: its id lies among those of the frames kept, its cross sequence far behind them."""
    rule = SequenceRule("range", seed="rest", restart_id=1)
    book = make(rule)

    def frame(last: int, cross: int, *rows: tuple[int, int]) -> tuple[Any, Any]:
        header, levels = levels_of(list(rows), [], first=last, last=last, previous=0)
        header[CROSS_ID] = cross
        return header, levels

    for last in range(1, 8):
        book.levels(*frame(last, 5000 + last, (990, last)), 0)
    stale, old = levels_of(BIDS, ASKS, last=5, previous=0, kind=1)
    stale[CROSS_ID] = 100
    assert book.snapshot(stale, old, 1) is Outcome.NEED_SNAPSHOT
    other, levels = levels_of(BIDS, ASKS, last=5, previous=0, kind=1)
    other[CROSS_ID] = 5006
    assert book.snapshot(other, levels, 2) is Outcome.NEED_SNAPSHOT, "the same id, another sequence"
    good, levels = levels_of(BIDS, ASKS, last=5, previous=0, kind=1)
    good[CROSS_ID] = 5005
    assert book.snapshot(good, levels, 3) is Outcome.REPLACED
    assert book.last_id == 7
