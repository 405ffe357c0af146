from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engines.flow.tally import TALLY_SIZE, tally_trades
from engines.wire.layout import TRADE_SIZE

_TRADE = st.tuples(
    st.integers(1, 10**7), st.integers(1, 10**9), st.sampled_from([1, -1]), st.integers(0, 50), st.integers(0, 1)
)


@given(st.lists(_TRADE, max_size=40), st.integers(0, 30))
def test_equals_its_twin(rows: list[tuple[int, int, int, int, int]], after: int) -> None:
    trades = np.zeros((40, TRADE_SIZE), np.int64)
    for i, (tick, lots, side, identifier, kept) in enumerate(rows):
        trades[i, :6] = (tick, lots, side, 0, identifier, kept)
    sums = np.zeros(TALLY_SIZE)
    largest = tally_trades(trades, len(rows), after, sums)
    want = [0.0] * 6
    for tick, lots, side, identifier, kept in rows:
        if kept and (identifier == 0 or identifier > after):
            at = 0 if side > 0 else 3
            want[at] += 1
            want[at + 1] += lots
            want[at + 2] += float(lots) * tick
    assert list(sums) == want
    assert largest == max([after, *(r[3] for r in rows)])
