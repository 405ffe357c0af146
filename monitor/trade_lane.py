"""One market's trades on one connection."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.book.withdrawal import WithdrawalMeter
from engines.book.worth import Worth
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
from engines.wire.json_text import parse, require
from engines.wire.layout import MAX_TRADES, TRADE_ID, TRADE_KEPT, TRADE_SIZE, TRADE_TIME
from engines.wire.plain import plain_trades
from engines.wire.scale import Scale
from engines.wire.trade_scan import compile_trade_grammar, scan_trades
from monitor.errors import FrameError
from monitor.facts import Channel, Instrument
from monitor.grids import finer_scale, worth_of
from monitor.venues.base import Topic

SCRATCH: Final[NDArray[np.int64]] = np.zeros((MAX_TRADES, TRADE_SIZE), np.int64)


class TradeTally:
    """What the takers of one market did since start; survives reconnects, knows the last trade id."""

    def __init__(self) -> None:
        self._frame = np.zeros(TALLY_SIZE)
        self.count = {"buy": 0, "sell": 0}
        self.volume_usd = {"buy": 0.0, "sell": 0.0}
        self.size = {"buy": 0.0, "sell": 0.0}  # coins; inverse: quote units of the contracts
        self.paid = 0.0  # sum of size * price per coin
        self.last_id = 0
        self.last_time = 0  # of the newest trade, where the venue repeats old ones
        self.meter: WithdrawalMeter | None = (
            None  # of the market's book, where somebody wants to know who removed the bids
        )

    def add(self, trades: NDArray[np.int64], count: int, worth: Worth, fx: float | None, overlapping: bool) -> None:
        """Count a frame's trades, whose units `worth` tells. While two connections carry the market, ids tell what was already counted."""
        sums = self._frame
        sums[:] = 0.0
        self.last_id = max(self.last_id, tally_trades(trades, count, self.last_id if overlapping else 0, sums))
        buys, sells = int(sums[BUY_COUNT]), int(sums[SELL_COUNT])
        self.count["buy"] += buys
        self.count["sell"] += sells
        for side, lots in (("buy", sums[BUY_LOTS]), ("sell", sums[SELL_LOTS])):
            if lots:
                self.size[side] += float(lots) * worth.size_unit
        self.paid += float(sums[BUY_VALUE] + sums[SELL_VALUE]) * worth.lot_unit * worth.tick_unit
        if fx is None:
            return
        if buys:
            self.volume_usd["buy"] += _usd(worth, float(sums[BUY_LOTS]), float(sums[BUY_VALUE]), fx)
        if sells:
            self.volume_usd["sell"] += _usd(worth, float(sums[SELL_LOTS]), float(sums[SELL_VALUE]), fx)

    def drop_past(self, trades: NDArray[np.int64], count: int, overlapping: bool) -> None:
        """Take out what is not newer than what was counted, of a venue that begins a subscription with old trades unmarked.

        Trades of one moment may come in several frames: only a frame that reaches back repeats anything. While two connections
        carry the market, every moment comes twice.
        """
        times, ids, kept = (trades[:count, column] for column in (TRADE_TIME, TRADE_ID, TRADE_KEPT))
        if self.last_time == 0:
            kept[:] = 0
        elif overlapping or times.min() < self.last_time:
            kept[times <= self.last_time] = 0
        else:  # a frame of nothing but the last counted moment may be the repetition: ids tell, where there are any
            kept[(times == self.last_time) & (ids != 0) & (ids <= self.last_id)] = 0
        self.last_time = max(self.last_time, int(times.max()))


def _usd(worth: Worth, lots: float, lot_ticks: float, fx: float) -> float:
    return (lots * worth.lot_unit if worth.inverse else lot_ticks * worth.lot_tick_unit) * fx


class TradeLane:
    """Reads the trade frames of one topic into a tally."""

    def __init__(self, instrument: Instrument, topic: Topic, scale: Scale, tally: TradeTally) -> None:
        if topic.trades is None:
            raise ValueError(f"topic {topic.key} carries no trades")
        self._symbol = instrument.symbol
        self._grammar = topic.trades
        self._tally = tally
        self.fallbacks: Counter[Channel] = Counter()  # frames the scanner refused; the hub puts its connection's here
        self._repeats_past = topic.repeats_past
        self._shared = False
        self._overlapping = False
        self.regrid(instrument, scale)

    def share(self, shared: bool) -> None:
        """Whether another connection carries these trades too. The last one left may still repeat what the other one brought."""
        self._shared = shared
        self._overlapping = shared or (self._overlapping and self._grammar.identifier is not None)

    def regrid(self, instrument: Instrument, scale: Scale) -> None:
        """Read frames on another grid, or with another contract size, from now on."""
        self._instrument = instrument
        self._scale = scale
        self._worth = worth_of(instrument, scale)
        self._compiled = compile_trade_grammar(self._grammar, scale, self._symbol)

    def frame(self, data: bytes, fx: float | None) -> int:
        """Count the frame's trades; returns the venue time of its last trade (ns), 0 when it has none.

        Raises:
            FrameError: neither path can read the frame.
        """
        count = scan_trades(np.frombuffer(data, np.uint8), self._compiled.table, SCRATCH)
        worth = self._worth
        if count < 0:
            self.fallbacks[Channel.TRADES] += 1
            try:
                count, worth = self._plainly(data)
            except WireError as error:
                raise FrameError(f"trades of {self._symbol}: {error}") from None
        tally = self._tally
        if self._repeats_past and count:
            tally.drop_past(SCRATCH, count, self._overlapping)
        if tally.meter is not None and worth is self._worth and not self._overlapping:
            tally.meter.sold(SCRATCH, count)
        seen = tally.last_id
        tally.add(SCRATCH, count, worth, fx, self._overlapping)
        if self._overlapping and not self._shared and tally.last_id > seen:
            self._overlapping = False
        return int(SCRATCH[count - 1, TRADE_TIME]) if count else 0

    def _plainly(self, data: bytes) -> tuple[int, Worth]:
        """The frame the scanner refused, read the slow way. A print off the listed grid is counted on a grid of its own."""
        try:
            return plain_trades(self._grammar, self._scale, self._symbol, data, SCRATCH), self._worth
        except WireError as error:
            if error.reason != "off_grid":
                raise
        root = parse(data)
        found: Any = require(root, self._grammar.rows)
        rows = [found] if self._grammar.single else found
        texts = [(require(row, self._grammar.price), require(row, self._grammar.size)) for row in rows]
        # The sign of a size says who was the taker, and nothing about the grid.
        levels = [
            (price, size.removeprefix("-")) for price, size in texts if isinstance(price, str) and isinstance(size, str)
        ]
        scale = finer_scale(self._scale, levels)
        if scale is None:
            raise WireError("number", "trades", "a price or size fits no grid")
        return plain_trades(self._grammar, scale, self._symbol, data, SCRATCH), worth_of(self._instrument, scale)
