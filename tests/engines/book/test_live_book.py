"""Seeding, losing, recovering, merging, and the basis of every figure."""

from __future__ import annotations

import hashlib

import pytest
from book_captures import COUNTER, LINKED, OKX_FRAME, levels_of, scale
from book_rig import ASKS, BIDS, MINUTE, SECOND, bids_of, figures, make, rest, seeded, send, stream_snapshot

from engines.book import backlog, growth
from engines.book.bands import BandSet
from engines.book.outcome import Outcome

# -- seeding


def test_frames_wait_for_the_snapshot() -> None:
    book = make()
    assert book.reason == "no_snapshot"
    assert send(book, 90, 95, 89, [(995, 1)]) is Outcome.NEED_SNAPSHOT
    assert send(book, 97, 105, 95, [(998, 4)]) is Outcome.BUFFERED
    assert send(book, 106, 110, 105, [(990, 0)]) is Outcome.BUFFERED
    assert rest(book, 100, BIDS, ASKS, 5) is Outcome.REPLACED
    assert book.readable
    assert bids_of(book) == {999: 5, 998: 4, 980: 9}
    assert book.last_id == 110
    assert book.counters["updates"] == 3
    assert book.counters["dropped"] == 1


def test_a_chain_broken_while_waiting_starts_again_from_the_break() -> None:
    book = make()
    send(book, 90, 95, 89)
    assert send(book, 120, 125, 119) is Outcome.NEED_SNAPSHOT
    assert book.counters["gaps"] == 1
    assert rest(book, 100, BIDS, ASKS) is Outcome.NEED_SNAPSHOT
    assert book.counters["stale_snapshots"] == 1
    assert rest(book, 122, BIDS, ASKS) is Outcome.REPLACED
    assert book.readable


def test_a_snapshot_that_proves_too_old_only_later() -> None:
    book = make()
    assert rest(book, 100, BIDS, ASKS) is Outcome.HELD
    assert send(book, 110, 115, 109, [(999, 8)]) is Outcome.NEED_SNAPSHOT
    assert not book.readable
    assert book.reason == "stale_snapshot"
    assert rest(book, 112, BIDS, ASKS) is Outcome.REPLACED
    assert bids_of(book)[999] == 8


def test_waiting_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "MAX_FRAMES", 3)
    book = make()
    answers = [send(book, i, i, i - 1) for i in range(1, 6)]
    assert answers == [
        Outcome.NEED_SNAPSHOT,
        Outcome.BUFFERED,
        Outcome.BUFFERED,
        Outcome.OVERFLOW,
        Outcome.NEED_SNAPSHOT,
    ]
    assert book.counters["buffered_overflow"] == 1
    assert book.epoch == 1


# -- faults


def test_a_gap_is_unreadable_in_the_same_step_and_the_frame_is_kept() -> None:
    book = seeded()
    assert send(book, 103, 104, 103, [(998, 3)]) is Outcome.GAP
    assert not book.readable
    assert book.reason == "gap"
    assert book.top() is None
    assert book.mid is None
    assert book.bands(BandSet(["1%"]), 0) is None
    assert book.resyncs == {"gap": 1}
    assert send(book, 105, 106, 104, [(997, 3)]) is Outcome.BUFFERED
    assert rest(book, 103, BIDS, ASKS) is Outcome.REPLACED
    assert bids_of(book) == {999: 5, 998: 3, 997: 3, 990: 7, 980: 9}


def test_doubled_and_late_frames_are_ignored_and_a_reordered_pair_is_a_gap() -> None:
    book = seeded()
    assert send(book, 102, 103, 101, [(998, 3)]) is Outcome.APPLIED
    assert send(book, 102, 103, 101, [(998, 3)]) is Outcome.IGNORED
    assert send(book, 99, 101, 98, [(998, 9)]) is Outcome.IGNORED
    assert bids_of(book)[998] == 3
    assert send(book, 106, 107, 105) is Outcome.GAP
    assert send(book, 104, 105, 103) is Outcome.IGNORED


def test_crossed_books_are_unreadable_and_nothing_of_them_is_carried() -> None:
    book = seeded()
    send(book, 102, 102, 101, [(900, 4)], at=1)
    assert send(book, 103, 103, 102, [(1001, 1)], at=2) is Outcome.CROSSED
    assert book.reason == "crossed"
    assert book.counters["crossed"] == 1
    assert send(book, 104, 104, 103, at=3) is Outcome.NEED_SNAPSHOT
    assert rest(book, 104, BIDS, ASKS, 4) is Outcome.REPLACED
    assert 900 not in bids_of(book)


def test_a_crossed_snapshot_is_not_taken() -> None:
    book = make()
    assert rest(book, 100, [(1001, 1)], ASKS) is Outcome.CROSSED
    assert not book.readable


def test_a_side_without_levels_is_unreadable_without_a_resync() -> None:
    book = seeded()
    assert send(book, 102, 102, 101, [(t, 0) for t, _ in BIDS]) is Outcome.APPLIED
    assert book.reason == "one_sided"
    assert send(book, 103, 103, 102, [(999, 1)]) is Outcome.APPLIED
    assert book.readable
    assert book.resyncs == {}


def test_disconnect_and_regrid() -> None:
    book = seeded()
    epoch = book.epoch
    book.disconnected(3)
    assert (book.reason, book.epoch) == ("disconnected", epoch + 1)
    book.disconnected(4)
    assert book.epoch == epoch + 1
    assert book.resyncs == {"disconnected": 1}
    book.regrid(scale("0.5", "0.001"), 5)
    assert book.reason == "regrid"
    assert book.counters["updates"] == 2
    assert rest(book, 200, [(200, 1)], [(201, 1)]) is Outcome.HELD
    assert send(book, 200, 201, 199) is Outcome.APPLIED
    assert book.mid == pytest.approx(100.25)


def test_a_book_that_outgrows_its_bound_starts_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    book = seeded()
    monkeypatch.setattr(growth, "MAX_CAPACITY", book.nbytes // 8)
    far = [(i * 16, 1) for i in range(1, 900)]
    answer = send(book, 102, 102, 101, asks=[(t + 1100, q) for t, q in far])
    assert answer is Outcome.OVERSIZED
    assert book.reason == "oversized"
    monkeypatch.undo()
    send(book, 103, 103, 102)
    assert rest(book, 103, BIDS, ASKS) is Outcome.REPLACED


def test_refused_frames_change_nothing() -> None:
    book = seeded()
    before = hashlib.sha256()
    book.digest_into(before)
    for data in (b"", b"{", b"<html>", b'{"data":{}}', b"\xff" * 40):
        assert book.frame(data, 3) is Outcome.REFUSED
        assert book.refusal != 0
    after = hashlib.sha256()
    book.digest_into(after)
    assert before.digest() == after.digest()
    assert book.counters["refused"] == 5


# -- what is verified, what is learned


def test_the_edge_itself_is_inside_and_beyond_is_floor_or_nothing() -> None:
    book = seeded(floor_settle_ns=MINUTE)
    send(book, 102, 102, 101, [(900, 4)], [(1100, 6)], at=1)
    two, ten = figures(book, "2%", "10%", at=MINUTE - 1)
    assert [figure.basis for figure in two] == ["live", "live"]  # 980 and 1020 exactly
    assert [figure.raw.lots for figure in two] == [21, 21]
    assert [figure.basis for figure in ten] == [None, None]
    assert ten[0].published is None
    assert ten[0].truncated
    (ten,) = figures(book, "10%", at=MINUTE)
    assert [figure.basis for figure in ten] == ["floor", "floor"]
    assert ten[0].published == (25, 999 * 5 + 990 * 7 + 980 * 9 + 900 * 4, None)
    assert ten[0].truncated
    assert book.reach("bid") == pytest.approx(0.02)
    assert book.reach("ask") == pytest.approx(0.02)


def test_a_snapshot_shorter_than_asked_is_the_whole_side() -> None:
    book = seeded(snapshot_levels=4)
    (ten,) = figures(book, "10%")
    assert [figure.basis for figure in ten] == ["live", "live"]
    assert not ten[0].truncated
    assert book.reach("bid") == 1.0


def test_a_short_gap_carries_outer_levels_and_the_settling() -> None:
    book = seeded(floor_settle_ns=2 * MINUTE, at=0)
    send(book, 102, 102, 101, [(900, 4), (985, 1)], at=MINUTE)
    assert send(book, 105, 105, 104, at=MINUTE + SECOND) is Outcome.GAP
    assert rest(book, 105, [(998, 1), (985, 2)], [(1001, 1)], 2 * MINUTE - 1) is Outcome.REPLACED
    assert bids_of(book) == {998: 1, 985: 2, 980: 9, 900: 4}
    assert book.counters["carried"] == 2 + 2  # and the asks 1010, 1020
    (ten,) = figures(book, "10%", at=2 * MINUTE)
    assert ten[0].basis == "floor"
    assert ten[0].raw.lots == 16


def test_a_long_gap_drops_them_and_settles_again() -> None:
    book = seeded(floor_settle_ns=2 * MINUTE, at=0)
    send(book, 102, 102, 101, [(900, 4)], at=MINUTE)
    book.disconnected(MINUTE + 5 * SECOND)
    send(book, 104, 105, 103, at=2 * MINUTE)
    assert rest(book, 105, [(998, 1)], [(1001, 1)], 2 * MINUTE) is Outcome.REPLACED
    assert bids_of(book) == {998: 1}
    assert book.counters["carried"] == 0
    (ten,) = figures(book, "10%", at=3 * MINUTE)
    assert ten[0].basis is None
    (ten,) = figures(book, "10%", at=4 * MINUTE)
    assert ten[0].basis == "floor"


def test_leaving_the_snapshot_is_unreadable_and_a_merge_brings_it_back() -> None:
    book = seeded()
    falling = send(book, 102, 102, 101, [(999, 0), (990, 0), (980, 0), (970, 3)], [(975, 2)], at=1)
    assert falling is Outcome.APPLIED
    assert book.reason == "moved_beyond_snapshot"
    assert book.wants_snapshot
    assert not any(cost.vwap == cost.vwap for cost in book.cost("sell", [1.0]))
    book.snapshot_requested(2)
    send(book, 103, 104, 102, [(971, 1)], at=3)
    assert rest(book, 103, [(971, 1), (970, 3), (960, 8)], [(975, 2), (1001, 5)], 4) is Outcome.MERGED
    assert book.readable
    assert bids_of(book) == {971: 1, 970: 3, 960: 8}
    assert dict(book.levels_of("ask").tolist()) == {975: 2, 1001: 5, 1010: 7, 1020: 9}
    (one,) = figures(book, "1%")
    assert [figure.basis for figure in one] == ["live", "live"]


# -- snapshots while live


def test_a_merge_widens_the_reach() -> None:
    book = seeded()
    send(book, 102, 102, 101, [(950, 2), (940, 2)])
    book.snapshot_requested(1)
    send(book, 103, 105, 102, [(999, 6)])
    send(book, 106, 107, 105, [(985, 1)])
    wide = [(999, 6), (990, 7), (980, 9), (950, 2), (945, 1)]
    assert rest(book, 104, wide, ASKS) is Outcome.MERGED
    assert bids_of(book) == {999: 6, 990: 7, 985: 1, 980: 9, 950: 2, 945: 1, 940: 2}
    assert book.reach("bid") == pytest.approx(0.055)
    assert book.counters["merged"] == 1
    assert send(book, 108, 108, 107) is Outcome.APPLIED


def test_a_ghost_level_is_found_and_loses_the_book() -> None:
    book = seeded()
    book.snapshot_requested(1)
    without = [(999, 5), (980, 9)]
    send(book, 102, 102, 101)
    assert rest(book, 101, without, ASKS) is Outcome.MISMATCH
    assert not book.readable
    assert book.reason == "mismatch"
    assert book.counters["mismatch"] == 1
    assert book.counters["mismatched_levels"] == 1
    assert book.resyncs == {"mismatch": 1}
    assert send(book, 103, 103, 102) is Outcome.NEED_SNAPSHOT


def test_levels_outside_the_old_reach_may_differ() -> None:
    book = seeded()
    send(book, 102, 102, 101, [(950, 2)])
    book.snapshot_requested(1)
    assert rest(book, 102, [*BIDS, (970, 4), (949, 1)], ASKS) is Outcome.MERGED
    assert bids_of(book) == {999: 5, 990: 7, 980: 9, 970: 4, 949: 1}


def test_a_snapshot_ahead_of_the_stream_is_held() -> None:
    book = seeded()
    book.snapshot_requested(1)
    assert rest(book, 110, [*BIDS, (970, 4)], ASKS) is Outcome.HELD
    assert send(book, 102, 108, 101) is Outcome.APPLIED
    assert send(book, 109, 112, 108, [(971, 1)]) is Outcome.MERGED
    assert bids_of(book) == {999: 5, 990: 7, 980: 9, 971: 1, 970: 4}


def test_snapshots_of_no_use_while_live() -> None:
    book = seeded()
    assert rest(book, 100, BIDS, ASKS) is Outcome.IGNORED  # nobody asked: no frames were kept
    send(book, 102, 105, 101)
    book.snapshot_requested(1)
    send(book, 106, 109, 105)
    assert rest(book, 103, BIDS, ASKS) is Outcome.IGNORED  # older than the frames kept
    assert book.counters["merge_failed"] == 2
    assert book.readable


def test_the_journal_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "MAX_FRAMES", 2)
    book = seeded()
    book.snapshot_requested(1)
    for i in range(102, 106):
        assert send(book, i, i, i - 1) is Outcome.APPLIED
    assert book.counters["journal_overflow"] == 1
    assert rest(book, 104, BIDS, ASKS) is Outcome.IGNORED
    assert book.readable


# -- moving to another connection


def test_a_successor_adopts_what_the_older_connection_learned() -> None:
    older, newer = seeded(floor_settle_ns=MINUTE), make(floor_settle_ns=MINUTE)
    send(older, 102, 104, 101, [(900, 4), (995, 1)], at=SECOND)
    assert newer.adopt(older, SECOND) is Outcome.IGNORED  # not in sync yet
    rest(newer, 103, [(999, 5), (995, 1)], [(1001, 5)], MINUTE)
    send(newer, 103, 105, 102, [(899, 2)], at=MINUTE)
    assert newer.adopt(older, MINUTE) is Outcome.MERGED
    assert bids_of(newer) == {999: 5, 995: 1, 990: 7, 980: 9, 900: 4, 899: 2}
    (ten,) = figures(newer, "12%", at=MINUTE)
    assert ten[0].basis == "floor"
    assert ten[0].raw.lots == 28
    assert newer.reach("bid") == pytest.approx(0.005)
    send(older, 105, 105, 104, [(899, 2)], at=MINUTE)
    assert newer.adopt(older, MINUTE) is Outcome.MERGED  # same id: what is verified there is verified here
    assert newer.reach("bid") == pytest.approx(0.02)
    assert send(newer, 106, 106, 105, [(980, 0)]) is Outcome.APPLIED
    assert make(COUNTER, window=3).adopt(older, 0) is Outcome.IGNORED


def test_a_frame_no_path_can_read_loses_the_book() -> None:
    book = seeded()
    assert book.unreadable_frame(3) is Outcome.GAP
    assert book.reason == "unreadable_frame"
    assert send(book, 102, 102, 101) is Outcome.NEED_SNAPSHOT


# -- windowed streams


def test_a_full_window_is_verified_to_its_worst_level_and_never_floor() -> None:
    book = make(COUNTER, window=3, floor_settle_ns=0)
    assert send(book, 0, 4, 0) is Outcome.IGNORED
    assert stream_snapshot(book, 5, BIDS, ASKS) is Outcome.REPLACED
    one, ten = figures(book, "1%", "10%")
    assert [figure.basis for figure in one] == ["live", "live"]
    assert [figure.basis for figure in ten] == [None, None]
    # a better bid comes in, the worst leaves the window
    send(book, 0, 6, 0, [(1000, 1), (980, 0)])
    assert book.reach("bid") == pytest.approx((1000.5 - 990) / 1000.5)
    assert book.counters["window_exceeded"] == 0


def test_a_side_with_fewer_levels_than_the_window_is_known_completely() -> None:
    book = make(COUNTER, window=4)
    stream_snapshot(book, 5, BIDS, [*ASKS, (1030, 1)])
    (ten,) = figures(book, "10%")
    assert [figure.basis for figure in ten] == ["live", None]


def test_more_levels_than_the_window_is_a_counted_fault() -> None:
    book = make(COUNTER, window=3)
    stream_snapshot(book, 5, BIDS, ASKS)
    assert send(book, 0, 6, 0, [(1000, 1)]) is Outcome.APPLIED
    assert book.counters["window_exceeded"] == 1
    assert bids_of(book) == {1000: 1, 999: 5, 990: 7}


def test_stream_seeded_books_recover_by_the_next_snapshot() -> None:
    book = make(LINKED, window=400)
    stream_snapshot(book, 10, BIDS, ASKS)
    assert book.levels(*levels_of([], [], last=10, previous=10), 3) is Outcome.KEEPALIVE
    assert book.levels(*levels_of([(998, 1)], [], last=3, previous=10), 3) is Outcome.RESET
    assert book.levels(*levels_of([(998, 1)], [], last=9, previous=8), 3) is Outcome.GAP
    assert not book.readable
    assert book.levels(*levels_of([(998, 1)], [], last=10, previous=9), 3) is Outcome.IGNORED
    assert rest(book, 9, BIDS, ASKS) is Outcome.IGNORED
    assert stream_snapshot(book, 50, BIDS, ASKS, 4) is Outcome.REPLACED
    assert book.readable
    assert book.counters["gaps"] == 1
    assert book.counters["resets"] == 1


def test_bybit_restart_frame() -> None:
    book = make(COUNTER, window=50)
    stream_snapshot(book, 5, BIDS, ASKS)
    assert send(book, 0, 1, 0, [(500, 1)], [(501, 1)]) is Outcome.REPLACED
    assert bids_of(book) == {500: 1}


# -- deep snapshots


def test_a_deep_snapshot_fills_in_beyond_the_reach_for_a_minute() -> None:
    book = make(LINKED, window=3)
    stream_snapshot(book, 10, BIDS, ASKS)
    stale_inside = [(999, 500), (985, 500), (960, 11), (940, 13)]
    assert book.deep(*levels_of(stale_inside, [(1001, 5), (1040, 2)]), SECOND) is Outcome.REPLACED
    two, five, ten = figures(book, "2%", "5%", "10%", at=2 * SECOND)
    assert (two[0].basis, two[0].published) == ("live", two[0].raw)
    assert five[0].basis == "snapshot"
    assert five[0].published == (21 + 11, 999 * 5 + 990 * 7 + 980 * 9 + 960 * 11, None)
    assert five[0].raw.lots == 21
    assert ten[0].basis is None  # the deep snapshot ends at 940
    assert five[1].basis is None
    (late,) = figures(book, "5%", at=61 * SECOND)
    assert late[0].basis == "snapshot"
    (late,) = figures(book, "5%", at=61 * SECOND + 1)
    assert late[0].basis is None


def test_a_deep_snapshot_with_fewer_levels_than_asked_is_the_whole_side() -> None:
    book = make(LINKED, window=3, deep_levels=5)
    stream_snapshot(book, 10, BIDS, ASKS)
    book.deep(*levels_of([*BIDS, (960, 1)], [*ASKS, (1030, 1), (1040, 1)]), 0)
    (ten,) = figures(book, "10%")
    assert [figure.basis for figure in ten] == ["snapshot", None]


# -- far away


def test_the_ladder_follows_the_price_up() -> None:
    book = seeded(snapshot_levels=1000)
    far = 10_000_000
    send(book, 102, 102, 101, asks=[(far, 3)])
    assert book.counters["beyond"] == 1
    (ten,) = figures(book, "10%")
    assert ten[1].raw.lots == 21
    up = [(t, 0) for t, _ in ASKS]
    assert send(book, 103, 103, 102, [(9_000, 1)], [*up, (9_010, 1)]) is Outcome.APPLIED
    assert book.counters["recentred"] == 1
    assert dict(book.levels_of("ask").tolist()) == {9_010: 1}
    assert 9_000 in bids_of(book)
    # what lay beyond the old ladder is not claimed to be known
    half, whole = figures(book, "50%", "100%")
    assert (half[1].basis, whole[1].basis) == ("live", "floor")
    assert whole[0].basis == "live"


def test_a_jump_beyond_the_ladder_is_a_new_start() -> None:
    book = seeded()
    gone = [(t, 0) for t, _ in ASKS]
    assert send(book, 102, 102, 101, [(20_000, 1)], [*gone, (20_010, 1)]) is Outcome.OVERSIZED
    send(book, 103, 103, 102)
    assert rest(book, 103, [(20_000, 1)], [(20_010, 1)]) is Outcome.REPLACED
    assert book.top() == (20_000, 1, 20_010, 1)


def test_okx_grammar_reaches_the_book() -> None:
    book = make(LINKED, market="BTC-USDT", grammar=OKX_FRAME, window=400, scale=scale("0.1", "0.01"))
    snapshot = (
        b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{"asks":[["67500.2","1.20","0","3"]],'
        b'"bids":[["67500.1","0.95","0","4"]],"ts":"1785096000123","checksum":0,"prevSeqId":-1,"seqId":450001}]}'
    )
    update = (
        b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[["67500.2","0","0","0"],'
        b'["67500.4","1.50","0","1"]],"bids":[["67500.1","1.25","0","5"]],"ts":"1785096000130","checksum":0,'
        b'"prevSeqId":450001,"seqId":450002}]}'
    )
    assert book.frame(snapshot, 1) is Outcome.REPLACED
    assert book.frame(update, 2) is Outcome.APPLIED
    assert book.top() == (675001, 125, 675004, 150)
