"""A book that is only eventually consistent: what is read is the levels told, less the older ones that newer ones cross."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from book_captures import BINANCE_FRAME, levels_of, scale
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.book import uncross
from engines.book.live_book import LiveBook
from engines.book.outcome import Outcome
from engines.wire.grammar import SequenceRule

Rows = list[tuple[int, int]]


def make() -> LiveBook:
    return LiveBook(
        scale=scale("1", "0.001"),
        market="X",
        grammar=BINANCE_FRAME,
        rule=SequenceRule("unsequenced"),
        changes_at_any_price=True,
        crossing="uncross",
    )


def send(book: LiveBook, bids: Rows, asks: Rows, *, kind: int = 0) -> Outcome:
    return book.levels(*levels_of(bids, asks, kind=kind), 1)


def shown(book: LiveBook) -> tuple[dict[int, int], dict[int, int]]:
    return dict(book.levels_of("bid").tolist()), dict(book.levels_of("ask").tolist())


@dataclass
class PlainUncrossed:
    """What was told, with the number of the frame that told it; the view is made anew each time."""

    told: tuple[dict[int, tuple[int, int]], dict[int, tuple[int, int]]] = field(default_factory=lambda: ({}, {}))
    number: int = 0

    def frame(self, bids: Rows, asks: Rows, snapshot: bool) -> None:
        if snapshot:
            self.told = ({}, {})
        self.number += 1
        for side, rows in zip(self.told, (bids, asks), strict=True):
            for tick, lots in rows:
                side.pop(tick, None)
                if lots:
                    side[tick] = (self.number, lots)

    def view(self) -> tuple[dict[int, int], dict[int, int]]:
        bids, asks = ({tick: list(level) for tick, level in side.items()} for side in self.told)
        while bids and asks and max(bids) >= min(asks):
            bid, ask = bids[max(bids)], asks[min(asks)]
            if bid[0] == ask[0]:
                smaller = min(bid[1], ask[1])
                bid[1] -= smaller
                ask[1] -= smaller
            else:
                (bid if bid[0] < ask[0] else ask)[1] = 0
            for side in (bids, asks):
                for tick in [tick for tick, level in side.items() if not level[1]]:
                    del side[tick]
        return {t: level[1] for t, level in bids.items()}, {t: level[1] for t, level in asks.items()}


TICK = st.one_of(st.integers(95, 105), st.integers(1, 200), st.integers(1, 16_000))
ROWS = st.lists(st.tuples(TICK, st.integers(0, 9)), max_size=5)
FRAME = st.tuples(ROWS, ROWS, st.sampled_from([False] * 9 + [True]))


@settings(max_examples=250, deadline=None)
@given(st.lists(FRAME, max_size=40))
def test_the_ladder_is_the_view_of_what_was_told(frames: list[tuple[Rows, Rows, bool]]) -> None:
    book, plain = make(), PlainUncrossed()
    send(book, [], [], kind=1)
    plain.frame([], [], True)
    crossed = 0
    for bids, asks, snapshot in frames:
        assert send(book, bids, asks, kind=int(snapshot)) in (Outcome.APPLIED, Outcome.REPLACED, Outcome.KEEPALIVE)
        if bids or asks or snapshot:
            plain.frame(bids, asks, snapshot)
            crossed += plain.view() != tuple({t: level[1] for t, level in side.items()} for side in plain.told)
        assert shown(book) == plain.view()
    assert book.counters["uncrossed"] == crossed
    assert book.counters["crossed"] == 0


def seeded() -> LiveBook:
    book = make()
    send(book, [(99, 5), (98, 6)], [(101, 5), (102, 6), (110, 7)], kind=1)
    return book


def test_an_older_level_is_hidden_and_comes_back() -> None:
    book = seeded()
    assert send(book, [(102, 1)], []) is Outcome.APPLIED
    assert book.readable
    assert shown(book) == ({98: 6, 99: 5, 102: 1}, {110: 7})
    assert send(book, [(97, 1)], []) is Outcome.APPLIED
    assert shown(book)[1] == {110: 7}
    assert book.counters["uncrossed"] == 2
    assert send(book, [(102, 0)], []) is Outcome.APPLIED
    assert shown(book) == ({97: 1, 98: 6, 99: 5}, {101: 5, 102: 6, 110: 7})
    assert book.counters["uncrossed"] == 2


def test_a_hidden_level_that_was_told_again_does_not_come_back_as_it_was() -> None:
    book = seeded()
    send(book, [(102, 1)], [])
    send(book, [], [(101, 0)])  # deleted while it was out of sight
    assert shown(book)[1] == {110: 7}
    send(book, [], [(102, 9)])  # and the other one told anew: now the bid is the older one
    assert shown(book) == ({98: 6, 99: 5}, {102: 9, 110: 7})
    send(book, [], [(102, 0)])
    assert shown(book) == ({98: 6, 99: 5, 102: 1}, {110: 7})


def test_levels_of_one_frame_are_set_off_against_each_other() -> None:
    book = seeded()
    send(book, [(105, 10)], [(103, 3), (104, 4)])  # 101 and 102 are older: hidden; of the bid 3 are left
    assert shown(book) == ({98: 6, 99: 5, 105: 3}, {110: 7})
    send(book, [], [(103, 0)])
    assert shown(book) == ({98: 6, 99: 5, 105: 6}, {110: 7})
    send(book, [], [(104, 0)])
    assert shown(book) == ({98: 6, 99: 5, 105: 10}, {110: 7})


def test_a_snapshot_forgets_what_was_hidden() -> None:
    book = seeded()
    send(book, [(102, 1)], [])
    assert send(book, [(99, 1)], [(101, 1)], kind=1) is Outcome.REPLACED
    assert shown(book) == ({99: 1}, {101: 1})
    assert send(book, [(100, 1)], []) is Outcome.APPLIED
    assert shown(book) == ({99: 1, 100: 1}, {101: 1})


def test_a_book_crossed_through_and_through_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uncross, "MAX_HIDDEN", 4)
    book = make()
    send(book, [(99, 5)], [(tick, 1) for tick in range(101, 110)], kind=1)
    assert send(book, [(102, 1)], []) is Outcome.APPLIED
    assert send(book, [(108, 1)], []) is Outcome.CROSSED
    assert book.reason == "crossed"
    assert book.counters["crossed"] == 1
    assert send(book, [(99, 5)], [(101, 5)], kind=1) is Outcome.REPLACED
    assert shown(book) == ({99: 5}, {101: 5})


def test_only_whole_books_can_be_uncrossed() -> None:
    with pytest.raises(ValueError, match="window"):
        LiveBook(
            scale=scale("1", "1"),
            market="X",
            grammar=BINANCE_FRAME,
            rule=SequenceRule("unsequenced"),
            changes_at_any_price=False,
            crossing="uncross",
            window=5,
        )
