"""One market's trades on one connection."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.book.withdrawal import WithdrawalMeter
from engines.flow.tally import (
    BUY_COUNT,
    BUY_LOTS,
    BUY_VALUE,
    SELL_COUNT,
    SELL_LOTS,
    SELL_VALUE,
    TALLY_SIZE,
    tally_trades,
)
from engines.wire.errors import WireError
from engines.wire.layout import MAX_TRADES, TRADE_SIZE, TRADE_TIME
from engines.wire.plain import plain_trades
from engines.wire.scale import Scale
from engines.wire.trade_scan import compile_trade_grammar, scan_trades
from monitor.book_lane import worth_of
from monitor.errors import FrameError
from monitor.facts import Instrument
from monitor.venues.base import Topic

SCRATCH: Final[NDArray[np.int64]] = np.zeros((MAX_TRADES, TRADE_SIZE), np.int64)


class TradeTally:
    """What the takers of one market did since start; survives reconnects, knows the last trade id."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._worth = worth_of(instrument, instrument.scale)
        self._frame = np.zeros(TALLY_SIZE)
        self.count = {"buy": 0, "sell": 0}
        self.volume_usd = {"buy": 0.0, "sell": 0.0}
        self.last_id = 0
        self.meter: WithdrawalMeter | None = (
            None  # of the market's book, where somebody wants to know who removed the bids
        )

    def add(self, trades: NDArray[np.int64], count: int, fx: float | None, overlapping: bool) -> None:
        """Count a frame's trades. While two connections carry the market, ids tell what was already counted."""
        if self.meter is not None and not overlapping:
            self.meter.sold(trades, count)
        sums = self._frame
        sums[:] = 0.0
        self.last_id = tally_trades(trades, count, self.last_id if overlapping else 0, sums)
        buys, sells = int(sums[BUY_COUNT]), int(sums[SELL_COUNT])
        self.count["buy"] += buys
        self.count["sell"] += sells
        if fx is None:
            return
        if buys:
            self.volume_usd["buy"] += self._usd(float(sums[BUY_LOTS]), float(sums[BUY_VALUE]), fx)
        if sells:
            self.volume_usd["sell"] += self._usd(float(sums[SELL_LOTS]), float(sums[SELL_VALUE]), fx)

    def regrid(self, scale: Scale) -> None:
        """Frames come in other units from now on."""
        self._worth = worth_of(self._instrument, scale)

    def _usd(self, lots: float, lot_ticks: float, fx: float) -> float:
        worth = self._worth
        return (lots * worth.lot_unit if worth.inverse else lot_ticks * worth.lot_tick_unit) * fx


class TradeLane:
    """Reads the trade frames of one topic into a tally."""

    def __init__(self, instrument: Instrument, topic: Topic, scale: Scale, tally: TradeTally) -> None:
        if topic.trades is None:
            raise ValueError(f"topic {topic.key} carries no trades")
        self._symbol = instrument.symbol
        self._grammar = topic.trades
        self._tally = tally
        self.counts: Counter[str] = Counter()
        self.overlapping = False
        self.regrid(scale)

    def regrid(self, scale: Scale) -> None:
        """Read frames on another grid from now on."""
        self._scale = scale
        self._tally.regrid(scale)
        self._compiled = compile_trade_grammar(self._grammar, scale, self._symbol)

    def frame(self, data: bytes, fx: float | None) -> int:
        """Count the frame's trades; returns the venue time of its last trade (ns), 0 when it has none.

        Raises:
            FrameError: neither path can read the frame.
        """
        count = scan_trades(np.frombuffer(data, np.uint8), self._compiled.table, SCRATCH)
        if count < 0:
            self.counts["fallback"] += 1
            try:
                count = plain_trades(self._grammar, self._scale, self._symbol, data, SCRATCH)
            except WireError as error:
                raise FrameError(f"trades of {self._symbol}: {error}") from None
        self._tally.add(SCRATCH, count, fx, self.overlapping)
        return int(SCRATCH[count - 1, TRADE_TIME]) if count else 0
