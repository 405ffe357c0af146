"""One book on one connection: what it asks for and when, what it survives, and that it is never readable when it may be wrong."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise

import orjson
import pytest
from core_rig import (
    BINANCE,
    BYBIT,
    MS,
    OKX,
    Rig,
    at,
    binance_change,
    binance_snapshot,
    bybit_book,
    figures,
    instrument,
    ladder,
    okx_book,
    okx_deep,
    plan,
)

from engines.wire.scale import Grid, Scale
from monitor.book_lane import (
    RECOVERY_TIMEOUT,
    RETRY_FIRST,
    RETRY_LONGEST,
    SECOND,
    BookLane,
    Recovery,
)
from monitor.errors import FrameError
from monitor.events import Fetch, RestReplied, Send
from monitor.grids import finer_scale
from monitor.market import Market, MarketOptions
from monitor.venues.base import RestRequest
from monitor.venues.registry import VENUES

OPTIONS = MarketOptions(bands=("1%",), slippage_usd=(1000,), floor_settle=0)


# -- one recovery in flight
def test_one_recovery_at_a_time_and_failures_at_doubling_distance() -> None:
    recovery = Recovery()
    assert not recovery.due(0)
    recovery.want("snapshot")
    asked: list[int] = []
    now = 0
    while len(asked) < 10:
        if recovery.due(now):
            asked.append(now)
            recovery.asked(now)
            assert not recovery.due(now)
            recovery.failed(now)
        now += SECOND // 2
    distances = [later - earlier for earlier, later in pairwise(asked)]
    assert distances == [min(RETRY_FIRST << i, RETRY_LONGEST) for i in range(9)]
    assert distances[0] == RETRY_FIRST
    assert distances[-1] == RETRY_LONGEST
    recovery.done()
    recovery.want("snapshot")
    recovery.asked(now)
    recovery.failed(now)
    assert recovery.due(now + RETRY_FIRST)  # what healed in between begins at the shortest distance


def test_a_recovery_nobody_answers_is_asked_for_again() -> None:
    recovery = Recovery()
    recovery.want("resubscribe")
    recovery.asked(5)
    recovery.want("resubscribe")
    assert not recovery.due(5 + RECOVERY_TIMEOUT - 1)
    assert recovery.due(5 + RECOVERY_TIMEOUT)
    recovery.want("snapshot")  # another way: at once
    assert recovery.due(6)


def test_a_rest_seeded_book_asks_once_and_frames_wait() -> None:
    rig = Rig()
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE)
    rig.take()
    rig.frame(0.1, BINANCE, binance_change(95, 96, 94))
    (request,) = rig.fetches(BINANCE)
    assert (request.purpose, request.symbol, request.weight) == ("snapshot", "BTCUSDT", 20)
    for i in range(20):
        rig.frame(0.2 + i / 10, BINANCE, binance_change(97 + i, 97 + i, 96 + i, [(f"59999.{i % 10}", "1")]))
    assert rig.fetches(BINANCE) == []
    assert (rig.market_view().verified, rig.market_view().reason) == (False, "no snapshot")
    bids, asks = ladder(60_000, 30)
    rig.reply(2.5, BINANCE, request, binance_snapshot(100, bids, asks))
    rig.tick(3)
    view = rig.market_view()
    assert (view.verified, view.reason) == (True, "")
    assert view.counters["book_updates_total"] == 1 + 17  # the snapshot, and the frames from 100 on


def test_failed_snapshots_are_retried_at_doubling_distance_and_heal() -> None:
    rig = Rig()
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE)
    rig.frame(0, BINANCE, binance_change(95, 100, 94))
    (request,) = rig.fetches(BINANCE)
    asked = []
    bodies = [b"<html>busy</html>", b"", b'{"code":-1000}', b'{"lastUpdateId":1,"bids":[["x","1"]],"asks":[]}', b"[1]"]
    now = 0.0
    for body in bodies:
        rig.reply(now, BINANCE, request, body, "" if body else "timed out")
        while not (found := rig.fetches(BINANCE)):
            now += 1
            rig.tick(now)
        asked.append(now)
        assert found == [request]
    assert [round(b - a) for a, b in zip([0.0, *asked], asked, strict=False)] == [1, 2, 4, 8, 16]
    assert rig.venue_view().channels["book"]["parse_errors"] == 4  # bodies that nobody could read
    rig.reply(now, BINANCE, request, binance_snapshot(100, *ladder(60_000, 5)))
    rig.frame(now + 0.1, BINANCE, binance_change(101, 102, 100, time=at(now)))
    rig.tick(now + 1)
    assert rig.market_view().verified
    assert rig.fetches(BINANCE) == []


def test_a_snapshot_older_than_the_stream_is_asked_for_again() -> None:
    rig = Rig()
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE)
    rig.frame(0, BINANCE, binance_change(95, 100, 94))
    (request,) = rig.fetches(BINANCE)
    rig.reply(0.5, BINANCE, request, binance_snapshot(90, *ladder(60_000, 5)))
    assert not rig.market().books[0].book.in_sync
    rig.tick(1.4)
    assert rig.fetches(BINANCE) == []
    rig.tick(2)
    assert rig.fetches(BINANCE) == [request]


def test_a_snapshot_that_came_before_the_first_frame_waits_for_the_stream() -> None:
    """Other recorders write their captures so."""
    rig = Rig()
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE)
    request = RestRequest("snapshot", "u", 20, "BTCUSDT")
    rig.reply(0, BINANCE, request, binance_snapshot(100, *ladder(60_000, 5)))
    rig.tick(1)
    assert (rig.market_view().verified, rig.market_view().reason) == (False, "waiting for stream")
    rig.frame(1.5, BINANCE, binance_change(99, 101, 98))
    rig.tick(2)
    assert rig.market_view().verified


# -- gaps
def test_a_gap_is_unreadable_in_the_same_step_and_carried_levels_come_back() -> None:
    """Levels outside the next snapshot, learned before a short gap, stay as floor and are counted."""
    rig = Rig(floor_settle=0.0, bands=("0.1%", "1%", "10%"))
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE)
    rig.frame(0, BINANCE, binance_change(95, 100, 94))
    bids, asks = ladder(60_000, 1000)
    rig.reply(0, BINANCE, rig.fetches(BINANCE)[0], binance_snapshot(100, bids, asks))
    rig.frame(0.1, BINANCE, binance_change(101, 102, 100, [("58000.0", "5")], [("62000.0", "7")]))
    rig.tick(1)
    before = figures(rig.market_view())
    inner = sum(float(p) for p, _ in bids)
    assert before["bid", "0.1%"][1] == "live"
    assert before["bid", "10%"] == (pytest.approx(inner + 58_000 * 5), "floor")
    book = rig.market().books[0].book
    rig.frame(1.2, BINANCE, binance_change(110, 111, 109))
    assert (book.readable, book.reason) == (False, "gap")  # the same step
    assert len(rig.fetches(BINANCE)) == 1  # the same step
    rig.tick(2)
    view = rig.market_view()
    assert (view.verified, view.reason, view.depth, view.mid_price) == (False, "gap", (), None)
    assert rig.asset_view().depth == ()
    rig.reply(
        2.5,
        BINANCE,
        RestRequest("snapshot", "u", 20, "BTCUSDT"),
        binance_snapshot(112, [*bids[:999], ("59899.0", "9")], asks),
    )
    rig.frame(2.6, BINANCE, binance_change(112, 113, 111))
    rig.tick(3)
    view = rig.market_view()
    assert view.verified
    assert figures(view)["bid", "10%"] == (
        pytest.approx(sum(float(p) for p, _ in bids[:999]) + 59_899 * 9 + 58_000 * 5),
        "floor",
    )
    assert book.counters["carried"] == 2
    assert view.counters["book_gaps_total"] == 1
    assert view.resyncs == {"gap": 1}


def test_a_gap_on_a_stream_that_seeds_itself_subscribes_again_once() -> None:
    for venue, gap, repeat in (
        (BYBIT, bybit_book(105), bybit_book(106)),
        (OKX, okx_book(107, 105), okx_book(108, 107)),
    ):
        rig = Rig()
        rig.begin(venue)
        rig.take()
        rig.frame(1, venue, gap)
        view_now = rig.market(venue).books[0].book
        assert view_now.reason == "gap"
        sent = [orjson.loads(text)["op"] for text in rig.sends(venue)]
        assert sent == ["unsubscribe"]
        rig.frame(1.1, venue, repeat)
        rig.frame(1.2, venue, repeat)
        assert rig.sends(venue) == []
        rig.tick(2)
        assert rig.market_view(venue).reason == "gap"
        rig.answer(2.5, venue)
        rig.seed(venue, 61_000, seconds=3, number=5)
        rig.tick(4)
        view = rig.market_view(venue)
        assert (view.verified, view.mid_price, view.counters["book_gaps_total"]) == (True, 61_000.0, 1)


@pytest.mark.parametrize(
    ("venue", "frames"),
    [(BYBIT, [bybit_book(7), bybit_book(8)]), (OKX, [okx_book(7, 6), okx_book(8, 7)])],
)
def test_changes_without_the_snapshot_that_begins_the_stream_are_asked_for_again(
    venue: str, frames: list[bytes]
) -> None:
    rig = Rig()
    rig.list(0, venue)
    rig.connect(0, venue)
    rig.take()
    for i, frame in enumerate(frames):
        rig.frame(0.5 + i / 10, venue, frame)
    assert [orjson.loads(text)["op"] for text in rig.sends(venue)] == ["unsubscribe"]
    rig.tick(2)
    assert (rig.market_view(venue).verified, rig.market_view(venue).reason) == (False, "no snapshot")


def test_a_snapshot_that_disagrees_takes_the_book_away() -> None:
    rig = Rig()
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE)
    rig.frame(0, BINANCE, binance_change(95, 100, 94))
    bids, asks = ladder(60_000, 50)
    rig.reply(0, BINANCE, rig.fetches(BINANCE)[0], binance_snapshot(100, bids, asks))
    rig.frame(0.1, BINANCE, binance_change(101, 102, 100))
    now, request = 0.0, None
    while request is None and now < 700:
        now += 10
        rig.frame(
            now,
            BINANCE,
            binance_change(103 + int(now), 103 + int(now), 102 if now == 10 else 93 + int(now), time=at(now)),
        )
        found = rig.fetches(BINANCE, "deep")
        request = found[0] if found else None
    assert request is not None
    assert now == pytest.approx(610, abs=20)  # a live book is compared with a fresh snapshot
    last = rig.market().books[0].book.last_id
    wrong = [("59999.9", "2"), *bids[1:]]
    rig.frame(now + 1, BINANCE, binance_change(last + 1, last + 1, last, time=at(now + 1)))
    rig.reply(now + 2, BINANCE, request, binance_snapshot(last + 1, wrong, asks))
    book = rig.market().books[0].book
    assert (book.readable, book.reason) == (False, "mismatch")
    assert len(rig.fetches(BINANCE, "snapshot")) == 1
    rig.tick(now + 3)
    assert rig.market_view().resyncs == {"mismatch": 1}


def test_a_worn_reach_is_widened_by_another_snapshot() -> None:
    rig = Rig()
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE)
    rig.frame(0, BINANCE, binance_change(95, 100, 94))
    bids, asks = ladder(60_000, 1000)
    rig.reply(0, BINANCE, rig.fetches(BINANCE)[0], binance_snapshot(100, bids, asks))
    rig.frame(0.1, BINANCE, binance_change(101, 102, 100))
    rig.tick(1)
    assert rig.market_view().reach_ratio["bid"] == pytest.approx(100 / 60_000, rel=1e-3)
    # The market falls by 80: four fifths of the bids known are gone.
    gone = [(price, "0") for price, _ in bids[:800]]
    new_asks = [(f"{59_920.1 + i / 10:.1f}", "2") for i in range(700)]
    rig.frame(2, BINANCE, binance_change(103, 104, 102, gone, new_asks, time=at(2)))
    now = 2.0
    while not (found := rig.fetches(BINANCE, "deep")):
        now += 1
        number = 104 + int(now)
        rig.frame(
            now,
            BINANCE,
            binance_change(
                number - 1 if now == 3 else number, number, rig.market().books[0].book.last_id, time=at(now)
            ),
        )
        assert now < 40
    assert 3 <= now <= 8  # within seconds: in a crash the rest of the reach does not last longer
    last = rig.market().books[0].book.last_id
    lower = [(f"{59_919.9 - i / 10:.1f}", "1") for i in range(1000)]
    rig.frame(now + 1, BINANCE, binance_change(last + 1, last + 1, last, time=at(now + 1)))
    rig.reply(now + 1.5, BINANCE, found[0], binance_snapshot(last + 1, lower, new_asks + asks))
    rig.tick(now + 2)
    view = rig.market_view()
    assert view.verified
    assert view.reach_ratio["bid"] == pytest.approx(100 / 59_920, rel=1e-3)
    assert view.resyncs == {}


def test_a_price_beyond_the_snapshot_is_unreadable_until_another_one_comes() -> None:
    rig = Rig()
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE)
    rig.frame(0, BINANCE, binance_change(95, 100, 94))
    bids, asks = ladder(60_000, 1000)
    rig.reply(0, BINANCE, rig.fetches(BINANCE)[0], binance_snapshot(100, bids, asks))
    gone = [(price, "0") for price, _ in bids]
    rig.frame(0.1, BINANCE, binance_change(101, 102, 100, [*gone, ("59800.0", "1")], [("59800.1", "1")]))
    assert rig.market().book is not None
    rig.tick(1)
    assert (rig.market_view().verified, rig.market_view().reason) == (False, "moved beyond snapshot")
    rig.tick(2)
    (request,) = rig.fetches(BINANCE)
    rig.frame(2.1, BINANCE, binance_change(103, 103, 102, time=at(2.1)))
    rig.reply(
        2.2, BINANCE, request, binance_snapshot(103, [("59800.0", "1"), ("59799.0", "4")], [("59800.1", "1"), *asks])
    )
    rig.tick(3)
    assert (rig.market_view().verified, rig.market_view().reason) == (True, "")


def test_a_first_frame_that_jumps_beyond_the_snapshot_is_healed_too() -> None:
    """The reach the seed gave was never measured then: nothing would call the book worn."""
    rig = Rig()
    rig.list(0, BINANCE)
    rig.connect(0, BINANCE)
    bids, asks = ladder(60_000, 1000)
    gone = [(price, "0") for price, _ in bids]
    rig.frame(0, BINANCE, binance_change(95, 100, 94))
    request = rig.fetches(BINANCE)[0]
    rig.frame(0.1, BINANCE, binance_change(101, 102, 100, [*gone, ("59800.0", "1")], [("59800.1", "1")]))
    rig.reply(0.2, BINANCE, request, binance_snapshot(101, bids, asks))
    rig.tick(1)
    assert rig.market_view().reason == "moved beyond snapshot"
    rig.tick(2)
    assert len(rig.fetches(BINANCE)) == 1


# -- frames the scanner refuses
def test_a_refused_frame_takes_the_plain_path_to_the_same_book() -> None:
    """An exponent, an escape: exact, but outside the scanner's grammar."""
    one, two = Rig(), Rig()
    for rig in (one, two):
        rig.begin(BYBIT)
    plain = bybit_book(101, [("59990", "3.5")], [("60010", "0.25")])
    odd = (
        plain.replace(b'"59990"', b'"5.999e4"')
        .replace(b'"0.25"', b'"2.5e-1"')
        .replace(b'"BTCUSDT"', b'"BTC\\u0055SDT"')
    )
    one.frame(1, BYBIT, plain)
    two.frame(1, BYBIT, odd)
    books = [rig.market(BYBIT).book for rig in (one, two)]
    assert books[0] is not None
    assert books[1] is not None
    for side in ("bid", "ask"):
        assert books[0].levels_of(side).tolist() == books[1].levels_of(side).tolist()  # type: ignore[arg-type]
    assert books[0].last_id == books[1].last_id == 101
    for rig in (one, two):
        rig.tick(2)
    assert one.market_view(BYBIT).depth == two.market_view(BYBIT).depth
    counts = [rig.venue_view(BYBIT).channels["book"] for rig in (one, two)]
    assert [c["fallback_frames"] for c in counts] == [0, 1]
    assert [c["parse_errors"] for c in counts] == [0, 0]
    # Fallbacks of a connection that is gone still count.
    two.drop(3, BYBIT)
    two.tick(4)
    assert two.venue_view(BYBIT).channels["book"]["fallback_frames"] == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: f[: len(f) // 2],
        lambda f: f.replace(b'"3.5"', b'"three"'),
        lambda f: f.replace(b'"3.5"', b'"-3.5"'),
        lambda f: f.replace(b'"59990"', b'"1e99"'),
        lambda f: f.replace(b'"59990"', b'"59990.123456789012345678901234567890"'),
        lambda f: f.replace(b'"59990"', b'"59990.00000001"'),
        lambda f: f.replace(b'"3.5"', b'"3.500000000000000001"'),
        lambda f: f.replace(b'"u":101', b'"u":"x"'),
        lambda f: f.replace(b'["59990","3.5"]', b'["59990.05","1"],["nan","1"]'),
        lambda f: f.replace(b'["59990","3.5"]', b'["59990.05","1"],["1_0","1"]'),
        lambda f: f.replace(b'"s":"BTCUSDT"', b'"s":"ETHUSDT"'),
    ],
)
def test_a_frame_nobody_can_read_takes_the_book_with_it(damage: object) -> None:
    """It may have held changes. The grid stays: a damaged price is no reason to keep books in billionths."""
    rig = Rig()
    rig.begin(BYBIT)
    rig.take()
    frame = damage(bybit_book(101, [("59990", "3.5")]))  # type: ignore[operator]
    rig.frame(1, BYBIT, frame)
    book = rig.market(BYBIT).books[0].book
    assert (book.readable, book.reason) == (False, "unreadable_frame")
    assert [orjson.loads(text)["op"] for text in rig.sends(BYBIT)] == ["unsubscribe"]  # the same step
    assert book.scale == instrument(BYBIT).scale
    rig.tick(2)
    channels = rig.venue_view(BYBIT).channels["book"]
    assert (channels["parse_errors"], channels["fallback_frames"]) == (1, 1)
    assert rig.market_view(BYBIT).resyncs == {"unreadable_frame": 1}
    rig.answer(2.5, BYBIT)
    rig.seed(BYBIT, seconds=3)
    rig.tick(4)
    assert rig.market_view(BYBIT).verified


def test_bytes_that_are_no_frame_of_the_book_do_not_touch_it() -> None:
    rig = Rig()
    rig.begin(BYBIT)
    for data in (b"", b"\xff\xfe", b"null", b'{"topic":1}', b"[" * 5000, b'{"topic":"orderbook.1000.OTHER","data":{}}'):
        rig.frame(1, BYBIT, data)
    rig.tick(2)
    assert rig.market_view(BYBIT).verified
    assert rig.venue_view(BYBIT).channels["other"]["parse_errors"] == 5


# -- another grid
def test_levels_off_the_listed_grid_take_the_coarsest_grid_that_holds_them() -> None:
    grid = Grid.from_step
    listed = Scale(grid("0.5"), grid("0.001"))
    rows = [
        ([("100.25", "1")], Scale(grid("0.25"), grid("0.001"))),
        ([("100.2", "1")], Scale(grid("0.1"), grid("0.001"))),
        ([("100.5", "0.0005")], Scale(grid("0.5"), grid("0.0005"))),
        ([("100", "1"), ("100.125", "2")], Scale(grid("0.125"), grid("0.001"))),
        ([("1.0025e2", "1")], Scale(grid("0.25"), grid("0.001"))),
        ([("0", "0")], listed),
        ([], listed),
    ]
    for levels, expected in rows:
        assert finer_scale(listed, levels) == expected
    assert finer_scale(Scale(grid("10"), grid("1")), [("15", "1")]) == Scale(grid("5"), grid("1"))
    for bad in ("NaN", "1_0", "-1", "", "1e999", "0.1234567890123456789", "٣", "Infinity", "0x1"):
        assert finer_scale(listed, [(bad, "1")]) is None


def test_a_snapshot_on_a_finer_grid_is_read_in_the_same_step() -> None:
    rig = Rig()
    rig.begin(BYBIT)
    rig.frame(1, BYBIT, bybit_book(200, [("60000.05", "2")], [("60000.15", "3")], snapshot=True))
    rig.tick(2)
    view = rig.market_view(BYBIT)
    assert (view.verified, view.mid_price) == (True, pytest.approx(60_000.10))
    assert view.resyncs == {"regrid": 1}
    rig.frame(3, BYBIT, bybit_book(201, [("60000.10", "1")], time=at(3)))
    rig.tick(4)
    assert rig.market_view(BYBIT).best_bid == pytest.approx(60_000.10)


def test_a_change_on_a_finer_grid_asks_for_the_book_anew() -> None:
    for venue in (BYBIT, BINANCE):
        rig = Rig()
        rig.begin(venue)
        if venue == BINANCE:
            rig.frame(0.5, venue, binance_change(101, 102, 100))
        rig.take()
        frame = (
            bybit_book(101, [("60000.05", "2")])
            if venue == BYBIT
            else binance_change(103, 104, 102, [("59999.95", "2")])
        )
        rig.frame(1, venue, frame)
        rig.tick(2)
        assert not rig.market_view(venue).verified
        if venue == BYBIT:
            assert len(rig.sends(venue)) == 1
            rig.answer(2.4, venue)
            rig.frame(2.5, venue, bybit_book(300, [("60000.05", "2")], [("60000.15", "1")], snapshot=True))
        else:
            (request,) = rig.fetches(venue)
            rig.reply(2.5, venue, request, binance_snapshot(104, [("59999.95", "2")], [("60000.05", "1")]))
            rig.frame(2.6, venue, binance_change(105, 106, 104, time=at(2.6)))
        rig.tick(3)
        view = rig.market_view(venue)
        assert view.verified, view.reason
        assert view.best_bid in (pytest.approx(60_000.05), pytest.approx(59_999.95))
        assert view.counters["book_updates_total"] >= 2


# -- deep snapshots beyond the window
def test_deep_snapshots_give_the_outer_bands_for_a_minute() -> None:
    rig = Rig(bands=("0.01%", "1%", "10%"))
    rig.list(0, OKX)
    rig.connect(0, OKX)
    bids, asks = ladder(60_000, 400, "100")
    rig.frame(0, OKX, okx_book(1, -1, bids, asks, snapshot=True))
    rig.tick(1)
    near = figures(rig.market_view(OKX))
    assert set(near) == {("bid", "0.01%"), ("ask", "0.01%")}  # a window of 400 levels, nothing is known beyond
    requests = rig.fetches(OKX, "deep")
    assert len(requests) == 1
    rig.reply(
        1.2,
        OKX,
        requests[0],
        okx_deep(
            [("59999.9", "7"), ("59500.0", "50"), ("55000.0", "20"), ("100.0", "1")],
            [("60000.1", "7"), ("60500.0", "60"), ("90000.0", "1")],
        ),
    )
    rig.tick(2)
    deep = figures(rig.market_view(OKX))
    inner = sum(float(p) for p, _ in bids)
    assert deep["bid", "0.01%"][1] == "live"
    assert deep["bid", "1%"] == (pytest.approx(inner + 59_500 * 0.5), "snapshot")
    assert deep["bid", "10%"] == (pytest.approx(inner + 59_500 * 0.5 + 55_000 * 0.2), "snapshot")
    assert deep["ask", "10%"] == (pytest.approx(sum(float(p) for p, _ in asks) + 60_500 * 0.6), "snapshot")
    # Asked in its cadence, whether or not it is answered; a failed one is no reason to lose the live book.
    every = math.ceil(VENUES[OKX].book.deep_interval_seconds or 0)
    asked = []
    for second in range(3, 70):
        rig.tick(second)
        for request in rig.fetches(OKX, "deep"):
            asked.append(second)
            rig.reply(second, OKX, request, b"", "HTTP 500")
    assert asked == [1 + every, 1 + 2 * every, 1 + 3 * every]
    assert [("bid", "10%") in figures(m) for view in rig.outlet.seconds[-9:] for m in view.markets] == [
        view.at <= at(61) for view in rig.outlet.seconds[-9:]
    ]
    assert rig.market_view(OKX).verified
    for body in (b"<html>", okx_deep([("1", "x")], []), b'{"code":"50011","data":[]}'):
        rig.reply(70, OKX, requests[0], body)
    rig.tick(71)
    assert rig.market_view(OKX).verified
    assert rig.venue_view(OKX).channels["book"]["parse_errors"] == 3


# -- the lane alone
def lane(venue: str = BYBIT) -> tuple[Market, BookLane]:
    market = Market(VENUES[venue], instrument(venue), OPTIONS)
    topic = plan(venue).topics[0]
    return market, market.open_book(0, topic, 0)


def test_the_venues_time_comes_back_from_both_paths() -> None:
    _, book = lane()
    time = at(5.123)
    assert book.frame(bybit_book(1, *ladder(60_000, 3), snapshot=True, time=time), 0) == time
    assert book.frame(bybit_book(2, time=time + MS), 0) == time + MS
    escaped = bybit_book(3, time=time + 2 * MS).replace(b'"BTCUSDT"', b'"BTC\\u0055SDT"')
    assert book.frame(escaped, 0) == time + 2 * MS
    assert book.frame(bybit_book(9, time=time + 3 * MS), 0) == time + 3 * MS  # a gap has its time, too
    with pytest.raises(FrameError, match="bybit_linear BTCUSDT book: "):
        book.frame(b"{", 0)


def test_a_topic_without_a_book_is_refused() -> None:
    topic = VENUES[BYBIT].topic("tickers.BTCUSDT")
    assert topic is not None
    market, _ = lane()
    with pytest.raises(ValueError, match="carries no book"):
        market.open_book(1, topic, 0)
    with pytest.raises(ValueError, match="carries no trades"):
        market.open_trades(1, topic)


def test_seeds_of_a_venue_that_needs_none_are_of_no_use() -> None:
    _, book = lane()
    book.frame(bybit_book(1, *ladder(60_000, 3), snapshot=True), 0)
    book.replied(RestReplied(1, BYBIT, RestRequest("snapshot", "u", 1, "BTCUSDT"), b"{}"))
    assert book.book.readable
    assert book.recovery.need == ""


def test_what_is_asked_for_is_what_the_venue_says() -> None:
    rig = Rig()
    rig.begin(BINANCE)
    rig.begin(BYBIT)
    rig.frame(0.5, BINANCE, binance_change(101, 102, 100))
    rig.tick(1)
    fetched = [c for c in rig.take() if isinstance(c, Fetch)]
    assert {(c.venue, c.request.purpose, c.request.key) for c in fetched} == {
        (poll_of, poll.request.purpose, poll.request.key)
        for poll_of, listed in ((BINANCE, instrument(BINANCE)), (BYBIT, instrument(BYBIT)))
        for poll in (*VENUES[poll_of].polls(listed), *VENUES[poll_of].venue_polls([listed]))
    }
    assert not [c for c in rig.take() if isinstance(c, Send)]


def test_the_lot_of_a_contract_reaches_the_worth() -> None:
    market = Market(VENUES[OKX], instrument(OKX), OPTIONS)
    book = market.open_book(0, plan(OKX).topics[0], 0).book
    assert book.worth.contract_size == Decimal("0.01")
    assert book.worth.lot_unit == pytest.approx(0.00001)
