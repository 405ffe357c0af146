"""Executed or cancelled: the meter against a plain-Python twin, and the share of models.md 1.5."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.book import withdrawal
from engines.book.ladder import set_level
from engines.book.memory import new_block
from engines.book.withdrawal import MAX_LEVELS, WithdrawalMeter
from engines.depth.resilience import withdrawal_share
from engines.wire.layout import ASK, BID, TRADE_KEPT, TRADE_LOTS, TRADE_SIDE, TRADE_SIZE, TRADE_TICK

MID = 10_000


def _block(bids: dict[int, int]) -> np.ndarray:
    block = new_block(4, window=1_000_000)  # fewer levels than the window: every bid is known
    for tick, lots in bids.items():
        set_level(block, BID, tick, lots)
    set_level(block, ASK, MID + 1, 1)
    set_level(block, BID, MID - 1, 5)
    return block


def _sales(*prints: tuple[int, int], side: int = -1, kept: int = 1) -> tuple[np.ndarray, int]:
    trades = np.zeros((len(prints) or 1, TRADE_SIZE), np.int64)
    for i, (tick, lots) in enumerate(prints):
        trades[i, [TRADE_TICK, TRADE_LOTS, TRADE_SIDE, TRADE_KEPT]] = (tick, lots, side, kept)
    return trades, len(prints)


def test_a_bid_that_was_sold_into_is_executed_and_the_rest_is_cancelled() -> None:
    meter = WithdrawalMeter()
    meter.look(_block({9_990: 100, 9_980: 50}), 0)
    meter.sold(*_sales((9_990, 60)))
    meter.look(_block({9_990: 10, 9_980: 70}), 1)  # 90 gone at 9990, 20 added at 9980
    assert meter.take() == (20 * 9_980.0, 0.0, 0.0)  # not settled yet: the print may come later
    meter.look(_block({9_990: 10, 9_980: 70}), 2)
    assert meter.take() == (0.0, 30 * 9_990.0, 60 * 9_990.0)


def test_a_print_that_comes_after_the_book_change_still_explains_it() -> None:
    meter = WithdrawalMeter()
    meter.look(_block({9_990: 100}), 0)
    meter.look(_block({9_990: 40}), 1)
    meter.sold(*_sales((9_990, 60)))
    meter.look(_block({9_990: 40}), 2)
    assert meter.take() == (0.0, 0.0, 60 * 9_990.0)


def test_buyers_and_excluded_prints_explain_nothing() -> None:
    meter = WithdrawalMeter()
    meter.look(_block({9_990: 100}), 0)
    meter.sold(*_sales((9_990, 60), side=1))
    meter.sold(*_sales((9_990, 60), kept=0))
    meter.look(_block({}), 1)
    meter.look(_block({}), 2)
    assert meter.take() == (0.0, 100 * 9_990.0, 0.0)


def test_a_level_that_leaves_the_window_is_not_a_cancellation() -> None:
    full = dict.fromkeys(range(9960, 9999), 10)
    meter = WithdrawalMeter()
    before, after = _block(full), _block({t: q for t, q in full.items() if t > 9_961})
    before[32], after[32] = 40, 38  # WINDOW: both sides full
    meter.look(before, 0)
    meter.look(after, 1)
    meter.look(after, 2)
    assert meter.take() == (0.0, 0.0, 0.0)


def test_a_lost_book_starts_anew() -> None:
    meter = WithdrawalMeter()
    meter.look(_block({9_990: 100}), 0)
    meter.lose()
    meter.look(_block({}), 1)
    meter.look(_block({}), 2)
    assert meter.take() == (0.0, 0.0, 0.0)


def test_too_many_levels_are_counted_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withdrawal, "MAX_LEVELS", 3)
    meter = WithdrawalMeter()
    meter.look(_block(dict.fromkeys(range(9980, 9990), 1)), 0)
    assert meter.too_many == 1
    assert MAX_LEVELS == 4_096


def test_example_1_5_share() -> None:
    assert withdrawal_share(2.4e6, 0.9e6) == pytest.approx(0.727272727, rel=1e-6)


_BOOK = st.dictionaries(st.integers(9_900, 9_998), st.integers(1, 1_000), max_size=12)


@given(
    st.lists(
        st.tuples(_BOOK, st.lists(st.tuples(st.integers(9_890, 9_998), st.integers(1, 500)), max_size=6)), max_size=6
    )
)
def test_equals_its_twin(steps: list[tuple[dict[int, int], list[tuple[int, int]]]]) -> None:
    meter = WithdrawalMeter()
    before: dict[int, int] | None = None
    pending: list[list[int]] = []
    sold: list[dict[int, int]] = [{}, {}]
    want = [0.0, 0.0, 0.0]
    for at, (book, prints) in enumerate([*steps, ({}, []), ({}, [])]):
        meter.sold(*_sales(*prints))
        for tick, lots in prints:
            sold[1][tick] = sold[1].get(tick, 0) + lots
        for sales in sold:
            for item in pending:
                taken = min(item[1], sales.get(item[0], 0))
                sales[item[0]] = sales.get(item[0], 0) - taken
                item[1] -= taken
                want[2] += taken * item[0]
        want[1] += sum(lots * tick for tick, lots in pending)
        sold = [sold[1], {}]
        now = {**book, MID - 1: 5}
        pending = []
        if before is not None:
            for tick in sorted({*before, *now}):
                change = now.get(tick, 0) - before.get(tick, 0)
                if change > 0:
                    want[0] += change * tick
                elif change < 0:
                    pending.append([tick, -change])
        before = now
        meter.look(_block(book), at)
    assert meter.take() == pytest.approx(tuple(want))
