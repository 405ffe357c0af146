"""Coarse streams: books of their own, joined beyond the reach of the market's book, gone with their connection."""

from __future__ import annotations

import pytest
from core_rig import Rig, figures
from made_up_venue import CADENCE, MadeUp, book, connect, listed

VENUE = MadeUp()
BANDS = ("0.1%", "1%", "5%")
# The book: 20 levels of 1 coin a side, 10 apart: 0.2% of 100,000. A full window, so nothing is known beyond.
BIDS = [(f"{99_990 - 10 * i}.0", "1") for i in range(20)]
ASKS = [(f"{100_010 + 10 * i}.0", "1") for i in range(20)]
# Three figures, 50 coins a bucket, to 7% on both sides. A bid of 99,000 stands for [99,000, 99,100), an ask of 101,000 for (100,000, 101,000].
COARSE_BIDS = [(f"{99_000 - 1_000 * i}.0", "50") for i in range(7)]
COARSE_ASKS = [(f"{101_000 + 1_000 * i}.0", "50") for i in range(7)]
# Within 5%: the book and five whole buckets of bids; five whole buckets of asks, the first of which holds the book's asks.
BIDS_5PCT = sum(float(price) for price, _ in BIDS) + 50 * sum(range(95_050, 100_000, 1_000))
ASKS_5PCT = 20 * 100_105 + 30 * 100_600 + 50 * sum(range(101_500, 105_000, 1_000))


def begun(*keys: str) -> Rig:
    venue = VENUE
    rig = Rig(venues={venue.name: venue}, bands=BANDS)
    rig.list(0, venue.name, listed(venue))
    connect(rig, 0, venue, 0, "book.X", name="books")
    connect(rig, 0, venue, 1, *keys, name="layers")
    rig.frame(0, venue.name, book("book.X", 10, BIDS, ASKS, full=True), 0)
    rig.tick(1)
    return rig


def coarse(number: int = 5, *, full: bool = True, bids: object = COARSE_BIDS, key: str = "coarse3.X") -> bytes:
    return book(key, number, bids, COARSE_ASKS if full else [], full=full)  # type: ignore[arg-type]


def bands(rig: Rig) -> dict[tuple[str, str], tuple[float, str]]:
    return figures(rig.market_view(VENUE.name, "X"))


def test_a_layer_says_what_lies_beyond_the_book_and_is_no_book() -> None:
    rig = begun("coarse3.X")
    alone = bands(rig)
    rig.frame(1.1, VENUE.name, coarse(), 1)
    rig.tick(2)
    found = bands(rig)
    view = rig.market_view(VENUE.name, "X")
    assert view.verified
    assert view.best_bid == 99_990  # the book's own, not the bucket's
    assert found["bid", "0.1%"] == alone["bid", "0.1%"]
    assert found["bid", "0.1%"][1] == "live"
    assert found["bid", "5%"] == (pytest.approx(BIDS_5PCT, rel=1e-4), "snapshot")
    assert found["ask", "5%"] == (pytest.approx(ASKS_5PCT, rel=1e-4), "snapshot")
    assert found["bid", "1%"][0] < found["bid", "5%"][0]
    (layer,) = view.layers
    assert (layer.significant_figures, layer.reason) == (3, "")
    assert view.snapshot_reach_ratio["bid"] == pytest.approx(0.07, abs=0.005)
    assert view.counters["book_updates_total"] == 1  # of the book alone


def test_a_gap_in_a_layer_subscribes_it_anew_and_leaves_the_book_alone() -> None:
    rig = begun("coarse3.X")
    rig.frame(1.1, VENUE.name, coarse(5), 1)
    rig.tick(2)
    assert ("bid", "5%") in bands(rig)
    rig.take()
    rig.frame(2.1, VENUE.name, coarse(7, full=False), 1)
    (text,) = rig.sends(VENUE.name)
    assert '"out"' in text
    assert "coarse3.X" in text
    rig.tick(3)
    assert ("bid", "5%") not in bands(rig)  # what was joined is gone with it
    view = rig.market_view(VENUE.name, "X")
    assert view.verified
    assert view.layers[0].reason == "gap"
    assert view.layers[0].resyncs == {"gap": 1}
    assert view.resyncs == {}
    rig.frame(3.1, VENUE.name, b'{"done":2}', 1)
    rig.frame(3.2, VENUE.name, coarse(1), 1)
    rig.tick(4)
    assert bands(rig)["bid", "5%"][1] == "snapshot"
    assert rig.market_view(VENUE.name, "X").layers[0].reason == ""


def test_the_layers_of_a_lost_connection_vanish() -> None:
    rig = begun("coarse3.X")
    rig.frame(1.1, VENUE.name, coarse(), 1)
    rig.tick(2)
    rig.drop(2.5, VENUE.name, 1)
    rig.tick(3)
    assert ("bid", "5%") not in bands(rig)
    assert rig.market_view(VENUE.name, "X").layers == ()
    assert rig.market_view(VENUE.name, "X").verified
    connect(rig, 4, VENUE, 1, "coarse3.X", name="layers")
    rig.frame(4, VENUE.name, coarse(), 1)
    rig.tick(5)
    assert bands(rig)["bid", "5%"][1] == "snapshot"


def test_a_layer_without_its_book_says_nothing() -> None:
    rig = begun("coarse3.X")
    rig.frame(1.1, VENUE.name, coarse(), 1)
    rig.drop(1.5, VENUE.name, 0)
    rig.tick(2)
    view = rig.market_view(VENUE.name, "X")
    assert (view.verified, view.reason, view.depth) == (False, "not connected", ())
    connect(rig, 3, VENUE, 0, "book.X", name="books")
    rig.frame(3, VENUE.name, book("book.X", 1, BIDS, ASKS, full=True), 0)
    rig.tick(4)
    assert bands(rig)["bid", "5%"][1] == "snapshot"


def test_a_slow_layer_counts_for_three_cadences() -> None:
    rig = begun("slow3.X")
    rig.frame(1.5, VENUE.name, coarse(key="slow3.X"), 1)
    for second in range(2, 12):
        rig.tick(second)
        fresh = second - 1.5 <= 3 * CADENCE
        assert (("bid", "5%") in bands(rig)) == fresh, second
        assert rig.market_view(VENUE.name, "X").layers[0].reason == ("" if fresh else "stale")


def test_finer_layers_come_before_coarser_ones() -> None:
    rig = begun("coarse2.X", "coarse3.X")
    rig.frame(1.1, VENUE.name, coarse(), 1)
    tens = [(f"{90_000 - 10_000 * i}.0", "100000") for i in range(3)]
    rig.frame(1.2, VENUE.name, book("coarse2.X", 1, tens, [("110000.0", "100000")], full=True), 1)
    rig.tick(2)
    # Within 5% the finer one knows everything; the coarse one would say thousands of coins.
    assert bands(rig)["bid", "5%"][0] == pytest.approx(BIDS_5PCT, rel=1e-4)
    assert [layer.significant_figures for layer in rig.market_view(VENUE.name, "X").layers] == [3, 2]


def test_a_layer_on_a_finer_grid_takes_the_market_with_it() -> None:
    """Its sizes show another lot than the listed one: book and layer are joined on one grid."""
    rig = begun("coarse3.X")
    bids = [*COARSE_BIDS[1:], ("99000.0", "50.00005")]
    rig.frame(1.1, VENUE.name, coarse(bids=bids), 1)
    rig.tick(2)
    assert rig.market_view(VENUE.name, "X").reason == "regrid"
    rig.answer(2.4, VENUE.name)
    rig.frame(2.5, VENUE.name, book("book.X", 1, BIDS, ASKS, full=True), 0)
    rig.tick(3)
    assert bands(rig)["bid", "5%"][0] == pytest.approx(BIDS_5PCT, rel=1e-4)


# -- a book of snapshots alone
def test_a_snapshot_only_book_is_stale_after_three_cadences_and_never_live() -> None:
    rig = Rig(venues={VENUE.name: VENUE}, bands=BANDS)
    rig.list(0, VENUE.name, listed(VENUE))
    connect(rig, 0, VENUE, 0, "whole.X")
    rig.frame(0.5, VENUE.name, book("whole.X", 1, BIDS, ASKS), 0)
    for second in range(1, 10):
        rig.tick(second)
        view = rig.market_view(VENUE.name, "X")
        fresh = second - 0.5 <= 3 * CADENCE
        assert (view.verified, view.reason) == ((True, "") if fresh else (False, "stale")), second
        assert bool(view.depth) == fresh
        assert {figure.basis for figure in view.depth} == ({"snapshot"} if fresh else set())
        assert view.cadence_seconds == CADENCE
    rig.frame(9.5, VENUE.name, book("whole.X", 2, BIDS, ASKS), 0)
    rig.tick(10)
    view = rig.market_view(VENUE.name, "X")
    assert view.verified
    assert view.resyncs == {}  # late is not lost
    assert not rig.sends(VENUE.name)[1:]  # nothing but the first subscription was sent
